//! A host of a graph: which links it has, who calls whom, and sessions of the engine behind them.
//!
//! ```text
//!  Plan, [host.NAME] ─▶ Part ─┬─▶ Dialing   a session is here from the start and calls the others
//!                             └─▶ Serving   a session is opened for everybody who calls
//!                                    │
//!                Links ◀─ Status of every driver          News ─▶ whoever tells a person
//! ```
//!
//! Everything waits on one thread, which owns the sockets and drives all sessions of the
//! process.

mod caller;
mod dialing;
mod incoming;
mod keys;
mod links;
mod news;
mod notes;
mod part;
mod serving;
mod shelves;
mod thread;
mod told;
mod turned_away;

pub use dialing::{DialError, Dialing, Left};
pub use keys::Keys;
pub use links::{EdgeFigures, LinkFigures, Links};
pub use news::{News, Tell};
pub use part::{Part, Peer, Role};
pub use serving::{ServeError, ServeSettings, Serving};
pub use shelves::ShelfError;
use thread::LinkThread;

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::driver::{EdgeStatus, Status};

/// Between two looks at a link: a person takes no delay in it.
const LOOK: Duration = Duration::from_millis(100);

/// A number that differs each time; nothing secret hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A name for a session that no other has.
fn new_session() -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&random().to_le_bytes());
    name[8..].copy_from_slice(&random().to_le_bytes());
    name
}

/// Whether nothing of what this side sends is still here.
fn is_empty(status: &Status) -> bool {
    let inside = |edge: &EdgeStatus| edge.sent.map_or(0, |sent| sent.inside) + edge.waiting as u64;
    let sent = status.edges.iter().filter(|edge| edge.sent.is_some());
    sent.map(inside).sum::<u64>() == 0
}
