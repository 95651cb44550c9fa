//! Frames that are late although no ring is full: what most of their time is spent on.

use crate::journey::{Parts, Wait};

use super::{
    Cause, Limit, Load, NodeLoad, Role, SinkLoad,
    find::{BUSY, percent, span},
};

/// What takes so much of a latency is what makes it long.
const LONG: f64 = 0.4;

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
            Part::Waiting(Wait::Answer) => {
                found(Cause::Answer, node, &format!("is waiting for answers at `{name}`"))
            }
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

    /// Frames are late on their way to a node whose core has time: nobody's work is in their way.
    fn moving(&self, node: usize, late: &str, share: f64) -> Option<Limit> {
        let NodeLoad { name, core, .. } = &self.nodes[node];
        let at_work = core.map_or(String::new(), |core| {
            format!(", though core {core} is at work {} of the time only", percent(self.busy(core)))
        });
        let why = format!("{late}; {} of that is on the way to `{name}`{at_work}", percent(share));
        Some(Limit {
            cause: Cause::Moving,
            node: Some(node),
            edge: None,
            why,
            change: String::new(),
        })
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
