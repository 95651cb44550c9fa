//! How a thread that has nothing to do is found when there is something:
//! [`Ready`], which cells want a turn, and [`Parker`], one wake word per thread.
//!
//! ```text
//! producer                              consumer (one thread)
//! ────────                              ─────────────────────
//! write the frame                       swap PARKED into the word
//! set the cell's bit                    any bit set? yes: word := AWAKE, go on
//! swap AWAKE into the word;                          no:  sleep until word ≠ PARKED
//! if it was PARKED, unpark
//! ```
//!
//! Both swap the same word, so one swap comes first and the other reads what it
//! left: either the consumer acquires the bit or the producer reads PARKED, and no
//! wake-up is lost. (Two fences around plain accesses would do as well, and cost more.) However many frames arrive, one sleep costs
//! one unpark, and a running consumer costs its producers no system call.

use std::{ops::ControlFlow, time::Duration};

use crate::sync::{AtomicU32, AtomicU64, Ordering};

#[cfg(not(loom))]
use std::{
    sync::Mutex,
    thread::{Thread, current, park, park_timeout},
};

const AWAKE: u32 = 0;
const PARKED: u32 = 1;

/// One thread's wake word.
pub(crate) struct Parker {
    word: AtomicU32,
    /// Locked only to park for the first time and to unpark.
    #[cfg(not(loom))]
    thread: Mutex<Option<Thread>>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU32::new(AWAKE),
            #[cfg(not(loom))]
            thread: Mutex::new(None),
        }
    }

    /// Says that the calling thread parks here from now on, if it is due to: asked under the lock,
    /// so that a thread that comes late does not take the place of its successor.
    #[cfg(not(loom))]
    pub(crate) fn adopt(&self, is_due: impl Fn() -> bool) -> bool {
        let mut thread = self.thread.lock().expect("no panic under the lock");
        let is_due = is_due();
        if is_due {
            *thread = Some(current());
        }
        is_due
    }

    #[cfg(loom)]
    pub(crate) fn adopt(&self, is_due: impl Fn() -> bool) -> bool {
        is_due()
    }

    /// Makes the thread look again, whatever the word says: two threads may have slept on it.
    pub(crate) fn rouse(&self) {
        self.word.swap(AWAKE, Ordering::AcqRel);
        self.unpark();
    }

    /// Wakes the thread if it is parked or about to. Call after the work it should find is visible.
    pub(crate) fn wake(&self) {
        // Pairs with the swap in `park`; see the module docs.
        if self.word.swap(AWAKE, Ordering::AcqRel) == PARKED {
            self.unpark();
        }
    }

    /// Sleeps until woken, or for `limit`, unless `has_work` already says yes. May return early.
    pub(crate) fn park(&self, limit: Option<Duration>, has_work: impl Fn() -> bool) {
        // Pairs with the swap in `wake`.
        self.word.swap(PARKED, Ordering::AcqRel);
        if !has_work() {
            self.sleep(limit);
        }
        // A swap again: a plain store would hide a producer's swap from the next one here, and
        // with it the bit that came before.
        self.word.swap(AWAKE, Ordering::AcqRel);
    }

    #[cfg(not(loom))]
    fn sleep(&self, limit: Option<Duration>) {
        // One sleep only: a time-out, a wake-up and a spurious return all mean "look again".
        match limit {
            Some(limit) => park_timeout(limit),
            None => park(),
        }
    }

    #[cfg(loom)]
    fn sleep(&self, limit: Option<Duration>) {
        // However long the limit is, it may be over at once.
        if limit.is_some() {
            return loom::thread::yield_now();
        }
        // In the model only the word wakes, so a word that nobody changes shows as a search
        // without end: loom's own parking loses an unpark that comes while the thread is blocked
        // elsewhere, which the standard library's does not.
        while self.word.load(Ordering::Acquire) == PARKED {
            loom::thread::yield_now();
        }
    }

    #[cfg(loom)]
    fn unpark(&self) {}

    #[cfg(not(loom))]
    fn unpark(&self) {
        if let Some(thread) = &*self.thread.lock().expect("no panic under the lock") {
            thread.unpark();
        }
    }
}

const WORD_BITS: usize = 64;

/// A set of cell numbers that many threads add to and one empties.
pub(crate) struct Ready {
    words: Box<[AtomicU64]>,
    /// Bit n: `words[n]` may hold something.
    summary: Box<[AtomicU64]>,
}

impl Ready {
    /// A set for numbers below `room`.
    pub(crate) fn new(room: usize) -> Self {
        let words = room.div_ceil(WORD_BITS);
        let make = |len: usize| (0..len).map(|_| AtomicU64::new(0)).collect();
        Self { words: make(words), summary: make(words.div_ceil(WORD_BITS)) }
    }

    /// Adds a number; says whether it was not there.
    pub(crate) fn add(&self, number: usize) -> bool {
        let (word, bit) = (number / WORD_BITS, 1 << (number % WORD_BITS));
        // AcqRel: what the producer wrote before is visible to whoever takes the bit.
        if self.words[word].fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return false;
        }
        self.summary[word / WORD_BITS].fetch_or(1 << (word % WORD_BITS), Ordering::AcqRel);
        true
    }

    /// Adds a number even if it is there: a thread that never came back may have the news of it in
    /// hand, and no other would hear of it.
    pub(crate) fn add_anew(&self, number: usize) {
        let (word, bit) = (number / WORD_BITS, 1 << (number % WORD_BITS));
        self.words[word].fetch_or(bit, Ordering::AcqRel);
        self.summary[word / WORD_BITS].fetch_or(1 << (word % WORD_BITS), Ordering::AcqRel);
    }

    /// Whether the set may hold something.
    pub(crate) fn any(&self) -> bool {
        self.summary.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Takes out every number, smallest first, and hands it to `visit`. Numbers added meanwhile
    /// are taken now or next time. A `visit` that breaks off ends it: its number and all that were
    /// not visited are in the set again, and whoever waits for them is to be woken.
    pub(crate) fn drain(&self, mut visit: impl FnMut(usize) -> ControlFlow<()>) -> ControlFlow<()> {
        for (at, summary) in self.summary.iter().enumerate() {
            if summary.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // The summary is cleared first: a bit set after this swap sets it again.
            let mut words = summary.swap(0, Ordering::AcqRel);
            while words != 0 {
                let word = at * WORD_BITS + words.trailing_zeros() as usize;
                // Pairs with the AcqRel in `add`.
                let mut bits = self.words[word].swap(0, Ordering::AcqRel);
                while bits != 0 {
                    if visit(word * WORD_BITS + bits.trailing_zeros() as usize).is_break() {
                        // In the order of `add`; the words that were not swapped kept their bits.
                        self.words[word].fetch_or(bits, Ordering::AcqRel);
                        summary.fetch_or(words, Ordering::AcqRel);
                        return ControlFlow::Break(());
                    }
                    bits &= bits - 1;
                }
                words &= words - 1;
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_once_and_in_order() {
        let ready = Ready::new(10_000);
        for number in [9_999, 0, 64, 63, 4_096, 64] {
            ready.add(number);
        }

        let mut seen = Vec::new();
        let drained = ready.drain(|number| {
            seen.push(number);
            ControlFlow::Continue(())
        });

        assert_eq!(seen, [0, 63, 64, 4_096, 9_999]);
        assert!(drained.is_continue() && !ready.any());
    }

    #[test]
    fn who_breaks_off_leaves_the_rest_where_it_was() {
        let numbers = [0, 63, 64, 4_096, 9_999];
        for broken_at in numbers {
            let ready = Ready::new(10_000);
            numbers.iter().for_each(|&number| ready.add_anew(number));

            let mut seen = Vec::new();
            let visit = |number| {
                if number == broken_at {
                    return ControlFlow::Break(());
                }
                seen.push(number);
                ControlFlow::Continue(())
            };
            assert!(ready.drain(visit).is_break() && ready.any());
            // The one it broke off at comes again, with those behind it.
            let _ = ready.drain(|number| {
                seen.push(number);
                ControlFlow::Continue(())
            });
            assert_eq!(seen, numbers);
        }
    }

    #[test]
    fn a_wake_before_the_park_is_not_slept_through() {
        let (parker, ready) = (Parker::new(), Ready::new(64));
        parker.adopt(|| true);
        ready.add(7);
        parker.wake();

        // Would hang for ever if the bit were not looked at after the word was set.
        parker.park(None, || ready.any());
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::{sync::Arc, sync::atomic::AtomicUsize, thread};

    use super::*;

    /// Counts down to zero what is still to be visited.
    struct Scene {
        parker: Parker,
        ready: Ready,
        written: AtomicUsize,
        generation: AtomicUsize,
        left: AtomicUsize,
    }

    fn scene(left: usize) -> Arc<Scene> {
        Arc::new(Scene {
            parker: Parker::new(),
            ready: Ready::new(2 * WORD_BITS),
            written: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            left: AtomicUsize::new(left),
        })
    }

    fn check(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(model);
    }

    /// Two producers write an item, set a bit and wake; the consumer drains until it has both. A
    /// lost wake-up shows as a search without end, a lost bit as one too.
    fn two_producers(numbers: [usize; 2], first_limit: Option<Duration>) {
        check(move || {
            let scene = scene(2);
            let producers = numbers.map(|number| {
                let scene = scene.clone();
                thread::spawn(move || {
                    scene.written.fetch_add(1, Ordering::Relaxed);
                    scene.ready.add(number);
                    scene.parker.wake();
                })
            });

            // A thread of its own: an unpark that comes late must not hit the model's main thread
            // while it joins, which loom does not allow.
            let consumer = thread::spawn(move || {
                let (mut seen, mut limit) = (0, first_limit);
                while seen < 2 {
                    let _ = scene.ready.drain(|_| {
                        seen += 1;
                        ControlFlow::Continue(())
                    });
                    if seen < 2 {
                        scene.parker.park(limit.take(), || scene.ready.any());
                    }
                }
                assert_eq!(scene.written.load(Ordering::Relaxed), 2);
            });

            for thread in producers.into_iter().chain([consumer]) {
                thread.join().expect("no panic");
            }
        });
    }

    #[test]
    fn no_wake_up_is_lost() {
        two_producers([0, 1], None);
    }

    #[test]
    fn no_wake_up_is_lost_over_several_words() {
        two_producers([0, WORD_BITS], None);
    }

    #[test]
    fn no_wake_up_is_lost_after_a_sleep_with_a_limit() {
        two_producers([0, 1], Some(Duration::from_millis(1)));
    }

    /// The old loop breaks off as soon as it knows that it was superseded; whatever it does not
    /// visit the fresh one does, though it may look while the old one has all numbers in its hands.
    #[test]
    fn what_a_superseded_loop_leaves_is_found_by_the_fresh_one() {
        check(|| {
            let scene = scene(3);
            for number in [0, 1, WORD_BITS] {
                scene.ready.add_anew(number);
            }
            let old = {
                let scene = scene.clone();
                thread::spawn(move || {
                    let _ = scene.ready.drain(|_| {
                        if scene.generation.load(Ordering::Acquire) > 0 {
                            return ControlFlow::Break(());
                        }
                        scene.left.fetch_sub(1, Ordering::AcqRel);
                        ControlFlow::Continue(())
                    });
                    scene.parker.wake();
                })
            };
            let fresh = thread::spawn(move || {
                scene.generation.store(1, Ordering::Release);
                while scene.left.load(Ordering::Acquire) > 0 {
                    let _ = scene.ready.drain(|_| {
                        scene.left.fetch_sub(1, Ordering::AcqRel);
                        ControlFlow::Continue(())
                    });
                    let done = || scene.left.load(Ordering::Acquire) == 0;
                    scene.parker.park(None, || scene.ready.any() || done());
                }
            });

            for thread in [old, fresh] {
                thread.join().expect("no panic");
            }
        });
    }
}
