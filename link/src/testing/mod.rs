//! What tests of links need: a network that is as bad as one wants, the same each time.
//!
//! ```text
//!  Session ─▶ Transport ─▶ Way (delay, loss, queue, outage …) ─▶ Transport ─▶ Session
//!     └──────────────────────── Pair, on manual time ────────────────────────────┘
//! ```
//!
//! [`Way`] says when and whether a packet arrives and knows nothing of what is in it, so that a relay
//! between real sockets can use it as well. [`Transport`] does what a session needs of QUIC.

mod mutate;
mod pair;
mod random;
mod transport;
mod way;

pub use mutate::mutate;
pub use pair::{Delivered, HostClock, Pair};
pub use random::{Random, seeds};
pub use transport::{Heard, Transport};
pub use way::{Arrival, Way, Weather};
