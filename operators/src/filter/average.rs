//! `average`: the mean of what lies around each sample.
//!
//! A moving average over `N = window_s · rate` samples (the nearest whole number):
//!
//! ```text
//! y[n] = (x[n − (N−1)/2] + … + x[n + (N−1)/2]) / N
//! ```
//!
//! of those samples that are there: near both ends, beside a gap and among NaN the mean of fewer, as
//! `rolling(N, center=True, min_periods=1).mean()` of pandas for an odd N. With an even N the means lie
//! between the samples, and so do their times.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, averaged |
//!
//! **Delay**: `(N − 1) / 2` samples at every frequency; the runtime subtracts it from the times. A
//! frequency of which a whole number of waves fits into the window vanishes: 20 ms remove 50 Hz and its
//! multiples. **NaN**: a sample that is not finite is left out; where all of a window is, NaN comes
//! out. **Cost**: about 5 ns a sample and channel, whatever the length: sums of blocks are merged,
//! nothing is subtracted, so nothing drifts. **Source**: Smith, *The Scientist and Engineer's Guide to
//! Digital Signal Processing*, chapter 15.

use engine::{Body, Kind, Outline, Param, Port};

use super::{
    each::{EachChannel, Step},
    span::{Beyond, Spanned},
    window,
};
use crate::math::{
    sliding::{Merge, Sliding, Sum},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "average",
    summary: "The mean of what lies around each sample.",
    doc: "Moving average: y[n] = mean of x[n - (N-1)/2] to x[n + (N-1)/2], N = window_s * rate samples, of \
          those that are there: near both ends and a gap of fewer. Delay: (N - 1) / 2 samples at every \
          frequency, subtracted from the times by the runtime. A frequency of which a whole number of \
          waves fits into the window vanishes. NaN: a sample that is not finite is left out; where all \
          of a window is, NaN comes out. Cost: about 5 ns a sample and channel, whatever the length. \
          Source: Smith, The Scientist and Engineer's Guide to Digital Signal Processing, chapter 15.",
    example: "window_s = 0.02",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S],
    plan: |node| {
        let samples = window::samples(node, &WINDOW_S)?;
        Ok(Outline::like_ports(node)?.delayed(window::middle_ns(node, samples)))
    },
    build: |node| {
        let (samples, channels) =
            (window::samples(node, &WINDOW_S)?, node.signal("in").channels.len());
        let kernel = EachChannel::new(Average(Sliding::new(samples)), channels);
        let delay = 0.5 * (samples - 1) as f64;
        Ok(Body::operator(Spanned::new(kernel, delay).beyond(Beyond::Nothing, channels)))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::required("window_s", "Length of what is averaged.").within(1e-6, 3_600.0);

#[derive(Clone)]
struct Average(Sliding<Sum>);

impl Step for Average {
    fn step(&mut self, sample: f32) -> f32 {
        let item = if sample.is_finite() { Sum::of(f64::from(sample)) } else { Sum::NOTHING };
        self.0.push(item).mean() as f32
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.0.save(into);
    }

    fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.0.load(from)
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    /// Everything that comes out, to the end.
    fn averaged(window_s: f64, input: &[f32]) -> Vec<f32> {
        let params = format!("window_s = {window_s:?}");
        let mut average = Bench::build(&KIND, 1_000.0, &params).expect("valid");
        let output = average.feed(input);
        [output, average.flush()].concat()
    }

    #[test]
    fn every_output_is_the_mean_of_its_neighbours() {
        let input: Vec<f32> = (0..200).map(|n| (n * 37 % 101) as f32).collect();
        let output = averaged(0.007, &input);
        assert_eq!(output.len(), 200);
        for (n, got) in output.into_iter().enumerate() {
            let window = &input[n.saturating_sub(3)..(n + 4).min(200)];
            let want = window.iter().map(|x| f64::from(*x)).sum::<f64>() / window.len() as f64;
            // Whole numbers add without rounding; one rounding to f32.
            assert_eq!(got, want as f32, "sample {n}");
        }
    }

    #[test]
    fn means_of_an_even_number_lie_between_the_samples() {
        let mut average = Bench::build(&KIND, 1_000.0, "window_s = 0.004").expect("valid");
        assert_eq!(average.delay_ns(), 1_500_000);
        let output = average.feed(&[4.0, 8.0, 0.0, 4.0, 4.0]);
        assert_eq!(average.take()[0].time().nanos(), 500_000);
        assert_eq!(output, [4.0, 4.0, 4.0]);
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let lost = f32::NAN;
        let output = averaged(0.003, &[1.0, lost, 3.0, lost, f32::INFINITY, lost, 5.0]);
        let shown: Vec<f32> = output.iter().map(|y| if y.is_nan() { -1.0 } else { *y }).collect();
        assert_eq!(shown, [1.0, 2.0, 3.0, 3.0, -1.0, 5.0, 5.0]);
    }

    #[test]
    fn a_window_beyond_all_bounds_is_explained() {
        let refused = Bench::build(&KIND, 1_000.0, "window_s = 1000.0").err().expect("refused");
        assert!(refused.to_string().contains("choose at most 131.072 s"), "{refused}");
    }
}
