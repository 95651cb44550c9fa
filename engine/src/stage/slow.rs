//! Calls that take long: told once a second, the longest of those since, and how many turns had some.

use crate::{
    stats::NodeCounts,
    steps::{SlowCall, Steps},
    time::Timestamp,
};

use super::{Slot, Stage};

/// Between two times that a node is told of.
const TOLD_NS: i64 = 1_000_000_000;

/// What of a node's calls is to be told.
pub(super) struct Slow {
    /// The longest call of this turn, and the time of its frame.
    longest: (i64, Timestamp),
    /// Of the turns since the last time it was told of, those that had a slow call, and the longest of those.
    turns: u64,
    slowest: (i64, Timestamp),
    told: Timestamp,
}

impl Default for Slow {
    fn default() -> Self {
        let none = (0, Timestamp::MIN);
        Self { longest: none, turns: 0, slowest: none, told: Timestamp::MIN }
    }
}

impl Slow {
    /// Counts a call that was timed, about so many frames.
    pub(super) fn timed(
        &mut self,
        counts: &NodeCounts,
        (began, ended): (Timestamp, Timestamp),
        time: Timestamp,
        frames: u64,
    ) {
        counts.timed_for(began, ended, frames);
        self.once((began, ended), time);
    }

    /// The same for a call that comes once: it is long or not, but says nothing of others.
    pub(super) fn once(&mut self, (began, ended): (Timestamp, Timestamp), time: Timestamp) {
        let took_ns = ended.since(began);
        if took_ns > self.longest.0 {
            self.longest = (took_ns, time);
        }
    }

    /// At the end of a turn, on which `limit_ns` was too long.
    fn end_turn(&mut self, limit_ns: i64) {
        let longest = std::mem::replace(&mut self.longest, (0, Timestamp::MIN));
        if longest.0 > limit_ns {
            self.turns += 1;
            if longest.0 > self.slowest.0 {
                self.slowest = longest;
            }
        }
    }

    /// Whether there is something to tell, and it is time for it.
    fn is_due(&self, now: Timestamp) -> bool {
        self.turns > 0 && now >= self.told.plus_nanos(TOLD_NS)
    }
}

/// Tells of a node what was not told yet.
fn tell(here: &mut Slot, session: u32, steps: &Steps, now: Timestamp) {
    let slow = &mut here.slow;
    let (took_ns, time) = std::mem::replace(&mut slow.slowest, (0, Timestamp::MIN));
    let more = std::mem::take(&mut slow.turns) - 1;
    slow.told = now;
    steps.put_slow(SlowCall { session, node: here.node, time, took_ns, at: now, more });
}

impl Stage {
    /// At the end of a turn.
    #[cold]
    pub(super) fn tell_slow(&mut self, now: Timestamp) {
        for slot in &mut self.slots {
            slot.slow.end_turn(self.slow_ns);
            if slot.slow.is_due(now) {
                tell(slot, self.session, &self.steps, now);
            }
        }
    }

    /// At the end: tells what would have been told later.
    #[cold]
    pub(super) fn tell_slow_rest(&mut self, now: Timestamp) {
        for slot in self.slots.iter_mut().filter(|slot| slot.slow.turns > 0) {
            tell(slot, self.session, &self.steps, now);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.slow_ns > 0 {
            self.tell_slow_rest(self.looked);
        }
    }
}
