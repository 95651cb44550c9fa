//! Who may talk to whom: keys of hosts, the peers a host knows, pairing.
//!
//! ```text
//!  identity.key ─▶ Identity ─┐
//!                            ├─▶ TLS 1.3, both sides show their key, only listed keys pass
//!  peers.toml ───▶ Peers ────┘
//!       ▲
//!       └── pairing: a code of 12 letters, read out once, proves both keys
//! ```
//!
//! There is no authority: a host is its Ed25519 key, and a peer is a key that stands in
//! `peers.toml`. Both files belong to one user. Processes of one user share the key, so on the
//! loopback address a host with our own key is ourselves and needs no pairing; elsewhere our own key
//! is refused, since there it can only be a copy, as of a disk image, that nobody meant to trust.

mod door;
mod error;
mod files;
mod gate;
mod identity;
mod key;
mod letters;
mod limits;
mod list;
mod moment;
pub mod pairing;
mod peers;
mod reach;
mod refused;
mod tls;

#[cfg(test)]
mod tests;

pub use door::{Door, Handshake, Inside, Knocked};
pub use error::TrustError;
pub use files::home;
pub use gate::{Gate, OverQuota, Ticket, Verdict};
pub use identity::Identity;
pub use key::{Fingerprint, KeyTextError, PeerKey, peer_key};
pub use limits::Limits;
pub use list::{Problem, read as read_peers};
pub use peers::{PEERS_MAX, Peer, Peers, as_name};
pub use reach::{Expected, Reach, may_listen};
pub(crate) use refused::Unwelcome;
pub use refused::{Reason, Refused};
pub use tls::{ALPN, SERVER_NAME, client_config, server_config};
