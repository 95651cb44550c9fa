//! Rings: the queues that implement edges between stages, and who wakes whom.
//!
//! One [`Sender`] and one [`Receiver`] per ring. Frames go through `rtrb`
//! (bounded; `block`, `drop_newest`) or an overwriting queue (`drop_oldest`,
//! `latest`); beside the frames stands the *bound*, a promise that nothing
//! older will come. A bound of [`Timestamp::MAX`] ends the stream.

#[cfg(all(test, loom))]
mod model;
mod wake;

use std::sync::{Arc, PoisonError};

use crate::{
    frame::{Frame, Gap},
    graph::OnFull,
    stats::EdgeCounts,
    sync::{ArrayQueue, AtomicBool, AtomicI64, AtomicUsize, Mutex, Ordering, fence},
    time::Timestamp,
};

#[cfg(loom)]
use crate::sync::rtrb;

pub(crate) use wake::{Parker, Ready};

/// Frames after which the other side is told before the turn is over: it then works beside this
/// one rather than in turn with it. At most; in a small ring a quarter of what it holds.
const TELL_EVERY_MAX: u32 = 32;

/// Whoever has to be told that a ring has frames, room or a higher bound.
pub(crate) trait Wake: Send + Sync {
    /// Makes sure the other side looks. Cheap while it is awake.
    fn wake(&self);
}

/// Wakes nobody: both ends are driven by hand.
pub(crate) struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// What both ends share.
struct Shared {
    bound: AtomicI64,
    /// The lowest bound the consumer waits for; MAX while it waits for frames or the end.
    wanted: AtomicI64,
    wants_room: AtomicBool,
    /// Why the consumer takes no more, as the number of a [`Gap`]: frames are dropped for it, the
    /// producer need not wait. Zero while it takes some.
    given_up: AtomicUsize,
    /// The queue of a consumer that gave up, for whoever finds something in it.
    left: Mutex<Option<Out>>,
    consumer: Arc<dyn Wake>,
    producer: Arc<dyn Wake>,
}

enum In {
    Bounded(rtrb::Producer<Frame>),
    Overwriting(Arc<ArrayQueue<Frame>>),
}

enum Out {
    Bounded(rtrb::Consumer<Frame>),
    Overwriting(Arc<ArrayQueue<Frame>>),
}

/// The producing end.
pub(crate) struct Sender {
    queue: In,
    shared: Arc<Shared>,
    counts: Arc<EdgeCounts>,
    drops: bool,
    /// Why the consumer takes no more, as far as this side has looked.
    refused: Option<Gap>,
    told: i64,
    /// Frames the consumer has not been told of.
    pushed: u32,
    tell_every: u32,
}

/// The consuming end.
pub(crate) struct Receiver {
    queue: Out,
    shared: Arc<Shared>,
    counts: Arc<EdgeCounts>,
    /// Number the next frame should carry; another means that frames are missing.
    next_seq: u64,
    /// The ring follows another whose producer was given up: numbers begin anew, after a gap.
    follows: Option<Gap>,
    /// Frames the producer has not been told of, and how many of those were counted.
    popped: u32,
    counted: u32,
    tell_every: u32,
}

/// Frames after which one side of a ring that holds so many tells the other.
pub(crate) fn tell_every(capacity: usize) -> u32 {
    u32::try_from(capacity / 4).unwrap_or(u32::MAX).clamp(1, TELL_EVERY_MAX)
}

/// A ring of `capacity` frames under a policy.
pub(crate) fn ring(
    capacity: usize,
    on_full: OnFull,
    counts: &Arc<EdgeCounts>,
    producer: Arc<dyn Wake>,
    consumer: Arc<dyn Wake>,
) -> (Sender, Receiver) {
    let shared = Arc::new(Shared {
        bound: AtomicI64::new(i64::MIN),
        wanted: AtomicI64::new(i64::MAX),
        wants_room: AtomicBool::new(false),
        given_up: AtomicUsize::new(0),
        left: Mutex::new(None),
        consumer,
        producer,
    });
    let (into, out) = match on_full {
        OnFull::Block | OnFull::DropNewest => {
            let (into, out) = rtrb::RingBuffer::new(capacity.max(1));
            (In::Bounded(into), Out::Bounded(out))
        }
        OnFull::DropOldest | OnFull::Latest => {
            let room = if on_full == OnFull::Latest { 1 } else { capacity.max(1) };
            let queue = Arc::new(ArrayQueue::new(room));
            (In::Overwriting(queue.clone()), Out::Overwriting(queue))
        }
    };
    let tell_every = tell_every(capacity);
    let sender = Sender {
        queue: into,
        shared: shared.clone(),
        counts: counts.clone(),
        drops: on_full != OnFull::Block,
        refused: None,
        told: i64::MIN,
        pushed: 0,
        tell_every,
    };
    let receiver = Receiver {
        queue: out,
        shared,
        counts: counts.clone(),
        next_seq: 0,
        follows: None,
        popped: 0,
        counted: 0,
        tell_every,
    };
    (sender, receiver)
}

impl Shared {
    /// Drops what is in the queue that was left. Both sides do when they are through, so that
    /// nothing is overlooked, and the lock gives every frame to one of them.
    fn sweep(&self, reason: Gap, counts: &EdgeCounts) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        for frame in left.iter_mut().flat_map(|queue| std::iter::from_fn(|| queue.pop())) {
            counts.lose(reason, &frame.header);
        }
    }
}

impl Out {
    fn pop(&mut self) -> Option<Frame> {
        match self {
            Self::Bounded(queue) => queue.pop().ok(),
            Self::Overwriting(queue) => queue.pop(),
        }
    }
}

impl Sender {
    /// Puts a frame in, or gives it back if the policy is `block` and there is no room.
    /// The consumer learns of it by [`Sender::publish`]. Inlined: a frame that is moved as a whole just after its
    /// parts were written waits for the writes.
    #[inline(always)]
    pub(crate) fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        if let Some(reason) = self.refused {
            self.counts.lose(reason, &frame.header);
            return Ok(());
        }
        match &mut self.queue {
            In::Bounded(queue) => {
                if let Err(rtrb::PushError::Full(frame)) = queue.push(frame) {
                    let full = self.drops.then_some(Gap::Full);
                    let Some(reason) = self.look().or(full) else { return Err(frame) };
                    self.counts.lose(reason, &frame.header);
                    return Ok(());
                }
            }
            In::Overwriting(queue) => {
                if let Some(oldest) = queue.force_push(frame) {
                    let reason = self.look().unwrap_or(Gap::Full);
                    self.counts.lose(reason, &oldest.header);
                }
            }
        }
        self.pushed += 1;
        if self.pushed == self.tell_every {
            self.pushed = 0;
            self.shared.consumer.wake();
        }
        Ok(())
    }

    /// Asks to be woken when there is room; says whether there is some already.
    pub(crate) fn wait_for_room(&self) -> bool {
        self.shared.wants_room.store(true, Ordering::Relaxed);
        // Pairs with the fence in `Receiver::release`: either we see the room or
        // the consumer sees that we want it.
        fence(Ordering::SeqCst);
        let room = match &self.queue {
            In::Bounded(queue) => queue.slots() > 0,
            In::Overwriting(_) => true,
        };
        let room = room || self.shared.given_up.load(Ordering::Relaxed) != 0;
        if room {
            self.shared.wants_room.store(false, Ordering::Relaxed);
        }
        room
    }

    /// Raises the bound and tells the consumer, once, what was pushed since the last time.
    pub(crate) fn publish(&mut self, bound: Timestamp) {
        let mut tell = std::mem::take(&mut self.pushed) > 0;
        if bound.nanos() > self.told {
            self.told = bound.nanos();
            // Pairs with the Acquire in `Receiver::bound`: the frames it covers were pushed before.
            self.shared.bound.store(self.told, Ordering::Release);
            // Pairs with the fence in `Receiver::want`.
            fence(Ordering::SeqCst);
            tell |= self.told >= self.shared.wanted.load(Ordering::Relaxed);
        }
        if tell {
            self.shared.consumer.wake();
        }
        if self.refused.is_none() {
            self.look();
        }
    }

    /// Why the consumer takes no more, if it gave up; what it has not seen is dropped for that.
    fn look(&mut self) -> Option<Gap> {
        // Pairs with the Release in `Receiver::leave`.
        let number = self.shared.given_up.load(Ordering::Acquire);
        self.refused = Gap::ALL.get(number.wrapping_sub(1)).copied();
        if let Some(reason) = self.refused {
            self.shared.sweep(reason, &self.counts);
        }
        self.refused
    }

    /// The producer was given up: its stream goes on in another ring, so this one never ends.
    pub(crate) fn abandon(&mut self) {
        self.pushed = 0;
        // As if the end had been told.
        self.told = i64::MAX;
    }
}

impl Receiver {
    /// Nothing older than this will come, except what is in the ring already if it was read
    /// before draining.
    pub(crate) fn bound(&self) -> Timestamp {
        // Pairs with the Release in `Sender::publish`.
        Timestamp::from_nanos(self.shared.bound.load(Ordering::Acquire))
    }

    /// Takes a frame out. A frame that follows missing ones carries a gap.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let mut frame = None;
        self.pop_into(&mut frame);
        frame
    }

    /// As [`Receiver::pop`], without moving the frame twice; says whether there was one.
    #[inline]
    pub(crate) fn pop_into(&mut self, into: &mut Option<Frame>) -> bool {
        // Each queue on its own: where both ways meet, the frame would make one more stop.
        match &mut self.queue {
            Out::Bounded(queue) => match queue.pop() {
                Ok(frame) => *into = Some(frame),
                Err(_) => return false,
            },
            Out::Overwriting(queue) => match queue.pop() {
                Some(frame) => *into = Some(frame),
                None => return false,
            },
        }
        let Some(frame) = into else { return false };
        if let Some(gap) = self.follows.take() {
            frame.header.gap.note(gap);
        } else if frame.header.seq != self.next_seq {
            frame.header.gap.note(Gap::Full);
        }
        self.next_seq = frame.header.seq + 1;
        self.popped += 1;
        if self.popped == self.tell_every {
            self.release();
        }
        true
    }

    /// Frames in the ring.
    pub(crate) fn len(&self) -> usize {
        match &self.queue {
            Out::Bounded(queue) => queue.slots(),
            Out::Overwriting(queue) => queue.len(),
        }
    }

    /// After draining: lets a producer that waits for room go on.
    pub(crate) fn release(&mut self) {
        if self.popped > 0 {
            self.count();
            (self.popped, self.counted) = (0, 0);
            // Pairs with the fence in `Sender::wait_for_room`.
            fence(Ordering::SeqCst);
            if self.shared.wants_room.load(Ordering::Relaxed) {
                self.shared.wants_room.store(false, Ordering::Relaxed);
                self.shared.producer.wake();
            }
        }
    }

    /// Counts what was taken out, for whoever looks at what is in the ring: else that is done where the producer is
    /// told.
    pub(crate) fn count(&mut self) {
        let popped = std::mem::replace(&mut self.counted, self.popped);
        self.counts.out.add(u64::from(self.popped - popped));
    }

    /// Asks to be woken when the bound reaches `wanted`; says whether it has.
    pub(crate) fn want(&self, wanted: Timestamp) -> bool {
        self.shared.wanted.store(wanted.nanos(), Ordering::Relaxed);
        // Pairs with the fence in `Sender::publish`.
        fence(Ordering::SeqCst);
        wanted < Timestamp::MAX && self.bound() >= wanted
    }

    /// Says which number the first frame carries, where it is not the first of its stream.
    pub(crate) fn begin_at(&mut self, seq: u64) {
        self.next_seq = seq;
    }

    /// Says that this ring takes the place of another whose other end was given up.
    pub(crate) fn follow(&mut self, gap: Gap) {
        self.follows = Some(gap);
    }

    /// Gives up for `reason`: what is inside and what still comes is dropped and counted, the
    /// producer never waits again.
    pub(crate) fn abandon(&mut self, reason: Gap) {
        // An empty queue stands in its place.
        let queue = std::mem::replace(&mut self.queue, Out::Overwriting(ArrayQueue::new(1).into()));
        *self.shared.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        self.leave(reason);
        // Pairs with the fence in `Sender::publish`: either this finds a frame or the producer, at
        // the end of its stream at the latest, learns that it must look.
        fence(Ordering::SeqCst);
        self.shared.sweep(reason, &self.counts);
    }

    /// Takes nothing more for `reason`. What is inside is accounted for by whoever ends the session
    /// or wires the edge anew.
    pub(crate) fn leave(&self, reason: Gap) {
        // Pairs with the Acquire in `Sender::look`: what `abandon` left is there. The first reason
        // counts.
        let _ = self.shared.given_up.compare_exchange(
            0,
            reason as usize,
            Ordering::Release,
            Ordering::Relaxed,
        );
        self.shared.producer.wake();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.leave(Gap::Closed);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // A producer that is gone sends no more, whatever became of it, unless it was abandoned.
        self.publish(Timestamp::MAX);
    }
}
