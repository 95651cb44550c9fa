//! What tests of links need: a network that is as bad as one wants, the same each time.
//!
//! ```text
//!  Session ─▶ Transport ─▶ Way (delay, loss, queue, outage …) ─▶ Transport ─▶ Session
//!     └──────────────────────── Pair, on manual time ────────────────────────────┘
//! ```
//!
//! [`Way`] says when and whether a packet arrives and knows nothing of what is in it, so that [`Relay`],
//! between real sockets, uses it as well. [`Transport`] does what a session needs of QUIC,
//! and [`memory`] what a driver needs, without a network.
//! [`SimDisk`] is a file system that fills up, fails, and loses its power.

mod disk;
mod memory;
mod mutate;
mod pair;
mod random;
mod relay;
mod transport;
mod way;

pub use disk::SimDisk;
pub use memory::{MemoryCalled, MemoryCaller, MemoryConnection, MemorySwitch, memory};
pub use mutate::mutate;
pub use pair::{Delivered, HostClock, Pair};
pub use random::{Random, seeds};
pub use relay::Relay;
pub use transport::{Heard, Transport};
pub use way::{Arrival, Way, Weather};
