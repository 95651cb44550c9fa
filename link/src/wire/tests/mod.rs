//! Promises of the wire format.

mod fuzz;
mod golden;
mod recordings;
mod round_trip;
mod samples;
