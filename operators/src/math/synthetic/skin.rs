//! Skin conductance: a drifting level and responses after Bateman.
//!
//! What sweat glands let in fills with one time constant and dries with another (Benedek and
//! Kaernbach 2010):
//!
//! ```text
//! b(t) = (exp(−t / τ₁) − exp(−t / τ₂)) / b₀      τ₁ = 3 s, τ₂ = 0.7 s, b₀ so that its peak is 1
//! ```
//!
//! which peaks after 1.33 s.

use std::collections::VecDeque;

use super::{BLOCK, Disturbance, Model, nanoseconds};
use crate::math::random::Random;

const TAU_S: [f64; 2] = [3.0, 0.7];
/// After so many slow time constants a response is nothing: exp(−17) is 4e-8.
const OVER: f64 = 17.0;
/// Responses begin at least so far apart.
const APART_S: f64 = 2.0;

/// What skin is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkinParameters {
    /// Mean level.
    pub level_microsiemens: f64,
    /// Root mean square of its drift, twice.
    pub drift_microsiemens: f64,
    /// Responses per minute.
    pub responses_per_min: f64,
    /// Mean height of a response; each lies between a half and three halves of it.
    pub amplitude_microsiemens: f64,
    /// Deviation of white noise.
    pub noise_microsiemens: f64,
    /// The same seed gives the same signal.
    pub seed: u64,
}

/// A response, at its onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkinTruth {
    /// Height of its own, without what is left of those before.
    pub amplitude_microsiemens: f64,
    /// From its onset to its own peak.
    pub rise_s: f64,
}

/// A source of skin conductance.
#[derive(Clone, Debug)]
pub struct Skin {
    parameters: SkinParameters,
    rate_hz: f64,
    sample: u64,
    random: Random,
    /// Onset and height of those that can be felt, and of the next.
    responses: VecDeque<(f64, f64)>,
    told: usize,
    truth: VecDeque<(i64, SkinTruth)>,
}

/// When a response peaks.
fn rise_s() -> f64 {
    let [slow, fast] = TAU_S;
    (slow / fast).ln() * slow * fast / (slow - fast)
}

fn bateman(time_s: f64) -> f64 {
    let [slow, fast] = TAU_S;
    (-time_s / slow).exp() - (-time_s / fast).exp()
}

impl Skin {
    /// Skin at rest, sampled `rate_hz` times a second.
    pub fn new(parameters: SkinParameters, rate_hz: f64) -> Self {
        let mut skin = Self {
            parameters,
            rate_hz,
            sample: 0,
            random: Random::new(parameters.seed),
            responses: VecDeque::with_capacity(64),
            told: 0,
            truth: VecDeque::with_capacity(256),
        };
        skin.plan(0.0);
        skin
    }

    fn plan(&mut self, after_s: f64) {
        let mean_s = (60.0 / self.parameters.responses_per_min - APART_S).max(0.0);
        let pause_s = APART_S - (1.0 - self.random.uniform()).ln() * mean_s;
        let height = self.parameters.amplitude_microsiemens * (0.5 + self.random.uniform());
        self.responses.push_back((after_s + pause_s, height));
    }

    fn add_responses(&mut self, block: &mut [f64]) {
        let end_s = (self.sample + block.len() as u64) as f64 / self.rate_hz;
        while let Some(&(last_s, _)) = self.responses.back().filter(|(last_s, _)| *last_s < end_s) {
            self.plan(last_s);
        }
        let peak = bateman(rise_s());
        for (sample, value) in (self.sample..).zip(block) {
            let time_s = sample as f64 / self.rate_hz;
            let begun = self.responses.iter().take_while(|(onset_s, _)| *onset_s < time_s);
            *value += begun
                .map(|(onset_s, height)| height * bateman(time_s - onset_s) / peak)
                .sum::<f64>();
        }
    }

    fn tell(&mut self) {
        let now_s = self.sample as f64 / self.rate_hz;
        while let Some(&(onset_s, amplitude_microsiemens)) =
            self.responses.get(self.told).filter(|(onset_s, _)| *onset_s < now_s)
        {
            self.told += 1;
            let truth = SkinTruth { amplitude_microsiemens, rise_s: rise_s() };
            self.truth.push_back((nanoseconds(onset_s), truth));
        }
        while self.told > 0 && self.responses[0].0 + OVER * TAU_S[0] < now_s {
            self.responses.pop_front();
            self.told -= 1;
        }
    }
}

impl Model for Skin {
    type Truth = SkinTruth;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        let SkinParameters {
            seed, level_microsiemens, drift_microsiemens, noise_microsiemens, ..
        } = self.parameters;
        let rate_hz = self.rate_hz;
        let disturbance = Disturbance {
            seed,
            rate_hz,
            noise: noise_microsiemens,
            drift: drift_microsiemens,
            motion: 0.0,
        };
        for out in planes.chunks_mut(BLOCK) {
            let mut block = [level_microsiemens; BLOCK];
            let block = &mut block[..out.len()];
            self.add_responses(block);
            disturbance.add(self.sample, block);
            // Nothing conducts less than nothing.
            out.iter_mut().zip(block).for_each(|(out, value)| *out = value.max(0.0) as f32);
            self.sample += out.len() as u64;
            self.tell();
        }
    }

    fn pop(&mut self) -> Option<(i64, SkinTruth)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        self.random = Random::new(self.parameters.seed);
        (self.sample, self.told) = (0, 0);
        self.responses.clear();
        self.truth.clear();
        self.plan(0.0);
    }
}
