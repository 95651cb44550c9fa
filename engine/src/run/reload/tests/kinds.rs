//! Kinds whose output tells what was put in when.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    Body, BuildError, Fault, Flow, Format, Frame, Gap, GapNotice, Io, Kind, LiveIo, LiveSource,
    Node, Operator, Outline, Param, Placement, Policy, Port, Rate, Sink, Source, Timestamp, Unit,
};

pub(super) static KINDS: &[&Kind] = &[&RAMP, &DEVICE, &MEAN, &SUM, &PAIR, &KEEPS, &KEEPS_AND_WAITS];

const SAMPLES: Param<i64> = Param::with_default("samples", 1_000, "How many.").within(1.0, 1e9);
const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 1_000.0, "Samples per second.").within(1.0, 1e6);
const SCALE: Param<f64> = Param::with_default("scale", 1.0, "Factor.").within(-1e6, 1e6);
const PART: Param<f64> = Param::with_default("part", 0.5, "Of what was.").within(0.0, 1.0);
const BIAS: Param<f64> = Param::with_default("bias", 0.0, "Added.").within(-1e9, 1e9).live();
const DIES: Param<i64> = Param::with_default("dies", 0, "In so many frames.").within(0.0, 1e9);
const BROKEN: Param<bool> = Param::with_default("broken", false, "Cannot be built.");
const KEY: Param<&str> = Param::with_default("key", "", "Where what it took is found.");

/// Samples in a frame.
pub(super) const LEN: usize = 10;

fn signal(rate_hz: f64) -> Format {
    Format::signal(1, Unit::UNKNOWN, Rate::new(rate_hz).expect("valid"), LEN)
}

/// Sample n is n times `scale`.
static RAMP: Kind = Kind {
    name: "ramp",
    outputs: &[Port::signal("out")],
    params: &[&SAMPLES, &SCALE, &RATE_HZ],
    plan: |node| Ok(Outline::of([signal(node.get(&RATE_HZ)?)])),
    build: |node| {
        let (samples, scale) = (node.get(&SAMPLES)?, node.get(&SCALE)?);
        Ok(Body::source(Ramp { next: 0, samples, scale, rate_hz: node.get(&RATE_HZ)? }))
    },
    ..Kind::BASE
};

struct Ramp {
    next: i64,
    samples: i64,
    scale: f64,
    rate_hz: f64,
}

fn ramp(io_buffer: &mut [f32], first: i64, scale: f64) {
    for (sample, n) in io_buffer.iter_mut().zip(first..) {
        *sample = (n as f64 * scale) as f32;
    }
}

impl Source for Ramp {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let mut buffer = io.signal(0, LEN);
        ramp(buffer.floats_mut().expect("fresh"), self.next, self.scale);
        let time = (self.next as f64 * 1e9 / self.rate_hz).round() as i64;
        io.send_buffer(0, Timestamp::from_nanos(time), buffer);
        self.next += LEN as i64;
        Ok(if self.next >= self.samples { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// The same from a device, at a frame a millisecond.
static DEVICE: Kind = Kind {
    name: "device",
    outputs: &[Port::signal("out")],
    params: &[&SAMPLES, &SCALE],
    placement: Placement::Waits,
    live: true,
    plan: |_| Ok(Outline::of([signal(10_000.0)])),
    build: |node| {
        let (samples, scale) = (node.get(&SAMPLES)?, node.get(&SCALE)?);
        Ok(Body::live(Device { samples, scale }))
    },
    ..Kind::BASE
};

struct Device {
    samples: i64,
    scale: f64,
}

/// What devices have sent.
static SENT: AtomicI64 = AtomicI64::new(0);

impl LiveSource for Device {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> crate::Waiting<'a> {
        Box::pin(async move {
            while SENT.load(Ordering::Relaxed) < self.samples {
                let mut buffer = io.signal(0, LEN);
                let first = SENT.fetch_add(LEN as i64, Ordering::Relaxed);
                ramp(buffer.floats_mut().expect("fresh"), first, self.scale);
                io.send(0, Timestamp::from_nanos(first * 100_000), 0, buffer);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            SENT.store(0, Ordering::Relaxed);
            Ok(())
        })
    }
}

/// Bodies of `mean` that are there.
pub(super) static MEANS: AtomicI64 = AtomicI64::new(0);

/// `part` of what it said last and the rest of what comes, plus `bias`.
static MEAN: Kind = Kind {
    name: "mean",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&PART, &BIAS, &DIES, &BROKEN],
    build: |node| {
        if node.get(&BROKEN)? {
            return Err(BuildError::Fault(Fault::new("broken on purpose")));
        }
        MEANS.fetch_add(1, Ordering::Relaxed);
        let (part, bias) = (node.get(&PART)?, node.get(&BIAS)?);
        Ok(Body::operator(Mean { last: 0.0, part, bias, dies: node.get(&DIES)? }))
    },
    ..Kind::BASE
};

struct Mean {
    last: f64,
    part: f64,
    bias: f64,
    dies: i64,
}

impl Drop for Mean {
    fn drop(&mut self) {
        MEANS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What `mean` makes of one sample.
pub(super) fn mean(last: &mut f64, part: f64, bias: f64, sample: f32) -> f32 {
    *last = part * *last + (1.0 - part) * f64::from(sample);
    (*last + bias) as f32
}

impl Operator for Mean {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if self.dies > 0 {
            self.dies -= 1;
            if self.dies == 0 {
                return Err(Fault::new("died on purpose"));
            }
        }
        let mut buffer = io.signal(0, io.frame().len());
        for (y, x) in buffer.floats_mut().expect("fresh").iter_mut().zip(io.frame().samples()) {
            *y = mean(&mut self.last, self.part, self.bias, *x);
        }
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let bias = node.get(&BIAS).map_err(|problem| Fault::new(problem.message))?;
        if bias == 666.0 {
            return Err(Fault::new("not this one"));
        }
        self.bias = bias;
        Ok(())
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.last.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let from = from.try_into().map_err(|_| Fault::new("not a state of this kind"))?;
        self.last = f64::from_le_bytes(from);
        Ok(())
    }

    fn reset(&mut self) {
        self.last = 0.0;
    }
}

/// All samples up to now: of the shape of `mean`.
static SUM: Kind = Kind {
    name: "sum",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Sum(0.0))),
    ..Kind::BASE
};

struct Sum(f32);

impl Operator for Sum {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut buffer = io.signal(0, io.frame().len());
        for (y, x) in buffer.floats_mut().expect("fresh").iter_mut().zip(io.frame().samples()) {
            self.0 += x;
            *y = self.0;
        }
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = 0.0;
    }
}

/// The first input plus `scale` times what the second held.
static PAIR: Kind = Kind {
    name: "pair",
    inputs: &[Port::signal("in"), Port::signal("other")],
    outputs: &[Port::like("out", "in")],
    params: &[&SCALE],
    policy: Policy::Hold,
    build: |node| Ok(Body::operator(Pair(node.get(&SCALE)?))),
    ..Kind::BASE
};

struct Pair(f64);

impl Operator for Pair {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut buffer = io.signal(0, io.frame().len());
        let other = io.aligned(1).expect("the runtime aligns").samples();
        let pairs = io.frame().samples().iter().zip(other);
        for (y, (x, held)) in buffer.floats_mut().expect("fresh").iter_mut().zip(pairs) {
            *y = (f64::from(*x) + self.0 * f64::from(*held)) as f32;
        }
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn reset(&mut self) {}
}

static KEPT: Mutex<BTreeMap<String, Vec<Frame>>> = Mutex::new(BTreeMap::new());

/// Takes out what the sinks of this key have taken.
pub(super) fn kept(key: &str) -> Vec<Frame> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default()
}

/// Samples, and how often each reason stood before a frame that was not the first.
pub(super) fn heard(frames: &[Frame]) -> (Vec<f32>, Vec<Gap>) {
    let samples = frames.iter().flat_map(|frame| frame.samples().to_vec()).collect();
    (samples, frames.iter().filter_map(|frame| frame.header.gap.get()).collect())
}

struct Keeps(String);

impl Sink for Keeps {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(self.0.clone()).or_default().push(frame.clone());
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(format!("{}/finished", self.0)).or_default();
        Ok(())
    }
}

/// Whether a sink of this key has been finished.
pub(super) fn is_finished(key: &str) -> bool {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.remove(&format!("{key}/finished")).is_some()
}

const ANY: &[Port] = &[Port::any("in").variadic()];

const fn keeps(name: &'static str, placement: Placement) -> Kind {
    Kind {
        name,
        inputs: ANY,
        params: &[&KEY],
        placement,
        build: |node| {
            let key = node.get(&KEY)?;
            let key = if key.is_empty() { node.name() } else { key };
            Ok(Body::sink(Keeps(format!("{key}/{}", node.session()))))
        },
        ..Kind::BASE
    }
}

static KEEPS: Kind = keeps("keeps", Placement::Fused);
static KEEPS_AND_WAITS: Kind = keeps("keeps_and_waits", Placement::Waits);
