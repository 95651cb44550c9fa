//! How long nodes need until what they say no longer shows where they began.
//!
//! A filter starts from zeros, a window from nothing; what comes out meanwhile looks like a signal and is none. The
//! times of nodes one behind the other add up, as one that follows begins anew with each answer to the one before.

use crate::graph::{Code, Diagnostic};

use super::{
    draft::Draft,
    words::{self, seconds},
};

impl Draft<'_> {
    /// For each node: how long it and all above it take together, and the one among them that takes longest.
    pub(super) fn settlings(&self) -> Vec<(i64, usize)> {
        let own = |node: usize| self.nodes[node].outline.as_ref().map_or(0, |o| o.settling_ns);
        let mut all: Vec<(i64, usize)> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let above = node.in_edges.iter().map(|&edge| all[self.edges[edge].from.0]);
            let (above_ns, slowest) = above.max_by_key(|&(ns, _)| ns).unwrap_or((0, number));
            let slowest = if own(number) > own(slowest) { number } else { slowest };
            all.push((above_ns.saturating_add(own(number)), slowest));
        }
        all
    }

    /// Warns where nodes are not settled before their input is over.
    pub(super) fn check_settling(&self, problems: &mut Vec<Diagnostic>) {
        let mut durations: Vec<Option<i64>> = Vec::with_capacity(self.nodes.len());
        let settlings = self.settlings();
        for (number, node) in self.nodes.iter().enumerate() {
            let duration = match &node.outline {
                Some(outline) if node.in_edges.is_empty() => outline.duration_ns,
                _ => {
                    let above =
                        node.in_edges.iter().map(|&edge| durations[self.edges[edge].from.0]);
                    above.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max())
                }
            };
            durations.push(duration);
            let (all_ns, _) = settlings[number];
            let own_ns = node.outline.as_ref().map_or(0, |outline| outline.settling_ns);
            let Some(duration_ns) = duration else { continue };
            // Of several in a row, the one that makes it too long.
            if own_ns == 0 || all_ns < duration_ns || all_ns - own_ns >= duration_ns {
                continue;
            }
            let name = self.name(number);
            let together = if all_ns > own_ns { " with what is before it" } else { "" };
            let message = format!(
                "`{name}` needs {}{together} to settle, and its input lasts {}",
                seconds(all_ns),
                seconds(duration_ns),
            );
            let settle = node.kind.is_some_and(|kind| kind.param("settle").is_some());
            let has_edge = node.kind.is_some_and(|kind| kind.param("cutoff_hz").is_some());
            let hint = match settle {
                false if has_edge => "give it a longer input, or a higher `cutoff_hz`",
                true => "set `settle = true`, give it a longer input, or a wider band",
                false => "give it a longer input, or a shorter window",
            };
            let problem = Diagnostic::warning(Code::SettlesLate, message).at(&node.spec.op.place);
            problems.push(problem.of_node(name).hint(hint));
        }
    }
}

impl super::Plan {
    /// `out 0.86 s` for every sink behind something that has to settle, and what takes longest; nothing if none.
    pub(super) fn settling_line(&self) -> Option<String> {
        let sinks = self.nodes.iter().filter(|node| node.kind.is_sink() && node.settling.0 > 0);
        let told = sinks.map(|node| {
            let (ns, slowest) = node.settling;
            format!("{} {} (`{}` most)", node.name, seconds(ns), self.nodes[slowest].name)
        });
        let told: Vec<String> = told.collect();
        let line = words::few(told.iter().map(String::as_str));
        (!told.is_empty()).then(|| format!("{line}, after the start and after each gap"))
    }
}
