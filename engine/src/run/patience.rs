//! How a core waits: by looking again for a moment, or by sleeping until it is woken or something is
//! due.
//!
//! Waking a thread that sleeps takes longer than eight operators, and costs the waker a system call.
//! Looking in a loop avoids both and burns the core. So a core
//!
//! - looks for as long as the last gaps between two pieces of work lasted, if they were short;
//! - looks in vain for at most one part in [`CREDIT_SHARE`] of its time;
//! - never looks where the process has a single processor: it would stand in the way of whoever is to
//!   bring the work;
//! - sleeps otherwise, at once: whoever has just handed work on may stand on the processor where it
//!   is to be done. A scheduler lets threads that sleep most of the time share a processor, and waking
//!   one there takes a third of what it takes on another that is idle: see
//!   [`Place`](super::parts::Place).
//! - sleeps until timers are due. They ring some 20 µs late, which harms nobody: frames enter when
//!   their source is called.
//!
//! An alarm just before the next frame of a steady stream, with a look from then on, gave half of
//! all frames 1 µs instead of 5, yet the slowest hundredth 45 instead of 16, and took twice the
//! processor time.

use std::time::Duration;

use crate::{
    core::CoreShared,
    time::{Clock, Timestamp},
};

use super::parts::Place;

/// Gaps longer than this are slept through: about what a sleep and a wake-up cost both sides.
const LOOK_MAX_NS: i64 = 64_000;
/// One part in so many of the time may be spent looking for what does not come.
const CREDIT_SHARE: i64 = 25;
/// Saved up, at most.
const CREDIT_MAX_NS: i64 = 400_000;
/// Looks between two readings of the clock.
const LOOKS: usize = 16;

/// Decides how one core waits.
pub(super) struct Patience<'a> {
    shared: &'a CoreShared,
    clock: &'a Clock,
    look_ns: i64,
    credit_ns: i64,
    /// When the credit was counted last.
    counted: Timestamp,
    place: Place,
    /// Others can bring work while this thread looks.
    may_look: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(shared: &'a CoreShared, clock: &'a Clock, place: Place) -> Self {
        let may_look = std::thread::available_parallelism().is_ok_and(|all| all.get() > 1);
        let (counted, credit_ns) = (clock.now(), CREDIT_MAX_NS);
        Self { shared, clock, look_ns: 0, credit_ns, counted, place, may_look }
    }

    /// Called before each turn.
    #[inline]
    pub(super) fn look_around(&mut self, now: Timestamp) {
        self.place.look(now);
    }

    /// Waits until a cell is ready or `due` has come. May return early.
    pub(super) fn wait(&mut self, due: Timestamp) {
        let began = self.clock.now();
        if due <= began {
            return;
        }
        let earned = began.since(self.counted) / CREDIT_SHARE;
        self.credit_ns = CREDIT_MAX_NS.min(self.credit_ns + earned);
        self.counted = began;

        let mut now = began;
        let look_ns = self.look_ns.min(self.credit_ns);
        if look_ns > 0 {
            now = self.look_until(due.min(began.plus_nanos(look_ns)));
            if self.shared.has_work() {
                return;
            }
            self.credit_ns -= now.since(began);
        }
        if now >= due {
            return;
        }
        self.sleep_until(due, now);
        let woken = self.clock.now();
        self.place.slept(woken.since(now));
        if self.may_look && self.shared.has_work() {
            self.learn_gap(woken.since(began));
        }
    }

    /// A gap that looking would have covered is covered next time.
    fn learn_gap(&mut self, gap_ns: i64) {
        self.look_ns = if gap_ns <= LOOK_MAX_NS {
            (gap_ns + gap_ns / 4).min(LOOK_MAX_NS)
        } else {
            self.look_ns / 2
        };
    }

    /// Looks again and again until a cell is ready or `moment` has come; says when it ended.
    fn look_until(&self, moment: Timestamp) -> Timestamp {
        loop {
            for _ in 0..LOOKS {
                if self.shared.has_work() {
                    return self.clock.now();
                }
                std::hint::spin_loop();
            }
            let now = self.clock.now();
            if now >= moment {
                return now;
            }
        }
    }

    fn sleep_until(&self, moment: Timestamp, now: Timestamp) {
        let limit = (moment < Timestamp::MAX)
            .then(|| Duration::from_nanos(moment.since(now).max(0) as u64));
        if limit != Some(Duration::ZERO) {
            self.shared.parker.park(limit, || self.shared.has_work());
        }
    }
}

/// Asks the system to wake the thread when it is time, not up to 50 µs later as it
/// may by default to save power. Where it cannot be asked, wake-ups come later.
pub(super) fn be_punctual(thread: u64) {
    if thread != 0 {
        let _ = std::fs::write(format!("/proc/{thread}/timerslack_ns"), "1000");
    }
}
