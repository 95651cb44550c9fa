//! Links of Afferent: edges of one graph between two hosts.
//!
//! ```text
//!   producing host                                               consuming host
//!   frames ─▶ session ─▶ datagrams, streams ══ QUIC ══▶ session ─▶ frames, gaps, bounds
//! ```
//!
//! [`wire`] is what travels, [`session`] decides what to send and when, [`clock`] follows the other
//! host's clock. None of them knows a socket or reads a clock; [`testing`] joins two sessions by a
//! network that is as bad as a test wants. [`spool`] keeps on disk what may not be lost.
//!
//! [`driver`] brings a session and a connection together, [`quic`] is the connection, [`trust`] says who
//! may have one. [`carrier`] is the graph's side: how each cut edge travels, and its ends as bodies of the
//! engine. [`host`] is a whole host: it calls the others, or opens a session for everybody who calls.
//! [`offload`] has questions of a call answered on either of two hosts.

pub mod carrier;
pub mod clock;
pub mod driver;
pub mod host;
pub mod offload;
mod printable;
pub mod quic;
pub mod session;
pub mod spool;
pub mod testing;
pub mod translate;
pub mod trust;
pub mod wire;
