//! What travels: preambles and records, frames with their whole header, control messages.
//!
//! All numbers are little-endian; samples are planes of `f32` as they lie in memory. Nothing here
//! trusts what it reads: each length is compared with what the format allows before anything is
//! allocated, and no bytes make it panic. Bytes are not checksummed here: QUIC discards what was
//! damaged on the way. A spool, which has no such shelter, brings its own.
//!
//! The newest version is 3; older ones are still read, and written to a side that reads no newer one. Version 2
//! brought uncertainty and packing, version 3 flushes.

pub(crate) mod bytes;
mod content;
mod error;
mod frame;
mod hello;
mod message;
mod pack;
mod record;
mod steps;

#[cfg(test)]
mod tests;

pub use content::CONTENT_MAX;
pub(crate) use content::{check as check_content, most as content_most};
pub use error::WireError;
pub(crate) use frame::gap_in;
pub use frame::{FRAME_HEAD, FrameWriter, longest, read_frame};
pub use hello::{CONTROL_MAX, EDGES_MAX, Hello, HelloEdge};
pub use message::{ByeReason, Message};
pub(crate) use record::one_record;
pub use record::{
    Assembler, Datagram, PREAMBLE, RECORD_HEAD, Record, RecordKind, put_preamble, put_record,
    read_preamble,
};

/// The newest version that is read and written.
pub const NEWEST: u8 = 3;
/// The newest version that changed how frames are written: what is kept on disk is in it.
pub const FRAMES: u8 = 2;
/// The first version that knows [`Message::Flush`].
pub const FLUSHES: u8 = 3;
/// The oldest version that is read.
pub const OLDEST: u8 = 1;
