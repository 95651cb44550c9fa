//! A line that is late, and a merge with timers.

use engine::{
    Body, Fault, Format, GapNotice, Io, Kind, Operator, Outline, Param, Port, Rate, Timestamp, Unit,
};

use super::{IN, event};

const SAMPLES: Param<i64> = Param::with_default("samples", 10, "How many.").within(1.0, 1e9);
const EVERY_MS: Param<f64> = Param::with_default("every_ms", 0.0, "0 for never.").within(0.0, 1e6);

/// The first of every `samples` samples, when the last of them is there: late by so many.
pub(super) static SPAN: Kind = Kind {
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
pub(super) static PULSES: Kind = Kind {
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
