//! [`memory`]: connections of a driver without a network, and a switch that cuts them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use crate::{
    driver::{Bell, Calls, Connection, Event, Figures},
    session::{Path, StreamKey},
};

/// Largest datagram.
const DATAGRAM_MAX: usize = 1_200;
/// Bytes that may be under way each way before more has to wait.
const ROOM: usize = 64 << 10;

/// A caller, who is called, and the switch: while it is cut, calls are in vain and connections end.
pub fn memory() -> (MemoryCaller, MemoryCalled, MemorySwitch) {
    let shared = Arc::new(Shared::default());
    let switch = MemorySwitch(shared.clone());
    (
        MemoryCaller { shared: shared.clone(), answers: VecDeque::new(), waker: None },
        MemoryCalled(shared),
        switch,
    )
}

/// Cuts connections.
#[derive(Clone, Debug)]
pub struct MemorySwitch(Arc<Shared>);

/// The side that calls.
#[derive(Debug)]
pub struct MemoryCaller {
    shared: Arc<Shared>,
    answers: VecDeque<Result<MemoryConnection, String>>,
    waker: Option<Waker>,
}

/// The side that is called.
#[derive(Debug)]
pub struct MemoryCalled(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_cut: AtomicBool,
    waiting: Mutex<VecDeque<MemoryConnection>>,
    called: Bell,
    pipes: Mutex<Vec<Arc<Pipe>>>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    things: Mutex<VecDeque<Thing>>,
    is_over: AtomicBool,
    news: Bell,
    /// Rings when something was taken.
    room: Arc<Bell>,
}

#[derive(Debug)]
enum Thing {
    Datagram(Bytes),
    Stream { stream: u64, bytes: Bytes, end: bool },
    Reset { stream: u64 },
}

/// One end of a connection.
#[derive(Debug)]
pub struct MemoryConnection {
    into: Arc<Pipe>,
    out_of: Arc<Pipe>,
    streams: BTreeMap<StreamKey, u64>,
    given: Bytes,
    told_room: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemorySwitch {
    /// Ends all connections, and lets none begin.
    pub fn cut(&self) {
        self.0.is_cut.store(true, Ordering::SeqCst);
        for pipe in lock(&self.0.pipes).drain(..) {
            pipe.end();
        }
    }

    /// Lets connections begin again.
    pub fn mend(&self) {
        self.0.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Calls for MemoryCaller {
    fn call(&mut self) {
        // Who begins a call looks for its answer when it is woken.
        self.waker.take().inspect(Waker::wake_by_ref);
        if self.shared.is_cut.load(Ordering::SeqCst) {
            self.answers.push_back(Err("the line is cut".to_owned()));
            return;
        }
        let pipes = [Arc::new(Pipe::default()), Arc::new(Pipe::default())];
        let [there, back] = pipes.clone();
        lock(&self.shared.pipes).extend(pipes);
        self.answers.push_back(Ok(MemoryConnection::new(there.clone(), back.clone())));
        lock(&self.shared.waiting).push_back(MemoryConnection::new(back, there));
        self.shared.called.ring();
    }

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        match self.answers.pop_front() {
            Some(Ok(connection)) => Poll::Ready(Ok(Box::new(connection))),
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Calls for MemoryCalled {
    fn call(&mut self) {}

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        self.0.called.listen(context.waker());
        self.0.called.take();
        match lock(&self.0.waiting).pop_front() {
            Some(connection) => Poll::Ready(Ok(Box::new(connection))),
            None => Poll::Pending,
        }
    }
}

impl Pipe {
    fn put(&self, thing: Thing) {
        lock(&self.things).push_back(thing);
        self.news.ring();
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.news.ring();
        self.room.ring();
    }

    fn held(&self) -> usize {
        let len = |thing: &Thing| match thing {
            Thing::Datagram(bytes) | Thing::Stream { bytes, .. } => bytes.len(),
            Thing::Reset { .. } => 0,
        };
        lock(&self.things).iter().map(len).sum()
    }
}

impl MemoryConnection {
    fn new(into: Arc<Pipe>, out_of: Arc<Pipe>) -> Self {
        let (streams, given) = (BTreeMap::new(), Bytes::new());
        Self { into, out_of, streams, given, told_room: true }
    }
}

impl Connection for MemoryConnection {
    fn path(&mut self) -> Path {
        let room = ROOM.saturating_sub(self.into.held());
        self.told_room = room > 0;
        Path {
            rtt_ns: 100_000,
            bytes_per_s: 0.0,
            datagram_max: DATAGRAM_MAX,
            datagram_room: room,
            stream_room: room,
            bulk_room: room,
            loss: 0.0,
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event<'_>> {
        self.out_of.news.listen(context.waker());
        self.out_of.news.take();
        self.into.room.listen(context.waker());
        self.into.room.take();
        let thing = lock(&self.out_of.things).pop_front();
        if thing.is_some() {
            self.out_of.room.ring();
        }
        match thing {
            Some(Thing::Datagram(bytes)) => {
                self.given = bytes;
                Poll::Ready(Event::Datagram(&self.given))
            }
            Some(Thing::Stream { stream, bytes, end }) => {
                self.given = bytes;
                Poll::Ready(Event::Stream { stream, bytes: &self.given, end })
            }
            Some(Thing::Reset { stream }) => Poll::Ready(Event::StreamReset { stream }),
            None if self.out_of.is_over.load(Ordering::SeqCst) => {
                Poll::Ready(Event::Down("the line is cut"))
            }
            None if !self.told_room && self.into.held() < ROOM => {
                self.told_room = true;
                Poll::Ready(Event::Room)
            }
            None => Poll::Pending,
        }
    }

    fn datagram(&mut self, bytes: Vec<u8>) {
        assert!(bytes.len() <= DATAGRAM_MAX, "a datagram beyond its limit");
        self.into.put(Thing::Datagram(bytes.into()));
    }

    fn stream(&mut self, key: StreamKey, bytes: Bytes, _: i32, end: bool) {
        let fresh = self.streams.len() as u64;
        let stream = *self.streams.entry(key).or_insert(fresh);
        self.into.put(Thing::Stream { stream, bytes, end });
    }

    fn reset(&mut self, key: StreamKey) {
        // Its number stays taken, as in QUIC.
        if let Some(&stream) = self.streams.get(&key) {
            self.into.put(Thing::Reset { stream });
        }
    }

    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.into.room.listen(context.waker());
        self.into.room.take();
        let is_over = self.into.is_over.load(Ordering::SeqCst);
        if is_over || lock(&self.into.things).is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }

    fn close(&mut self) {
        self.into.end();
        self.out_of.end();
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        self.close();
    }
}
