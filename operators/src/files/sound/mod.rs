//! Sound files: which encoding one has is told by what it holds, not by what it is called.
//!
//! WAV (also as RF64) is read here, its samples by `hound`; AIFF, FLAC, MP3, Ogg Vorbis, AAC, ALAC,
//! CAF and what else may stand in a WAV file are decoded by `symphonia`. Both come out as planar `f32` with full
//! scale at 1.0, a piece at a time: a file is never held whole.

mod coded;
mod encoding;
mod mpeg;
mod reader;
mod wav;
mod writer;

pub use reader::{Facts, SoundReader};
pub use writer::{SoundWriter, Steps};

/// Most channels a file may have; bounds memory against hostile headers.
pub const CHANNELS_MAX: usize = 64;
/// Most samples per second and channel.
pub const RATE_HZ_MAX: u32 = 3_072_000;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
