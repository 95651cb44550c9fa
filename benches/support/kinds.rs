//! Kinds of the benches: the least work that can be checked.

use std::{
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
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
    &[&RAMP, &ADD, &FINAL, &LATENCY, &SAME, &SAXPY, &REPLAY, &AGE, &HASH, &DIES, &SLOW];

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
            BEGAN.set();
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
        ENDED.set();
        TAKEN.store(self.frames, Ordering::Relaxed);
        LAST.store(u64::from(self.last.to_bits()), Ordering::Relaxed);
        Ok(())
    }
}

static BEGAN: Moment = Moment(Mutex::new(None));
static ENDED: Moment = Moment(Mutex::new(None));
static TAKEN: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

/// When, and how much processor time the thread had had by then.
struct Moment(Mutex<Option<(Instant, f64)>>);

impl Moment {
    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), process::thread_cpu_s()));
    }

    fn take(&self) -> (Instant, f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().expect("the graph has run")
    }
}

/// What the last graph of these kinds did.
pub(crate) struct Ran {
    /// From the source's first call to the sink's last.
    pub(crate) seconds: f64,
    /// Processor time in between, if source and sink share a thread: what the wall's clock would
    /// have said on a machine without others.
    pub(crate) cpu_s: f64,
    /// Frames at the sink.
    pub(crate) frames: u64,
    /// Its last sample.
    pub(crate) last: f32,
}

/// Takes out what the last graph did.
pub(crate) fn ran() -> Ran {
    let ((began, cpu_before), (ended, cpu_after)) = (BEGAN.take(), ENDED.take());
    Ran {
        seconds: ended.duration_since(began).as_secs_f64(),
        cpu_s: cpu_after - cpu_before,
        frames: TAKEN.load(Ordering::Relaxed),
        last: f32::from_bits(LAST.load(Ordering::Relaxed) as u32),
    }
}

/// Notes when every frame arrived and when it came through the door.
pub(crate) static LATENCY: Kind = Kind {
    name: "bench_latency",
    inputs: &[Port::signal("in").variadic()],
    build: |_| Ok(Body::sink(Latency { seen: Vec::with_capacity(1 << 16) })),
    ..Kind::BASE
};

struct Latency {
    seen: Vec<(i64, i64)>,
}

impl Sink for Latency {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.seen.push((bench_ns(), frame.header.entered.nanos()));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.append(&mut self.seen);
        Ok(())
    }
}

static SEEN: Mutex<Vec<(i64, i64)>> = Mutex::new(Vec::new());
static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the bench first asked.
pub(crate) fn bench_ns() -> i64 {
    ZERO.elapsed().as_nanos() as i64
}

/// Takes out what `bench_latency` sinks have noted: arrival by [`bench_ns`], `entered` by the
/// run's clock.
pub(crate) fn seen() -> Vec<(i64, i64)> {
    std::mem::take(&mut SEEN.lock().unwrap_or_else(PoisonError::into_inner))
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
            BEGAN.set();
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
}

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
        LAST.store(self.0, Ordering::Relaxed);
        Ok(())
    }
}

/// The hash of the last graph that ended in a [`HASH`].
pub(crate) fn hashed() -> u64 {
    LAST.swap(0, Ordering::Relaxed)
}

const EVERY: Param<i64> = Param::with_default("every", 500, "Panics on each such frame; 0 never.");

/// Passes frames on and panics on every so many of them.
pub(crate) static DIES: Kind = Kind {
    name: "bench_dies",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&EVERY],
    build: |node| Ok(Body::operator(Dies { every: node.get(&EVERY)? })),
    ..Kind::BASE
};

struct Dies {
    every: i64,
}

impl Operator for Dies {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let number = io.frame().samples()[0] as i64;
        assert!(self.every == 0 || number % self.every != self.every - 1, "on purpose");
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Takes 20 µs over every frame.
pub(crate) static SLOW: Kind = Kind {
    name: "bench_slow",
    inputs: &[Port::signal("in")],
    build: |_| Ok(Body::sink(Slow)),
    ..Kind::BASE
};

struct Slow;

impl Sink for Slow {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        let until = bench_ns() + 20_000;
        while bench_ns() < until {
            std::hint::spin_loop();
        }
        Ok(())
    }
}
