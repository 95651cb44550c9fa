//! Breathing: half a cosine up while breathing in, half a cosine down while breathing out.
//!
//! ```text
//! in:  d (1 − cos(π t / tᵢ)) / 2      out:  d (1 + cos(π (t − tᵢ) / tₑ)) / 2
//! ```
//!
//! Every breath has a period and a depth of its own, normally distributed about the mean.

use std::collections::VecDeque;
use std::f64::consts::PI;

use super::{BLOCK, Disturbance, Model, nanoseconds};
use crate::math::random::Random;

/// What breathing is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RespirationParameters {
    /// Breaths a minute.
    pub rate_bpm: f64,
    /// Deviation of periods and depths, over their mean.
    pub variation_share: f64,
    /// Part of a breath that is breathing in.
    pub inhale_share: f64,
    /// Height of a breath.
    pub depth: f64,
    /// Slow drift, over the depth.
    pub wander_share: f64,
    /// Deviation of white noise, over the depth.
    pub noise_share: f64,
    /// The same seed gives the same signal.
    pub seed: u64,
}

/// What was before breathing in begins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BreathTruth {
    /// The breath that has ended, if there was one.
    pub before: Option<Breath>,
}

/// A breath.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Breath {
    /// How long it goes in.
    pub inspiration_s: f64,
    /// How long it goes out.
    pub expiration_s: f64,
    /// How deep it is.
    pub depth: f64,
}

/// A source of breaths.
#[derive(Clone, Debug)]
pub struct Respiration {
    parameters: RespirationParameters,
    rate_hz: f64,
    sample: u64,
    random: Random,
    begin_s: f64,
    now: Breath,
    truth: VecDeque<(i64, BreathTruth)>,
}

impl Respiration {
    /// Someone who begins to breathe, sampled `rate_hz` times a second.
    pub fn new(parameters: RespirationParameters, rate_hz: f64) -> Self {
        let mut respiration = Self {
            parameters,
            rate_hz,
            sample: 0,
            random: Random::new(parameters.seed),
            begin_s: 0.0,
            now: Breath::default(),
            truth: VecDeque::with_capacity(256),
        };
        respiration.begin();
        respiration
    }

    /// The first breath has begun before sample 0.
    fn begin(&mut self) {
        self.now = self.next_breath();
        self.begin_s = -self.random.uniform() * self.now.inspiration_s;
    }

    fn next_breath(&mut self) -> Breath {
        let RespirationParameters { rate_bpm, variation_share, inhale_share, depth, .. } =
            self.parameters;
        let (a, b) = self.random.normals();
        let varied =
            |mean: f64, normal: f64| mean * (1.0 + variation_share * normal).clamp(0.4, 2.5);
        let period_s = varied(60.0 / rate_bpm, a);
        Breath {
            inspiration_s: inhale_share * period_s,
            expiration_s: (1.0 - inhale_share) * period_s,
            depth: varied(depth, b),
        }
    }

    /// Goes on to the breath of a moment.
    fn advance(&mut self, time_s: f64) {
        while time_s >= self.begin_s + self.now.inspiration_s + self.now.expiration_s {
            self.begin_s += self.now.inspiration_s + self.now.expiration_s;
            let before = Some(self.now);
            self.truth.push_back((nanoseconds(self.begin_s), BreathTruth { before }));
            self.now = self.next_breath();
        }
    }

    fn value(&mut self, time_s: f64) -> f64 {
        self.advance(time_s);
        let Breath { inspiration_s, expiration_s, depth } = self.now;
        let since_s = time_s - self.begin_s;
        let swing = match since_s < inspiration_s {
            true => -(PI * since_s / inspiration_s).cos(),
            false => (PI * (since_s - inspiration_s) / expiration_s).cos(),
        };
        0.5 * depth * (1.0 + swing)
    }
}

impl Model for Respiration {
    type Truth = BreathTruth;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        let RespirationParameters { seed, depth, wander_share, noise_share, .. } = self.parameters;
        let disturbance = Disturbance {
            seed,
            rate_hz: self.rate_hz,
            noise: noise_share * depth,
            drift: wander_share * depth,
            motion: 0.0,
        };
        for out in planes.chunks_mut(BLOCK) {
            let mut block = [0.0; BLOCK];
            let block = &mut block[..out.len()];
            for (n, value) in block.iter_mut().enumerate() {
                *value = self.value((self.sample + n as u64) as f64 / self.rate_hz);
            }
            disturbance.add(self.sample, block);
            out.iter_mut().zip(block).for_each(|(out, value)| *out = *value as f32);
            self.sample += out.len() as u64;
            // What begins between this sample and the next belongs to this frame.
            self.advance(self.sample as f64 / self.rate_hz);
        }
    }

    fn pop(&mut self) -> Option<(i64, BreathTruth)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        *self = Self {
            truth: std::mem::take(&mut self.truth),
            ..Self::new(self.parameters, self.rate_hz)
        };
        self.truth.clear();
    }
}
