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

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream, stream::FuturesUnordered};
use tokio::task::JoinSet;

use crate::{
    driver::{Bell, Calls, Connection, Event, Figures},
    session::{Path, StreamKey},
    wire::{Assembler, CONTROL_MAX, Hello, Message},
};

/// Limits of an endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections whose handshake or hello goes on at the same time; more are refused.
    pub handshakes_max: usize,
    /// Connections at the same time; more are refused.
    pub connections_max: usize,
    /// How long handshake and hello may take together.
    pub hello_within: Duration,
    /// Whether a caller must show that it has the address it calls from before anything is kept of it.
    pub retry: bool,
    /// Bytes of the socket's buffers, both ways, as far as the system allows.
    pub socket_bytes: usize,
    /// Most bytes of a packet that is never tried to be exceeded; 0 to find out.
    pub packet_max: u16,
    /// Bytes of streams that the other side may have sent and we not taken.
    pub window: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshakes_max: 64,
            connections_max: 1_024,
            hello_within: Duration::from_secs(3),
            retry: false,
            socket_bytes: 4 << 20,
            packet_max: 0,
            window: 16 << 20,
        }
    }
}

/// One socket, for as many connections as one likes.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: quinn::Endpoint,
    settings: Settings,
}

/// Accepts connections, and reads who calls before anybody looks for the session.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
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
    calls: FuturesUnordered<Call>,
}

type Call = Pin<Box<dyn Future<Output = Result<quinn::Connection, String>> + Send>>;

/// Of calls that go on at once, the oldest gives way.
const CALLS_MAX: usize = 16;
/// Datagrams that quinn keeps before the path takes them, in bytes: two milliseconds of ten Gbit/s.
const DATAGRAMS_KEPT: usize = 256 << 10;
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
        let config = quinn::EndpointConfig::default();
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

    /// Accepts connections; to be asked for once.
    pub fn listener(&self) -> Listener {
        Listener { endpoint: self.clone(), greeting: JoinSet::new() }
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
        let (endpoint, calls) = (self.clone(), FuturesUnordered::new());
        Ok(Dialer { endpoint, address, name: name.to_owned(), config, calls })
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

/// What both sides say first of all, so that no other protocol is taken for ours.
const ALPN: &[u8] = b"afferent";

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
    config.max_incoming(settings.handshakes_max);
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
        .max_concurrent_bidi_streams(0u32.into())
        .max_concurrent_uni_streams(STREAMS_MAX.into())
        .stream_receive_window(settings.window.into())
        .receive_window(settings.window.into())
        .datagram_send_buffer_size(DATAGRAMS_KEPT)
        .datagram_receive_buffer_size(Some(4 << 20))
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

    fn greet(&mut self, incoming: quinn::Incoming) {
        let settings = &self.endpoint.settings;
        if settings.retry && !incoming.remote_address_validated() && incoming.may_retry() {
            // Nothing is kept of it; it comes back with what it was given.
            drop(incoming.retry());
            return;
        }
        let is_full = self.greeting.len() >= settings.handshakes_max
            || self.endpoint.inner.open_connections() >= settings.connections_max;
        if is_full {
            incoming.refuse();
            return;
        }
        let greeted = tokio::time::timeout(settings.hello_within, greeted(incoming));
        self.greeting.spawn(async move { greeted.await.ok().flatten() });
    }
}

/// Shakes hands, and reads the first message of the first stream, which must be a hello.
async fn greeted(incoming: quinn::Incoming) -> Option<Arrival> {
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
    let connection = Box::new(Live::new(connection, Some((stream, bytes))));
    Some(Arrival { hello, peer, from, connection })
}

fn certificate(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().ok()?;
    chain.first().map(|first| first.to_vec())
}

impl Calls for Dialer {
    fn call(&mut self) {
        if self.calls.len() >= CALLS_MAX {
            return;
        }
        let (endpoint, config) = (self.endpoint.inner.clone(), self.config.clone());
        let (address, name) = (self.address, self.name.clone());
        self.calls.push(Box::pin(async move {
            let call = endpoint.connect_with(config, address, &name);
            let call = call.map_err(|error| error.to_string())?;
            call.await.map_err(|error| error.to_string())
        }));
    }

    fn stop(&mut self) {
        self.calls.clear();
    }

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        while let Poll::Ready(Some(called)) = self.calls.poll_next_unpin(context) {
            match called {
                Ok(connection) => {
                    self.calls.clear();
                    return Poll::Ready(Ok(Box::new(Live::new(connection, None))));
                }
                Err(error) if self.calls.is_empty() => return Poll::Ready(Err(error)),
                Err(_) => {}
            }
        }
        Poll::Pending
    }
}

/// Something of quinn's that is asked only after it has rung.
struct Asked<T> {
    inner: T,
    bell: Arc<Bell>,
    waker: Waker,
}

impl<T> Asked<T> {
    fn new(inner: T) -> Self {
        let bell = Arc::new(Bell::default());
        bell.ring();
        let waker = Waker::from(bell.clone());
        Self { inner, bell, waker }
    }

    fn poll<R>(
        &mut self,
        outer: &Context<'_>,
        ask: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        if !self.bell.take() {
            self.bell.listen(outer.waker());
            if !self.bell.take() {
                return Poll::Pending;
            }
        }
        let asked = ask(&mut self.inner, &mut Context::from_waker(&self.waker));
        if asked.is_ready() {
            // There may be more.
            self.bell.ring();
        } else {
            self.bell.listen(outer.waker());
            if self.bell.has_rung() {
                outer.waker().wake_by_ref();
            }
        }
        asked
    }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, quinn::ConnectionError>> + Send>>;

/// A connection while it lasts.
struct Live {
    connection: quinn::Connection,
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
    /// Bytes of streams that quinn has not taken: urgent ones, and bulk.
    kept: [usize; 2],
    /// Nothing more will be sent on streams; what waits until the other side has it all.
    flushing: bool,
    flushed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    turns: usize,
    lost: Option<String>,
    path: Path,
    looked: Option<Instant>,
}

type Opening = dyn Future<Output = Result<quinn::SendStream, quinn::ConnectionError>> + Send;
type Blocked = dyn Future<Output = Result<(), quinn::SendDatagramError>> + Send;

struct Reader {
    number: u64,
    stream: Asked<quinn::RecvStream>,
    /// What was read already when who called was asked who it is.
    first: Vec<u8>,
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
    fn new(stream: quinn::RecvStream, first: Vec<u8>) -> Self {
        Self { number: u64::from(stream.id()), stream: Asked::new(stream), first }
    }
}

impl Live {
    fn new(connection: quinn::Connection, first: Option<(quinn::RecvStream, Vec<u8>)>) -> Self {
        let datagrams = stream::unfold(connection.clone(), |connection| async move {
            Some((connection.read_datagram().await, connection))
        });
        let incoming = stream::unfold(connection.clone(), |connection| async move {
            Some((connection.accept_uni().await, connection))
        });
        let readers = first.into_iter().map(|(stream, first)| Reader::new(stream, first));
        Self {
            connection,
            datagrams: Asked::new(Box::pin(datagrams)),
            incoming: Asked::new(Box::pin(incoming)),
            readers: readers.collect(),
            given: Bytes::new(),
            writers: BTreeMap::new(),
            writable: Asked::new(()),
            opening: None,
            blocked: None,
            kept: [0; 2],
            flushing: false,
            flushed: None,
            turns: 0,
            lost: None,
            path: Path::default(),
            looked: None,
        }
    }

    /// Hands on what waits, the urgent first; whether some of it was taken.
    fn write(&mut self) -> bool {
        let before = self.kept;
        for is_bulk in [false, true] {
            if self.kept[usize::from(is_bulk)] == 0 && !self.flushing {
                continue;
            }
            for (key, writer) in &mut self.writers {
                if writer.is_bulk == is_bulk && !writer.is_over {
                    let opening = &mut self.opening;
                    let context = &mut Context::from_waker(&self.writable.waker);
                    let taken = writer.write(*key, &self.connection, opening, context);
                    self.kept[usize::from(is_bulk)] -= taken;
                }
            }
        }
        self.forget_old();
        self.kept != before
    }

    /// Streams that are through are kept for a while, so that they can still be given up.
    fn forget_old(&mut self) {
        const OVER_MAX: usize = 64;
        let is_over = |(_, writer): &(&StreamKey, &Writer)| writer.is_over;
        let over = self.writers.iter().filter(is_over).count();
        if over > OVER_MAX {
            let oldest = self.writers.iter().find(is_over).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.writers.remove(&oldest));
        }
    }

    /// What happened next; its bytes are in `given`.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        self.turns = self.turns.wrapping_add(1);
        let is_writable = self.writable.poll(context, |(), _| Poll::Ready(())).is_ready();
        if is_writable {
            self.writable.bell.take();
            if self.write() {
                return Poll::Ready(Happened::Room);
            }
        }
        if let Some(blocked) = &mut self.blocked
            && blocked.poll(context, |blocked, context| blocked.as_mut().poll(context)).is_ready()
        {
            self.blocked = None;
            return Poll::Ready(Happened::Room);
        }
        // Datagrams first, but not for ever.
        let streams_first = self.turns.is_multiple_of(DATAGRAMS_TURN);
        if streams_first && let Poll::Ready(happened) = self.next_of_streams(context) {
            return Poll::Ready(happened);
        }
        if self.lost.is_none()
            && let Poll::Ready(Some(datagram)) =
                self.datagrams.poll(context, |stream, context| stream.poll_next_unpin(context))
        {
            match datagram {
                Ok(datagram) => {
                    self.given = datagram;
                    return Poll::Ready(Happened::Datagram);
                }
                Err(error) => self.lost = Some(error.to_string()),
            }
        }
        match self.next_of_streams(context) {
            // What came before it was lost is read first.
            Poll::Pending if self.lost.is_some() => Poll::Ready(Happened::Down),
            happened => happened,
        }
    }

    fn next_of_streams(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        while let Poll::Ready(Some(Ok(stream))) =
            self.incoming.poll(context, |stream, context| stream.poll_next_unpin(context))
        {
            self.readers.push(Reader::new(stream, Vec::new()));
        }
        let mut n = 0;
        while let Some(reader) = self.readers.get_mut(n) {
            let stream = reader.number;
            if !reader.first.is_empty() {
                self.given = std::mem::take(&mut reader.first).into();
                return Poll::Ready(Happened::Stream { stream, end: false });
            }
            let read = reader.stream.poll(context, |stream, context| {
                pin!(stream.read_chunk(PIECE, true)).poll(context)
            });
            let happened = match read {
                Poll::Pending => {
                    n += 1;
                    continue;
                }
                Poll::Ready(Ok(Some(chunk))) => {
                    self.given = chunk.bytes;
                    return Poll::Ready(Happened::Stream { stream, end: false });
                }
                Poll::Ready(Ok(None)) => Some(Happened::Stream { stream, end: true }),
                Poll::Ready(Err(quinn::ReadError::Reset(_))) => Some(Happened::Reset { stream }),
                // The connection is gone, as we hear of it itself.
                Poll::Ready(Err(_)) => None,
            };
            self.given = Bytes::new();
            self.readers.remove(n);
            if let Some(happened) = happened {
                return Poll::Ready(happened);
            }
        }
        Poll::Pending
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
            let stats = self.connection.stats();
            let rtt = stats.path.rtt.as_secs_f64();
            self.path.rtt_ns = (rtt * 1e9) as i64;
            self.path.bytes_per_s = stats.path.cwnd as f64 / rtt.max(1e-6);
            self.path.datagram_max = self.connection.max_datagram_size().unwrap_or(0);
        }
        // One more than fits is taken and waits here, so that we hear when there is room.
        self.path.datagram_room = match self.blocked {
            Some(_) => 0,
            None => self.connection.datagram_send_buffer_space().max(self.path.datagram_max),
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
        let bytes = Bytes::from(bytes);
        if self.connection.datagram_send_buffer_space() >= bytes.len() {
            // What has become too long for the path is lost, as any datagram may be.
            drop(self.connection.send_datagram(bytes));
        } else {
            let connection = self.connection.clone();
            let sends = async move { connection.send_datagram_wait(bytes).await };
            self.blocked = Some(Asked::new(Box::pin(sends)));
        }
    }

    fn stream(&mut self, key: StreamKey, bytes: Vec<u8>, priority: i32, end: bool) {
        let is_bulk = priority == 0;
        let fresh = || Writer { is_bulk, priority, ..Writer::default() };
        let writer = self.writers.entry(key).or_insert_with(fresh);
        writer.ends |= end;
        if !writer.is_over && !bytes.is_empty() {
            self.kept[usize::from(is_bulk)] += bytes.len();
            writer.waiting.push_back(bytes.into());
        }
        self.writable.bell.ring();
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
            self.writable.bell.ring();
        }
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
