//! The supervisor: opens and closes sessions, decides about faults. It waits for nobody: what takes
//! its time (building bodies, answers of stages) is done elsewhere and comes back as an event.

mod arrivals;
mod faults;
mod happened;
mod reloads;
mod sessions;
mod successors;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kameo::{
    actor::{Actor, ActorRef, WeakActorRef},
    error::Infallible,
    mailbox::{MailboxReceiver, Signal},
};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{fault::FaultClass, plan::Plan, time::Timestamp};

use super::{ControlError, Outcome, Shared, opened::OpenSession};

use happened::Asked;
pub(crate) use happened::{Happened, What};
use reloads::Reloads;
pub(crate) use reloads::{Reload, Reloading};

/// See the module.
pub(crate) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    /// What runs.
    plan: Arc<Plan>,
    happened: mpsc::UnboundedReceiver<Happened>,
    io: Option<Handle>,
    sinks: BTreeMap<usize, Handle>,
    pub(super) sessions: BTreeMap<u32, OpenSession>,
    next: u32,
    /// Sessions whose bodies are being built.
    building: u32,
    asked: Asked,
    /// Sessions may come yet, though none is there.
    expects: bool,
    /// That was so from the start.
    comes_and_goes: bool,
    /// The sessions a run begins with are open; before, an empty house means nothing.
    opened: bool,
    fault: Option<(String, String, FaultClass)>,
    reloads: Reloads,
}

/// What the supervisor starts from.
pub(crate) struct Args {
    pub(crate) shared: Arc<Shared>,
    pub(crate) happened: mpsc::UnboundedReceiver<Happened>,
    /// Where live sources wait.
    pub(crate) io: Option<Handle>,
    /// Where sinks wait, by node.
    pub(crate) sinks: BTreeMap<usize, Handle>,
}

impl Actor for Supervisor {
    type Args = Args;
    type Error = Infallible;

    async fn on_start(args: Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let Args { shared, happened, io, sinks } = args;
        Ok(Self {
            plan: shared.plan(),
            shared,
            happened,
            io,
            sinks,
            sessions: BTreeMap::new(),
            next: 0,
            building: 0,
            asked: Asked::default(),
            expects: false,
            comes_and_goes: false,
            opened: false,
            fault: None,
            reloads: Reloads::default(),
        })
    }

    /// Messages and events, whichever comes first. Both receivers are safe to cancel.
    async fn next(
        &mut self,
        _: WeakActorRef<Self>,
        mailbox: &mut MailboxReceiver<Self>,
    ) -> Result<Option<Signal<Self>>, Infallible> {
        loop {
            tokio::select! {
                biased;
                Some(Happened { session, what }) = self.happened.recv() => match session {
                    Some(session) => self.happened_in(session, what),
                    None => self.wanted(what),
                },
                signal = mailbox.recv() => return Ok(signal),
            }
        }
    }
}

impl Supervisor {
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn wanted(&mut self, what: What) {
        match what {
            What::Opened => {
                self.opened = true;
                self.end_if_empty(true);
            }
            What::DoorsOpen => {
                (self.opened, self.expects, self.comes_and_goes) = (true, true, true);
            }
            What::NoMore => self.expect_no_more(),
            What::DrainAll => {
                self.asked.drains += 1;
                self.sessions.values_mut().for_each(OpenSession::drain);
                self.expect_no_more();
            }
            What::HaltAll => {
                self.asked.halts += 1;
                self.expects = false;
                for session in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.finish(session);
                }
                self.end_if_empty(true);
            }
            What::Renewed(reloading, failed) => self.renewed(*reloading, failed),
            What::ReloadDue(reloading) => self.reload_due(*reloading),
            What::TrialOver { version } => self.trial_over(version),
            _ => {}
        }
    }

    fn expect_no_more(&mut self) {
        if std::mem::take(&mut self.expects) {
            self.end_if_empty(self.building == 0);
        }
    }

    fn happened_in(&mut self, session: u32, what: What) {
        match what {
            What::Built(new) => self.open(session, new),
            What::Trouble { stage, slot, fault } => self.trouble(session, stage, slot, fault),
            What::RestartDue { stage, slot, version } => {
                if self.is_current(session, stage, version) {
                    self.restart(session, stage, slot);
                }
            }
            What::Rebuilt { stage, slot, version, body } => {
                if self.is_current(session, stage, version) {
                    self.rebuilt(session, stage, slot, body);
                }
            }
            What::StageDone { remarks } | What::TaskDone { remarks } => {
                if !remarks.is_empty() {
                    let sessions = &self.shared.sessions;
                    sessions.lock().unwrap_or_else(PoisonError::into_inner).remark(remarks);
                }
                self.part_ended(session);
            }
            What::TaskFailed { node, fault } => {
                self.blame(node, &fault);
                self.drain(session);
                self.part_ended(session);
            }
            What::Wedged { stage, node } => self.wedged(session, stage, node),
            What::ReplaceDue { stage, version } => {
                if self.is_current(session, stage, version) {
                    self.replace(session, stage, version);
                }
            }
            What::Replaced { stage, version, bodies } => {
                if self.is_current(session, stage, version) {
                    self.replaced(session, stage, bodies);
                }
            }
            What::Settled { stage, version } => {
                if self.is_current(session, stage, version) {
                    let cell = &self.sessions[&session].cells[stage];
                    cell.door.core.place(cell.door.number, Some(cell.clone()));
                }
            }
            What::Overdue => {
                if self.sessions.contains_key(&session) {
                    self.finish(session);
                    self.end_if_empty(false);
                }
            }
            What::Remarked { remarks } => {
                let sessions = &self.shared.sessions;
                sessions.lock().unwrap_or_else(PoisonError::into_inner).remark(remarks);
            }
            What::Unfinished { node, fault } => self.blame(node, &fault),
            What::Opened
            | What::DoorsOpen
            | What::NoMore
            | What::DrainAll
            | What::HaltAll
            | What::Renewed(..)
            | What::ReloadDue(_)
            | What::TrialOver { .. } => {}
        }
    }

    /// Whether a session is open and a stage of it still the one that this was meant for.
    fn is_current(&self, session: u32, stage: usize, version: u32) -> bool {
        self.sessions.get(&session).is_some_and(|open| open.versions[stage] == version)
    }

    /// Lets the sources of a session end.
    fn drain(&mut self, session: u32) {
        if let Some(open) = self.sessions.get_mut(&session) {
            open.drain();
        }
    }

    /// Whether no session is open and none will come.
    fn has_ended(&self) -> bool {
        self.sessions.is_empty() && self.opened && !self.expects && self.building == 0
    }

    fn part_ended(&mut self, session: u32) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.left = open.left.saturating_sub(1);
        if open.left == 0 {
            self.finish(session);
            self.end_if_empty(false);
        }
    }

    pub(super) fn end_if_empty(&mut self, even_unopened: bool) {
        let to_come = self.next == 0 || self.building > 0;
        if self.sessions.is_empty() && self.opened && !self.expects && (even_unopened || !to_come) {
            self.shared.end(Outcome { fault: self.fault.clone() });
        }
    }

    /// Says something at a moment of the clock. It finds nobody if the session is closed by then.
    fn later(&self, at: Timestamp, session: u32, what: What) {
        let (events, left) = (self.shared.events.clone(), at.since(self.now()).max(0));
        // The handle is not needed: the timer ends by itself.
        drop(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_nanos(left as u64)).await;
            let _ = events.send(Happened { session: Some(session), what });
        }));
    }

    /// Does something that may take its time, off the control runtime's only thread.
    fn aside(&self, session: u32, work: impl FnOnce(&Plan) -> What + Send + 'static) {
        let (events, plan) = (self.shared.events.clone(), self.plan().clone());
        drop(tokio::task::spawn_blocking(move || {
            let _ = events.send(Happened { session: Some(session), what: work(&plan) });
        }));
    }
}
