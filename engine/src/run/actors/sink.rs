//! Runs a sink that waits.

use std::{sync::Arc, time::Duration};

use kameo::{
    actor::{Actor, ActorRef, WeakActorRef},
    error::Infallible,
    mailbox::{MailboxReceiver, Signal},
    message::{Context, Message},
};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    body::Sink,
    plan::Plan,
    ring::Receiver,
    run::{Happened, What},
    tasks::{SinkTask, TaskTurn, TaskWake},
};

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
                    let remarks = self.task.remarks();
                    self.report(What::TaskDone { remarks });
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

impl SinkActor {
    fn report(&mut self, what: What) {
        self.over = true;
        let _ = self.events.send(Happened { session: Some(self.session), what });
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

/// Go on with another body.
pub(crate) struct SucceedSink {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) plan: Arc<Plan>,
}

impl Message<SucceedSink> for SinkActor {
    type Reply = ();

    async fn handle(&mut self, new: SucceedSink, _: &mut Context<Self, Self::Reply>) {
        let what = match self.task.succeed(new.sink, &new.plan) {
            Ok(remarks) if remarks.is_empty() => return,
            Ok(remarks) => What::Remarked { remarks },
            Err(fault) => What::Unfinished { node: self.task.node, fault },
        };
        let _ = self.events.send(Happened { session: Some(self.session), what });
    }
}

/// Take a new ring in the place of one whose producer was given up.
pub(crate) struct RewireSink {
    pub(crate) line: usize,
    pub(crate) ring: Receiver,
    /// Frames that the other ring had been given.
    pub(crate) admitted: u64,
}

impl Message<RewireSink> for SinkActor {
    type Reply = ();

    async fn handle(&mut self, rewire: RewireSink, _: &mut Context<Self, Self::Reply>) {
        self.task.rewire(rewire.line, rewire.ring, rewire.admitted);
    }
}
