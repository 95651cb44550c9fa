//! `slope`: how fast a signal rises: the straight line of least squares through its last samples.
//!
//! Over a sliding window of N samples at times t,
//!
//! ```text
//! y = Σ (t − mean t) (x − mean x) / Σ (t − mean t)²
//! ```
//!
//! | port  | carries                                       |
//! |-------|-----------------------------------------------|
//! | `in`  | any signal                                    |
//! | `out` | its slope, in units of the signal per second  |
//!
//! **Delay**: `(N − 1) / 2` samples, the middle of the window; subtracted by the runtime. **NaN**:
//! the line goes through the samples that are finite; where none is, NaN comes out. **Cost**: some
//! twenty operations a sample, whatever N; every N samples one more pass over them.

use engine::{Body, Fault, Kind, Map, Port, Unit};

use super::window::{WINDOW_S, centred, samples, with_unit};
use crate::{
    bodies::load,
    math::sliding::{Merge, Sliding, Trend},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "slope",
    summary: "How fast a signal rises: a straight line through its last samples.",
    doc: "The slope of the straight line of least squares through the last N = window_s * rate \
          samples, numpy's polyfit(t, x, 1)[0]: sum((t - mean(t)) (x - mean(x))) / sum((t - \
          mean(t))^2), in units of the signal per second. 0 while there is one sample alone. \
          Delay: (N - 1) / 2 samples, the middle of the window, subtracted by the runtime. While \
          the window fills, through what is there. NaN: the line goes through the samples that \
          are finite; where none in the window is, NaN comes out. Cost: about 15 ns a sample, \
          whatever N, and every N samples one more pass over them; parts are merged, never \
          subtracted, so nothing drifts. Source: Chan, Golub, LeVeque 1983, Algorithms for \
          computing the sample variance.",
    example: "window_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&WINDOW_S],
    plan: |node| {
        let out = with_unit(node, Unit::UNKNOWN);
        Ok(centred(node, samples(node, &WINDOW_S, 2)?, [out]))
    },
    build: |node| {
        let window = Sliding::new(samples(node, &WINDOW_S, 2)?);
        Ok(Body::map(Slope { window, rate_hz: node.rate_hz("in") }))
    },
    ..Kind::BASE
};

#[derive(Clone)]
struct Slope {
    window: Sliding<Trend>,
    rate_hz: f64,
}

impl Map for Slope {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        let block = self.window.len() as f64;
        for (&x, y) in input.iter().zip(output) {
            let item = if x.is_finite() {
                Trend::of(self.window.at() as f64, f64::from(x))
            } else {
                Trend::NOTHING
            };
            let trend = self.window.push_aging(item, |item| item.aged(block));
            *y = (trend.slope() * self.rate_hz) as f32;
        }
    }

    fn reset(&mut self) {
        self.window.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.window.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `slope`", 1, from, |state| self.window.load(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_numpy() {
        golden::check(&KIND, "slope", 2f64.powi(-24));
    }

    #[test]
    fn a_straight_line_has_its_slope_with_holes_and_after_hours() {
        let mut slope = Bench::build(&KIND, 1_000.0, "window_s = 0.1").expect("valid");
        let mut first = None;
        for part in 0..40 {
            let line: Vec<f32> = (0..1_000)
                .map(|n| if n % 7 == 3 { f32::NAN } else { (n + 1_000 * part) as f32 * 0.25 })
                .collect();
            let output = slope.feed(&line);
            let rest = &output[if part == 0 { 1 } else { 0 }..];
            first.get_or_insert(output[0]);
            // Quarters below 2^24 are exact in f32; sums of f64 round far below f32.
            assert!(rest.iter().all(|&y| y == 250.0), "part {part}");
        }
        assert_eq!(first, Some(0.0));
    }
}
