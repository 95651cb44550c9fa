//! Operators that change the rate of a signal.

pub mod decimate;
