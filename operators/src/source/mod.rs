//! Where frames enter: synthetic signals and files.

pub mod audio;
pub mod csv;
pub mod ecg;
pub mod eeg;
pub mod imu;
pub mod muscle;
pub mod ppg;
pub mod respiration;
pub mod sine;
pub mod skin;
pub mod speech_like;
mod synthetic;
pub mod tone;
pub mod wfdb;
