//! Operators on what a signal is made of: its frequencies.

pub mod analytic;
pub mod band_power;
pub mod centroid;
pub mod coherence;
pub(crate) mod cut;
pub mod edge;
mod estimate;
pub mod flatness;
pub mod goertzel;
pub mod log_mel;
pub mod mel;
pub mod mfcc;
pub mod power;
mod range;
pub(crate) mod segments;
pub mod stft;
#[cfg(test)]
mod testing;
