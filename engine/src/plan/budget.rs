//! Latency that a graph cannot keep, whatever it runs on.
//!
//! Latency counts from the door, so delay by construction is none of it; but frames that wait at
//! a join until another, later branch has come as far are under way all that time; and so is what waits for an
//! answer, of which a profile says how long it took.

use crate::{
    align::AlignSpec,
    graph::{Code, Diagnostic, Spanned},
    kind::Policy,
};

use super::{
    draft::{Draft, nanos},
    joins::{Latest, frame_ns},
    words::millis,
};

impl Draft<'_> {
    /// Latency has a floor where frames wait at a join for what is behind by construction.
    pub(super) fn check_budgets(&self, problems: &mut Vec<Diagnostic>) {
        let mut floors: Vec<Floor> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let floor = self.floor(number, &floors);
            let of_graph = self.spec.deadline_ms.as_ref();
            let of_graph = of_graph.filter(|_| node.kind.is_some_and(|kind| kind.is_sink()));
            let deadline = node.spec.options.deadline_ms.as_ref().or(of_graph);
            if let Some(deadline) = deadline {
                let allowed_ns = nanos(deadline.value);
                if let Some(wait) = floor.longest.filter(|_| floor.latency_ns > allowed_ns) {
                    problems.push(self.budget(number, deadline, floor, wait));
                } else if let Some(slowest) = floor.slowest
                    && floor.latency_ns.saturating_add(floor.answers_ns) > allowed_ns
                {
                    problems.push(self.slow_answers(number, deadline, floor, slowest));
                }
            }
            floors.push(floor);
        }
    }

    /// The least latency that frames behind a node can all have.
    fn floor(&self, number: usize, floors: &[Floor]) -> Floor {
        let node = &self.nodes[number];
        let latest = Latest::of(node.inputs.iter().map(|input| input.delay_ns));
        let line = |line: usize| {
            let edge = &self.edges[node.in_edges[line]];
            let above = floors[edge.from.0];
            let waits = |align: &AlignSpec| align.waits(true);
            let Some(align) = self.align(number).filter(waits) else { return above };
            let latest = latest.besides(line);
            let behind_ns = node.inputs[latest].delay_ns.saturating_sub(edge.delay_ns);
            // A merge lets a frame go when the others have reached its beginning.
            let head_ns = match align.policy {
                Policy::Merge => edge.format.as_ref().map_or(0, frame_ns),
                _ => 0,
            };
            let wait_ns = behind_ns.saturating_sub(head_ns);
            let wait_ns = wait_ns.clamp(0, align.max_wait_ns.unwrap_or(i64::MAX).max(0));
            let wait = Wait { node: number, line, latest, wait_ns };
            let longest = above.longest.into_iter().chain((wait_ns > 0).then_some(wait));
            Floor {
                latency_ns: above.latency_ns.saturating_add(wait_ns),
                longest: longest.max_by_key(|wait| wait.wait_ns),
                ..above
            }
        };
        // Aligned joins go on with the frames of their first input.
        let lines = match self.align(number) {
            Some(align) if align.policy != Policy::Merge => 1,
            _ => node.in_edges.len(),
        };
        let all = |floor: &Floor| floor.latency_ns.saturating_add(floor.answers_ns);
        let above = (0..lines).map(line).max_by_key(all).unwrap_or_default();
        let own_ns = node.outline.as_ref().map_or(0, |outline| outline.answer_ns);
        let slowest = above.slowest.into_iter().chain((own_ns > 0).then_some((number, own_ns)));
        Floor {
            answers_ns: above.answers_ns.saturating_add(own_ns),
            slowest: slowest.max_by_key(|&(_, ns)| ns),
            ..above
        }
    }

    /// What was measured elsewhere, or with nothing else to do, keeps nothing from starting.
    fn slow_answers(
        &self,
        number: usize,
        deadline: &Spanned<f64>,
        floor: Floor,
        (slowest, answer_ns): (usize, i64),
    ) -> Diagnostic {
        let (name, slow) = (self.name(number), self.name(slowest));
        let all_ns = floor.latency_ns.saturating_add(floor.answers_ns);
        let rest = match all_ns > answer_ns {
            true => format!(", {} ms with what else is waited for", millis(all_ns)),
            false => String::new(),
        };
        let message = format!(
            "`{name}` will hardly keep `deadline_ms` = {:?}: by its profile `{slow}` answers after {} ms{rest}",
            deadline.value,
            millis(answer_ns),
        );
        let hint = "ask a faster model (`variants`, int8, early exits), or allow more";
        let problem = Diagnostic::warning(Code::BudgetTooSmall, message).at(&deadline.place);
        problem.of_node(name).hint(hint)
    }

    fn budget(
        &self,
        number: usize,
        deadline: &Spanned<f64>,
        floor: Floor,
        wait: Wait,
    ) -> Diagnostic {
        let (name, join) = (self.name(number), self.name(wait.node));
        let inputs = &self.nodes[wait.node].inputs;
        let message = format!(
            "`{name}` cannot keep `deadline_ms` = {:?}: at `{join}`, `{}` waits {} ms for `{}`",
            deadline.value,
            inputs[wait.line].label,
            millis(wait.wait_ns),
            inputs[wait.latest].label,
        );
        let enough = (floor.latency_ns as f64 / 1e6).ceil();
        Diagnostic::error(Code::BudgetTooSmall, message)
            .at(&deadline.place)
            .of_node(name)
            .hint(format!("allow more than {enough:?}, or set a shorter `max_wait_ms` on `{join}`"))
    }
}

/// The least latency somewhere, and the join that adds most to it.
#[derive(Clone, Copy, Default)]
struct Floor {
    latency_ns: i64,
    longest: Option<Wait>,
    /// How long measured answers take on top of it, and the node whose take longest.
    answers_ns: i64,
    slowest: Option<(usize, i64)>,
}

/// Frames of one line of a join wait for those of another.
#[derive(Clone, Copy)]
struct Wait {
    node: usize,
    line: usize,
    latest: usize,
    wait_ns: i64,
}
