//! Speech to text, but for the model itself: what is understood when, told when, and dropped first.
//!
//! ```text
//! audio, turns ─▶ Listener ─▶ question ─▶ Pool ─▶ Cascade of Decoders ─▶ Hypothesis
//!                                                                          │
//!                                  told ◀─ Transcript (Agreement) ◀────────┘
//! ```
//!
//! Nothing here needs whisper.cpp: a [`Decoder`] is whoever turns audio into words. `crate::whisper` has the one
//! that does, where it is built in.

pub mod agreement;
mod alignment;
pub mod budget;
pub mod cascade;
pub mod decoder;
pub mod exits;
pub mod hypothesis;
pub mod languages;
pub mod listener;
pub mod mock;
pub mod model_file;
pub mod pace;
pub mod pool;
pub mod queue;
pub(crate) mod recorder;
pub mod repeats;
pub mod service;
pub mod transcript;

pub(crate) use alignment::is_mark;
pub use cascade::Cascade;
pub use decoder::{Decoder, Decoding, RATE_HZ, Task, Way};
pub use hypothesis::{Hypothesis, Word};
pub use pool::{Outcome, Pool, Ticket};
pub use queue::Class;
pub use service::SpeechModel;
