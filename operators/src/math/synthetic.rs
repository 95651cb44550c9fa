//! What never was, with the truth about it: pulse, breath, skin, muscle, speech and tones.
//!
//! A sample depends on its number, the rate and the seed alone, however it is divided into frames.

use super::ecgsyn::noise::{Electrode, Spline, White};

mod muscle;
mod ppg;
mod respiration;
mod skin;
mod speech;
mod tone;

pub use muscle::{Contraction, Muscle, MuscleParameters};
pub use ppg::{Ppg, PpgParameters, PulseTruth};
pub use respiration::{BreathTruth, Respiration, RespirationParameters};
pub use skin::{Skin, SkinParameters, SkinTruth};
pub use speech::{Speech, SpeechParameters, Utterance};
pub use tone::{ToneParameters, ToneTruth, Tones};

/// Samples computed together.
const BLOCK: usize = 256;

/// Something that makes samples and knows the truth about them.
pub trait Model {
    /// What it knows.
    type Truth;

    /// The sample that `fill` gives next.
    fn position(&self) -> u64;

    /// The next samples of every channel, plane after plane. Allocates nothing, unless 256 truths
    /// have not been taken.
    fn fill(&mut self, planes: &mut [f32]);

    /// The next truth about what has been filled: its instant in nanoseconds from sample 0, and
    /// more.
    fn pop(&mut self) -> Option<(i64, Self::Truth)>;

    /// Begins again at sample 0.
    fn reset(&mut self);
}

/// What disturbs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Disturbance {
    seed: u64,
    rate_hz: f64,
    noise: f64,
    drift: f64,
    motion: f64,
}

impl Disturbance {
    fn add(&self, first: u64, block: &mut [f64]) {
        if self.drift > 0.0 {
            Spline::drift(self.seed, self.rate_hz).add(first, self.drift, block);
        }
        if self.motion > 0.0 {
            Electrode::new(self.seed, self.rate_hz).add(first, self.motion, block);
        }
        if self.noise > 0.0 {
            White::new(self.seed).add(first, self.noise, block);
        }
    }
}

fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

#[cfg(test)]
mod tests;
