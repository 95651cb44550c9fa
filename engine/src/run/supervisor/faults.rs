//! What becomes of a body that failed.

use std::sync::PoisonError;

use crate::{
    body::Body, cell::Command, fault::Fault, kind::BuildError, session::build_body,
    stage::SlotBody, supervise::Verdict, tasks::is_closed,
};

use super::{Supervisor, What};

/// So long what is inside may take to its end after a fault that ends the session.
const LAST_NS: i64 = 1_000_000_000;

impl Supervisor {
    /// A body failed: its policy decides.
    pub(super) fn trouble(&mut self, session: u32, stage: usize, slot: usize, fault: Fault) {
        let node = self.plan().stages[stage].nodes[slot];
        self.note_fault(node, &fault);
        if !is_closed(&fault) && self.fails_on_trial(node, &fault) {
            return;
        }
        if self.plan().nodes[node].kind.is_source() {
            // Built anew it would tell its story from the beginning. What it has delivered is
            // finished; the run ends with its fault.
            self.blame(node, &fault);
            self.drain(session);
            return;
        }
        let (plan, now) = (self.plan().clone(), self.now());
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let verdict =
            if is_closed(&fault) { Verdict::Stop } else { open.verdict(&plan, node, now) };
        match verdict {
            Verdict::Restart(at) if at <= now => self.restart(session, stage, slot),
            Verdict::Restart(at) => {
                let version = open.versions[stage];
                let what = What::RestartDue { stage, slot, version };
                self.later(at, session, what);
            }
            Verdict::Bypass => open.command(stage, Command::Bypass { slot }),
            Verdict::HoldLast => open.command(stage, Command::HoldLast { slot }),
            Verdict::Stop => {
                // What it has said goes on to its end; nothing more comes.
                open.command(stage, Command::Close { slot });
                self.blame(node, &fault);
                self.drain(session);
                self.later(now.plus_nanos(LAST_NS), session, What::Overdue);
            }
        }
    }

    /// Builds a new body for the place of the one that failed.
    pub(super) fn restart(&self, session: u32, stage: usize, slot: usize) {
        let Some(open) = self.sessions.get(&session) else { return };
        let node = self.plan().stages[stage].nodes[slot];
        let (params, version) = (open.knobs.of(self.plan(), node), open.versions[stage]);
        self.aside(session, move |plan| {
            let body = build_body(plan, node, &params, session);
            What::Rebuilt { stage, slot, version, body }
        });
    }

    pub(super) fn rebuilt(
        &mut self,
        session: u32,
        stage: usize,
        slot: usize,
        body: Result<Body, BuildError>,
    ) {
        match body {
            Ok(body) => {
                let body = SlotBody::of(body);
                self.sessions[&session].command(stage, Command::Put { slot, body });
            }
            // One more fault: what it needs may be there again after a while.
            Err(error) => {
                let fault = Fault::new("cannot be built again").because(error);
                self.trouble(session, stage, slot, fault);
            }
        }
    }

    /// A fault that nothing can be done about ends the session at once.
    pub(super) fn give_up(&mut self, session: u32, node: usize, fault: &Fault) {
        self.blame(node, fault);
        self.finish(session);
        self.end_if_empty(false);
    }

    /// Keeps what went wrong in a node, for whoever asks why.
    fn note_fault(&self, node: usize, fault: &Fault) {
        if !is_closed(fault) {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.fault(node, fault.to_string(), self.now());
        }
    }

    /// Keeps the first fault that ends a session; a reader that went away is none.
    pub(super) fn blame(&mut self, node: usize, fault: &Fault) {
        self.note_fault(node, fault);
        if self.fault.is_none() && !is_closed(fault) {
            let name = self.plan().nodes[node].name.clone();
            self.fault = Some((name, fault.to_string(), fault.class()));
        }
    }
}
