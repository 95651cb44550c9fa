//! Kinds that take simulated time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    Answer, Body, Call, Fault, Flow, Format, Frame, Io, Kind, ManualClock, Operator, Outline,
    Param, Placement, Policy, Port, Rate, Reply, Sink, Source, Timestamp, Unit,
};

pub(super) const CATALOG: &[&Kind] = &[&MAKES, &WORKS, &JOINS, &ASKS, &WRITES];

/// What bodies share with the simulation.
#[derive(Default)]
pub(super) struct World(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    clock: Option<ManualClock>,
    /// Questions that wait for the one worker, with when they were asked.
    asked: VecDeque<(Timestamp, i64, Reply, usize)>,
}

impl World {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn hold(&self, clock: &ManualClock) {
        self.with(|inner| inner.clock = Some(clock.clone()));
    }

    fn pass(&self, ns: i64) {
        let clock = self.with(|inner| inner.clock.clone()).expect("the simulation holds it");
        clock.advance(Duration::from_nanos(ns as u64));
    }

    /// When the question that waits longest will have been answered, if the worker is free at a moment.
    pub(super) fn answers_at(&self, free: Timestamp) -> Option<Timestamp> {
        self.with(|inner| {
            inner.asked.front().map(|(asked, ns, ..)| free.max(*asked).plus_nanos(*ns))
        })
    }

    pub(super) fn answer(&self) {
        let next = self.with(|inner| inner.asked.pop_front());
        if let Some((_, _, reply, len)) = next {
            let buffer = crate::Buffer::signal(1, len);
            reply.answer(Answer::nothing().and(0, buffer));
        }
    }
}

static COST_US: Param<f64> = Param::with_default("cost_us", 5.0, "what a frame costs");
static ANSWER_US: Param<f64> = Param::with_default("answer_us", 100.0, "what an answer takes");
static IN_FLIGHT: Param<i64> = Param::with_default("in_flight", 4, "questions open at once");
static LEN: Param<i64> = Param::with_default("len", 10, "samples of a frame");
static AT_ONCE: Param<i64> = Param::with_default("at_once", 1, "frames that come together");

fn cost(node: &crate::Node<'_>) -> Result<Cost, crate::BuildError> {
    Ok(Cost(node.common::<World>(), (node.get(&COST_US)? * 1e3) as i64))
}

struct Cost(Arc<World>, i64);

impl Cost {
    fn pass(&self) {
        self.0.pass(self.1);
    }
}

/// Samples a second.
pub(super) const RATE_HZ: f64 = 2_000.0;

static MAKES: Kind = Kind {
    name: "makes",
    outputs: &[Port::signal("out")],
    params: &[&LEN, &AT_ONCE, &COST_US],
    plan: |node| {
        let rate = Rate::new(RATE_HZ).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, node.get(&LEN)? as usize)]))
    },
    build: |node| {
        let (len, at_once) = (node.get(&LEN)?, node.get(&AT_ONCE)?);
        Ok(Body::source(Makes { cost: cost(node)?, len, at_once, made: 0 }))
    },
    ..Kind::BASE
};

struct Makes {
    cost: Cost,
    len: i64,
    at_once: i64,
    made: i64,
}

impl Source for Makes {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.cost.pass();
        for _ in 0..self.at_once {
            let at = Timestamp::from_nanos((self.made as f64 * 1e9 / RATE_HZ) as i64);
            io.send_buffer(0, at, io.signal(0, self.len as usize));
            self.made += self.len;
        }
        Ok(Flow::More)
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
    build: |node| Ok(Body::operator(Works(cost(node)?))),
    ..Kind::BASE
};

static JOINS: Kind = Kind {
    name: "joins",
    inputs: &[Port::signal("in"), Port::signal("other")],
    policy: Policy::Hold,
    ..WORKS
};

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

static ASKS: Kind = Kind {
    name: "asks",
    params: &[&COST_US, &ANSWER_US, &IN_FLIGHT],
    placement: Placement::Asks,
    build: |node| {
        let answer_ns = (node.get(&ANSWER_US)? * 1e3) as i64;
        Ok(Body::call(Asks(cost(node)?, answer_ns, node.get(&IN_FLIGHT)? as usize)))
    },
    ..WORKS
};

struct Asks(Cost, i64, usize);

impl Call for Asks {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.pass();
        io.send(0, io.take());
        Ok(())
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let asked = |inner: &mut Inner| {
            let now = inner.clock.as_ref().map_or(Timestamp::ZERO, ManualClock::now);
            inner.asked.push_back((now, self.1, reply, question.len()));
        };
        self.0.0.with(asked);
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.2
    }
}

static WRITES: Kind = Kind {
    name: "writes",
    inputs: &[Port::any("in").variadic()],
    params: &[&COST_US],
    placement: Placement::Waits,
    build: |node| Ok(Body::sink(Writes(cost(node)?))),
    ..Kind::BASE
};

struct Writes(Cost);

impl Sink for Writes {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        self.0.pass();
        Ok(())
    }
}
