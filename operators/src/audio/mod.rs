//! Sound on its way to whoever listens: from where it is heard, as one channel of many, evenly loud, with less
//! noise; and back to a person, until interrupted.

pub mod agc;
pub mod barge_in;
pub mod denoise;
pub mod device;
pub mod downmix;
pub mod microphone;
pub mod speaker;
