//! The supervisor: opens and closes sessions, decides about faults. It waits for nobody: what takes
//! its time (building bodies, answers of stages) is done elsewhere and comes back as an event.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kameo::{
    actor::{Actor, ActorRef, Spawn, WeakActorRef},
    error::Infallible,
    mailbox::{self, MailboxReceiver, Signal},
    reply::ReplySender,
};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    body::Body,
    cell::Command,
    fault::{Fault, FaultClass},
    kind::BuildError,
    plan::Plan,
    session::{Ground, OpenError, Session, build_bodies, build_body},
    stage::SlotBody,
    supervise::Verdict,
    tasks::is_closed,
    time::Timestamp,
};

use super::{
    ControlError, Outcome, Shared,
    actors::{FutureActor, FutureArgs, SinkActor},
    leaving,
    opened::{Course, Knobs, OpenSession, stage_actor},
    replace,
};

/// Something that happened in a session, or (without one) is wanted of all.
pub(crate) struct Happened {
    pub(crate) session: Option<u32>,
    pub(crate) what: What,
}

/// What happened.
pub(crate) enum What {
    /// A body on a data core failed.
    Trouble { stage: usize, slot: usize, fault: Fault },
    /// The pause before a restart is over.
    RestartDue { stage: usize, slot: usize, version: u32 },
    /// A body to take the place of the one that failed, or none.
    Rebuilt { stage: usize, slot: usize, version: u32, body: Result<Body, BuildError> },
    /// Every stream of a stage has ended.
    StageDone {
        /// What sources have to say about it, by node.
        remarks: Vec<(usize, String)>,
    },
    /// A sink, live source or call has ended.
    TaskDone,
    /// A sink, live source or call has failed for good.
    TaskFailed { node: usize, fault: Fault },
    /// A body never returned; its cell was given up.
    Wedged { stage: usize, node: Option<usize> },
    /// The pause before a stage that was given up is built again is over.
    ReplaceDue { stage: usize, version: u32 },
    /// Bodies for a stage that was given up, or the node that has none.
    Replaced { stage: usize, version: u32, bodies: Result<Vec<Body>, (usize, Fault)> },
    /// The neighbours of a new cell know it.
    Settled { stage: usize, version: u32 },
    /// The bodies of a new session, or why it has none.
    Built(NewSession),
    /// The sessions a run begins with are open.
    Opened,
    /// End all sources.
    DrainAll,
    /// End everything now.
    HaltAll,
}

/// A session that was asked for.
pub(crate) struct NewSession {
    bodies: Result<Vec<Body>, OpenError>,
    reply: Option<ReplySender<Result<u32, ControlError>>>,
    /// What had been asked of all sessions when it was asked for.
    asked: Asked,
}

/// How often all sessions were asked to drain, and to halt.
#[derive(Clone, Copy, Default)]
struct Asked {
    drains: u32,
    halts: u32,
}

/// See the module.
pub(crate) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    happened: mpsc::UnboundedReceiver<Happened>,
    io: Option<Handle>,
    sinks: BTreeMap<usize, Handle>,
    pub(super) sessions: BTreeMap<u32, OpenSession>,
    next: u32,
    /// Sessions whose bodies are being built.
    building: u32,
    asked: Asked,
    /// The sessions a run begins with are open; before, an empty house means nothing.
    opened: bool,
    fault: Option<(String, String, FaultClass)>,
}

/// What the supervisor starts from.
pub(crate) struct Args {
    pub(crate) shared: Arc<Shared>,
    pub(crate) happened: mpsc::UnboundedReceiver<Happened>,
    /// Where live sources and calls wait.
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
            shared,
            happened,
            io,
            sinks,
            sessions: BTreeMap::new(),
            next: 0,
            building: 0,
            asked: Asked::default(),
            opened: false,
            fault: None,
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
        &self.shared.plan
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
            What::DrainAll => {
                self.asked.drains += 1;
                self.sessions.values_mut().for_each(OpenSession::drain);
            }
            What::HaltAll => {
                self.asked.halts += 1;
                for session in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.finish(session);
                }
                self.end_if_empty(true);
            }
            _ => {}
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
            What::StageDone { remarks } => {
                if !remarks.is_empty() {
                    let sessions = &self.shared.sessions;
                    sessions.lock().unwrap_or_else(PoisonError::into_inner).remark(remarks);
                }
                self.part_ended(session);
            }
            What::TaskDone => self.part_ended(session),
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
            What::Opened | What::DrainAll | What::HaltAll => {}
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

    /// A body failed: its policy decides.
    fn trouble(&mut self, session: u32, stage: usize, slot: usize, fault: Fault) {
        let node = self.plan().stages[stage].nodes[slot];
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
            Verdict::Stop => self.give_up(session, node, &fault),
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

    /// Builds a new body for the place of the one that failed.
    fn restart(&self, session: u32, stage: usize, slot: usize) {
        let Some(open) = self.sessions.get(&session) else { return };
        let node = self.plan().stages[stage].nodes[slot];
        let (params, version) = (open.knobs.of(self.plan(), node), open.versions[stage]);
        self.aside(session, move |plan| {
            let body = build_body(plan, node, &params, session);
            What::Rebuilt { stage, slot, version, body }
        });
    }

    fn rebuilt(&mut self, session: u32, stage: usize, slot: usize, body: Result<Body, BuildError>) {
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

    /// A fault that nothing can be done about ends the session.
    fn give_up(&mut self, session: u32, node: usize, fault: &Fault) {
        self.blame(node, fault);
        self.finish(session);
        self.end_if_empty(false);
    }

    /// Keeps the first fault that ends a session; a reader that went away is none.
    fn blame(&mut self, node: usize, fault: &Fault) {
        if self.fault.is_none() && !is_closed(fault) {
            let name = self.plan().nodes[node].name.clone();
            self.fault = Some((name, fault.to_string(), fault.class()));
        }
    }

    fn part_ended(&mut self, session: u32) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.left = open.left.saturating_sub(1);
        if open.left == 0 {
            self.finish(session);
            self.end_if_empty(false);
        }
    }

    /// Takes a session off the cores and adds up what it counted.
    pub(super) fn finish(&mut self, session: u32) {
        let Some(open) = self.sessions.remove(&session) else { return };
        // Kept before they leave, so that the watchdog finds them at every moment.
        if self.shared.leaving.add(open.cells.iter().cloned()) {
            drop(tokio::spawn(leaving::sweep(self.shared.leaving.clone())));
        }
        for cell in &open.cells {
            cell.door.core.place(cell.door.number, None);
        }
        for stage in open.stages {
            stage.kill();
        }
        for (_, sink) in open.sinks {
            sink.kill();
        }
        for task in open.tasks {
            task.kill();
        }
        let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.close(session, &open.counts);
    }

    pub(super) fn end_if_empty(&mut self, even_unopened: bool) {
        let to_come = self.next == 0 || self.building > 0;
        if self.sessions.is_empty() && self.opened && (even_unopened || !to_come) {
            self.shared.end(Outcome { fault: self.fault.clone() });
        }
    }

    /// Begins to build a session; who asked is answered when it is open.
    pub(super) fn build(&mut self, reply: Option<ReplySender<Result<u32, ControlError>>>) {
        let (session, asked) = (self.next, self.asked);
        self.next += 1;
        self.building += 1;
        self.aside(session, move |plan| {
            What::Built(NewSession { bodies: build_bodies(plan, session), reply, asked })
        });
    }

    fn open(&mut self, session: u32, new: NewSession) {
        self.building -= 1;
        let NewSession { bodies, reply, asked } = new;
        let opened = if asked.halts == self.asked.halts {
            bodies.and_then(|bodies| self.wire(session, bodies)).map_err(ControlError::Open)
        } else {
            Err(ControlError::Ended)
        };
        if opened.is_ok() && asked.drains != self.asked.drains {
            self.drain(session);
        }
        if let Some(reply) = reply {
            reply.send(opened.map(|()| session));
        }
        self.end_if_empty(false);
    }

    fn wire(&mut self, number: u32, bodies: Vec<Body>) -> Result<(), OpenError> {
        let ground = Ground {
            plan: &self.shared.plan,
            cores: &self.shared.cores,
            clock: &self.shared.clock,
            pace: self.shared.pace(),
            latency: &self.shared.latency,
        };
        let (session, course) =
            (Session::wire(&ground, number, bodies)?, Course::new(ground.pace.start));
        self.shared.go_on();
        self.start(session, course);
        Ok(())
    }

    fn start(&mut self, session: Session, course: Course) {
        let Session { number, cells, commands, sinks, lives, calls, counts, wakes } = session;
        let left = cells.len() + sinks.len() + lives.len() + calls.len();
        let events = &self.shared.events;
        let mut open = OpenSession {
            stages: commands.into_iter().map(stage_actor).collect(),
            sinks: Vec::new(),
            tasks: Vec::new(),
            lives: Vec::new(),
            knobs: Knobs::new(self.plan()),
            records: BTreeMap::new(),
            versions: vec![0; cells.len()],
            cells,
            counts,
            wakes,
            epoch: 0,
            left,
            course,
        };
        {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.open(number, &open.cells, &open.counts);
        }
        for sink in sinks {
            let node = sink.node;
            let _here = self.sinks.get(&node).map(Handle::enter);
            let args = (sink, number, events.clone());
            open.sinks.push((node, SinkActor::spawn_with_mailbox(args, mailbox::unbounded())));
        }
        let _io = self.io.as_ref().map(Handle::enter);
        let spawn = |args| FutureActor::spawn_with_mailbox(args, mailbox::unbounded());
        for call in calls {
            let (node, future) = (call.node, Box::pin(call.run()));
            let args =
                FutureArgs { node, session: number, future, paused: None, events: events.clone() };
            open.tasks.push(spawn(args));
        }
        for live in lives {
            open.lives.push((live.node, live.ports.clone(), live.stop.clone()));
            let (node, paused) = (live.node, Some(live.paused.clone()));
            let future = Box::pin(live.run());
            let args = FutureArgs { node, session: number, future, paused, events: events.clone() };
            open.tasks.push(spawn(args));
        }
        for cell in &open.cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        self.sessions.insert(number, open);
    }

    /// A body never returned. Its thread is left to itself with the cell it holds; a new cell with
    /// fresh bodies takes its place, and its neighbours get new rings.
    fn wedged(&mut self, session: u32, stage: usize, node: Option<usize>) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.versions[stage] += 1;
        let node = node.unwrap_or(self.shared.plan.stages[stage].nodes[0]);
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
    fn replace(&self, session: u32, stage: usize, version: u32) {
        let (plan, knobs) = (self.plan(), &self.sessions[&session].knobs);
        let params = plan.stages[stage].nodes.iter().map(|&node| knobs.of(plan, node)).collect();
        self.aside(session, move |plan| {
            let bodies = replace::bodies(plan, stage, params, session);
            What::Replaced { stage, version, bodies }
        });
    }

    /// Puts a new cell in the place of one that was given up.
    fn replaced(&mut self, session: u32, stage: usize, bodies: Result<Vec<Body>, (usize, Fault)>) {
        let bodies = match bodies {
            Ok(bodies) => bodies,
            Err((node, fault)) => return self.succeed(session, stage, node, &fault),
        };
        let shared = self.shared.clone();
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let new = match replace::build(&shared, open, session, stage, bodies) {
            Ok(new) => new,
            Err(fault) => {
                return self.give_up(session, shared.plan.stages[stage].nodes[0], &fault);
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
