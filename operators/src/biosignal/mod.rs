//! From a body's signals to what they say.

pub mod beat_class;
pub mod breath;
pub mod correct_beats;
pub mod ecg_quality;
pub mod eda;
pub mod edr;
pub mod emg;
pub mod hrv;
pub mod hrv_frequency;
pub mod hrv_nonlinear;
mod nn;
pub mod pacer;
mod past;
pub mod pulse;
pub mod qrs;
pub mod spo2;
mod watch;
