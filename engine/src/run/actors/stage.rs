//! Speaks for a stage.

use std::{sync::Arc, time::Duration};

use kameo::{
    actor::{Actor, ActorRef},
    error::{Infallible, SendError},
    message::{Context, Message},
    reply::DelegatedReply,
};
use tokio::sync::oneshot;

use crate::{cell::Command, fault::Fault, param::Params, run::ControlError, session::CommandLine};

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
