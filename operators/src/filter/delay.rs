//! `delay`: the same samples, later.
//!
//! ```text
//! y[n] = x[n − N],    N = delay_s · rate, the nearest whole number
//! ```
//!
//! To compare a signal with its own past, or to bring one under another that is really later. This is
//! a delay of what is said, not of when it is heard: the runtime does not take it back, as it does
//! with those of filters.
//!
//! | port  | carries               |
//! |-------|-----------------------|
//! | `in`  | any signal            |
//! | `out` | the same, later       |
//!
//! At the start, and after a gap, the first sample stands until the second is due. What is inside at
//! the end is not told. **Delay**: none that is subtracted. **NaN** passes as it is. **Cost**: a copy
//! of every sample.

use engine::{Body, Fault, Kind, Map, Outline, Param, Port};

use super::window;
use crate::bodies;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "delay",
    summary: "The same samples, later.",
    doc: "y[n] = x[n - N], N = delay_s * rate, the nearest whole number. Meant: the runtime does not take it \
          back as it does with delays of filters. At the start and after a gap the first sample stands \
          until the second is due; what is inside at the end is not told. NaN passes as it is. Cost: a \
          copy of every sample.",
    example: "delay_s = 0.1",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&DELAY_S],
    plan: |node| {
        window::samples(node, &DELAY_S)?;
        Outline::like_ports(node)
    },
    build: |node| {
        let samples = (node.get(&DELAY_S)? * node.rate_hz("in")).round() as usize;
        Ok(Body::map(Delay { past: vec![0.0; samples].into(), at: 0, has_begun: false }))
    },
    ..Kind::BASE
};

const DELAY_S: Param<f64> = Param::required("delay_s", "How much later.").within(0.0, 3_600.0);

/// The version of what `save` writes.
const VERSION: u8 = 1;

#[derive(Clone)]
struct Delay {
    /// The last samples; the oldest stands at `at`.
    past: Box<[f32]>,
    at: usize,
    has_begun: bool,
}

impl Map for Delay {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        if self.past.is_empty() {
            output.copy_from_slice(input);
            return;
        }
        if let (false, Some(first)) = (self.has_begun, input.first()) {
            self.past.fill(*first);
            self.has_begun = true;
        }
        for (x, y) in input.iter().zip(output) {
            *y = std::mem::replace(&mut self.past[self.at], *x);
            self.at += 1;
            if self.at == self.past.len() {
                self.at = 0;
            }
        }
    }

    fn reset(&mut self) {
        (self.at, self.has_begun) = (0, false);
        self.past.fill(0.0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        into.push(u8::from(self.has_begun));
        let (after, before) = self.past.split_at(self.at);
        into.extend(before.iter().chain(after).flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.at = 0;
        bodies::load("is no state of `delay`", VERSION, from, |state| {
            state.bool(&mut self.has_begun)?;
            state.f32s(&mut self.past)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn samples_come_out_later_and_the_first_stands_until_then() {
        let mut delay = Bench::build(&KIND, 1_000.0, "delay_s = 0.0021").expect("valid");
        assert_eq!(delay.feed(&[1.0, 2.0, 3.0]), [1.0, 1.0, 1.0]);
        assert_eq!(delay.feed(&[f32::MIN, 5.0]), [2.0, 3.0]);
        assert_eq!(delay.take()[0].time().nanos(), 0);
        delay.reset();
        assert_eq!(delay.feed(&[7.0, 8.0, 9.0]), [7.0, 7.0, 7.0]);
    }

    #[test]
    fn no_delay_changes_nothing() {
        let mut delay = Bench::build(&KIND, 1_000.0, "delay_s = 0.0004").expect("valid");
        assert_eq!(delay.feed(&[1.0, 2.0]), [1.0, 2.0]);
    }
}
