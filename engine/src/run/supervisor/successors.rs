//! What becomes of a stage whose body never returned.

use std::sync::PoisonError;

use crate::{fault::Fault, stage::SlotBody, supervise::Verdict};

use super::{super::replace, Happened, Supervisor, What};

impl Supervisor {
    /// A body never returned. Its thread is left to itself with the cell it holds; a new cell with
    /// fresh bodies takes its place, and its neighbours get new rings.
    pub(super) fn wedged(&mut self, session: u32, stage: usize, node: Option<usize>) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.versions[stage] += 1;
        let node = node.unwrap_or(self.plan.stages[stage].nodes[0]);
        self.succeed(session, stage, node, &Fault::new("a turn never ended"));
    }

    /// Has new bodies built for all of a stage, if the policy of the node to blame allows.
    fn succeed(&mut self, session: u32, stage: usize, node: usize, fault: &Fault) {
        let (plan, now) = (self.plan().clone(), self.now());
        let Some(open) = self.sessions.get_mut(&session) else { return };
        // A new body or none: what stands around a wedged node cannot run without it.
        let Verdict::Restart(at) = open.verdict(&plan, node, now) else {
            return self.give_up(session, node, fault);
        };
        let what = What::ReplaceDue { stage, version: open.versions[stage] };
        if at <= now { self.happened_in(session, what) } else { self.later(at, session, what) }
    }

    /// Builds new bodies for all of a stage.
    pub(super) fn replace(&self, session: u32, stage: usize, version: u32) {
        let (plan, knobs) = (self.plan(), &self.sessions[&session].knobs);
        let params = plan.stages[stage].nodes.iter().map(|&node| knobs.of(plan, node)).collect();
        self.aside(session, move |plan| {
            let bodies = replace::bodies(plan, stage, params, session);
            What::Replaced { stage, version, bodies }
        });
    }

    /// Puts a new cell in the place of one that was given up.
    pub(super) fn replaced(
        &mut self,
        session: u32,
        stage: usize,
        bodies: Result<Vec<SlotBody>, (usize, Fault)>,
    ) {
        let bodies = match bodies {
            Ok(bodies) => bodies,
            Err((node, fault)) => return self.succeed(session, stage, node, &fault),
        };
        let shared = self.shared.clone();
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let new = match replace::build(&shared, open, session, stage, bodies) {
            Ok(new) => new,
            Err(fault) => {
                return self.give_up(session, shared.plan().stages[stage].nodes[0], &fault);
            }
        };
        let replace::Replacement { cell, commands, rewires } = new;
        let old = open.succeed(stage, &cell, commands);
        old.door.core.place(old.door.number, None);
        {
            let mut sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.replace(session, stage, &cell);
        }
        // Neighbours first: what they count as lost must be settled before the edge is used again.
        let settled: Vec<_> = rewires.into_iter().filter_map(|new| new.deliver(open)).collect();
        let version = open.versions[stage];
        let events = shared.events.clone();
        drop(tokio::spawn(async move {
            let each: Vec<_> = settled.into_iter().map(tokio::spawn).collect();
            for one in each {
                let _ = one.await;
            }
            let what = What::Settled { stage, version };
            let _ = events.send(Happened { session: Some(session), what });
        }));
    }
}
