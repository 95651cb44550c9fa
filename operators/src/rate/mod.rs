//! Operators that change the rate of a signal.

pub mod decimate;
pub mod dejitter;
pub mod epoch;
pub mod interpolate;
pub mod regrid;
pub mod resample;
pub mod throttle;
pub mod window;
