//! Pure tones at known times.

use std::{collections::VecDeque, f64::consts::PI};

use super::{Model, nanoseconds};
use crate::math::sine::Sine;

/// What tones are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneParameters {
    /// Turns per second.
    pub frequency_hz: f64,
    /// Height of the sine, full scale being 1.
    pub amplitude: f64,
    /// Length of each tone; without it there is one, without end.
    pub on_s: Option<f64>,
    /// Length of the silence between two.
    pub off_s: f64,
}

/// Where a tone lies, in seconds from sample 0: its first sample and the first behind it. One that
/// never ends has no end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneTruth {
    /// Where it begins.
    pub start_s: f64,
    /// Where it has ended.
    pub end_s: Option<f64>,
}

/// How a tone begins and ends, so that it does not click.
const RAMP_S: f64 = 0.005;

/// A source of tones; the first begins with the first sample.
#[derive(Clone, Debug)]
pub struct Tones {
    amplitude: f64,
    rate_hz: f64,
    sine: Sine,
    /// Samples of a tone, and of a tone and the silence behind it.
    on: u64,
    period: u64,
    sample: u64,
    truth: VecDeque<(i64, ToneTruth)>,
}

impl Tones {
    /// Tones sampled `rate_hz` times a second.
    pub fn new(parameters: ToneParameters, rate_hz: f64) -> Self {
        let ToneParameters { frequency_hz, amplitude, on_s, off_s } = parameters;
        let samples = |seconds: f64| (seconds * rate_hz).round() as u64;
        let on = on_s.map_or(u64::MAX, |on_s| samples(on_s).max(1));
        Self {
            amplitude,
            rate_hz,
            sine: Sine::new(frequency_hz, rate_hz, 0.0),
            on,
            period: on.saturating_add(samples(off_s)),
            sample: 0,
            truth: VecDeque::with_capacity(256),
        }
    }

    /// How much of the tone there is at a sample.
    fn share(&mut self, sample: u64) -> f64 {
        let within = sample % self.period;
        if within == 0 {
            let start_s = sample as f64 / self.rate_hz;
            let ends = self.on != u64::MAX;
            let end_s = ends.then(|| (sample + self.on) as f64 / self.rate_hz);
            self.truth.push_back((nanoseconds(start_s), ToneTruth { start_s, end_s }));
        }
        if within >= self.on {
            return 0.0;
        }
        let edge_s = within.min(self.on - 1 - within) as f64 / self.rate_hz;
        0.5 - 0.5 * (PI * (edge_s / RAMP_S).min(1.0)).cos()
    }
}

impl Model for Tones {
    type Truth = ToneTruth;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        for out in planes {
            let share = self.share(self.sample);
            *out = (self.amplitude * share * self.sine.at(self.sample)) as f32;
            self.sample += 1;
        }
    }

    fn pop(&mut self) -> Option<(i64, ToneTruth)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        self.sample = 0;
        self.truth.clear();
    }
}
