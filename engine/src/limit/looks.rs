//! Looks at a graph that runs: what its rings hold and how far its sources are, and in the end a [`Load`].

use std::collections::{BTreeMap, HashMap};

use crate::{
    graph::{InputSpec, NodeSpec, OnFull},
    journey::Attribution,
    kind::Placement,
    plan::{Home, Plan, PlanNode},
    ring::tell_every,
    session::{Counts, EdgeTotals},
    stats::StageState,
    time::Timestamp,
};

use super::{EdgeLoad, Load, NodeLoad, RingLoad, Role, SinkLoad};

/// So many looks at a ring tell something of it.
const LOOKS_LEAST: u64 = 8;

/// What was seen.
#[derive(Default)]
pub(crate) struct Looks {
    tally: Tally,
    /// Where sources were at the last look, by session and node.
    sources: BTreeMap<(u32, usize), Reach>,
    at: Timestamp,
    before: Timestamp,
}

/// What has been seen up to some moment: what two of them differ by was seen in between.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    rings: Vec<Ring>,
    paces: Vec<Pace>,
}

#[derive(Clone, Copy, Default)]
struct Ring {
    looks: u64,
    full: u64,
    empty: u64,
    most: u64,
    /// The most since a tally was taken last.
    most_lately: u64,
}

/// What a source has made while nothing kept it from its pace but itself or the graph.
#[derive(Clone, Copy, Default)]
struct Pace {
    samples: u64,
    clock_ns: i64,
    /// How often somebody began to look at a session's source: what it makes then may have begun before.
    begun: u64,
    /// Sources that were looked at when a tally was taken last.
    running: u64,
}

#[derive(Clone, Copy)]
struct Reach {
    at: Timestamp,
    samples: u64,
    gaps: u64,
}

/// What was counted meanwhile.
pub(crate) struct Seen<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) lasted_ns: i64,
    pub(crate) speed: Option<f64>,
    /// Sessions that were open on the mean while any was, and opened so far.
    pub(crate) sessions: u64,
    pub(crate) opened: u64,
    /// As in [`Load`].
    pub(crate) processors: usize,
    pub(crate) cores: Vec<f64>,
    pub(crate) waited: Vec<f64>,
    /// Calls of each node, and their mean.
    pub(crate) calls: Vec<(u64, f64)>,
    pub(crate) edges: Vec<EdgeTotals>,
    pub(crate) sinks: Vec<SinkLoad>,
    pub(crate) time: Attribution,
}

impl Looks {
    pub(crate) fn begin(&mut self, plan: &Plan, now: Timestamp) {
        self.tally.rings.resize(plan.edges.len(), Ring::default());
        self.tally.paces.resize(plan.nodes.len(), Pace::default());
        (self.before, self.at) = (self.at, now);
        self.sources.retain(|_, reach| reach.at == self.before);
    }

    /// Looks at one session, at the moment that was begun with.
    pub(crate) fn look(&mut self, plan: &Plan, session: u32, counts: &Counts) {
        for (edge, planned) in plan.edges.iter().enumerate() {
            // One that has not been told of the plan yet has less.
            let (Some(ring), Some(counts)) = (planned.ring, counts.edges.get(edge)) else {
                continue;
            };
            let inside = counts.in_ring();
            let holds = if ring.on_full == OnFull::Latest { 1 } else { ring.capacity };
            // A producer that waits is not told of less room than this.
            let is_full = inside + u64::from(tell_every(holds)) >= holds as u64;
            let known = &mut self.tally.rings[edge];
            known.looks += 1;
            known.full += u64::from(is_full && inside > 0);
            known.empty += u64::from(inside == 0);
            known.most = known.most.max(inside);
            known.most_lately = known.most_lately.max(inside);
        }
        for node in 0..plan.nodes.len() {
            self.look_at_source(plan, (session, node), counts);
        }
    }

    /// A source counts from one look to the next at both of which it was to keep its pace.
    fn look_at_source(&mut self, plan: &Plan, of: (u32, usize), counts: &Counts) {
        let planned = &plan.nodes[of.1];
        let (Home::Stage(stage), Some(node)) = (planned.home, counts.nodes.get(of.1)) else {
            return;
        };
        let is_source = planned.kind.is_source() && !planned.kind.live && !planned.gone;
        let is_running =
            counts.stages.get(stage).is_some_and(|stage| stage.state() == StageState::Running);
        if !is_source || !is_running || node.reached.value() == Timestamp::MAX {
            return;
        }
        let reach = Reach { at: self.at, samples: node.samples.value(), gaps: node.gaps.value() };
        let last = self.sources.insert(of, reach).filter(|last| last.at == self.before);
        let pace = &mut self.tally.paces[of.1];
        match last {
            None => pace.begun += 1,
            Some(last) if last.gaps == reach.gaps => {
                pace.samples += reach.samples - last.samples;
                pace.clock_ns += reach.at.since(last.at);
            }
            Some(_) => {}
        }
    }

    /// What has been seen so far.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The same, and the next one tells the most that was in each ring from here on.
    pub(crate) fn take_tally(&mut self) -> Tally {
        self.tally.paces.iter_mut().for_each(|pace| pace.running = 0);
        self.sources.keys().for_each(|of| self.tally.paces[of.1].running += 1);
        let tally = self.tally.clone();
        self.tally.rings.iter_mut().for_each(|ring| ring.most_lately = 0);
        tally
    }
}

impl Tally {
    /// What was seen since `then`; `between` are the tallies that were taken meanwhile.
    pub(crate) fn since<'a>(&self, then: &Self, between: impl Iterator<Item = &'a Self>) -> Self {
        let mut this = self.clone();
        for (ring, then) in this.rings.iter_mut().zip(&then.rings) {
            ring.looks -= then.looks;
            ring.full -= then.full;
            ring.empty -= then.empty;
        }
        this.rings.iter_mut().for_each(|ring| ring.most = ring.most_lately);
        for tally in between {
            for (ring, then) in this.rings.iter_mut().zip(&tally.rings) {
                ring.most = ring.most.max(then.most_lately);
            }
        }
        for (pace, then) in this.paces.iter_mut().zip(&then.paces) {
            pace.samples -= then.samples;
            pace.clock_ns -= then.clock_ns;
            // Those that ran already had a frame on its way as well.
            pace.begun = pace.begun - then.begun + then.running;
        }
        this
    }

    /// Everything together.
    pub(crate) fn load(&self, seen: Seen<'_>) -> Load {
        let Seen { plan, lasted_ns, speed, sessions, opened, processors, .. } = seen;
        let Seen { cores, waited, calls, edges, sinks, time, .. } = seen;
        let specs = plan.spec.nodes.iter().map(|spec| (spec.name.value.as_str(), spec));
        let specs: HashMap<&str, &NodeSpec> = specs.collect();
        let edge = |(number, frames): (usize, EdgeTotals)| {
            let planned = &plan.edges[number];
            let looks = self.rings.get(number).copied().unwrap_or_default();
            // Few looks tell nothing.
            let is_known = looks.looks >= LOOKS_LEAST;
            let share = |count: u64| match is_known {
                true => count as f64 / looks.looks as f64,
                false => 0.0,
            };
            let ring = planned.ring.map(|ring| RingLoad {
                capacity: ring.capacity,
                on_full: ring.on_full,
                looks: if is_known { looks.looks } else { 0 },
                full: share(looks.full),
                empty: share(looks.empty),
                most: looks.most,
            });
            let is_written = is_written(plan, number, &specs);
            let gone = plan.nodes[planned.from.0].gone || plan.nodes[planned.to.0].gone;
            let ring = ring.filter(|_| !gone);
            EdgeLoad {
                from: planned.from.0,
                to: planned.to.0,
                frames,
                is_written,
                frames_per_s: planned.format.frames_per_second(),
                delay_ns: planned.delay_ns,
                ring,
            }
        };
        let nodes = calls.iter().enumerate().map(|(number, &(calls, mean_ns))| {
            let planned = &plan.nodes[number];
            let stage = match planned.home {
                Home::Stage(stage) => Some(stage),
                Home::Io => None,
            };
            let core = stage.and_then(|stage| {
                let pinned = plan.stages[stage].core;
                let pinned = pinned.map(|core| core as usize % cores.len().max(1));
                // Where there are several sessions, they are spread.
                pinned.or((opened <= 1).then_some(0))
            });
            let model = planned.params.written("model");
            NodeLoad {
                name: planned.name.clone(),
                role: role(plan, number),
                stage,
                core,
                model: model.map(|model| model.value.to_string().trim_matches('"').to_owned()),
                is_written: planned.op_place.is_some(),
                is_in_named_stage: specs
                    .get(&*planned.name)
                    .is_some_and(|spec| spec.options.stage.is_some()),
                keys: keys(planned),
                joins: planned.align.is_some() && planned.in_edges.len() > 1,
                calls,
                mean_ns,
                pace: speed.and_then(|speed| self.pace(plan, number, speed)),
                is_gone: planned.gone,
            }
        });
        Load {
            lasted_ns,
            is_fast: speed.is_none(),
            sessions,
            processors,
            nodes: nodes.collect(),
            cores: cores.clone(),
            waited,
            sinks,
            time,
            edges: edges.into_iter().enumerate().map(edge).collect(),
        }
    }

    /// The share of its pace that a source kept.
    fn pace(&self, plan: &Plan, node: usize, speed: f64) -> Option<f64> {
        let Pace { samples, clock_ns, begun, .. } = *self.paces.get(node)?;
        let &edge = plan.nodes[node].out_edges.iter().flatten().next()?;
        let signal = plan.edges[edge].format.as_signal()?;
        let frames_per_s = plan.edges[edge].format.frames_per_second();
        let content_ns = signal.rate.span_ns(samples as i64);
        // The next frame is not there before all of it has happened.
        let frame_ns = if frames_per_s > 0.0 { 1e9 / frames_per_s } else { 0.0 };
        let begun_ns = begun as f64 * frame_ns;
        (clock_ns > 0).then(|| (content_ns as f64 + begun_ns) / (clock_ns as f64 * speed))
    }
}

const KEYS: [&str; 7] =
    ["in_flight", "within_ms", "fallback", "file", "columns", "channels", "rate_hz"];

/// Whether an input says how much its ring holds.
fn is_written(plan: &Plan, edge: usize, specs: &HashMap<&str, &NodeSpec>) -> bool {
    let [from, to] = [plan.edges[edge].from.0, plan.edges[edge].to.0].map(|n| &plan.nodes[n].name);
    let spec = specs.get(&**to);
    let leads_here = |input: &InputSpec| {
        let source = input.source.value.to_string();
        source == *from || source.strip_prefix(&**from).is_some_and(|rest| rest.starts_with('.'))
    };
    let inputs = spec.map_or(&[][..], |spec| &spec.from);
    let says = |input: &InputSpec| input.capacity_ms.is_some();
    inputs.iter().any(|input| says(input) && (inputs.len() == 1 || leads_here(input)))
}

/// Keys of a node that change how it waits for answers, or how much a source makes.
fn keys(planned: &PlanNode) -> Vec<(&'static str, Option<String>)> {
    let about = |name: &&str| KEYS.contains(name);
    let value = |name: &'static str| {
        let written = planned.params.written(name).map(|value| value.value.to_string());
        let param = planned.kind.param(name);
        (name, written.or_else(|| param.and_then(|param| param.default_text())))
    };
    planned.kind.params.iter().map(|param| param.name()).filter(about).map(value).collect()
}

/// What a node is, by its kind.
pub(crate) fn role(plan: &Plan, node: usize) -> Role {
    let planned = &plan.nodes[node];
    match (planned.kind.is_sink(), planned.home) {
        (true, Home::Io) => Role::WaitingSink,
        (true, Home::Stage(_)) => Role::Sink,
        _ if planned.kind.live => Role::Live,
        _ if planned.in_edges.is_empty() => Role::Source,
        _ if planned.kind.placement == Placement::Asks => Role::Call,
        _ => Role::Operator,
    }
}
