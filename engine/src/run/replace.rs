//! Replacing a cell whose thread never came back: fresh bodies, saved states, new rings.

use std::{pin::Pin, sync::Arc, time::Duration};

use crate::{
    cell::{Cell, Command, Door},
    fault::Fault,
    flush::Part,
    frame::Gap,
    plan::{Home, Plan},
    ring::{Sender, Wake, ring},
    session::{CommandLine, build_body},
    stage::{Ends, NewEnd, Pace, SlotBody, Stage, Wiring},
};

use super::{
    Shared,
    actors::{RewireSink, SaveStage, ask_stage},
    opened::OpenSession,
};

/// How long a neighbour may take to learn of its new ring: a sink may hang in a system call.
const SETTLED: Duration = Duration::from_millis(3_000);

/// A cell to take the place of another, and what its neighbours must learn.
pub(super) struct Replacement {
    pub(super) cell: Arc<Cell>,
    pub(super) commands: Arc<CommandLine>,
    pub(super) rewires: Vec<Rewire>,
}

/// A new end for a neighbour.
pub(super) enum Rewire {
    /// A stage.
    Stage { stage: usize, edge: usize, end: NewEnd },
    /// A sink that waits.
    Sink { node: usize, rewire: RewireSink },
    /// A live source: node, port, number of the edge among those of the port.
    Live { node: usize, port: usize, at: usize, edge: usize, ring: Sender },
}

/// Done when a neighbour has settled what it lost.
pub(super) type Settled = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Rewire {
    /// Tells the neighbour. It answers when it comes to it.
    pub(super) fn deliver(self, open: &OpenSession) -> Option<Settled> {
        match self {
            Self::Stage { stage, edge, end } => {
                open.command(stage, Command::Rewire { edge, end });
                let neighbour = open.stages[stage].clone();
                // Commands are done in order: after the answer to any other, this one is done.
                Some(Box::pin(async move { drop(ask_stage(&neighbour, SaveStage).await) }))
            }
            Self::Sink { node, rewire } => {
                let (_, sink) = open.sinks.iter().find(|(number, _)| *number == node)?;
                let sink = sink.clone();
                Some(Box::pin(async move {
                    let asked = async { sink.ask(rewire).await };
                    let _ = tokio::time::timeout(SETTLED, asked).await;
                }))
            }
            Self::Live { node, port, at, edge, ring } => {
                let live = open.lives.iter().find(|live| live.node == node)?;
                live.ports.rewire(port, at, ring, &open.counts.edges[edge]);
                None
            }
        }
    }
}

/// Builds the bodies of a stage, which may take its time; or says which node has none.
pub(super) fn bodies(
    plan: &Plan,
    stage: usize,
    params: Vec<crate::Params>,
    session: u32,
) -> Result<Vec<SlotBody>, (usize, Fault)> {
    let nodes = plan.stages[stage].nodes.iter().zip(params);
    let build = |(&node, params): (&usize, _)| {
        if plan.nodes[node].gone {
            return Ok(SlotBody::Closed);
        }
        build_body(plan, node, &params, session)
            .map(SlotBody::of)
            .map_err(|error| (node, Fault::new("cannot be built again").because(error)))
    };
    nodes.map(build).collect()
}

/// Builds the successor of a stage around its bodies. Nothing runs yet.
pub(super) fn build(
    shared: &Shared,
    open: &mut OpenSession,
    session: u32,
    stage: usize,
    bodies: Vec<SlotBody>,
) -> Result<Replacement, Fault> {
    let plan = &shared.plan();
    let old = &open.cells[stage];
    let core = old.door.core.clone();
    let number = core.number().ok_or(Fault::new("the core holds as many stages as it can"))?;
    let door = Arc::new(Door { core, number });
    let (mut ends, rewires) = new_rings(plan, open, stage, &door);
    // What was on edges inside the stage is lost with it.
    for (edge, planned) in plan.edges.iter().enumerate() {
        let inside = plan.nodes[planned.to.0].home == Home::Stage(stage) && planned.ring.is_none();
        if inside {
            let counts = &open.counts.edges[edge];
            counts.dropped(Gap::Wedged, counts.in_flight());
        }
    }
    open.epoch += 1;
    let start = open.course.start(shared.clock.now());
    let wiring = Wiring {
        plan,
        session,
        counts: &open.counts,
        clock: &shared.clock,
        pace: Pace { start, speed: shared.speed },
        epoch: open.epoch,
        onlooker: shared.onlooker.as_ref(),
    };
    let wake: Arc<dyn Wake> = door.clone();
    let roots = plan.roots_above_stage(stage);
    open.counts.flushes.wake(Part::Stage(stage), roots, wake.clone());
    let mut built = Stage::wire(wiring, stage, &mut ends, bodies, &wake);
    let released = old.mark.released();
    built.succeed(&old.saves(), old.saved_at(), &released);
    let (commands, consumer) = CommandLine::new(&door);
    for command in open.course.commands() {
        assert!(commands.send(command).is_ok(), "a fresh command ring has room");
    }
    let cell = Arc::new(Cell::new(built, consumer, plan.clone(), session, stage, door));
    Ok(Replacement { cell, commands, rewires })
}

/// New rings for every edge between the stage and its neighbours.
fn new_rings(
    plan: &Plan,
    open: &OpenSession,
    stage: usize,
    door: &Arc<Door>,
) -> (Ends, Vec<Rewire>) {
    let mut ends = Ends {
        senders: plan.edges.iter().map(|_| None).collect(),
        receivers: plan.edges.iter().map(|_| None).collect(),
    };
    let mut rewires = Vec::new();
    let here = Home::Stage(stage);
    for (edge, planned) in plan.edges.iter().enumerate() {
        let Some(ring_plan) = planned.ring else { continue };
        let (from, to) = (planned.from.0, planned.to.0);
        if plan.nodes[from].gone || plan.nodes[to].gone {
            continue;
        }
        let (from_here, to_here) = (plan.nodes[from].home == here, plan.nodes[to].home == here);
        if !from_here && !to_here {
            continue;
        }
        let wake_of = |node: usize| -> Arc<dyn Wake> {
            match plan.nodes[node].home {
                home if home == here => door.clone(),
                Home::Stage(stage) => open.cells[stage].door.clone(),
                Home::Io => open.wakes[node].clone(),
            }
        };
        let counts = &open.counts.edges[edge];
        let (sender, mut receiver) =
            ring(ring_plan.capacity, ring_plan.on_full, counts, wake_of(from), wake_of(to));
        receiver.follow(Gap::Wedged);
        if from_here {
            ends.senders[edge] = Some(sender);
            let (line, admitted) = (planned.to.1, counts.admitted());
            rewires.push(match plan.nodes[to].home {
                Home::Stage(stage) => {
                    let members = &plan.stages[stage].nodes;
                    let slot = members.iter().position(|&member| member == to);
                    let slot = slot.expect("the node is in its stage");
                    Rewire::Stage {
                        stage,
                        edge,
                        end: NewEnd::Receiver { ring: receiver, slot, line, admitted },
                    }
                }
                Home::Io => {
                    let rewire = RewireSink { line, ring: receiver, admitted };
                    Rewire::Sink { node: to, rewire }
                }
            });
        } else {
            ends.receivers[edge] = Some(receiver);
            let (port, edges) = (planned.from.1, &plan.nodes[from].out_edges[planned.from.1]);
            let at = edges.iter().position(|&other| other == edge).expect("the edge leaves here");
            rewires.push(match plan.nodes[from].home {
                Home::Stage(stage) => {
                    let end = NewEnd::Sender { ring: sender, counts: counts.clone() };
                    Rewire::Stage { stage, edge, end }
                }
                Home::Io => Rewire::Live { node: from, port, at, edge, ring: sender },
            });
        }
    }
    (ends, rewires)
}
