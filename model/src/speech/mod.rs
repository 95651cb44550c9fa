//! Who speaks when: what becomes of the probability that a chunk of sound is speech.
//!
//! ```text
//!             ╭──╮   ╭────╮ ╭───╮                  probability of each chunk
//! threshold ──╯  ╰╮ ╭╯    ╰─╯   ╰╮
//! low             ╰─╯            ╰────────────
//! Segments      ▐██▌▐███████████▌                  what was spoken, pauses of 100 ms left out
//! Turns      start      ↑speculate ↑resume … end    whose turn it is, told as it is decided
//! ```
//!
//! Nothing here knows samples, models or a clock: a chunk is two moments and a probability. Moments are nanoseconds
//! on the session's time line, so that chunks of any length will do.

pub mod detector;
pub mod ear;
pub mod listener;
pub mod segments;
pub(crate) mod state;
pub mod turns;

/// A stretch of sound and how likely it is speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chunk {
    /// Its first moment, and the first behind it.
    pub start_ns: i64,
    /// See `start_ns`.
    pub end_ns: i64,
    /// 0 to 1; NaN where nobody knows.
    pub probability: f32,
}

/// Above the one it is speech, below the other it is none; between them it stays what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// From here on it is speech.
    pub threshold: f32,
    /// Below it is none.
    pub low: f32,
}

impl Levels {
    /// A threshold, and by how much it must be undershot.
    pub fn new(threshold: f64, hysteresis: f64) -> Self {
        // Of a model that is never sure of silence nothing would ever end.
        Self { threshold: threshold as f32, low: (threshold - hysteresis).max(0.01) as f32 }
    }

    fn is_speech(self, chunk: Chunk) -> bool {
        chunk.probability >= self.threshold
    }

    fn is_none(self, chunk: Chunk) -> bool {
        chunk.probability < self.low
    }
}

/// The mean of what was added, NaN left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    count: i64,
}

impl Mean {
    fn add(&mut self, chunk: Chunk) {
        if !chunk.probability.is_nan() {
            self.sum += f64::from(chunk.probability);
            self.count += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    fn value(self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    fn visit(&mut self, state: &mut state::State<'_>) -> Result<(), engine::Fault> {
        state.f64(&mut self.sum)?;
        state.i64(&mut self.count)
    }
}
