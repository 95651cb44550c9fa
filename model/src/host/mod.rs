//! What serves the models of a host: questions wait in lanes, worker threads run them in batches and
//! give each its answer.
//!
//! ```text
//! call ─ door ─▶ lane of a way ──┐                     ┌─ sure: reply
//! call ─ door ─▶ lane of a way ──┴─ policy ─▶ worker ──┤
//!                lane of segment 2 ◀───────────────────┴─ not sure
//! ```
//!
//! Short runs of models that are asked now and then are made by whoever asks: the way to a worker and back
//! takes longer.

mod arms;
mod asked;
mod batch;
#[cfg(test)]
mod by_hand;
mod chain;
mod counts;
mod door;
mod drift;
mod exits;
mod family;
mod figures;
mod lane;
mod model;
mod rest;
mod rows;
mod run;
mod seat;
mod service;
mod shadow;
mod short;
mod slots;
mod split;
mod state;
pub mod variants;
mod version;
mod warm;
mod watch;
mod way;
mod workers;

pub use asked::{Note, Priority, Terms};
pub use chain::Chain;
pub use counts::{Shed, Tally};
pub use door::Door;
pub use exits::{Exits, Head, Signal};
pub use model::Model;
pub use rows::Rows;
pub use service::{ModelService, Speed};
pub use shadow::Compared;
pub use split::Split;
pub use variants::Quality;
pub use version::{Content, Moment, Trial};
pub use watch::{Promised, Seen, Watch};
pub use way::{Row, Rowwise, Way};
pub use workers::{Manner, Workers};
