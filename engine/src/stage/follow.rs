//! A frame's way through the nodes of a stage.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::Ordering,
};

use crate::{
    body::{GapNotice, Operator},
    fault::Fault,
    frame::{Frame, Gap, Header, MaybeGap},
    io::{Io, Sent},
    steps::is_followed,
    time::{Grid, Timestamp},
};

use super::{
    SlotBody, Stage, Step, Work, slot,
    stepping::{timed_block, timed_operator, timed_sink},
};

/// As fast as it goes, the clock is read for so many frames at a time: reading it takes as long as a
/// frame's way through two or three nodes.
const TOGETHER: u32 = 8;
/// But only where a frame takes less than this. So no age is told too high by more than [`TOGETHER`]
/// times this, but for neighbours of a frame that suddenly takes long; and none too low.
const FAST_NS: i64 = 500;

impl Stage {
    pub(super) fn run_work(&mut self) -> Step {
        self.run_work_down_to(0)
    }

    /// Processes the work above `depth`. Work is a stack: what a frame causes is finished before the
    /// next frame is looked at, so frames of one edge never overtake each other.
    pub(super) fn run_work_down_to(&mut self, depth: usize) -> Step {
        while self.work.len() > depth {
            let work = self.work.pop().expect("there is work above the depth");
            self.current = Some(work.frame);
            self.follow(work.slot, work.line, work.entered)?;
        }
        Ok(())
    }

    /// Lets the frame in `current`, if there is one, wait like any other work, should a call that is
    /// about something else fail, or a body further down. Says how much work there was before.
    fn set_aside(&mut self, slot: usize, line: usize) -> usize {
        let depth = self.work.len();
        if let Some(frame) = self.current.take() {
            self.work.push(Work { slot, line, frame, entered: true });
        }
        depth
    }

    /// Sends what a body has sent besides a frame that was set aside on top of `depth`, follows that,
    /// and takes the frame up again. A gap lies behind what was sent.
    fn send_out_before(
        &mut self,
        slot: usize,
        line: usize,
        depth: usize,
        gap: Option<Gap>,
    ) -> Step {
        let base = self.work.len();
        self.send_out(slot);
        // Noted before anything further down can die.
        gap.into_iter().for_each(|reason| self.slots[slot].gap(reason));
        self.run_work_down_to(base)?;
        if base > depth {
            self.current = self.work.pop().map(|work| work.frame);
        }
        self.current_line = line;
        Ok(())
    }

    /// Sends what a body has sent of the beginning of the frame in `current`, and follows that first.
    pub(super) fn send_out_head(&mut self, slot: usize, line: usize) -> Step {
        let depth = self.set_aside(slot, line);
        self.send_out_before(slot, line, depth, None)
    }

    pub(super) fn chain(&mut self, slot: usize, line: usize) -> Step {
        self.follow(slot, line, false)
    }

    /// Takes the frame in `current` through `slot` and on, as long as one frame leads to one.
    /// `entered` says that it has waited at this very node before.
    pub(super) fn follow(&mut self, mut slot: usize, mut line: usize, mut entered: bool) -> Step {
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
                SlotBody::Block(_) => {
                    let next = self.through_blocks(slot, line, began);
                    let Some(next) = next else { return Ok(()) };
                    (slot, line) = next;
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
                        let stepping = self.stepping.as_deref();
                        timed_operator(stepping, &self.clock, here, line, began, &self.out);
                    }
                    match here.sole_local() {
                        Some((next, next_line)) if self.out.len() == 1 => {
                            let sent = Sent::pop(&mut self.out).expect("one");
                            here.sole_counts.sent.add(1);
                            self.current = Some(here.stamped(sent));
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
                    if let Some(latency) = &mut here.latency {
                        let entered = frame.header.entered;
                        // What is timed is told apart.
                        let together = if self.timing { 1 } else { self.together };
                        if !latency.can_wait(entered, together) {
                            let now = self.watch.now(&self.clock);
                            let frames = latency.arrived(now) + 1;
                            latency.record(now.since(entered));
                            let spent_ns = now.since(self.looked);
                            self.looked = now;
                            let is_fast = spent_ns < FAST_NS * i64::from(frames);
                            self.together =
                                if is_fast && self.pace.speed.is_none() { TOGETHER } else { 1 };
                        }
                    }
                    here.line_counts[line].taken.add(1);
                    if let Some(began) = began {
                        // Up to where its latency counts.
                        let ended = self.looked.max(began);
                        let stepping = self.stepping.as_deref();
                        timed_sink(stepping, here, line, &frame.header, (began, ended));
                    }
                    self.current = None;
                    return Ok(());
                }
                SlotBody::Call(_) => return self.process_questions(slot, line, true),
                SlotBody::Bypass => {
                    self.gap_without_question(slot);
                    let here = &mut self.slots[slot];
                    here.line_counts[line].taken.add(1);
                    let mut frame = self.current.take().expect("a chain carries a frame");
                    if self.following {
                        self.passed_by(slot, line, &frame.header);
                    }
                    self.slots[slot].stamp(0, &mut frame.header);
                    self.route(slot, 0, frame);
                    return Ok(());
                }
                SlotBody::HoldLast(_) => {
                    self.gap_without_question(slot);
                    self.slots[slot].line_counts[line].taken.add(1);
                    let cause = self.current.take().expect("a chain carries a frame").header;
                    self.say_again(slot, line, cause);
                    return Ok(());
                }
                SlotBody::Closed => {
                    self.gap_without_question(slot);
                    let frame = self.current.take().expect("a chain carries a frame");
                    self.slots[slot].line_counts[line].lose(Gap::Closed, &frame.header);
                    return Ok(());
                }
                SlotBody::Source(_) | SlotBody::Empty => unreachable!("no edge leads here"),
            }
        }
    }

    /// Takes the frame in `current` through a block, and on through others as long as one leads straight
    /// to the next. Says where it goes then, if not out.
    #[inline]
    fn through_blocks(
        &mut self,
        mut slot: usize,
        mut line: usize,
        began: Option<Timestamp>,
    ) -> Option<(usize, usize)> {
        let frame = self.current.as_mut().expect("a chain carries a frame");
        loop {
            let here = &mut self.slots[slot];
            let SlotBody::Block(block) = &mut here.body else { return Some((slot, line)) };
            let input = frame.buffer();
            let samples = self.spare.like(input);
            block.block(here.channels as usize, input.floats(), samples);
            self.mark.check();
            self.spare.trade(frame.buffer_mut());
            // A block has one input.
            here.first_line.taken.add(1);
            if let Some(began) = began {
                let stepping = self.stepping.as_deref();
                timed_block(stepping, &self.clock, here, line, &frame.header, began);
            }
            here.stamp(0, &mut frame.header);
            let Some(next) = here.sole_local() else { break };
            here.sole_counts.sent.add(1);
            (slot, line) = next;
            if began.is_some() || frame.header.gap.is_some() || !self.slots[slot].is_plain {
                return Some(next);
            }
            self.current_line = line;
            self.mark.slot.store(slot as u32, Ordering::Relaxed);
        }
        let frame = self.current.take().expect("a chain carries a frame");
        self.route(slot, 0, frame);
        None
    }

    /// Sends what a node said last once more, for a node that failed too often.
    pub(super) fn say_again(&mut self, slot: usize, line: usize, cause: Header) {
        let SlotBody::HoldLast(last) = &self.slots[slot].body else { return };
        for (port, held) in last.iter().enumerate() {
            if let Some(held) = held {
                let frame = Frame::new(cause.causes(cause.time), held.buffer().clone());
                self.out.push(Sent { port, frame });
            }
        }
        if self.following {
            self.said_again(slot, line, &cause);
        }
        self.send_out(slot);
    }

    /// What a node needs before its frame that most nodes do not: picking channels,
    /// waiting for others, telling a gap, firing timers. Says whether the frame goes on now.
    pub(super) fn prepare(&mut self, slot: usize, line: usize, entered: bool) -> Step<bool> {
        if !(entered || self.let_in(slot, line)) {
            return Ok(false);
        }
        if self.slots[slot].has_timers {
            // A frame that has been joined is whole: its partners are those of all its samples.
            if self.slots[slot].aligner.is_some() {
                self.fire_before_joined(slot)?;
            } else {
                self.fire_before(slot, line)?;
            }
        }
        self.tell_gap(slot, line)?;
        Ok(true)
    }

    /// Picks channels, counts samples, or lets the frame wait for others; says whether it goes on.
    pub(super) fn let_in(&mut self, slot: usize, line: usize) -> bool {
        // A frame that is not what its format says is this node's to complain about.
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        self.current_line = line;
        let here = &mut self.slots[slot];
        let frame = self.current.as_mut().expect("a chain carries a frame");
        if let Some(pick) = &here.picks[line] {
            slot::pick(frame, pick);
        }
        if let Some(aligner) = &mut here.aligner {
            let grid = &mut here.arriving[line];
            if let Some(grid) = grid {
                grid.enter(frame.header.time, frame.buffer().count());
            }
            let frame = self.current.take().expect("a chain carries a frame");
            let header = self.following.then_some(frame.header);
            if let Some(late) = aligner.enter(line, frame, grid.as_ref()) {
                here.line_counts[line].lose(Gap::Late, &late.header);
            }
            self.settled = false;
            if let Some(header) = header {
                self.held(slot, line, &header);
            }
            return false;
        }
        if let Some(grid) = &mut here.ports.lines[line].grid {
            if frame.header.gap.is_some() {
                here.before_gap = Some(*grid);
            }
            grid.enter(frame.header.time, frame.buffer().count());
        }
        true
    }

    /// Tells a body of missing content before the frame after it. What it sends then is about what
    /// came before, so the gap lies behind that.
    pub(super) fn tell_gap(&mut self, slot: usize, line: usize) -> Step {
        let here = &mut self.slots[slot];
        let Some(frame) = &mut self.current else { return Ok(()) };
        let partners = here.ports.aligned.iter().skip(1).flatten();
        let missing =
            frame.header.gap.get().or_else(|| partners.filter_map(|p| p.header.gap.get()).next());
        let Some(reason) = missing else { return Ok(()) };
        match &mut here.body {
            SlotBody::Block(block) => {
                self.mark.slot.store(slot as u32, Ordering::Relaxed);
                block.reset();
            }
            SlotBody::Call(call) => {
                let notice = GapNotice { reason, until: frame.header.time };
                frame.header.gap = MaybeGap::NONE;
                self.mark.slot.store(slot as u32, Ordering::Relaxed);
                call.gap(&notice);
                self.gap_before_question(slot, reason);
                return Ok(());
            }
            SlotBody::Operator(_) => {
                let notice = GapNotice { reason, until: frame.header.time };
                // Told once, even if the frame has to wait for a new body.
                frame.header.gap = MaybeGap::NONE;
                let aligned = here.ports.aligned.iter_mut().flatten();
                aligned.for_each(|partner| partner.header.gap = MaybeGap::NONE);
                here.ports.line = line;
                here.ports.cause = frame.header;
                let before = here.before_gap.take();
                return self.while_it_waits(
                    slot,
                    line,
                    Some(reason),
                    |operator, io| match before {
                        Some(before) => tell_on(before, operator, &notice, io),
                        None => operator.gap(&notice, io),
                    },
                );
            }
            _ => {}
        }
        here.gap(reason);
        Ok(())
    }

    /// Calls an operator about something else than the frame in `current`, if there is one: that
    /// waits. What the call sends is followed first, and lies before the gap it is about.
    pub(super) fn while_it_waits(
        &mut self,
        slot: usize,
        line: usize,
        gap: Option<Gap>,
        call: impl FnOnce(&mut dyn Operator, &mut Io<'_>) -> Result<(), Fault>,
    ) -> Step {
        let depth = self.set_aside(slot, line);
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let SlotBody::Operator(operator) = &mut here.body else {
            unreachable!("only operators are told of gaps and timers")
        };
        let is_timed = self.timing || (self.following && is_followed(here.ports.cause.entered));
        let began = is_timed.then(|| self.clock.now());
        let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
        let done = call(operator.as_mut(), &mut io);
        self.mark.check();
        if let Some(began) = began {
            self.timed_beside(slot, began);
        }
        let here = &mut self.slots[slot];
        if let Err(fault) = done {
            gap.into_iter().for_each(|reason| here.gap(reason));
            return Err(fault);
        }
        self.send_out_before(slot, line, depth, gap)
    }
}

/// Tells an operator of a gap while its samples are counted from the frame before it.
fn tell_on(
    before: Grid,
    operator: &mut dyn Operator,
    notice: &GapNotice,
    io: &mut Io<'_>,
) -> Result<(), Fault> {
    let line = io.ports.line;
    let behind = io.ports.lines[line].grid.replace(before);
    let told = catch_unwind(AssertUnwindSafe(|| operator.gap(notice, io)));
    // The frame behind the gap may have to wait for another body, but is counted.
    io.ports.lines[line].grid = behind;
    told.unwrap_or_else(|payload| resume_unwind(payload))
}

#[cfg(all(test, not(loom)))]
mod tests;
