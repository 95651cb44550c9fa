//! Frames that are late although no ring is full: what most of their time is spent on.

use crate::journey::{Parts, Wait};

use super::{
    Cause, EdgeLoad, Limit, Load, NodeLoad, Role, SinkLoad,
    cores::BUSY,
    find::{percent, span},
};

/// What takes so much of a latency is what makes it long.
const LONG: f64 = 0.4;
/// Nobody who has not said so needs frames sooner than this from a join.
const JOINED_NS: f64 = 10e6;
/// Inputs of a join that are further apart by construction make it wait.
pub(super) const BEHIND_NS: i64 = 1_000_000;
/// A wait of which this share is by construction is what the graph asks for.
const ASKED_FOR: f64 = 0.3;

impl Load {
    /// What makes the slowest frames late, at the sink that misses its deadline by most; without a deadline,
    /// what most of the latency is spent on, where that is somebody else's doing.
    pub(super) fn latest(&self) -> Option<Limit> {
        let excess = |sink: &&SinkLoad| match sink.deadline_ns {
            Some(deadline_ns) => sink.p99_ns as f64 / deadline_ns.max(1) as f64,
            None => sink.p99_ns as f64 / 1e15,
        };
        let sink = self.sinks.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)))?;
        let is_late = sink.deadline_ns.is_some_and(|deadline_ns| sink.p99_ns > deadline_ns);
        if sink.deadline_ns.is_some() && !is_late {
            return None;
        }
        let time = self.time.sinks.iter().find(|time| time.node == sink.node)?;
        let slow = time.between(0.9, 1.0);
        let whole: f64 = slow.iter().map(|(_, parts)| parts.all()).sum();
        let (node, part, ns) = slow
            .iter()
            .flat_map(|(node, parts)| each(*node, parts))
            .max_by(|a, b| a.2.total_cmp(&b.2))?;
        let share = ns / whole.max(1.0);
        let name = &self.nodes[node].name;
        let mut late = format!(
            "1 in 100 frames is later than {} at `{}`",
            span(sink.p99_ns as f64),
            self.nodes[sink.node].name
        );
        if let Some(deadline_ns) = sink.deadline_ns {
            late += &format!(", where {} is allowed", span(deadline_ns as f64));
        }
        let found = |cause, node, why: &str| {
            let why = format!("{late}; {} of that {why}", percent(share));
            Some(Limit { cause, node: Some(node), edge: None, why, change: String::new() })
        };
        match part {
            _ if share < LONG && !is_late => None,
            // Those that are left out are likely to have waited longer, or elsewhere.
            Part::Waiting(Wait::Answer) if time.is_partial() => None,
            Part::Waiting(Wait::Answer) => {
                found(Cause::Answer, node, &format!("is waiting for answers at `{name}`"))
            }
            Part::Waiting(Wait::Join) if !is_late && self.is_as_asked_for(node, ns) => None,
            Part::Waiting(Wait::Join) if self.nodes[node].joins => {
                found(Cause::Join, node, &format!("is waiting at `{name}` for another input"))
            }
            _ if !is_late => None,
            Part::Computing => found(Cause::Compute, node, &format!("is computing in `{name}`")),
            Part::Moving => self.moving(node, &late, share),
            _ if self.nodes[node].role == Role::WaitingSink => {
                found(Cause::Sink, node, &format!("is waiting before `{name}`"))
            }
            Part::Waiting(_) if self.busiest(node) < BUSY => self.moving(node, &late, share),
            Part::Waiting(_) => {
                let core = self.nodes[node].core.unwrap_or_else(|| self.busiest_core());
                let of_core = self.of_core(core);
                let node = of_core.node.unwrap_or(node);
                let busy = &self.nodes[node].name;
                found(
                    of_core.cause,
                    node,
                    &format!("is waiting before `{name}`, while its core is busy with `{busy}`"),
                )
            }
        }
    }

    /// Whether nobody need wonder that a join waits so long: it is hardly long, or by construction.
    fn is_as_asked_for(&self, join: usize, ns: f64) -> bool {
        let behind = self.late_input(join).map_or(0, |late| self.behind_others(late));
        ns < JOINED_NS || (behind >= BEHIND_NS && behind as f64 > ASKED_FOR * ns)
    }

    /// The edge by which a join gets what it has waited for most.
    pub(super) fn late_input(&self, join: usize) -> Option<usize> {
        let late = self.time.late.iter().filter(|(node, ..)| *node == join);
        let line = late.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(_, line, _)| *line)?;
        let inputs = self.edges.iter().enumerate().filter(|(_, edge)| edge.to == join);
        inputs.map(|(edge, _)| edge).nth(line)
    }

    /// How far what an edge carries is behind what else its consumer gets, by construction.
    pub(super) fn behind_others(&self, edge: usize) -> i64 {
        let EdgeLoad { to, delay_ns, .. } = self.edges[edge];
        let least = self.edges.iter().filter(|edge| edge.to == to).map(|edge| edge.delay_ns).min();
        delay_ns.saturating_sub(least.unwrap_or(delay_ns))
    }

    /// The source of what an edge carries, by the first inputs of what it passes.
    pub(super) fn source_of(&self, edge: usize) -> usize {
        let mut node = self.edges[edge].from;
        for _ in 0..self.edges.len() {
            match self.edges.iter().find(|edge| edge.to == node) {
                Some(edge) => node = edge.from,
                None => break,
            }
        }
        node
    }

    /// Frames are late on their way to a node whose core has time: nobody's work is in their way. Where they come
    /// from the same core, others than the graph are.
    fn moving(&self, node: usize, late: &str, share: f64) -> Option<Limit> {
        let NodeLoad { name, core, .. } = &self.nodes[node];
        let disturbed = core.and_then(|core| Some((core, self.disturbed(core)?)));
        let at_work = match (core, disturbed) {
            (None, _) => String::new(),
            (Some(core), None) => {
                let busy = percent(self.busy(*core));
                format!(", though core {core} is at work {busy} of the time only")
            }
            (_, Some((core, waited))) => {
                let waited = percent(waited);
                format!(
                    ", and core {core} waits {waited} of the time for a processor, which others have"
                )
            }
        };
        let why = format!("{late}; {} of that is on the way to `{name}`{at_work}", percent(share));
        let (cause, node) = match disturbed.is_some() && !self.comes_from_afar(node) {
            true => (Cause::Machine, None),
            false => (Cause::Moving, Some(node)),
        };
        Some(Limit { cause, node, edge: None, why, change: String::new() })
    }

    /// Whether a node gets something from another core.
    fn comes_from_afar(&self, node: usize) -> bool {
        let own = self.nodes[node].core;
        let mut inputs = self.edges.iter().filter(|edge| edge.to == node);
        inputs.any(|edge| edge.ring.is_some() && self.nodes[edge.from].core != own)
    }
}

#[derive(Clone, Copy)]
enum Part {
    Waiting(Wait),
    Computing,
    Moving,
}

fn each(node: usize, parts: &Parts) -> Vec<(usize, Part, f64)> {
    let waits = Wait::ALL.iter().zip(parts.waiting);
    let mut each: Vec<_> = waits.map(|(&wait, ns)| (node, Part::Waiting(wait), ns)).collect();
    each.push((node, Part::Computing, parts.computing));
    each.push((node, Part::Moving, parts.moving));
    each
}
