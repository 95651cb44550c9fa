//! [`Pair`]: two sessions and the network between them, on manual time.

use engine::{Frame, Gap, Timestamp};

use super::{Heard, Transport, Way};
use crate::{
    session::{Input, Output, Path, Session},
    spool::Keeper,
    wire::ByeReason,
};

/// A host's clock against the simulation's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock {
    /// What it shows at time zero, in nanoseconds.
    pub offset_ns: i64,
    /// How much faster it runs: 50e-6 is 50 ppm.
    pub drift: f64,
}

impl HostClock {
    /// What it shows at a time of the simulation.
    pub fn at(&self, now_ns: i64) -> Timestamp {
        let ahead = (now_ns as f64 * self.drift) as i64;
        Timestamp::from_nanos(now_ns + ahead + self.offset_ns)
    }

    /// When it will show `time`, or just after.
    fn when(&self, time: Timestamp) -> i64 {
        let since = time.nanos().saturating_sub(self.offset_ns) as f64;
        (since / (1.0 + self.drift)).ceil() as i64 + 1
    }
}

/// What a session gave its graph, with the simulation's time.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in `session::Output`")]
pub enum Delivered {
    Frame { at_ns: i64, edge: u16, frame: Frame },
    Gap { at_ns: i64, edge: u16, reason: Gap, frames: u64 },
    Flush { at_ns: i64, edge: u16 },
    Bound { at_ns: i64, edge: u16, bound: Timestamp },
    End { at_ns: i64, edge: u16 },
    Refused { at_ns: i64, reason: ByeReason, text: String },
}

/// Two sessions; the first calls the second.
#[derive(Debug)]
pub struct Pair {
    /// The sessions.
    pub sessions: [Session; 2],
    /// The network.
    pub transport: Transport,
    /// Their hosts' clocks.
    pub clocks: [HostClock; 2],
    /// What each side's graph was given and has not taken from here.
    pub delivered: [Vec<Delivered>; 2],
    /// Whether each side's graph consumes what it is given at once.
    pub consumes: [bool; 2],
    /// Largest datagram.
    pub datagram_max: usize,
    /// Who does the disk work of each side.
    pub keepers: [Option<Keeper>; 2],
    now_ns: i64,
}

impl Pair {
    /// Two sessions that have not heard of each other.
    pub fn new(sessions: [Session; 2], ways: [Way; 2], clocks: [HostClock; 2]) -> Self {
        let delivered = [Vec::new(), Vec::new()];
        let transport = Transport::new(ways);
        let (consumes, datagram_max, keepers) = ([true; 2], 1_200, [None, None]);
        Self { sessions, transport, clocks, delivered, consumes, datagram_max, keepers, now_ns: 0 }
    }

    /// The simulation's time.
    pub const fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// What a host's clock shows.
    pub fn clock(&self, side: usize) -> Timestamp {
        self.clocks[side].at(self.now_ns)
    }

    /// Hands a frame in; whether it was taken.
    pub fn send(&mut self, side: usize, edge: u16, frame: Frame) -> bool {
        let now = self.clock(side);
        let taken = self.sessions[side].send(now, edge, frame).is_ok();
        self.drain(side);
        taken
    }

    /// Puts another session in the place of one, as when its process starts anew.
    pub fn replace(&mut self, side: usize, session: Session) {
        self.transport.close(side);
        self.sessions[side] = session;
    }

    /// Goes on until `until_ns`; `check` sees every step.
    pub fn run(&mut self, until_ns: i64, mut check: impl FnMut(&Self)) {
        self.drain(0);
        self.drain(1);
        loop {
            let wakes = [0, 1].map(|side| {
                let wake = self.sessions[side].wake(self.clock(side));
                let kept =
                    self.keepers[side].as_ref().and_then(|keeper| keeper.turn(self.now_ns).1);
                let wake =
                    wake.map(|wake| self.clocks[side].when(wake)).into_iter().chain(kept).min();
                // Nothing that is due now may be due at once again and again.
                wake.map(|wake| wake.max(self.now_ns + 20_000))
            });
            let next = wakes.into_iter().flatten().chain(self.transport.next_ns()).min();
            let Some(next) = next.filter(|&next| next <= until_ns) else { break };
            self.now_ns = next.max(self.now_ns);
            while let Some((side, heard)) = self.transport.happen(self.now_ns) {
                for heard in heard {
                    self.hear(side, heard);
                }
                self.handle(side, Input::Tick);
                self.drain(side);
                check(self);
            }
            for (side, wake) in wakes.into_iter().enumerate() {
                if wake.is_some_and(|wake| wake <= self.now_ns) {
                    self.handle(side, Input::Tick);
                    self.drain(side);
                    check(self);
                }
            }
        }
        self.now_ns = until_ns;
    }

    fn handle(&mut self, side: usize, input: Input<'_>) {
        let now = self.clock(side);
        if let Some(keeper) = &self.keepers[side] {
            keeper.turn(self.now_ns);
        }
        self.sessions[side].handle(now, input);
    }

    fn hear(&mut self, side: usize, heard: Heard) {
        let path = self.path(side);
        match &heard {
            Heard::Up => self.handle(side, Input::Up(path)),
            Heard::Datagram(bytes) => self.handle(side, Input::Datagram(bytes)),
            Heard::Stream { stream, bytes, end } => {
                self.handle(side, Input::Stream { stream: *stream, bytes, end: *end });
            }
            Heard::StreamReset { stream } => {
                self.handle(side, Input::StreamReset { stream: *stream });
            }
        }
    }

    fn path(&self, side: usize) -> Path {
        let (rtt_ns, bytes_per_s) = self.transport.path(side);
        Path {
            rtt_ns,
            bytes_per_s,
            datagram_max: self.datagram_max,
            datagram_room: 1 << 16,
            stream_room: self.transport.room(side),
            bulk_room: self.transport.room(side),
            loss: self.transport.ways[side].weather.loss,
        }
    }

    fn drain(&mut self, side: usize) {
        self.handle(side, Input::Path(self.path(side)));
        let (now, now_ns) = (self.clock(side), self.now_ns);
        while let Some(output) = self.sessions[side].poll(now) {
            let given = match output {
                Output::Datagram(bytes) => {
                    assert!(bytes.len() <= self.datagram_max, "a datagram beyond its limit");
                    self.transport.datagram(now_ns, side, bytes);
                    continue;
                }
                Output::Stream { stream, bytes, priority, end } => {
                    self.transport.stream(now_ns, side, stream, &bytes, priority, end);
                    self.handle(side, Input::Path(self.path(side)));
                    continue;
                }
                Output::Reset(stream) => {
                    self.transport.reset(now_ns, side, stream);
                    continue;
                }
                Output::Call => {
                    self.transport.call(now_ns, side);
                    continue;
                }
                Output::Close => {
                    self.transport.close(side);
                    continue;
                }
                Output::Deliver { edge, frame } => {
                    if self.consumes[side] {
                        self.sessions[side].consumed(now, edge, 1);
                    }
                    Delivered::Frame { at_ns: now_ns, edge, frame }
                }
                Output::Gap { edge, reason, frames } => {
                    Delivered::Gap { at_ns: now_ns, edge, reason, frames }
                }
                Output::Flush { edge } => Delivered::Flush { at_ns: now_ns, edge },
                Output::Bound { edge, bound } => Delivered::Bound { at_ns: now_ns, edge, bound },
                Output::End { edge } => Delivered::End { at_ns: now_ns, edge },
                Output::Refused { reason, text } => {
                    Delivered::Refused { at_ns: now_ns, reason, text }
                }
            };
            self.delivered[side].push(given);
        }
    }
}
