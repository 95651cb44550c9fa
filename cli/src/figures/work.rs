//! [`Work`]: what a node did in a while. Frames are counted, calls are timed now and then: both together tell how
//! often its body was called, timers and gaps among them, and for how long.

use engine::NodeReport;

use crate::local::message::WorkLook;

/// Where fewer frames were timed in a while, all that was timed since the start tells more.
const FEW: u64 = 32;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Work {
    pub(crate) frames: u64,
    /// As estimated.
    pub(crate) calls: f64,
    /// Of a call; none where none was timed.
    pub(crate) mean_ns: Option<f64>,
}

impl WorkLook {
    pub(crate) const fn of(node: &NodeReport) -> Self {
        let NodeReport { timed: (timed, timed_ns), frames, timed_frames, .. } = *node;
        Self { frames, timed, timed_ns, timed_frames }
    }

    const fn since(self, then: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(then.frames),
            timed: self.timed.saturating_sub(then.timed),
            timed_ns: self.timed_ns.saturating_sub(then.timed_ns),
            timed_frames: self.timed_frames.saturating_sub(then.timed_frames),
        }
    }
}

impl Work {
    /// What was done between two looks at what is counted.
    pub(crate) fn between(then: WorkLook, now: WorkLook) -> Self {
        let meanwhile = now.since(then);
        let told = if meanwhile.timed_frames < FEW { now } else { meanwhile };
        let calls_each = match told.timed_frames {
            0 => 1.0,
            frames => told.timed as f64 / frames as f64,
        };
        Self {
            frames: meanwhile.frames,
            calls: meanwhile.frames as f64 * calls_each,
            mean_ns: (told.timed > 0).then(|| told.timed_ns as f64 / told.timed as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four calls a frame of 1 µs each, of which one in ten was timed.
    const BEFORE: WorkLook =
        WorkLook { frames: 1_000, timed: 400, timed_ns: 400_000, timed_frames: 100 };

    #[test]
    fn calls_about_no_frame_are_counted_with_those_about_one() {
        let work = Work::between(WorkLook::default(), BEFORE);
        assert_eq!(work, Work { frames: 1_000, calls: 4_000.0, mean_ns: Some(1_000.0) });
    }

    #[test]
    fn what_a_node_does_now_does_not_change_what_it_did() {
        // From now on it has one call a frame, of 3 µs, and more of them are timed.
        let now = WorkLook { frames: 1_500, timed: 800, timed_ns: 1_600_000, timed_frames: 500 };
        let work = Work::between(BEFORE, now);
        assert_eq!(work, Work { frames: 500, calls: 500.0, mean_ns: Some(3_000.0) });
    }

    #[test]
    fn where_little_was_timed_lately_what_was_timed_before_tells() {
        let now = WorkLook { frames: 1_010, timed: 401, timed_ns: 500_000, timed_frames: 101 };
        let Work { frames, calls, mean_ns } = Work::between(BEFORE, now);
        assert_eq!((frames, mean_ns), (10, Some(500_000.0 / 401.0)));
        assert!((calls - 10.0 * 401.0 / 101.0).abs() < 1e-9, "{calls}");
        let untimed = WorkLook { frames: 9, ..WorkLook::default() };
        let work = Work::between(WorkLook::default(), untimed);
        assert_eq!(work, Work { frames: 9, calls: 9.0, mean_ns: None });
    }
}
