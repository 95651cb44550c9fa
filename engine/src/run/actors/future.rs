//! Runs a live source.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kameo::{
    actor::{Actor, ActorRef, WeakActorRef},
    error::{ActorStopReason, Infallible},
    message::{Context, Message},
};
use tokio::{sync::mpsc::UnboundedSender, task::AbortHandle};

use crate::run::{Happened, What};

/// Runs one live source on the I/O runtime, as one future.
pub(crate) struct FutureActor {
    running: AbortHandle,
    paused: Option<Arc<AtomicBool>>,
}

/// The future, which gives how it ended, of which session it is, and the flag that pauses it.
pub(crate) struct FutureArgs {
    pub(crate) session: u32,
    pub(crate) future: Pin<Box<dyn Future<Output = What> + Send>>,
    pub(crate) paused: Option<Arc<AtomicBool>>,
    pub(crate) events: UnboundedSender<Happened>,
}

impl Actor for FutureActor {
    type Args = FutureArgs;
    type Error = Infallible;

    async fn on_start(args: Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let FutureArgs { session, future, paused, events } = args;
        let running = tokio::spawn(async move {
            let what = future.await;
            let _ = events.send(Happened { session: Some(session), what });
        });
        Ok(Self { running: running.abort_handle(), paused })
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorStopReason,
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
