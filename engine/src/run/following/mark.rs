//! [`Mark`]: everything that is counted, as of one moment. What two of them differ by happened in between.

use crate::{
    journey::Sums,
    limit::Tally,
    plan::Plan,
    run::report::{NodeReport, Report},
    session::EdgeTotals,
    time::Timestamp,
};

use super::{Shared, Threads};

/// See the module.
pub(super) struct Mark {
    pub(super) at: Timestamp,
    /// Time in which each core had been at work, and in which it had waited for a processor.
    wanted_ns: Vec<Option<[u64; 2]>>,
    calls: Vec<Calls>,
    edges: Vec<EdgeTotals>,
    /// Latencies by node, for those that are sinks.
    latency: Vec<Vec<(u64, u64)>>,
    pub(super) tally: Tally,
    pub(super) time: Sums,
    pub(super) open: Open,
}

/// For how long sessions had been open.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    /// All of them together.
    all_ns: i64,
    /// Any of them.
    any_ns: i64,
}

impl Open {
    /// So many were open for so long.
    pub(super) const fn add(&mut self, sessions: u64, for_ns: i64) {
        if sessions > 0 {
            self.all_ns = self.all_ns.saturating_add(for_ns.saturating_mul(sessions as i64));
            self.any_ns += for_ns;
        }
    }

    /// How many were open on the mean while any was, and for how long that was; nothing if none was.
    pub(super) fn since(self, then: Self) -> Option<(u64, i64)> {
        let any_ns = self.any_ns - then.any_ns;
        let sessions = (self.all_ns - then.all_ns) as f64 / any_ns as f64;
        (any_ns > 0).then(|| (sessions.round().max(1.0) as u64, any_ns))
    }
}

/// Calls of one node.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    /// What they were about.
    frames: u64,
    /// Those that were timed, for how long they took, and of how many frames.
    timed: u64,
    timed_ns: u64,
    timed_frames: u64,
}

impl Calls {
    fn of(node: &NodeReport) -> Self {
        let (timed, timed_ns) = node.timed;
        Self { frames: node.frames, timed, timed_ns, timed_frames: node.timed_frames }
    }

    /// How many calls there were since `then`, and how long one of them took on the mean.
    fn since(self, then: Self) -> (u64, f64) {
        let mut timed = Self {
            frames: self.frames.saturating_sub(then.frames),
            timed: self.timed.saturating_sub(then.timed),
            timed_ns: self.timed_ns.saturating_sub(then.timed_ns),
            timed_frames: self.timed_frames.saturating_sub(then.timed_frames),
        };
        let frames = timed.frames;
        if timed.timed == 0 {
            // None was timed since: they are as they were.
            timed = self;
        }
        let over = |a: u64, b: u64| (b > 0).then(|| a as f64 / b as f64);
        let calls = frames as f64 * over(timed.timed, timed.timed_frames).unwrap_or(1.0);
        (calls as u64, over(timed.timed_ns, timed.timed).unwrap_or(0.0))
    }
}

impl Mark {
    /// What the runtime counts; what was looked at, and followed, is for whoever keeps it to add.
    pub(super) fn take(shared: &Shared, threads: &Threads, report: &Report, at: Timestamp) -> Self {
        let steps = |sink: &Option<std::sync::Arc<crate::stats::Histogram>>| {
            sink.as_ref().map_or_else(Vec::new, |latency| latency.steps().collect())
        };
        Self {
            at,
            wanted_ns: (0..shared.cores.len()).map(|core| threads.wanted_ns(core)).collect(),
            calls: report.nodes.iter().map(Calls::of).collect(),
            edges: report.edges.iter().map(|edge| edge.frames).collect(),
            latency: shared.latency().sinks.iter().map(steps).collect(),
            tally: Tally::default(),
            time: Sums::default(),
            open: Open::default(),
        }
    }

    /// How often each latency of a sink had been seen.
    pub(super) fn latency(&self, node: usize) -> &[(u64, u64)] {
        self.latency.get(node).map_or(&[], Vec::as_slice)
    }

    /// The share of the time in which each core was at work or would have been, and that in which it waited.
    pub(super) fn cores_since(&self, then: &Self, lasted_ns: i64) -> Vec<[f64; 2]> {
        let share = |ns: u64| (ns as f64 / lasted_ns as f64).min(1.0);
        let cores = self.wanted_ns.iter().zip(&then.wanted_ns).map(|(now, then)| {
            let Some(now) = now else { return [0.0; 2] };
            // A thread that was not there yet had done nothing.
            let then = then.unwrap_or_default();
            // A fresh thread may have taken the place of one that hangs.
            let [spent, waited] = [0, 1].map(|n| now[n].saturating_sub(then[n]));
            [share(spent + waited), share(waited)]
        });
        cores.collect()
    }

    /// Calls of each node, and how long one of them took on the mean.
    pub(super) fn calls_since(&self, then: &Self, plan: &Plan) -> Vec<(u64, f64)> {
        let of = |(node, planned): (usize, &crate::plan::PlanNode)| {
            let now = self.calls.get(node).filter(|_| !planned.gone);
            // What has come since has nothing before it.
            let then = then.calls.get(node).copied().unwrap_or_default();
            now.copied().unwrap_or_default().since(then)
        };
        plan.nodes.iter().enumerate().map(of).collect()
    }

    /// What has passed on each edge.
    pub(super) fn edges_since(&self, then: &Self) -> Vec<EdgeTotals> {
        let since = |(edge, now): (usize, &EdgeTotals)| {
            let then = then.edges.get(edge).copied().unwrap_or_default();
            let mut frames = EdgeTotals { in_flight: now.in_flight, ..EdgeTotals::default() };
            frames.sent = now.sent - then.sent;
            frames.taken = now.taken - then.taken;
            let dropped = now.dropped.iter().zip(then.dropped);
            for (dropped, (now, then)) in frames.dropped.iter_mut().zip(dropped) {
                *dropped = now - then;
            }
            frames
        };
        self.edges.iter().enumerate().map(since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_while_are_by_what_was_timed_in_it() {
        // For an hour a turn in 256 was timed, and by chance few of its timers; then every frame is.
        let then = Calls { frames: 3_600, timed: 60, timed_ns: 60_000, timed_frames: 14 };
        let now = Calls { frames: 3_605, timed: 85, timed_ns: 110_000, timed_frames: 19 };
        assert_eq!(now.since(then), (25, 2_000.0));
        // Nothing was timed: as it was before.
        let now = Calls { frames: 3_614, ..then };
        assert_eq!(now.since(then), (60, 1_000.0));
        assert_eq!(Calls { frames: 7, ..Calls::default() }.since(Calls::default()), (7, 0.0));
    }

    #[test]
    fn sessions_of_a_while_are_those_that_were_open_in_it() {
        let mut then = Open::default();
        then.add(1, 1_000);
        then.add(0, 9_000_000);
        let mut now = then;
        // One caller behind the other, with pauses, and once two.
        for open in [1, 0, 1, 0, 2, 1] {
            now.add(open, 1_000);
        }
        assert_eq!(now.since(then), Some((1, 4_000)));
        assert_eq!(then.since(then), None, "none was open");
    }
}
