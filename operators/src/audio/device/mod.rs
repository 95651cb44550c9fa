//! Between a sound card and the graph.
//!
//! ```text
//! the card's thread:  callback ──▶ Ear ══ samples, stamps ══▶ Heard ──▶ Steered ──▶ frames
//! ```
//!
//! A callback copies what it was given into a ring, stamps it and returns: no lock, no allocation, no
//! system call, whatever the graph does meanwhile. On the graph's side a [`Heard`] takes it out, and
//! a [`Steered`] resampler brings it from the card's clock to the session's.

mod ear;
mod looped;
mod steered;

pub use ear::{Ear, Heard, Stamp, handover};
pub(super) use looped::{Loop, Loops};
pub use steered::Steered;
