//! Where frames enter: synthetic signals and files.

pub mod ecg;
pub mod wfdb;
