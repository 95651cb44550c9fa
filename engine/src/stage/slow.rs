//! What takes long: single calls, and turns of many. Told of a node once a second in each session, the longest since,
//! and how many turns were slow.

use crate::{
    stats::NodeCounts,
    steps::{SlowCall, Steps},
    time::Timestamp,
};

use super::{Slot, Stage};

/// Between two times that a node is told of.
const TOLD_NS: i64 = 1_000_000_000;

/// Calls of a node that took so long together, and the time of the frame of the longest.
#[derive(Clone, Copy)]
struct Took {
    ns: i64,
    calls: u64,
    time: Timestamp,
}

impl Took {
    const NOTHING: Self = Self { ns: 0, calls: 0, time: Timestamp::MIN };
}

/// What of a node's calls is to be told.
pub(super) struct Slow {
    /// The longest call of this turn, and all of them.
    longest: Took,
    all: Took,
    /// Of the turns since it was told of last, those that were slow because of it, and the slowest.
    turns: u64,
    slowest: Took,
    told: Timestamp,
}

impl Default for Slow {
    fn default() -> Self {
        let (longest, all, slowest) = (Took::NOTHING, Took::NOTHING, Took::NOTHING);
        Self { longest, all, turns: 0, slowest, told: Timestamp::MIN }
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
        let ns = ended.since(began);
        if ns > self.longest.ns {
            self.longest = Took { ns, calls: 1, time };
        }
        self.all.ns += ns;
        self.all.calls += 1;
    }

    /// At the end of a turn: its longest call, and all of them.
    fn end_turn(&mut self) -> (Took, Took) {
        let longest = std::mem::replace(&mut self.longest, Took::NOTHING);
        let all = std::mem::replace(&mut self.all, Took::NOTHING);
        (longest, Took { time: longest.time, ..all })
    }

    /// A turn was slow because of this.
    const fn count(&mut self, took: Took) {
        self.turns += 1;
        if took.ns > self.slowest.ns {
            self.slowest = took;
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
    let Took { ns, calls, time } = std::mem::replace(&mut slow.slowest, Took::NOTHING);
    let more = std::mem::take(&mut slow.turns) - 1;
    slow.told = now;
    let time = (time > Timestamp::MIN).then_some(time);
    steps.put_slow(SlowCall { session, node: here.node, time, took_ns: ns, calls, at: now, more });
}

impl Stage {
    /// At the end of a turn.
    #[cold]
    pub(super) fn tell_slow(&mut self, now: Timestamp) {
        let limit_ns = self.slow_ns;
        let turn_ns = self.clock.now().since(self.turn_began);
        let mut any = false;
        // Whose calls took most of a turn that no single call has made long.
        let mut most: Option<(usize, Took)> = None;
        for (slot, here) in self.slots.iter_mut().enumerate() {
            let (longest, all) = here.slow.end_turn();
            if longest.ns > limit_ns {
                here.slow.count(longest);
                any = true;
            }
            if most.is_none_or(|(_, most)| all.ns > most.ns) {
                most = Some((slot, all));
            }
        }
        if let (false, true, Some((slot, all))) = (any, turn_ns > limit_ns, most)
            && all.calls > 0
        {
            self.slots[slot].slow.count(all);
        }
        for here in self.slots.iter_mut().filter(|here| here.slow.is_due(now)) {
            tell(here, self.session, &self.steps, now);
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
