//! A session: one live instance of a plan, opened and closed while the process runs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    body::Body,
    cell::{COMMANDS, Cell, Command, Door},
    core::CoreShared,
    fault::Fault,
    flush::{Flushes, Part},
    frame::Gap,
    kind::BuildError,
    losses::{Losses, lead_to_answers},
    param::Params,
    plan::{Home, Plan, PlanNode, at_home},
    ring::{Wake, ring},
    stage::{Ends, Pace, SlotBody, Stage, Wiring},
    stats::{EdgeCounts, Histogram, NodeCounts, StageCounts},
    steps::Steps,
    tap::Onlooker,
    tasks::{LiveTask, SinkTask, TaskWake},
    time::Clock,
};

/// What one session counts.
pub(crate) struct Counts {
    pub(crate) losses: Arc<Losses>,
    pub(crate) flushes: Arc<Flushes>,
    pub(crate) edges: Vec<Arc<EdgeCounts>>,
    pub(crate) nodes: Vec<Arc<NodeCounts>>,
    pub(crate) stages: Vec<Arc<StageCounts>>,
    /// Of sinks; shared by all sessions of a plan.
    pub(crate) latency: Vec<Option<Arc<Histogram>>>,
    /// Of frames that are followed; shared by all sessions of a plan.
    pub(crate) steps: Arc<Steps>,
}

/// Latency of every sink and behind every stage of a plan, over all its sessions.
pub(crate) struct Latencies {
    /// By node.
    pub(crate) sinks: Vec<Option<Arc<Histogram>>>,
    pub(crate) stages: Vec<Arc<Histogram>>,
    pub(crate) steps: Arc<Steps>,
}

pub(crate) fn latencies(plan: &Plan) -> Latencies {
    let of_sink = |node: &PlanNode| node.kind.is_sink().then(Default::default);
    Latencies {
        sinks: plan.nodes.iter().map(of_sink).collect(),
        stages: plan.stages.iter().map(|_| Arc::default()).collect(),
        steps: Arc::default(),
    }
}

impl Latencies {
    /// The same for a plan with more behind what was there.
    pub(crate) fn grown(&self, plan: &Plan) -> Self {
        let mut all = latencies(plan);
        all.sinks.iter_mut().zip(&self.sinks).for_each(|(new, old)| new.clone_from(old));
        all.stages.iter_mut().zip(&self.stages).for_each(|(new, old)| new.clone_from(old));
        all.steps.clone_from(&self.steps);
        all
    }
}

impl Counts {
    /// The same for a plan with more behind what was there.
    pub(crate) fn grown(&self, plan: &Plan, latency: &Latencies) -> Self {
        let mut all = Self::new(plan, latency);
        (all.losses, all.flushes) = (self.losses.clone(), self.flushes.clone());
        all.edges.iter_mut().zip(&self.edges).for_each(|(new, old)| new.clone_from(old));
        all.nodes.iter_mut().zip(&self.nodes).for_each(|(new, old)| new.clone_from(old));
        all.stages.iter_mut().zip(&self.stages).for_each(|(new, old)| new.clone_from(old));
        all
    }

    pub(crate) fn new(plan: &Plan, latency: &Latencies) -> Self {
        let stage = |latency| Arc::new(StageCounts::new(latency));
        let losses = Arc::<Losses>::default();
        let edge = |leads: bool| Arc::new(EdgeCounts::telling(leads.then(|| losses.clone())));
        Self {
            edges: lead_to_answers(plan).into_iter().map(edge).collect(),
            losses: losses.clone(),
            flushes: Arc::new(Flushes::new(plan.roots.len())),
            nodes: plan.nodes.iter().map(|_| Arc::default()).collect(),
            stages: latency.stages.iter().map(stage).collect(),
            latency: latency.sinks.clone(),
            steps: latency.steps.clone(),
        }
    }
}

/// What sessions counted on one edge: sent, taken, in flight, dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeTotals {
    /// Frames the producer made.
    pub sent: u64,
    /// Frames the consumer dealt with.
    pub taken: u64,
    /// Frames still inside.
    pub in_flight: u64,
    /// Frames dropped, by reason, in the order of [`Gap::ALL`].
    pub dropped: [u64; Gap::ALL.len()],
}

impl EdgeTotals {
    /// Adds what a session counted that is over: what was still inside is dropped with it.
    pub(crate) fn add_closed(&mut self, counts: &EdgeCounts) {
        let before = self.in_flight;
        self.add(counts);
        self.dropped[Gap::Closed.index()] +=
            std::mem::replace(&mut self.in_flight, before) - before;
    }

    pub(crate) fn add(&mut self, counts: &EdgeCounts) {
        // In the order that keeps the sum right while frames move; see `EdgeCounts::in_flight`.
        let taken = counts.taken.value();
        let dropped: Vec<u64> = Gap::ALL.iter().map(|&gap| counts.dropped_for(gap)).collect();
        let sent = counts.sent.value();
        self.sent += sent;
        self.taken += taken;
        self.in_flight += sent.saturating_sub(taken + dropped.iter().sum::<u64>());
        for (total, dropped) in self.dropped.iter_mut().zip(dropped) {
            *total += dropped;
        }
    }

    /// Frames dropped for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Whether every frame is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.sent == self.taken + self.dropped_in_all() + self.in_flight
    }
}

/// The way commands reach a cell.
pub(crate) struct CommandLine {
    ring: Mutex<rtrb::Producer<Command>>,
    door: Arc<Door>,
}

impl CommandLine {
    /// The way to a new cell, and the end its cell reads.
    pub(crate) fn new(door: &Arc<Door>) -> (Arc<Self>, rtrb::Consumer<Command>) {
        let (producer, consumer) = rtrb::RingBuffer::new(COMMANDS);
        (Arc::new(Self { ring: Mutex::new(producer), door: door.clone() }), consumer)
    }

    /// Sends a command; gives it back if too many wait already, as for a wedged cell.
    pub(crate) fn send(&self, command: Command) -> Result<(), Command> {
        let pushed = self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        self.door.wake();
        pushed.map_err(|rtrb::PushError::Full(command)| command)
    }
}

/// Everything a session consists of, built and not yet started.
pub(crate) struct Session {
    pub(crate) number: u32,
    pub(crate) cells: Vec<Arc<Cell>>,
    pub(crate) commands: Vec<Arc<CommandLine>>,
    pub(crate) sinks: Vec<SinkTask>,
    pub(crate) lives: Vec<LiveTask>,
    pub(crate) counts: Arc<Counts>,
    /// How tasks of the I/O runtime are woken, by node.
    pub(crate) wakes: Vec<Arc<TaskWake>>,
}

/// Where a session is opened.
pub(crate) struct Ground<'a> {
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) cores: &'a [Arc<CoreShared>],
    pub(crate) clock: &'a Clock,
    pub(crate) pace: Pace,
    pub(crate) latency: &'a Latencies,
    pub(crate) onlooker: Option<&'a Onlooker>,
}

/// Why a session cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// A body cannot be built.
    Build {
        /// The node.
        node: String,
        /// Why.
        error: BuildError,
    },
    /// The cores hold as many cells as they can.
    Full,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Build { node, error } => write!(f, "node `{node}`: {error}"),
            Self::Full => write!(
                f,
                "a core holds {} stages, which is as many as it can",
                crate::core::CELLS_MAX
            ),
        }
    }
}

impl std::error::Error for OpenError {}

impl Session {
    /// Builds session `number`: every body, ring and cell. Nothing runs yet.
    pub(crate) fn build(ground: &Ground<'_>, number: u32) -> Result<Self, OpenError> {
        Self::wire(ground, number, build_bodies(ground.plan, number)?)
    }

    /// Builds a session around its bodies.
    pub(crate) fn wire(
        ground: &Ground<'_>,
        number: u32,
        mut bodies: Vec<Option<Body>>,
    ) -> Result<Self, OpenError> {
        let plan = ground.plan;
        let counts = Arc::new(Counts::new(plan, ground.latency));
        let doors = doors(ground, number)?;
        let wakes: Vec<Arc<TaskWake>> = plan.nodes.iter().map(|_| Arc::default()).collect();
        let mut ends = rings(plan, &counts, &doors, &wakes);
        let wiring = Wiring {
            plan,
            session: number,
            counts: &counts,
            clock: ground.clock,
            pace: ground.pace,
            epoch: 0,
            onlooker: ground.onlooker,
        };
        let mut this = Self {
            number,
            cells: Vec::with_capacity(plan.stages.len()),
            commands: Vec::with_capacity(plan.stages.len()),
            sinks: Vec::new(),
            lives: Vec::new(),
            counts: counts.clone(),
            wakes: wakes.clone(),
        };
        for (stage, door) in doors.iter().enumerate() {
            let members = &plan.stages[stage].nodes;
            let own = members.iter().map(|&node| bodies[node].take());
            let own = own.map(|body| body.map_or(SlotBody::Closed, SlotBody::of)).collect();
            let wake: Arc<dyn Wake> = door.clone();
            counts.flushes.wake(Part::Stage(stage), plan.roots_above_stage(stage), wake.clone());
            let built = Stage::wire(wiring, stage, &mut ends, own, &wake);
            let (commands, consumer) = CommandLine::new(door);
            this.cells.push(Arc::new(Cell::new(
                built,
                consumer,
                plan.clone(),
                number,
                stage,
                door.clone(),
            )));
            this.commands.push(commands);
        }
        for (node, body) in bodies.into_iter().enumerate() {
            let wake = &wakes[node];
            match body {
                None => {}
                Some(Body::Sink(sink)) => {
                    let roots = plan.roots_above(node);
                    counts.flushes.wake(Part::Sink(node), roots, wake.clone());
                    this.sinks.push(SinkTask::new(wiring, node, sink, &mut ends, wake.clone()));
                }
                Some(Body::Live(live)) => {
                    this.lives.push(LiveTask::new(wiring, node, live, &mut ends, wake.clone()));
                }
                Some(_) => unreachable!("checked when it was built"),
            }
        }
        Ok(this)
    }
}

/// Builds the bodies of a session, which may take its time; nothing for what was taken out.
pub(crate) fn build_bodies(plan: &Plan, session: u32) -> Result<Vec<Option<Body>>, OpenError> {
    let build = |(node, planned): (usize, &PlanNode)| {
        if planned.gone {
            return Ok(None);
        }
        build_body(plan, node, &planned.params, session)
            .map(Some)
            .map_err(|error| OpenError::Build { node: planned.name.clone(), error })
    };
    plan.nodes.iter().enumerate().map(build).collect()
}

/// Builds the body of a node. A build that panics, or brings another sort of body than its kind
/// says, has failed like any other.
pub(crate) fn build_body(
    plan: &Plan,
    node: usize,
    params: &Params,
    session: u32,
) -> Result<Body, BuildError> {
    let planned = &plan.nodes[node];
    let build = AssertUnwindSafe(|| (planned.kind.build)(&plan.view(node, params, session)));
    let body =
        catch_unwind(build).unwrap_or_else(|payload| Err(Fault::panic(payload.as_ref()).into()))?;
    let computes = matches!(body, Body::Source(_) | Body::Operator(_) | Body::Block(_));
    let fits = match planned.home {
        Home::Stage(_) => computes || matches!(body, Body::Sink(_) | Body::Call(_)),
        Home::Io => matches!(body, Body::Sink(_) | Body::Live(_)),
    };
    if !fits {
        return Err(Fault::new("the kind built another sort of body").into());
    }
    at_home(plan, node, session, body)
}

/// Places every stage: where it says, else all stages of a session on one core. Cells are
/// numbered from the sink side, which is the order in which a core gives turns.
fn doors(ground: &Ground<'_>, session: u32) -> Result<Vec<Arc<Door>>, OpenError> {
    let home = session as usize % ground.cores.len();
    let mut doors: Vec<Arc<Door>> = Vec::with_capacity(ground.plan.stages.len());
    for stage in ground.plan.stages.iter().rev() {
        let core = stage.core.map_or(home, |core| core as usize % ground.cores.len());
        let core = ground.cores[core].clone();
        let Some(number) = core.number() else {
            for door in &doors {
                door.core.place(door.number, None);
            }
            return Err(OpenError::Full);
        };
        doors.push(Arc::new(Door { core, number }));
    }
    doors.reverse();
    Ok(doors)
}

fn rings(plan: &Plan, counts: &Counts, doors: &[Arc<Door>], wakes: &[Arc<TaskWake>]) -> Ends {
    let wake_of = |node: usize| -> Arc<dyn Wake> {
        match plan.nodes[node].home {
            Home::Stage(stage) => doors[stage].clone(),
            Home::Io => wakes[node].clone(),
        }
    };
    let mut ends = Ends { senders: Vec::new(), receivers: Vec::new() };
    for (number, edge) in plan.edges.iter().enumerate() {
        let is_there = !plan.nodes[edge.from.0].gone && !plan.nodes[edge.to.0].gone;
        let made = edge.ring.filter(|_| is_there).map(|planned| {
            let (producer, consumer) = (wake_of(edge.from.0), wake_of(edge.to.0));
            ring(planned.capacity, planned.on_full, &counts.edges[number], producer, consumer)
        });
        let (sender, receiver) = made.unzip();
        ends.senders.push(sender);
        ends.receivers.push(receiver);
    }
    ends
}
