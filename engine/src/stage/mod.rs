//! A stage: one loop over nodes that run together.
//!
//! ```text
//!  inlets (rings) ─┐      ┌─────────────── slots, in topological order ───────────────┐
//!  sources (paced) ┴─ frame ─▶ body ─▶ outputs ─▶ next body …                        │
//!                         └──── fan-out, joins, timers go through the work list ──────┘
//!                                                      └─▶ outlets (rings, with a backlog)
//! ```
//!
//! The frame at work stands in `current`; along a chain it never moves, a
//! [`Block`](crate::Block) writes into the one spare buffer and the two change
//! places. The next input is taken only when the work list is empty and no
//! outlet has a backlog.

mod ask;
mod attach;
mod audit;
mod build;
mod exchange;
mod follow;
mod mark;
mod outlet;
mod pause;
mod remarks;
mod settle;
mod slot;
mod slow;
mod source;
mod stepping;
mod straight;
mod tapped;
mod trouble;
mod turn;
mod void;

use std::sync::Arc;

use crate::{
    buffer::Sole,
    fault::Fault,
    frame::Frame,
    io::Sent,
    ring::Receiver,
    stats::StageCounts,
    steps::Steps,
    ticks::Stopwatch,
    time::{Clock, Timestamp},
};

pub(crate) use build::{Ends, Wiring, build_body};
pub(crate) use exchange::Exchanged;
pub(crate) use mark::{Abandoned, Mark, NOBODY};
pub(crate) use outlet::{NewEnd, Outlet, Route};
pub(crate) use slot::{Slot, SlotBody, pick};
pub(crate) use source::{Pace, SourceState};
pub(crate) use trouble::{Poison, Trouble};

/// What a turn leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// More is waiting: come again.
    More,
    /// Nothing to do until a ring or a command wakes the cell.
    Idle,
    /// Nothing to do before this moment of the clock.
    Until(Timestamp),
    /// A body failed; see [`Stage::trouble`].
    Trouble,
    /// Every stream has ended and everything is delivered.
    Done,
}

/// A ring that ends in this stage.
#[repr(align(128))]
pub(crate) struct Inlet {
    pub(crate) ring: Receiver,
    pub(crate) slot: usize,
    pub(crate) line: usize,
    /// Inputs of joins that its frames can reach inside the stage.
    feeds: Box<[(usize, usize)]>,
    /// What its frames must be stamped with at least: what is older is void.
    required: u32,
    /// Its frames are taken even while there is no room below: they may make some.
    is_urgent: bool,
    /// Nothing more was in it when it was looked at last in this turn.
    is_empty: bool,
}

/// A frame on its way to a node of the stage.
#[repr(align(128))]
struct Work {
    slot: usize,
    line: usize,
    frame: Frame,
    /// It has been let in at this node already, and waits there.
    entered: bool,
}

/// Nodes that run together, and everything between them. It and what it is made of begin with a cache
/// line each: what two sessions write with every frame, their cores would otherwise contend for.
#[repr(align(128))]
pub(crate) struct Stage {
    pub(crate) slots: Box<[Slot]>,
    pub(crate) sources: Vec<SourceState>,
    /// What it knows of flushes, if some can concern it.
    flushes: Option<Box<void::Watch>>,
    /// Who looks on.
    taps: Vec<tapped::Tapping>,
    /// What is kept for calls.
    asking: Vec<ask::Asking>,
    /// The slots that keep a latency.
    sinks: Box<[usize]>,
    pub(crate) inlets: Vec<Inlet>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) clock: Clock,
    pub(crate) pace: Pace,
    /// The slot at work, for whoever has to know it from outside.
    pub(crate) mark: Arc<Mark>,
    pub(crate) poison: Arc<Poison>,
    work: Vec<Work>,
    out: Vec<Sent>,
    current: Option<Frame>,
    current_line: usize,
    /// What the next block writes into; changes places with its input.
    spare: Sole,
    any_watched: bool,
    /// Some stream has ended, so ends must be followed through all slots.
    ending: bool,
    settled: bool,
    /// What may still be done in this turn: frames taken in, joined, or timers fired.
    left: usize,
    /// The most of it.
    pub(crate) per_turn: usize,
    /// Some frame waits for room in a ring.
    is_blocked: bool,
    /// Some join gives up waiting after a while, so the input that is behind goes first.
    any_patience: bool,
    turns: u32,
    /// What is at work is timed body by body: one turn in many, or a frame that is followed.
    timing: bool,
    /// Somebody follows frames, as of this turn.
    following: bool,
    steps: Arc<Steps>,
    /// Calls that take longer are told; 0 if nobody wants to know.
    slow_ns: i64,
    /// When the turn began; where anybody wants to know.
    turn_began: Timestamp,
    stepping: Option<Box<stepping::Stepping>>,
    session: u32,
    trouble: Option<Trouble>,
    pub(crate) counts: Arc<StageCounts>,
    /// When the input taken last came through the door: the clock of what timers cause.
    entered: Timestamp,
    /// The clock when it was read last in this turn: at its beginning, or at a sink.
    looked: Timestamp,
    /// Frames that a sink takes before it reads the clock.
    together: u32,
    /// Before this turn nothing was done for so long that little of the stage is in any cache.
    is_cold: bool,
    /// Tells it between.
    watch: Stopwatch,
    pub(crate) paused: bool,
    /// Some source of the graph waits for a device: time goes on in a pause.
    beside_device: bool,
}

/// A body's fault on its way out of a turn; which one is in `mark`.
type Step<T = ()> = Result<T, Fault>;
