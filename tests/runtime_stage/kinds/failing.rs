//! Bodies that die of frames, hang at them, or take their time.

use std::time::{Duration, Instant};

use engine::{Block, Body, Fault, Frame, Io, Kind, Operator, Outline, Policy, Sink};

use super::{AT, IN, OUT, TWO, hang, is_first};

/// Passes frames on until the sample `at`; dies on all from there on.
pub(super) static DIES: Kind = Kind {
    name: "dies",
    inputs: IN,
    outputs: OUT,
    params: &[&AT],
    build: |node| Ok(Body::operator(Dies { at: node.get(&AT)? as f32 })),
    ..Kind::BASE
};

/// As `dies`, but a join.
pub(super) static DIES_SUM: Kind =
    Kind { name: "dies_sum", inputs: TWO, policy: Policy::Hold, ..DIES };

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
pub(super) static DELAYED: Kind = Kind {
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
pub(super) static STALL: Kind = Kind {
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
            hang(&self.name);
        }
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Takes 5 ms over every frame.
pub(super) static DAWDLE: Kind = Kind {
    name: "dawdle",
    inputs: IN,
    outputs: OUT,
    build: |_| Ok(Body::operator(Dawdle)),
    ..Kind::BASE
};

struct Dawdle;

impl Operator for Dawdle {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Takes frames and keeps nothing.
pub(super) static VOID: Kind =
    Kind { name: "void", inputs: IN, build: |_| Ok(Body::sink(Void)), ..Kind::BASE };

struct Void;

impl Sink for Void {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}
