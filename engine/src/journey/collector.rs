//! Joins steps to ways.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    plan::Plan,
    steps::{Step, StepKind, Steps},
    time::Timestamp,
};

use super::{
    Attribution, Journey, Leg, Parts, SinkTime, Sums, Wait,
    way::{Trace, Ways},
};

/// Frames whose steps are kept, for what they may still cause.
const ORIGINS_MAX: usize = 4_096;
/// Steps that are kept of one frame, and of all together.
const STEPS_MAX: usize = 4_096;
const STEPS_IN_ALL: usize = 1 << 17;
/// Steps that are taken at a time, should they come as fast.
const AT_A_TIME: usize = 1 << 15;
/// Ways that are kept of each sink.
const RECENT_MAX: usize = 512;

/// A followed frame: its session, and its stamp at the door.
type Origin = (u32, Timestamp);

/// Joins steps to ways.
pub(crate) struct Collector {
    plan: Arc<Plan>,
    steps: Arc<Steps>,
    ways: Ways,
    origins: HashMap<Origin, Trace>,
    /// Steps of all of them.
    kept: usize,
    /// The oldest first.
    order: VecDeque<Origin>,
    sinks: Vec<SinkTime>,
    broken: u64,
    /// What came in before may look as if it were followed.
    since: Timestamp,
    /// Nanoseconds that frames have waited at joins, by the input that was late.
    late: BTreeMap<(usize, usize), f64>,
}

impl Collector {
    pub(crate) fn new(plan: &Arc<Plan>, steps: &Arc<Steps>) -> Self {
        let mut this = Self {
            ways: Ways::new(plan),
            origins: HashMap::new(),
            kept: 0,
            order: VecDeque::new(),
            sinks: Vec::new(),
            broken: 0,
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
        let more = plan.nodes.iter().enumerate().skip(self.sinks.len());
        let more = more.map(|(node, planned)| (node, planned.name.clone()));
        self.sinks.extend(more.map(|(node, name)| SinkTime { node, name, ..SinkTime::default() }));
        for sink in &mut self.sinks {
            sink.nodes.resize(plan.nodes.len(), Parts::default());
        }
        self.ways = Ways::new(plan);
        self.plan = plan.clone();
    }

    /// Takes what has been noted since the last time.
    pub(crate) fn collect(&mut self) {
        for _ in 0..AT_A_TIME {
            let Some(step) = self.steps.take() else { return };
            self.enter(step);
        }
    }

    fn enter(&mut self, step: Step) {
        if step.entered < self.since {
            return;
        }
        if !self.ways.knows(&step) {
            // What has just been put in is at work before this has heard of it.
            self.broken += u64::from(step.kind == StepKind::Sink);
            return;
        }
        let origin = (step.session, step.entered);
        let trace = self.origins.entry(origin).or_insert_with(|| {
            self.order.push_back(origin);
            Trace::default()
        });
        if step.kind == StepKind::Sink {
            match self.ways.back_from(&step, trace) {
                Some(legs) => self.arrived(&step, legs),
                None => self.broken += 1,
            }
        } else if trace.len() < STEPS_MAX {
            self.ways.put(trace, step);
            self.kept += 1;
        }
        while (self.order.len() > ORIGINS_MAX || self.kept > STEPS_IN_ALL)
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept -= self.origins.remove(&oldest).map_or(0, |trace| trace.len());
        }
    }

    fn arrived(&mut self, step: &Step, legs: Vec<Leg>) {
        let sink = &mut self.sinks[step.node as usize];
        let latency_ns = step.ended.since(step.entered);
        sink.journeys += 1;
        sink.latency_ns += latency_ns;
        for leg in &legs {
            sink.nodes[leg.node].add(&leg.parts);
            if let Some(late) = leg.late {
                *self.late.entry((leg.node, late)).or_insert(0.0) +=
                    leg.parts.waiting[Wait::Join as usize];
            }
        }
        if sink.recent.len() == RECENT_MAX {
            sink.recent.pop_front();
        }
        sink.recent.push_back(Journey { latency_ns, arrived: step.ended, legs });
    }

    /// What is known so far, to be held against what will be.
    pub(crate) fn sums(&self) -> Sums {
        Sums::new(&self.sinks, self.steps.lost(), self.broken, &self.late)
    }

    /// What is known of the time since then.
    pub(crate) fn since(&self, then: &Sums, at: Timestamp) -> Attribution {
        then.until(self.attribution(), at)
    }

    /// What is known so far.
    pub(crate) fn attribution(&self) -> Attribution {
        Attribution {
            nodes: self.plan.nodes.iter().map(|node| node.name.clone()).collect(),
            sinks: self.sinks.iter().filter(|sink| sink.journeys > 0).cloned().collect(),
            lost: self.steps.lost(),
            broken: self.broken,
            late: self.late.iter().map(|(&(node, line), &ns)| (node, line, ns)).collect(),
        }
    }
}
