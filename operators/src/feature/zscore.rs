//! `zscore`: how unusual a sample is among those before it.
//!
//! With the N samples of a sliding window, the newest of which is the one in question,
//!
//! ```text
//! robust:    z = (x − median) / (1.4826 · median |x − median|)
//! standard:  z = (x − mean) / √( Σ (x − mean)² / N )
//! ```
//!
//! | port  | carries                                |
//! |-------|----------------------------------------|
//! | `in`  | any signal                             |
//! | `out` | how many spreads off the middle it is  |
//!
//! A robust one sees an artefact as what it is, instead of widening the spread by it. Where more
//! than half the window are equal, the robust spread is 0 and the standard one stands in; where
//! all are equal, z is 0. **Delay**: none. **NaN**: a sample that is not finite does not count and
//! comes out as NaN. **Cost**: O(log² N) a sample, or a few operations for `standard`.

use engine::{Body, Fault, Kind, Map, Outline, Param, Port, Unit};

use super::window::{WINDOW_S, samples, with_unit};
use crate::{
    bodies::load,
    math::{
        ordered::{NORMAL_MAD, Ordered},
        sliding::{Merge, Moments, Sliding},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "zscore",
    summary: "How unusual a sample is among those before it.",
    doc: "z = (x - centre) / spread with the last N = window_s * rate samples, x itself included. \
          method = \"robust\": the median and 1.4826 times the median distance from it, SciPy's \
          median_abs_deviation(scale='normal') (neurokit2 rounds the factor to four digits); \
          \"standard\": mean and standard deviation (ddof 0), SciPy's zscore. Where more than \
          half the window are equal the robust spread is 0 and the standard deviation stands in; \
          where all are equal, z is 0. Delay: none. While the window fills, with what is there. \
          NaN: a sample that is not finite does not count, and comes out as NaN. Cost: about 2 us \
          a sample for a robust window of 1000, 10 ns for a standard one. Source: Leys et al. \
          2013, Detecting outliers.",
    example: "window_s = 2.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&WINDOW_S, &METHOD],
    plan: |node| {
        samples(node, &WINDOW_S, 2)?;
        Ok(Outline::of([with_unit(node, Unit::named("1"))]))
    },
    build: |node| {
        let len = samples(node, &WINDOW_S, 2)?;
        let ordered = (node.get(&METHOD)? == "robust").then(|| Ordered::new(len));
        Ok(Body::map(Score { ordered, moments: Sliding::new(len) }))
    },
    ..Kind::BASE
};

const METHOD: Param<&str> =
    Param::with_default("method", "robust", "What is the middle, and what the spread.")
        .one_of(&["robust", "standard"]);

#[derive(Clone)]
struct Score {
    /// For robust scores.
    ordered: Option<Ordered>,
    moments: Sliding<Moments>,
}

impl Map for Score {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            let item = if x.is_finite() { Moments::of(f64::from(x)) } else { Moments::NOTHING };
            let moments = self.moments.push(item);
            let (mut centre, mut spread) = (moments.mean, 0.0);
            if let Some(ordered) = &mut self.ordered {
                ordered.push(x);
                centre = ordered.median();
                spread = ordered.median_deviation(centre) / NORMAL_MAD;
            }
            if spread == 0.0 {
                spread = moments.variance().sqrt();
            }
            let off = f64::from(x) - centre;
            *y = match (x.is_finite(), off == 0.0) {
                (false, _) => f32::NAN,
                (true, true) => 0.0,
                (true, false) => (off / spread) as f32,
            };
        }
    }

    fn reset(&mut self) {
        self.moments.reset();
        self.ordered.iter_mut().for_each(Ordered::reset);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.moments.save(into);
        self.ordered.iter().for_each(|ordered| ordered.save(into));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `zscore`", 1, from, |state| {
            self.moments.load(state)?;
            self.ordered.iter_mut().try_for_each(|ordered| ordered.load(state))
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_scipy() {
        // Rounded to f32 once; the mean is off by some 1e-15 of values of some spreads.
        golden::check(&KIND, "zscore", 2f64.powi(-24));
    }

    #[test]
    fn an_artefact_does_not_hide_behind_itself() {
        let signal: Vec<f32> =
            (0..100).map(|n| if n == 60 { 1e6 } else { (n % 5) as f32 }).collect();
        let z = |method: &str| {
            let params = format!("window_s = 0.05\nmethod = {method:?}");
            Bench::build(&KIND, 1_000.0, &params).expect("valid").feed(&signal)
        };
        let (robust, standard) = (z("robust"), z("standard"));
        // Of n samples one alone is at most √(n − 1) standard deviations off; the others are
        // a millionth apart.
        assert!((standard[60] - 7.0).abs() < 1e-4, "{}", standard[60]);
        assert!(robust[60] > 6e5, "{}", robust[60]);
        // Behind it the others look all alike to one method, and as before to the other.
        assert!(standard[64].abs() < 0.2 && (robust[64] - robust[49]).abs() < 0.1);
    }

    #[test]
    fn equal_samples_are_usual_and_missing_ones_missing() {
        for method in ["robust", "standard"] {
            let params = format!("window_s = 0.01\nmethod = {method:?}");
            let mut score = Bench::build(&KIND, 1_000.0, &params).expect("valid");
            let output = score.feed(&[4.0, 4.0, f32::NAN, 4.0]);
            assert!(output[2].is_nan(), "{method}");
            assert_eq!([output[0], output[1], output[3]], [0.0; 3], "{method}");
        }
    }
}
