//! Sources that cost next to nothing, sinks that note what came when.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread::ThreadId,
    time::Instant,
};

use engine::{
    Body, Buffer, Channel, Fault, Flow, Format, Frame, Io, Kind, Outline, Param, Placement, Port,
    Rate, SignalFormat, Sink, Source, Timestamp, Unit,
};

use crate::support::process;

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 1_000.0, "Samples per second.").within(1.0, 1e9);
pub(super) const FRAMES: Param<i64> =
    Param::with_default("frames", 1_000, "How many.").within(1.0, 1e12);
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

/// The noise of a congruential generator, the same for ever: 65 536 samples that a script can make too.
pub(crate) static SOUND: Kind = Kind {
    name: "bench_sound",
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned so");
        let (rate, frames) = (signal.rate, node.get(&FRAMES)?);
        let samples = sound(SOUND_LEN + signal.frame_len).into();
        Ok(Body::source(Sound { samples, frame_len: signal.frame_len, rate, frames, next: 0 }))
    },
    ..RAMP
};

const SOUND_LEN: usize = 65_536;

/// The samples of [`SOUND`].
pub(crate) fn sound(count: usize) -> Vec<f32> {
    let mut state: u32 = 1;
    let mut period: Vec<f32> = Vec::with_capacity(SOUND_LEN);
    for _ in 0..SOUND_LEN {
        state = (75 * state + 74) % 65_537;
        period.push(state as f32 / 32_768.0 - 1.0);
    }
    period.into_iter().cycle().take(count).collect()
}

struct Sound {
    samples: Box<[f32]>,
    frame_len: usize,
    rate: Rate,
    frames: i64,
    next: i64,
}

impl Source for Sound {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        if self.next == 0 {
            lock(&BEGAN).push(now());
        }
        let at = self.next * self.frame_len as i64;
        let mut buffer = io.signal(0, self.frame_len);
        let from = &self.samples[at as usize % SOUND_LEN..][..self.frame_len];
        buffer.floats_mut().expect("fresh").copy_from_slice(from);
        io.send_buffer(0, Timestamp::from_nanos(self.rate.span_ns(at)), buffer);
        self.next += 1;
        Ok(if self.next == self.frames { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Remembers the last sample of the last whole frame, and how many frames and samples there were.
pub(crate) static FINAL: Kind = Kind {
    name: "bench_final",
    inputs: &[Port::signal("in")],
    build: |_| Ok(Body::sink(Final::default())),
    ..Kind::BASE
};

/// Takes whatever comes, on the core.
pub(crate) static TAKEN: Kind = Kind {
    name: "bench_taken",
    inputs: &[Port::any("in")],
    build: |_| Ok(Body::sink(Taken)),
    ..Kind::BASE
};

/// Takes whatever comes, off the data cores, as what writes to a disk or a socket does.
pub(crate) static TAKEN_OFF: Kind =
    Kind { name: "bench_taken_off", placement: Placement::Waits, ..TAKEN };

struct Taken;

impl Sink for Taken {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Default)]
struct Final {
    frames: u64,
    samples: u64,
    longest: usize,
    last: f32,
}

impl Sink for Final {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.frames += 1;
        self.samples += frame.len() as u64;
        // Shorter ones at the end are what was still inside filters, with zeros behind it.
        if frame.len() >= self.longest {
            self.longest = frame.len();
            self.last = frame.samples()[frame.len() - 1];
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        lock(&ENDED).push(Ended {
            now: now(),
            frames: self.frames,
            samples: self.samples,
            last: self.last,
        });
        Ok(())
    }
}

static BEGAN: Mutex<Vec<Now>> = Mutex::new(Vec::new());
static ENDED: Mutex<Vec<Ended>> = Mutex::new(Vec::new());

struct Ended {
    now: Now,
    frames: u64,
    samples: u64,
    last: f32,
}

/// A moment on a thread, and how much processor time that has had.
struct Now {
    at: Instant,
    thread: ThreadId,
    cpu_s: f64,
}

fn now() -> Now {
    let thread = std::thread::current().id();
    Now { at: Instant::now(), thread, cpu_s: process::thread_cpu_s() }
}

/// Processor time of each thread from the first source that began on it to the last sink that ended
/// there: sessions of one core share its thread.
fn cpu_s(began: &[Now], ended: &[Ended]) -> f64 {
    let mut threads: Vec<ThreadId> = began.iter().map(|now| now.thread).collect();
    threads.sort_by_key(|thread| format!("{thread:?}"));
    threads.dedup();
    let of = |thread: ThreadId| {
        let first = began.iter().filter(|now| now.thread == thread).map(|now| now.cpu_s);
        let last = ended.iter().filter(|it| it.now.thread == thread).map(|it| it.now.cpu_s);
        last.fold(0.0, f64::max) - first.fold(f64::INFINITY, f64::min)
    };
    threads.into_iter().map(of).sum()
}

pub(super) fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the graphs of these kinds have done since it was asked last.
pub(crate) struct Ran {
    /// From the first call of the first source to the last of the last sink.
    pub(crate) seconds: f64,
    /// Processor time in between of the threads they ran on, if each source shares its thread with its
    /// sink: what the wall's clock would have said on a machine without others.
    pub(crate) cpu_s: f64,
    /// Frames at all sinks.
    pub(crate) frames: u64,
    /// Samples at all sinks.
    pub(crate) samples: u64,
    /// The last one of a whole frame.
    pub(crate) last: f32,
}

/// Takes out what the last graph did, or several at once.
///
/// # Panics
/// If none has ended, or their last samples differ.
pub(crate) fn ran() -> Ran {
    let (began, ended) = (std::mem::take(&mut *lock(&BEGAN)), std::mem::take(&mut *lock(&ENDED)));
    assert_eq!(began.len(), ended.len(), "every source that began has a sink that ended");
    let first = began.iter().map(|began| began.at).min().expect("a graph has run");
    let end = ended.iter().map(|ended| ended.now.at).max().expect("a graph has run");
    let last = ended[0].last;
    assert!(ended.iter().all(|ended| ended.last.to_bits() == last.to_bits()), "all end alike");
    Ran {
        seconds: end.duration_since(first).as_secs_f64(),
        cpu_s: cpu_s(&began, &ended),
        frames: ended.iter().map(|ended| ended.frames).sum(),
        samples: ended.iter().map(|ended| ended.samples).sum(),
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
/// Takes out what `bench_latency` sinks have noted in a list.
pub(crate) fn seen(list: usize) -> Vec<Seen> {
    std::mem::take(&mut lock(&SEEN[list]))
}

static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the bench first asked.
pub(crate) fn bench_ns() -> i64 {
    ZERO.elapsed().as_nanos() as i64
}
