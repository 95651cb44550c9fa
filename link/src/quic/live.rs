//! [`Live`]: a connection while it lasts.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::Sleep;

use super::{
    asked::Asked,
    control::WithHeadroom,
    flow::{Flow, Urgent},
    lost,
    streams::{Opening, Reader, Writer},
};
use crate::{
    driver::{Bell, Connection, Event, Figures},
    session::{Path, StreamKey},
    trust::Inside,
};

/// Datagrams that quinn keeps before the path takes them, in bytes: two milliseconds of ten Gbit/s.
pub(super) const DATAGRAMS_KEPT: usize = 256 << 10;
/// What quinn counts of each beside its bytes.
const DATAGRAM_KEEPS: usize = 64;
/// Bytes of streams that quinn keeps where none of them is bulk.
pub(super) const URGENT_MAX: u64 = 32 << 20;
/// Bytes of a piece of a stream that is handed over while the one before it is not taken.
const PIECE: usize = 32 << 10;
/// Datagrams that may wait behind one that has no room.
const LATER_MAX: usize = 64;
/// Streams that are kept before it is looked which are through.
const ASIDE: usize = 64;
/// Of those so many are looked at each time: more than are written meanwhile.
const ASIDE_LOOKS: usize = 8;
/// Pieces of a stream that are read at once.
const CHUNKS: usize = 16;
/// How soon it is looked whether datagrams that wait have become fewer.
const RETRY: Duration = Duration::from_millis(1);
/// After so many datagrams, streams have their turn.
const DATAGRAMS_TURN: usize = 32;

/// Packets after which what was lost before counts half.
const LOSSES_HALF: f64 = 2_000.0;

/// Follows what share of the packets is lost.
#[derive(Debug, Default)]
struct Losses {
    seen: [u64; 2],
    recent: [f64; 2],
}

impl Losses {
    /// The share of late, when so many were sent and lost in all.
    fn share(&mut self, sent: u64, lost: u64) -> f64 {
        for (n, count) in [sent, lost].into_iter().enumerate() {
            self.recent[n] += count.saturating_sub(self.seen[n]) as f64;
            self.seen[n] = count;
        }
        if self.recent[0] > LOSSES_HALF {
            self.recent = self.recent.map(|count| count / 2.0);
        }
        // A handful of packets tell nothing: the first of them that is lost is not a tenth of all.
        self.recent[1] / self.recent[0].max(LOSSES_HALF / 4.0)
    }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, quinn::ConnectionError>> + Send>>;

/// A connection while it lasts.
pub(super) struct Live {
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
    /// Where the other side was when the flow was taken.
    remote: SocketAddr,
    urgent: Urgent,
    /// Bytes that quinn may keep of streams now.
    allowed: u64,
    /// Bytes of streams that quinn has not taken: urgent ones, and bulk.
    kept: [usize; 2],
    /// Frames' streams that are written, the oldest first.
    aside: VecDeque<(StreamKey, quinn::SendStream)>,
    /// Nothing more will be sent on streams; what waits until the other side has it all.
    flushing: bool,
    flushed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    turns: usize,
    lost: Option<String>,
    path: Path,
    looked: Option<Instant>,
    losses: Losses,
    /// Counts it among those of its peer while it lasts, where it called us.
    inside: Option<Inside>,
}

type Blocked = dyn Future<Output = Result<(), quinn::SendDatagramError>> + Send;

/// What a connection shares with its congestion control.
fn flow_of(connection: &quinn::Connection) -> Arc<Flow> {
    let control = connection.congestion_state().into_any().downcast::<WithHeadroom>();
    control.map_or_else(|_| Arc::default(), |control| control.flow)
}

impl Live {
    pub(super) fn new(
        connection: quinn::Connection,
        delay: Duration,
        first: Option<(quinn::RecvStream, Vec<u8>)>,
    ) -> Self {
        // In this order: a move in between is seen at the next look.
        let remote = connection.remote_address();
        let flow = flow_of(&connection);
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
            remote,
            urgent: Urgent::new(Instant::now()),
            allowed: URGENT_MAX,
            kept: [0; 2],
            aside: VecDeque::new(),
            flushing: false,
            flushed: None,
            turns: 0,
            lost: None,
            path: Path::default(),
            looked: None,
            losses: Losses::default(),
            inside: None,
            bell,
        }
    }

    /// Counts it among those of a peer while it lasts.
    pub(super) fn count_as(&mut self, inside: Option<Inside>) {
        self.inside = inside;
    }

    /// Hands on what waits, the urgent first; whether some of it was taken.
    fn write(&mut self) -> bool {
        let before = self.kept;
        for is_bulk in [false, true] {
            if self.kept[usize::from(is_bulk)] == 0 && !self.flushing {
                continue;
            }
            let most = if is_bulk { self.bulk_max() } else { URGENT_MAX };
            self.allow(most);
            let mut any_over = false;
            for (key, writer) in &mut self.writers {
                if writer.is_bulk == is_bulk && !writer.is_over {
                    let opening = &mut self.opening;
                    let context = &mut self.writable.context();
                    let taken = writer.write(*key, &self.connection, opening, context);
                    self.kept[usize::from(is_bulk)] -= taken;
                    any_over |= writer.is_over;
                }
            }
            if any_over {
                self.put_aside();
            }
        }
        self.flow.set_wants_more(self.kept[1] > 0);
        self.forget_acknowledged();
        self.kept != before
    }

    /// Notes what is urgent, where bulk is there to make room for it.
    fn note_urgent(&mut self, bytes: usize) {
        if self.kept[1] > 0 || self.flow.wants_more() {
            self.urgent.sent(Instant::now(), bytes);
        }
    }

    /// Bytes of streams that quinn may keep while bulk is handed over.
    fn bulk_max(&mut self) -> u64 {
        let rtt = Duration::from_nanos(self.path.rtt_ns as u64);
        let urgent = self.urgent.under_way(Instant::now(), rtt);
        self.flow.bulk_max(rtt, urgent)
    }

    fn allow(&mut self, bytes: u64) {
        if self.allowed != bytes {
            self.allowed = bytes;
            self.connection.set_send_window(bytes);
        }
    }

    /// Frames' streams that are written need no looking after, but they can still be given up.
    fn put_aside(&mut self) {
        let is_frame = |key: &StreamKey| matches!(key, StreamKey::Frame { .. });
        let over = self.writers.extract_if(.., |key, writer| is_frame(key) && writer.is_over);
        self.aside.extend(over.filter_map(|(key, writer)| Some((key, writer.stream?))));
    }

    /// Lets go of the oldest streams once the other side has them in full. All others are waited for at the end.
    fn forget_acknowledged(&mut self) {
        let context = &mut Context::from_waker(Waker::noop());
        // Mostly what was sent before has arrived before.
        for _ in 0..ASIDE_LOOKS {
            let Some((_, oldest)) = self.aside.front().filter(|_| self.aside.len() > ASIDE) else {
                return;
            };
            if pin!(oldest.stopped()).poll(context).is_pending() {
                return;
            }
            self.aside.pop_front();
        }
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
                Err(error) => self.lost = Some(lost(&error)),
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

impl Connection for Live {
    fn path(&mut self) -> Path {
        let now = Instant::now();
        let is_old = |looked: &Instant| now.duration_since(*looked) > Duration::from_millis(1);
        if self.looked.as_ref().is_none_or(is_old) {
            self.looked = Some(now);
            let remote = self.connection.remote_address();
            if remote != self.remote {
                // On a new way the control begins anew.
                (self.flow, self.remote) = (flow_of(&self.connection), remote);
            }
            let rtt = self.connection.rtt();
            self.path.rtt_ns = rtt.as_nanos() as i64;
            self.path.bytes_per_s = self.flow.bytes_per_s(rtt);
            self.path.datagram_max = self.connection.max_datagram_size().unwrap_or(0);
            let most = self.flow.datagrams_max(rtt, self.delay, self.path.datagram_max);
            self.datagrams_max = most.min(DATAGRAMS_KEPT);
            let counts = self.connection.stats().path;
            self.path.loss = self.losses.share(counts.sent_packets, counts.lost_packets);
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
        self.note_urgent(bytes.len());
        match self.blocked.is_some() {
            // Messages of the session do not ask for room; they are few.
            true if self.later.len() < LATER_MAX => self.later.push_back(bytes.into()),
            true => {}
            false => self.send_datagram(bytes.into()),
        }
    }

    fn stream(&mut self, key: StreamKey, bytes: Bytes, priority: i32, end: bool) {
        let is_bulk = priority == 0;
        if !is_bulk {
            self.note_urgent(bytes.len());
        }
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
        let Some(mut writer) = self.writers.remove(&key) else {
            let written = self.aside.iter().position(|(of, _)| *of == key);
            if let Some((_, mut stream)) = written.and_then(|at| self.aside.remove(at)) {
                drop(stream.reset(0u32.into()));
            }
            return;
        };
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
        let streams = streams.chain(self.aside.iter().map(|(_, stream)| stream));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        driver::Calls,
        quic::{Endpoint, Settings},
        trust::{Expected, Identity, Peers, Reach, SERVER_NAME, client_config, server_config},
    };

    #[test]
    fn losses_are_followed_and_forgotten() {
        let mut losses = Losses::default();
        assert_eq!(losses.share(10, 0), 0.0);
        assert!(losses.share(20, 1) < 0.01);
        // One in a hundred, then none.
        let share = (1..=100).map(|n| losses.share(20 + n * 100, 1 + n)).last();
        assert!((share.expect("some") - 0.01).abs() < 0.001, "{share:?}");
        let share = (1..=200).map(|n| losses.share(10_020 + n * 100, 101)).last();
        assert!(share.expect("some") < 0.001, "{share:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn on_another_way_it_follows_the_control_of_that_one() {
        let [ours, theirs] = [1, 2].map(|n| Identity::from_seed(&[n; 32]));
        let home = tempfile::tempdir().expect("a folder");
        let peers = Arc::new(Peers::at(home.path()));
        peers.add("edge", ours.key(), std::time::UNIX_EPOCH, "by hand").expect("added");
        let server = server_config(&theirs, peers, Reach::Network);
        let bind = |server| {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            Endpoint::bind(address, server, Settings::default()).expect("a port")
        };
        let (there, here) = (bind(Some(server)), bind(None));
        let address = there.local_addr().expect("bound");
        let client = client_config(&ours, Expected::key(theirs.key()));
        let mut dialer = here.dialer(address, SERVER_NAME, client).expect("usable");
        dialer.call();
        let accepts = async {
            let incoming = there.inner.accept().await.expect("it is open");
            incoming.accept().expect("somebody calls").await.expect("it is known")
        };
        let calls = std::future::poll_fn(|context| dialer.poll_connection(context));
        let (connection, caller) = tokio::join!(accepts, calls);
        let mut caller = caller.expect("it answers");
        let mut live = Live::new(connection, Duration::from_millis(1), None);
        live.path();
        let before = live.flow.clone();

        // Not a new port alone, which may be that of a router that has forgotten.
        let elsewhere = std::net::UdpSocket::bind("127.0.0.2:0").expect("Linux has all of 127");
        here.inner.rebind(elsewhere).expect("a socket");
        let has_moved = async {
            while live.connection.remote_address().ip() != std::net::Ipv4Addr::new(127, 0, 0, 2) {
                caller.datagram(vec![0; 100]);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), has_moved).await.expect("it is heard");
        live.looked = None;
        live.path();

        assert!(Arc::ptr_eq(&live.flow, &flow_of(&live.connection)));
        assert!(!Arc::ptr_eq(&live.flow, &before), "the control is another");
    }
}
