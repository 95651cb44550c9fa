//! An operator that panics, a sink that is too slow.

use std::sync::Mutex;

use engine::{Body, Fault, Frame, Io, Kind, Operator, Param, Port, Sink};

use super::ends::{bench_ns, lock};

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
