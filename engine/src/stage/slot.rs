//! A slot: one node's place in a stage, with its body and everything the runtime keeps for it.

use std::sync::Arc;

use crate::{
    align::{Aligner, HELD_FRAMES_MAX},
    body::{Block, Operator, Sink, Source},
    buffer::Buffer,
    frame::{Frame, Gap},
    io::Ports,
    stats::{EdgeCounts, Histogram, NodeCounts},
    time::Timestamp,
};

use super::Route;

/// What stands in a slot.
pub(crate) enum SlotBody {
    Source(Box<dyn Source>),
    Operator(Box<dyn Operator>),
    Block(Box<dyn Block>),
    Sink(Box<dyn Sink>),
    /// The node failed too often; its input passes unchanged.
    Bypass,
    /// The node failed too often; it says again what it said last.
    HoldLast(Box<[Option<Frame>]>),
    /// The body is being replaced.
    Empty,
}

/// One node's place in a stage.
pub(crate) struct Slot {
    /// Number of the node in the plan.
    pub(crate) node: usize,
    pub(crate) body: SlotBody,
    pub(crate) ports: Ports,
    /// Channels of a block's signal.
    pub(crate) channels: usize,
    pub(crate) picks: Box<[Option<Arc<[u16]>>]>,
    pub(crate) aligner: Option<Aligner>,
    pub(crate) has_timers: bool,
    /// Frames go straight to the body: nothing to pick, align, time or count samples for.
    pub(crate) is_plain: bool,
    pub(crate) watched: bool,
    pub(crate) line_bounds: Box<[Timestamp]>,
    pub(crate) line_counts: Box<[Arc<EdgeCounts>]>,
    pub(crate) routes: Box<[Box<[Route]>]>,
    /// The slot and line that get everything, if all goes to one node of this stage.
    pub(crate) sole_local: Option<(usize, usize)>,
    pub(crate) local_counts: Box<[Arc<EdgeCounts>]>,
    pub(crate) out_bounds: Box<[Timestamp]>,
    pub(crate) seqs: Box<[u64]>,
    /// Why the next frame of a port follows missing content.
    pub(crate) gaps: Box<[Option<Gap>]>,
    pub(crate) delay_ns: i64,
    pub(crate) look_back_ns: i64,
    pub(crate) flushed: bool,
    /// The last frame of each port, kept where `on_fault = "hold_last"`.
    pub(crate) last: Option<Box<[Option<Frame>]>>,
    pub(crate) counts: Arc<NodeCounts>,
    pub(crate) latency: Option<Arc<Histogram>>,
    pub(crate) epoch: u32,
}

impl Slot {
    /// Completes the header of a frame on its way out of `port`.
    #[inline]
    pub(crate) fn stamp(&mut self, port: usize, frame: &mut Frame) {
        let header = &mut frame.header;
        header.time = header.time.plus_nanos(-self.delay_ns);
        header.seq = self.seqs[port];
        self.seqs[port] += 1;
        header.epoch = self.epoch;
        header.gap = self.gaps[port].take();
        if self.watched && header.time < self.out_bounds[port] {
            self.counts.late.add(1);
        }
    }

    /// Notes that content is missing: the next frame of every port says so.
    pub(crate) fn gap(&mut self, reason: Gap) {
        for gap in &mut self.gaps {
            gap.get_or_insert(reason);
        }
    }

    pub(crate) fn timed(&self, began: Timestamp, ended: Timestamp) {
        self.counts.timed.add(1);
        self.counts.timed_ns.add(ended.since(began).max(0) as u64);
    }

    /// The least of what the inputs promise, and of what waits here to be joined: it will come
    /// out with its own time, however far the inputs are by then.
    pub(crate) fn in_bound(&self) -> Timestamp {
        let promised = self.line_bounds.iter().copied().min().unwrap_or(Timestamp::MAX);
        let waits = self.aligner.as_ref().and_then(Aligner::oldest_to_come);
        waits.map_or(promised, |waits| promised.min(waits))
    }

    /// The bound on `line` that would let something go on here or below.
    pub(crate) fn wanted(&self, line: usize) -> Timestamp {
        let joined = self.aligner.as_ref().and_then(|aligner| aligner.wanted(&self.line_bounds));
        match joined {
            Some((wanted_line, wanted)) if wanted_line == line => wanted,
            Some(_) => Timestamp::MAX,
            // Somebody further down may wait, which this line cannot see: any rise will do.
            None if self.watched && !self.out_bounds.is_empty() => {
                self.line_bounds[line].plus_nanos(1)
            }
            None => Timestamp::MAX,
        }
    }
}

/// Whether on one of these inputs of joins so many frames wait that no more should come. An input
/// whose join waits for another of them is never full: only more of the same can let it go on.
pub(crate) fn are_full(slots: &[Slot], feeds: &[(usize, usize)]) -> bool {
    feeds.iter().any(|&(slot, line)| {
        let Some(aligner) = &slots[slot].aligner else { return false };
        aligner.waiting(line) >= HELD_FRAMES_MAX
            && aligner
                .wanted(&slots[slot].line_bounds)
                .is_some_and(|(wanted, _)| !feeds.contains(&(slot, wanted)))
    })
}

/// Replaces a signal frame's channels by those picked, in their order.
pub(crate) fn pick(frame: &mut Frame, channels: &[u16]) {
    let len = frame.len();
    let mut picked = Buffer::signal(channels.len(), len);
    let planes = picked.floats_mut().expect("a fresh buffer has one holder");
    for (n, &channel) in channels.iter().enumerate() {
        planes[n * len..(n + 1) * len].copy_from_slice(frame.channel(usize::from(channel)));
    }
    *frame.buffer_mut() = picked;
}
