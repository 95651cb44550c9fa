//! Mathematics that knows no graph: on numbers and slices.

pub mod band;
pub mod butterworth;
mod complex;
pub mod ecgsyn;
pub mod fir_design;
#[cfg(test)]
pub(crate) mod golden;
pub mod hrv;
pub mod pacer;
pub mod qrs;
pub mod random;
pub mod sine;
pub mod sos;
pub mod state;
pub mod window;
