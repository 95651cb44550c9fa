//! [`Listener`]: takes calls, and hears who calls.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use engine::Timestamp;
use rustls::pki_types::CertificateDer;
use tokio::task::JoinSet;

use super::{Endpoint, live::Live};
use crate::{
    driver::Connection,
    trust::{Door, Handshake, Knocked, Refused, peer_key},
    wire::{Assembler, CONTROL_MAX, Hello, Message},
};

/// Accepts connections, and reads who calls before anybody looks for the session.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    door: Door,
    /// From where the door counts time.
    start: Instant,
    greeting: JoinSet<Option<Arrival>>,
}

/// Somebody who called and said who it is.
pub struct Arrival {
    /// What it said first; the connection says it again to the session.
    pub hello: Hello,
    /// Its certificate as DER, which the handshake has proved to be its own; none if none was asked for.
    pub peer: Option<Vec<u8>>,
    /// Where it called from.
    pub from: SocketAddr,
    /// To be handed to the session's driver.
    pub connection: Box<dyn Connection>,
}

impl Listener {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let door = Door::new(endpoint.settings.limits.clone());
        Self { endpoint, door, start: Instant::now(), greeting: JoinSet::new() }
    }

    /// The next who called and said who it is; none once the endpoint is closed. What goes wrong before
    /// that, and whoever takes too long, is dropped here.
    pub async fn accept(&mut self) -> Option<Arrival> {
        loop {
            tokio::select! {
                incoming = self.endpoint.inner.accept() => self.greet(incoming?),
                Some(greeted) = self.greeting.join_next() => {
                    if let Ok(Some(arrival)) = greeted {
                        return Some(arrival);
                    }
                }
            }
        }
    }

    /// How often somebody was turned away.
    pub fn refused(&self) -> Refused {
        self.door.refused()
    }

    fn greet(&mut self, incoming: quinn::Incoming) {
        let settings = &self.endpoint.settings;
        if self.endpoint.inner.open_connections() >= settings.limits.connections_max {
            incoming.refuse();
            return;
        }
        let now = Timestamp::ZERO + self.start.elapsed();
        let is_proved = incoming.remote_address_validated();
        match self.door.knock(now, incoming.remote_address().ip(), is_proved) {
            Knocked::Accept(handshake) => {
                let within = settings.limits.handshake_timeout;
                let greeted = greeted(incoming, handshake, settings.datagram_delay);
                let greeted = tokio::time::timeout(within, greeted);
                self.greeting.spawn(async move { greeted.await.ok().flatten() });
            }
            // Nothing is kept of it; it comes back with what it was given.
            Knocked::Retry => drop(incoming.retry()),
            Knocked::Refuse => incoming.refuse(),
        }
    }
}

/// Shakes hands, and reads the first message of the first stream, which must be a hello.
async fn greeted(
    incoming: quinn::Incoming,
    handshake: Handshake,
    delay: Duration,
) -> Option<Arrival> {
    let connection = incoming.accept().ok()?.await.ok()?;
    let mut stream = connection.accept_uni().await.ok()?;
    let (mut assembler, mut bytes) = (Assembler::default(), Vec::new());
    let hello = loop {
        let chunk = stream.read_chunk(CONTROL_MAX, true).await.ok()??;
        assembler.push(&chunk.bytes);
        bytes.extend_from_slice(&chunk.bytes);
        if let Some((_, record)) = assembler.next(CONTROL_MAX).ok()? {
            match Message::read(record.kind, record.body).ok()?? {
                Message::Hello(hello) => break *hello,
                _ => return None,
            }
        }
    };
    let peer = certificate(&connection);
    let from = connection.remote_address();
    let key = peer.as_deref().and_then(|peer| peer_key(&CertificateDer::from(peer)));
    // Who was asked for no key has no share of its own.
    let inside = key.map(|key| handshake.enter(key)).transpose().ok()?;
    let mut connection = Box::new(Live::new(connection, delay, Some((stream, bytes))));
    connection.count_as(inside);
    Some(Arrival { hello, peer, from, connection })
}

fn certificate(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().map(|first| first.to_vec())
}
