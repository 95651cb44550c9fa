//! What limits a run: the node or edge that holds everything up, and what to change.
//!
//! ```text
//! Load: rates, busy shares, rings, where the time goes ──▶ Load::limit ──▶ Limit: what, why, which key
//! ```
//!
//! A pure function of what a run was seen doing. A ring that is full points at who stands behind it, and of
//! several the one furthest down counts: those above are full because it is. Where no ring is full, the core
//! that has no time left does; where every source keeps its pace, what the slowest frames wait for.

mod advice;
mod cores;
mod find;
mod late;
mod load;
mod looks;
mod spread;

pub(crate) use looks::{Looks, Seen, Tally};

pub use load::{EdgeLoad, Load, NodeLoad, RingLoad, Role, SinkLoad};

/// Why a run is no faster, or its frames no sooner there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Every source keeps its pace and nothing is late.
    Nothing,
    /// One body takes most of its core's time.
    Compute,
    /// A core has no time left, for many bodies none of which stands out, while another has, or could be had.
    Core,
    /// A ring holds less than what comes at once.
    Ring,
    /// A sink beside the cores takes too long, or has no room.
    Sink,
    /// A join waits for an input that comes late.
    Join,
    /// Answers take long, or too few questions may be open at once.
    Answer,
    /// As fast as it goes, and the source itself takes most of the time.
    Source,
    /// Frames are late on their way, though cores have time: they are handed over, or a core is woken up.
    Moving,
    /// Other programs have the processor.
    Machine,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 10] = [
        Self::Nothing,
        Self::Compute,
        Self::Core,
        Self::Ring,
        Self::Sink,
        Self::Join,
        Self::Answer,
        Self::Source,
        Self::Moving,
        Self::Machine,
    ];

    /// The word used in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Compute => "compute",
            Self::Core => "core",
            Self::Ring => "ring",
            Self::Sink => "sink",
            Self::Join => "join",
            Self::Answer => "answer",
            Self::Source => "source",
            Self::Moving => "moving",
            Self::Machine => "machine",
        }
    }
}

/// What limits a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Why.
    pub cause: Cause,
    /// The node, by its number in [`Load::nodes`].
    pub node: Option<usize>,
    /// The edge that shows it, by its number in [`Load::edges`].
    pub edge: Option<usize>,
    /// What was seen, as a sentence.
    pub why: String,
    /// What to change, as a sentence with the key and its value; nothing where nothing limits.
    pub change: String,
}

#[cfg(all(test, not(loom)))]
mod tests;
