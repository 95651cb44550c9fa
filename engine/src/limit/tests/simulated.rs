//! Runs a graph on simulated cores: each has its own time, and whoever is furthest behind goes next.

use std::sync::Arc;

use crate::{
    Catalog, Clock, GraphSpec, ManualClock, Plan, PlanOptions, SourceText, Timestamp,
    cell::{Cell, Event},
    core::{Core, CoreShared, CoreTurn, Observer},
    journey::Collector,
    limit::{Load, Looks, Seen, SinkLoad},
    plan::PlanNode,
    run::{NodeTotals, frames_of},
    session::{EdgeTotals, Ground, Session, latencies},
    stage::Pace,
    stats::NodeCounts,
    tasks::TaskTurn,
    testing::MemoryFiles,
};

use super::{
    kinds::{CATALOG, World},
    planted::Planted,
};

struct Deaf;

impl Observer for Deaf {
    fn happened(&self, _: &Arc<Cell>, _: Event) {}
}

/// How long it runs, in simulated time, and between two looks at rings.
const LASTS: Timestamp = Timestamp::from_nanos(3_000_000_000);
const LOOK_NS: i64 = 20_000_000;
/// More than any of the graphs needs.
const STEPS_MAX: u32 = 3_000_000;

pub(super) fn planned(planted: &Planted) -> Arc<Plan> {
    plan_of(planted, &planted.text)
}

/// Every key that is advised can be written where it is said to be, and a graph with it be planned. Where an input
/// says what its ring holds, its number is replaced.
pub(super) fn try_change(planted: &Planted, change: &str) {
    let pieces: Vec<&str> = change.split('`').collect();
    for (at, key) in pieces.iter().enumerate().filter(|(at, _)| at % 2 == 1) {
        let Some((name, _)) = key.split_once(" = ") else { continue };
        let head =
            pieces.iter().skip(at + 1).chain(&pieces[..at]).find(|p| p.starts_with("[node."));
        let head = head.unwrap_or_else(|| panic!("no node for `{key}`: {change}"));
        assert!(planted.text.contains(*head), "{head} is not there: {change}");
        let (before, node) = planted.text.split_once(*head).expect("just seen");
        let (node, after) = node.find("[node.").map_or((node, ""), |end| node.split_at(end));
        let written = format!("{name} = ");
        let node = match node.split_once(&written) {
            None => format!("\n{key}{node}"),
            Some((first, rest)) => {
                let end = rest.find([',', ' ', '\n']).unwrap_or(rest.len());
                format!("{first}{key}{}", &rest[end..])
            }
        };
        plan_of(planted, &format!("{before}{head}{node}{after}"));
    }
}

fn plan_of(planted: &Planted, text: &str) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("planted.toml", text.to_owned()))
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let files = Arc::new(MemoryFiles::new());
    let options = PlanOptions { cores: planted.cores, ..PlanOptions::new(files) };
    let plan = spec.plan(&Catalog::new(&[CATALOG]), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}\n{text}")))
}

/// Somebody whose time is its own.
#[derive(Clone, Copy)]
struct Worker {
    /// It is at work until then.
    free: Timestamp,
    /// It has something to do at this moment, if it is known.
    due: Option<Timestamp>,
    busy_ns: i64,
}

const RESTS: Worker = Worker { free: Timestamp::ZERO, due: Some(Timestamp::ZERO), busy_ns: 0 };

struct Simulation {
    plan: Arc<Plan>,
    clock: ManualClock,
    cores: Vec<Core>,
    session: Session,
    at_core: Vec<Worker>,
    at_sink: Vec<Worker>,
    model_free: Timestamp,
    looks: Looks,
}

/// What the graph was seen doing.
pub(super) fn run(planted: &Planted) -> Load {
    let plan = planned(planted);
    let clock = ManualClock::new();
    plan.common::<World>().hold(&clock);
    let shared: Vec<_> = (0..planted.cores).map(|_| CoreShared::new()).collect();
    let latency = latencies(&plan);
    let ground = Ground {
        plan: &plan,
        cores: &shared,
        clock: &Clock::Manual(clock.clone()),
        pace: Pace { start: Timestamp::ZERO, speed: planted.speed },
        latency: &latency,
        onlooker: None,
    };
    let mut session = Session::build(&ground, 0).expect("bodies can be built");
    for cell in &session.cells {
        // A turn is a frame: what a core has sent is there for others when they would see it.
        cell.with_stage(|stage| stage.per_turn = 1);
        cell.door.core.place(cell.door.number, Some(cell.clone()));
    }
    session.sinks.iter_mut().for_each(|sink| sink.per_turn = 1);
    latency.steps.follow(Some(1_000_000));
    latency.steps.thin_out();
    let mut collector = Collector::new(&plan, &latency.steps);
    let mut this = Simulation {
        clock,
        cores: shared.iter().map(|core| Core::new(core.clone(), 0, Arc::new(Deaf))).collect(),
        at_core: vec![RESTS; planted.cores],
        at_sink: vec![Worker { due: None, ..RESTS }; session.sinks.len()],
        model_free: Timestamp::ZERO,
        looks: Looks::default(),
        session,
        plan,
    };
    let (mut look, mut steps) = (Timestamp::ZERO, 0_u32);
    while let Some(next) = this.next() {
        steps += 1;
        assert!(steps < STEPS_MAX, "it goes in circles at {:?}\n{}", next.0, planted.text);
        // As it has been up to then.
        while look < next.0.min(LASTS) {
            this.looks.begin(&this.plan, look);
            this.looks.look(&this.plan, 0, &this.session.counts);
            collector.collect();
            look = look.plus_nanos(LOOK_NS);
        }
        if next.0 > LASTS {
            break;
        }
        this.step(next);
    }
    collector.collect();
    let load = this.load(planted, &collector);
    for core in &this.cores {
        core.shared.clear();
    }
    load
}

impl Simulation {
    /// Who does something next, and when.
    fn next(&self) -> Option<(Timestamp, usize, usize)> {
        let world = self.plan.common::<World>();
        let next_at = |worker: &Worker| worker.due.map(|due| due.max(worker.free));
        let cores = self.at_core.iter().enumerate().filter_map(|(n, w)| Some((next_at(w)?, 0, n)));
        let sinks = self.at_sink.iter().enumerate().filter_map(|(n, w)| Some((next_at(w)?, 1, n)));
        let model = world.answers_at(self.model_free).map(|at| (at, 2, 0));
        cores.chain(sinks).chain(model).min()
    }

    /// Lets somebody do something.
    fn step(&mut self, (at, what, number): (Timestamp, usize, usize)) {
        let world = self.plan.common::<World>();
        self.clock.go_to(at);
        match what {
            0 => {
                let turn = self.cores[number].turn(at);
                let ended = self.clock.now();
                let due = match turn {
                    CoreTurn::More => Some(ended),
                    CoreTurn::Until(due) => Some(due),
                    CoreTurn::Idle => None,
                };
                let busy_ns = self.at_core[number].busy_ns + ended.since(at);
                self.at_core[number] = Worker { free: ended, due, busy_ns };
            }
            1 => {
                let turn = self.session.sinks[number].turn();
                let ended = self.clock.now();
                let due = matches!(turn, TaskTurn::More).then_some(ended);
                let busy_ns = self.at_sink[number].busy_ns + ended.since(at);
                self.at_sink[number] = Worker { free: ended, due, busy_ns };
            }
            _ => {
                world.answer();
                self.model_free = at;
            }
        }
        let ended = self.clock.now();
        for (core, worker) in self.cores.iter().zip(&mut self.at_core) {
            if core.shared.has_work() && worker.due.is_none_or(|due| due > ended) {
                worker.due = Some(ended);
            }
        }
        // A sink looks again when somebody else has done something.
        for (sink, worker) in self.session.sinks.iter().zip(&mut self.at_sink) {
            let edges = &self.plan.nodes[sink.node].in_edges;
            let waits = (0..edges.len()).any(|line| sink.inside(line) > 0);
            if what != 1 && worker.due.is_none() && waits {
                worker.due = Some(ended);
            }
        }
    }

    fn load(&self, planted: &Planted, collector: &Collector) -> Load {
        let (plan, counts) = (&self.plan, &self.session.counts);
        let ended = self.at_core.iter().map(|core| core.free).max().unwrap_or(LASTS).max(LASTS);
        let lasted_ns = ended.nanos();
        let edges = counts.edges.iter().map(|counts| {
            let mut frames = EdgeTotals::default();
            frames.add(counts);
            frames
        });
        let edges: Vec<EdgeTotals> = edges.collect();
        let calls = |(planned, counts): (&PlanNode, &Arc<NodeCounts>)| {
            let mut totals = NodeTotals::default();
            totals.add(counts);
            (totals.calls(frames_of(planned, &edges)), totals.mean_ns().unwrap_or(0.0))
        };
        let sinks = (0..plan.nodes.len()).filter_map(|node| {
            let p99_ns = counts.latency[node].as_ref()?.quantile(0.99)?;
            Some(SinkLoad { node, p99_ns, deadline_ns: plan.deadline_ns })
        });
        let busy = |worker: &Worker| worker.busy_ns as f64 / lasted_ns as f64;
        self.looks.tally().load(Seen {
            plan,
            lasted_ns,
            speed: planted.speed,
            sessions: 1,
            opened: 1,
            processors: planted.cores,
            cores: self.at_core.iter().map(busy).collect(),
            waited: Vec::new(),
            calls: plan.nodes.iter().zip(&counts.nodes).map(calls).collect(),
            sinks: sinks.collect(),
            time: collector.attribution(),
            edges: edges.clone(),
        })
    }
}
