//! `--slow-ms`: calls that take long, told while a graph runs.

use std::{collections::BTreeMap, time::Duration};

use engine::{Plan, Running, SlowCall};

use crate::{
    exit::{Exit, Failure},
    status::span,
};

/// Lines that are told; the rest is counted.
const TOLD_MAX: usize = 50;

/// What was slow so far.
pub(super) struct SlowLog {
    limit_ns: Option<i64>,
    names: Vec<String>,
    told: usize,
    /// Turns by node, and the longest call.
    counts: BTreeMap<usize, (u64, i64)>,
}

impl SlowLog {
    /// Begins to listen, if that was asked for.
    pub(super) fn new(
        asked: Option<Option<f64>>,
        plan: &Plan,
        running: &Running,
    ) -> Result<Self, Failure> {
        let limit_ns = match asked {
            None => None,
            Some(Some(ms)) => Some((ms * 1e6) as i64),
            Some(None) => Some(plan.deadline_ns().ok_or_else(|| {
                let hint = "say how many milliseconds are slow: `--slow-ms 5`";
                Failure::new(
                    Exit::Usage,
                    "`--slow-ms` alone takes the graph's `deadline_ms`, and it has none",
                    hint,
                )
            })?),
        };
        running.tell_slow(limit_ns.map(|ns| Duration::from_nanos(ns as u64)));
        let names = plan.node_names().map(str::to_owned).collect();
        Ok(Self { limit_ns, names, told: 0, counts: BTreeMap::new() })
    }

    /// What has come since, as lines.
    pub(super) fn news(&mut self, running: &Running) -> Vec<String> {
        let calls = running.slow_calls();
        if calls.iter().any(|call| call.node >= self.names.len()) {
            // Nodes may have come while it ran.
            self.names = running.plan().node_names().map(str::to_owned).collect();
        }
        self.told_of(calls)
    }

    fn told_of(&mut self, calls: Vec<SlowCall>) -> Vec<String> {
        let mut lines = Vec::new();
        for call in calls {
            let (turns, longest_ns) = self.counts.entry(call.node).or_default();
            *turns += 1 + call.more;
            *longest_ns = call.took_ns.max(*longest_ns);
            self.told += 1;
            if self.told > TOLD_MAX {
                continue;
            }
            let mut line = format!(
                "slow: `{}` took {} with the frame at {:.3} s",
                self.names[call.node],
                span(call.took_ns),
                call.time.secs_f64()
            );
            if call.session > 0 {
                line += &format!(", session {}", call.session);
            }
            if call.more > 0 {
                line += &format!("; so did {} before", engine::counted(call.more, "turn"));
            }
            if self.told == TOLD_MAX {
                line += "; from here on they are counted";
            }
            lines.push(line);
        }
        lines
    }

    /// For the end of a run.
    pub(super) fn summary(&self) -> Option<String> {
        let limit_ns = self.limit_ns?;
        if self.counts.is_empty() {
            return Some(format!("  slow     no call longer than {}", span(limit_ns)));
        }
        let mut nodes: Vec<_> = self.counts.iter().collect();
        nodes.sort_by_key(|(_, (_, longest_ns))| -longest_ns);
        let nodes: Vec<String> = nodes
            .iter()
            .map(|(node, (turns, longest_ns))| {
                let turns = engine::counted(*turns, "turn");
                format!("`{}` in {turns} at least, up to {}", self.names[**node], span(*longest_ns))
            })
            .collect();
        Some(format!("  slow     longer than {}: {}", span(limit_ns), nodes.join("; ")))
    }
}
