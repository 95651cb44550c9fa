//! Calls that may run on either of two hosts: `on = ["edge", "cloud"]`.
//!
//! ```text
//! home    frames ─▶ Asker ─▶ Case ─┬─▶ the call itself ────────────┐
//!                    Choice ┘      └─▶ link ─▶ Answerer ─▶ link ────┴─▶ the first that counts
//! other                                          └─▶ the same call
//! ```
//!
//! [`Choice`] says for each question which side answers it, and when the other is asked as well. It knows no
//! socket, no clock and no model: it is told how long answers took, and what the link can do. An answer from
//! home that is doubtful ([`engine::Answer::doubt`]) is asked about over there too, if that can be
//! back in time; it counts itself if nothing better comes. While the other host is gone, home
//! answers alone.

mod answerer;
mod asker;
mod case;
mod choice;
mod desk;
mod estimate;
mod figures;
mod letter;

pub(crate) use answerer::Answerer;
pub(crate) use asker::Asker;
pub use choice::{Choice, Decision, Reason, Side, Terms, Way};
pub use estimate::Estimate;
pub(crate) use figures::Register;
pub use figures::{CallFigures, Counts};
