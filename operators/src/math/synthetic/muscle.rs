//! An electromyogram: white noise that is louder while the muscle works.
//!
//! Work begins and ends with half a cosine of 50 ms; the truth is where half of it is reached.

use std::collections::VecDeque;
use std::f64::consts::PI;

use super::{BLOCK, Disturbance, Model, nanoseconds};
use crate::math::random::Random;

const RAMP_S: f64 = 0.05;

/// What a muscle is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuscleParameters {
    /// Root mean square while it works.
    pub amplitude_mv: f64,
    /// Root mean square while it rests.
    pub noise_mv: f64,
    /// Mean length of work; each is between a half and three halves of it.
    pub work_s: f64,
    /// Mean length of rest, likewise.
    pub rest_s: f64,
    /// The same seed gives the same signal.
    pub seed: u64,
}

/// What a muscle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contraction {
    /// It begins to work.
    Onset,
    /// It begins to rest.
    Offset,
}

/// A source of electromyogram.
#[derive(Clone, Debug)]
pub struct Muscle {
    parameters: MuscleParameters,
    rate_hz: f64,
    sample: u64,
    random: Random,
    /// Work under way or next: from where to where.
    work: [f64; 2],
    told: [bool; 2],
    truth: VecDeque<(i64, Contraction)>,
}

impl Muscle {
    /// A muscle at rest, sampled `rate_hz` times a second.
    pub fn new(parameters: MuscleParameters, rate_hz: f64) -> Self {
        let mut muscle = Self {
            parameters,
            rate_hz,
            sample: 0,
            random: Random::new(parameters.seed),
            work: [0.0; 2],
            told: [false; 2],
            truth: VecDeque::with_capacity(256),
        };
        muscle.plan(0.0);
        muscle
    }

    fn plan(&mut self, after_s: f64) {
        let MuscleParameters { work_s, rest_s, .. } = self.parameters;
        let onset_s = after_s + rest_s * (0.5 + self.random.uniform());
        self.work = [onset_s, onset_s + work_s * (0.5 + self.random.uniform())];
        self.told = [false; 2];
    }

    /// Goes on to the work of a moment.
    fn advance(&mut self, time_s: f64) {
        if time_s >= self.work[1] + RAMP_S {
            self.plan(self.work[1]);
        }
        for (edge_s, (told, what)) in self
            .work
            .into_iter()
            .zip(self.told.iter_mut().zip([Contraction::Onset, Contraction::Offset]))
        {
            if !*told && time_s > edge_s {
                *told = true;
                self.truth.push_back((nanoseconds(edge_s), what));
            }
        }
    }

    /// How much of the work there is at a moment, 0 to 1.
    fn share(&mut self, time_s: f64) -> f64 {
        self.advance(time_s);
        let [up, down] = self.work.map(|edge_s| {
            let part = ((time_s - edge_s) / RAMP_S).clamp(-0.5, 0.5);
            0.5 + 0.5 * (PI * part).sin()
        });
        up * (1.0 - down)
    }
}

impl Model for Muscle {
    type Truth = Contraction;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        let MuscleParameters { seed, amplitude_mv, noise_mv, .. } = self.parameters;
        let of = |seed, noise| Disturbance {
            seed,
            rate_hz: self.rate_hz,
            noise,
            ..Disturbance::default()
        };
        let (working, resting) = (of(seed, amplitude_mv), of(seed ^ 0x5eed, noise_mv));
        for out in planes.chunks_mut(BLOCK) {
            let (mut work, mut rest) = ([0.0; BLOCK], [0.0; BLOCK]);
            working.add(self.sample, &mut work[..out.len()]);
            resting.add(self.sample, &mut rest[..out.len()]);
            for (n, out) in out.iter_mut().enumerate() {
                let share = self.share((self.sample + n as u64) as f64 / self.rate_hz);
                *out = (share * work[n] + rest[n]) as f32;
            }
            self.sample += out.len() as u64;
            // What begins between this sample and the next belongs to this frame.
            self.advance(self.sample as f64 / self.rate_hz);
        }
    }

    fn pop(&mut self) -> Option<(i64, Contraction)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        self.random = Random::new(self.parameters.seed);
        self.sample = 0;
        self.truth.clear();
        self.plan(0.0);
    }
}
