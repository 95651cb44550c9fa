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

/// The steps of one followed frame, in the order in which they were noted.
#[derive(Default)]
pub(super) struct Trace {
    steps: Vec<Step>,
    /// Places of the steps of each node, and of the calls of each stage.
    of_node: Vec<(u32, Vec<u32>)>,
    of_stage: Vec<(usize, Vec<u32>)>,
}

impl Trace {
    pub(super) const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Places of a node's steps before `end`, the last first.
    fn back_at(&self, node: usize, end: usize) -> impl Iterator<Item = usize> {
        let known = self.of_node.iter().find(|(known, _)| *known as usize == node);
        let places = known.map_or(&[][..], |(_, places)| places);
        let before = places.partition_point(|&place| (place as usize) < end);
        places[..before].iter().rev().map(|&place| place as usize)
    }
}

fn put_at<K: PartialEq>(all: &mut Vec<(K, Vec<u32>)>, key: K, place: usize) {
    match all.iter_mut().find(|(known, _)| *known == key) {
        Some((_, places)) => places.push(place as u32),
        None => all.push((key, vec![place as u32])),
    }
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

    /// Whether there is a node of this number yet.
    pub(super) fn knows(&self, step: &Step) -> bool {
        (step.node as usize) < self.plan.nodes.len()
    }

    /// Takes note of a step of a frame.
    pub(super) fn put(&self, trace: &mut Trace, step: Step) {
        let place = trace.steps.len();
        put_at(&mut trace.of_node, step.node, place);
        if let Home::Stage(stage) = self.plan.nodes[step.node as usize].home
            && is_call(&step)
            && step.kind != StepKind::Also
        {
            put_at(&mut trace.of_stage, stage, place);
        }
        trace.steps.push(step);
    }

    /// The nodes that what a sink got has passed, the first first. Nothing if some step is not known.
    pub(super) fn back_from(&self, sink: &Step, trace: &Trace) -> Option<Vec<Leg>> {
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
    fn origin_of(&self, at: &Step, end: usize, trace: &Trace) -> Option<Origin> {
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
            let leads_here = |step: &Step| {
                let from = step.node as usize;
                is_call(step) && (from == node || self.above[node][from])
            };
            let above = steps[..end].iter().rposition(leads_here);
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
        // What is known by its stamp alone: a body above has kept it, and sent it on when another came.
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
        let known = trace.of_stage.iter().find(|(known, _)| *known == stage);
        let calls = known.map_or(&[][..], |(_, calls)| calls);
        let step = |place: &u32| &trace.steps[*place as usize];
        // One core notes them one after the other.
        let first = calls.partition_point(|place| step(place).ended <= from);
        let meanwhile = calls[first..].iter().map(step).take_while(|step| step.began < until);
        let within = |step: &Step| step.ended.min(until).since(step.began.max(from)).max(0);
        meanwhile.map(within).sum()
    }
}

/// The step at which a frame came to the join that it has waited at.
fn held<'a>(at: &Step, trace: &'a Trace) -> Option<&'a Step> {
    let place = |step: &Step| (step.line, step.in_seq);
    let is_held = |step: &&Step| step.kind == StepKind::Held && place(step) == place(at);
    let here = trace.back_at(at.node as usize, trace.len()).map(|place| &trace.steps[place]);
    here.filter(is_held).find(|step| step.ended <= at.began)
}

/// Whether a body was called.
const fn is_call(step: &Step) -> bool {
    !matches!(step.kind, StepKind::Held)
}
