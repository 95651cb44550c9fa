//! How many frames are followed: as many as were asked for in all, and as there is room for until what they cause
//! has come to its sinks.

use crate::{steps::Steps, time::Timestamp};

use super::traces::{ROOM, Traces};

/// It is looked at so often, by the stamps of steps.
const LOOK_NS: i64 = 100_000_000;
/// There are more again after this long, and after each source had its turn twice.
const MORE_NS: i64 = 1_000_000_000;
/// Steps are kept for this long at the least, and at the most.
const KEPT_LEAST_NS: f64 = 5e8;
const KEPT_MOST_NS: f64 = 600e9;
/// What has room is kept longer: how long frames are on their way is not known before the first has come.
const KEPT_USUALLY_NS: i64 = 10_000_000_000;
/// There are fewer where there is this much more than there should be, and more where there is less than this.
const TOO_MUCH: f64 = 1.5;
const TOO_LITTLE: f64 = 0.7;

/// See the module.
pub(super) struct Pace {
    /// The newest step.
    now: Timestamp,
    looked: Timestamp,
    changed: Timestamp,
    /// Frames and steps that had come then.
    frames: u64,
    came: u64,
    /// For how long frames have lately been on their way, at the most.
    longest_ns: f64,
}

impl Default for Pace {
    fn default() -> Self {
        let (now, looked) = (Timestamp::MIN, Timestamp::MIN);
        Self { now, looked, changed: now, frames: 0, came: 0, longest_ns: 0.0 }
    }
}

impl Pace {
    pub(super) fn noted(&mut self, ended: Timestamp) {
        self.now = self.now.max(ended);
    }

    /// Something has come to a sink, whether its way is known or not.
    pub(super) fn arrived(&mut self, latency_ns: i64) {
        self.longest_ns = self.longest_ns.max(latency_ns as f64);
    }

    /// Steps of a frame are needed for this long.
    fn needed_ns(&self) -> f64 {
        (2.0 * self.longest_ns).clamp(KEPT_LEAST_NS, KEPT_MOST_NS)
    }

    /// Lets go what is too old, and follows more or fewer frames from now on.
    pub(super) fn look(&mut self, traces: &mut Traces, steps: &Steps) {
        traces.make_room(self.now, (self.needed_ns() as i64).max(KEPT_USUALLY_NS));
        if traces.weight() > ROOM / 2 {
            steps.thin_out();
        }
        let lasted_ns = self.now.since(self.looked);
        if lasted_ns < LOOK_NS {
            return;
        }
        let frames = traces.frames - std::mem::replace(&mut self.frames, traces.frames);
        let came = traces.came - std::mem::replace(&mut self.came, traces.came);
        let is_first = std::mem::replace(&mut self.looked, self.now) == Timestamp::MIN;
        if is_first || steps.is_early() {
            self.changed = self.now;
            return;
        }
        let lasted_ns = lasted_ns as f64;
        // What was asked for is there, and what is needed fills half of the room: both are 1.
        let asked = frames as f64 * steps.asked_ns() as f64 / lasted_ns;
        let room = came as f64 / lasted_ns * self.needed_ns() / (ROOM / 2) as f64;
        self.follow(asked.max(room), steps);
        // What takes long comes seldom: it is remembered for longer, too.
        let remembered_ns = 4.0 * self.longest_ns + KEPT_USUALLY_NS as f64;
        self.longest_ns *= (-lasted_ns / remembered_ns).exp();
    }

    fn follow(&mut self, much: f64, steps: &Steps) {
        let waits_ns = MORE_NS.max(steps.every_ns().saturating_mul(2));
        if much > TOO_MUCH {
            steps.stretch(much.min(2.0));
            self.changed = self.now;
        } else if much < TOO_LITTLE && self.now.since(self.changed) > waits_ns {
            steps.stretch(0.7);
            self.changed = self.now;
        }
    }
}
