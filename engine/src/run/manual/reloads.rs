//! Another plan for a graph that is driven by hand.

use std::sync::Arc;

use crate::{
    body::Body,
    cell::Command,
    fault::Fault,
    plan::{Becomes, Change, Plan},
    session::latencies,
    time::{Clock, Timestamp},
};

use super::{
    super::{
        ReloadError, ReloadReport, RolledBack,
        reload::{self, Bodies, Done, Ground, Grown, NotDone, Part, TRIAL},
    },
    ManualRun,
};

/// A plan that was put in just now.
pub(super) struct Trial {
    until: Timestamp,
    /// What ran before.
    plan: Arc<Plan>,
    /// By node, whether its body is new.
    is_new: Vec<bool>,
    before: Bodies,
}

impl ManualRun {
    /// Puts another plan of the same graph in the place of the one that runs, as
    /// [`Running::reload`](crate::Running::reload).
    ///
    /// # Errors
    /// Why nothing has changed.
    pub fn reload(&mut self, plan: &Arc<Plan>) -> Result<ReloadReport, ReloadError> {
        let change = self.plan.change_to(plan).map_err(ReloadError::Refused)?;
        self.trial = None;
        let plan = self.plan.clone();
        let is_new = (0..change.nodes.len()).map(|node| change.renews(node)).collect();
        let Done { report, mut before, .. } = self.put_in(change, Bodies::new())?;
        let until = self.clock.now().plus_nanos(TRIAL.as_nanos() as i64);
        let before = before.remove(&0).unwrap_or_default();
        self.trial = Some(Trial { until, plan, is_new, before });
        Ok(report)
    }

    /// Why the plan that was put in last was taken out again, if it was; told once.
    pub fn rolled_back(&mut self) -> Option<RolledBack> {
        self.rolled_back.take()
    }

    fn put_in(&mut self, change: Change, there: Bodies) -> Result<Done, ReloadError> {
        let params = reload::params(&self.knobs, &self.plan, &change);
        let (mut bodies, mut waiting) =
            reload::build(&change, 0, &params, &there).map_err(ReloadError::Build)?;
        bodies.extend(there);
        let session = &self.session;
        let mut parts = [Part {
            session: 0,
            cells: &session.cells,
            counts: &session.counts,
            knobs: &self.knobs,
            epoch: 0,
            pace: self.pace,
            wakes: &session.wakes,
            lives: Vec::new(),
            bodies: &mut bodies,
            waiting: &mut waiting,
        }];
        let cores: Vec<_> = self.cores.iter().map(|core| core.shared.clone()).collect();
        let ground = Ground {
            cores: &cores,
            clock: &Clock::Manual(self.clock.clone()),
            latency: &latencies(&change.plan),
            onlooker: None,
        };
        let done = reload::apply(&ground, &self.plan, &change, &mut parts);
        let mut done = done.map_err(|why| match why {
            NotDone::Busy => ReloadError::Busy,
            NotDone::Never(error) => error,
        })?;
        for (node, body) in waiting {
            let sink = self.session.sinks.iter_mut().find(|sink| sink.node == node);
            if let (Some(sink), Body::Sink(body)) = (sink, body) {
                let told = sink.succeed(body, &change.plan);
                let name = || change.plan.nodes[node].name.clone();
                match told {
                    Ok(all) => self.remarks.extend(all.into_iter().map(|(_, text)| (name(), text))),
                    Err(fault) => self.faults.push((name(), fault.to_string())),
                }
            }
        }
        if let Some(grown) = done.grown.remove(&0) {
            self.grow(grown);
        }
        for (stage, slot) in change.leaving() {
            self.command(stage, Command::Close { slot });
        }
        let is_other = |node: &usize| change.nodes[*node] != Becomes::Kept;
        self.records.retain(|node, _| !is_other(node));
        self.restarts.retain(|&(_, stage, slot)| !is_other(&change.plan.stages[stage].nodes[slot]));
        self.plan = change.plan;
        Ok(done)
    }

    /// Starts what has come.
    fn grow(&mut self, grown: Grown) {
        let Grown { counts, wakes, cells, commands, sinks } = grown;
        (self.session.counts, self.session.wakes) = (counts, wakes);
        for cell in &cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        self.stages_left += cells.len();
        self.session.cells.extend(cells);
        self.session.commands.extend(commands);
        self.sinks_left.extend(sinks.iter().map(|_| true));
        self.session.sinks.extend(sinks);
    }

    /// A body on trial has failed: what stood there before comes back. Says whether that is so.
    pub(super) fn fails_on_trial(&mut self, now: Timestamp, node: usize, fault: &Fault) -> bool {
        let is_new = |trial: &mut Trial| {
            now <= trial.until && trial.is_new.get(node).copied().unwrap_or(false)
        };
        let Some(Trial { plan, before, .. }) = self.trial.take_if(is_new) else { return false };
        let name = self.plan.nodes[node].name.clone();
        let back = self.plan.change_to(&plan).map_err(ReloadError::Refused);
        match back.and_then(|back| self.put_in(back, before)) {
            Ok(_) => {
                self.rolled_back = Some(RolledBack { node: name, fault: fault.to_string() });
                true
            }
            Err(error) => {
                self.faults.push((name, format!("cannot be put back: {error}")));
                false
            }
        }
    }
}
