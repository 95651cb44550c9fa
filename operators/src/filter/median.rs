//! `median`: the middle one of what lies around each sample.
//!
//! Takes out spikes of less than half the window and keeps edges, which no linear filter does:
//!
//! ```text
//! y[n] = median of x[n − (N−1)/2] … x[n + (N−1)/2]
//! ```
//!
//! with N the whole odd number next above or at `window_s · rate`. Of those samples that are there:
//! near both ends, beside a gap and among NaN the median of fewer (of an even number the mean of the
//! middle two), as `rolling(N, center=True, min_periods=1).median()` of pandas; `medfilt` of SciPy is the
//! same where all of a window is there, and takes zeros beyond both ends.
//!
//! | port  | carries                          |
//! |-------|----------------------------------|
//! | `in`  | any signal                       |
//! | `out` | the same, without what is single |
//!
//! **Delay**: `(N − 1) / 2` samples; the runtime subtracts it from the times. **NaN**: a sample that is
//! not finite is left out; where all of a window is, NaN comes out. **Cost**: a search and the move of half a
//! window in memory a sample and channel. **Source**: Tukey, *Exploratory Data Analysis*, 1977.

use engine::{Body, Kind, Node, Outline, Param, Port};

use super::{
    each::{EachChannel, Step},
    span::{Beyond, Spanned},
    window,
};
use crate::math::{
    sorted::Sorted,
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "median",
    summary: "The middle one of what lies around each sample: takes out spikes.",
    doc: "y[n] = median of x[n - (N-1)/2] to x[n + (N-1)/2], N the odd number at or above window_s * rate, of \
          those samples that are there: near both ends and a gap of fewer, of an even number the mean \
          of the middle two (SciPy's medfilt takes zeros beyond both ends). Spikes shorter than half \
          the window vanish, edges stay. Delay: (N - 1) / 2 samples, subtracted from the times by the \
          runtime. NaN: a sample that is not finite is left out; where all of a window is, NaN comes \
          out. Cost: a search and the move of half a window in memory, a sample and channel. Source: Tukey, Exploratory Data Analysis, \
          1977.",
    example: "window_s = 0.06",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S],
    plan: |node| {
        let samples = samples(node)?;
        Ok(Outline::like_ports(node)?.delayed(window::middle_ns(node, samples)))
    },
    build: |node| {
        let (samples, channels) = (samples(node)?, node.signal("in").channels.len());
        let kernel = EachChannel::new(Median::new(samples), channels);
        let delay = 0.5 * (samples - 1) as f64;
        Ok(Body::operator(Spanned::new(kernel, delay).beyond(Beyond::Nothing, channels)))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::required("window_s", "Length of what the middle is taken of.").within(1e-6, 3_600.0);

fn samples(node: &Node<'_>) -> Result<usize, engine::Diagnostic> {
    let rate_hz = node.rate_hz("in");
    window::samples(node, &WINDOW_S)?;
    let samples = (node.get(&WINDOW_S)? * rate_hz - 1e-6).ceil().max(1.0) as usize;
    Ok(samples | 1)
}

#[derive(Clone)]
struct Median {
    /// The window; NaN where a sample is missing.
    samples: Vec<f32>,
    /// Where the oldest stands.
    at: usize,
    sorted: Sorted<i32>,
}

impl Median {
    fn new(samples: usize) -> Self {
        let sorted = Sorted::with_capacity(samples);
        Self { samples: vec![f32::NAN; samples], at: 0, sorted }
    }
}

impl Step for Median {
    fn step(&mut self, sample: f32) -> f32 {
        let sample = if sample.is_finite() { sample } else { f32::NAN };
        let oldest = std::mem::replace(&mut self.samples[self.at], sample);
        self.at = if self.at + 1 == self.samples.len() { 0 } else { self.at + 1 };
        if !oldest.is_nan() {
            self.sorted.remove(rank(oldest));
        }
        if !sample.is_nan() {
            self.sorted.insert(rank(sample));
        }
        match self.sorted.as_slice() {
            [] => f32::NAN,
            sorted if sorted.len() % 2 == 1 => ranked(sorted[sorted.len() / 2]),
            sorted => {
                let [low, high] =
                    [sorted.len() / 2 - 1, sorted.len() / 2].map(|n| ranked(sorted[n]));
                (0.5 * (f64::from(low) + f64::from(high))) as f32
            }
        }
    }

    fn reset(&mut self) {
        self.samples.fill(f32::NAN);
        self.at = 0;
        self.sorted.clear();
    }

    fn save(&self, into: &mut Vec<u8>) {
        let (newer, older) = self.samples.split_at(self.at);
        into.extend(older.iter().chain(newer).flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.reset();
        for _ in 0..self.samples.len() {
            let mut sample = 0.0;
            from.f32(&mut sample)?;
            self.step(sample);
        }
        Ok(())
    }
}

/// A whole number that is greater where the sample is: `f32::total_cmp` as a number.
fn rank(sample: f32) -> i32 {
    let bits = sample.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// The sample of this rank: turning the bits of negative numbers over again.
fn ranked(rank: i32) -> f32 {
    f32::from_bits((rank ^ ((rank >> 31) as u32 >> 1) as i32) as u32)
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn filtered(window_s: f64, input: &[f32]) -> Vec<f32> {
        let params = format!("window_s = {window_s:?}");
        let mut median = Bench::build(&KIND, 1_000.0, &params).expect("valid");
        let output = median.feed(input);
        [output, median.flush()].concat()
    }

    #[test]
    fn every_output_is_the_middle_of_its_neighbours() {
        let input: Vec<f32> = (0..200).map(|n| (n * 37 % 101) as f32).collect();
        // Four samples are not odd; five are.
        for (n, got) in filtered(0.004, &input).into_iter().enumerate() {
            let mut window = input[n.saturating_sub(2)..(n + 3).min(200)].to_vec();
            window.sort_by(f32::total_cmp);
            let half = window.len() / 2;
            let even = window.len().is_multiple_of(2);
            let want = if even { 0.5 * (window[half - 1] + window[half]) } else { window[half] };
            assert_eq!(got, want, "sample {n}");
        }
    }

    #[test]
    fn a_spike_goes_and_an_edge_stays_where_it_was() {
        let mut input = [0.0; 40];
        input[20..].fill(1.0);
        let want = filtered(0.005, &input);
        assert_eq!(want, input);
        (input[8], input[9]) = (50.0, -70.0);
        assert_eq!(filtered(0.005, &input), want);
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let lost = f32::NAN;
        let output = filtered(0.003, &[1.0, lost, 3.0, lost, f32::INFINITY, lost, 5.0]);
        let shown: Vec<f32> = output.iter().map(|y| if y.is_nan() { -1.0 } else { *y }).collect();
        assert_eq!(shown, [1.0, 2.0, 3.0, 3.0, -1.0, 5.0, 5.0]);
    }
}
