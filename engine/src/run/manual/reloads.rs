//! Another plan for a graph that is driven by hand.

use std::sync::Arc;

use crate::{
    body::Body,
    fault::Fault,
    plan::{Becomes, Change, Plan},
    time::Timestamp,
};

use super::{
    super::{
        ReloadError, ReloadReport, RolledBack,
        reload::{self, Bodies, Done, NotDone, Part, TRIAL},
    },
    ManualRun,
};

/// A plan that was put in just now.
pub(super) struct Trial {
    until: Timestamp,
    back: Change,
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
        let (old, nodes) = (self.plan.clone(), change.nodes.clone());
        let Done { report, mut before, .. } = self.put_in(change, Bodies::new())?;
        let until = self.clock.now().plus_nanos(TRIAL.as_nanos() as i64);
        let before = before.remove(&0).unwrap_or_default();
        let back = Change { plan: old, nodes };
        self.trial = Some(Trial { until, back, before });
        Ok(report)
    }

    /// Why the plan that was put in last was taken out again, if it was; told once.
    pub fn rolled_back(&mut self) -> Option<RolledBack> {
        self.rolled_back.take()
    }

    fn put_in(&mut self, change: Change, there: Bodies) -> Result<Done, ReloadError> {
        let params = reload::params(&self.knobs, &self.plan, &change);
        let (mut bodies, waiting) =
            reload::build(&change, 0, &params, &there).map_err(ReloadError::Build)?;
        bodies.extend(there);
        let session = &self.session;
        let mut parts = [Part {
            session: 0,
            cells: &session.cells,
            counts: &session.counts,
            knobs: &self.knobs,
            epoch: 0,
            bodies: &mut bodies,
        }];
        let done = reload::apply(&self.plan, &change, &mut parts);
        let done = done.map_err(|why| match why {
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
        let is_other = |node: &usize| change.nodes[*node] != Becomes::Kept;
        self.records.retain(|node, _| !is_other(node));
        self.restarts.retain(|&(_, stage, slot)| !is_other(&change.plan.stages[stage].nodes[slot]));
        self.plan = change.plan;
        Ok(done)
    }

    /// A body on trial has failed: what stood there before comes back. Says whether that is so.
    pub(super) fn fails_on_trial(&mut self, now: Timestamp, node: usize, fault: &Fault) -> bool {
        let is_new = |trial: &mut Trial| now <= trial.until && trial.back.rebuilds(node);
        let Some(Trial { back, before, .. }) = self.trial.take_if(is_new) else { return false };
        let name = self.plan.nodes[node].name.clone();
        match self.put_in(back, before) {
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
