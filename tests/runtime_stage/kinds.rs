//! Kinds that die beside their frames, hang, dawdle, or send what a test writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use engine::{
    Block, Body, Buffer, BuildError, Fault, Field, Flow, Format, Frame, Gap, GapNotice, Io, Kind,
    Node, Operator, Outline, Param, Policy, Port, Rate, Sink, Source, Timestamp, Unit,
};

pub(crate) static KINDS: &[&Kind] = &[
    &SCRIPT, &SHORT, &TOIL, &SPAN, &PULSES, &FRAIL, &FRAIL_SUM, &DIES, &DIES_SUM, &DELAYED, &STALL,
    &DAWDLE, &VOID,
];

const TIMES: Param<&str> = Param::with_default("times", "", "Milliseconds; `t` for `tick`.");
const FRAMES: Param<i64> = Param::with_default("frames", 100, "How many.").within(1.0, 1e9);
const SAMPLES: Param<i64> = Param::with_default("samples", 10, "How many.").within(1.0, 1e9);
const AT: Param<i64> =
    Param::with_default("at", 500, "The first sample of the frame to fail on.").within(0.0, 1e9);
const EVERY_MS: Param<f64> = Param::with_default("every_ms", 0.0, "0 for never.").within(0.0, 1e6);
const DIES_IN: Param<&str> = Param::with_default("dies_in", "", "The call to die in, once.");
const KNOB: Param<f64> = Param::with_default("knob", 0.0, "Something.").within(0.0, 9.0).live();

const IN: &[Port] = &[Port::signal("in")];
const OUT: &[Port] = &[Port::like("out", "in")];
const TWO: &[Port] = &[Port::signal("in"), Port::signal("other")];

const EVENT_RATE_MAX: f64 = 1_000.0;

fn event() -> Format {
    Format::event(vec![Field::i64("what")], EVENT_RATE_MAX)
}

fn rate() -> Rate {
    Rate::new(1_000.0).expect("a rate")
}

/// Gates by name: who has come there, and which are open.
#[derive(Default)]
struct Gates {
    reached: BTreeSet<String>,
    open: BTreeSet<String>,
    told: BTreeMap<String, Vec<Gap>>,
}

static GATES: Mutex<Gates> =
    Mutex::new(Gates { reached: BTreeSet::new(), open: BTreeSet::new(), told: BTreeMap::new() });
static MOVED: Condvar = Condvar::new();

fn gates() -> MutexGuard<'static, Gates> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the first time that somebody comes here.
fn is_first(what: String) -> bool {
    gates().reached.insert(what)
}

/// Lets go who hangs in a node.
pub(crate) fn open(node: &str) {
    gates().open.insert(node.to_owned());
    MOVED.notify_all();
}

/// The gaps that the bodies of a node were told of.
pub(crate) fn told(node: &str) -> Vec<Gap> {
    gates().told.remove(node).unwrap_or_default()
}

/// Events at written times, `what` = their number; those with a `t` leave by `tick`.
static SCRIPT: Kind = Kind {
    name: "script",
    outputs: &[Port::event("out"), Port::event("tick")],
    params: &[&TIMES],
    plan: |_| Ok(Outline::of([event(), event()])),
    build: |node| {
        let times = node.get(&TIMES)?.split_whitespace().map(|time| {
            let ms: i64 = time.trim_end_matches('t').parse().expect("a time");
            (usize::from(time.ends_with('t')), Timestamp::from_nanos(ms * 1_000_000))
        });
        Ok(Body::source(Script { times: times.collect(), next: 0 }))
    },
    ..Kind::BASE
};

struct Script {
    times: Vec<(usize, Timestamp)>,
    next: usize,
}

impl Source for Script {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let (port, time) = self.times[self.next];
        let event = io.event_for(port).i64(0, self.next as i64);
        io.send_event(port, time, event);
        self.next += 1;
        Ok(if self.next == self.times.len() { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Counts in frames of ten samples on two channels, but sends one channel in the frame from `at`.
static SHORT: Kind = Kind {
    name: "short",
    outputs: &[Port::signal("out")],
    params: &[&FRAMES, &AT],
    plan: |_| Ok(Outline::of([Format::signal(2, Unit::UNKNOWN, rate(), 10)])),
    build: |node| counter(node, 10, Duration::ZERO),
    ..Kind::BASE
};

/// Counts in frames of one sample, each of which takes a microsecond to make.
static TOIL: Kind = Kind {
    name: "toil",
    outputs: &[Port::signal("out")],
    params: &[&FRAMES],
    plan: |_| Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate(), 1)])),
    build: |node| counter(node, 1, Duration::from_micros(1)),
    ..Kind::BASE
};

fn counter(node: &Node<'_>, len: i64, toil: Duration) -> Result<Body, BuildError> {
    let channels = node.output(0).as_signal().expect("planned so").channels.len();
    let short_at = if channels > 1 { node.get(&AT)? } else { -1 };
    let end = node.get(&FRAMES)? * len;
    Ok(Body::source(Counter { next: 0, len, end, channels, short_at, toil }))
}

struct Counter {
    next: i64,
    len: i64,
    end: i64,
    channels: usize,
    short_at: i64,
    toil: Duration,
}

impl Source for Counter {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let began = Instant::now();
        let channels = if self.next == self.short_at { 1 } else { self.channels };
        let mut buffer = Buffer::signal(channels, self.len as usize);
        for plane in buffer.floats_mut().expect("fresh").chunks_exact_mut(self.len as usize) {
            plane.iter_mut().zip(self.next..).for_each(|(sample, n)| *sample = n as f32);
        }
        io.send_buffer(0, Timestamp::from_nanos(rate().span_ns(self.next)), buffer);
        self.next += self.len;
        while began.elapsed() < self.toil {
            std::hint::spin_loop();
        }
        Ok(if self.next == self.end { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// The first of every `samples` samples, when the last of them is there: late by so many.
static SPAN: Kind = Kind {
    name: "span",
    inputs: IN,
    outputs: &[Port::signal("out")],
    params: &[&SAMPLES],
    plan: |node| {
        let samples = node.get(&SAMPLES)?;
        let input = node.signal("in");
        let rate = Rate::new(input.rate.hz() / samples as f64).expect("a part of a rate");
        let format = Format::signal(1, Unit::UNKNOWN, rate, 1);
        Ok(Outline::of([format]).looking_back(input.rate.span_ns(samples)))
    },
    build: |node| Ok(Body::operator(Span { samples: node.get(&SAMPLES)?, count: 0, first: 0.0 })),
    ..Kind::BASE
};

struct Span {
    samples: i64,
    count: i64,
    first: f32,
}

impl Operator for Span {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        for n in 0..io.frame().len() {
            if self.count == 0 {
                self.first = io.frame().channel(0)[n];
            }
            self.count += 1;
            if self.count == self.samples {
                self.count = 0;
                let mut buffer = io.signal(0, 1);
                buffer.floats_mut().expect("fresh")[0] = self.first;
                io.send_buffer(0, io.time_of(n as i64 + 1 - self.samples), buffer);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.count = 0;
    }
}

/// Merges: an event for every frame, 1 + its line, and one for every `every_ms`, 0.
static PULSES: Kind = Kind {
    name: "pulses",
    inputs: &[Port::any("in").variadic()],
    outputs: &[Port::event("out")],
    params: &[&EVERY_MS],
    timers: true,
    plan: |_| Ok(Outline::of([event()])),
    build: |node| {
        let every_ns = (node.get(&EVERY_MS)? * 1e6) as i64;
        Ok(Body::operator(Pulses { every_ns, due: Timestamp::from_nanos(every_ns) }))
    },
    ..Kind::BASE
};

struct Pulses {
    every_ns: i64,
    due: Timestamp,
}

impl Operator for Pulses {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let event = io.event_for(0).i64(0, 1 + io.line() as i64);
        io.send_event(0, io.frame().header.time, event);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        (self.every_ns > 0).then_some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        io.send_event(0, due, io.event_for(0).i64(0, 0));
        self.due = due.plus_nanos(self.every_ns);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Passes frames on; dies once, in the first session, in the call that `dies_in` names.
static FRAIL: Kind = Kind {
    name: "frail",
    inputs: IN,
    outputs: OUT,
    params: &[&DIES_IN, &KNOB],
    timers: true,
    build: frail,
    ..Kind::BASE
};

/// As `frail`, and adds the held second input.
static FRAIL_SUM: Kind = Kind { name: "frail_sum", inputs: TWO, policy: Policy::Hold, ..FRAIL };

fn frail(node: &Node<'_>) -> Result<Body, BuildError> {
    let dies_in = if node.session() == 0 { node.get(&DIES_IN)? } else { "" };
    Ok(Body::operator(Frail {
        name: node.name().to_owned(),
        dies_in: dies_in.to_owned(),
        due: Timestamp::from_nanos(TICK_NS),
    }))
}

const TICK_NS: i64 = 25_000_000;

struct Frail {
    name: String,
    dies_in: String,
    due: Timestamp,
}

impl Frail {
    fn called(&self, call: &str) {
        let dies = self.dies_in == call && is_first(format!("{} in {call}", self.name));
        assert!(!dies, "on purpose");
    }
}

impl Operator for Frail {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(other) = io.aligned(1) else {
            let frame = io.take();
            io.send(0, frame);
            return Ok(());
        };
        let mut buffer = io.signal(0, io.frame().len());
        let inputs = io.frame().samples().iter().zip(other.samples());
        let samples = buffer.floats_mut().expect("fresh").iter_mut();
        samples.zip(inputs).for_each(|(y, (x, held))| *y = x + held);
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        (self.dies_in == "due").then_some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, _: &mut Io<'_>) -> Result<(), Fault> {
        // Not the first time: others have been fired by then.
        if due.nanos() >= 10 * TICK_NS {
            self.called("due");
        }
        self.due = due.plus_nanos(TICK_NS);
        Ok(())
    }

    fn gap(&mut self, notice: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        gates().told.entry(self.name.clone()).or_default().push(notice.reason);
        self.called("gap");
        Ok(())
    }

    fn retune(&mut self, _: &Node<'_>) -> Result<(), Fault> {
        self.called("retune");
        Ok(())
    }

    fn reset(&mut self) {}

    fn save(&self, into: &mut Vec<u8>) {
        self.called("save");
        into.push(1);
    }

    fn load(&mut self, _: &[u8]) -> Result<(), Fault> {
        self.called("load");
        Ok(())
    }
}

/// Passes frames on until the sample `at`; dies on all from there on.
static DIES: Kind = Kind {
    name: "dies",
    inputs: IN,
    outputs: OUT,
    params: &[&AT],
    build: |node| Ok(Body::operator(Dies { at: node.get(&AT)? as f32 })),
    ..Kind::BASE
};

/// As `dies`, but a join.
static DIES_SUM: Kind = Kind { name: "dies_sum", inputs: TWO, policy: Policy::Hold, ..DIES };

struct Dies {
    at: f32,
}

impl Operator for Dies {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        assert!(io.frame().samples()[0] < self.at, "on purpose");
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Says that it delays by 50 ms, and dies on every frame.
static DELAYED: Kind = Kind {
    name: "delayed",
    inputs: IN,
    outputs: OUT,
    plan: |node| Ok(Outline::like_ports(node)?.delayed(50_000_000)),
    build: |_| Ok(Body::block(Delayed)),
    ..Kind::BASE
};

struct Delayed;

impl Block for Delayed {
    fn block(&mut self, _: usize, _: &[f32], _: &mut [f32]) {
        panic!("on purpose");
    }

    fn reset(&mut self) {}
}

/// Hangs once on the frame that begins with `at`, until a test opens it.
static STALL: Kind = Kind {
    name: "stall",
    inputs: IN,
    outputs: OUT,
    params: &[&AT],
    build: |node| {
        Ok(Body::operator(Stall { name: node.name().to_owned(), at: node.get(&AT)? as f32 }))
    },
    ..Kind::BASE
};

struct Stall {
    name: String,
    at: f32,
}

impl Operator for Stall {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.frame().samples()[0] == self.at && is_first(self.name.clone()) {
            let is_shut = |gates: &mut Gates| !gates.open.contains(&self.name);
            drop(MOVED.wait_while(gates(), is_shut).unwrap_or_else(PoisonError::into_inner));
        }
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Takes 5 ms over every frame.
static DAWDLE: Kind = Kind {
    name: "dawdle",
    inputs: IN,
    outputs: OUT,
    build: |_| Ok(Body::operator(Dawdle)),
    ..Kind::BASE
};

struct Dawdle;

impl Operator for Dawdle {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        std::thread::sleep(Duration::from_millis(5));
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Takes frames and keeps nothing.
static VOID: Kind =
    Kind { name: "void", inputs: IN, build: |_| Ok(Body::sink(Void)), ..Kind::BASE };

struct Void;

impl Sink for Void {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}
