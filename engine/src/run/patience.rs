//! How a core waits: by looking again for a moment, by sleeping, or by sleeping until just before
//! something is expected.
//!
//! Waking a thread that sleeps takes longer than eight operators, and costs the waker a system call.
//! Looking in a loop avoids both and burns the core. So a core
//!
//! - looks for as long as the last gaps between two pieces of work lasted, if they were short;
//! - sets its alarm a little before the next frame of a steady stream is expected, and looks from then
//!   on. How much before is learnt from how late alarms ring here: so that it is in time more often
//!   than not, since being in time always would cost it several times as much looking;
//! - looks in vain, or before a frame, for at most one part in [`CREDIT_SHARE`] of its time;
//! - sleeps until timers are due. They ring some 20 µs late, which harms nobody: frames enter when
//!   their source is called.

use std::time::Duration;

use crate::{
    core::CoreShared,
    time::{Clock, Timestamp},
};

/// Gaps longer than this are slept through: about what a sleep and a wake-up cost both sides.
const LOOK_MAX_NS: i64 = 64_000;
/// The least time spent looking before a sleep, about what a turn's bookkeeping costs.
const LOOK_MIN_NS: i64 = 1_000;
/// One part in so many of the time may be spent looking for what does not come, or too early.
const CREDIT_SHARE: i64 = 25;
/// Saved up, at most.
const CREDIT_MAX_NS: i64 = 400_000;
/// How long before the expected moment the alarm is set. Learnt: a little more whenever it rang too
/// late, half as much less whenever it did not, so that one in three is late. Other shares, and looking
/// longer for what is late, gave neither a lower p99 nor less processor time.
const EARLY_NS: std::ops::RangeInclusive<i64> = 0..=80_000;
const EARLIER_NS: i64 = 1_000;
const LATER_NS: i64 = 500;
/// How long after it the core goes on looking for a frame.
const LATE_NS: i64 = 25_000;
/// Periods worth learning: shorter ones the looking covers, longer ones do not mind a wake-up.
const PERIOD_NS: std::ops::RangeInclusive<i64> = 200_000..=20_000_000;
/// Equal intervals in a row that make a rhythm.
const STEADY: u32 = 8;
/// Looks between two readings of the clock.
const LOOKS: usize = 16;

/// Decides how one core waits.
pub(super) struct Patience<'a> {
    shared: &'a CoreShared,
    clock: &'a Clock,
    look_ns: i64,
    early_ns: i64,
    credit_ns: i64,
    /// When the credit was counted last.
    counted: Timestamp,
    rhythm: Rhythm,
}

impl<'a> Patience<'a> {
    pub(super) fn new(shared: &'a CoreShared, clock: &'a Clock) -> Self {
        Self {
            shared,
            clock,
            look_ns: LOOK_MIN_NS,
            early_ns: 25_000,
            credit_ns: CREDIT_MAX_NS,
            counted: clock.now(),
            rhythm: Rhythm::default(),
        }
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

        let look_ns = self.look_ns.min(self.credit_ns).max(LOOK_MIN_NS);
        let mut now = self.look_until(due.min(began.plus_nanos(look_ns)));
        if self.shared.has_work() {
            self.rhythm.beat(now);
            return;
        }
        self.credit_ns -= now.since(began);
        if now >= due {
            return;
        }
        if let Some(expected) = self.rhythm.next()
            && expected > now
            && expected < due
        {
            now = self.be_there(expected);
            if self.shared.has_work() {
                self.rhythm.beat(self.came_at(now).max(began));
                return;
            }
            self.rhythm.miss();
        }
        self.sleep_until(due, now);
        now = self.clock.now();
        if self.shared.has_work() {
            let came = self.came_at(now).max(began);
            self.rhythm.beat(came);
            self.learn_gap(came.since(began));
        }
    }

    /// A gap that looking would have covered is covered next time.
    fn learn_gap(&mut self, gap_ns: i64) {
        let wanted = if gap_ns <= LOOK_MAX_NS { gap_ns + gap_ns / 4 } else { self.look_ns / 2 };
        self.look_ns = wanted.clamp(LOOK_MIN_NS, LOOK_MAX_NS);
    }

    /// When the work that is there now came: the waker's word if the core slept until `now`.
    fn came_at(&self, now: Timestamp) -> Timestamp {
        let ago = self.shared.parker.woken_ns_ago().unwrap_or(0);
        now.plus_nanos(-ago)
    }

    /// Sleeps until just before `expected` and looks from then on, unless a cell is ready before; says
    /// when it ended.
    fn be_there(&mut self, expected: Timestamp) -> Timestamp {
        let late = expected.plus_nanos(LATE_NS);
        let now = self.clock.now();
        let early_ns = self.early_ns.min(self.credit_ns.max(0));
        let alarm = expected.plus_nanos(-early_ns);
        if alarm > now {
            self.sleep_until(alarm, now);
        }
        let woken = self.clock.now();
        let was_late = self.shared.has_work();
        // Something else may have woken the core long before.
        if expected.since(woken) <= early_ns {
            let by = if was_late { EARLIER_NS } else { -LATER_NS };
            self.early_ns = (self.early_ns + by).clamp(*EARLY_NS.start(), *EARLY_NS.end());
        }
        if was_late || woken >= late {
            return woken;
        }
        let ended = self.look_until(late);
        self.credit_ns -= ended.since(woken);
        ended
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

/// What has woken a core came at these intervals: a loop that follows phase and period.
#[derive(Debug)]
struct Rhythm {
    last: Timestamp,
    expected: Timestamp,
    period_ns: i64,
    steady: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { last: Timestamp::MIN, expected: Timestamp::MIN, period_ns: 0, steady: 0 }
    }
}

impl Rhythm {
    /// Something came now.
    fn beat(&mut self, now: Timestamp) {
        let off = now.since(self.expected);
        if off.abs() <= self.period_ns / 10 {
            self.steady = self.steady.saturating_add(1);
            self.period_ns += off / 16;
            self.expected = self.expected.plus_nanos(self.period_ns + off / 8);
        } else if self.steady >= STEADY {
            // One that was held up, or something else in between: the rhythm outlasts a few.
            self.steady /= 2;
            let ahead = now.since(self.expected).max(0) / self.period_ns.max(1) + 1;
            if off > 0 {
                self.expected = self.expected.plus_nanos(ahead * self.period_ns);
            }
        } else {
            self.period_ns = now.since(self.last);
            self.expected = now.plus_nanos(self.period_ns);
            self.steady = 0;
        }
        self.last = now;
    }

    /// What was expected did not come.
    fn miss(&mut self) {
        self.steady /= 2;
    }

    /// When something is expected next, if there is a rhythm.
    fn next(&self) -> Option<Timestamp> {
        let has_rhythm = self.steady >= STEADY && PERIOD_NS.contains(&self.period_ns);
        has_rhythm.then_some(self.expected)
    }
}

/// Asks the system to wake the thread when it is time, not up to 50 µs later as it
/// may by default to save power. Where it cannot be asked, wake-ups come later.
pub(super) fn be_punctual(thread: u64) {
    if thread != 0 {
        let _ = std::fs::write(format!("/proc/{thread}/timerslack_ns"), "1000");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_learnt_and_forgotten() {
        let mut rhythm = Rhythm::default();
        let at = |n: i64| Timestamp::from_nanos(n * 1_000_000 + n % 3 * 5_000);
        for n in 0..5 {
            rhythm.beat(at(n));
        }
        assert_eq!(rhythm.next(), None);
        for n in 5..30 {
            rhythm.beat(at(n));
        }
        let expected = rhythm.next().expect("a beat every millisecond");
        assert!(expected.since(at(30)).abs() < 20_000, "{expected:?}");

        // One odd beat does not make it forget, several do.
        rhythm.beat(Timestamp::from_nanos(29_300_000));
        assert_eq!(rhythm.next(), Some(expected));
        for n in 0..4 {
            rhythm.beat(Timestamp::from_nanos(29_310_000 + n * 130_000));
        }
        assert_eq!(rhythm.next(), None);
    }
}
