//! How a core waits: by looking again for a moment, by sleeping, or by sleeping until just before
//! the next frame is expected.
//!
//! Waking a thread that sleeps on another core takes ten times as long as eight operators. Looking
//! in a loop avoids that and burns the core. So a core looks for as long as it paid lately,
//! and learns the rhythm of what wakes it: frames that come every millisecond find it awake.

use std::time::Duration;

use crate::{
    core::CoreShared,
    time::{Clock, Timestamp},
};

/// The least time spent looking before a sleep, about what a turn's bookkeeping costs.
const LOOK_MIN_NS: i64 = 1_000;
/// The most: some sleeps and wake-ups.
const LOOK_MAX_NS: i64 = 64_000;
/// A sleep no longer than this would have been better spent looking.
const SHORT_SLEEP_NS: i64 = 40_000;
/// How long before the expected moment the alarm is set: a timer's wake-up and its jitter. Learnt:
/// a little more whenever the frame was there first, a little less after each long look.
const EARLY_NS: std::ops::RangeInclusive<i64> = 5_000..=60_000;
const EARLIER_NS: i64 = 2_000;
const LATER_NS: i64 = 250;
/// A look before the expected frame that is longer than this wastes the core.
const LONG_LOOK_NS: i64 = 10_000;
/// How long after it the core goes on looking.
const LATE_NS: i64 = 15_000;
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
    rhythm: Rhythm,
}

impl<'a> Patience<'a> {
    pub(super) fn new(shared: &'a CoreShared, clock: &'a Clock) -> Self {
        Self { shared, clock, look_ns: LOOK_MIN_NS, early_ns: 25_000, rhythm: Rhythm::default() }
    }

    /// Waits until a cell is ready or `due` has come. May return early.
    pub(super) fn wait(&mut self, due: Timestamp) {
        let began = self.clock.now();
        if due <= began {
            return;
        }
        if self.look_until(due.min(began.plus_nanos(self.look_ns))) {
            self.rhythm.beat(self.clock.now());
            return;
        }
        if let Some(expected) = self.rhythm.next()
            && expected < due
            && self.expect(expected, began)
        {
            return;
        }
        let asleep = self.clock.now();
        if asleep >= due {
            return;
        }
        self.sleep_until(due);
        let now = self.clock.now();
        if self.shared.has_work() {
            self.rhythm.beat(now);
        }
        let paid = now.since(asleep) <= SHORT_SLEEP_NS;
        self.look_ns = if paid { self.look_ns * 2 } else { self.look_ns / 2 };
        self.look_ns = self.look_ns.clamp(LOOK_MIN_NS, LOOK_MAX_NS);
    }

    /// Sleeps until just before `expected` and looks from then on; says whether a cell is ready.
    fn expect(&mut self, expected: Timestamp, now: Timestamp) -> bool {
        let alarm = expected.plus_nanos(-self.early_ns);
        if alarm <= now {
            return false;
        }
        self.sleep_until(alarm);
        let woken = self.clock.now();
        let was_late = self.shared.has_work();
        if !was_late && !self.look_until(expected.plus_nanos(LATE_NS)) {
            self.rhythm.miss();
            return false;
        }
        let found = self.clock.now();
        self.rhythm.beat(found);
        if was_late {
            self.early_ns += EARLIER_NS;
        } else if found.since(woken) > LONG_LOOK_NS {
            self.early_ns -= LATER_NS;
        }
        self.early_ns = self.early_ns.clamp(*EARLY_NS.start(), *EARLY_NS.end());
        true
    }

    /// Looks again and again; says whether a cell is ready.
    fn look_until(&self, moment: Timestamp) -> bool {
        loop {
            for _ in 0..LOOKS {
                if self.shared.has_work() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if self.clock.now() >= moment {
                return self.shared.has_work();
            }
        }
    }

    fn sleep_until(&self, moment: Timestamp) {
        let limit = (moment < Timestamp::MAX).then(|| {
            let left = moment.since(self.clock.now()).max(0);
            Duration::from_nanos(left as u64)
        });
        if limit != Some(Duration::ZERO) {
            self.shared.parker.park(limit, || self.shared.has_work());
        }
    }
}

/// What has woken a core came at these intervals.
#[derive(Debug)]
struct Rhythm {
    last: Timestamp,
    period_ns: i64,
    steady: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { last: Timestamp::MIN, period_ns: 0, steady: 0 }
    }
}

impl Rhythm {
    /// Something came now.
    fn beat(&mut self, now: Timestamp) {
        let interval = now.since(self.last);
        self.last = now;
        // A tenth of the period, since the beat is taken when it is heard.
        if (interval - self.period_ns).abs() <= self.period_ns / 10 {
            self.steady = self.steady.saturating_add(1);
            self.period_ns += (interval - self.period_ns) / 8;
        } else {
            (self.period_ns, self.steady) = (interval, 0);
        }
    }

    /// What was expected did not come.
    fn miss(&mut self) {
        self.steady /= 2;
    }

    /// When something is expected next, if there is a rhythm.
    fn next(&self) -> Option<Timestamp> {
        let has_rhythm = self.steady >= STEADY && PERIOD_NS.contains(&self.period_ns);
        has_rhythm.then(|| self.last.plus_nanos(self.period_ns))
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

        rhythm.beat(Timestamp::from_nanos(29_300_000));
        assert_eq!(rhythm.next(), None);
    }
}
