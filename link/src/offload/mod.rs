//! Calls that may run on either of two hosts: `on = ["edge", "cloud"]`. Nothing asks this yet: a call named so runs on
//! the first.
//!
//! [`Choice`] says for each question which side answers it, and when the other is asked as well. It knows no
//! socket, no clock and no model: it is told how long answers took, and what the link can do.

mod choice;
mod estimate;

pub use choice::{Choice, Decision, Reason, Side, Terms, Way};
pub use estimate::Estimate;
