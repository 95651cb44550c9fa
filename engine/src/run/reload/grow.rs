//! What comes to a session and what leaves it: nodes that were not there before, and edges to them.

use std::sync::Arc;

use crate::{
    body::Body,
    cell::{Cell, Door},
    flush::Part as Woken,
    plan::{Becomes, Change, Home},
    ring::{Wake, ring},
    session::{CommandLine, Counts, OpenError},
    stage::{Ends, SlotBody, Stage, Wiring},
    tasks::{SinkTask, TaskWake},
};

use super::{Ground, HeldCells, New, Part, ReloadError, at};

/// What has come to a session, built and not yet started.
pub(in crate::run) struct Grown {
    /// What all of the session counts.
    pub(in crate::run) counts: Arc<Counts>,
    /// By node of the whole session.
    pub(in crate::run) wakes: Vec<Arc<TaskWake>>,
    pub(in crate::run) cells: Vec<Arc<Cell>>,
    pub(in crate::run) commands: Vec<Arc<CommandLine>>,
    pub(in crate::run) sinks: Vec<SinkTask>,
}

/// Whether all that was sent on the edges that end is on its way, so that they can.
pub(super) fn may_end(change: &Change, held: &mut HeldCells<'_>) -> bool {
    change.ended.iter().all(|&edge| {
        let producer = change.plan.edges[edge].from.0;
        match change.plan.nodes[producer].home {
            Home::Stage(stage) => at(held, stage).stage().is_through(edge),
            Home::Io => true,
        }
    })
}

/// Places for the new stages of every session, each where it says, else where the session is.
pub(super) fn doors(
    ground: &Ground<'_>,
    change: &Change,
    parts: &[Part<'_>],
) -> Result<Vec<Vec<Arc<Door>>>, ReloadError> {
    let mut doors: Vec<Vec<Arc<Door>>> = Vec::with_capacity(parts.len());
    for part in parts {
        let home = part.session as usize % ground.cores.len();
        let mut own = Vec::new();
        for stage in &change.plan.stages[part.cells.len()..] {
            let core = stage.core.map_or(home, |core| core as usize % ground.cores.len());
            let core = ground.cores[core].clone();
            let Some(number) = core.number() else {
                let taken = doors.iter().flatten().chain(&own);
                taken.for_each(|door| door.core.place(door.number, None));
                return Err(ReloadError::Build(OpenError::Full));
            };
            own.push(Arc::new(Door { core, number }));
        }
        doors.push(own);
    }
    Ok(doors)
}

/// Lets edges begin and end, and wires what is new behind them.
pub(super) fn grow(
    ground: &Ground<'_>,
    change: &Change,
    part: &mut Part<'_>,
    held: &mut HeldCells<'_>,
    doors: Vec<Arc<Door>>,
) -> Grown {
    let plan = &change.plan;
    let counts = Arc::new(part.counts.grown(plan, ground.latency));
    let mut wakes = part.wakes.to_vec();
    wakes.resize_with(plan.nodes.len(), Arc::default);
    let there = part.cells.len();
    let mut ends = begin(change, part, held, (&counts, &wakes, &doors));
    end(change, part, held, &counts);
    let wiring = Wiring {
        plan,
        session: part.session,
        counts: &counts,
        clock: ground.clock,
        pace: part.pace,
        epoch: part.epoch,
        onlooker: ground.onlooker,
    };
    let (mut cells, mut commands) = (Vec::new(), Vec::new());
    for (stage, door) in (there..).zip(doors) {
        let bodies = plan.stages[stage].nodes.iter().map(|node| match part.bodies.remove(node) {
            Some(New::Built(body)) => body,
            _ => SlotBody::Closed,
        });
        let wake: Arc<dyn Wake> = door.clone();
        let roots = plan.roots_above_stage(stage);
        counts.flushes.wake(Woken::Stage(stage), roots, wake.clone());
        let built = Stage::wire(wiring, stage, &mut ends, bodies.collect(), &wake);
        let (line, consumer) = CommandLine::new(&door);
        commands.push(line);
        let cell = Cell::new(built, consumer, plan.clone(), part.session, stage, door);
        cells.push(Arc::new(cell));
    }
    let mut sinks = Vec::new();
    for (node, body) in std::mem::take(part.waiting) {
        match body {
            Body::Sink(sink) if change.nodes[node] == Becomes::Added => {
                let wake = wakes[node].clone();
                counts.flushes.wake(Woken::Sink(node), plan.roots_above(node), wake.clone());
                sinks.push(SinkTask::new(wiring, node, sink, &mut ends, wake));
            }
            body => part.waiting.push((node, body)),
        }
    }
    Grown { counts, wakes, cells, commands, sinks }
}

type Others<'a> = (&'a Arc<Counts>, &'a [Arc<TaskWake>], &'a [Arc<Door>]);

/// Rings for the edges that begin, with the ends that are not there yet.
fn begin(
    change: &Change,
    part: &Part<'_>,
    held: &mut HeldCells<'_>,
    (counts, wakes, doors): Others<'_>,
) -> Ends {
    let plan = &change.plan;
    let there = part.cells.len();
    let wake_of = |node: usize| -> Arc<dyn Wake> {
        match plan.nodes[node].home {
            Home::Stage(stage) if stage < there => part.cells[stage].door.clone(),
            Home::Stage(stage) => doors[stage - there].clone(),
            Home::Io => wakes[node].clone(),
        }
    };
    let mut ends = Ends {
        senders: plan.edges.iter().map(|_| None).collect(),
        receivers: plan.edges.iter().map(|_| None).collect(),
    };
    for &edge in &change.begun {
        let planned = &plan.edges[edge];
        let Some(ring_plan) = planned.ring else { continue };
        let (from, port) = planned.from;
        let counted = &counts.edges[edge];
        let (producer, consumer) = (wake_of(from), wake_of(planned.to.0));
        let (sender, mut receiver) =
            ring(ring_plan.capacity, ring_plan.on_full, counted, producer, consumer);
        match plan.place_of(from) {
            Some((stage, slot)) if stage < there => {
                let producer = at(held, stage).stage();
                receiver.begin_at(producer.next_seq(slot, port));
                producer.attach((slot, port), edge, sender, counted);
            }
            Some(_) => ends.senders[edge] = Some(sender),
            None => {
                if let Some((_, ports)) = part.lives.iter().find(|(node, _)| *node == from) {
                    ports.attach(port, (sender, counted.clone()), &mut receiver);
                }
            }
        }
        ends.receivers[edge] = Some(receiver);
    }
    ends
}

/// Tells those that leave the end of what comes to them.
fn end(change: &Change, part: &Part<'_>, held: &mut HeldCells<'_>, counts: &Counts) {
    let plan = &change.plan;
    for &edge in &change.ended {
        let planned = &plan.edges[edge];
        let (from, port) = planned.from;
        match plan.place_of(from) {
            Some((stage, slot)) => {
                let producer = at(held, stage).stage();
                match plan.place_of(planned.to.0).filter(|_| planned.ring.is_none()) {
                    Some((_, to)) => producer.detach_inside((slot, port), (to, planned.to.1)),
                    None => producer.detach((slot, port), edge),
                }
            }
            None => {
                if let Some((_, ports)) = part.lives.iter().find(|(node, _)| *node == from) {
                    ports.detach(port, &counts.edges[edge]);
                }
            }
        }
    }
}
