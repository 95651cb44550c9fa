//! The actors around stages, sinks, live sources and calls. They carry control; frames never
//! travel in a mailbox.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kameo::{
    actor::{Actor, ActorRef, WeakActorRef},
    error::{Infallible, SendError},
    mailbox::{MailboxReceiver, Signal},
    message::{Context, Message},
    reply::DelegatedReply,
};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{
    cell::Command,
    fault::Fault,
    param::Params,
    session::CommandLine,
    tasks::{SinkTask, TaskTurn, TaskWake},
};

use super::{ControlError, Happened, What};

/// How long a stage may take to answer: a turn is microseconds, unless a body is wedged.
const ANSWER: Duration = Duration::from_millis(3_000);
/// Between two looks whether a stage has read some of its commands.
const ROOM: Duration = Duration::from_millis(5);

/// Speaks for one stage. Takes messages even while a body of the stage spins: it waits for
/// no answer itself.
pub(crate) struct StageActor {
    commands: Arc<CommandLine>,
}

impl Actor for StageActor {
    type Args = Arc<CommandLine>;
    type Error = Infallible;

    async fn on_start(commands: Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self { commands })
    }
}

/// What a message to a stage answers, later.
type Later<T> = DelegatedReply<Result<T, ControlError>>;

impl StageActor {
    /// Passes a command on; whoever asked gets the answer when the stage gives it.
    fn ask<T: Send + 'static, U: Send + 'static>(
        &self,
        context: &mut Context<Self, Later<U>>,
        command: impl FnOnce(crate::cell::Reply<T>) -> Command,
        told: impl FnOnce(T) -> Result<U, ControlError> + Send + 'static,
    ) -> Later<U> {
        let (reply, answer) = oneshot::channel();
        let command = command(Box::new(move |outcome| drop(reply.send(outcome))));
        if self.commands.send(command).is_err() {
            return context.reply(Err(ControlError::NoAnswer));
        }
        context.spawn(async move {
            match tokio::time::timeout(ANSWER, answer).await {
                Ok(Ok(answer)) => told(answer),
                Ok(Err(_)) | Err(_) => Err(ControlError::NoAnswer),
            }
        })
    }
}

/// Asks the actor of a stage. One that is gone, as its cell was given up, gives no answer.
pub(crate) async fn ask_stage<M, T>(
    stage: &ActorRef<StageActor>,
    message: M,
) -> Result<T, ControlError>
where
    M: Send + 'static,
    T: Send + 'static,
    StageActor: Message<M, Reply = Later<T>>,
{
    match tokio::time::timeout(ANSWER, async { stage.ask(message).await }).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(SendError::HandlerError(error))) => Err(error),
        Ok(Err(_)) | Err(_) => Err(ControlError::NoAnswer),
    }
}

/// Change live parameters of a node.
pub(crate) struct SetParams {
    pub(crate) node: usize,
    pub(crate) params: Arc<Params>,
}

impl Message<SetParams> for StageActor {
    type Reply = Later<()>;

    async fn handle(
        &mut self,
        set: SetParams,
        context: &mut Context<Self, Later<()>>,
    ) -> Later<()> {
        let SetParams { node, params } = set;
        self.ask(context, |reply| Command::Set { node, params, reply }, refused)
    }
}

/// Tell the state of every body.
pub(crate) struct SaveStage;

/// Nodes and their states.
pub(crate) type Saved = Vec<(usize, Vec<u8>)>;

impl Message<SaveStage> for StageActor {
    type Reply = Later<Saved>;

    async fn handle(
        &mut self,
        _: SaveStage,
        context: &mut Context<Self, Later<Saved>>,
    ) -> Later<Saved> {
        self.ask(context, Command::Save, Ok)
    }
}

/// Give a body a saved state.
pub(crate) struct LoadNode {
    pub(crate) node: usize,
    pub(crate) state: Vec<u8>,
}

impl Message<LoadNode> for StageActor {
    type Reply = Later<()>;

    async fn handle(
        &mut self,
        load: LoadNode,
        context: &mut Context<Self, Later<()>>,
    ) -> Later<()> {
        let LoadNode { node, state } = load;
        self.ask(context, |reply| Command::Load { node, state, reply }, refused)
    }
}

/// Do something that needs no answer, and must not be lost while the cell is there.
pub(crate) struct Order(pub(crate) Command);

impl Message<Order> for StageActor {
    type Reply = ();

    /// Waits until there is room; what comes after it waits in the mailbox, in order.
    async fn handle(&mut self, order: Order, _: &mut Context<Self, Self::Reply>) {
        let mut command = order.0;
        while let Err(back) = self.commands.send(command) {
            command = back;
            tokio::time::sleep(ROOM).await;
        }
    }
}

fn refused(outcome: Result<(), Fault>) -> Result<(), ControlError> {
    outcome.map_err(|fault| ControlError::Refused(fault.to_string()))
}

/// Runs one sink on the I/O runtime.
pub(crate) struct SinkActor {
    task: SinkTask,
    wake: Arc<TaskWake>,
    session: u32,
    events: UnboundedSender<Happened>,
    over: bool,
}

impl Actor for SinkActor {
    type Args = (SinkTask, u32, UnboundedSender<Happened>);
    type Error = Infallible;

    async fn on_start(args: Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let (task, session, events) = args;
        let wake = task.wake.clone();
        Ok(Self { task, wake, session, events, over: false })
    }

    /// Takes frames while there are some, else waits for a wake-up; looks for messages in between
    /// either way. Safe to cancel anywhere: frames are taken in `turn`, which does not await.
    async fn next(
        &mut self,
        _: WeakActorRef<Self>,
        mailbox: &mut MailboxReceiver<Self>,
    ) -> Result<Option<Signal<Self>>, Infallible> {
        loop {
            if self.over {
                return Ok(mailbox.recv().await);
            }
            let pause = match self.task.turn() {
                TaskTurn::More => Pause::None,
                TaskTurn::Idle => Pause::UntilWoken,
                TaskTurn::Until(at) => {
                    let left = at.since(self.task.now()).max(0) as u64;
                    Pause::For(Duration::from_nanos(left))
                }
                TaskTurn::Done => {
                    self.report(What::TaskDone);
                    continue;
                }
                TaskTurn::Failed(fault) => {
                    let node = self.task.node;
                    self.report(What::TaskFailed { node, fault });
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = pause.over(&self.wake) => {}
                signal = mailbox.recv() => return Ok(signal),
            }
            // A message does not wait for the end of what may never end.
            if let Ok(signal) = mailbox.try_recv() {
                return Ok(Some(signal));
            }
        }
    }
}

/// What a sink does between two turns.
enum Pause {
    None,
    UntilWoken,
    For(Duration),
}

impl Pause {
    async fn over(self, wake: &TaskWake) {
        match self {
            Self::None => tokio::task::yield_now().await,
            Self::UntilWoken => wake.0.notified().await,
            Self::For(pause) => tokio::time::sleep(pause).await,
        }
    }
}

/// Take a new ring in the place of one whose producer was given up.
pub(crate) struct RewireSink {
    pub(crate) line: usize,
    pub(crate) ring: crate::ring::Receiver,
}

impl Message<RewireSink> for SinkActor {
    type Reply = ();

    async fn handle(&mut self, rewire: RewireSink, _: &mut Context<Self, Self::Reply>) {
        self.task.rewire(rewire.line, rewire.ring);
    }
}

impl SinkActor {
    fn report(&mut self, what: What) {
        self.over = true;
        let _ = self.events.send(Happened { session: Some(self.session), what });
    }
}

/// Runs one live source or call on the I/O runtime, as one future.
pub(crate) struct FutureActor {
    running: tokio::task::AbortHandle,
    paused: Option<Arc<AtomicBool>>,
}

/// The future, who runs it, and the flag that pauses it.
pub(crate) struct FutureArgs {
    pub(crate) node: usize,
    pub(crate) session: u32,
    pub(crate) future: std::pin::Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>,
    pub(crate) paused: Option<Arc<AtomicBool>>,
    pub(crate) events: UnboundedSender<Happened>,
}

impl Actor for FutureActor {
    type Args = FutureArgs;
    type Error = Infallible;

    async fn on_start(args: Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let FutureArgs { node, session, future, paused, events } = args;
        let running = tokio::spawn(async move {
            let what = match future.await {
                Ok(()) => What::TaskDone,
                Err(fault) => What::TaskFailed { node, fault },
            };
            let _ = events.send(Happened { session: Some(session), what });
        });
        Ok(Self { running: running.abort_handle(), paused })
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: kameo::error::ActorStopReason,
    ) -> Result<(), Infallible> {
        self.running.abort();
        Ok(())
    }
}

/// Stop or go on.
pub(crate) struct PauseSource(pub(crate) bool);

impl Message<PauseSource> for FutureActor {
    type Reply = ();

    async fn handle(&mut self, pause: PauseSource, _: &mut Context<Self, Self::Reply>) {
        if let Some(paused) = &self.paused {
            paused.store(pause.0, Ordering::Relaxed);
        }
    }
}
