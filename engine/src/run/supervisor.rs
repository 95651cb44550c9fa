//! The supervisor: opens and closes sessions, decides about faults, passes control on.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kameo::{
    actor::{Actor, ActorRef, Spawn, WeakActorRef},
    error::Infallible,
    mailbox::{MailboxReceiver, Signal},
    message::{Context, Message},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};

use crate::{
    cell::{Cell, Command},
    fault::{Fault, FaultClass},
    graph::{Spanned, Value},
    param::Params,
    plan::{Home, Plan},
    session::{Counts, Ground, Session},
    stage::SlotBody,
    supervise::{Record, Verdict},
    tasks::{TaskWake, is_closed},
};

use super::{
    ControlError, Outcome, Question, Shared, Snapshot,
    actors::{
        FutureActor, FutureArgs, LoadNode, Order, PauseSource, SaveStage, SetParams, SinkActor,
        StageActor,
    },
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
    RestartDue { stage: usize, slot: usize },
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
    /// The sessions a run begins with are open.
    Opened,
    /// End all sources.
    DrainAll,
    /// End everything now.
    HaltAll,
}

/// A session that runs.
pub(super) struct OpenSession {
    pub(super) cells: Vec<Arc<Cell>>,
    pub(super) stages: Vec<ActorRef<StageActor>>,
    pub(super) sinks: Vec<(usize, ActorRef<SinkActor>)>,
    tasks: Vec<ActorRef<FutureActor>>,
    pub(super) lives: Vec<(usize, Arc<crate::live::LivePorts>, Arc<Notify>)>,
    pub(super) wakes: Vec<Arc<TaskWake>>,
    pub(super) epoch: u32,
    pub(super) counts: Arc<Counts>,
    pub(super) params: Vec<Params>,
    records: BTreeMap<usize, Record>,
    /// Parts that have not ended.
    left: usize,
}

/// See the module.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    happened: mpsc::UnboundedReceiver<Happened>,
    io: Option<Handle>,
    sessions: BTreeMap<u32, OpenSession>,
    next: u32,
    /// The sessions a run begins with are open; before, an empty house means nothing.
    opened: bool,
    fault: Option<(String, String, FaultClass)>,
}

/// What the supervisor starts from.
pub(crate) struct Args {
    pub(crate) shared: Arc<Shared>,
    pub(crate) happened: mpsc::UnboundedReceiver<Happened>,
    pub(crate) io: Option<Handle>,
}

impl Actor for Supervisor {
    type Args = Args;
    type Error = Infallible;

    async fn on_start(args: Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let Args { shared, happened, io } = args;
        Ok(Self {
            shared,
            happened,
            io,
            sessions: BTreeMap::new(),
            next: 0,
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
                Some(happened) = self.happened.recv() => self.handle_event(happened).await,
                signal = mailbox.recv() => return Ok(signal),
            }
        }
    }
}

impl Supervisor {
    fn plan(&self) -> &Arc<Plan> {
        &self.shared.plan
    }

    async fn handle_event(&mut self, happened: Happened) {
        let Happened { session, what } = happened;
        match (session, what) {
            (Some(session), What::Trouble { stage, slot, fault }) => {
                self.trouble(session, stage, slot, fault).await;
            }
            (Some(session), What::RestartDue { stage, slot }) => {
                self.restart(session, stage, slot).await;
            }
            (Some(session), What::StageDone { remarks }) => {
                if !remarks.is_empty() {
                    let sessions = &self.shared.sessions;
                    sessions.lock().unwrap_or_else(PoisonError::into_inner).remark(remarks);
                }
                self.part_ended(session).await;
            }
            (Some(session), What::TaskDone) => self.part_ended(session).await,
            (Some(session), What::TaskFailed { node, fault }) => {
                self.blame(node, &fault);
                self.drain(session).await;
                self.part_ended(session).await;
            }
            (Some(session), What::Wedged { stage, node }) => {
                self.wedged(session, stage, node).await
            }
            (_, What::Opened) => {
                self.opened = true;
                self.end_if_empty(true);
            }
            (_, What::DrainAll) => self.for_all(Self::drain_one).await,
            (_, What::HaltAll) => {
                for session in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.finish(session).await;
                }
                self.end_if_empty(true);
            }
            (None, _) => {}
        }
    }

    async fn for_all(&mut self, order: fn() -> Command) {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.order(session, order).await;
        }
    }

    fn drain_one() -> Command {
        Command::Drain
    }

    /// Lets the sources of a session end.
    async fn drain(&mut self, session: u32) {
        self.order(session, Self::drain_one).await;
    }

    async fn order(&mut self, session: u32, order: fn() -> Command) {
        let Some(open) = self.sessions.get(&session) else { return };
        for stage in &open.stages {
            let _ = stage.ask(Order(order())).await;
        }
        // A live source has no end of its own.
        for (_, _, stop) in &open.lives {
            stop.notify_one();
        }
    }

    /// A body failed: its policy decides.
    async fn trouble(&mut self, session: u32, stage: usize, slot: usize, fault: Fault) {
        let node = self.plan().stages[stage].nodes[slot];
        let planned = &self.plan().nodes[node];
        let (on_fault, retries) = (planned.on_fault, planned.retries);
        if planned.kind.is_source() {
            // Built anew it would tell its story from the beginning. What it has delivered is
            // finished; the run ends with its fault.
            self.blame(node, &fault);
            self.drain(session).await;
            return;
        }
        let verdict = if is_closed(&fault) {
            Verdict::Stop
        } else {
            let now = self.shared.clock.now();
            let Some(open) = self.sessions.get_mut(&session) else { return };
            open.records.entry(node).or_insert_with(|| Record::new(on_fault, retries)).fault(now)
        };
        match verdict {
            Verdict::Restart(at) => {
                let left = at.since(self.shared.clock.now());
                if left <= 0 {
                    self.restart(session, stage, slot).await;
                    return;
                }
                let events = self.shared.events.clone();
                // The handle is not needed: the timer ends by itself, and its event finds nobody
                // if the session is closed by then.
                drop(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_nanos(left as u64)).await;
                    let what = What::RestartDue { stage, slot };
                    let _ = events.send(Happened { session: Some(session), what });
                }));
            }
            Verdict::Bypass => self.command(session, stage, Command::Bypass { slot }).await,
            Verdict::HoldLast => self.command(session, stage, Command::HoldLast { slot }).await,
            Verdict::Stop => {
                self.blame(node, &fault);
                self.finish(session).await;
                self.end_if_empty(false);
            }
        }
    }

    /// Puts a new body into the place of the one that failed.
    async fn restart(&mut self, session: u32, stage: usize, slot: usize) {
        let Some(open) = self.sessions.get(&session) else { return };
        let node = self.plan().stages[stage].nodes[slot];
        let plan = self.plan().clone();
        let params = &open.params[node];
        match (plan.nodes[node].kind.build)(&plan.view(node, params, session)) {
            Ok(body) => {
                self.command(session, stage, Command::Put { slot, body: SlotBody::of(body) }).await;
            }
            Err(error) => {
                let fault = Fault::new("cannot be built again").because(error);
                self.blame(node, &fault);
                self.finish(session).await;
                self.end_if_empty(false);
            }
        }
    }

    async fn command(&self, session: u32, stage: usize, command: Command) {
        if let Some(open) = self.sessions.get(&session) {
            let _ = open.stages[stage].ask(Order(command)).await;
        }
    }

    /// Keeps the first fault that ends a session; a reader that went away is none.
    fn blame(&mut self, node: usize, fault: &Fault) {
        if self.fault.is_none() && !is_closed(fault) {
            let name = self.plan().nodes[node].name.clone();
            self.fault = Some((name, fault.to_string(), fault.class()));
        }
    }

    async fn part_ended(&mut self, session: u32) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.left = open.left.saturating_sub(1);
        if open.left == 0 {
            self.finish(session).await;
            self.end_if_empty(false);
        }
    }

    /// Takes a session off the cores and adds up what it counted.
    async fn finish(&mut self, session: u32) {
        let Some(open) = self.sessions.remove(&session) else { return };
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

    fn end_if_empty(&mut self, even_unopened: bool) {
        if self.sessions.is_empty() && self.opened && (self.next > 0 || even_unopened) {
            self.shared.end(Outcome { fault: self.fault.clone() });
        }
    }

    fn open(&mut self) -> Result<u32, ControlError> {
        let number = self.next;
        let ground = Ground {
            plan: &self.shared.plan,
            cores: &self.shared.cores,
            clock: &self.shared.clock,
            pace: self.shared.pace(),
            latency: &self.shared.latency,
        };
        let session = Session::build(&ground, number).map_err(ControlError::Open)?;
        self.next += 1;
        self.shared.go_on();
        self.start(session);
        Ok(number)
    }

    fn start(&mut self, session: Session) {
        let Session { number, cells, commands, sinks, lives, calls, counts, wakes } = session;
        let left = cells.len() + sinks.len() + lives.len() + calls.len();
        let events = &self.shared.events;
        let mut open = OpenSession {
            stages: commands.into_iter().map(StageActor::spawn).collect(),
            sinks: Vec::new(),
            tasks: Vec::new(),
            lives: Vec::new(),
            params: self.plan().nodes.iter().map(|node| node.params.clone()).collect(),
            records: BTreeMap::new(),
            cells,
            counts,
            wakes,
            epoch: 0,
            left,
        };
        {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.open(number, &open.cells, &open.counts);
        }
        let _io = self.io.as_ref().map(Handle::enter);
        for sink in sinks {
            open.sinks.push((sink.node, SinkActor::spawn((sink, number, events.clone()))));
        }
        for call in calls {
            let (node, future) = (call.node, Box::pin(call.run()));
            let args =
                FutureArgs { node, session: number, future, paused: None, events: events.clone() };
            open.tasks.push(FutureActor::spawn(args));
        }
        for live in lives {
            open.lives.push((live.node, live.ports.clone(), live.stop.clone()));
            let (node, paused) = (live.node, Some(live.paused.clone()));
            let future = Box::pin(live.run());
            let args = FutureArgs { node, session: number, future, paused, events: events.clone() };
            open.tasks.push(FutureActor::spawn(args));
        }
        for cell in &open.cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        self.sessions.insert(number, open);
    }

    /// A body never returned. Its thread is left to itself with the cell it holds; a new cell with
    /// fresh bodies takes its place, and its neighbours get new rings.
    async fn wedged(&mut self, session: u32, stage: usize, node: Option<usize>) {
        let node = node.unwrap_or(self.plan().stages[stage].nodes[0]);
        let planned = &self.plan().nodes[node];
        let (on_fault, retries) = (planned.on_fault, planned.retries);
        let now = self.shared.clock.now();
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let record = open.records.entry(node).or_insert_with(|| Record::new(on_fault, retries));
        let fault = Fault::new("a turn never ended");
        // A new body at once or none: what stands around a wedged node cannot run without it.
        let goes_on = matches!(record.fault(now), Verdict::Restart(_));
        let outcome = if goes_on { self.replace(session, stage).await } else { Err(fault) };
        if let Err(fault) = outcome {
            self.blame(node, &fault);
            self.finish(session).await;
            self.end_if_empty(false);
        }
    }

    /// Puts a new cell in the place of one that was given up.
    async fn replace(&mut self, session: u32, stage: usize) -> Result<(), Fault> {
        let shared = self.shared.clone();
        let Some(open) = self.sessions.get_mut(&session) else { return Ok(()) };
        let new = replace::build(&shared, open, session, stage)?;
        let replace::Replacement { cell, commands, rewires } = new;
        let old = std::mem::replace(&mut open.cells[stage], cell.clone());
        std::mem::replace(&mut open.stages[stage], StageActor::spawn(commands)).kill();
        {
            let mut sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.replace(session, stage, &cell);
        }
        // Neighbours first: what they count as lost must be settled before the edge is used again.
        for rewire in rewires {
            rewire.deliver(open).await;
        }
        old.door.core.place(old.door.number, None);
        cell.door.core.place(cell.door.number, Some(cell.clone()));
        Ok(())
    }

    fn session(&self, session: u32) -> Result<&OpenSession, ControlError> {
        self.sessions.get(&session).ok_or(ControlError::UnknownSession(session))
    }

    /// The actor of the stage a node runs in.
    fn stage_of(
        &self,
        session: u32,
        name: &str,
    ) -> Result<(usize, ActorRef<StageActor>), ControlError> {
        let unknown = || ControlError::UnknownNode(name.to_owned());
        let open = self.session(session)?;
        let node =
            self.plan().nodes.iter().position(|node| node.name == name).ok_or_else(unknown)?;
        match self.plan().nodes[node].home {
            Home::Stage(stage) => Ok((node, open.stages[stage].clone())),
            Home::Io => Err(unknown()),
        }
    }

    async fn set(&mut self, set: Set) -> Result<(), ControlError> {
        let Set { session, node: name, param, value } = set;
        let (node, stage) = self.stage_of(session, &name)?;
        let mut params = self.session(session)?.params[node].clone();
        self.plan().check_live(node, &param, &value).map_err(ControlError::Refused)?;
        params.set(&param, value);
        // The kind's own checks, such as a frequency against the rate, count here too.
        let plan = self.plan().clone();
        (plan.nodes[node].kind.plan)(&plan.view(node, &params, session))
            .map_err(|problems| ControlError::Refused(problems.to_string()))?;
        let asked = stage.ask(SetParams { node, params: Arc::new(params.clone()) }).await;
        answer(asked)?;
        if let Some(open) = self.sessions.get_mut(&session) {
            open.params[node] = params;
        }
        Ok(())
    }
}

/// Opens one more session.
pub(crate) struct Open;

impl Question for Open {
    type Ok = u32;
}

impl Message<Open> for Supervisor {
    type Reply = Result<u32, ControlError>;

    async fn handle(&mut self, _: Open, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.open()
    }
}

/// Closes a session now.
pub(crate) struct Close(pub(crate) u32);

impl Question for Close {
    type Ok = ();
}

impl Message<Close> for Supervisor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, close: Close, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.session(close.0)?;
        self.finish(close.0).await;
        self.end_if_empty(false);
        Ok(())
    }
}

/// Changes a live parameter.
pub(crate) struct Set {
    pub(crate) session: u32,
    pub(crate) node: String,
    pub(crate) param: String,
    pub(crate) value: Spanned<Value>,
}

impl Question for Set {
    type Ok = ();
}

impl Message<Set> for Supervisor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, set: Set, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.set(set).await
    }
}

/// Stops the sources of a session, or lets them go on.
pub(crate) struct Pause {
    pub(crate) session: u32,
    pub(crate) paused: bool,
}

impl Question for Pause {
    type Ok = ();
}

impl Message<Pause> for Supervisor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, pause: Pause, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let open = self.session(pause.session)?;
        for stage in &open.stages {
            answer(stage.ask(Order(Command::Pause(pause.paused))).await)?;
        }
        for task in &open.tasks {
            let _ = task.ask(PauseSource(pause.paused)).await;
        }
        Ok(())
    }
}

/// Tells the state of every body.
pub(crate) struct Save(pub(crate) u32);

impl Question for Save {
    type Ok = Snapshot;
}

impl Message<Save> for Supervisor {
    type Reply = Result<Snapshot, ControlError>;

    async fn handle(&mut self, save: Save, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let open = self.session(save.0)?;
        let mut snapshot = Snapshot::new();
        for stage in &open.stages {
            for (node, state) in answer(stage.ask(SaveStage).await)? {
                snapshot.insert(self.plan().nodes[node].name.clone(), state);
            }
        }
        Ok(snapshot)
    }
}

/// Gives bodies saved states.
pub(crate) struct Load {
    pub(crate) session: u32,
    pub(crate) snapshot: Snapshot,
}

impl Question for Load {
    type Ok = ();
}

impl Message<Load> for Supervisor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, load: Load, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        for (name, state) in load.snapshot {
            let (node, stage) = self.stage_of(load.session, &name)?;
            answer(stage.ask(LoadNode { node, state }).await)?;
        }
        Ok(())
    }
}

/// The answer of an actor that may be gone.
fn answer<T, M>(
    asked: Result<T, kameo::error::SendError<M, ControlError>>,
) -> Result<T, ControlError> {
    asked.map_err(|error| match error {
        kameo::error::SendError::HandlerError(error) => error,
        _ => ControlError::Ended,
    })
}
