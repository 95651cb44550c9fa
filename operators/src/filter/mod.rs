//! Operators that change the shape of a signal.

pub mod bandpass;
pub mod copy;
pub mod fir;
pub mod smooth;
pub(crate) mod span;
