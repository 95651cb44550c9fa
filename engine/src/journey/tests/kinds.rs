//! Kinds whose bodies take time on a clock that is set by hand.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    Answer, Block, Body, Call, Fault, Flow, Format, Frame, Io, Kind, ManualClock, Operator,
    Outline, Param, Placement, Policy, Port, Rate, Reply, Sink, Source, Timestamp, Unit,
};

pub(super) const CATALOG: &[&Kind] = &[
    &TICKS, &WORKS, &BLOCKS, &HOLDS, &MERGES, &HALVES, &KEEPS, &ASKS, &ENDS, &WAITS, &SOME, &DIES,
];

/// The clock in whose hand bodies are.
#[derive(Default)]
pub(super) struct Hand(Mutex<Option<ManualClock>>);

impl Hand {
    pub(super) fn hold(&self, clock: &ManualClock) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock.clone());
    }

    fn pass(&self, cost: Duration) {
        // Not held while it works: others would wait for it.
        let clock = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match clock {
            Some(clock) => clock.advance(cost),
            // On the clock of the machine: some work instead.
            None => {
                let work =
                    (0..cost.as_nanos() as u64).fold(1.0, |x: f64, _| (x * 1.000_1).sin() + 1.0);
                std::hint::black_box(work);
            }
        }
    }
}

static COST_US: Param<f64> = Param::with_default("cost_us", 0.0, "what a frame costs");
static FRAMES: Param<i64> = Param::optional("frames", "frames before it ends; else a second");
static LEN: Param<i64> = Param::with_default("len", 10, "samples of a frame");

/// Time that passes in a body.
struct Cost(Arc<Hand>, Duration);

impl Cost {
    fn of(node: &crate::Node<'_>) -> Result<Self, crate::BuildError> {
        let cost = Duration::from_nanos((node.get(&COST_US)? * 1e3) as u64);
        Ok(Self(node.common::<Hand>(), cost))
    }

    fn pass(&self) {
        self.0.pass(self.1);
    }
}

static TICKS: Kind = Kind {
    name: "ticks",
    outputs: &[Port::signal("out")],
    params: &[&LEN, &FRAMES],
    plan: |node| {
        let len = node.get(&LEN)? as usize;
        let rate = Rate::new(1_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, len)]))
    },
    build: |node| {
        let len = node.get(&LEN)?;
        let samples = node.get_optional(&FRAMES)?.map_or(1_000, |frames| frames * len);
        Ok(Body::source(Ticks { len, samples, made: 0 }))
    },
    ..Kind::BASE
};

/// A second of signal, or so many frames.
struct Ticks {
    len: i64,
    samples: i64,
    made: i64,
}

impl Source for Ticks {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let at = Timestamp::from_nanos(self.made * 1_000_000);
        io.send_buffer(0, at, io.signal(0, self.len as usize));
        self.made += self.len;
        Ok(if self.made >= self.samples { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.made = 0;
        Ok(())
    }
}

static WORKS: Kind = Kind {
    name: "works",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&COST_US],
    build: |node| Ok(Body::operator(Works(Cost::of(node)?))),
    ..Kind::BASE
};

static HOLDS: Kind = Kind {
    name: "holds",
    inputs: &[Port::signal("in"), Port::signal("other")],
    policy: Policy::Hold,
    ..WORKS
};

static MERGES: Kind = Kind { name: "merges", inputs: &[Port::signal("in").variadic()], ..WORKS };

/// Passes on what it gets.
struct Works(Cost);

impl Operator for Works {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.pass();
        let (time, buffer) = (io.frame().header.time, io.frame().buffer().clone());
        io.send_buffer(0, time, buffer);
        Ok(())
    }

    fn reset(&mut self) {}
}

static HALVES: Kind =
    Kind { name: "halves", build: |node| Ok(Body::operator(Halves(Cost::of(node)?))), ..WORKS };

/// Makes two frames of one.
struct Halves(Cost);

impl Operator for Halves {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.pass();
        let (whole, half) = (io.frame().len(), io.frame().len() / 2);
        io.send_buffer(0, io.time_of(0), io.signal(0, half));
        io.send_buffer(0, io.time_of(half as i64), io.signal(0, whole - half));
        Ok(())
    }

    fn reset(&mut self) {}
}

static SOME: Kind = Kind { name: "some", build: |_| Ok(Body::operator(Some50(0))), ..WORKS };

/// Passes on one frame in fifty.
struct Some50(u64);

impl Operator for Some50 {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0 += 1;
        if self.0.is_multiple_of(50) {
            io.send(0, io.take());
        }
        Ok(())
    }

    fn reset(&mut self) {}
}

static DIES: Kind = Kind { name: "dies", build: |_| Ok(Body::operator(Dies(0))), ..WORKS };

/// Passes on three frames and dies on the next.
struct Dies(u64);

impl Operator for Dies {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0 += 1;
        if self.0 > 3 {
            return Err(Fault::new("it dies"));
        }
        io.send(0, io.take());
        Ok(())
    }

    fn reset(&mut self) {}
}

static BLOCKS: Kind = Kind {
    name: "blocks",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Blocks)),
    ..Kind::BASE
};

struct Blocks;

impl Block for Blocks {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        output.copy_from_slice(input);
    }

    fn reset(&mut self) {}
}

static KEEPS: Kind = Kind {
    name: "keeps",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Keeps(None))),
    ..Kind::BASE
};

/// Sends each frame when the next has come.
struct Keeps(Option<Frame>);

impl Operator for Keeps {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some(frame) = self.0.replace(io.take()) {
            io.send(0, frame);
        }
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.take().into_iter().for_each(|frame| io.send(0, frame));
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = None;
    }
}

static ASKS: Kind =
    Kind { name: "asks", build: |node| Ok(Body::call(Asks(Cost::of(node)?))), ..WORKS };

/// Answers itself.
struct Asks(Cost);

impl Call for Asks {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        io.send(0, io.take());
        Ok(())
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        self.0.pass();
        reply.answer(Answer::nothing().and(0, question.buffer().clone()));
        Ok(())
    }
}

static ENDS: Kind = Kind {
    name: "ends",
    inputs: &[Port::any("in").variadic()],
    params: &[&COST_US],
    build: |node| Ok(Body::sink(Ends(Cost::of(node)?))),
    ..Kind::BASE
};

/// The same beside the cores.
static WAITS: Kind = Kind { name: "waits", placement: Placement::Waits, ..ENDS };

struct Ends(Cost);

impl Sink for Ends {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        self.0.pass();
        Ok(())
    }
}
