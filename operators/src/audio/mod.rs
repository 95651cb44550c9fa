//! Sound on its way to whoever listens: one channel of many, an even loudness, less noise.

pub mod agc;
pub mod denoise;
pub mod downmix;
