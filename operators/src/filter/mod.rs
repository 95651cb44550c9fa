//! Operators that change the shape of a signal.

pub mod average;
pub mod bandpass;
pub mod bandstop;
pub mod copy;
pub mod delay;
pub mod detrend;
pub mod differentiate;
mod each;
pub mod fir;
pub mod highpass;
pub mod lowpass;
pub mod median;
pub mod nlms;
pub mod notch;
pub(crate) mod recursive;
pub mod savgol;
mod sense;
pub mod smooth;
pub(crate) mod span;
mod window;
