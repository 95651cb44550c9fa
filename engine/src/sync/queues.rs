//! Stand-ins for the queues of other crates in model tests: as much of them as rings and buffers use.

use std::collections::VecDeque;

use loom::sync::Mutex;

/// As `crossbeam_queue::ArrayQueue`. Its lock orders more than the original does, which promises
/// no more than that a value comes out after it went in.
pub(crate) struct ArrayQueue<T> {
    items: Mutex<VecDeque<T>>,
    capacity: usize,
}

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), capacity }
    }

    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock().expect("no panic under the lock");
        if items.len() == self.capacity {
            return Err(item);
        }
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn force_push(&self, item: T) -> Option<T> {
        let mut items = self.items.lock().expect("no panic under the lock");
        let oldest = if items.len() == self.capacity { items.pop_front() } else { None };
        items.push_back(item);
        oldest
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.items.lock().expect("no panic under the lock").pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.lock().expect("no panic under the lock").len()
    }
}

/// As the crate `rtrb`, with its indices and their orderings: a lock would order what the original
/// leaves to the fences around it, and hide that one is missing.
pub(crate) mod rtrb {
    use std::sync::Mutex;

    use loom::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    struct Shared<T> {
        /// Locked by whoever the indices let in, so never waited for; loom does not see these.
        slots: Box<[Mutex<Option<T>>]>,
        head: AtomicUsize,
        tail: AtomicUsize,
    }

    impl<T> Shared<T> {
        fn slot(&self, index: usize) -> &Mutex<Option<T>> {
            &self.slots[index % self.slots.len()]
        }
    }

    pub(crate) struct RingBuffer<T>(T);

    pub(crate) struct Producer<T> {
        shared: Arc<Shared<T>>,
        tail: usize,
    }

    pub(crate) struct Consumer<T> {
        shared: Arc<Shared<T>>,
        head: usize,
    }

    pub(crate) enum PushError<T> {
        Full(T),
    }

    pub(crate) struct PopError;

    impl<T> RingBuffer<T> {
        #[expect(clippy::new_ret_no_self, reason = "as the original")]
        pub(crate) fn new(capacity: usize) -> (Producer<T>, Consumer<T>) {
            let shared = Arc::new(Shared {
                slots: (0..capacity).map(|_| Mutex::new(None)).collect(),
                head: AtomicUsize::new(0),
                tail: AtomicUsize::new(0),
            });
            (Producer { shared: shared.clone(), tail: 0 }, Consumer { shared, head: 0 })
        }
    }

    impl<T> Producer<T> {
        pub(crate) fn push(&mut self, item: T) -> Result<(), PushError<T>> {
            if self.slots() == 0 {
                return Err(PushError::Full(item));
            }
            let slot = self.shared.slot(self.tail);
            *slot.try_lock().expect("the consumer is elsewhere") = Some(item);
            self.tail += 1;
            // Pairs with the Acquire in `Consumer::slots`.
            self.shared.tail.store(self.tail, Ordering::Release);
            Ok(())
        }

        pub(crate) fn slots(&self) -> usize {
            // Pairs with the Release in `Consumer::pop`.
            let head = self.shared.head.load(Ordering::Acquire);
            self.shared.slots.len() - (self.tail - head)
        }
    }

    impl<T> Consumer<T> {
        pub(crate) fn pop(&mut self) -> Result<T, PopError> {
            if self.slots() == 0 {
                return Err(PopError);
            }
            let slot = self.shared.slot(self.head);
            let item = slot.try_lock().expect("the producer is elsewhere").take();
            self.head += 1;
            // Pairs with the Acquire in `Producer::slots`.
            self.shared.head.store(self.head, Ordering::Release);
            item.ok_or(PopError)
        }

        pub(crate) fn slots(&self) -> usize {
            // Pairs with the Release in `Producer::push`.
            self.shared.tail.load(Ordering::Acquire) - self.head
        }
    }
}
