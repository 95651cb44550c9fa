//! For tests of kinds and graphs: a bench for one kind, files in memory, doubles for the seams.
//!
//! ```text
//!              ┌──────────────── Bench ────────────────┐
//! feed, push ──│──ring──▶ the stage of one kind ──ring─│──▶ samples, events, frames
//!              └───────────────────────────────────────┘
//! ```
//!
//! The doubles stand where the three seams lead out of the engine, with kinds around them so that
//! whole graphs can use them:
//!
//! | seam      | double                             | kind in graphs           |
//! |-----------|------------------------------------|--------------------------|
//! | `Service` | [`MockService`], [`MockServiceKind`] | found by name by `mock_call` |
//! | `Carrier` | [`LoopbackCarrier`]                | none: edges between hosts |
//! | `Call`    | [`MockCall`]                       | [`MOCK_CALL`]            |
//!
//! Nothing here reads a disk or a socket.

mod bench;
mod call;
mod carrier;
mod chance;
mod files;
mod inside;
mod refused;
mod reply;
mod service;

pub use bench::{Bench, Seen};
pub use call::{MOCK_CALL, MockAnswer, MockCall};
pub use carrier::LoopbackCarrier;
pub use chance::Chance;
pub use files::MemoryFiles;
pub use refused::Refused;
pub use reply::{Awaited, Outcome, reply};
pub use service::{MockService, MockServiceKind};
