//! Graphs that answer: over HTTP and websockets.
//!
//! ```text
//! request ─▶ hall (a listener) ─▶ Takes: bytes → frame ─▶ Entrance, with a tag ─▶ graph
//!    ▲                                                                          │
//!    └── Gives: frame → bytes ◀── Room: who waits for that tag ◀── answering sink ┘
//! ```
//!
//! One tokio runtime of the process holds all sockets. A request goes from there straight into the
//! ring of its question's edge, and its answer from the data core straight back to whoever
//! waits: no other thread is woken for it.

mod ask;
mod gives;
mod hall;
mod house;
mod limits;
mod params;
mod refusal;
pub mod sink;
pub mod source;
mod takes;
mod visit;

use std::time::Duration;

use engine::Plan;

pub use house::Served;
pub use limits::Token;

/// Where a plan that runs is served: a URL for each node that takes questions.
pub fn served(plan: &Plan) -> Vec<Served> {
    plan.common::<house::House>().served()
}

/// Waits until every connection of a plan whose run has ended has got what was still to be sent, but no
/// longer than `limit`: before a process ends. Says whether all have.
pub fn settle(plan: &Plan, limit: Duration) -> bool {
    plan.common::<house::House>().settle(limit)
}
