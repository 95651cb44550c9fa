//! Sound on its way between a person and a machine.

pub mod barge_in;
