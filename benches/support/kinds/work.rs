//! Operators that do the least that can be told from nothing, and a way to see every bit.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

use engine::{Block, Body, Fault, Flow, Frame, Io, Kind, Port, Rate, Sink, Source, Timestamp};

use super::ends::{FRAMES, RAMP};

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

trait Operator {
    fn block(&mut self, input: &[f32], output: &mut [f32]);
}

impl Operator for Add {
    #[inline(never)]
    fn block(&mut self, input: &[f32], output: &mut [f32]) {
        add_one(input, output);
    }
}

/// As many boxed operators as a chain has, and nothing around them: a control without an engine.
pub(crate) struct Boxed {
    operators: Vec<Box<dyn Operator>>,
    one: Vec<f32>,
    two: Vec<f32>,
}

impl Boxed {
    pub(crate) fn new(operators: usize, samples: usize) -> Self {
        let operators = (0..operators).map(|_| Box::new(Add) as Box<dyn Operator>).collect();
        Self { operators: black_box(operators), one: vec![0.0; samples], two: vec![0.0; samples] }
    }

    /// Takes a frame of `value` through all of them; the last sample that comes out.
    #[inline]
    pub(crate) fn run(&mut self, value: f32) -> f32 {
        let Self { operators, one, two } = self;
        one.fill(value);
        for operator in operators {
            operator.block(one, two);
            std::mem::swap(one, two);
        }
        black_box(&one)[one.len() - 1]
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
