//! What the operators find in real recordings, beside what independent tools found there.
//!
//! Every test prints its figures per record: `cargo test --test signals -- --nocapture`.

mod ecg;
mod eda;
mod eeg;
mod emg;
mod feature;
mod hrv;
mod motion;
mod ppg;
mod respiration;
mod speech;
mod tables;
