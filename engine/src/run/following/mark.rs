//! [`Mark`]: everything that is counted, as of one moment. What two of them differ by happened in between.

use crate::{journey::Sums, limit::Tally, plan::Plan, session::EdgeTotals, time::Timestamp};

use super::{Report, Shared, Threads};

/// See the module.
pub(super) struct Mark {
    pub(super) at: Timestamp,
    /// Time in which each core had been at work, and in which it had waited for a processor.
    wanted_ns: Vec<Option<[u64; 2]>>,
    /// Calls of each node, those of them that were timed, and for how long they took.
    calls: Vec<(u64, (u64, u64))>,
    edges: Vec<EdgeTotals>,
    /// Latencies by node, for those that are sinks.
    latency: Vec<Vec<(u64, u64)>>,
    pub(super) tally: Tally,
    pub(super) time: Sums,
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
            calls: report.nodes.iter().map(|node| (node.calls, node.timed)).collect(),
            edges: report.edges.iter().map(|edge| edge.frames).collect(),
            latency: shared.latency().sinks.iter().map(steps).collect(),
            tally: Tally::default(),
            time: Sums::default(),
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
            let (calls, (timed, timed_ns)) = now.copied().unwrap_or_default();
            // What has come since has nothing before it.
            let before = then.calls.get(node).copied().unwrap_or_default();
            let mean = |timed: u64, ns: u64| if timed > 0 { ns as f64 / timed as f64 } else { 0.0 };
            let mean_ns = match timed.saturating_sub(before.1.0) {
                // None was timed since: it takes as long as it did.
                0 => mean(timed, timed_ns),
                since => mean(since, timed_ns.saturating_sub(before.1.1)),
            };
            (calls.saturating_sub(before.0), mean_ns)
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
