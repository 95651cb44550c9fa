//! Recordings: what passes at the outputs of a graph, in [MCAP](https://mcap.dev/spec), so that Foxglove and
//! Lichtblick open it and a replay brings it back to the bit.
//!
//! ```text
//! topic             message                                   schema
//! /ecg              one per frame: header, a list a channel   afferent.ecg
//! /ecg.truth        one per event: header, a field a field    afferent.ecg_truth
//! /ecg/reached      nothing older than this will come         afferent.Reached
//! ```
//!
//! A message is protobuf whose schema, made of the edge's format, stands in the file ([`schema`]), so that viewers
//! know fields by their names; [`message`] writes and reads it, floats as they lie in memory. [`mod@write`] is a writer
//! whose disk may be full for a while, [`read`] reads what is there, also of a file that was cut short or damaged.
//! The crate `mcap` does neither: what it has begun to write it cannot take back, and it gives nothing of a chunk that
//! has no end. It judges what is written, in tests.

pub mod message;
pub mod read;
mod records;
pub mod schema;
mod stream;
mod wire;
pub mod write;

pub use message::{Codec, Told};
pub use read::{End, Recording};
pub use schema::Schema;
pub use write::{Disk, Lost, LostOf, Store, Writer};

/// The metadata that says what was recorded, and how.
pub const ABOUT: &str = "afferent";
/// The metadata at the end of a recording that was not cut short.
pub const AT_END: &str = "afferent.end";
/// The metadata with a file of the graph, its name behind this.
pub const GRAPH: &str = "afferent.graph";

/// How messages are encoded, and their schemas.
pub const ENCODING: &str = "protobuf";
