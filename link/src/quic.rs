//! QUIC, by quinn: [`Endpoint`], [`Dialer`] and [`Listener`]. The only file that names quinn.
//!
//! | what | as |
//! |---|---|
//! | datagrams | QUIC datagrams; they go before streams in every packet |
//! | messages | the first stream that a side opens |
//! | a durable edge, a frame of bulk | a stream each, with its priority |
//!
//! Many sessions share an endpoint, which is one socket. Everything here runs on a tokio runtime of
//! whatever kind.

mod asked;
mod flow;
mod settings;

pub use settings::{Settings, Succession};

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::Timestamp;
use futures_util::{Stream, StreamExt, stream};
use rustls::pki_types::CertificateDer;
use tokio::{task::JoinSet, time::Sleep};

use asked::Asked;
use flow::{Flow, headroom};
use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

use crate::{
    driver::{Bell, Calls, Connection, Event, Figures},
    session::{Path, StreamKey},
    trust::{ALPN, Door, Handshake, Inside, Knocked, Refused, peer_key},
    wire::{Assembler, CONTROL_MAX, Hello, Message},
};

/// One socket, for as many connections as one likes.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: quinn::Endpoint,
    settings: Settings,
}

/// Between two packets that tell callers of an endpoint before this one that it is gone: quinn's 20 ms would
/// keep the last of many waiting, and none is longer than the one that it answers.
const RESET_AFTER: Duration = Duration::from_millis(1);

/// Has packets of connections that an endpoint with the same secret had answered with a stateless reset
/// (RFC 9000, 10.3).
fn resets(config: &mut quinn::EndpointConfig, secret: &[u8; 32]) {
    let hash = |what: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        ring::hmac::sign(&key, what)
    };
    let ids = hash(b"connection ids");
    let ids = u64::from_le_bytes(ids.as_ref()[..8].try_into().expect("it has 32 bytes"));
    let tokens = hash(b"reset tokens");
    config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(ids)));
    let tokens = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, tokens.as_ref());
    config.reset_key(Arc::new(tokens)).min_reset_interval(RESET_AFTER);
}

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
/// Silence after which quinn forgets a connection that nobody has closed; sessions give up earlier.
const IDLE: Duration = Duration::from_secs(10);
/// Datagrams that quinn keeps before the path takes them, in bytes: two milliseconds of ten Gbit/s.
const DATAGRAMS_KEPT: usize = 256 << 10;
/// What quinn counts of each beside its bytes.
const DATAGRAM_KEEPS: usize = 64;
/// Bytes of streams that quinn keeps where none of them is bulk.
const URGENT_MAX: u64 = 32 << 20;
/// Bytes of a piece of a stream that is handed over while the one before it is not taken.
const PIECE: usize = 32 << 10;
/// Streams that the other side may have open at once.
const STREAMS_MAX: u32 = 1_024;

impl Endpoint {
    /// Takes a socket at `address`, whose port may be 0. With `server`, others may call; its ALPN is set
    /// here. To be called within a tokio runtime, which drives the socket from then on.
    ///
    /// # Errors
    /// If the address cannot be had, or the configuration cannot be used with QUIC.
    pub fn bind(
        address: SocketAddr,
        server: Option<Arc<rustls::ServerConfig>>,
        settings: Settings,
    ) -> io::Result<Self> {
        let server = server.map(|server| server_config(server, &settings)).transpose()?;
        let socket = socket(address, settings.socket_bytes)?;
        let mut config = quinn::EndpointConfig::default();
        if let Some(Succession(secret)) = &settings.succession {
            resets(&mut config, secret);
        }
        let runtime = Arc::new(quinn::TokioRuntime);
        let inner = quinn::Endpoint::new(config, server, socket, runtime)?;
        Ok(Self { inner, settings })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Connections that are open, or closed and not forgotten yet.
    pub fn connections(&self) -> usize {
        self.inner.open_connections()
    }

    /// Accepts connections; to be asked for once.
    pub fn listener(&self) -> Listener {
        let door = Door::new(self.settings.limits.clone());
        Listener { endpoint: self.clone(), door, start: Instant::now(), greeting: JoinSet::new() }
    }

    /// Calls `address`, where somebody must show a certificate that `client` accepts for `name`.
    ///
    /// # Errors
    /// If the configuration cannot be used with QUIC.
    pub fn dialer(
        &self,
        address: SocketAddr,
        name: &str,
        client: Arc<rustls::ClientConfig>,
    ) -> io::Result<Dialer> {
        let config = client_config(client, &self.settings)?;
        let (endpoint, calls) = (self.clone(), VecDeque::new());
        Ok(Dialer { endpoint, address, name: name.to_owned(), config, calls, called: None })
    }

    /// Ends all connections at once and waits until the other sides know, for as long as `most`.
    pub async fn close(&self, most: Duration) {
        self.inner.close(0u32.into(), b"closed");
        drop(tokio::time::timeout(most, self.inner.wait_idle()).await);
    }
}

/// A socket with room for what comes while nobody looks.
fn socket(address: SocketAddr, bytes: usize) -> io::Result<std::net::UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // The system may give less; it is no reason not to begin.
    let _ = socket.set_recv_buffer_size(bytes);
    let _ = socket.set_send_buffer_size(bytes);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn unusable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("cannot be used with QUIC: {error}"))
}

fn server_config(
    config: Arc<rustls::ServerConfig>,
    settings: &Settings,
) -> io::Result<quinn::ServerConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(config).map_err(unusable)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport(settings)));
    let limits = &settings.limits;
    config
        .max_incoming(limits.handshakes_max)
        .incoming_buffer_size(limits.handshake_bytes_max)
        .incoming_buffer_size_total(limits.handshake_bytes_total)
        .retry_token_lifetime(limits.retry_token_lifetime);
    Ok(config)
}

fn client_config(
    config: Arc<rustls::ClientConfig>,
    settings: &Settings,
) -> io::Result<quinn::ClientConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).map_err(unusable)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(settings)));
    Ok(config)
}

fn transport(settings: &Settings) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    config
        .max_idle_timeout(Some(IDLE.try_into().expect("short enough")))
        .max_concurrent_bidi_streams(0u32.into())
        .max_concurrent_uni_streams(STREAMS_MAX.into())
        .stream_receive_window(settings.stream_bytes.into())
        .receive_window(settings.stream_bytes.into())
        .send_window(URGENT_MAX)
        .datagram_send_buffer_size(DATAGRAMS_KEPT)
        .datagram_receive_buffer_size(Some(settings.datagram_bytes))
        .congestion_controller_factory(Arc::new(Roomy))
        // What is lost of a handshake is sent again after three times this.
        .initial_rtt(Duration::from_millis(100));
    config
}

impl Listener {
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
    connection.inside = inside;
    Some(Arrival { hello, peer, from, connection })
}

fn certificate(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().map(|first| first.to_vec())
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
                Ok(called) => called.map_err(|error| format!("{address}: {error}")),
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

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, quinn::ConnectionError>> + Send>>;

/// A connection while it lasts.
struct Live {
    connection: quinn::Connection,
    bell: Arc<Bell>,
    datagrams: Asked<Boxed<Bytes>>,
    incoming: Asked<Boxed<quinn::RecvStream>>,
    readers: Vec<Reader>,
    /// What the event that was given out last borrows.
    given: Bytes,
    writers: BTreeMap<StreamKey, Writer>,
    /// Rings when a stream that was full takes more.
    writable: Asked<()>,
    /// A stream that the other side has not allowed yet.
    opening: Option<(StreamKey, Pin<Box<Opening>>)>,
    /// A datagram that quinn has no room for.
    blocked: Option<Asked<Pin<Box<Blocked>>>>,
    /// Those behind it.
    later: VecDeque<Bytes>,
    /// Bytes of datagrams that quinn has room for at least.
    room: usize,
    /// When datagrams that wait in quinn have become fewer.
    retry: Option<Asked<Pin<Box<Sleep>>>>,
    delay: Duration,
    datagrams_max: usize,
    flow: Arc<Flow>,
    /// Bytes that quinn may keep of streams now.
    allowed: u64,
    /// Bytes of streams that quinn has not taken: urgent ones, and bulk.
    kept: [usize; 2],
    /// Beyond so many, it is looked which streams are through.
    forget_at: usize,
    /// Nothing more will be sent on streams; what waits until the other side has it all.
    flushing: bool,
    flushed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    turns: usize,
    lost: Option<String>,
    path: Path,
    looked: Option<Instant>,
    /// Counts it among those of its peer while it lasts, where it called us.
    inside: Option<Inside>,
}

type Opening = dyn Future<Output = Result<quinn::SendStream, quinn::ConnectionError>> + Send;
type Blocked = dyn Future<Output = Result<(), quinn::SendDatagramError>> + Send;

struct Reader {
    number: u64,
    stream: Asked<quinn::RecvStream>,
    /// What was read and not given out.
    read: VecDeque<Bytes>,
}

#[derive(Default)]
struct Writer {
    stream: Option<quinn::SendStream>,
    waiting: VecDeque<Bytes>,
    is_bulk: bool,
    priority: i32,
    ends: bool,
    /// Nothing more is taken, by us or by the other side.
    is_over: bool,
}

impl Reader {
    fn new(stream: quinn::RecvStream, first: Vec<u8>, bell: &Arc<Bell>) -> Self {
        let (number, stream) = (u64::from(stream.id()), Asked::new(stream, bell));
        let read = VecDeque::from_iter((!first.is_empty()).then(|| first.into()));
        Self { number, stream, read }
    }
}

impl Live {
    fn new(
        connection: quinn::Connection,
        delay: Duration,
        first: Option<(quinn::RecvStream, Vec<u8>)>,
    ) -> Self {
        let flow = connection.congestion_state().into_any().downcast::<WithHeadroom>();
        let flow = flow.map_or_else(|_| Arc::default(), |roomy| roomy.flow);
        let datagrams = stream::unfold(connection.clone(), |connection| async move {
            Some((connection.read_datagram().await, connection))
        });
        let incoming = stream::unfold(connection.clone(), |connection| async move {
            Some((connection.accept_uni().await, connection))
        });
        let bell = Arc::new(Bell::default());
        let readers = first.into_iter().map(|(stream, first)| Reader::new(stream, first, &bell));
        Self {
            connection,
            readers: readers.collect(),
            datagrams: Asked::new(Box::pin(datagrams), &bell),
            incoming: Asked::new(Box::pin(incoming), &bell),
            given: Bytes::new(),
            writers: BTreeMap::new(),
            writable: Asked::new((), &bell),
            opening: None,
            blocked: None,
            later: VecDeque::new(),
            room: 0,
            retry: None,
            delay,
            datagrams_max: 0,
            flow,
            allowed: URGENT_MAX,
            kept: [0; 2],
            forget_at: FORGET_LEAST,
            flushing: false,
            flushed: None,
            turns: 0,
            lost: None,
            path: Path::default(),
            looked: None,
            inside: None,
            bell,
        }
    }

    /// Hands on what waits, the urgent first; whether some of it was taken.
    fn write(&mut self) -> bool {
        let before = self.kept;
        for is_bulk in [false, true] {
            if self.kept[usize::from(is_bulk)] == 0 && !self.flushing {
                continue;
            }
            let bulk_max = self.flow.bulk_max(Duration::from_nanos(self.path.rtt_ns as u64));
            self.allow(if is_bulk { bulk_max } else { URGENT_MAX });
            for (key, writer) in &mut self.writers {
                if writer.is_bulk == is_bulk && !writer.is_over {
                    let opening = &mut self.opening;
                    let context = &mut self.writable.context();
                    let taken = writer.write(*key, &self.connection, opening, context);
                    self.kept[usize::from(is_bulk)] -= taken;
                }
            }
        }
        self.flow.set_wants_more(self.kept[1] > 0);
        self.forget_acknowledged();
        self.kept != before
    }

    fn allow(&mut self, bytes: u64) {
        if self.allowed != bytes {
            self.allowed = bytes;
            self.connection.set_send_window(bytes);
        }
    }

    /// Lets go of frames' streams that the other side has in full. All others are kept: they can still
    /// be given up, and are waited for at the end.
    fn forget_acknowledged(&mut self) {
        if self.writers.len() <= self.forget_at {
            return;
        }
        self.writers.retain(|key, writer| {
            !matches!(key, StreamKey::Frame { .. }) || !writer.is_over || !writer.is_acknowledged()
        });
        self.forget_at = (2 * self.writers.len()).max(FORGET_LEAST);
    }

    /// What happened next; its bytes are in `given`.
    fn next(&mut self, context: &Context<'_>) -> Poll<Happened> {
        loop {
            if let Some(happened) = self.look() {
                return Poll::Ready(happened);
            }
            // Whatever rings from here on wakes; what has rung since we looked is looked at again.
            self.bell.listen(context.waker());
            if !self.bell.take() {
                return Poll::Pending;
            }
        }
    }

    fn look(&mut self) -> Option<Happened> {
        if self.writable.take() && self.write() {
            return Some(Happened::Room);
        }
        if let Some(retry) = &mut self.retry
            && retry.poll(|sleep, context| sleep.as_mut().poll(context)).is_ready()
        {
            self.retry = None;
            return Some(Happened::Room);
        }
        if let Some(blocked) = &mut self.blocked
            && blocked.poll(|blocked, context| blocked.as_mut().poll(context)).is_ready()
        {
            self.blocked = None;
            self.send_later();
            return Some(Happened::Room);
        }
        // Datagrams first, but not for ever.
        self.turns = self.turns.wrapping_add(1);
        let streams_first = self.turns.is_multiple_of(DATAGRAMS_TURN);
        if streams_first && let Some(happened) = self.look_at_streams() {
            return Some(happened);
        }
        if self.lost.is_none()
            && let Poll::Ready(Some(datagram)) =
                self.datagrams.poll(|stream, context| stream.poll_next_unpin(context))
        {
            match datagram {
                Ok(datagram) => {
                    self.given = datagram;
                    return Some(Happened::Datagram);
                }
                Err(error) => self.lost = Some(error.to_string()),
            }
        }
        // What came before it was lost is read first.
        self.look_at_streams().or_else(|| self.lost.is_some().then_some(Happened::Down))
    }

    fn look_at_streams(&mut self) -> Option<Happened> {
        while let Poll::Ready(Some(Ok(stream))) =
            self.incoming.poll(|stream, context| stream.poll_next_unpin(context))
        {
            self.readers.push(Reader::new(stream, Vec::new(), &self.bell));
        }
        let mut n = 0;
        while let Some(reader) = self.readers.get_mut(n) {
            let stream = reader.number;
            if let Some(bytes) = reader.read.pop_front() {
                self.given = bytes;
                return Some(Happened::Stream { stream, end: false });
            }
            let mut chunks = [const { Bytes::new() }; CHUNKS];
            let read = reader
                .stream
                .poll(|stream, context| pin!(stream.read_chunks(&mut chunks)).poll(context));
            let happened = match read {
                Poll::Pending => {
                    n += 1;
                    continue;
                }
                Poll::Ready(Ok(Some(count))) => {
                    reader.read.extend(chunks.into_iter().take(count));
                    continue;
                }
                Poll::Ready(Ok(None)) => Some(Happened::Stream { stream, end: true }),
                Poll::Ready(Err(quinn::ReadError::Reset(_))) => Some(Happened::Reset { stream }),
                // The connection is gone, as we hear of it itself.
                Poll::Ready(Err(_)) => None,
            };
            self.given = Bytes::new();
            self.readers.remove(n);
            if happened.is_some() {
                return happened;
            }
        }
        None
    }

    /// Sends datagrams that had to wait for room, as long as there is some.
    fn send_later(&mut self) {
        while self.blocked.is_none()
            && let Some(datagram) = self.later.pop_front()
        {
            self.send_datagram(datagram);
        }
    }

    fn send_datagram(&mut self, datagram: Bytes) {
        // As quinn counts them. What it takes for itself meanwhile only makes more room.
        let takes = datagram.len() + DATAGRAM_KEEPS;
        if self.room < takes {
            self.room = self.connection.datagram_send_buffer_space();
        }
        if self.room >= takes {
            self.room -= takes;
            // What has become too long for the path is lost, as any datagram may be.
            drop(self.connection.send_datagram(datagram));
        } else {
            let connection = self.connection.clone();
            let sends = async move { connection.send_datagram_wait(datagram).await };
            self.blocked = Some(Asked::new(Box::pin(sends), &self.bell));
        }
    }
}

/// As [`Event`], without the bytes.
enum Happened {
    Datagram,
    Stream { stream: u64, end: bool },
    Reset { stream: u64 },
    Room,
    Down,
}

/// Datagrams that may wait behind one that has no room.
const LATER_MAX: usize = 64;
/// Streams that are kept before it is looked which are through.
const FORGET_LEAST: usize = 64;
/// Pieces of a stream that are read at once.
const CHUNKS: usize = 16;
/// How soon it is looked whether datagrams that wait have become fewer.
const RETRY: Duration = Duration::from_millis(1);
/// After so many datagrams, streams have their turn.
const DATAGRAMS_TURN: usize = 32;

impl Writer {
    /// Hands on what it can; gives how many bytes.
    fn write(
        &mut self,
        key: StreamKey,
        connection: &quinn::Connection,
        opening: &mut Option<(StreamKey, Pin<Box<Opening>>)>,
        context: &mut Context<'_>,
    ) -> usize {
        let before = self.held();
        if self.stream.is_none() && !self.open(key, connection, opening, context) {
            return before - self.held();
        }
        let stream = self.stream.as_mut().expect("just opened");
        while !self.waiting.is_empty() {
            let written = {
                let write = pin!(stream.write_chunks(self.waiting.make_contiguous()));
                write.poll(context)
            };
            match written {
                Poll::Ready(Ok(written)) => drop(self.waiting.drain(..written.chunks)),
                Poll::Ready(Err(_)) => {
                    // The other side does not want it, or the connection is gone, as we hear anyway.
                    (self.is_over, self.ends) = (true, false);
                    self.waiting.clear();
                }
                Poll::Pending => break,
            }
        }
        if self.waiting.is_empty() && self.ends {
            self.is_over = true;
            drop(stream.finish());
        }
        before - self.held()
    }

    fn set_priority(&mut self, priority: i32) {
        (self.priority, self.is_bulk) = (priority, priority == 0);
        if let Some(stream) = &self.stream {
            drop(stream.set_priority(priority));
        }
    }

    /// Whether the other side has all of it, or does not want it.
    fn is_acknowledged(&self) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        self.stream.as_ref().is_none_or(|stream| pin!(stream.stopped()).poll(context).is_ready())
    }

    fn held(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// Whether it is open now.
    fn open(
        &mut self,
        key: StreamKey,
        connection: &quinn::Connection,
        opening: &mut Option<(StreamKey, Pin<Box<Opening>>)>,
        context: &mut Context<'_>,
    ) -> bool {
        // One after another, so that the first that is asked for has the lowest number.
        let (of, open) = opening.get_or_insert_with(|| {
            let connection = connection.clone();
            (key, Box::pin(async move { connection.open_uni().await }))
        });
        if *of != key {
            return false;
        }
        let Poll::Ready(opened) = open.as_mut().poll(context) else { return false };
        *opening = None;
        match opened {
            Ok(stream) => {
                drop(stream.set_priority(self.priority));
                self.stream = Some(stream);
                true
            }
            Err(_) => {
                self.is_over = true;
                self.waiting.clear();
                false
            }
        }
    }
}

impl Connection for Live {
    fn path(&mut self) -> Path {
        let now = Instant::now();
        let is_old = |looked: &Instant| now.duration_since(*looked) > Duration::from_millis(1);
        if self.looked.as_ref().is_none_or(is_old) {
            self.looked = Some(now);
            let rtt = self.connection.rtt();
            self.path.rtt_ns = rtt.as_nanos() as i64;
            self.path.bytes_per_s = self.flow.bytes_per_s(rtt);
            self.path.datagram_max = self.connection.max_datagram_size().unwrap_or(0);
            let most = self.flow.datagrams_max(rtt, self.delay, self.path.datagram_max);
            self.datagrams_max = most.min(DATAGRAMS_KEPT);
        }
        if self.room < DATAGRAMS_KEPT / 2 || self.datagrams_max < DATAGRAMS_KEPT {
            self.room = self.connection.datagram_send_buffer_space();
        }
        let waiting = DATAGRAMS_KEPT - self.room.min(DATAGRAMS_KEPT);
        let room = self.datagrams_max.saturating_sub(waiting);
        self.path.datagram_room = if self.blocked.is_some() {
            0
        } else if self.datagrams_max == DATAGRAMS_KEPT {
            // One more than fits is taken and waits here, so that we hear when there is room.
            room.max(self.path.datagram_max)
        } else {
            if room < self.path.datagram_max && self.retry.is_none() {
                self.retry = Some(Asked::new(Box::pin(tokio::time::sleep(RETRY)), &self.bell));
            }
            room
        };
        self.path.stream_room = (2 * PIECE).saturating_sub(self.kept[0]);
        self.path.bulk_room = PIECE.saturating_sub(self.kept[1]);
        self.path
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event<'_>> {
        self.next(context).map(|happened| match happened {
            Happened::Datagram => Event::Datagram(&self.given),
            Happened::Stream { stream, end } => Event::Stream { stream, bytes: &self.given, end },
            Happened::Reset { stream } => Event::StreamReset { stream },
            Happened::Room => Event::Room,
            Happened::Down => Event::Down(self.lost.as_deref().unwrap_or_default()),
        })
    }

    fn datagram(&mut self, bytes: Vec<u8>) {
        match self.blocked.is_some() {
            // Messages of the session do not ask for room; they are few.
            true if self.later.len() < LATER_MAX => self.later.push_back(bytes.into()),
            true => {}
            false => self.send_datagram(bytes.into()),
        }
    }

    fn stream(&mut self, key: StreamKey, bytes: Bytes, priority: i32, end: bool) {
        let is_bulk = priority == 0;
        let fresh = || Writer { is_bulk, priority, ..Writer::default() };
        let writer = self.writers.entry(key).or_insert_with(fresh);
        if writer.priority != priority {
            // It has caught up with the present, or fallen behind.
            let held = writer.held();
            self.kept[usize::from(writer.is_bulk)] -= held;
            self.kept[usize::from(is_bulk)] += held;
            writer.set_priority(priority);
        }
        writer.ends |= end;
        if !writer.is_over && !bytes.is_empty() {
            self.kept[usize::from(is_bulk)] += bytes.len();
            writer.waiting.push_back(bytes);
        }
        self.write();
    }

    fn reset(&mut self, key: StreamKey) {
        let Some(mut writer) = self.writers.remove(&key) else { return };
        self.kept[usize::from(writer.is_bulk)] -= writer.held();
        if let Some(stream) = &mut writer.stream {
            drop(stream.reset(0u32.into()));
        }
        self.opening.take_if(|(of, _)| *of == key);
    }

    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.lost.is_some() {
            return Poll::Ready(());
        }
        if !self.flushing {
            self.flushing = true;
            self.writers.values_mut().for_each(|writer| writer.ends = true);
        }
        // What rings from here on wakes who asks; what has rung is looked at now.
        self.bell.listen(context.waker());
        self.bell.take();
        self.write();
        let writers = self.writers.values();
        let mut waited = writers.filter(|writer| !writer.is_over || !writer.waiting.is_empty());
        if waited.next().is_some() {
            return Poll::Pending;
        }
        let streams = self.writers.values().filter_map(|writer| writer.stream.as_ref());
        let flushed = self.flushed.get_or_insert_with(|| {
            let stopped: Vec<_> = streams.map(quinn::SendStream::stopped).collect();
            Box::pin(async move {
                for stopped in stopped {
                    drop(stopped.await);
                }
            })
        });
        flushed.as_mut().poll(context)
    }

    fn figures(&self) -> Figures {
        let path = self.connection.stats().path;
        let remote = Some(self.connection.remote_address());
        Figures { packets: path.sent_packets, lost: path.lost_packets, remote }
    }

    fn close(&mut self) {
        self.connection.close(0u32.into(), b"");
    }
}

/// Makes controls that let datagrams through where bulk has filled the window; see [`flow`].
struct Roomy;

impl ControllerFactory for Roomy {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::new(CubicConfig::default()).build(now, mtu);
        let flow = Arc::new(Flow::default());
        flow.set_window(inner.window());
        Box::new(WithHeadroom { inner, flow, packet: mtu.into() })
    }
}

/// Another control, and a little more than it allows.
struct WithHeadroom {
    inner: Box<dyn Controller>,
    flow: Arc<Flow>,
    packet: u64,
}

impl Controller for WithHeadroom {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let app_limited = app_limited && !self.flow.wants_more();
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
        self.flow.set_window(self.inner.window());
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        let app_limited = app_limited && !self.flow.wants_more();
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
        self.flow.set_window(self.inner.window());
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        self.flow.set_window(self.inner.window());
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.packet = new_mtu.into();
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        let window = self.inner.window();
        window.saturating_add(headroom(window, self.packet))
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let (inner, flow) = (self.inner.clone_box(), self.flow.clone());
        Box::new(Self { inner, flow, packet: self.packet })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
