//! [`Relay`]: a bad network between real sockets.
//!
//! ```text
//!  callers ──▶ socket ─▶ Way there ─▶ a socket for each caller ──▶ target
//!          ◀──        ◀─ Way back  ◀─                          ◀──
//! ```
//!
//! Threads of its own receive, and one sends what is due, so that it is not late because those whom it
//! serves are busy. All callers share both ways, as they would share a bottleneck.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{Way, Weather};

/// Bytes of a packet beside what a socket is given: IPv4 and UDP.
const OVERHEAD: usize = 28;
/// Callers that are served; packets of more are dropped.
const CALLERS_MAX: usize = 1_024;
/// How long a thread may take to hear that it is over.
const PATIENCE: Duration = Duration::from_millis(50);

/// Relays UDP packets to one target until it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    begun: Instant,
    front: UdpSocket,
    state: Mutex<State>,
    due: Condvar,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct State {
    ways: [Way; 2],
    is_out: bool,
    /// A socket towards the target for each caller.
    callers: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    threads: Vec<JoinHandle<()>>,
    flying: BTreeMap<u64, Flying>,
    order: BinaryHeap<Reverse<(i64, u64)>>,
    count: u64,
}

/// A packet under way: by which socket it leaves, and to whom; to the target if to nobody else.
#[derive(Debug)]
struct Flying {
    through: Option<Arc<UdpSocket>>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Relay {
    /// Relays to `target` on a free port of the loopback, by the ways there and back.
    ///
    /// # Errors
    /// If there is no socket to be had.
    pub fn start(target: SocketAddr, ways: [Way; 2]) -> io::Result<Self> {
        let front = socket()?;
        let address = front.local_addr()?;
        let state = State {
            ways,
            is_out: false,
            callers: BTreeMap::new(),
            threads: Vec::new(),
            flying: BTreeMap::new(),
            order: BinaryHeap::new(),
            count: 0,
        };
        let shared = Arc::new(Shared {
            target,
            begun: Instant::now(),
            front,
            state: Mutex::new(state),
            due: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        let (there, sender) = (shared.clone(), shared.clone());
        let threads = vec![
            std::thread::Builder::new().name("relay-there".into()).spawn(move || there.there())?,
            std::thread::Builder::new().name("relay-send".into()).spawn(move || sender.send())?,
        ];
        Ok(Self { address, shared, threads })
    }

    /// Whom to call instead of the target.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether nothing gets through from now on, either way.
    pub fn set_out(&self, is_out: bool) {
        self.shared.lock().is_out = is_out;
    }

    /// Changes how it is, there (0) or back (1), from now on.
    pub fn set_weather(&self, way: usize, weather: Weather) {
        self.shared.lock().ways[way].weather = weather;
    }

    /// Packets that went in and that vanished, there and back.
    pub fn packets(&self) -> [[u64; 2]; 2] {
        let state = self.shared.lock();
        [state.ways[0].packets, state.ways[1].packets]
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.due.notify_all();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
        let back = std::mem::take(&mut self.shared.lock().threads);
        for thread in back {
            drop(thread.join());
        }
    }
}

/// A socket whose buffers are no bottleneck of their own.
fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    let buffers = socket2::SockRef::from(&socket);
    drop(buffers.set_recv_buffer_size(4 << 20));
    drop(buffers.set_send_buffer_size(4 << 20));
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn now_ns(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// Takes in what callers send.
    fn there(self: Arc<Self>) {
        let mut buffer = vec![0; 1 << 16];
        while !self.is_over() {
            let Ok((len, from)) = self.front.recv_from(&mut buffer) else { continue };
            let mut state = self.lock();
            let known = state.callers.get(&from).cloned();
            let Some(through) = known.or_else(|| self.meet(&mut state, from)) else { continue };
            let flying = Flying { through: Some(through), to: self.target, bytes: Vec::new() };
            self.put(&mut state, 0, &buffer[..len], flying);
        }
    }

    fn meet(self: &Arc<Self>, state: &mut State, from: SocketAddr) -> Option<Arc<UdpSocket>> {
        if state.callers.len() >= CALLERS_MAX {
            return None;
        }
        let (socket, shared) = (Arc::new(socket().ok()?), self.clone());
        let theirs = socket.clone();
        let thread = std::thread::Builder::new().name("relay-back".into());
        state.threads.push(thread.spawn(move || shared.back(&theirs, from)).ok()?);
        state.callers.insert(from, socket.clone());
        Some(socket)
    }

    /// Takes in what the target sends to one caller.
    fn back(&self, socket: &UdpSocket, caller: SocketAddr) {
        let mut buffer = vec![0; 1 << 16];
        while !self.is_over() {
            let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
            if from == self.target {
                let flying = Flying { through: None, to: caller, bytes: Vec::new() };
                self.put(&mut self.lock(), 1, &buffer[..len], flying);
            }
        }
    }

    fn put(&self, state: &mut State, way: usize, bytes: &[u8], flying: Flying) {
        let now = self.now_ns();
        let arrivals = state.ways[way].send(now, bytes.len() + OVERHEAD);
        if state.is_out {
            state.ways[way].packets[1] += u64::from(!arrivals.is_empty());
            return;
        }
        for arrival in arrivals {
            let mut bytes = bytes.to_vec();
            if arrival.damaged && !bytes.is_empty() {
                let bit = arrival.at_ns as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let (through, to) = (flying.through.clone(), flying.to);
            state.count += 1;
            let number = state.count;
            state.flying.insert(number, Flying { through, to, bytes });
            state.order.push(Reverse((arrival.at_ns, number)));
            if state.order.peek() == Some(&Reverse((arrival.at_ns, number))) {
                self.due.notify_one();
            }
        }
    }

    /// Sends what is due.
    fn send(&self) {
        let mut state = self.lock();
        while !self.is_over() {
            let Some(&Reverse((at, number))) = state.order.peek() else {
                let waited = self.due.wait_timeout(state, PATIENCE);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let left = at - self.now_ns();
            if left > 0 {
                let left = Duration::from_nanos(left.unsigned_abs()).min(PATIENCE);
                let waited = self.due.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            state.order.pop();
            let flying = state.flying.remove(&number).expect("each is in both");
            drop(state);
            let through = flying.through.as_deref().unwrap_or(&self.front);
            // A target that is not there any more is as good as a lost packet.
            drop(through.send_to(&flying.bytes, flying.to));
            state = self.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UdpSocket) -> Option<Vec<u8>> {
        let mut buffer = [0; 64];
        (0..200).find_map(|_| socket.recv(&mut buffer).ok()).map(|len| buffer[..len].to_vec())
    }

    #[test]
    fn packets_go_there_and_back_to_who_sent_them() {
        let target = socket().expect("a port");
        let target_at = target.local_addr().expect("bound");
        let ways = [1, 2].map(|seed| Way::new(Weather::calm(1_000_000), seed));
        let relay = Relay::start(target_at, ways).expect("a port");
        let callers = [socket().expect("a port"), socket().expect("a port")];

        for (n, caller) in callers.iter().enumerate() {
            caller.send_to(&[n as u8], relay.address()).expect("sent");
            let mut buffer = [0; 64];
            let (len, from) =
                (0..200).find_map(|_| target.recv_from(&mut buffer).ok()).expect("came");
            assert_eq!(buffer[..len], [n as u8]);
            target.send_to(&[n as u8, 7], from).expect("sent");
        }

        for (n, caller) in callers.iter().enumerate() {
            assert_eq!(received(caller), Some(vec![n as u8, 7]));
        }
        assert_eq!(relay.packets(), [[2, 0]; 2]);
    }

    #[test]
    fn nothing_gets_through_while_it_is_out() {
        let target = socket().expect("a port");
        let target_at = target.local_addr().expect("bound");
        let ways = [1, 2].map(|seed| Way::new(Weather::calm(0), seed));
        let relay = Relay::start(target_at, ways).expect("a port");
        let caller = socket().expect("a port");

        relay.set_out(true);
        caller.send_to(b"lost", relay.address()).expect("sent");
        // Counted once it is taken in.
        while relay.packets()[0][0] == 0 {
            std::thread::yield_now();
        }
        relay.set_out(false);
        caller.send_to(b"came", relay.address()).expect("sent");

        assert_eq!(received(&target).as_deref(), Some(&b"came"[..]));
        assert_eq!(relay.packets()[0], [2, 1]);
    }
}
