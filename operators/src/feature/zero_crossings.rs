//! `zero_crossings`: how often a signal changes its sign.
//!
//! Over a sliding window of N samples, the pairs of neighbours of different signs, per second:
//!
//! ```text
//! y[n] = rate · |{ k : n−N+1 < k ≤ n, s[k] ≠ s[k−1] }| / (N − 1)
//! s[k] = + where x[k] > noise, − where x[k] < −noise, else s[k−1]
//! ```
//!
//! | port  | carries                      |
//! |-------|------------------------------|
//! | `in`  | any signal, of mean 0        |
//! | `out` | crossings per second, in Hz  |
//!
//! A sine of f Hz crosses 2 f times a second. **Delay**: `(N − 1) / 2` samples, the middle of the
//! window; subtracted by the runtime. **NaN**: a sample that is not finite, and the pair it ends,
//! do not count; where none of the window does, NaN comes out. **Cost**: as `rms`.

use engine::{Body, Fault, Kind, Map, Node, Param, Port, Unit};

use super::window::{WINDOW_S, centred, samples, with_unit};
use crate::{
    bodies::{load, tuned},
    math::sliding::{Merge, Sliding, Sum},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "zero_crossings",
    summary: "How often a signal changes its sign.",
    doc: "Pairs of neighbours of different signs per second, among the N - 1 pairs within a \
          sliding window of N = window_s * rate samples: y = rate * crossings / (N - 1), in Hz; a \
          sine of f Hz crosses 2 f times a second. A sample counts as positive above `noise`, as \
          negative below -noise, and between them as the one before; with noise = 0 numpy's \
          diff(sign(x)) != 0 without those that merely touch zero. Put a high-pass in front of a \
          signal with a mean. noise may change while it runs. Delay: (N - 1) / 2 samples, the \
          middle of the window, subtracted by the runtime. While the window fills, over what is \
          there. NaN: a sample that is not finite, and the pair it ends, do not count; where none \
          in the window does, NaN comes out. Cost: about 3 ns a sample, and every N samples one \
          more pass over them. Source: Hudgins, Parker, Scott 1993, A new strategy for \
          multifunction myoelectric control.",
    example: "window_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&WINDOW_S, &NOISE],
    plan: |node| {
        let out = with_unit(node, Unit::named("Hz"));
        Ok(centred(node, samples(node, &WINDOW_S, 2)?, [out]))
    },
    build: |node| {
        let (rate_hz, noise) = (node.rate_hz("in"), node.get(&NOISE)? as f32);
        let crossings = Sliding::new(samples(node, &WINDOW_S, 2)? - 1);
        Ok(Body::map(Crossings { crossings, sign: 0, has_begun: false, noise, rate_hz }))
    },
    ..Kind::BASE
};

const NOISE: Param<f64> =
    Param::with_default("noise", 0.0, "What lies so near to zero has the sign of what was before.")
        .within(0.0, 1e30)
        .live();

#[derive(Clone)]
struct Crossings {
    crossings: Sliding<Sum>,
    /// Of the last sample that had one; 0 before.
    sign: i8,
    /// A sample has come, with which the next makes a pair.
    has_begun: bool,
    noise: f32,
    rate_hz: f64,
}

impl Map for Crossings {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            let sign = i8::from(x > self.noise) - i8::from(x < -self.noise);
            let has_crossed = sign * self.sign < 0;
            if sign != 0 && x.is_finite() {
                self.sign = sign;
            }
            let pair = Sum::of(f64::from(u8::from(has_crossed)));
            if !std::mem::replace(&mut self.has_begun, true) {
                *y = if x.is_finite() { 0.0 } else { f32::NAN };
                continue;
            }
            let item = if x.is_finite() { pair } else { Sum::NOTHING };
            *y = (self.crossings.push(item).mean() * self.rate_hz) as f32;
        }
    }

    fn reset(&mut self) {
        self.crossings.reset();
        (self.sign, self.has_begun) = (0, false);
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.noise = tuned(node, &NOISE)? as f32;
        Ok(())
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend([2, self.sign.cast_unsigned(), u8::from(self.has_begun)]);
        self.crossings.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `zero_crossings`", 2, from, |state| {
            let (mut sign, mut has_begun) = (0, 0);
            state.u8(&mut sign)?;
            state.u8(&mut has_begun)?;
            (self.sign, self.has_begun) = (sign.cast_signed(), has_begun == 1);
            state.demand(has_begun <= 1)?;
            state.demand((-1..=1).contains(&self.sign))?;
            self.crossings.load(state)
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
        golden::check(&KIND, "zero_crossings", 2f64.powi(-24));
    }

    #[test]
    fn the_first_sample_ends_no_pair() {
        let mut crossings = Bench::build(&KIND, 1_000.0, "window_s = 0.005").expect("valid");
        // One of one pair, one of two, two of three and three of four.
        assert_eq!(
            crossings.feed(&[1.0, -1.0, -1.0, 1.0, -1.0]),
            [0.0, 1e3, 5e2, 2e3 / 3.0, 750.0]
        );
    }

    #[test]
    fn noise_about_zero_is_no_crossing_and_its_limit_may_change() {
        let mut crossings =
            Bench::build(&KIND, 1_000.0, "window_s = 0.005\nnoise = 0.5").expect("valid");
        let signal = [1.0, -0.2, 0.3, -0.4, 0.1, -1.0, 0.2];
        // One crossing among four pairs of a millisecond.
        assert_eq!(crossings.feed(&signal)[4..], [0.0, 250.0, 250.0]);
        crossings.set("noise", 0.0).expect("live");
        // Since the sign was − at −1: down to it, and up to 2.
        assert_eq!(crossings.feed(&[2.0]), [500.0]);
    }

    #[test]
    fn what_is_missing_ends_no_pair() {
        let mut crossings = Bench::build(&KIND, 1_000.0, "window_s = 0.003").expect("valid");
        let output = crossings.feed(&[1.0, f32::NAN, f32::NEG_INFINITY, -1.0]);
        assert!(output[0] == 0.0 && output[1].is_nan() && output[2].is_nan(), "{output:?}");
        assert_eq!(output[3], 1_000.0);
    }
}
