//! `detrend`: take away the level, or the straight line, of the last seconds.
//!
//! From each sample the mean of the last `N = window_s · rate` samples, itself among them, is taken
//! (`type = "constant"`), or the value at the newest sample of the line that fits them best by least
//! squares (`"linear"`):
//!
//! ```text
//! y[n] = x[n] − mean(x[n−N+1 … n])        y[n] = x[n] − (a + b n),  Σ (x[k] − a − b k)² least
//! ```
//!
//! SciPy's `detrend` does the same to a whole recording at once; here the window slides, so what comes
//! out depends on nothing to come, and slow drifts of any form go. It is a high-pass filter, whose
//! gain at the frequency `1 / window_s` and above is near 1.
//!
//! | port  | carries                       |
//! |-------|-------------------------------|
//! | `in`  | any signal                    |
//! | `out` | the same about zero           |
//!
//! **Delay**: none: what is sudden comes out at once, and for the length of the window it pulls the
//! level. **Start**, and after a gap: the mean or the line of what there is, so the first sample (of
//! a line the first two) is 0. **NaN**: a sample that is not finite comes out as NaN and is left out.
//! **Cost**: about 5 ns a sample and channel for the mean, 200 for the line, whatever the length:
//! moments of blocks are merged, nothing is subtracted, so nothing drifts. **Source**: Chan, Golub and
//! LeVeque, *The American Statistician* 37, 1983.

use engine::{Body, Fault, Kind, Map, Outline, Param, Port};

use super::window;
use crate::{
    bodies,
    math::sliding::{Merge, Sliding, Sum, Trend},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "detrend",
    summary: "Take away the level or the straight line of the last seconds.",
    doc: "type = 'constant': y[n] = x[n] - mean of the last N = window_s * rate samples; 'linear': x[n] less the \
          value at n of the line that fits them best by least squares. SciPy's detrend of a sliding \
          window: causal, a high-pass filter of some 1 / window_s. Delay: none; what is sudden pulls \
          the level for the length of the window. At the start and after a gap the mean or line of what \
          there is, so the first sample is 0. NaN: a sample that is not finite comes out as NaN and is \
          left out. Cost: about 5 ns a sample and channel, 200 for the line, whatever the length. Source: \
          Chan, Golub and LeVeque, The American Statistician 37, 1983.",
    example: "window_s = 2.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S, &TYPE],
    plan: |node| {
        let samples = window::samples(node, &WINDOW_S)?;
        // Until the window is full the level is that of fewer samples.
        let settling_s = (samples - 1) as f64 / node.rate_hz("in");
        Ok(Outline::like_ports(node)?.settling((settling_s * 1e9).round() as i64))
    },
    build: |node| {
        let samples = window::samples(node, &WINDOW_S)?;
        Ok(match node.get(&TYPE)? {
            "constant" => Body::map(Detrend(Level(Sliding::new(samples)))),
            _ => Body::map(Detrend(Line(Sliding::new(samples)))),
        })
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::required("window_s", "Length of what the level is taken from.").within(1e-3, 3_600.0);
const TYPE: Param<&str> =
    Param::with_default("type", "linear", "What is taken away.").one_of(&["constant", "linear"]);

/// The version of what `save` writes.
const VERSION: u8 = 1;

/// What is taken away, by a sliding window.
trait Fit: Clone + Send {
    type Item: Merge;

    fn window(&mut self) -> &mut Sliding<Self::Item>;
    fn saved(&self) -> &Sliding<Self::Item>;

    /// Takes the next sample, or notes that it is missing, and gives the fit there.
    fn next(&mut self, sample: Option<f64>) -> f64;
}

#[derive(Clone)]
struct Level(Sliding<Sum>);

impl Fit for Level {
    type Item = Sum;

    fn window(&mut self) -> &mut Sliding<Sum> {
        &mut self.0
    }

    fn saved(&self) -> &Sliding<Sum> {
        &self.0
    }

    fn next(&mut self, sample: Option<f64>) -> f64 {
        self.0.push(sample.map_or(Sum::NOTHING, Sum::of)).mean()
    }
}

#[derive(Clone)]
struct Line(Sliding<Trend>);

impl Fit for Line {
    type Item = Trend;

    fn window(&mut self) -> &mut Sliding<Trend> {
        &mut self.0
    }

    fn saved(&self) -> &Sliding<Trend> {
        &self.0
    }

    fn next(&mut self, sample: Option<f64>) -> f64 {
        let (now, block) = (self.0.at() as f64, self.0.len() as f64);
        let item = sample.map_or(Trend::NOTHING, |sample| Trend::of(now, sample));
        let trend = self.0.push_aging(item, |item| item.aged(block));
        trend.values.mean + trend.slope() * (now - trend.time)
    }
}

#[derive(Clone)]
struct Detrend<F>(F);

impl<F: Fit> Map for Detrend<F> {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (x, y) in input.iter().zip(output) {
            let sample = x.is_finite().then_some(f64::from(*x));
            let fit = self.0.next(sample);
            *y = sample.map_or(f32::NAN, |sample| (sample - fit) as f32);
        }
    }

    fn reset(&mut self) {
        self.0.window().reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.0.saved().save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        bodies::load("is no state of `detrend`", VERSION, from, |state| self.0.window().load(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn noise(n: usize) -> f64 {
        ((n * 7_919 + n * n * 13) % 1_009) as f64 / 1_009.0
    }

    #[test]
    fn each_sample_is_told_from_the_fit_to_its_own_window() {
        let input: Vec<f32> = (0..200).map(|n| (noise(n) + 0.01 * n as f64) as f32).collect();
        for (kind, degree) in [("constant", 0), ("linear", 1)] {
            let params = format!("window_s = 0.02\ntype = {kind:?}");
            let output = Bench::build(&KIND, 1_000.0, &params).expect("valid").feed(&input);
            for (n, got) in output.iter().enumerate() {
                let first = (n + 1).saturating_sub(20);
                let x = |k: usize| f64::from(input[k]);
                let mean = |of: &dyn Fn(usize) -> f64| {
                    (first..=n).map(of).sum::<f64>() / (n + 1 - first) as f64
                };
                let (level, middle) = (mean(&x), mean(&|k| k as f64));
                let products = mean(&|k| (k as f64 - middle) * (x(k) - level));
                let squares = mean(&|k| (k as f64 - middle).powi(2));
                let slope = if degree == 0 || n == first { 0.0 } else { products / squares };
                let want = x(n) - level - slope * (n as f64 - middle);
                // Outputs below 2 are rounded to 6e-8; sums of 20 numbers below 3 in f64.
                let off = (f64::from(*got) - want).abs();
                assert!(off < 1e-7, "{kind} at {n}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn a_line_of_any_height_vanishes_also_around_what_is_missing() {
        let mut input: Vec<f32> = (0..4_000).map(|n| 1e4 + n as f32).collect();
        input[1_000] = f32::NAN;
        input[2_000..2_400].fill(f32::INFINITY);
        let mut detrend = Bench::build(&KIND, 1_000.0, "window_s = 0.3").expect("valid");
        let output = detrend.feed(&input);
        for (x, y) in input.iter().zip(&output) {
            assert!(y.is_nan() != x.is_finite());
            // Moments of numbers near 14 000 merge to some 1e-12 of that.
            assert!(y.is_nan() || y.abs() < 1e-7, "{x}: {y}");
        }
    }
}
