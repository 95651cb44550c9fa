//! Bodies that wait: sinks and live sources, each a task of the I/O runtime.
//!
//! [`SinkTask::turn`] is plain, like a core's turn, so whole graphs can be
//! driven by hand; the actors around the tasks (see `run`) repeat it. Live
//! sources are one future each, which never unwinds: whatever a body
//! does comes back as a [`Fault`].

mod live;
mod sink;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::Notify;

use crate::{
    body::Body,
    fault::{Fault, FaultClass},
    plan::Plan,
    ring::{Receiver, Wake},
    stage::{Ends, build_body},
};

pub(crate) use live::{LiveTask, Successor};
pub(crate) use sink::{SinkTask, TaskTurn};

/// Wakes a task of the I/O runtime.
#[derive(Default)]
pub(crate) struct TaskWake(pub(crate) Notify);

impl Wake for TaskWake {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl std::task::Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Whether a sink's fault ends the run without blame.
pub(crate) fn is_closed(fault: &Fault) -> bool {
    fault.class() == FaultClass::Closed
}

fn take_receivers(plan: &Plan, node: usize, ends: &mut Ends) -> Vec<Receiver> {
    let edges = plan.nodes[node].in_edges.iter();
    edges.map(|&edge| ends.receivers[edge].take().expect("one end per edge")).collect()
}

/// Builds the body of a node once more.
fn built_again(plan: &Plan, node: usize, session: u32) -> Result<Body, Fault> {
    caught(|| {
        build_body(plan, node, session)
            .map_err(|error| Fault::new("cannot be built again").because(error))
    })
}

/// Calls a body; a panic is a fault like any other.
fn caught<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|payload| Err(Fault::panic(payload.as_ref())))
}

/// Drops a body that has failed; what it does then is of no interest.
fn bury<T>(body: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(body)));
}

/// Turns a panic of a future into a fault.
struct CatchUnwind<F>(Pin<Box<F>>);

impl<F: Future> CatchUnwind<F> {
    fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future<Output = Result<(), Fault>>> Future for CatchUnwind<F> {
    type Output = Result<(), Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)))
            .unwrap_or_else(|payload| Poll::Ready(Err(Fault::panic(payload.as_ref()))))
    }
}
