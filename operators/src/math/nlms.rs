//! Adaptive filters by normalised least mean squares.
//!
//! ```text
//! e = d − w · x        w += step · e · x / (x · x)
//! ```
//!
//! Each step takes away `step` of the error that the same reference would make again; between 0 and 2
//! no step makes the weights worse. Source: Haykin, *Adaptive Filter Theory*, chapter 7.

use super::state::{State, StateError};

/// A reference of less energy teaches nothing.
const ENERGY_MIN: f64 = 1e-20;

/// The last samples of every channel of a reference, which any number of filters look at.
#[derive(Clone, Debug)]
pub struct Past {
    taps: usize,
    /// For each channel twice the last `taps` samples, so that from `at` on they stand in a row, the
    /// newest first.
    samples: Vec<f64>,
    at: usize,
    /// How many more samples nothing is learnt, since one was missing.
    blind: u64,
    energy: f64,
}

impl Past {
    /// `taps` zeros of each of `channels`.
    ///
    /// # Panics
    /// If either is 0.
    pub fn new(taps: usize, channels: usize) -> Self {
        assert!(taps > 0 && channels > 0, "there is something to look at");
        Self { taps, samples: vec![0.0; 2 * taps * channels], at: 0, blind: 0, energy: 0.0 }
    }

    /// Takes the next sample of each channel.
    pub fn push(&mut self, row: &[f32]) {
        self.at = if self.at == 0 { self.taps - 1 } else { self.at - 1 };
        self.blind = self.blind.saturating_sub(1);
        for (samples, x) in self.samples.chunks_exact_mut(2 * self.taps).zip(row) {
            if !x.is_finite() {
                self.blind = self.taps as u64;
            }
            let x = if x.is_finite() { f64::from(*x) } else { 0.0 };
            samples[self.at] = x;
            samples[self.at + self.taps] = x;
        }
        self.measure();
    }

    /// Summed up anew each time: what is subtracted leaves its rounding behind.
    fn measure(&mut self) {
        self.energy = self.planes().map(|plane| plane.iter().map(|x| x * x).sum::<f64>()).sum();
    }

    fn planes(&self) -> impl Iterator<Item = &[f64]> {
        self.samples.chunks_exact(2 * self.taps).map(|samples| &samples[self.at..][..self.taps])
    }

    /// As made.
    pub fn reset(&mut self) {
        self.samples.fill(0.0);
        (self.at, self.blind, self.energy) = (0, 0, 0.0);
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        into.extend(self.blind.to_le_bytes());
        into.extend(self.planes().flatten().flat_map(|x| x.to_le_bytes()));
    }

    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        from.u64(&mut self.blind)?;
        self.at = 0;
        for samples in self.samples.chunks_exact_mut(2 * self.taps) {
            let (once, again) = samples.split_at_mut(self.taps);
            once.iter_mut().try_for_each(|x| from.f64(x))?;
            again.copy_from_slice(once);
        }
        from.demand(self.samples.iter().all(|x| x.is_finite()) && self.blind <= self.taps as u64)?;
        self.measure();
        Ok(())
    }
}

/// The weights of one filter.
#[derive(Clone, Debug)]
pub struct Nlms(Vec<f64>);

impl Nlms {
    /// So many zeros: taps times channels.
    pub fn new(weights: usize) -> Self {
        Self(vec![0.0; weights])
    }

    /// What the past does not explain of `sample`, and learns from it. NaN where that is not finite.
    pub fn step(&mut self, past: &Past, sample: f32, step: f64) -> f32 {
        let Self(weights) = self;
        let explained: f64 = weights.iter().zip(past.planes().flatten()).map(|(w, x)| w * x).sum();
        if !sample.is_finite() {
            return f32::NAN;
        }
        let error = f64::from(sample) - explained;
        if !error.is_finite() {
            // Numbers beyond all bounds: begin again.
            weights.fill(0.0);
            return sample;
        }
        if past.blind == 0 && past.energy > ENERGY_MIN {
            let gain = step * error / past.energy;
            for (weights, plane) in weights.chunks_exact_mut(past.taps).zip(past.planes()) {
                for (w, x) in weights.iter_mut().zip(plane) {
                    *w += gain * x;
                }
            }
        }
        error as f32
    }

    /// As made.
    pub fn reset(&mut self) {
        self.0.fill(0.0);
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        into.extend(self.0.iter().flat_map(|w| w.to_le_bytes()));
    }

    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.0.iter_mut().try_for_each(|w| from.f64(w))?;
        from.demand(self.0.iter().all(|w| w.is_finite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    #[test]
    fn errors_and_weights_are_padasips() {
        let case = include_str!("../../../tests/golden/nlms.json");
        let read = |key| golden::numbers(case, key);
        let (mut past, mut nlms) = (Past::new(4, 1), Nlms::new(4));
        let errors = read("errors");
        assert!(errors.len() > 100);
        let samples = read("desired").into_iter().zip(read("reference"));
        for (n, ((d, x), want)) in samples.zip(&errors).enumerate() {
            past.push(&[x as f32]);
            let got = f64::from(nlms.step(&past, d as f32, 0.3));
            // Inputs are whole numbers of 1 / 64, exact in f32; outputs below 4 are rounded to it.
            assert!((got - want).abs() < 2.5e-7, "{n}: {got} is not {want}");
        }
        for (got, want) in nlms.0.iter().zip(read("weights")) {
            // Some 200 steps, each of which takes away more of a rounding than it adds.
            assert!((got - want).abs() < 1e-13, "{got} is not {want}");
        }
    }
}
