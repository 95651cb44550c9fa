//! [`Transport`]: what a session needs of QUIC, over two [`Way`]s.
//!
//! Calls, datagrams, ordered streams with repetition and a congestion window. A damaged packet is
//! discarded, as authenticated encryption does. Nobody is told that the other side is gone.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use super::Way;
use crate::session::StreamKey;

/// Bytes of a packet beside its content: IP, UDP, QUIC.
const OVERHEAD: usize = 60;
/// Bytes of a stream in one packet.
const SEGMENT: usize = 1_200;
/// Largest congestion window.
const WINDOW_MAX: f64 = 2e6;

/// What an end hears.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `session::Input`")]
pub enum Heard {
    Up,
    Datagram(Vec<u8>),
    Stream { stream: u64, bytes: Vec<u8>, end: bool },
    StreamReset { stream: u64 },
}

#[derive(Clone, Debug)]
enum Packet {
    Call,
    Welcome,
    Datagram { number: u64, bytes: Vec<u8> },
    Segment { number: u64, segment: Segment },
    Acknowledge { number: u64 },
    Reset { stream: u64 },
}

#[derive(Clone, Debug)]
struct Segment {
    stream: u64,
    offset: usize,
    bytes: Vec<u8>,
    end: bool,
    priority: i32,
}

/// A packet at its end, or a timer.
#[derive(Debug)]
enum Happens {
    Arrives { to: usize, call: u64, packet: Packet },
    TimesOut { end: usize, call: u64, number: u64 },
}

#[derive(Debug, Default)]
struct End {
    /// The call whose connection this is.
    call: Option<u64>,
    /// The newest call whose connection was given up: what still comes of it is not heard.
    forgotten: Option<u64>,
    keys: BTreeMap<StreamKey, (u64, usize)>,
    streams: u64,
    waiting: VecDeque<Segment>,
    flying: BTreeMap<u64, (Segment, i64)>,
    numbers: u64,
    window: f64,
    cut_at: i64,
    rtt_ns: f64,
    back_off: i64,
    doubled_at: i64,
    reading: BTreeMap<u64, Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    next: usize,
    early: BTreeMap<usize, (Vec<u8>, bool)>,
    is_reset: bool,
}

/// Both ends of a connection and the ways between them.
#[derive(Debug)]
pub struct Transport {
    /// From end 0 to end 1, and back.
    pub ways: [Way; 2],
    /// Lets damaged packets through with a wrong bit, as no encrypted transport does.
    pub passes_damage: bool,
    ends: [End; 2],
    calls: u64,
    happens: BTreeMap<u64, Happens>,
    order: BinaryHeap<Reverse<(i64, u64)>>,
    count: u64,
}

impl Transport {
    /// Two ends without a connection.
    pub fn new(ways: [Way; 2]) -> Self {
        let ends = [End::default(), End::default()];
        let (happens, order) = (BTreeMap::new(), BinaryHeap::new());
        Self { ways, passes_damage: false, ends, calls: 0, happens, order, count: 0 }
    }

    /// When something happens next.
    pub fn next_ns(&self) -> Option<i64> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// End `from` calls the other.
    pub fn call(&mut self, now: i64, from: usize) {
        self.calls += 1;
        self.put(now, from, self.calls, Packet::Call, 1_200);
    }

    /// End `end` forgets its connection; the other is not told.
    pub fn close(&mut self, end: usize) {
        let forgotten = self.ends[end].call.max(self.ends[end].forgotten);
        self.ends[end] = End { forgotten, ..End::default() };
    }

    /// Sends a datagram.
    pub fn datagram(&mut self, now: i64, from: usize, bytes: Vec<u8>) {
        let end = &mut self.ends[from];
        let Some(call) = end.call else { return };
        end.numbers += 1;
        let (number, len) = (end.numbers, bytes.len() + OVERHEAD);
        self.put(now, from, call, Packet::Datagram { number, bytes }, len);
    }

    /// Sends bytes of a stream.
    pub fn stream(
        &mut self,
        now: i64,
        from: usize,
        key: StreamKey,
        bytes: &[u8],
        priority: i32,
        end: bool,
    ) {
        let out = &mut self.ends[from];
        if out.call.is_none() {
            return;
        }
        let (stream, offset) = *out.keys.entry(key).or_insert_with(|| {
            out.streams += 1;
            (out.streams, 0)
        });
        let count = bytes.len().div_ceil(SEGMENT).max(1);
        for n in 0..count {
            let piece = &bytes[n * SEGMENT..bytes.len().min((n + 1) * SEGMENT)];
            let segment = Segment {
                stream,
                offset: offset + n * SEGMENT,
                bytes: piece.to_vec(),
                end: end && n + 1 == count,
                priority,
            };
            out.waiting.push_back(segment);
        }
        out.keys.insert(key, (stream, offset + bytes.len()));
        self.push(now, from);
    }

    /// Gives a stream up.
    pub fn reset(&mut self, now: i64, from: usize, key: StreamKey) {
        let out = &mut self.ends[from];
        let (Some(call), Some((stream, _))) = (out.call, out.keys.remove(&key)) else { return };
        out.waiting.retain(|segment| segment.stream != stream);
        out.flying.retain(|_, (segment, _)| segment.stream != stream);
        self.put(now, from, call, Packet::Reset { stream }, OVERHEAD);
    }

    /// Smoothed round-trip time, and bytes per second that the window allows.
    pub fn path(&self, end: usize) -> (i64, f64) {
        let end = &self.ends[end];
        let rate = if end.rtt_ns > 0.0 { end.window / end.rtt_ns * 1e9 } else { 0.0 };
        (end.rtt_ns as i64, rate)
    }

    /// Bytes of streams that are taken without a queue that lasts longer than the window.
    pub fn room(&self, end: usize) -> usize {
        let end = &self.ends[end];
        let held: usize = end.waiting.iter().map(|segment| segment.bytes.len()).sum();
        (2.0 * SEGMENT as f64 + end.window / 4.0) as usize
            - held.min(end.window as usize / 4 + 2 * SEGMENT)
    }

    /// Bytes that are held or under way, both directions.
    pub fn held(&self) -> usize {
        let segments = |end: &End| {
            let waiting = end.waiting.iter().map(|segment| segment.bytes.len());
            let flying = end.flying.values().map(|(segment, _)| segment.bytes.len());
            let early = end.reading.values().flat_map(|r| r.early.values().map(|(b, _)| b.len()));
            waiting.chain(flying).chain(early).sum::<usize>()
        };
        self.ends.iter().map(segments).sum()
    }

    /// What is heard next, if something happens until `now`: by which end, and what.
    pub fn happen(&mut self, now: i64) -> Option<(usize, Vec<Heard>)> {
        let Reverse((at, _)) = *self.order.peek()?;
        if at > now {
            return None;
        }
        let Reverse((_, number)) = self.order.pop().expect("just seen");
        Some(match self.happens.remove(&number).expect("each in both") {
            Happens::Arrives { to, call, packet } => (to, self.arrive(at, to, call, packet)),
            Happens::TimesOut { end, call, number } => {
                self.time_out(at, end, call, number);
                (end, Vec::new())
            }
        })
    }

    fn arrive(&mut self, now: i64, to: usize, call: u64, packet: Packet) -> Vec<Heard> {
        let mut heard = Vec::new();
        match packet {
            Packet::Call => {
                self.put(now, to, call, Packet::Welcome, 1_200);
                return heard;
            }
            // The first call that is answered is taken.
            Packet::Welcome if self.ends[to].call.is_some() => return heard,
            Packet::Welcome => self.begin(to, call),
            // Who was called has a connection when the caller uses it; older ones are forgotten.
            _ if to == 1 && self.ends[1].call.max(self.ends[1].forgotten) < Some(call) => {
                self.begin(to, call);
            }
            _ if self.ends[to].call == Some(call) => {}
            _ => return heard,
        }
        if self.ends[to].numbers == 0 && self.ends[to].streams == 0 && self.ends[to].rtt_ns == 0.0 {
            let ways = &self.ways;
            self.ends[to].rtt_ns = ways.iter().map(|way| way.weather.delay_ns as f64).sum();
            heard.push(Heard::Up);
        }
        match packet {
            Packet::Datagram { number, bytes } => {
                self.put(now, to, call, Packet::Acknowledge { number }, OVERHEAD);
                heard.push(Heard::Datagram(bytes));
            }
            Packet::Segment { number, segment } => {
                self.put(now, to, call, Packet::Acknowledge { number }, OVERHEAD);
                self.ends[to].read(segment, &mut heard);
            }
            Packet::Acknowledge { number } => self.acknowledge(now, to, number),
            Packet::Reset { stream } => {
                let reading = self.ends[to].reading.entry(stream).or_default();
                reading.is_reset = true;
                reading.early.clear();
                heard.push(Heard::StreamReset { stream });
            }
            Packet::Call | Packet::Welcome => {}
        }
        heard
    }

    fn begin(&mut self, end: usize, call: u64) {
        self.ends[end] = End {
            call: Some(call),
            forgotten: self.ends[end].forgotten,
            window: 32e3,
            back_off: 1,
            ..End::default()
        };
    }

    fn acknowledge(&mut self, now: i64, end: usize, number: u64) {
        let here = &mut self.ends[end];
        here.back_off = 1;
        // Datagrams are acknowledged too, and not sent again.
        if let Some((_, sent)) = here.flying.remove(&number) {
            here.rtt_ns += ((now - sent) as f64 - here.rtt_ns) / 8.0;
            let grown = here.window + 4.0 * SEGMENT as f64 * SEGMENT as f64 / here.window;
            here.window = grown.min(WINDOW_MAX);
        }
        // What three later ones have overtaken is lost, as is all from long before.
        let old = now - (1.2 * here.rtt_ns) as i64;
        let lost: Vec<u64> = here
            .flying
            .range(..number)
            .filter(|(n, (_, sent))| number - *n >= 3 && *sent < old)
            .map(|(n, _)| *n)
            .collect();
        for number in lost {
            self.repeat(now, end, number);
        }
        self.push(now, end);
    }

    fn time_out(&mut self, now: i64, end: usize, call: u64, number: u64) {
        if self.ends[end].call == Some(call) && self.ends[end].flying.contains_key(&number) {
            let here = &mut self.ends[end];
            // All that time out together double it once.
            if now >= here.doubled_at {
                here.back_off = (here.back_off * 2).min(64);
                here.doubled_at = now + (1.5 * here.rtt_ns) as i64 * here.back_off;
            }
            self.repeat(now, end, number);
            self.push(now, end);
        }
    }

    fn repeat(&mut self, now: i64, end: usize, number: u64) {
        let here = &mut self.ends[end];
        let Some((segment, _)) = here.flying.remove(&number) else { return };
        here.waiting.push_front(segment);
        if now - here.cut_at > here.rtt_ns as i64 {
            here.window = (here.window * 0.7).max(4.0 * SEGMENT as f64);
            here.cut_at = now;
        }
    }

    /// Sends what the window allows, the highest priority first.
    fn push(&mut self, now: i64, end: usize) {
        loop {
            let here = &mut self.ends[end];
            let flying: usize = here.flying.values().map(|(segment, _)| segment.bytes.len()).sum();
            let Some(call) = here.call.filter(|_| (flying as f64) < here.window) else { return };
            let most = here.waiting.iter().map(|segment| segment.priority).max();
            let first = here.waiting.iter().position(|segment| Some(segment.priority) == most);
            let Some(segment) = first.and_then(|first| here.waiting.remove(first)) else { return };
            here.numbers += 1;
            let number = here.numbers;
            here.flying.insert(number, (segment.clone(), now));
            let patience = (1.5 * here.rtt_ns) as i64 + 25_000_000;
            let due = now + patience * here.back_off;
            let len = segment.bytes.len() + OVERHEAD;
            self.later(due, Happens::TimesOut { end, call, number });
            self.put(now, end, call, Packet::Segment { number, segment }, len);
        }
    }

    fn put(&mut self, now: i64, from: usize, call: u64, packet: Packet, bytes: usize) {
        for arrival in self.ways[from].send(now, bytes) {
            let mut packet = packet.clone();
            if arrival.damaged {
                packet.damage(arrival.at_ns as usize);
            }
            if !arrival.damaged || self.passes_damage {
                self.later(arrival.at_ns, Happens::Arrives { to: 1 - from, call, packet });
            }
        }
    }

    fn later(&mut self, at: i64, what: Happens) {
        self.count += 1;
        self.happens.insert(self.count, what);
        self.order.push(Reverse((at, self.count)));
    }
}

impl Packet {
    /// Turns a bit of what a session sent.
    fn damage(&mut self, chance: usize) {
        let (Self::Datagram { bytes, .. } | Self::Segment { segment: Segment { bytes, .. }, .. }) =
            self
        else {
            return;
        };
        let bits = bytes.len() * 8;
        if bits > 0 {
            let bit = chance % bits;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

impl End {
    fn read(&mut self, segment: Segment, heard: &mut Vec<Heard>) {
        let reading = self.reading.entry(segment.stream).or_default();
        if reading.is_reset || segment.offset < reading.next {
            return;
        }
        reading.early.insert(segment.offset, (segment.bytes, segment.end));
        while let Some((bytes, end)) = reading.early.remove(&reading.next) {
            reading.next += bytes.len();
            // A piece without bytes may only be the last.
            reading.is_reset |= end;
            heard.push(Heard::Stream { stream: segment.stream, bytes, end });
            if end {
                break;
            }
        }
    }
}
