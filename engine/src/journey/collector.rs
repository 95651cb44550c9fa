//! Joins steps to ways.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use crate::{
    plan::{Home, Plan},
    steps::{Missing, Step, StepKind, Steps},
    time::Timestamp,
};

use super::{
    Attribution, Journey, Leg, SinkTime, Sums, Wait, of_node, pace::Pace, traces::Traces, way::Ways,
};

/// Steps that are taken at a time, should they come as fast.
const AT_A_TIME: usize = 1 << 15;
/// And after so many is seen to it that there is room.
const LOOK_EVERY: usize = 1 << 12;
/// Ways that are kept of each sink.
const RECENT_MAX: usize = 512;
/// Nodes on all ways that are kept, of all sinks together. Of each there is one way at least.
const LEGS_MAX: usize = 1 << 16;

/// Joins steps to ways.
pub(crate) struct Collector {
    plan: Arc<Plan>,
    steps: Arc<Steps>,
    ways: Ways,
    traces: Traces,
    pace: Pace,
    /// Those to which something has come, by node.
    sinks: BTreeMap<usize, Sink>,
    /// Each may keep so many nodes on its ways.
    legs_each: usize,
    broken: u64,
    /// Steps that had found no room before.
    lost_before: u64,
    /// What came in before may look as if it were followed.
    since: Timestamp,
    /// Nanoseconds that frames have waited at joins, by the input that was late.
    late: BTreeMap<(usize, usize), f64>,
}

struct Sink {
    time: SinkTime,
    /// Nodes on the ways that are kept.
    legs: usize,
}

impl Sink {
    /// The oldest ways go.
    fn make_room(&mut self, legs_max: usize) {
        let recent = &mut self.time.recent;
        while recent.len() > RECENT_MAX || (recent.len() > 1 && self.legs > legs_max) {
            self.legs -= recent.pop_front().map_or(0, |journey| journey.legs.len());
        }
    }
}

impl Collector {
    pub(crate) fn new(plan: &Arc<Plan>, steps: &Arc<Steps>) -> Self {
        // Whoever was followed before is not missed here.
        while steps.take_missing().is_some() {}
        let mut this = Self {
            ways: Ways::new(plan),
            traces: Traces::default(),
            pace: Pace::default(),
            sinks: BTreeMap::new(),
            legs_each: LEGS_MAX,
            broken: 0,
            lost_before: steps.lost(),
            since: Timestamp::MIN,
            late: BTreeMap::new(),
            plan: plan.clone(),
            steps: steps.clone(),
        };
        this.adopt(plan);
        this
    }

    /// Frames are followed that come in from this moment on.
    pub(crate) const fn begin(&mut self, since: Timestamp) {
        self.since = since;
    }

    /// Goes by another plan from now on, in which everything has the number that it had.
    pub(crate) fn adopt(&mut self, plan: &Arc<Plan>) {
        self.ways = Ways::new(plan);
        self.plan = plan.clone();
        self.steps.choosers(choosers(plan));
    }

    /// Takes what has been noted since the last time.
    pub(crate) fn collect(&mut self) {
        for taken in 1..=AT_A_TIME {
            let step = self.steps.take();
            // What was missing before it was noted is known by now.
            while let Some(missing) = self.steps.take_missing() {
                self.miss(missing);
            }
            let Some(step) = step else { break };
            self.enter(step);
            if taken % LOOK_EVERY == 0 {
                self.pace.look(&mut self.traces, &self.steps);
            }
        }
        self.pace.look(&mut self.traces, &self.steps);
    }

    fn miss(&mut self, missing: Missing) {
        if let Missing::Step { entered, sink: Some(node), .. } = missing
            && entered >= self.since
        {
            self.left_out(node as usize);
        }
        self.traces.miss(missing);
    }

    fn enter(&mut self, step: Step) {
        self.pace.noted(step.ended);
        if step.entered < self.since {
            return;
        }
        let is_sink = step.kind == StepKind::Sink;
        if !self.ways.knows(&step) {
            // What has just been put in is at work before this has heard of it.
            self.broken += u64::from(is_sink);
            return;
        }
        let origin = (step.entered, step.session);
        if !is_sink {
            self.traces.put(origin, step, self.ways.stage_of(&step));
            return;
        }
        self.pace.arrived(step.ended.since(step.entered));
        let legs = self.traces.of(origin).and_then(|trace| self.ways.back_from(&step, trace));
        match legs {
            Some(legs) => self.arrived(&step, legs),
            None => self.left_out(step.node as usize),
        }
    }

    fn sink(&mut self, node: usize) -> &mut Sink {
        let known = self.sinks.len() + 1;
        if let Entry::Vacant(entry) = self.sinks.entry(node) {
            let name = self.plan.nodes[node].name.clone();
            entry.insert(Sink { time: SinkTime { node, name, ..SinkTime::default() }, legs: 0 });
            // All share what there is: not anew with each one that comes.
            let legs_each = LEGS_MAX / known.next_power_of_two();
            if std::mem::replace(&mut self.legs_each, legs_each) != legs_each {
                self.sinks.values_mut().for_each(|sink| sink.make_room(legs_each));
            }
        }
        self.sinks.get_mut(&node).expect("just put there")
    }

    fn left_out(&mut self, node: usize) {
        self.broken += 1;
        if node < self.plan.nodes.len() {
            self.sink(node).time.broken += 1;
        }
    }

    fn arrived(&mut self, step: &Step, legs: Vec<Leg>) {
        for leg in &legs {
            if let Some(late) = leg.late {
                *self.late.entry((leg.node, late)).or_insert(0.0) +=
                    leg.parts.waiting[Wait::Join as usize];
            }
        }
        let sink = self.sink(step.node as usize);
        let latency_ns = step.ended.since(step.entered);
        sink.time.journeys += 1;
        sink.time.latency_ns += latency_ns;
        for leg in &legs {
            of_node(&mut sink.time.nodes, leg.node).add(&leg.parts);
        }
        sink.legs += legs.len();
        let journey = Journey { latency_ns, arrived: step.ended, legs };
        sink.time.recent.push_back(Arc::new(journey));
        let legs_each = self.legs_each;
        self.sink(step.node as usize).make_room(legs_each);
    }

    /// Sinks of which the way of some frame is known.
    fn reached(&self) -> impl Iterator<Item = &SinkTime> {
        self.sinks.values().map(|sink| &sink.time).filter(|sink| sink.journeys > 0)
    }

    fn lost(&self) -> u64 {
        self.steps.lost() - self.lost_before
    }

    /// What is known so far, to be held against what will be.
    pub(crate) fn sums(&self) -> Sums {
        let sinks = self.sinks.values().map(|sink| &sink.time);
        Sums::new(sinks, self.lost(), self.broken, &self.late)
    }

    /// What is known of the time since then.
    pub(crate) fn since(&self, then: &Sums, at: Timestamp) -> Attribution {
        let mut now = self.attribution();
        // What has been taken out gets nothing lately.
        now.sinks.retain(|sink| !self.plan.nodes[sink.node].gone);
        then.until(now, at)
    }

    /// What is known so far.
    pub(crate) fn attribution(&self) -> Attribution {
        Attribution {
            nodes: self.plan.nodes.iter().map(|node| node.name.clone()).collect(),
            sinks: self.reached().cloned().collect(),
            lost: self.lost(),
            broken: self.broken,
            late: self.late.iter().map(|(&(node, line), &ns)| (node, line, ns)).collect(),
        }
    }
}

#[cfg(all(test, not(loom)))]
impl Collector {
    /// What is kept, in bytes, without what allocations waste.
    pub(super) fn bytes(&self) -> usize {
        let of_ways = |sink: &Sink| {
            let legs: usize = sink.time.recent.iter().map(|way| way.legs.capacity()).sum();
            legs * size_of::<Leg>() + sink.time.recent.capacity() * size_of::<usize>()
        };
        let of_nodes =
            |sink: &Sink| sink.time.nodes.capacity() * size_of::<(usize, super::Parts)>();
        let of_sink = |sink: &Sink| size_of::<Sink>() + of_ways(sink) + of_nodes(sink);
        let sinks: usize = self.sinks.values().map(of_sink).sum();
        sinks + self.ways.bytes() + self.traces.weight() * size_of::<Step>()
    }
}

/// Places of a session at which frames are chosen: generating sources, and the ports of live ones.
fn choosers(plan: &Plan) -> u32 {
    let sources = plan.nodes.iter().filter(|node| node.in_edges.is_empty() && !node.gone);
    let at = |node: &crate::plan::PlanNode| match node.home {
        Home::Stage(_) => 1,
        Home::Io => node.outputs.len(),
    };
    sources.map(at).sum::<usize>() as u32
}
