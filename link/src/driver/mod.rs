//! [`Driver`]: the task that owns one [`Session`](crate::session::Session) and its connection.
//!
//! ```text
//!  graph's threads                one task                        network
//!  Outlet ─▶ ring ─▶ ┌────────┐ ◀─▶ Session
//!                    │ Driver │ ◀─▶ Connection ◀─ Calls ══ QUIC, or memory in tests
//!  Inlet  ◀─ ring ◀─ └────────┘
//! ```
//!
//! The driver brings the session what comes and does what the session asks for. It knows no socket:
//! [`Connection`] and [`Calls`] stand between, [`quic`](crate::quic) implements them. Nothing on a
//! frame's path is locked; whoever waits is woken once for all that has come meanwhile.
//!
//! A run ends when every edge has ended and arrived, when the two sides cannot work together, or when
//! somebody stops it; what durable edges still hold is flushed before, for as long as
//! [`Settings::flush`] allows.

mod bell;
mod drive;
mod hand;
mod parting;
mod ports;
mod status;
mod transport;
mod turned_away;

pub use bell::Bell;
pub use drive::{Driver, Ended, Settings};
pub use ports::{Arrived, Handle, Inlet, Outlet, Ports};
pub use status::{EdgeStatus, Status};
pub use transport::{Calls, Connection, Event, Figures};
pub use turned_away::turn_away;

#[cfg(test)]
mod tests;
