//! [`Incoming`]: connections of one session's caller, as they come.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::driver::{Calls, Connection};

/// Connections that wait to be taken up; of more the oldest are of no use any more.
const WAITING_MAX: usize = 4;

/// Where whoever accepts connections puts those of one session.
pub(super) type Door = mpsc::Sender<Box<dyn Connection>>;

/// Never calls: who is called waits.
pub(super) struct Incoming(mpsc::Receiver<Box<dyn Connection>>);

impl Incoming {
    pub(super) fn new() -> (Door, Self) {
        let (door, calls) = mpsc::channel(WAITING_MAX);
        (door, Self(calls))
    }
}

impl Calls for Incoming {
    fn call(&mut self) {}

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        match self.0.poll_recv(context) {
            Poll::Ready(Some(connection)) => Poll::Ready(Ok(connection)),
            // Nobody accepts any more; what runs goes on.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
