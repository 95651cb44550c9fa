//! [`Dialer`]: calls one address until somebody answers.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{Endpoint, live::Live, lost};
use crate::driver::{Calls, Connection};

/// Calls one address.
pub struct Dialer {
    endpoint: Endpoint,
    address: SocketAddr,
    name: String,
    config: quinn::ClientConfig,
    /// The oldest first.
    calls: VecDeque<Call>,
    called: Option<Instant>,
}

type Call = Pin<Box<dyn Future<Output = Result<quinn::Connection, String>> + Send>>;

/// Of calls that go on at once, the oldest gives way.
const CALLS_MAX: usize = 16;
/// A call that nobody has answered by then is given up. A handshake takes one round trip, and two where
/// the other side is so busy that it wants to see the caller's address proved.
const CALL_LASTS: Duration = Duration::from_secs(1);
/// One that goes on is given so much time before the next is begun beside it.
const CALL_AFTER: Duration = Duration::from_millis(100);

impl Dialer {
    pub(super) fn new(
        endpoint: Endpoint,
        address: SocketAddr,
        name: &str,
        config: quinn::ClientConfig,
    ) -> Self {
        let calls = VecDeque::new();
        Self { endpoint, address, name: name.to_owned(), config, calls, called: None }
    }
}

impl Calls for Dialer {
    fn call(&mut self) {
        // A handshake takes a round trip; each that is begun beside it is work for both sides.
        let now = Instant::now();
        let is_soon = self.called.is_some_and(|called| now.duration_since(called) < CALL_AFTER);
        if is_soon && !self.calls.is_empty() {
            return;
        }
        if self.calls.len() == CALLS_MAX {
            self.calls.pop_front();
        }
        self.called = Some(now);
        let address = self.address;
        // Begun here: the first packet does not wait until somebody asks for the answer.
        let call = self.endpoint.inner.connect_with(self.config.clone(), address, &self.name);
        let until = tokio::time::Instant::now() + CALL_LASTS;
        self.calls.push_back(Box::pin(async move {
            let call = call.map_err(|error| format!("{address} cannot be called: {error}"))?;
            match tokio::time::timeout_at(until, call).await {
                Ok(called) => called.map_err(|error| format!("{address}: {}", lost(&error))),
                Err(_) => Err(format!("{address} does not answer")),
            }
        }));
    }

    fn stop(&mut self) {
        self.calls.clear();
    }

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        let delay = self.endpoint.settings.datagram_delay;
        for n in 0..self.calls.len() {
            let Poll::Ready(called) = self.calls[n].as_mut().poll(context) else { continue };
            // Who calls tries another address where one is in vain: each is told of.
            let error = match called {
                Ok(connection) => {
                    self.calls.clear();
                    return Poll::Ready(Ok(Box::new(Live::new(connection, delay, None))));
                }
                Err(error) => error,
            };
            drop(self.calls.remove(n));
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }
}
