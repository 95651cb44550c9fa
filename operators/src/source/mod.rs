//! Where frames enter: synthetic signals and files.

pub mod csv;
pub mod ecg;
pub mod sine;
pub mod wfdb;
