//! [`Varied`]: a resampler whose ratio may change with every output.

use std::sync::Arc;

use crate::math::resampling::{Bank, Shape, Steps};

/// Samples per second of whatever is resampled.
pub(in crate::audio) const RATES_HZ: std::ops::RangeInclusive<f64> = 1.0..=1e6;

/// Brings samples from one rate to another, and stretches them by a little that may change from call to call.
pub(super) struct Varied {
    bank: Bank,
    /// The newest samples of each channel that outputs to come are made of.
    past: Vec<Vec<f32>>,
    /// Where the next output lies, in parts of a sample from the first of `past`.
    position: f64,
    /// Outputs per sample.
    ratio: f64,
}

impl Varied {
    /// At rest.
    ///
    /// # Panics
    /// If there is no channel, or a rate is none of [`RATES_HZ`].
    pub(super) fn new(from_hz: f64, to_hz: f64, channels: usize) -> Self {
        assert!(channels > 0, "a signal has a channel");
        assert!([from_hz, to_hz].iter().all(|hz| RATES_HZ.contains(hz)), "rates of sound");
        // A ratio of no small whole numbers has its phases interpolated, as any position needs.
        let odd_hz = to_hz * (1.0 + 1e-9 / 3.0);
        let steps = Steps::new(from_hz, odd_hz, Shape::STEEP).unwrap_or_else(|_| {
            // From far above, where the filter would be too long, what folds back is let through.
            Steps::new(1.0, 1.0 + 1e-9 / 3.0, Shape::STEEP).expect("rates are near")
        });
        let mut varied = Self {
            past: vec![Vec::new(); channels],
            position: 0.0,
            ratio: to_hz / from_hz,
            bank: Bank::new(steps, Arc::from(steps.design())),
        };
        varied.reset();
        varied
    }

    /// Begins anew: the first output lies on the next sample.
    pub(super) fn reset(&mut self) {
        // A filter of silence before it.
        let before = self.bank.steps().width();
        self.past.iter_mut().for_each(|plane| {
            plane.clear();
            plane.resize(before, 0.0);
        });
        self.position = before as f64;
    }

    pub(super) fn channels(&self) -> usize {
        self.past.len()
    }

    pub(super) fn push(&mut self, planes: &[Vec<f32>]) {
        for (past, plane) in self.past.iter_mut().zip(planes) {
            past.extend_from_slice(plane);
        }
    }

    /// Outputs that what has come makes up, at 1 + `stray` times as many as the rates say.
    pub(super) fn waiting(&self, stray: f64) -> f64 {
        (self.past[0].len() as f64 - self.position) * self.ratio * (1.0 + stray)
    }

    /// Outputs of each channel that can be made now.
    pub(super) fn ready(&self, stray: f64) -> usize {
        // The newest sample an output needs lies so far behind it.
        let room = self.past[0].len() as f64 - self.bank.steps().delay() - self.position;
        // An output less than there may be: what is left is rounding.
        let outputs = room.max(0.0) * self.ratio * (1.0 + stray) - 1e-6;
        outputs.max(0.0).floor() as usize
    }

    /// Makes the next outputs, as many as each plane of `output` holds.
    ///
    /// # Panics
    /// If they are not [ready](Self::ready).
    pub(super) fn make(&mut self, output: &mut [f32], stray: f64) {
        let count = output.len() / self.past.len();
        let step = 1.0 / (self.ratio * (1.0 + stray));
        assert!(count <= self.ready(stray), "outputs are made of what has come");
        let (width, delay) = (self.bank.steps().width(), self.bank.steps().delay());
        let parts = self.bank.steps().parts();
        for n in 0..count {
            let newest = self.position + n as f64 * step + delay;
            let (first, part) = (newest.floor() as usize + 1 - width, newest - newest.floor());
            let (taps, next) = self.bank.phase(((part * parts as f64) as u64).min(parts - 1));
            for (channel, past) in self.past.iter().enumerate() {
                let samples = &past[first..first + width];
                let sum = product(taps, samples);
                let sum = next.map_or(sum, |(next, share)| {
                    sum + f64::from(share) * (product(next, samples) - sum)
                });
                output[channel * count + n] = sum as f32;
            }
        }
        self.position += count as f64 * step;
        let done = (self.position + delay).floor() as usize + 1 - width;
        self.past.iter_mut().for_each(|past| {
            past.drain(..done);
        });
        self.position -= done as f64;
    }
}

fn product(taps: &[f32], samples: &[f32]) -> f64 {
    taps.iter().zip(samples).map(|(&tap, &sample)| f64::from(tap) * f64::from(sample)).sum()
}
