//! A slot: one node's place in a stage, with its body and everything the runtime keeps for it.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::{
    align::{Aligner, HELD_FRAMES_MAX},
    body::{Block, Operator, Sink, Source},
    buffer::Buffer,
    call::Call,
    flush::Roots,
    frame::{Frame, Gap, Header, MaybeGap},
    io::{Ports, Sent},
    stats::{EdgeCounts, Histogram, NodeCounts, Tally},
    time::{Grid, Timestamp},
};

use super::{Route, slow::Slow};

/// What stands in a slot.
pub(crate) enum SlotBody {
    Source(Box<dyn Source>),
    Operator(Box<dyn Operator>),
    Block(Box<dyn Block>),
    Sink(Box<dyn Sink>),
    Call(Box<dyn Call>),
    /// The node failed too often; its input passes unchanged.
    Bypass,
    /// The node failed too often; it says again what it said last.
    HoldLast(Box<[Option<Frame>]>),
    /// The node failed for good and its session ends: what still comes is lost, what it has said goes on.
    Closed,
    /// The body is being replaced.
    Empty,
}

/// So much of a slot every frame touches.
pub(super) const HOT_BYTES: usize = 192;

/// One node's place in a stage. What every frame needs stands first and close together, and what
/// every frame writes stands here rather than in small allocations of its own: those of two
/// sessions would lie side by side in one cache line, for which their cores would contend.
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) body: SlotBody,
    /// The edge of the first line; nobody's if there is none.
    pub(crate) first_line: Arc<EdgeCounts>,
    /// The edge by which everything goes; nobody's if there is none.
    pub(crate) sole_counts: Arc<EdgeCounts>,
    pub(crate) delay_ns: i64,
    pub(crate) epoch: u32,
    /// Frames go straight to the body: nothing to pick, align, time or count samples for.
    pub(crate) is_plain: bool,
    pub(crate) watched: bool,
    /// Some port's next frame follows missing content.
    pub(super) any_gap: bool,
    pub(crate) has_timers: bool,
    pub(crate) flushed: bool,
    /// Somebody looks on.
    pub(super) is_tapped: bool,
    /// Numbers of the frames sent last, by port.
    pub(crate) seqs: SmallVec<[u64; 2]>,
    /// The slot and line that get everything, if all goes to one node of this stage.
    sole_local: Option<(u32, u32)>,
    /// The outlet that gets everything, if all goes into one ring.
    pub(crate) sole_ring: Option<u32>,
    /// Channels of a block's signal.
    pub(crate) channels: u32,
    /// Number of the node in the plan.
    pub(crate) node: usize,
    pub(crate) ports: Ports,
    pub(crate) picks: Box<[Option<Arc<[u16]>>]>,
    pub(crate) aligner: Option<Aligner>,
    pub(crate) line_bounds: SmallVec<[Timestamp; 2]>,
    pub(crate) line_counts: Box<[Arc<EdgeCounts>]>,
    pub(crate) routes: Box<[Box<[Route]>]>,
    pub(crate) out_bounds: SmallVec<[Timestamp; 2]>,
    /// Why the next frame of a port follows missing content.
    pub(super) gaps: Box<[Option<Gap>]>,
    pub(crate) look_back_ns: i64,
    /// Of a call: what is said to the oldest open question will be about this moment.
    pub(crate) held: Timestamp,
    /// The grid of a line as it was before the frame that is let in, where that follows a gap.
    pub(super) before_gap: Option<Grid>,
    /// Of a join: where the signals stand with what has come, per line; the body sees where they
    /// stand with what it is given.
    pub(super) arriving: Box<[Option<Grid>]>,
    /// The last frame of each port, kept where `on_fault = "hold_last"`.
    pub(crate) last: Option<Box<[Option<Frame>]>>,
    pub(crate) counts: Arc<NodeCounts>,
    /// How old frames are at a sink.
    pub(crate) latency: Option<Tally>,
    /// The roots that what it sends is subject to.
    pub(super) roots: Roots,
    /// The roots that what comes by each line is subject to.
    pub(super) line_roots: Box<[Roots]>,
    /// Roots whose flush the body has not heard of: what it knows is void.
    pub(super) to_forget: Roots,
    pub(super) slow: Slow,
}

/// What a slot is made of; the rest begins empty.
pub(crate) struct SlotParts {
    pub(crate) node: usize,
    pub(crate) body: SlotBody,
    pub(crate) ports: Ports,
    pub(crate) channels: usize,
    pub(crate) picks: Box<[Option<Arc<[u16]>>]>,
    pub(crate) aligner: Option<Aligner>,
    pub(crate) has_timers: bool,
    pub(crate) is_plain: bool,
    pub(crate) watched: bool,
    pub(crate) line_counts: Box<[Arc<EdgeCounts>]>,
    pub(crate) routes: Box<[Box<[Route]>]>,
    pub(crate) keeps_last: bool,
    pub(crate) delay_ns: i64,
    pub(crate) look_back_ns: i64,
    pub(crate) counts: Arc<NodeCounts>,
    pub(crate) latency: Option<Arc<Histogram>>,
    pub(crate) epoch: u32,
    pub(crate) roots: Roots,
    pub(crate) line_roots: Box<[Roots]>,
}

/// Where everything goes, if all goes one way.
struct Sole {
    local: Option<(u32, u32)>,
    ring: Option<u32>,
    counts: Arc<EdgeCounts>,
}

impl Sole {
    /// `is_kept`: what passes must pass where it is kept or shown.
    fn of(routes: &[Box<[Route]>], is_kept: bool) -> Self {
        let only = match routes {
            [only] if !is_kept => &only[..],
            _ => &[],
        };
        match only {
            [Route::Local { slot, line, counts }] => {
                let local = Some((*slot as u32, *line as u32));
                Self { local, ring: None, counts: counts.clone() }
            }
            [Route::Ring { outlet, counts }] => {
                Self { local: None, ring: Some(*outlet as u32), counts: counts.clone() }
            }
            _ => Self { local: None, ring: None, counts: Arc::default() },
        }
    }
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        let ports = parts.routes.len();
        let lines = if parts.aligner.is_some() { &parts.ports.lines[..] } else { &[] };
        let arriving = lines.iter().map(|line| line.grid).collect();
        let sole = Sole::of(&parts.routes, parts.keeps_last);
        Self {
            sole_local: sole.local,
            sole_ring: sole.ring,
            sole_counts: sole.counts,
            is_tapped: false,
            first_line: parts.line_counts.first().cloned().unwrap_or_default(),
            any_gap: false,
            flushed: false,
            line_bounds: smallvec![Timestamp::MIN; parts.line_counts.len()],
            out_bounds: smallvec![Timestamp::MIN; ports],
            seqs: smallvec![0; ports],
            gaps: vec![None; ports].into(),
            held: Timestamp::MAX,
            before_gap: None,
            arriving,
            last: parts.keeps_last.then(|| vec![None; ports].into()),
            node: parts.node,
            body: parts.body,
            ports: parts.ports,
            channels: parts.channels as u32,
            picks: parts.picks,
            aligner: parts.aligner,
            has_timers: parts.has_timers,
            is_plain: parts.is_plain,
            watched: parts.watched,
            line_counts: parts.line_counts,
            routes: parts.routes,
            delay_ns: parts.delay_ns,
            look_back_ns: parts.look_back_ns,
            counts: parts.counts,
            latency: parts.latency.map(Tally::new),
            epoch: parts.epoch,
            roots: parts.roots,
            line_roots: parts.line_roots,
            to_forget: Roots::NONE,
            slow: Slow::default(),
        }
    }

    /// Whether it joins, and stops waiting for inputs that are far behind.
    pub(super) fn gives_up(&self) -> bool {
        self.aligner.as_ref().is_some_and(Aligner::gives_up)
    }

    /// Whether somebody looks on at an output. What is shown must pass where it is shown.
    pub(super) fn set_tapped(&mut self, is_tapped: bool) {
        self.is_tapped = is_tapped;
        let sole = Sole::of(&self.routes, is_tapped || self.last.is_some());
        (self.sole_local, self.sole_ring, self.sole_counts) = (sole.local, sole.ring, sole.counts);
    }

    /// The slot and line that get everything, if all goes to one node of this stage.
    #[inline]
    pub(crate) fn sole_local(&self) -> Option<(usize, usize)> {
        self.sole_local.map(|(slot, line)| (slot as usize, line as usize))
    }

    /// Completes the header of a frame on its way out of `port`.
    #[inline(always)]
    pub(crate) fn stamp(&mut self, port: usize, header: &mut Header) {
        header.time = header.time.plus_nanos(-self.delay_ns);
        header.seq = self.seqs[port];
        self.seqs[port] += 1;
        header.epoch = self.epoch;
        header.gap = if self.any_gap { self.take_gap(port).into() } else { MaybeGap::NONE };
        if self.watched && header.time < self.out_bounds[port] {
            self.counts.late.add(1);
        }
    }

    /// Completes what a body sent.
    ///
    /// Field by field, and inlined: a frame that is moved as a whole just after its parts were
    /// written waits for the writes.
    #[inline(always)]
    pub(crate) fn stamped(&mut self, sent: Sent) -> Frame {
        let Sent { port, frame } = sent;
        let (mut header, buffer) = frame.into_parts();
        self.stamp(port, &mut header);
        Frame::new(header, buffer)
    }

    /// Completes what comes out of a source at this moment, as [`Slot::stamped`].
    #[inline(always)]
    pub(crate) fn admit(&mut self, sent: Sent, entered: Timestamp) -> Frame {
        let Sent { port, frame } = sent;
        let (made, buffer) = frame.into_parts();
        let mut header = Header { entered, ..made };
        self.stamp(port, &mut header);
        // What the source says is missing comes before what the runtime knows.
        header.gap = made.gap.or(header.gap);
        if header.gap.is_some() {
            self.counts.gaps.add(1);
        }
        Frame::new(header, buffer)
    }

    /// Why the next frame of a port follows missing content; told once.
    #[cold]
    pub(crate) fn take_gap(&mut self, port: usize) -> Option<Gap> {
        let gap = self.gaps[port].take();
        self.any_gap = self.gaps.iter().any(Option::is_some);
        gap
    }

    /// Notes that content is missing: the next frame of every port says so.
    pub(crate) fn gap(&mut self, reason: Gap) {
        for gap in &mut self.gaps {
            gap.get_or_insert(reason);
        }
        self.any_gap = !self.gaps.is_empty();
    }

    /// Counts a call about a frame of this time that was timed.
    pub(crate) fn timed(&mut self, began: Timestamp, ended: Timestamp, time: Timestamp) {
        self.slow.timed(&self.counts, (began, ended), time, 1);
    }

    /// The same of a timer, a gap or an end: about no frame.
    pub(super) fn timed_beside(&mut self, began: Timestamp, ended: Timestamp, time: Timestamp) {
        self.slow.timed(&self.counts, (began, ended), time, 0);
    }

    /// The least of what the inputs promise, and of what waits here to be joined or answered: it will
    /// come out with its own time, however far the inputs are by then.
    pub(crate) fn in_bound(&self) -> Timestamp {
        self.input_bound().min(self.held)
    }

    /// The same without what waits to be answered.
    pub(crate) fn input_bound(&self) -> Timestamp {
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
