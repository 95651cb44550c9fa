//! Kinds of the benches: the least work that can be checked.

use std::{
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};

use engine::{
    Block, Body, Buffer, Channel, Fault, Flow, Format, Frame, Histogram, Io, Kind, Operator,
    Outline, Param, Port, Rate, SignalFormat, Sink, Source, Timestamp, Unit,
};

use super::process;

/// Every kind of this file.
pub(crate) static KINDS: &[&Kind] =
    &[&RAMP, &ADD, &FINAL, &LATENCY, &SAME, &NOISE, &SAXPY, &REPLAY, &AGE, &HASH, &DIES, &SLOW];

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 1_000.0, "Samples per second.").within(1.0, 1e9);
const FRAMES: Param<i64> = Param::with_default("frames", 1_000, "How many.").within(1.0, 1e12);
const FRAME_LEN: Param<i64> =
    Param::with_default("frame_len", 64, "Samples per frame.").within(1.0, 1e6);

/// Every sample of frame n is n: the source of the Copper harness.
pub(crate) static RAMP: Kind = Kind {
    name: "bench_ramp",
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &FRAMES, &FRAME_LEN],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let frame_len = node.get(&FRAME_LEN)? as usize;
        let channels = vec![Channel { name: "x".to_owned(), unit: Unit::UNKNOWN }];
        Ok(Outline::of([Format::Signal(SignalFormat { channels, rate, frame_len }.into())]))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned so");
        Ok(Body::source(Ramp {
            rate: signal.rate,
            frame_len: signal.frame_len,
            frames: node.get(&FRAMES)?,
            next: 0,
        }))
    },
    ..Kind::BASE
};

struct Ramp {
    rate: Rate,
    frame_len: usize,
    frames: i64,
    next: i64,
}

impl Source for Ramp {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        if self.next == 0 {
            lock(&BEGAN).push(now());
        }
        let mut buffer = io.signal(0, self.frame_len);
        buffer.floats_mut().expect("fresh").fill(self.next as f32);
        let time = Timestamp::from_nanos(self.rate.span_ns(self.next * self.frame_len as i64));
        io.send_buffer(0, time, buffer);
        self.next += 1;
        Ok(if self.next == self.frames { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Adds one to every sample.
pub(crate) static ADD: Kind = Kind {
    name: "bench_add",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Add)),
    ..Kind::BASE
};

struct Add;

impl Block for Add {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        add_one(input, output);
    }

    fn reset(&mut self) {}
}

/// The arithmetic of [`ADD`], for controls without an engine.
#[inline]
pub(crate) fn add_one(input: &[f32], output: &mut [f32]) {
    for (x, y) in input.iter().zip(output) {
        *y = x + 1.0;
    }
}

/// Remembers the last sample of the last frame, and how many frames there were.
pub(crate) static FINAL: Kind = Kind {
    name: "bench_final",
    inputs: &[Port::signal("in")],
    build: |_| Ok(Body::sink(Final { frames: 0, last: 0.0 })),
    ..Kind::BASE
};

struct Final {
    frames: u64,
    last: f32,
}

impl Sink for Final {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.frames += 1;
        self.last = frame.samples()[frame.len() - 1];
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        let (at, cpu_s) = now();
        lock(&ENDED).push(Ended { at, cpu_s, frames: self.frames, last: self.last });
        Ok(())
    }
}

static BEGAN: Mutex<Vec<(Instant, f64)>> = Mutex::new(Vec::new());
static ENDED: Mutex<Vec<Ended>> = Mutex::new(Vec::new());

struct Ended {
    at: Instant,
    cpu_s: f64,
    frames: u64,
    last: f32,
}

/// The moment, and how much processor time this thread has had.
fn now() -> (Instant, f64) {
    (Instant::now(), process::thread_cpu_s())
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the graphs of these kinds have done since it was asked last.
pub(crate) struct Ran {
    /// From the first call of the first source to the last of the last sink.
    pub(crate) seconds: f64,
    /// Processor time in between, if each source shares its thread with its sink: what the wall's
    /// clock would have said on a machine without others.
    pub(crate) cpu_s: f64,
    /// Frames at all sinks.
    pub(crate) frames: u64,
    /// Their last sample.
    pub(crate) last: f32,
}

/// Takes out what the last graph did, or several at once.
///
/// # Panics
/// If none has ended, or their last samples differ.
pub(crate) fn ran() -> Ran {
    let (began, ended) = (std::mem::take(&mut *lock(&BEGAN)), std::mem::take(&mut *lock(&ENDED)));
    assert_eq!(began.len(), ended.len(), "every source that began has a sink that ended");
    let first = began.iter().map(|began| began.0).min().expect("a graph has run");
    let end = ended.iter().map(|ended| ended.at).max().expect("a graph has run");
    let last = ended[0].last;
    assert!(ended.iter().all(|ended| ended.last.to_bits() == last.to_bits()), "all end alike");
    Ran {
        seconds: end.duration_since(first).as_secs_f64(),
        cpu_s: ended.iter().map(|ended| ended.cpu_s).sum::<f64>()
            - began.iter().map(|began| began.1).sum::<f64>(),
        frames: ended.iter().map(|ended| ended.frames).sum(),
        last,
    }
}

const LIST: Param<i64> =
    Param::with_default("list", 0, "The list of frames to add to.").within(0.0, LISTS as f64 - 1.0);
/// Lists that [`LATENCY`] sinks can write.
const LISTS: usize = 16;

/// Notes when every frame arrived and when it came through the door.
pub(crate) static LATENCY: Kind = Kind {
    name: "bench_latency",
    inputs: &[Port::signal("in").variadic()],
    params: &[&LIST],
    build: |node| {
        let list = node.get(&LIST)? as usize;
        Ok(Body::sink(Latency { list, seen: Vec::with_capacity(1 << 14) }))
    },
    ..Kind::BASE
};

struct Latency {
    list: usize,
    seen: Vec<Seen>,
}

/// A frame as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When, by [`bench_ns`].
    pub(crate) arrived: i64,
    /// When it came through the door, by the run's clock.
    pub(crate) entered: i64,
    /// The time of its first sample.
    pub(crate) time: i64,
    /// Whether it says that something before it is missing.
    pub(crate) after_gap: bool,
}

impl Sink for Latency {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.seen.push(Seen {
            arrived: bench_ns(),
            entered: frame.header.entered.nanos(),
            time: frame.header.time.nanos(),
            after_gap: frame.header.gap.is_some(),
        });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        lock(&SEEN[self.list]).append(&mut self.seen);
        Ok(())
    }
}

static SEEN: [Mutex<Vec<Seen>>; LISTS] = [const { Mutex::new(Vec::new()) }; LISTS];
static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the bench first asked.
pub(crate) fn bench_ns() -> i64 {
    ZERO.elapsed().as_nanos() as i64
}

/// Takes out what `bench_latency` sinks have noted in a list.
pub(crate) fn seen(list: usize) -> Vec<Seen> {
    std::mem::take(&mut lock(&SEEN[list]))
}

/// The same buffer of ones in every frame: a source that costs nothing.
pub(crate) static SAME: Kind = Kind {
    name: "bench_same",
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned so");
        let mut buffer = Buffer::signal(1, signal.frame_len);
        buffer.floats_mut().expect("fresh").fill(1.0);
        let (rate, frames) = (signal.rate, node.get(&FRAMES)?);
        Ok(Body::source(Same { buffer, rate, frames, next: 0 }))
    },
    ..RAMP
};

struct Same {
    buffer: Buffer,
    rate: Rate,
    frames: i64,
    next: i64,
}

impl Source for Same {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        if self.next == 0 {
            lock(&BEGAN).push(now());
        }
        let samples = self.next * self.buffer.count() as i64;
        io.send_buffer(0, Timestamp::from_nanos(self.rate.span_ns(samples)), self.buffer.clone());
        self.next += 1;
        Ok(if self.next == self.frames { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Noise between -1 and 1 that knows nothing of frames: sample n depends on n alone.
pub(crate) static NOISE: Kind = Kind {
    name: "bench_noise",
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned so");
        let (rate, frame_len) = (signal.rate, signal.frame_len);
        Ok(Body::source(Noise { rate, frame_len, frames: node.get(&FRAMES)?, next: 0 }))
    },
    ..RAMP
};

struct Noise {
    rate: Rate,
    frame_len: usize,
    frames: i64,
    next: i64,
}

impl Source for Noise {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.next * self.frame_len as i64;
        let mut buffer = io.signal(0, self.frame_len);
        for (n, sample) in buffer.floats_mut().expect("fresh").iter_mut().enumerate() {
            *sample = noise(first as u64 + n as u64);
        }
        io.send_buffer(0, Timestamp::from_nanos(self.rate.span_ns(first)), buffer);
        self.next += 1;
        Ok(if self.next == self.frames { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014) of n, its upper 24 bits.
fn noise(n: u64) -> f32 {
    let mut bits = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// A product and a sum per sample.
pub(crate) static SAXPY: Kind = Kind {
    name: "bench_saxpy",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Saxpy)),
    ..Kind::BASE
};

struct Saxpy;

impl Block for Saxpy {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        saxpy(input, output);
    }

    fn reset(&mut self) {}
}

/// The arithmetic of [`SAXPY`].
#[inline(never)]
pub(crate) fn saxpy(input: &[f32], output: &mut [f32]) {
    for (x, y) in input.iter().zip(output) {
        *y = 0.5 * x + 0.25;
    }
}

/// Samples per frame and channels of [`REPLAY`], whatever the session.
pub(crate) const REPLAY_LEN: usize = 10;
const REPLAY_CHANNELS: usize = 8;
const REPLAY_HZ: f64 = 250.0;
/// Ten seconds: beats at 72 a minute, one bump of 40 ms each, a little hum beside them.
static REPLAYED: LazyLock<Vec<Buffer>> = LazyLock::new(|| {
    let sample = |n: usize, channel: usize| {
        let t = n as f64 / REPLAY_HZ;
        let from_beat = (t % (60.0 / 72.0)) - 0.4;
        let beat = (-(from_beat / 0.012).powi(2)).exp();
        (beat + 0.02 * (t * 7.0 + channel as f64).sin()) as f32
    };
    let frame = |frame: usize| {
        let mut buffer = Buffer::signal(REPLAY_CHANNELS, REPLAY_LEN);
        let planes = buffer.floats_mut().expect("fresh");
        for (at, value) in planes.iter_mut().enumerate() {
            *value = sample(frame * REPLAY_LEN + at % REPLAY_LEN, at / REPLAY_LEN);
        }
        buffer
    };
    (0..250).map(frame).collect()
});

/// Eight channels at 250 Hz out of one buffer that all sessions share.
pub(crate) static REPLAY: Kind = Kind {
    name: "bench_replay",
    outputs: &[Port::signal("out")],
    plan: |_| {
        let rate = Rate::new(REPLAY_HZ).expect("a rate");
        Ok(Outline::of([Format::signal(REPLAY_CHANNELS, Unit::UNKNOWN, rate, REPLAY_LEN)]))
    },
    build: |_| Ok(Body::source(Replay { next: 0 })),
    ..Kind::BASE
};

struct Replay {
    next: usize,
}

impl Source for Replay {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let frames = &*REPLAYED;
        // A frame every 40 ms.
        let time = Timestamp::from_nanos(self.next as i64 * 40_000_000);
        io.send_buffer(0, time, frames[self.next % frames.len()].clone());
        self.next += 1;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Ages of all frames that [`AGE`] sinks took, in nanoseconds.
pub(crate) static AGES: LazyLock<Histogram> = LazyLock::new(Histogram::default);
/// Frames a session learns its zero from.
const LEARNING: u32 = 10;

/// Notes how much later than the session's most punctual frame each frame arrives.
pub(crate) static AGE: Kind = Kind {
    name: "bench_age",
    inputs: &[Port::any("in").variadic()],
    build: |_| Ok(Body::sink(Age { zero: i64::MAX, seen: 0 })),
    ..Kind::BASE
};

struct Age {
    zero: i64,
    seen: u32,
}

impl Sink for Age {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        // Times differ by whole frames, so the last sample's is the first's plus a constant.
        let since = bench_ns() - frame.header.time.nanos();
        self.zero = self.zero.min(since);
        self.seen += 1;
        if self.seen > LEARNING {
            AGES.record(since - self.zero);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        SEEN_LEAST.fetch_min(self.seen, Ordering::Relaxed);
        Ok(())
    }
}

/// Frames of the session that has had the fewest, of those that have ended.
pub(crate) static SEEN_LEAST: AtomicU32 = AtomicU32::new(u32::MAX);

/// A hash of every sample it takes, in order; FNV-1a over their bits.
pub(crate) static HASH: Kind = Kind {
    name: "bench_hash",
    inputs: &[Port::signal("in")],
    build: |_| Ok(Body::sink(Hash(0xcbf2_9ce4_8422_2325))),
    ..Kind::BASE
};

struct Hash(u64);

impl Sink for Hash {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        for sample in frame.samples() {
            self.0 = (self.0 ^ u64::from(sample.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        HASHED.store(self.0, Ordering::Relaxed);
        Ok(())
    }
}

static HASHED: AtomicU64 = AtomicU64::new(0);

/// The hash of the last graph that ended in a [`HASH`].
pub(crate) fn hashed() -> u64 {
    HASHED.swap(0, Ordering::Relaxed)
}

const DIES_AT: Param<i64> =
    Param::with_default("at", -1, "The frame to panic on, by its first sample.");

/// Passes frames on and panics on one of them.
pub(crate) static DIES: Kind = Kind {
    name: "bench_dies",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&DIES_AT],
    build: |node| Ok(Body::operator(Dies { at: node.get(&DIES_AT)? })),
    ..Kind::BASE
};

struct Dies {
    at: i64,
}

impl Operator for Dies {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        assert!(io.frame().samples()[0] as i64 != self.at, "on purpose");
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// How long [`SLOW`] takes over a frame.
pub(crate) const SLOW_NS: i64 = 20_000;

/// Takes 20 µs over every frame of a [`RAMP`], and keeps a ledger of what is missing.
pub(crate) static SLOW: Kind = Kind {
    name: "bench_slow",
    inputs: &[Port::signal("in")],
    build: |_| Ok(Body::sink(Slow(Ledger::default()))),
    ..Kind::BASE
};

struct Slow(Ledger);

/// What a sink of numbered frames has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ledger {
    /// Frames it took.
    pub(crate) taken: u64,
    /// Missing before the first and between two of them.
    pub(crate) missing: u64,
    /// The number after the last.
    pub(crate) next: u64,
    /// Places where frames were missing and the next did not say so, or said so for nothing.
    pub(crate) untold: u64,
    /// Frames older than one that came before.
    pub(crate) disordered: u64,
}

impl Sink for Slow {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let until = bench_ns() + SLOW_NS;
        let (seen, number) = (&mut self.0, frame.samples()[0] as u64);
        let missing = number.saturating_sub(seen.next);
        seen.taken += 1;
        seen.missing += missing;
        seen.untold += u64::from((missing > 0) != frame.header.gap.is_some());
        seen.disordered += u64::from(number < seen.next);
        seen.next = number + 1;
        while bench_ns() < until {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        *lock(&LEDGER) = self.0;
        Ok(())
    }
}

static LEDGER: Mutex<Ledger> =
    Mutex::new(Ledger { taken: 0, missing: 0, next: 0, untold: 0, disordered: 0 });

/// Takes out what the last [`SLOW`] sink has seen.
pub(crate) fn ledger() -> Ledger {
    std::mem::take(&mut lock(&LEDGER))
}
