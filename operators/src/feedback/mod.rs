//! Operators that turn measures into what a person sees, hears and is rewarded by.

pub mod adaptive_threshold;
pub mod colour;
pub mod dwell;
pub mod hysteresis;
pub mod map;
pub mod resonance;
pub mod reward;
pub mod tone;
pub(crate) mod value;
