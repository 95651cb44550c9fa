//! [`Decoder`]: whoever turns audio into words; a model of speech, or a double for tests.

use std::sync::Arc;

use engine::Fault;

use super::{budget, hypothesis::Hypothesis, transcript::Transcript};

/// Samples a second that models of speech take.
pub const RATE_HZ: u32 = 16_000;

/// A piece of audio to be understood, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Samples at 16 kHz, -1 to 1.
    pub audio: Arc<[f32]>,
    /// What was said before it, or words that are to be expected.
    pub prompt: Arc<str>,
    /// How.
    pub way: Way,
}

/// How audio is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The language, as two or three letters; found out where there is none.
    pub language: Option<Arc<str>>,
    /// Whether it is translated to English.
    pub translates: bool,
    /// Fewest positions of the encoder: see [`budget::positions`].
    pub floor: usize,
    /// So many tokens, neither more nor fewer, whatever they are: for measurements.
    pub tokens: Option<usize>,
}

impl Default for Way {
    /// In whatever language it is.
    fn default() -> Self {
        Self { language: None, translates: false, floor: budget::FLOOR, tokens: None }
    }
}

impl Task {
    /// Seconds of audio.
    pub fn seconds(&self) -> f64 {
        self.audio.len() as f64 / f64::from(RATE_HZ)
    }
}

/// What a final goes on from.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// The number of the turn.
    pub turn: i64,
    /// When it, or this part of it, begins, in seconds.
    pub start_s: f64,
    /// When the audio begins that is to be understood.
    pub offset_s: f64,
    /// What was told of it.
    pub transcript: Transcript,
}

/// A model of speech, shared by all workers.
pub trait Decoder: Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// Tells models of different content apart.
    fn content(&self) -> u64;

    /// Whether it knows other languages than English.
    fn is_multilingual(&self) -> bool {
        true
    }

    /// Whether it wants to know [what finals go on from](Self::goes_on).
    fn compares(&self) -> bool {
        false
    }

    /// The final that is asked next goes on from this: for those who compare what might have been told.
    fn goes_on(&self, _: SoFar) {}

    /// What a worker needs to decode with it. Called on the worker's thread.
    ///
    /// # Errors
    /// If there is no memory for it.
    fn open(&self) -> Result<Box<dyn Decoding>, Fault>;
}

/// A worker's own part of a model.
pub trait Decoding {
    /// Understands a piece; nothing if `stops` said so meanwhile, which is asked every few milliseconds.
    ///
    /// # Errors
    /// What kept it from understanding.
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault>;
}
