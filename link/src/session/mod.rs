//! [`Session`]: one graph's cut edges to one other host, as a state machine without socket or clock.
//!
//! ```text
//!  send, bound, end, consumed ─▶ ┌─────────┐ ─▶ Deliver, Gap, Bound, End
//!                                │ Session │
//!  Up, Down, Datagram, Stream ─▶ └─────────┘ ─▶ Call, Datagram, Stream, Reset, Close
//! ```
//!
//! Whoever drives it calls [`Session::handle`] with what happened and the time, then takes outputs from
//! [`Session::poll`] until there are none, and comes back at [`Session::wake`] at the latest. Where
//! frames go:
//!
//! | edge | as | what is lost |
//! |---|---|---|
//! | droppable, fits a datagram | datagrams, as many frames in each as are waiting | what comes too late, or the network loses |
//! | droppable, longer | a stream for each frame, reset at its deadline, the newest first | the same |
//! | durable | one stream per connection, by credit, again from the last acknowledged frame after an outage | nothing |
//!
//! A durable edge holds as many frames as it may in memory; with a [`spool`](crate::spool) it goes on
//! on disk, and on from there when the process starts anew ([`Session::keep`], [`Session::remember`]).
//! What it has to catch up with after an outage goes behind everything live, at a rate that the
//! round-trip time allows.
//!
//! Frames have a *place* on their edge, counted here; a receiver gives them out in the order of their
//! places, each once, and tells what is missing before what follows it. Messages go before sensors'
//! frames, and no bulk is sent while one of those waits. Every frame is counted until it is gone:
//! [`Sent::is_balanced`], [`Received::is_balanced`].

mod agree;
mod backlog;
mod config;
mod connection;
mod copies;
mod counters;
mod disk;
mod droppable_in;
mod droppable_out;
mod durable_in;
mod durable_out;
mod flush;
mod held;
mod io;
mod machine;
mod pace;
mod receive;
mod transmit;

pub use config::{Delivery, EdgeConfig, Priority, SessionConfig, TimeLine, Timing};
pub(crate) use connection::STREAMS_MAX;
pub use counters::{Received, Sent, Totals};
pub use io::{Input, Output, Path, StreamKey};
pub use machine::{NotTaken, Session};

#[cfg(test)]
mod tests;
