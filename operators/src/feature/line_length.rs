//! `line_length`: how much a signal moves: the length of its way up and down.
//!
//! Over a sliding window of N samples,
//!
//! ```text
//! y[n] = |x[n] − x[n−1]| + … + |x[n−N+2] − x[n−N+1]|
//! ```
//!
//! | port  | carries                      |
//! |-------|------------------------------|
//! | `in`  | any signal                   |
//! | `out` | its way, in the same unit    |
//!
//! **Delay**: `(N − 1) / 2` samples, the middle of the window; subtracted by the runtime. **NaN**:
//! differences with a sample that is not finite do not count; where none of the window does,
//! NaN comes out. **Cost**: as `rms`. **Source**: Esteller et al. 2001.

use engine::{Body, Fault, Kind, Map, Port};

use super::window::{WINDOW_S, centred, samples};
use crate::{
    bodies::load,
    math::{
        sliding::{Merge, Sliding, Sum},
        state::put_f64,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "line_length",
    summary: "How much a signal moves: the length of its way up and down.",
    doc: "y[n] = |x[n] - x[n-1]| + ... + |x[n-N+2] - x[n-N+1]|, the N - 1 differences within a \
          sliding window of N = window_s * rate samples, in the unit of the signal; numpy's \
          sum(abs(diff(x))). Grows with amplitude and frequency, as a seizure does. Delay: (N - \
          1) / 2 samples, the middle of the window, subtracted by the runtime. While the window \
          fills, over what is there. NaN: a difference with a sample that is not finite does not \
          count; where none in the window does, NaN comes out. Cost: about 3 ns a sample, and \
          every N samples one more pass over them. Source: Esteller, Echauz, Tcheng, Litt, Pless \
          2001, Line length: an efficient feature for seizure onset detection.",
    example: "window_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S],
    plan: |node| Ok(centred(node, samples(node, &WINDOW_S, 2)?, [node.input("in").clone()])),
    build: |node| {
        let way = Sliding::new(samples(node, &WINDOW_S, 2)? - 1);
        Ok(Body::map(LineLength { way, last: None }))
    },
    ..Kind::BASE
};

#[derive(Clone)]
struct LineLength {
    way: Sliding<Sum>,
    /// The last sample, once there is one.
    last: Option<f32>,
}

impl Map for LineLength {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            // The first sample has come no way.
            let step = f64::from(x) - f64::from(self.last.replace(x).unwrap_or(x));
            let item = if step.is_finite() { Sum::of(step.abs()) } else { Sum::NOTHING };
            let way = self.way.push(item);
            *y = if way.count > 0.0 { way.sum as f32 } else { f32::NAN };
        }
    }

    fn reset(&mut self) {
        self.way.reset();
        self.last = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.push(u8::from(self.last.is_some()));
        put_f64(into, f64::from(self.last.unwrap_or(0.0)));
        self.way.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `line_length`", 1, from, |state| {
            let (mut is_there, mut last) = (false, 0.0);
            state.bool(&mut is_there)?;
            state.f64(&mut last)?;
            self.last = is_there.then_some(last as f32);
            self.way.load(state)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_numpy() {
        golden::check(&KIND, "line_length", 2f64.powi(-24));
    }

    #[test]
    fn up_and_down_add_up_and_what_is_missing_does_not_count() {
        let mut length = Bench::build(&KIND, 1_000.0, "window_s = 0.003").expect("valid");
        let output = length.feed(&[5.0, 7.0, 4.0, 4.0, f32::NAN, 8.0, 9.0]);
        assert_eq!(output[..5], [0.0, 2.0, 5.0, 3.0, 0.0]);
        assert!(output[5].is_nan(), "both differences are with the missing one");
        assert_eq!(output[6], 1.0);
    }
}
