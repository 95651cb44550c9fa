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
    trust::{ALPN, Door, Handshake, Knocked, PeerKey, Reason, Refused, Unwelcome, peer_key},
    wire::{Assembler, CONTROL_MAX, Hello, Message, WireError},
};

/// The TLS alert of who has no protocol in common with us (RFC 7301).
const NO_PROTOCOL: u8 = 120;
/// With this code a connection is closed where the other side is told why.
const TURNED_AWAY: u32 = 1;

/// Accepts connections, and reads who calls before anybody looks for the session.
pub struct Listener {
    endpoint: Endpoint,
    door: Door,
    /// From where the door counts time.
    start: Instant,
    greeting: JoinSet<Result<Arrival, Option<TurnedAway>>>,
    tell: Box<dyn FnMut(TurnedAway) + Send>,
}

/// Somebody who was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// Where it called from.
    pub from: SocketAddr,
    /// Whether that address was proved to be its own.
    pub is_proved: bool,
    /// The key that it showed, if it got so far.
    pub key: Option<PeerKey>,
    /// What it is counted under.
    pub reason: Reason,
    /// What a person reads; empty where the reason says it all.
    pub why: String,
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
        Self {
            endpoint,
            door,
            start: Instant::now(),
            greeting: JoinSet::new(),
            tell: Box::new(drop),
        }
    }

    /// Has `tell` hear of everybody who is not let in, strangers at their own pace: it must not wait, and
    /// must itself see to it that it keeps little and says little.
    #[must_use]
    pub fn telling(mut self, tell: impl FnMut(TurnedAway) + Send + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }

    /// Counts whoever is turned away, here and by whom it is told.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// The next who called and said who it is; none once the endpoint is closed. What goes wrong before
    /// that, and whoever takes too long, is counted, told and dropped here.
    pub async fn accept(&mut self) -> Option<Arrival> {
        loop {
            tokio::select! {
                incoming = self.endpoint.inner.accept() => self.greet(incoming?),
                Some(greeted) = self.greeting.join_next() => match greeted {
                    Ok(Ok(arrival)) => return Some(arrival),
                    Ok(Err(Some(turned))) => {
                        // The door has counted that itself.
                        if turned.reason != Reason::Quota {
                            self.door.turn_away(turned.reason);
                        }
                        (self.tell)(turned);
                    }
                    // Who called has left, as it does if another of its calls is answered first.
                    Ok(Err(None)) | Err(_) => {}
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
        let (from, is_proved) = (incoming.remote_address(), incoming.remote_address_validated());
        if self.endpoint.inner.open_connections() >= settings.limits.connections_max {
            incoming.refuse();
            self.door.turn_away(Reason::Connections);
            return self.tell_early(from, is_proved, Reason::Connections);
        }
        let now = Timestamp::ZERO + self.start.elapsed();
        match self.door.knock(now, from.ip(), is_proved) {
            Knocked::Accept(handshake) => {
                let within = settings.limits.handshake_timeout;
                let greeted = greeted(incoming, handshake, settings.datagram_delay);
                let greeted = tokio::time::timeout(within, greeted);
                self.greeting.spawn(async move {
                    let silent = || Err(Turned::new(Reason::Silent, String::new()));
                    let greeted = greeted.await.unwrap_or_else(|_| silent().map_err(Some));
                    greeted.map_err(|turned| Some(turned?.away(from, is_proved)))
                });
            }
            // Nothing is kept of it; it comes back with what it was given.
            Knocked::Retry => drop(incoming.retry()),
            Knocked::Refuse(reason) => {
                incoming.refuse();
                self.tell_early(from, is_proved, reason);
            }
        }
    }

    fn tell_early(&mut self, from: SocketAddr, is_proved: bool, reason: Reason) {
        (self.tell)(TurnedAway { from, is_proved, key: None, reason, why: String::new() });
    }
}

/// As [`TurnedAway`], before it is known from where.
struct Turned {
    key: Option<PeerKey>,
    reason: Reason,
    why: String,
}

impl Turned {
    fn new(reason: Reason, why: String) -> Self {
        Self { key: None, reason, why }
    }

    fn protocol(why: &dyn std::fmt::Display) -> Option<Self> {
        Some(Self::new(Reason::Protocol, why.to_string()))
    }

    /// What it was that ended a connection, if it was not the other side.
    fn lost(error: &quinn::ConnectionError) -> Option<Self> {
        let error = match error {
            quinn::ConnectionError::TransportError(error) => error,
            quinn::ConnectionError::TimedOut => {
                return Some(Self::new(Reason::Silent, String::new()));
            }
            quinn::ConnectionError::ConnectionClosed(close) if is_of_tls(close.error_code) => {
                let said = Unwelcome::read(&String::from_utf8_lossy(&close.reason));
                let why = said.map_or_else(String::new, Unwelcome::to_its_host);
                return Some(Self::new(Reason::Mistrusts, why));
            }
            _ => return None,
        };
        if error.code == quinn::TransportErrorCode::crypto(NO_PROTOCOL) {
            let ours = String::from_utf8_lossy(ALPN);
            return Self::protocol(&format!("it does not offer the protocol `{ours}`"));
        }
        let (reason, key) = match Unwelcome::read(&error.reason) {
            Some(Unwelcome::Stranger(key)) => (Reason::Stranger, Some(key)),
            Some(Unwelcome::Copy(key)) => (Reason::Copy, Some(key)),
            Some(Unwelcome::List) => (Reason::List, None),
            None => return Self::protocol(error),
        };
        Some(Self { key, reason, why: String::new() })
    }

    /// `was_proved` says whether its address was known to be its own when it came.
    fn away(self, from: SocketAddr, was_proved: bool) -> TurnedAway {
        let Self { key, reason, why } = self;
        // A first packet may say these of an address that is not the sender's; whoever got further has answered there.
        let is_early = matches!(reason, Reason::Mistrusts | Reason::Protocol) && key.is_none();
        TurnedAway { from, is_proved: was_proved || !is_early, key, reason, why }
    }
}

/// Shakes hands, and reads the first message of the first stream, which must be a hello. Who is told
/// why it is turned away is one whose key has passed.
async fn greeted(
    incoming: quinn::Incoming,
    handshake: Handshake,
    delay: Duration,
) -> Result<Arrival, Option<Turned>> {
    let lost = |error| Turned::lost(&error);
    let connection = incoming.accept().map_err(lost)?.await.map_err(lost)?;
    let peer = certificate(&connection);
    let key = peer.as_deref().and_then(|peer| peer_key(&CertificateDer::from(peer)));
    let told = |mut turned: Turned| {
        turned.key = key;
        connection.close(TURNED_AWAY.into(), turned.why.as_bytes());
        turned
    };
    let mut stream = connection.accept_uni().await.map_err(lost)?;
    let (hello, bytes) = hello(&mut stream).await.map_err(|turned| turned.map(told))?;
    let from = connection.remote_address();
    // Who was asked for no key has no share of its own.
    let inside = key.map(|key| handshake.enter(key)).transpose();
    let inside = inside.map_err(|over| told(Turned::new(Reason::Quota, over.to_string())))?;
    let mut connection = Box::new(Live::new(connection, delay, Some((stream, bytes))));
    connection.count_as(inside);
    Ok(Arrival { hello, peer, from, connection })
}

/// Reads until a hello has come; gives what was read with it.
async fn hello(stream: &mut quinn::RecvStream) -> Result<(Hello, Vec<u8>), Option<Turned>> {
    let (mut assembler, mut bytes) = (Assembler::default(), Vec::new());
    loop {
        let chunk = match stream.read_chunk(CONTROL_MAX, true).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Err(Turned::protocol(&"it ended without saying who it is")),
            Err(quinn::ReadError::ConnectionLost(error)) => return Err(Turned::lost(&error)),
            Err(error) => return Err(Turned::protocol(&error)),
        };
        assembler.push(&chunk.bytes);
        bytes.extend_from_slice(&chunk.bytes);
        let wrong = |error: WireError| Turned::protocol(&error);
        if let Some((_, record)) = assembler.next(CONTROL_MAX).map_err(wrong)? {
            return match Message::read(record.kind, record.body).map_err(wrong)? {
                Some(Message::Hello(hello)) => Ok((*hello, bytes)),
                _ => Err(Turned::protocol(&"its first message does not say who it is")),
            };
        }
    }
}

/// Whether a connection was closed since TLS did not like what it saw (RFC 9001, 4.8).
fn is_of_tls(code: quinn::TransportErrorCode) -> bool {
    u64::from(code) >> 8 == 1
}

fn certificate(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().map(|first| first.to_vec())
}
