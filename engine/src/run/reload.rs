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

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    body::Body,
    cell::{Cell, Held},
    core::CoreShared,
    fault::Fault,
    graph::Diagnostics,
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

/// So long a new body is on trial: if it fails before, the old one is put back.
pub(super) const TRIAL: Duration = Duration::from_secs(1);

/// What has become of a graph that was given another plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadReport {
    /// Nodes that were not touched.
    pub kept: Vec<String>,
    /// Nodes whose body went on, with the keys that changed.
    pub tuned: Vec<(String, Vec<String>)>,
    /// Nodes that got a new body.
    pub rebuilt: Vec<Renewed>,
    /// Nodes that are new.
    pub added: Vec<String>,
    /// Nodes that are there no more.
    pub removed: Vec<String>,
    /// Nanoseconds for which those were held that are at work.
    pub held_ns: u64,
}

/// A node that got a new body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Its name.
    pub node: String,
    /// Whether the new body has taken up what the old one knew, in every session. Otherwise it began
    /// fresh: what it says next follows a gap, of reason `restart`.
    pub has_state: bool,
}

/// Why a graph that runs was not given another plan: it goes on as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// What has changed cannot take effect while it runs.
    Refused(Diagnostics),
    /// A body cannot be built.
    Build(OpenError),
    /// A body does not take another value for a parameter.
    Untold {
        /// The node.
        node: String,
        /// What it says.
        fault: Fault,
    },
    /// Another plan is being put in, or a body does not come back from its turn.
    Busy,
    /// The run has ended.
    Ended,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problems) => problems.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Untold { node, fault } => write!(f, "node `{node}`: {fault}"),
            Self::Busy => f.write_str("another change is under way, or a body does not return"),
            Self::Ended => f.write_str("the run has ended"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// A plan that was taken out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The node whose new body failed.
    pub node: String,
    /// How.
    pub fault: String,
}

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
    let held: Option<Vec<_>> = parts.iter().map(|part| hold(change, part.cells)).collect();
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
    done.report = report(change, &fresh, held_ns);
    Ok(done)
}

/// The cells of a session that change, by stage.
type HeldCells<'a> = BTreeMap<usize, Held<'a>>;

fn hold<'a>(change: &Change, cells: &'a [Arc<Cell>]) -> Option<HeldCells<'a>> {
    (0..cells.len())
        .filter(|&stage| change.concerns(stage))
        .map(|stage| Some((stage, cells[stage].hold()?)))
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

fn report(change: &Change, fresh: &[usize], held_ns: u64) -> ReloadReport {
    let mut report = ReloadReport { held_ns, ..ReloadReport::default() };
    for (number, (node, becomes)) in change.plan.nodes.iter().zip(&change.nodes).enumerate() {
        let name = node.name.clone();
        match becomes {
            Becomes::Tuned(keys) if keys.is_empty() => report.kept.push(name),
            Becomes::Kept => report.kept.push(name),
            Becomes::Added => report.added.push(name),
            Becomes::Removed => report.removed.push(name),
            Becomes::Gone => {}
            Becomes::Tuned(keys) => report.tuned.push((name, keys.clone())),
            Becomes::Rebuilt { .. } => {
                // Bodies that wait keep nothing for their successors.
                let has_state = node.home != Home::Io && !fresh.contains(&number);
                report.rebuilt.push(Renewed { node: name, has_state });
            }
        }
    }
    // What was told apart by its number is one that another has taken the place of.
    let bare = |name: &String| name.split('~').next().unwrap_or_default().to_owned();
    report.removed = report.removed.iter().map(bare).collect();
    let is_followed = |name: &String| report.removed.contains(name);
    let followed: Vec<_> = report.added.iter().filter(|name| is_followed(name)).cloned().collect();
    report.added.retain(|name| !followed.contains(name));
    report.removed.retain(|name| !followed.contains(name));
    let anew = followed.into_iter().map(|node| Renewed { node, has_state: false });
    report.rebuilt.extend(anew);
    report
}

#[cfg(all(test, not(loom)))]
mod tests;
