//! Operators that say something about a signal: how strong, how fast, how regular, how good.

pub mod baseline;
pub mod entropy;
pub mod envelope;
#[cfg(test)]
pub(crate) mod golden;
pub mod hjorth;
pub mod line_length;
pub mod peaks;
pub mod percentile;
pub mod quality;
pub mod rms;
pub mod slope;
pub mod threshold;
pub(crate) mod window;
pub mod zero_crossings;
pub mod zscore;
