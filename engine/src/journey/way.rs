//! The way of what a sink got, followed back to the door.

use std::sync::Arc;

use crate::{
    plan::{Home, Plan},
    steps::{NO_FRAME, Step, StepKind},
    time::Timestamp,
};

use super::{Leg, Wait};

/// What has to be known of a plan to follow frames back.
pub(super) struct Ways {
    plan: Arc<Plan>,
    /// By node, then by another node: whether what the other sends can reach it.
    above: Vec<Vec<bool>>,
}

/// Where a step came from.
enum Origin {
    /// The host's door.
    Door,
    /// What was sent in another step, of this place, and goes straight from there.
    Step(usize),
    /// The same, but something else let it go on: it waited in a body, or for an answer.
    Kept(usize, Wait),
}

impl Ways {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let mut above = vec![vec![false; plan.nodes.len()]; plan.nodes.len()];
        // Producers stand before consumers, but for what has come to a plan that runs.
        let mut more_to_come = true;
        while std::mem::take(&mut more_to_come) {
            for edge in &plan.edges {
                let (from, node) = (edge.from.0, edge.to.0);
                let beyond = above[from].clone();
                more_to_come |= !std::mem::replace(&mut above[node][from], true);
                for (known, more) in above[node].iter_mut().zip(beyond) {
                    more_to_come |= more && !*known;
                    *known |= more;
                }
            }
        }
        Self { plan: plan.clone(), above }
    }

    /// The nodes that what a sink got has passed, the first first. Nothing if some step is not known.
    pub(super) fn back_from(&self, sink: &Step, steps: &[Step]) -> Option<Vec<Leg>> {
        let mut legs = Vec::new();
        // A step is noted before anything that it causes: its place among them is the way's order.
        let (mut at, mut before) = (sink, steps);
        loop {
            let origin = self.origin_of(at, before)?;
            let computing = at.ended.since(at.began).max(0) as f64;
            let mut leg = Leg { node: at.node as usize, ..Leg::default() };
            leg.parts.computing = computing;
            let next = match origin {
                Origin::Kept(from, wait) => {
                    let waited_ns = at.began.since(before[from].ended).max(0);
                    leg.parts.waiting[wait as usize] = waited_ns as f64;
                    Some(from)
                }
                Origin::Step(from) => {
                    self.between(before[from].ended, at, steps, &mut leg);
                    Some(from)
                }
                Origin::Door => {
                    let released = self.since_the_door(at, steps, &mut leg);
                    self.between(released, at, steps, &mut leg);
                    None
                }
            };
            legs.push(leg);
            match next {
                Some(from) => (at, before) = (&before[from], &before[..from]),
                None => {
                    legs.reverse();
                    return Some(legs);
                }
            }
        }
    }

    /// What let a step happen, of those `before` it.
    fn origin_of(&self, at: &Step, before: &[Step]) -> Option<Origin> {
        let node = at.node as usize;
        let last = |wanted: &dyn Fn(&Step) -> bool| {
            before.iter().rposition(|step| is_call(step) && wanted(step))
        };
        if at.kind == StepKind::Answered {
            let asked = last(&|step| step.kind == StepKind::Asked && step.node == at.node)?;
            return Some(Origin::Kept(asked, Wait::Answer));
        }
        if at.in_seq == NO_FRAME {
            // A timer or an end: the frame that came this way last has made it known.
            let is_above = |step: &Step| self.above[node][step.node as usize];
            let above = last(&|step| is_above(step) || step.node == at.node);
            return Some(above.map_or(Origin::Door, Origin::Step));
        }
        let edge = *self.plan.nodes[node].in_edges.get(usize::from(at.line))?;
        let (from, port) = self.plan.edges[edge].from;
        if self.plan.nodes[from].in_edges.is_empty() {
            return Some(Origin::Door);
        }
        let is_from = |step: &Step| step.node as usize == from;
        let has_sent = |step: &Step| {
            let sent = step.out_seq..step.out_seq + u64::from(step.outs);
            step.out_port as usize == port && sent.contains(&at.in_seq)
        };
        if let Some(step) = last(&|step| is_from(step) && has_sent(step)) {
            return Some(Origin::Step(step));
        }
        // What is known by its stamp alone: a body above has kept it, and sent it on when another came.
        last(&is_from).map(|step| Origin::Kept(step, Wait::Join))
    }

    /// Attributes what lies between the stamp and the moment at which its source let it go: as fast as it goes,
    /// frames of a turn share their stamp and wait for each other.
    fn since_the_door(&self, at: &Step, steps: &[Step], leg: &mut Leg) -> Timestamp {
        if self.came_by_ring(at) {
            return at.entered;
        }
        let came = held(at, steps).unwrap_or(at);
        let released = came.taken.clamp(at.entered, came.began.max(at.entered));
        leg.parts.waiting[Wait::Turn as usize] += released.since(at.entered) as f64;
        released
    }

    /// Attributes what lies between the moment something was sent and the one at which a body took it.
    fn between(&self, since: Timestamp, at: &Step, steps: &[Step], leg: &mut Leg) {
        let parts = &mut leg.parts;
        let mut until = at.began;
        let mut came = at;
        if let Some(held) = held(at, steps) {
            let from = held.began.max(since);
            parts.waiting[Wait::Join as usize] += until.since(from).max(0) as f64;
            (until, came) = (from.min(until), held);
            leg.late = (held.outs > 0).then(|| held.outs as usize - 1);
        }
        let mut from = since;
        if self.came_by_ring(at) {
            let taken = came.taken.clamp(since.min(until), until);
            let woke = came.woke.clamp(since.min(taken), taken);
            parts.moving += woke.since(since) as f64;
            parts.waiting[Wait::Ring as usize] += taken.since(woke) as f64;
            from = taken;
        }
        let gap_ns = until.since(from).max(0);
        let busy_ns = self.busy(from, until, at, steps).min(gap_ns);
        parts.waiting[Wait::Turn as usize] += busy_ns as f64;
        parts.moving += (gap_ns - busy_ns) as f64;
    }

    fn came_by_ring(&self, at: &Step) -> bool {
        if at.in_seq == NO_FRAME {
            return true;
        }
        let edges = &self.plan.nodes[at.node as usize].in_edges;
        edges.get(usize::from(at.line)).is_some_and(|&edge| self.plan.edges[edge].ring.is_some())
    }

    /// Nanoseconds that other bodies of the stage had meanwhile.
    fn busy(&self, from: Timestamp, until: Timestamp, at: &Step, steps: &[Step]) -> i64 {
        let home = self.plan.nodes[at.node as usize].home;
        if home == Home::Io {
            return 0;
        }
        let beside = |step: &&Step| {
            let is_call = is_call(step) && step.kind != StepKind::Also;
            is_call && self.plan.nodes[step.node as usize].home == home
        };
        let within = |step: &Step| step.ended.min(until).since(step.began.max(from)).max(0);
        steps.iter().filter(beside).map(within).sum()
    }
}

/// The step at which a frame came to the join that it has waited at.
fn held<'a>(at: &Step, steps: &'a [Step]) -> Option<&'a Step> {
    let place = |step: &Step| (step.node, step.line, step.in_seq);
    let is_held = |step: &&Step| step.kind == StepKind::Held && place(step) == place(at);
    steps.iter().rev().filter(is_held).find(|step| step.ended <= at.began)
}

/// Whether a body was called.
const fn is_call(step: &Step) -> bool {
    !matches!(step.kind, StepKind::Held)
}
