//! `hysteresis`: on or off, without flickering between.
//!
//! On from where a number rises above `level`, until it falls below `level − hysteresis`.
//!
//! | port  | carries                                                                          |
//! |-------|----------------------------------------------------------------------------------|
//! | `in`  | a signal, or events with a number                                                |
//! | `out` | a signal of 0 and 1; of events, an event with `is_on` and `value` where it changes |
//!
//! It begins off. Of events the first one also tells where it begins. **Delay**: none. **NaN**:
//! nothing changes. **Gap**: it begins anew. When a signal crosses is what `threshold` tells.

use engine::{
    Body, Fault, Field, Format, Io, Kind, Map, Node, Operator, Outline, Param, Port, Unit,
};

use super::value::{FIELD, Intake, intake, number, output};
use crate::bodies::{as_sample, load, tuned};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hysteresis",
    summary: "On or off, without flickering between.",
    doc: "On from where a number rises above level until it falls below level - hysteresis; off \
          at the beginning. A signal becomes one of 0 and 1, channel by channel; of events, \
          `field` counts, and an event with is_on and value comes with the first and where it \
          changes. level and hysteresis may change while it runs; they count from the next number \
          on. Delay: none. NaN: nothing changes, nor where an event's number is absent. After a \
          gap it begins anew. Cost: about 1 ns a sample. For the moments at which a signal \
          crosses, `threshold`. Source: Schmitt 1938, A thermionic trigger.",
    example: "level = 0.6\nhysteresis = 0.2",
    inputs: &[Port::any("in")],
    outputs: &[Port::any("out")],
    params: &[&LEVEL, &HYSTERESIS, &FIELD],
    plan: |node| {
        intake(node)?;
        let fields = vec![Field::bool("is_on"), Field::f64("value")];
        Ok(Outline::of([output(node, Unit::named("1"), fields)]))
    },
    build: |node| {
        let mut latch = Latch { level: 0.0, low: 0.0, is_on: false };
        latch.tune(node)?;
        Ok(match intake(node)? {
            Intake::Signal => Body::map(latch),
            Intake::Field(field) => Body::operator(OfEvents { latch, field, told: None }),
        })
    },
    ..Kind::BASE
};

const LEVEL: Param<f64> =
    Param::required("level", "What is above switches on.").within(-1e30, 1e30).live();
const HYSTERESIS: Param<f64> =
    Param::with_default("hysteresis", 0.0, "So far below the level it must fall to switch off.")
        .within(0.0, 1e30)
        .live();

#[derive(Clone)]
struct Latch {
    level: f64,
    low: f64,
    is_on: bool,
}

impl Latch {
    fn tune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let (level, hysteresis) = (tuned(node, &LEVEL)?, tuned(node, &HYSTERESIS)?);
        (self.level, self.low) = (level, level - hysteresis);
        if matches!(node.input("in"), Format::Signal(_)) {
            (self.level, self.low) = (as_sample(self.level), as_sample(self.low));
        }
        Ok(())
    }

    fn push(&mut self, x: f64) -> bool {
        self.is_on = if self.is_on { x >= self.low || x.is_nan() } else { x > self.level };
        self.is_on
    }
}

impl Map for Latch {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            *y = f32::from(u8::from(self.push(f64::from(x))));
        }
    }

    fn reset(&mut self) {
        self.is_on = false;
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.tune(node)
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend([1, u8::from(self.is_on)]);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `hysteresis`", 1, from, |state| state.bool(&mut self.is_on))
    }
}

struct OfEvents {
    latch: Latch,
    field: usize,
    /// What was told last.
    told: Option<bool>,
}

impl Operator for OfEvents {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(value) = number(&io.event(), self.field) else { return Ok(()) };
        let is_on = self.latch.push(value);
        if self.told.replace(is_on) != Some(is_on) {
            let event = io.event_for(0).bool(0, is_on).f64(1, value);
            io.send_event(0, io.frame().header.time, event);
        }
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.latch.tune(node)
    }

    fn reset(&mut self) {
        (self.latch.is_on, self.told) = (false, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend([1, u8::from(self.latch.is_on), u8::from(self.told.is_some())]);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let (mut is_on, mut is_told) = (false, false);
        let loaded = load("is no state of `hysteresis`", 1, from, |state| {
            state.bool(&mut is_on)?;
            state.bool(&mut is_told)
        });
        self.reset();
        loaded?;
        (self.latch.is_on, self.told) = (is_on, is_told.then_some(is_on));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    const NUMBERS: [f64; 8] = [0.5, 0.7, 0.5, f64::NAN, 0.41, 0.39, 0.6, 0.61];

    #[test]
    fn a_signal_is_on_from_one_level_to_the_other() {
        let signal = [("in", Bench::channels(1, 100.0))];
        let mut latch = Bench::with(&KIND, &signal, KIND.example).expect("valid");
        assert_eq!(
            latch.feed(&NUMBERS.map(|x| x as f32)),
            [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
        );
        latch.set("level", 2.0).expect("live");
        assert_eq!(latch.feed(&[1.9, 1.7]), [1.0, 0.0]);
    }

    #[test]
    fn events_come_where_it_changes() {
        let format = Format::event(vec![Field::f64("score")], 1.0);
        let mut latch = Bench::with(&KIND, &[("in", format.clone())], KIND.example).expect("valid");
        for (n, score) in NUMBERS.into_iter().enumerate() {
            let event = EventWriter::new(format.as_event().expect("events"));
            let header = Header::at(Timestamp::from_nanos(n as i64));
            latch.push(0, Frame::new(header, event.f64(0, score).finish()));
            latch.run();
        }
        let times: Vec<i64> = latch.take().iter().map(|seen| seen.time().nanos()).collect();
        assert_eq!(times, [0, 1, 5, 7], "off at first, then every change");
    }
}
