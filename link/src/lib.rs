//! Links of Afferent: edges of one graph between two hosts.
//!
//! ```text
//!   producing host                                               consuming host
//!   frames ─▶ session ─▶ datagrams, streams ══ QUIC ══▶ session ─▶ frames, gaps, bounds
//! ```
//!
//! [`wire`] is what travels.

pub mod testing;
pub mod wire;
