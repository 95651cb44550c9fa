//! [`Status`]: what can be said about a link while it runs.

use engine::Timestamp;

use super::transport::Figures;
use crate::{
    clock::Estimate,
    session::{Received, Sent, Totals},
    wire::ByeReason,
};

/// A snapshot, at most a tenth of a second old while there is a connection.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// When it was taken, by the clock in [`Settings`](super::Settings).
    pub at: Timestamp,
    /// Whether there is a connection.
    pub is_up: bool,
    /// Since when there is or is not.
    pub since: Timestamp,
    /// Smoothed round-trip time in nanoseconds; that of the last connection while there is none.
    pub rtt_ns: i64,
    /// Bytes per second that get through; 0 where unknown.
    pub bytes_per_s: f64,
    /// Packets of this connection, and those lost.
    pub figures: Figures,
    /// The other host's clock, if it was heard.
    pub clock: Option<Estimate>,
    /// How often a clock has jumped, and how often translated times made a step.
    pub clock_jumps: (u64, u64),
    /// Counts of the session.
    pub totals: Totals,
    /// The edges, in the order of their numbers.
    pub edges: Vec<EdgeStatus>,
    /// Why the last call was in vain, or how the last connection ended.
    pub trouble: Option<String>,
    /// Why the other side or this one does not go on.
    pub refused: Option<(ByeReason, String)>,
}

/// One edge.
#[derive(Clone, Debug, Default)]
pub struct EdgeStatus {
    /// `producer -> consumer`, in the graph's words.
    pub name: String,
    /// Counts, where this side sends it.
    pub sent: Option<Sent>,
    /// Counts, where this side receives it.
    pub received: Option<Received>,
    /// Frames in the ring between the graph and the driver.
    pub waiting: usize,
    /// Frames that came and found the graph's ring full. Droppable edges only.
    pub overflown: u64,
}
