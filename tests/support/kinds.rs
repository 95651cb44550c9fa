//! Kinds for tests of the runtime: predictable sources, bodies that fail on purpose, sinks that
//! remember.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use engine::{
    Block, Body, BuildError, Channel, Fault, Flow, Format, Frame, Gap, Io, Kind, Node, Operator,
    Outline, Param, Placement, Policy, Port, Rate, SignalFormat, Sink, Source, Timestamp, Unit,
};

/// Every kind of this file.
pub static KINDS: &[&Kind] = &[
    &COUNT,
    &PASS,
    &PANICS,
    &PANICS_ALWAYS,
    &FAULTS,
    &SPINS,
    &WINDOW,
    &SUM,
    &TICKS,
    &TALLY,
    &WAITING_TALLY,
];

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 1_000.0, "Samples per second.").within(1.0, 1e6);
const SAMPLES: Param<i64> = Param::with_default("samples", 1_000, "How many.").within(1.0, 1e9);
const CHANNELS: Param<i64> = Param::with_default("channels", 1, "How many.").within(1.0, 64.0);
const AT: Param<i64> = Param::with_default("at", 100, "The frame to fail on.").within(0.0, 1e9);
const TIMES: Param<i64> = Param::with_default("times", 1, "How often to fail.").within(0.0, 1e9);
const KEY: Param<&str> = Param::with_default("key", "", "Where what was taken is found.");

/// Counts: sample n of every channel is n.
pub static COUNT: Kind = Kind {
    name: "count",
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &SAMPLES, &CHANNELS],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = node.get(&CHANNELS)? as usize;
        let channels =
            (0..channels).map(|n| Channel { name: n.to_string(), unit: Unit::UNKNOWN }).collect();
        let frame_len = node.frame_len(rate, 10.0);
        Ok(Outline::of([Format::Signal(SignalFormat { channels, rate, frame_len }.into())]))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned so").clone();
        Ok(Body::source(Count { signal, left: node.get(&SAMPLES)?, next: 0 }))
    },
    ..Kind::BASE
};

struct Count {
    signal: SignalFormat,
    left: i64,
    next: i64,
}

impl Source for Count {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let len = self.left.min(self.signal.frame_len as i64);
        let mut buffer = io.signal(0, len as usize);
        for plane in buffer.floats_mut().expect("fresh").chunks_exact_mut(len.max(1) as usize) {
            for (n, sample) in plane.iter_mut().enumerate() {
                *sample = (self.next + n as i64) as f32;
            }
        }
        let time = Timestamp::from_nanos(self.signal.rate.span_ns(self.next));
        io.send_buffer(0, time, buffer);
        self.next += len;
        self.left -= len;
        Ok(if self.left == 0 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.left += self.next;
        self.next = 0;
        Ok(())
    }
}

/// Adds one to every sample.
pub static PASS: Kind = Kind {
    name: "pass",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Pass)),
    ..Kind::BASE
};

struct Pass;

impl Block for Pass {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        for (x, y) in input.iter().zip(output) {
            *y = x + 1.0;
        }
    }

    fn reset(&mut self) {}
}

/// How often `panics`, `faults` and `spins` have failed, by node name and session; outlives the body.
static FAILED: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

fn may_fail(name: &str, times: i64) -> bool {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = failed.entry(name.to_owned()).or_insert(0);
    *count += 1;
    *count <= times
}

/// A body that fails on purpose: counts frames, passes them on, and adds its count to them.
struct Fails {
    name: String,
    seen: i64,
    at: i64,
    times: i64,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    Panic,
    Fault,
    Spin,
}

/// Lets bodies of `spins` go: a test ends with it so that no thread is left behind.
pub static LET_GO: AtomicBool = AtomicBool::new(false);

impl Operator for Fails {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.seen += 1;
        let first = io.frame().samples()[0] as i64;
        if first == self.at && may_fail(&self.name, self.times) {
            match self.how {
                // Without the hook, whose backtrace may take as long as a body that hangs.
                How::Panic => std::panic::resume_unwind(Box::new("on purpose")),
                How::Fault => return Err(Fault::new("on purpose")),
                How::Spin => {
                    while !LET_GO.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                }
            }
        }
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn gap(&mut self, _: &engine::GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {
        self.seen = 0;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.seen.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let state = from.strip_prefix(&[1]).and_then(|rest| rest.try_into().ok());
        self.seen = i64::from_le_bytes(state.ok_or(Fault::new("not a state of this kind"))?);
        Ok(())
    }
}

const IN: &[Port] = &[Port::signal("in")];
const OUT: &[Port] = &[Port::like("out", "in")];
const ANY: &[Port] = &[Port::any("in").variadic()];

const fn failing(name: &'static str, build: fn(&Node<'_>) -> Result<Body, BuildError>) -> Kind {
    Kind { name, inputs: IN, outputs: OUT, params: &[&AT, &TIMES], build, ..Kind::BASE }
}

fn fails(node: &Node<'_>, how: How) -> Result<Body, BuildError> {
    Ok(Body::operator(Fails {
        name: format!("{}/{}", node.name(), node.session()),
        seen: 0,
        at: node.get(&AT)?,
        times: node.get(&TIMES)?,
        how,
    }))
}

/// Panics on the frame whose first sample is `at`.
pub static PANICS: Kind = failing("panics", |node| fails(node, How::Panic));
/// Panics on every frame.
pub static PANICS_ALWAYS: Kind = Kind {
    name: "panics_always",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(PanicsAlways)),
    ..Kind::BASE
};

struct PanicsAlways;

impl Block for PanicsAlways {
    fn block(&mut self, _: usize, _: &[f32], _: &mut [f32]) {
        std::panic::resume_unwind(Box::new("always"));
    }

    fn reset(&mut self) {}
}

/// Returns a fault on the frame whose first sample is `at`.
pub static FAULTS: Kind = failing("faults", |node| fails(node, How::Fault));
/// Never returns from the frame whose first sample is `at`, until [`LET_GO`].
pub static SPINS: Kind = failing("spins", |node| fails(node, How::Spin));

/// Sums of ten samples, stamped with the first of them: a window with a look-back.
pub static WINDOW: Kind = Kind {
    name: "window",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    plan: |node| {
        let input = node.signal("in");
        let rate = Rate::new(input.rate.hz() / 10.0).expect("a tenth is a rate");
        let channels = vec![Channel { name: "sum".to_owned(), unit: Unit::UNKNOWN }];
        let format = Format::Signal(SignalFormat { channels, rate, frame_len: 1 }.into());
        let period_ns = input.rate.span_ns(10);
        Ok(Outline::of([format]).looking_back(period_ns))
    },
    build: |_| Ok(Body::operator(Window { sum: 0.0, count: 0 })),
    ..Kind::BASE
};

struct Window {
    sum: f32,
    count: i64,
}

impl Operator for Window {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        for n in 0..io.frame().len() {
            self.sum += io.frame().channel(0)[n];
            self.count += 1;
            if self.count == 10 {
                let time = io.time_of(n as i64 - 9);
                let mut buffer = io.signal(0, 1);
                buffer.floats_mut().expect("fresh")[0] = self.sum;
                io.send_buffer(0, time, buffer);
                self.reset();
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        (self.sum, self.count) = (0.0, 0);
    }
}

/// The first input plus the held second: a join.
pub static SUM: Kind = Kind {
    name: "sum",
    inputs: &[Port::signal("in"), Port::signal("other")],
    outputs: &[Port::like("out", "in")],
    policy: Policy::Hold,
    build: |_| Ok(Body::operator(Sum)),
    ..Kind::BASE
};

struct Sum;

impl Operator for Sum {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut buffer = io.signal(0, io.frame().len());
        let other = io.aligned(1).expect("the runtime aligns").samples();
        for ((y, x), held) in
            buffer.floats_mut().expect("fresh").iter_mut().zip(io.frame().samples()).zip(other)
        {
            *y = x + held;
        }
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// A sample every 25 ms of event time: how many samples came before.
pub static TICKS: Kind = Kind {
    name: "ticks",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    timers: true,
    plan: |_| {
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(40.0).expect("valid"), 1)]))
    },
    build: |_| Ok(Body::operator(Ticks { seen: 0.0, due: Timestamp::from_nanos(TICK_NS) })),
    ..Kind::BASE
};

const TICK_NS: i64 = 25_000_000;

struct Ticks {
    seen: f32,
    due: Timestamp,
}

impl Operator for Ticks {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.seen += io.frame().len() as f32;
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut buffer = io.signal(0, 1);
        buffer.floats_mut().expect("fresh")[0] = self.seen;
        io.send_buffer(0, due, buffer);
        self.due = due.plus_nanos(TICK_NS);
        Ok(())
    }

    fn reset(&mut self) {
        self.seen = 0.0;
    }
}

/// What sinks took: by key, or the node's name without one; line, frame.
static TALLIES: Mutex<BTreeMap<String, Vec<(usize, Frame)>>> = Mutex::new(BTreeMap::new());

/// Takes out what the sinks of this key have taken.
pub fn tally(key: &str) -> Vec<(usize, Frame)> {
    TALLIES.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default()
}

/// All samples the sinks of this key have taken, with the time of each frame and its gap.
pub fn tallied(key: &str) -> (Vec<f32>, Vec<(i64, Option<Gap>)>) {
    let frames = tally(key);
    let samples = frames.iter().flat_map(|(_, frame)| frame.samples().to_vec()).collect();
    let headers = frames.iter().map(|(_, f)| (f.header.time.nanos(), f.header.gap.get())).collect();
    (samples, headers)
}

/// Nanoseconds a waiting tally spends on every frame.
pub static SLOWNESS_NS: AtomicI64 = AtomicI64::new(0);

struct Tally {
    key: String,
    slow: bool,
}

impl Sink for Tally {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        if self.slow {
            let began = std::time::Instant::now();
            let slowness = SLOWNESS_NS.load(Ordering::Relaxed) as u128;
            while began.elapsed().as_nanos() < slowness {
                std::hint::spin_loop();
            }
        }
        let mut tallies = TALLIES.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.entry(self.key.clone()).or_default().push((line, frame.clone()));
        Ok(())
    }
}

const fn tally_kind(name: &'static str, placement: Placement) -> Kind {
    Kind {
        name,
        inputs: ANY,
        params: &[&KEY],
        placement,
        build: |node| {
            let key = node.get(&KEY)?;
            let key = if key.is_empty() { node.name() } else { key };
            let slow = matches!(node.kind().placement, Placement::Waits);
            Ok(Body::sink(Tally { key: key.to_owned(), slow }))
        },
        ..Kind::BASE
    }
}

/// Keeps every frame, on the data core.
pub static TALLY: Kind = tally_kind("tally", Placement::Fused);
/// Keeps every frame, on the I/O runtime, taking its time.
pub static WAITING_TALLY: Kind = tally_kind("waiting_tally", Placement::Waits);
