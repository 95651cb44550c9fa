//! The actors around stages, sinks, live sources and calls. They carry control; frames never
//! travel in a mailbox.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kameo::{
    actor::{Actor, ActorRef, WeakActorRef},
    error::Infallible,
    mailbox::{MailboxReceiver, Signal},
    message::{Context, Message},
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
const ANSWER_MS: u64 = 3_000;

/// Speaks for one stage. Answers even while a body of the stage spins.
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

impl StageActor {
    async fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(crate::cell::Reply<T>) -> Command,
    ) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        let command = command(Box::new(move |outcome| drop(reply.send(outcome))));
        self.commands.send(command).map_err(|_| ControlError::NoAnswer)?;
        let limit = std::time::Duration::from_millis(ANSWER_MS);
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(ControlError::NoAnswer),
        }
    }
}

/// Change live parameters of a node.
pub(crate) struct SetParams {
    pub(crate) node: usize,
    pub(crate) params: Arc<Params>,
}

impl Message<SetParams> for StageActor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, set: SetParams, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let SetParams { node, params } = set;
        self.ask(|reply| Command::Set { node, params, reply }).await?.map_err(refused)
    }
}

/// Tell the state of every body.
pub(crate) struct SaveStage;

impl Message<SaveStage> for StageActor {
    type Reply = Result<Vec<(usize, Vec<u8>)>, ControlError>;

    async fn handle(&mut self, _: SaveStage, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.ask(Command::Save).await
    }
}

/// Give a body a saved state.
pub(crate) struct LoadNode {
    pub(crate) node: usize,
    pub(crate) state: Vec<u8>,
}

impl Message<LoadNode> for StageActor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, load: LoadNode, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let LoadNode { node, state } = load;
        self.ask(|reply| Command::Load { node, state, reply }).await?.map_err(refused)
    }
}

/// Do something that needs no answer.
pub(crate) struct Order(pub(crate) Command);

impl Message<Order> for StageActor {
    type Reply = Result<(), ControlError>;

    async fn handle(&mut self, order: Order, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.commands.send(order.0).map_err(|_| ControlError::NoAnswer)
    }
}

fn refused(fault: Fault) -> ControlError {
    ControlError::Refused(fault.to_string())
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

    /// Takes frames while there are some, else waits for a wake-up or a message. Safe to
    /// cancel anywhere: frames are taken in `turn`, which does not await.
    async fn next(
        &mut self,
        _: WeakActorRef<Self>,
        mailbox: &mut MailboxReceiver<Self>,
    ) -> Result<Option<Signal<Self>>, Infallible> {
        loop {
            if self.over {
                return Ok(mailbox.recv().await);
            }
            match self.task.turn() {
                TaskTurn::More => tokio::task::yield_now().await,
                TaskTurn::Idle => {
                    tokio::select! {
                        biased;
                        () = self.wake.0.notified() => {}
                        signal = mailbox.recv() => return Ok(signal),
                    }
                }
                TaskTurn::Until(at) => {
                    let left = at.since(self.task.now()).max(0) as u64;
                    tokio::time::sleep(std::time::Duration::from_nanos(left)).await;
                }
                TaskTurn::Done => self.report(What::TaskDone),
                TaskTurn::Failed(fault) => {
                    let node = self.task.node;
                    self.report(What::TaskFailed { node, fault });
                }
            }
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
