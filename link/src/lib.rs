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

pub mod clock;
pub mod driver;
pub mod quic;
pub mod session;
pub mod spool;
pub mod testing;
pub mod translate;
pub mod wire;
