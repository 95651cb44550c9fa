//! Between a sound card and the graph.
//!
//! ```text
//! the card's thread:  callback ──▶ Ear ══ samples, stamps ══▶ Heard ──▶ Steered ──▶ frames
//!                     callback ◀── Mouth ══════ samples ══════ Voice ◀── Filled ◀── frames
//! ```
//!
//! A callback copies what it was given into a ring, stamps it and returns: no lock, no allocation, no
//! system call, whatever the graph does meanwhile. On the graph's side a [`Heard`] takes it out, and
//! a [`Steered`] resampler brings it from the card's clock to the session's. What is played goes the other way, and
//! is stretched by how full the ring is. A thread opens the card, and opens it again when it was
//! unplugged. [`Cards`] is all that is asked of the system's cards; one file names the library that answers.

mod attached;
#[cfg(feature = "microphone")]
mod card;
mod cards;
mod ear;
mod encoded;
mod filled;
mod looped;
mod mouth;
mod steered;
mod varied;

pub(super) use attached::{Attached, News};
pub use cards::{
    Cards, DEFAULT, Device, Encoding, Fate, Now, Offer, Setup, Stream, Trouble, Way, as_service,
    of_machine,
};
pub(super) use cards::{of_host, opened_as};
pub use ear::{Ear, Heard, Stamp, handover};
pub use encoded::Encoded;
pub(super) use filled::{Filled, TARGET_S};
pub(super) use looped::{End, Ends, Loop, Loops};
pub use mouth::{Mouth, Voice, outlet};
pub use steered::Steered;
pub(super) use varied::RATES_HZ;
