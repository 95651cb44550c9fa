//! [`Carrier`]: takes an edge whose ends live on two hosts.
//!
//! The planner hands every cut edge to the carrier it was given. On the
//! producing host the carrier is a sink of the edge, on the consuming host a
//! source of it; protocol, clocks and loss are its business.

use crate::{
    body::{LiveSource, Sink},
    fault::Fault,
    format::Format,
    graph::OnFull,
};

/// An edge between hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct CutEdge {
    /// `node` or `node.port` on the producing host.
    pub from: String,
    /// `node` and number of the line on the consuming host.
    pub to: (String, usize),
    /// The session it belongs to; each has a stream of its own.
    pub session: u32,
    /// What it carries.
    pub format: Format,
    /// What happens when the link cannot keep up.
    pub on_full: OnFull,
}

/// Carries edges between hosts.
pub trait Carrier: Send + Sync {
    /// The producing end: takes frames off the graph.
    ///
    /// # Errors
    /// What keeps the link from opening.
    fn send(&self, edge: &CutEdge) -> Result<Box<dyn Sink>, Fault>;

    /// The consuming end: brings frames into the graph.
    ///
    /// # Errors
    /// What keeps the link from opening.
    fn receive(&self, edge: &CutEdge) -> Result<Box<dyn LiveSource>, Fault>;
}
