//! `--slow-ms`: calls and turns that take long, told while a graph runs.

use std::collections::BTreeMap;

use engine::{Plan, Running, SlowCall};

use crate::status::span;

/// Lines that are told; the rest is counted.
const TOLD_MAX: usize = 50;

/// What was slow so far.
pub(super) struct SlowLog {
    limit_ns: Option<i64>,
    names: Vec<String>,
    told: usize,
    /// Turns by node, and the longest call.
    counts: BTreeMap<usize, (u64, i64)>,
    /// Turns that came too fast to be told of.
    lost: u64,
}

impl SlowLog {
    /// Listens, if that was asked for.
    pub(super) fn new(asked_ms: Option<f64>, plan: &Plan) -> Self {
        let names = plan.node_names().map(str::to_owned).collect();
        let limit_ns = asked_ms.map(|ms| (ms * 1e6) as i64);
        Self { limit_ns, names, told: 0, counts: BTreeMap::new(), lost: 0 }
    }

    /// What has come since, as lines.
    pub(super) fn news(&mut self, running: &Running) -> Vec<String> {
        let calls = running.slow_calls();
        self.lost = running.slow_lost();
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
            let mut line = format!("slow: {} took {}", self.name(call.node), span(call.took_ns));
            line += &match (call.time, call.calls) {
                (None, _) => " before its first frame".to_owned(),
                (Some(time), 0 | 1) => format!(" with the frame at {:.3} s", time.secs_f64()),
                (Some(time), calls) => {
                    format!(" for {calls} calls in one turn, about {:.3} s", time.secs_f64())
                }
            };
            if call.session > 0 {
                line += &format!(", session {}", call.session);
            }
            if call.more > 0 {
                let turns = engine::counted(call.more + 1, "turn");
                line += &format!(", the longest of {turns} since the last time");
            }
            if self.told == TOLD_MAX {
                line += "; from here on they are counted";
            }
            lines.push(line);
        }
        lines
    }

    /// What has just been put in is at work before the running plan is known to have it.
    fn name(&self, node: usize) -> String {
        self.names.get(node).map_or_else(|| format!("node {node}"), |name| format!("`{name}`"))
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
                format!("{} in {turns}, up to {}", self.name(**node), span(*longest_ns))
            })
            .collect();
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("; {} came too fast to be told of", engine::counted(lost, "turn")),
        };
        Some(format!("  slow     longer than {}: {}{lost}", span(limit_ns), nodes.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use engine::Timestamp;

    use super::{SlowLog, TOLD_MAX};

    fn log(limit_ns: Option<i64>) -> SlowLog {
        let names = ["a", "b"].map(str::to_owned).to_vec();
        SlowLog { limit_ns, names, told: 0, counts: std::collections::BTreeMap::new(), lost: 0 }
    }

    fn call(node: usize, took_ms: i64, more: u64) -> engine::SlowCall {
        let (time, took_ns) = (Some(Timestamp::from_secs_f64(1.25)), took_ms * 1_000_000);
        engine::SlowCall { session: 0, node, time, took_ns, calls: 1, at: Timestamp::ZERO, more }
    }

    #[test]
    fn each_is_a_line_and_the_end_counts_the_turns_of_every_node() {
        let mut log = log(Some(5_000_000));
        let lines = log.told_of(vec![call(0, 7, 0), call(1, 6, 0), call(0, 9, 40)]);

        assert_eq!(lines[0], "slow: `a` took 7.0 ms with the frame at 1.250 s");
        assert!(lines[2].contains("9.0 ms") && lines[2].contains("41 turns"), "{}", lines[2]);
        let told = log.summary().expect("it listens");
        assert!(
            told.contains("`a` in 42 turns, up to 9.0 ms; `b` in 1 turn, up to 6.0 ms"),
            "{told}"
        );
    }

    #[test]
    fn a_turn_of_many_calls_and_a_call_before_the_first_frame_are_told_as_such() {
        let mut log = log(Some(5_000_000));
        let turn = engine::SlowCall { calls: 256, ..call(0, 230, 0) };
        let first = engine::SlowCall { time: None, ..call(1, 6, 0) };
        let lines = log.told_of(vec![turn, first]);

        assert_eq!(lines[0], "slow: `a` took 230 ms for 256 calls in one turn, about 1.250 s");
        assert_eq!(lines[1], "slow: `b` took 6.0 ms before its first frame");
        log.lost = 40;
        assert!(
            log.summary().expect("it listens").ends_with("; 40 turns came too fast to be told of")
        );
    }

    #[test]
    fn a_node_that_has_just_come_is_told_by_its_number_until_its_name_is_known() {
        let mut log = log(Some(5_000_000));
        let lines = log.told_of(vec![call(2, 7, 0)]);

        assert_eq!(lines[0], "slow: node 2 took 7.0 ms with the frame at 1.250 s");
        log.names.push("c".to_owned());
        assert!(log.summary().expect("it listens").contains("`c` in 1 turn"));
    }

    #[test]
    fn lines_have_an_end_but_counting_has_none() {
        let mut log = log(Some(5_000_000));
        let lines = log.told_of(vec![call(1, 8, 0); 3 * TOLD_MAX]);

        assert_eq!(lines.len(), TOLD_MAX);
        assert!(lines[TOLD_MAX - 1].ends_with("from here on they are counted"));
        assert!(log.summary().expect("it listens").contains("`b` in 150 turns"));
    }

    #[test]
    fn who_does_not_ask_is_told_nothing() {
        assert_eq!(log(None).summary(), None);
        assert_eq!(
            log(Some(5_000_000)).summary().as_deref(),
            Some("  slow     no call longer than 5.0 ms")
        );
    }
}
