//! The way of what a sink got, followed back to the door.

use std::{collections::HashMap, sync::Arc};

use crate::{
    plan::{Home, Plan},
    steps::{NO_FRAME, Step, StepKind},
    time::Timestamp,
};

use super::{Leg, Wait, traces::Trace};

/// What has to be known of a plan to follow frames back.
pub(super) struct Ways {
    plan: Arc<Plan>,
    /// Of some nodes, those whose frames can reach them: a bit each.
    above: HashMap<usize, Box<[u64]>>,
}

/// What is known of nodes above others takes no more than this, in words.
const ABOVE_MAX: usize = 1 << 16;

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
        Self { plan: plan.clone(), above: HashMap::new() }
    }

    /// Whether what another node sends can reach this one.
    fn is_above(&mut self, other: usize, node: usize) -> bool {
        if !self.above.contains_key(&node) {
            if (self.above.len() + 1) * self.plan.nodes.len().div_ceil(64) > ABOVE_MAX {
                self.above.clear();
            }
            let above = self.all_above(node);
            self.above.insert(node, above);
        }
        self.above[&node][other / 64] >> (other % 64) & 1 == 1
    }

    fn all_above(&self, node: usize) -> Box<[u64]> {
        let mut above = vec![0_u64; self.plan.nodes.len().div_ceil(64)];
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            for &edge in &self.plan.nodes[node].in_edges {
                let (from, _) = self.plan.edges[edge].from;
                let (word, bit) = (&mut above[from / 64], 1 << (from % 64));
                if *word & bit == 0 {
                    *word |= bit;
                    open.push(from);
                }
            }
        }
        above.into()
    }

    /// Whether there is a node of this number yet.
    pub(super) fn knows(&self, step: &Step) -> bool {
        (step.node as usize) < self.plan.nodes.len()
    }

    /// The stage of which a step was a call, if it was one.
    pub(super) fn stage_of(&self, step: &Step) -> Option<usize> {
        match self.plan.nodes[step.node as usize].home {
            Home::Stage(stage) if is_call(step) && step.kind != StepKind::Also => Some(stage),
            _ => None,
        }
    }

    /// The nodes that what a sink got has passed, the first first. Nothing if some step is not known.
    pub(super) fn back_from(&mut self, sink: &Step, trace: &Trace) -> Option<Vec<Leg>> {
        if !trace.is_whole() {
            return None;
        }
        let mut legs = Vec::new();
        let steps = &trace.steps[..];
        // A step is noted before anything that it causes: its place among them is the way's order.
        let (mut at, mut end) = (sink, steps.len());
        loop {
            let origin = self.origin_of(at, end, trace)?;
            let computing = at.ended.since(at.began).max(0) as f64;
            let mut leg = Leg { node: at.node as usize, ..Leg::default() };
            leg.parts.computing = computing;
            let next = match origin {
                Origin::Kept(from, wait) => {
                    let waited_ns = at.began.since(steps[from].ended).max(0);
                    leg.parts.waiting[wait as usize] = waited_ns as f64;
                    Some(from)
                }
                Origin::Step(from) => {
                    self.between(steps[from].ended, at, trace, &mut leg);
                    Some(from)
                }
                Origin::Door => {
                    let released = self.since_the_door(at, trace, &mut leg);
                    self.between(released, at, trace, &mut leg);
                    None
                }
            };
            legs.push(leg);
            match next {
                Some(from) => (at, end) = (&steps[from], from),
                None => {
                    legs.reverse();
                    return Some(legs);
                }
            }
        }
    }

    /// What let a step happen, of those noted before it: of those before `end`.
    fn origin_of(&mut self, at: &Step, end: usize, trace: &Trace) -> Option<Origin> {
        let (node, steps) = (at.node as usize, &trace.steps);
        let last = |of: usize, wanted: &dyn Fn(&Step) -> bool| {
            trace.back_at(of, end).find(|&place| is_call(&steps[place]) && wanted(&steps[place]))
        };
        if at.kind == StepKind::Answered {
            let is_asked = |step: &Step| step.kind == StepKind::Asked;
            let asked = last(node, &|step| is_asked(step) && step.in_seq == at.in_seq);
            let asked = asked.or_else(|| last(node, &is_asked))?;
            return Some(Origin::Kept(asked, Wait::Answer));
        }
        if at.in_seq == NO_FRAME {
            // A timer or an end: the frame that came this way last has made it known.
            let mut leads_here = |step: &Step| {
                let from = step.node as usize;
                is_call(step) && (from == node || self.is_above(from, node))
            };
            let above = steps[..end].iter().rposition(&mut leads_here);
            return Some(above.map_or(Origin::Door, Origin::Step));
        }
        let edge = *self.plan.nodes[node].in_edges.get(usize::from(at.line))?;
        let (from, port) = self.plan.edges[edge].from;
        if self.plan.nodes[from].in_edges.is_empty() {
            return Some(Origin::Door);
        }
        let has_sent = |step: &Step| {
            let sent = step.out_seq..step.out_seq + u64::from(step.outs);
            step.out_port as usize == port && sent.contains(&at.in_seq)
        };
        if let Some(step) = last(from, &has_sent) {
            return Some(Origin::Step(step));
        }
        // What is known by its stamp alone: a body above has kept it, and sent it on when another came. No step is
        // missing that would say otherwise.
        last(from, &|_| true).map(|step| Origin::Kept(step, Wait::Join))
    }

    /// Attributes what lies between the stamp and the moment at which its source let it go: as fast as it goes,
    /// frames of a turn share their stamp and wait for each other.
    fn since_the_door(&self, at: &Step, trace: &Trace, leg: &mut Leg) -> Timestamp {
        if self.came_by_ring(at) {
            return at.entered;
        }
        let came = held(at, trace).unwrap_or(at);
        let released = came.taken.clamp(at.entered, came.began.max(at.entered));
        leg.parts.waiting[Wait::Turn as usize] += released.since(at.entered) as f64;
        released
    }

    /// Attributes what lies between the moment something was sent and the one at which a body took it.
    fn between(&self, since: Timestamp, at: &Step, trace: &Trace, leg: &mut Leg) {
        let parts = &mut leg.parts;
        let mut until = at.began;
        let mut came = at;
        if let Some(held) = held(at, trace) {
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
        let busy_ns = self.busy(from, until, at, trace).min(gap_ns);
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
    fn busy(&self, from: Timestamp, until: Timestamp, at: &Step, trace: &Trace) -> i64 {
        let Home::Stage(stage) = self.plan.nodes[at.node as usize].home else { return 0 };
        let calls = trace.calls_of(stage);
        let step = |place: &u32| &trace.steps[*place as usize];
        // One core notes them one after the other.
        let first = calls.partition_point(|place| step(place).ended <= from);
        let meanwhile = calls[first..].iter().map(step).take_while(|step| step.began < until);
        let within = |step: &Step| step.ended.min(until).since(step.began.max(from)).max(0);
        meanwhile.map(within).sum()
    }
}

#[cfg(all(test, not(loom)))]
impl Ways {
    /// What is kept, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.above.values().map(|above| size_of_val(&**above)).sum()
    }
}

/// The step at which a frame came to the join that it has waited at.
fn held<'a>(at: &Step, trace: &'a Trace) -> Option<&'a Step> {
    let place = |step: &Step| (step.line, step.in_seq);
    let is_held = |step: &&Step| step.kind == StepKind::Held && place(step) == place(at);
    let here = trace.back_at(at.node as usize, trace.steps.len()).map(|place| &trace.steps[place]);
    here.filter(is_held).find(|step| step.ended <= at.began)
}

/// Whether a body was called.
const fn is_call(step: &Step) -> bool {
    !matches!(step.kind, StepKind::Held)
}
