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

mod build;
mod settle;
mod slot;
mod source;
mod trouble;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
};

use crate::{
    body::Operator,
    buffer::Buffer,
    fault::Fault,
    frame::{Frame, Gap, Header},
    io::{Io, Sent},
    ring::{Receiver, Sender},
    time::{Clock, Timestamp},
};

pub(crate) use build::{Ends, Wiring, build_body};
pub(crate) use slot::{Slot, SlotBody, pick};
pub(crate) use source::{Pace, SourceState};
pub(crate) use trouble::{Poison, Trouble};

/// Input frames one turn takes at most, so that the cells of a core share it.
const FRAMES_PER_TURN: usize = 256;
/// One turn in this many is timed node by node.
const TURNS_PER_TIMED: u32 = 256;
/// No node at work.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What others may see of a stage while a turn is running.
pub(crate) struct Mark {
    /// The slot at work.
    pub(crate) slot: AtomicU32,
    /// Counts input frames: a turn of many slow ones is slow, not wedged.
    pub(crate) steps: AtomicU32,
    /// The cell was given up: whoever comes back from a body touches nothing any more.
    pub(crate) abandoned: AtomicBool,
    /// Event time up to which each source has been released: its successor goes on there.
    released: Box<[AtomicI64]>,
    /// The clock at zero of the time line, which moves with pauses.
    pub(crate) start: AtomicI64,
}

/// The panic that takes an abandoned thread out of its turn.
pub(crate) struct Abandoned;

impl Mark {
    fn new(pace: Pace, sources: usize) -> Arc<Self> {
        Arc::new(Self {
            slot: AtomicU32::new(NOBODY),
            steps: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
            released: (0..sources).map(|_| AtomicI64::new(i64::MIN)).collect(),
            start: AtomicI64::new(pace.start.nanos()),
        })
    }

    /// Event time up to which each source has been released.
    pub(crate) fn released(&self) -> Vec<Timestamp> {
        let read = |ns: &AtomicI64| Timestamp::from_nanos(ns.load(Ordering::Relaxed));
        self.released.iter().map(read).collect()
    }

    /// One input frame more. The core's thread is the only writer.
    #[inline]
    fn step(&self) {
        self.steps.store(self.steps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Called after every body: leaves the turn if the cell was given up meanwhile.
    #[inline]
    fn check(&self) {
        if self.abandoned.load(Ordering::Relaxed) {
            // Not `panic!`: this is no defect, and nobody should read a message about it.
            std::panic::resume_unwind(Box::new(Abandoned));
        }
    }
}

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
pub(crate) struct Inlet {
    pub(crate) ring: Receiver,
    pub(crate) slot: usize,
    pub(crate) line: usize,
    /// Inputs of joins that its frames can reach inside the stage.
    feeds: Box<[(usize, usize)]>,
    /// Nothing more was in it when it was looked at last in this turn.
    is_empty: bool,
}

/// A ring that begins in this stage, with the frames that found no room yet.
pub(crate) struct Outlet {
    pub(crate) ring: Sender,
    backlog: VecDeque<Frame>,
    slot: usize,
    port: usize,
    /// Number of the edge in the plan.
    edge: usize,
}

/// A frame on its way to a node of the stage.
struct Work {
    slot: usize,
    line: usize,
    frame: Frame,
    /// It has been let in at this node already, and waits there.
    entered: bool,
}

/// Nodes that run together, and everything between them.
pub(crate) struct Stage {
    pub(crate) slots: Box<[Slot]>,
    pub(crate) sources: Vec<SourceState>,
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
    spare: Buffer,
    any_watched: bool,
    /// Some stream has ended, so ends must be followed through all slots.
    ending: bool,
    settled: bool,
    /// What may still be done in this turn: frames taken in, joined, or timers fired.
    left: usize,
    /// Some join gives up waiting after a while, so the input that is behind goes first.
    any_patience: bool,
    turns: u32,
    timing: bool,
    trouble: Option<Trouble>,
    /// When the input taken last came through the door: the clock of what timers cause.
    entered: Timestamp,
    /// The clock when it was read last in this turn: at its beginning, or at a sink.
    looked: Timestamp,
    pub(crate) paused: bool,
}

/// A body's fault on its way out of a turn; which one is in `mark`.
type Step<T = ()> = Result<T, Fault>;

impl Stage {
    /// One turn: what waited for room first, then at most [`FRAMES_PER_TURN`] input frames.
    ///
    /// Panics of bodies come out as panics; the cell catches them and calls [`Stage::failed`].
    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        if self.trouble.is_some() {
            return Turn::Trouble;
        }
        self.turns = self.turns.wrapping_add(1);
        self.timing = self.turns % TURNS_PER_TIMED == 1;
        let turn = match self.take_inputs(now) {
            Ok(turn) => turn,
            Err(fault) => {
                self.failed(fault);
                Turn::Trouble
            }
        };
        let freed = self.publish();
        for inlet in &mut self.inlets {
            inlet.ring.release();
        }
        self.mark.slot.store(NOBODY, Ordering::Relaxed);
        // What kept the stage from going on is gone, and nobody else will say so.
        if freed && turn == Turn::Idle { Turn::More } else { turn }
    }

    fn take_inputs(&mut self, now: Timestamp) -> Step<Turn> {
        self.looked = now;
        self.left = FRAMES_PER_TURN;
        if !self.flush_backlog() {
            return Ok(Turn::Idle);
        }
        self.run_work()?;
        if !self.settled {
            self.settle()?;
        }
        if self.any_patience {
            self.drain_inlets_in_step()?;
        } else {
            self.drain_inlets()?;
        }
        if self.is_blocked() {
            return Ok(Turn::Idle);
        }
        let until = if self.sources.is_empty() { Turn::Idle } else { self.pull_sources(now)? };
        if self.is_blocked() {
            return Ok(Turn::Idle);
        }
        if self.is_done() {
            return Ok(Turn::Done);
        }
        let more = self.left == 0
            || !self.settled
            || (0..self.inlets.len()).any(|n| !self.inlets[n].is_empty && !self.is_held_up(n))
            || self.want_bounds();
        Ok(if more { Turn::More } else { until })
    }

    /// Takes in what the rings hold, one ring after the other.
    fn drain_inlets(&mut self) -> Step {
        for inlet in 0..self.inlets.len() {
            self.drain_inlet(inlet, usize::MAX)?;
        }
        Ok(())
    }

    /// Takes in what the rings hold, always from the input that is behind: a join must not give up
    /// waiting for what is in a ring already.
    fn drain_inlets_in_step(&mut self) -> Step {
        for inlet in &mut self.inlets {
            inlet.is_empty = false;
        }
        while self.left > 0 && !self.is_blocked() {
            let behind = (0..self.inlets.len())
                .filter(|&n| !self.inlets[n].is_empty && !self.is_held_up(n))
                .min_by_key(|&n| self.slots[self.inlets[n].slot].line_bounds[self.inlets[n].line]);
            let Some(inlet) = behind else { break };
            self.drain_inlet(inlet, 1)?;
        }
        Ok(())
    }

    /// Takes at most `most` frames out of one ring, until it is empty, the turn is over, there is no
    /// room below, or too many frames wait to be joined.
    fn drain_inlet(&mut self, inlet: usize, most: usize) -> Step {
        // Read before draining: what it covers is in the ring by now.
        let bound = self.inlets[inlet].ring.bound();
        let (slot, line) = (self.inlets[inlet].slot, self.inlets[inlet].line);
        self.inlets[inlet].is_empty = false;
        for _ in 0..most {
            if self.left == 0 || self.is_blocked() || self.is_held_up(inlet) {
                return Ok(());
            }
            if !self.inlets[inlet].ring.pop_into(&mut self.current) {
                self.inlets[inlet].is_empty = true;
                break;
            }
            self.left -= 1;
            let header = &self.current.as_ref().expect("just put there").header;
            let time = header.time;
            self.entered = header.entered;
            self.mark.step();
            self.chain(slot, line)?;
            self.run_work()?;
            if self.any_watched {
                self.raise(slot, line, time);
                self.settle()?;
            }
        }
        if self.inlets[inlet].is_empty && bound > self.slots[slot].line_bounds[line] {
            self.raise(slot, line, bound);
            self.ending |= bound == Timestamp::MAX;
            if self.any_watched || self.ending {
                self.settle()?;
            }
        }
        Ok(())
    }

    /// Whether what this ring holds must wait, since too many of its frames wait to be joined with
    /// those of another input.
    fn is_held_up(&self, inlet: usize) -> bool {
        let feeds = &self.inlets[inlet].feeds;
        !feeds.is_empty() && slot::are_full(&self.slots, feeds)
    }

    /// Asks for the bounds that something here waits for; says whether one is there already.
    fn want_bounds(&mut self) -> bool {
        if !self.any_watched {
            return false;
        }
        let mut met = false;
        for n in 0..self.inlets.len() {
            if self.is_held_up(n) {
                continue;
            }
            let inlet = &self.inlets[n];
            let (slot, line) = (inlet.slot, inlet.line);
            let known = self.slots[slot].line_bounds[line];
            met |= inlet.ring.want(self.slots[slot].wanted(line)) && inlet.ring.bound() > known;
        }
        met
    }

    fn run_work(&mut self) -> Step {
        self.run_work_down_to(0)
    }

    /// Processes the work above `depth`. Work is a stack: what a frame causes is finished before the
    /// next frame is looked at, so frames of one edge never overtake each other.
    fn run_work_down_to(&mut self, depth: usize) -> Step {
        while self.work.len() > depth {
            let work = self.work.pop().expect("there is work above the depth");
            self.current = Some(work.frame);
            self.follow(work.slot, work.line, work.entered)?;
        }
        Ok(())
    }

    /// Sends what a body has sent besides a frame it is still to process, and follows that first.
    /// Meanwhile the frame waits like any other work, should a body further down fail.
    fn send_out_before(&mut self, slot: usize) -> Step {
        if self.out.is_empty() {
            return Ok(());
        }
        let depth = self.work.len();
        let line = self.current_line;
        let waits = self.current.take();
        let base = depth + usize::from(waits.is_some());
        if let Some(frame) = waits {
            self.work.push(Work { slot, line, frame, entered: true });
        }
        self.send_out(slot);
        self.run_work_down_to(base)?;
        if base > depth {
            self.current = self.work.pop().map(|work| work.frame);
        }
        self.current_line = line;
        Ok(())
    }

    fn chain(&mut self, slot: usize, line: usize) -> Step {
        self.follow(slot, line, false)
    }

    /// Takes the frame in `current` through `slot` and on, as long as one frame leads to one.
    /// `entered` says that it has waited at this very node before.
    fn follow(&mut self, mut slot: usize, mut line: usize, mut entered: bool) -> Step {
        loop {
            let gap = self.current.as_ref().is_some_and(|frame| frame.header.gap.is_some());
            if (gap || !self.slots[slot].is_plain) && !self.prepare(slot, line, entered)? {
                return Ok(());
            }
            entered = false;
            self.current_line = line;
            self.mark.slot.store(slot as u32, Ordering::Relaxed);
            let began = self.timing.then(|| self.clock.now());
            let here = &mut self.slots[slot];
            match &mut here.body {
                SlotBody::Block(block) => {
                    let frame = self.current.as_mut().expect("a chain carries a frame");
                    let input = frame.buffer();
                    let samples = self.spare.like(input);
                    block.block(here.channels, input.floats(), samples);
                    self.mark.check();
                    std::mem::swap(frame.buffer_mut(), &mut self.spare);
                    // Others hold it too: let go, so that the last of them may write in place.
                    if !self.spare.is_sole() {
                        self.spare = Buffer::with_bytes(0, 0);
                    }
                    here.line_counts[line].taken.add(1);
                    here.stamp(0, frame);
                    if let Some(began) = began {
                        here.timed(began, self.clock.now());
                    }
                    if let Some((next, next_line)) = here.sole_local {
                        here.local_counts[0].sent.add(1);
                        (slot, line) = (next, next_line);
                        continue;
                    }
                    let frame = self.current.take().expect("a chain carries a frame");
                    self.route(slot, 0, frame);
                    return Ok(());
                }
                SlotBody::Operator(operator) => {
                    let frame = self.current.as_ref().expect("a chain carries a frame");
                    here.ports.line = line;
                    here.ports.cause = frame.header;
                    let mut io =
                        Io { ports: &mut here.ports, frame: Some(frame), out: &mut self.out };
                    let done = operator.process(&mut io);
                    self.mark.check();
                    done?;
                    here.line_counts[line].taken.add(1);
                    if let Some(began) = began {
                        here.timed(began, self.clock.now());
                    }
                    match here.sole_local {
                        Some((next, next_line)) if self.out.len() == 1 => {
                            let mut frame = self.out.pop().expect("one").frame;
                            here.stamp(0, &mut frame);
                            here.local_counts[0].sent.add(1);
                            self.current = Some(frame);
                            (slot, line) = (next, next_line);
                        }
                        _ => {
                            self.current = None;
                            self.send_out(slot);
                            return Ok(());
                        }
                    }
                }
                SlotBody::Sink(sink) => {
                    let frame = self.current.as_ref().expect("a chain carries a frame");
                    let done = sink.take(line, frame);
                    self.mark.check();
                    done?;
                    if let Some(latency) = &here.latency {
                        self.looked = self.clock.now();
                        latency.record(self.looked.since(frame.header.entered));
                    }
                    here.line_counts[line].taken.add(1);
                    if let Some(began) = began {
                        here.timed(began, self.clock.now());
                    }
                    self.current = None;
                    return Ok(());
                }
                SlotBody::Bypass => {
                    here.line_counts[line].taken.add(1);
                    let mut frame = self.current.take().expect("a chain carries a frame");
                    here.stamp(0, &mut frame);
                    self.route(slot, 0, frame);
                    return Ok(());
                }
                SlotBody::HoldLast(_) => {
                    here.line_counts[line].taken.add(1);
                    let cause = self.current.take().expect("a chain carries a frame").header;
                    self.say_again(slot, cause);
                    return Ok(());
                }
                SlotBody::Source(_) | SlotBody::Empty => unreachable!("no edge leads here"),
            }
        }
    }

    /// Sends what a node said last once more, for a node that failed too often.
    fn say_again(&mut self, slot: usize, cause: Header) {
        let SlotBody::HoldLast(last) = &self.slots[slot].body else { return };
        for (port, held) in last.iter().enumerate() {
            if let Some(held) = held {
                let frame = Frame::new(cause.causes(cause.time), held.buffer().clone());
                self.out.push(Sent { port, frame });
            }
        }
        self.send_out(slot);
    }

    /// What a node needs before its frame that most nodes do not: picking channels,
    /// waiting for others, telling a gap, firing timers. Says whether the frame goes on now.
    fn prepare(&mut self, slot: usize, line: usize, entered: bool) -> Step<bool> {
        if !(entered || self.let_in(slot, line)) {
            return Ok(false);
        }
        if self.slots[slot].has_timers {
            self.fire_before(slot, line)?;
        }
        self.tell_gap(slot, line)?;
        Ok(true)
    }

    /// Picks channels, counts samples, or lets the frame wait for others; says whether it goes on.
    fn let_in(&mut self, slot: usize, line: usize) -> bool {
        // A frame that is not what its format says is this node's to complain about.
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        self.current_line = line;
        let here = &mut self.slots[slot];
        let frame = self.current.as_mut().expect("a chain carries a frame");
        if let Some(pick) = &here.picks[line] {
            slot::pick(frame, pick);
        }
        if let Some(grid) = &mut here.ports.lines[line].grid {
            grid.enter(frame.header.time, frame.buffer().count());
        }
        if let Some(aligner) = &mut here.aligner {
            let frame = self.current.take().expect("a chain carries a frame");
            let grid = here.ports.lines[line].grid.as_ref();
            if aligner.enter(line, frame, grid).is_some() {
                here.line_counts[line].dropped(Gap::Late, 1);
                here.gap(Gap::Late);
            }
            self.settled = false;
            return false;
        }
        true
    }

    /// Tells a body of missing content before the frame after it.
    fn tell_gap(&mut self, slot: usize, line: usize) -> Step {
        let here = &mut self.slots[slot];
        let Some(frame) = &mut self.current else { return Ok(()) };
        let partners = here.ports.aligned.iter().skip(1).flatten();
        let missing = frame.header.gap.or_else(|| partners.filter_map(|p| p.header.gap).next());
        let Some(reason) = missing else { return Ok(()) };
        let notice = crate::GapNotice { reason, until: frame.header.time };
        here.gap(reason);
        match &mut here.body {
            SlotBody::Block(block) => {
                self.mark.slot.store(slot as u32, Ordering::Relaxed);
                block.reset();
            }
            SlotBody::Operator(_) => {
                // Told once, even if the frame has to wait for a new body.
                frame.header.gap = None;
                here.ports.line = line;
                here.ports.cause = frame.header;
                self.while_it_waits(slot, line, |operator, io| operator.gap(&notice, io))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Calls an operator about something else than the frame in `current`, if there is one: that
    /// waits like any other work, should the call or a body further down fail. What the call sends
    /// is followed first.
    fn while_it_waits(
        &mut self,
        slot: usize,
        line: usize,
        call: impl FnOnce(&mut dyn Operator, &mut Io<'_>) -> Result<(), Fault>,
    ) -> Step {
        let depth = self.work.len();
        let waits = self.current.take();
        let base = depth + usize::from(waits.is_some());
        if let Some(frame) = waits {
            self.work.push(Work { slot, line, frame, entered: true });
        }
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let SlotBody::Operator(operator) = &mut here.body else {
            unreachable!("only operators are told of gaps and timers")
        };
        let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
        let done = call(operator.as_mut(), &mut io);
        self.mark.check();
        done?;
        self.send_out(slot);
        self.run_work_down_to(base)?;
        if base > depth {
            self.current = self.work.pop().map(|work| work.frame);
        }
        self.current_line = line;
        Ok(())
    }

    /// Stamps and routes everything a body has sent.
    fn send_out(&mut self, slot: usize) {
        let depth = self.work.len();
        let mut out = std::mem::take(&mut self.out);
        for sent in out.drain(..) {
            let port = sent.port;
            let mut frame = sent.frame;
            self.slots[slot].stamp(port, &mut frame);
            self.route(slot, port, frame);
        }
        self.out = out;
        // What was sent first is on top.
        self.work[depth..].reverse();
    }

    /// Sends a stamped frame along every edge that leaves the port.
    fn route(&mut self, slot: usize, port: usize, frame: Frame) {
        let here = &mut self.slots[slot];
        if let Some(last) = &mut here.last {
            last[port] = Some(frame.clone());
        }
        let routes = &here.routes[port];
        let Some((final_route, others)) = routes.split_last() else { return };
        for route in others {
            send(route, frame.clone(), &mut self.work, &mut self.outlets);
        }
        send(final_route, frame, &mut self.work, &mut self.outlets);
    }

    /// Whether some frame waits for room in a ring.
    fn is_blocked(&self) -> bool {
        self.outlets.iter().any(|outlet| !outlet.backlog.is_empty())
    }

    /// Tries to get rid of the backlog; says whether there is none left.
    fn flush_backlog(&mut self) -> bool {
        let mut free = true;
        for outlet in &mut self.outlets {
            while let Some(frame) = outlet.backlog.pop_front() {
                if let Err(frame) = outlet.ring.push(frame) {
                    outlet.backlog.push_front(frame);
                    break;
                }
            }
            // Asked for only after trying, and tried again if room came in between.
            while !outlet.backlog.is_empty() && outlet.ring.wait_for_room() {
                let frame = outlet.backlog.pop_front().expect("not empty");
                if let Err(frame) = outlet.ring.push(frame) {
                    outlet.backlog.push_front(frame);
                }
            }
            free &= outlet.backlog.is_empty();
        }
        free
    }

    /// Shows the consumers of outgoing rings what was sent and how far the bounds are. Says
    /// whether there was a backlog and there is none any more.
    fn publish(&mut self) -> bool {
        let freed = self.is_blocked() && self.flush_backlog();
        for outlet in &mut self.outlets {
            let bound = self.slots[outlet.slot].out_bounds[outlet.port];
            // A bound must not overtake the frames that wait for room.
            let bound = match outlet.backlog.front() {
                Some(frame) => bound.min(frame.header.time),
                None => bound,
            };
            outlet.ring.publish(bound);
        }
        freed
    }

    /// Whether every stream has ended and everything has left.
    fn is_done(&self) -> bool {
        self.ending
            && self.slots.iter().all(|slot| slot.flushed)
            && self.sources.iter().all(SourceState::has_ended)
            && !self.is_blocked()
    }

    /// Ends all generating sources as if they had nothing more: what is inside is finished.
    pub(crate) fn drain(&mut self) {
        for source in &mut self.sources {
            source.end(&mut self.slots);
        }
        // A source that failed has ended as well; nothing waits for its successor.
        let sources = &self.sources;
        self.trouble.take_if(|trouble| sources.iter().any(|source| source.is_at(trouble.slot)));
        self.ending = true;
        self.settled = false;
    }

    /// Takes a new ring in the place of one whose other end was given up with its cell. Frames that
    /// came through stay; what the other side had not passed on is lost and counted here, by the only
    /// thread that still counts on this edge.
    pub(crate) fn rewire(&mut self, edge: usize, end: NewEnd) {
        match end {
            NewEnd::Receiver { ring, slot, line } => {
                let Some(inlet) = self.inlets.iter_mut().find(|i| i.slot == slot && i.line == line)
                else {
                    return;
                };
                while let Some(frame) = inlet.ring.pop() {
                    self.work.insert(0, Work { slot, line, frame, entered: false });
                }
                inlet.ring = ring;
                let counts = &self.slots[slot].line_counts[line];
                let held = self.work.iter().filter(|w| w.slot == slot && w.line == line).count();
                let aligner = self.slots[slot].aligner.as_ref();
                let inside = held + aligner.map_or(0, |aligner| aligner.waiting(line));
                counts.dropped(Gap::Wedged, counts.in_flight().saturating_sub(inside as u64));
            }
            NewEnd::Sender { ring, counts } => {
                if let Some(outlet) = self.outlets.iter_mut().find(|outlet| outlet.edge == edge) {
                    outlet.ring = ring;
                    let kept = outlet.backlog.len() as u64;
                    counts.dropped(Gap::Wedged, counts.in_flight().saturating_sub(kept));
                }
            }
        }
    }
}

/// A ring's new end.
pub(crate) enum NewEnd {
    /// For the stage that consumes.
    Receiver { ring: Receiver, slot: usize, line: usize },
    /// For the stage that produces.
    Sender { ring: Sender, counts: Arc<crate::stats::EdgeCounts> },
}

/// Where frames of an output port go.
pub(crate) enum Route {
    /// To a node of the same stage.
    Local { slot: usize, line: usize, counts: Arc<crate::stats::EdgeCounts> },
    /// Into a ring.
    Ring { outlet: usize, counts: Arc<crate::stats::EdgeCounts> },
}

fn send(route: &Route, frame: Frame, work: &mut Vec<Work>, outlets: &mut [Outlet]) {
    match route {
        Route::Local { slot, line, counts } => {
            counts.sent.add(1);
            work.push(Work { slot: *slot, line: *line, frame, entered: false });
        }
        Route::Ring { outlet, counts } => {
            counts.sent.add(1);
            let outlet = &mut outlets[*outlet];
            if !outlet.backlog.is_empty() {
                outlet.backlog.push_back(frame);
            } else if let Err(frame) = outlet.ring.push(frame) {
                outlet.backlog.push_back(frame);
            }
        }
    }
}
