//! Another plan for a graph that runs.
//!
//! ```text
//! compare ─▶ build what is new, aside ─▶ hold the cells that change, between two turns
//!                 │ refused: nothing has changed       │ tune · exchange bodies · adopt the plan
//!                                                      ▼
//!                             trial: a new body that fails at once is taken out again, with all
//!                             that came with it, and the old ones go on where they were
//! ```
//!
//! Cells whose nodes are what they were are not touched at all. What is new stands in cells of its own, behind
//! rings that begin between two turns; what leaves is told the end of its streams and goes when it is through.

mod grow;
mod told;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    body::Body,
    cell::{Cell, Held},
    core::CoreShared,
    fault::Fault,
    live::LivePorts,
    param::Params,
    plan::{Becomes, Change, Home, Plan},
    session::{Counts, Latencies, OpenError, build_body},
    stage::{Exchanged, Pace, SlotBody, Wiring},
    tap::Onlooker,
    tasks::TaskWake,
    time::Clock,
};

use super::opened::Knobs;

pub(super) use grow::Grown;
pub use told::{ReloadError, ReloadReport, Renewed, RolledBack};

/// So long a new body is on trial: if it fails before, the old one is put back.
pub(super) const TRIAL: Duration = Duration::from_secs(1);

/// A body on its way into a slot.
pub(super) enum New {
    /// One that has just been built.
    Built(SlotBody),
    /// The one that stood there before.
    Before(Exchanged),
}

/// New bodies by node, of those on data cores.
pub(super) type Bodies = BTreeMap<usize, New>;

/// New bodies by node, of those that wait.
pub(super) type WaitingBodies = Vec<(usize, Body)>;

/// A session on its way to another plan.
pub(super) struct Part<'a> {
    pub(super) session: u32,
    pub(super) cells: &'a [Arc<Cell>],
    pub(super) counts: &'a Arc<Counts>,
    pub(super) knobs: &'a Knobs,
    pub(super) epoch: u32,
    pub(super) pace: Pace,
    pub(super) wakes: &'a [Arc<TaskWake>],
    pub(super) lives: Vec<(usize, Arc<LivePorts>)>,
    pub(super) bodies: &'a mut Bodies,
    pub(super) waiting: &'a mut WaitingBodies,
}

/// Where sessions grow.
pub(super) struct Ground<'a> {
    pub(super) cores: &'a [Arc<CoreShared>],
    pub(super) clock: &'a Clock,
    /// Of the plan that runs then.
    pub(super) latency: &'a Latencies,
    pub(super) onlooker: Option<&'a Onlooker>,
}

/// So long one look waits for turns to end: longer than most take.
const PATIENCE: Duration = Duration::from_millis(2);

/// What has been put in.
pub(super) struct Done {
    pub(super) report: ReloadReport,
    /// What stood there before, by session and node.
    pub(super) before: BTreeMap<u32, Bodies>,
    /// What has come to each session, if something has come or gone.
    pub(super) grown: BTreeMap<u32, Grown>,
    /// What waits for another body all the same: session, stage and slot.
    pub(super) troubles: Vec<(u32, usize, usize)>,
}

/// Why nothing was put in.
pub(super) enum NotDone {
    /// Some body is at work; later, perhaps.
    Busy,
    /// It will not be.
    Never(ReloadError),
}

/// Builds the new bodies of a session, but for those `there` are; it may take its time.
pub(super) fn build(
    change: &Change,
    session: u32,
    params: &[Params],
    there: &Bodies,
) -> Result<(Bodies, WaitingBodies), OpenError> {
    let (mut bodies, mut waiting) = (Bodies::new(), WaitingBodies::new());
    for (number, becomes) in change.nodes.iter().enumerate() {
        if !change.renews(number) || there.contains_key(&number) {
            continue;
        }
        let planned = &change.plan.nodes[number];
        debug_assert!(matches!(becomes, Becomes::Rebuilt { .. } | Becomes::Added));
        let body = build_body(&change.plan, number, &params[number], session)
            .map_err(|error| OpenError::Build { node: planned.name.clone(), error })?;
        match planned.home {
            Home::Stage(_) => drop(bodies.insert(number, New::Built(SlotBody::of(body)))),
            Home::Io => waiting.push((number, body)),
        }
    }
    Ok((bodies, waiting))
}

/// The parameters of every node of a session by then: what was turned by hand stays, unless the graph says
/// something else than before.
pub(super) fn params(knobs: &Knobs, now: &Plan, change: &Change) -> Vec<Params> {
    let of = |(node, becomes): (usize, &Becomes)| {
        let after = &change.plan.nodes[node].params;
        match becomes {
            Becomes::Rebuilt { is_alike: false } | Becomes::Added => after.clone(),
            _ => {
                let before = &now.nodes[node].params;
                let turned = knobs.turned(node);
                turned.map_or_else(|| after.clone(), |turned| turned.over(before, after))
            }
        }
    };
    change.nodes.iter().enumerate().map(of).collect()
}

/// Gives sessions another plan, all of them or none.
pub(super) fn apply(
    ground: &Ground<'_>,
    now: &Plan,
    change: &Change,
    parts: &mut [Part<'_>],
) -> Result<Done, NotDone> {
    let began = Instant::now();
    let until = began + PATIENCE;
    let held: Option<Vec<_>> = parts.iter().map(|part| hold(change, part.cells, until)).collect();
    let mut held = held.ok_or(NotDone::Busy)?;
    fit(change, parts, &mut held).map_err(NotDone::Never)?;
    if !held.iter_mut().all(|held| grow::may_end(change, held)) {
        return Err(NotDone::Busy);
    }
    let doors = grow::doors(ground, change, parts).map_err(NotDone::Never)?;
    if let Err(error) = tune(now, change, parts, &mut held) {
        doors.iter().flatten().for_each(|door| door.core.place(door.number, None));
        return Err(NotDone::Never(error));
    }
    let mut done = Done {
        report: ReloadReport::default(),
        before: BTreeMap::new(),
        grown: BTreeMap::new(),
        troubles: Vec::new(),
    };
    let mut fresh = Vec::new();
    for ((part, held), doors) in parts.iter_mut().zip(&mut held).zip(doors) {
        let before = put_in(change, part, held, &mut fresh);
        done.before.insert(part.session, before);
        let troubles = held.iter_mut().filter_map(|(&stage, cell)| {
            Some((part.session, stage, cell.stage().trouble_mut()?.slot))
        });
        done.troubles.extend(troubles);
        if change.is_of_shape() {
            done.grown.insert(part.session, grow::grow(ground, change, part, held, doors));
        }
        part.cells.iter().for_each(|cell| cell.adopt(&change.plan));
        part.knobs.adopt(now, change);
    }
    drop(held);
    let held_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    done.report = told::report(change, &fresh, held_ns);
    Ok(done)
}

/// The cells of a session that change, by stage.
type HeldCells<'a> = BTreeMap<usize, Held<'a>>;

fn hold<'a>(change: &Change, cells: &'a [Arc<Cell>], until: Instant) -> Option<HeldCells<'a>> {
    // A core at full speed leaves a cell for no more than a moment.
    let hold = |cell: &'a Arc<Cell>| loop {
        match cell.hold() {
            None if Instant::now() < until => std::hint::spin_loop(),
            held => return held,
        }
    };
    (0..cells.len())
        .filter(|&stage| change.concerns(stage))
        .map(|stage| Some((stage, hold(&cells[stage])?)))
        .collect()
}

/// The stage that holds a slot's cell.
fn at<'h, 'a>(held: &'h mut HeldCells<'a>, stage: usize) -> &'h mut Held<'a> {
    held.get_mut(&stage).expect("cells that change are held")
}

/// That every new body can stand where it shall.
fn fit(change: &Change, parts: &[Part<'_>], held: &mut [HeldCells<'_>]) -> Result<(), ReloadError> {
    for (part, held) in parts.iter().zip(held) {
        for (&node, new) in &*part.bodies {
            let (Some((stage, slot)), New::Built(body)) = (change.plan.place_of(node), new) else {
                continue;
            };
            if change.nodes[node] == Becomes::Added {
                continue;
            }
            if !at(held, stage).stage().could_take(slot, body) {
                let fault = Fault::new("the kind built another sort of body than before");
                let node = change.plan.nodes[node].name.clone();
                return Err(ReloadError::Untold { node, fault });
            }
        }
    }
    Ok(())
}

/// Tells bodies that go on of their parameters; all of them or none.
fn tune(
    now: &Plan,
    change: &Change,
    parts: &[Part<'_>],
    held: &mut [HeldCells<'_>],
) -> Result<(), ReloadError> {
    let mut told: Vec<(usize, usize)> = Vec::new();
    let tuned = change.nodes.iter().enumerate();
    let tuned: Vec<usize> = tuned
        .filter_map(|(node, becomes)| match becomes {
            Becomes::Tuned(keys) => {
                let kind = change.plan.nodes[node].kind;
                keys.iter().any(|key| kind.param(key).is_some()).then_some(node)
            }
            _ => None,
        })
        .collect();
    for (number, part) in parts.iter().enumerate() {
        let params = params(part.knobs, now, change);
        for &node in &tuned {
            let Some((stage, _)) = change.plan.place_of(node) else { continue };
            let params = Arc::new(params[node].clone());
            let done = at(&mut held[number], stage).tune(&change.plan, node, &params);
            let Err(fault) = done else {
                told.push((number, node));
                continue;
            };
            for (number, node) in told.into_iter().rev() {
                let (stage, _) = now.place_of(node).expect("it was told there");
                let params = Arc::new(parts[number].knobs.of(now, node));
                // It knew these before.
                let _ = at(&mut held[number], stage).tune(now, node, &params);
            }
            let node = change.plan.nodes[node].name.clone();
            return Err(ReloadError::Untold { node, fault });
        }
    }
    Ok(())
}

/// Puts the new bodies of a session in, and gives those that stood there before. Notes which begin `fresh`.
fn put_in(
    change: &Change,
    part: &mut Part<'_>,
    held: &mut HeldCells<'_>,
    fresh: &mut Vec<usize>,
) -> Bodies {
    let mut before = Bodies::new();
    for (node, becomes) in change.nodes.iter().enumerate() {
        let Some((stage, slot)) = change.plan.place_of(node) else { continue };
        if !matches!(becomes, Becomes::Tuned(_) | Becomes::Rebuilt { .. }) {
            continue;
        }
        let cell = at(held, stage);
        let (clock, pace) = (cell.stage().clock.clone(), cell.stage().pace);
        let wiring = Wiring {
            plan: &change.plan,
            session: part.session,
            counts: part.counts,
            clock: &clock,
            pace,
            epoch: part.epoch,
            onlooker: None,
        };
        match part.bodies.remove(&node) {
            None => cell.stage().treat(wiring, slot),
            // It has said all it had to say; its like would have ended by now as well.
            Some(New::Built(SlotBody::Source(_))) if cell.stage().has_ended_at(slot) => {}
            Some(New::Built(body)) => {
                let is_alike = *becomes == Becomes::Rebuilt { is_alike: true };
                let old = cell.exchange(wiring, slot, body, is_alike);
                if old.state.is_none() {
                    fresh.push(node);
                }
                if !matches!(old.body, SlotBody::Empty) {
                    before.insert(node, New::Before(old));
                }
            }
            Some(New::Before(old)) => cell.put_back(wiring, slot, old),
        }
    }
    before
}

#[cfg(all(test, not(loom)))]
mod tests;
