//! Links of Afferent: edges of one graph between two hosts.
//!
//! ```text
//!   producing host                                               consuming host
//!   frames ─▶ session ─▶ datagrams, streams ══ QUIC ══▶ session ─▶ frames, gaps, bounds
//! ```
//!
//! [`wire`] is what travels, [`clock`] follows the other host's clock.

pub mod clock;
pub mod testing;
pub mod translate;
pub mod wire;
