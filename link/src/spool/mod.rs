//! What a durable edge sends, on disk until the other side has consumed it.
//!
//! ```text
//!                  ┌─ memory ──────────────────────────────────┐
//!  frames ─▶ tail ─┴▶ ┌────────┐ ─▶ segments on disk ─▶ pieces ─▶ head ─▶ session
//!                     │ Keeper │    position                      │
//!                     └────────┘ ◀─────────────── acknowledged ◀──┘
//! ```
//!
//! A [`Keeper`] is the thread that does all disk work, for all edges of a process; the data path only
//! leaves something for it. A [`Spool`] keeps the frames of an edge that is sent. A [`Memory`] keeps how
//! far an edge that is received has been consumed. A folder holds `*.seg` (see `segment.rs` for every
//! byte), `position` and `lock`; all are for their owner alone.
//!
//! # What is promised
//!
//! *Handed in* is a frame that [`Session::send`](crate::session::Session::send) has taken, *written* one
//! that the system has (below [`Status::written`]), *synced* one that the disk has ([`Status::synced`]).
//!
//! | when | what |
//! |---|---|
//! | the link is down | everything that is handed in comes, once, until the folder is full; then what [`WhenFull`] says, counted and told as a gap |
//! | the sending process dies (`kill -9`) | everything written comes; what was handed in and not yet written, a matter of milliseconds, is missing, and a gap of unknown length is told there |
//! | its host loses power | the same for what was synced: at most [`Sync`]'s time is missing |
//! | the receiving process dies | with a `Memory`, nothing is missing, and what comes twice is what its graph consumed and had not yet noted on disk, again a matter of milliseconds: a host looks every 10 ms how far its sinks are; without, it is what it consumed in the last 50 ms and round trip, and all of an outage's beginning |
//! | its host loses power | the same, and up to [`Sync`]'s time of it |
//! | the disk is full, read-only or broken | the graph goes on; frames stay in memory, as many as the edge holds without a spool, and then what [`WhenFull`] says; [`State`] names the cause, and the disk is tried four times a second |
//!
//! A frame is acknowledged when the receiver has noted that it was consumed. What a graph does with a
//! frame and what its host notes are two things that cannot happen at once: a consumer that must not
//! see anything twice compares [`Header::seq`](engine::Header::seq) or writes by key.
//!
//! # Places across lives
//!
//! Places belong to a *counting*, a random number that a spool has for as long as its folder lives. A
//! process that opens it goes on behind the last place that the one before may have given out, of which
//! the folder says so ahead; so a place never names two frames. Both hellos say which counting they
//! speak of, and a receiver that knows it goes on where it was.

mod error;
mod fs;
mod handle;
mod inspect;
mod keeper;
mod log;
mod memory;
mod opening;
mod part;
mod position;
mod read;
mod recover;
mod repair;
mod runs;
mod segment;
mod settings;
mod worker;

pub use error::{Cause, SpoolError};
pub use fs::{File, Fs, Held, HostFs, Open};
pub use handle::{Spool, State, Status};
pub use inspect::{Contents, Drained, SegmentContents, find};
pub use keeper::Keeper;
pub use memory::Memory;
pub use opening::Opened;
pub use position::Position;
pub use recover::Damage;
pub use repair::{Repaired, repair};
pub use runs::Runs;
pub use segment::{RECORD_HEAD, SegmentHead, VERSION};
pub use settings::{BYTES_LEAST, Moment, Settings, Subject, Sync, WhenFull};

pub(crate) use log::Kept;
pub(crate) use opening::is_of_disk;
pub(crate) use read::Piece;

/// The folder within a host's that holds the notes of what it has received.
pub(crate) const CONSUMED: &str = "consumed";
/// In the name of a folder that `repair` has put aside, before its number.
pub(crate) const BACKUP: &str = ".backup-";

#[cfg(test)]
mod tests;
