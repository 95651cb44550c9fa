//! Bounds, joins, timers and ends: what event time makes happen between frames.

use crate::{
    align::{Aligner, Released},
    buffer::Buffer,
    frame::{Frame, Gap, MaybeGap},
    io::Io,
    steps::{Passed, StepKind, is_followed},
    time::Timestamp,
};

use super::{Route, SlotBody, Stage, Step};

use std::sync::atomic::Ordering;

impl Stage {
    /// Raises the bound of one line.
    pub(super) fn raise(&mut self, slot: usize, line: usize, bound: Timestamp) {
        let known = &mut self.slots[slot].line_bounds[line];
        *known = bound.max(*known);
    }

    /// Walks the slots in topological order: joins what can be joined, fires what is due,
    /// flushes what has ended, and passes bounds on. One walk is enough, since
    /// whatever a slot causes happens further down. It ends early when the turn is over or there is no
    /// room below; the next turn walks again.
    pub(super) fn settle(&mut self) -> Step {
        self.settled = false;
        for slot in 0..self.slots.len() {
            let here = &self.slots[slot];
            if !(here.watched || self.ending) {
                continue;
            }
            if here.aligner.is_some() && !self.join(slot)? {
                return Ok(());
            }
            let bound = self.slots[slot].input_bound();
            if self.slots[slot].has_timers && !self.fire_until(slot, bound)? {
                return Ok(());
            }
            if bound == Timestamp::MAX && !self.slots[slot].line_bounds.is_empty() {
                self.flush(slot)?;
            }
            self.hold_back(slot);
            self.pass_bounds(slot, self.slots[slot].in_bound());
        }
        self.settled = true;
        Ok(())
    }

    /// Counts what settling does like frames taken in: a turn has an end, and a long one is slow, not
    /// wedged.
    fn step(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.mark.step();
    }

    /// Processes what can be joined; says whether that was everything.
    fn join(&mut self, slot: usize) -> Step<bool> {
        loop {
            let is_over = self.left == 0 || self.is_blocked;
            let here = &mut self.slots[slot];
            let aligner = here.aligner.as_mut().expect("only joins come here");
            if is_over && aligner.has_more(&here.line_bounds) {
                return Ok(false);
            }
            match aligner.release(&here.line_bounds, &mut here.ports.aligned) {
                None => return Ok(true),
                Some(Released::One(line, frame, grid)) => {
                    // As it was when the frame came: others may have come since.
                    let before = std::mem::replace(&mut here.ports.lines[line].grid, grid);
                    here.before_gap = before.filter(|_| frame.header.gap.is_some());
                    self.step();
                    let before = self.looked_at();
                    if self.following {
                        self.look_at(frame.header.entered);
                    }
                    self.current = Some(frame);
                    self.process_joined(slot, line)?;
                    self.run_work()?;
                    self.look_back_at(before);
                }
                Some(Released::Together(grid)) => {
                    here.ports.lines[0].grid = grid;
                    here.before_gap = None;
                    self.step();
                    self.current = self.slots[slot].ports.aligned[0].clone();
                    let before = self.looked_at();
                    if let (true, Some(frame)) = (self.following, &self.current) {
                        self.look_at(frame.header.entered);
                    }
                    self.process_joined(slot, 0)?;
                    self.slots[slot].ports.aligned.fill(None);
                    self.run_work()?;
                    self.look_back_at(before);
                }
            }
        }
    }

    /// Processes the frame in `current` at a node that has waited for it.
    fn process_joined(&mut self, slot: usize, line: usize) -> Step {
        self.current_line = line;
        if self.slots[slot].has_timers {
            self.fire_before_joined(slot)?;
        }
        self.tell_gap(slot, line)?;
        self.current_line = line;
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let began = self.timing.then(|| self.clock.now());
        let here = &mut self.slots[slot];
        let frame = self.current.as_ref().expect("a joined frame is at hand");
        let mut ended = None;
        let joined = began.map(|_| frame.header);
        match &mut here.body {
            SlotBody::Operator(operator) => {
                here.ports.line = line;
                here.ports.cause = frame.header;
                let mut io = Io { ports: &mut here.ports, frame: Some(frame), out: &mut self.out };
                let done = operator.process(&mut io);
                self.mark.check();
                done?;
            }
            SlotBody::Sink(sink) => {
                let done = sink.take(line, frame);
                self.mark.check();
                done?;
                if let Some(latency) = &mut here.latency {
                    let now = self.watch.now(&self.clock);
                    latency.record(now.since(frame.header.entered));
                    ended = Some(now);
                }
            }
            SlotBody::Call(_) => return self.process_questions(slot, line, false),
            SlotBody::HoldLast(_) => {
                let cause = frame.header;
                self.say_again(slot, line, cause);
            }
            SlotBody::Closed => {
                here.line_counts[line].lose(Gap::Closed, &frame.header);
                if let Some(aligner) = &mut here.aligner {
                    let counts = &here.line_counts;
                    aligner.used_up(|line, frames| counts[line].dropped(Gap::Closed, frames));
                }
                self.current = None;
                return Ok(());
            }
            // A failed join has nothing to pass on in its inputs' stead.
            _ => {}
        }
        let here = &mut self.slots[slot];
        if let Some(began) = began {
            let kind = if ended.is_some() { StepKind::Sink } else { StepKind::Body };
            let ended = ended.unwrap_or_else(|| self.clock.now());
            here.timed(began, ended, joined.map_or(Timestamp::MIN, |cause| cause.time));
            if let (Some(stepping), Some(cause)) = (&self.stepping, &joined) {
                let (in_seq, node) = (cause.seq, here.node);
                let passed = Passed { kind, node, line, cause, in_seq, began, ended };
                stepping.passed(here, &passed, &self.out);
            }
        }
        self.count_joined(slot, line);
        self.current = None;
        self.send_out(slot);
        Ok(())
    }

    /// Counts what a join has dealt with: its own frame, and those of the other lines that no
    /// later sample can need.
    pub(super) fn count_joined(&mut self, slot: usize, line: usize) {
        let here = &mut self.slots[slot];
        here.line_counts[line].taken.add(1);
        if let Some(aligner) = &mut here.aligner {
            aligner.used_up(|line, frames| here.line_counts[line].taken.add(frames));
        }
    }

    /// Fires timers that are due at or before `bound`; says whether those were all.
    fn fire_until(&mut self, slot: usize, bound: Timestamp) -> Step<bool> {
        loop {
            let SlotBody::Operator(operator) = &self.slots[slot].body else { return Ok(true) };
            match operator.due() {
                // At the end of the stream nothing is due any more: `flush` says the rest.
                Some(due) if due <= bound && bound < Timestamp::MAX => {
                    if self.left == 0 || self.is_blocked {
                        return Ok(false);
                    }
                    self.step();
                    self.fire(slot, due)?;
                }
                _ => return Ok(true),
            }
        }
    }

    /// Before joined frames: fires what is due by their time. They are not cut.
    pub(super) fn fire_before_joined(&mut self, slot: usize) -> Step {
        loop {
            let time = self.current.as_ref().expect("a joined frame is at hand").header.time;
            let SlotBody::Operator(operator) = &self.slots[slot].body else { return Ok(()) };
            match operator.due() {
                Some(due) if due <= time => self.fire(slot, due)?,
                _ => return Ok(()),
            }
        }
    }

    fn fire(&mut self, slot: usize, due: Timestamp) -> Step {
        let line = self.current_line;
        self.slots[slot].ports.cause.entered = self.entered;
        self.while_it_waits(slot, line, None, |operator, io| {
            operator.on_due(due, io)?;
            assert!(
                operator.due() != Some(due),
                "an operator must move its due time on, or it would be called for ever"
            );
            Ok(())
        })
    }

    /// Before the frame in `current`: fires what is due by its time, and cuts a signal
    /// where a timer falls between its samples, so that timers see the same samples however the
    /// stream is cut into frames.
    pub(super) fn fire_before(&mut self, slot: usize, line: usize) -> Step {
        loop {
            let frame = self.current.as_ref().expect("a chain carries a frame");
            let (time, len) = (frame.header.time, frame.len());
            let SlotBody::Operator(operator) = &self.slots[slot].body else { return Ok(()) };
            let Some(due) = operator.due() else { return Ok(()) };
            if due <= time {
                self.fire(slot, due)?;
                continue;
            }
            let Some(grid) = self.slots[slot].ports.lines[line].grid else { return Ok(()) };
            let head = (1..len).find(|&n| grid.time_of(n as i64) >= due);
            let Some(head) = head else { return Ok(()) };
            self.process_head(slot, line, head)?;
        }
    }

    /// Processes the first `head` samples of the frame in `current`, leaving the rest there.
    fn process_head(&mut self, slot: usize, line: usize, head: usize) -> Step {
        self.tell_gap(slot, line)?;
        let frame = self.current.take().expect("a chain carries a frame");
        let here = &mut self.slots[slot];
        let grid = here.ports.lines[line].grid.as_mut().expect("only signals are cut");
        let mut rest = cut(&frame, head, frame.len());
        rest.header.time = grid.time_of(head as i64);
        rest.header.gap = MaybeGap::NONE;
        let first = cut(&frame, 0, head);
        // The grid goes back to the frame's beginning and takes both parts one after the other.
        grid.rewind(frame.len());
        grid.enter(first.header.time, head);
        here.ports.line = line;
        here.ports.cause = first.header;
        // Should the body die on the first part, the whole frame counts as poison.
        self.current = Some(rest);
        if let SlotBody::Operator(operator) = &mut here.body {
            let began = self.timing.then(|| self.clock.now());
            let mut io = Io { ports: &mut here.ports, frame: Some(&first), out: &mut self.out };
            let done = operator.process(&mut io);
            self.mark.check();
            done?;
            if let Some(began) = began {
                let (ended, cause, node) = (self.clock.now(), here.ports.cause, here.node);
                // The frame is counted with its rest.
                here.timed_beside(began, ended, cause.time);
                if let Some(stepping) = &self.stepping {
                    let (kind, in_seq, cause) = (StepKind::Body, cause.seq, &cause);
                    let passed = Passed { kind, node, line, cause, in_seq, began, ended };
                    stepping.passed(here, &passed, &self.out);
                }
            }
        }
        let rest = self.current.take().expect("put there before the call");
        let here = &mut self.slots[slot];
        let grid = here.ports.lines[line].grid.as_mut().expect("only signals are cut");
        grid.enter(rest.header.time, rest.len());
        self.current_line = line;
        self.current = Some(rest);
        self.send_out_head(slot, line)
    }

    /// Ends a body's stream, once.
    fn flush(&mut self, slot: usize) -> Step {
        if std::mem::replace(&mut self.slots[slot].flushed, true) {
            return Ok(());
        }
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        here.ports.cause.entered = self.entered;
        let is_timed = self.timing || (self.following && is_followed(self.entered));
        let began = is_timed.then(|| self.clock.now());
        if here.aligner.as_mut().is_some_and(Aligner::take_late) {
            here.gap(Gap::Late);
        }
        if let Some(aligner) = &mut here.aligner {
            // Partners that were left over: their moments have no sample in the first input.
            aligner.clear();
            aligner.used_up(|line, frames| here.line_counts[line].taken.add(frames));
        }
        match &mut here.body {
            SlotBody::Operator(operator) => {
                let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
                let done = operator.flush(&mut io);
                self.mark.check();
                done?;
                if let Some(began) = began {
                    let ended = self.clock.now();
                    here.slow.once((began, ended), here.ports.cause.time);
                    self.passed_unasked(slot, began, ended);
                }
                self.send_out(slot);
                self.run_work()
            }
            SlotBody::Sink(sink) => {
                let done = sink.finish();
                self.mark.check();
                if let Some(began) = began {
                    here.slow.once((began, self.clock.now()), here.ports.cause.time);
                }
                done
            }
            SlotBody::Call(call) => {
                let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
                let done = call.flush(&mut io);
                self.mark.check();
                done?;
                if let Some(began) = began {
                    here.slow.once((began, self.clock.now()), here.ports.cause.time);
                }
                self.question(slot, None)
            }
            _ => Ok(()),
        }
    }

    /// Says downstream how far this node's outputs are.
    fn pass_bounds(&mut self, slot: usize, in_bound: Timestamp) {
        let here = &mut self.slots[slot];
        let is_source = here.line_bounds.is_empty();
        for port in 0..here.out_bounds.len() {
            if !is_source {
                let promise = here.ports.outlets[port].promise;
                let bound = if in_bound == Timestamp::MAX && here.flushed {
                    Timestamp::MAX
                } else {
                    let by_inputs = in_bound.min(END_OF_TIME).plus_nanos(-here.look_back_ns);
                    by_inputs.max(promise).plus_nanos(-here.delay_ns)
                };
                here.out_bounds[port] = bound.max(here.out_bounds[port]);
            }
        }
        for port in 0..self.slots[slot].out_bounds.len() {
            let bound = self.slots[slot].out_bounds[port];
            for route in 0..self.slots[slot].routes[port].len() {
                if let Route::Local { slot: next, line, .. } = self.slots[slot].routes[port][route]
                {
                    self.raise(next, line, bound);
                }
            }
        }
    }
}

/// The latest moment that is not the end itself.
const END_OF_TIME: Timestamp = Timestamp::from_nanos(i64::MAX - 1);

/// The samples `from .. to` of a signal frame.
fn cut(frame: &Frame, from: usize, to: usize) -> Frame {
    let (len, part) = (frame.len(), to - from);
    let channels = frame.samples().len() / len.max(1);
    let mut buffer = Buffer::signal(channels, part);
    let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
    for channel in 0..channels {
        planes[channel * part..(channel + 1) * part]
            .copy_from_slice(&frame.channel(channel)[from..to]);
    }
    Frame::new(frame.header, buffer)
}
