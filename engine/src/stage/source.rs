//! Generating sources: asked one group of frames ahead, released when it is time.

use crate::{
    body::Flow,
    format::Format,
    io::{Io, Sent},
    time::{Grid, Timestamp},
};

use super::{SlotBody, Stage, Step, Turn, slot};

use std::sync::atomic::Ordering;

/// How the session's time line lies on the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// The clock at zero of the time line.
    pub(crate) start: Timestamp,
    /// Seconds of content per second of clock; `None` is as fast as it goes.
    pub(crate) speed: Option<f64>,
}

impl Pace {
    /// The clock when content up to `due` is there.
    fn clock_at(&self, due: Timestamp) -> Timestamp {
        match self.speed {
            None => Timestamp::MIN,
            // At the pace of the content the nanoseconds need no rounding.
            Some(1.0) => self.start.plus_nanos(due.nanos()),
            Some(speed) => self.start.plus_nanos((due.nanos() as f64 / speed) as i64),
        }
    }
}

/// A generating source and the frames it has made that are not due yet.
pub(crate) struct SourceState {
    pub(super) slot: usize,
    pub(super) held: Vec<Sent>,
    /// The end of what is held: a device would deliver it then.
    pub(super) due: Timestamp,
    /// What the source promised together with what is held, per port.
    promises: Box<[Timestamp]>,
    /// End of the signals released, per port.
    pub(super) grids: Box<[Option<Grid>]>,
    pub(super) finished: bool,
    /// The port whose samples are counted.
    pub(super) measured: Option<usize>,
    /// Inputs of joins that its frames can reach inside the stage.
    feeds: Box<[(usize, usize)]>,
    /// Event time up to which a predecessor has delivered.
    skip_until: Timestamp,
}

impl SourceState {
    pub(super) fn new(
        slot: usize,
        outputs: &[Format],
        measured: Option<usize>,
        feeds: Box<[(usize, usize)]>,
    ) -> Self {
        let grids = outputs.iter().map(|format| format.as_signal().map(|s| Grid::new(s.rate)));
        Self {
            slot,
            held: Vec::with_capacity(4),
            due: Timestamp::MIN,
            promises: vec![Timestamp::MIN; outputs.len()].into(),
            grids: grids.collect(),
            finished: false,
            measured,
            feeds,
            skip_until: Timestamp::MIN,
        }
    }

    /// Whether nothing is left to release.
    pub(crate) fn has_ended(&self) -> bool {
        self.finished && self.held.is_empty()
    }

    /// Goes on where a predecessor was: what lies before is made and thrown away.
    pub(super) fn skip_until(&mut self, released: Timestamp) {
        self.skip_until = released;
    }

    /// Makes it end where it is; what it holds was never due and never existed.
    pub(super) fn end(&mut self, slots: &mut [super::Slot]) {
        self.finished = true;
        self.held.clear();
        slots[self.slot].out_bounds.fill(Timestamp::MAX);
        slots[self.slot].flushed = true;
    }

    /// Nothing older will come on `port`: a signal goes on where it ended; events lie in what all
    /// signals of the source have reached, or where it has none, after the last event.
    fn horizon(&self, port: usize, last_event: Timestamp) -> Timestamp {
        match &self.grids[port] {
            Some(grid) => grid.end(),
            None => self.grids.iter().flatten().map(Grid::end).min().unwrap_or(last_event),
        }
    }

    /// Whether this source stands in `slot`.
    pub(super) fn is_at(&self, slot: usize) -> bool {
        self.slot == slot
    }
}

/// Calls of one source that send nothing before it is given up as broken.
const EMPTY_CALLS_MAX: usize = 1_000_000;
/// Frames a successor makes anew and throws away in one turn.
const SKIPPED_PER_TURN: usize = 1_024;

impl Stage {
    /// Releases what is due, the oldest first, and asks sources for more.
    pub(super) fn pull_sources(&mut self, now: Timestamp) -> Step<Turn> {
        if self.stands_still() {
            return Ok(Turn::Idle);
        }
        loop {
            for source in 0..self.sources.len() {
                if !self.refill(source)? {
                    return Ok(Turn::More);
                }
            }
            // A source may have ended without a last frame.
            if !self.settled {
                self.settle()?;
            }
            let next = (0..self.sources.len())
                .filter(|&source| !self.sources[source].has_ended())
                .filter(|&source| !slot::are_full(&self.slots, &self.sources[source].feeds))
                .min_by_key(|&source| (self.sources[source].due, source));
            let Some(source) = next else {
                if !self.settled {
                    self.settle()?;
                }
                return Ok(Turn::Idle);
            };
            let at = self.pace.clock_at(self.sources[source].due);
            if at > now {
                return Ok(Turn::Until(at));
            }
            if self.paused {
                return Ok(self.miss(source));
            }
            if self.left == 0 {
                return Ok(Turn::More);
            }
            self.left -= 1;
            self.release(source)?;
            if self.is_blocked() {
                return Ok(Turn::Idle);
            }
        }
    }

    /// Asks a source for its next frames if it holds none. Says no if the turn is over before it has
    /// come to what its predecessor had not delivered.
    fn refill(&mut self, source: usize) -> Step<bool> {
        let state = &mut self.sources[source];
        let slot = state.slot;
        if !state.held.is_empty() {
            return Ok(true);
        }
        if state.finished {
            // A body below died on the very last frame, before the end could be told.
            if !self.slots[slot].flushed {
                self.end_source(source);
            }
            return Ok(true);
        }
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let SlotBody::Source(body) = &mut here.body else {
            self.end_source(source);
            return Ok(true);
        };
        let (mut empty, mut skipped) = (0, 0);
        while empty < EMPTY_CALLS_MAX {
            let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
            let flow = body.next(&mut io);
            self.mark.check();
            let flow = flow?;
            let state = &mut self.sources[source];
            std::mem::swap(&mut state.held, &mut self.out);
            for (promise, outlet) in state.promises.iter_mut().zip(&here.ports.outlets) {
                *promise = outlet.promise;
            }
            if flow == Flow::End {
                state.finished = true;
            }
            if state.held.is_empty() {
                empty += 1;
            } else {
                state.due = due(&state.held, &state.grids, state.due);
                if state.due > state.skip_until {
                    return Ok(true);
                }
                // A predecessor has delivered this already.
                state.held.clear();
                skipped += 1;
                self.mark.step();
            }
            if state.finished {
                self.end_source(source);
                return Ok(true);
            }
            if skipped == SKIPPED_PER_TURN {
                return Ok(false);
            }
        }
        Err(crate::Fault::new("the source says that there is more but sends nothing"))
    }

    /// Sends what a source holds through the graph.
    fn release(&mut self, source: usize) -> Step {
        let slot = self.sources[source].slot;
        // Content comes through the door here, not at the turn's beginning. As fast as it goes,
        // the sink above has just read the clock.
        let entered = match self.pace.speed {
            None => self.looked,
            Some(_) => self.clock.now(),
        };
        self.entered = entered;
        self.mark.step();
        // Told first: a successor must not deliver again what a body below never comes back from.
        self.mark.released[source].store(self.sources[source].due.nanos(), Ordering::Relaxed);
        let mut held = std::mem::take(&mut self.sources[source].held);
        let (mut last_event, mut samples) = (Timestamp::MIN, 0);
        let state = &mut self.sources[source];
        for sent in &mut held {
            let (port, len) = (sent.port, sent.frame.len());
            sent.frame.header.entered = entered;
            match &mut state.grids[port] {
                Some(grid) => grid.enter(sent.frame.header.time, len),
                None => last_event = last_event.max(sent.frame.header.time),
            }
            if state.measured == Some(port) {
                samples += len;
            }
        }
        // Stamped where it lies: a frame that is moved just after a part of it was written waits
        // for the write.
        let here = &mut self.slots[slot];
        here.counts.samples.add(samples as u64);
        for sent in &mut held {
            // What the source says is missing comes before what the runtime knows.
            let missing = sent.frame.header.gap;
            here.stamp(sent.port, &mut sent.frame);
            sent.frame.header.gap = missing.or(sent.frame.header.gap);
        }
        match here.sole_local {
            Some((next, line)) if held.len() == 1 => {
                here.sole_counts.sent.add(1);
                self.current = held.pop().map(|sent| sent.frame);
                self.chain(next, line)?;
            }
            _ => {
                for sent in held.drain(..) {
                    self.route(slot, sent.port, sent.frame);
                }
            }
        }
        self.sources[source].held = held;
        self.run_work()?;
        for port in 0..self.slots[slot].out_bounds.len() {
            let state = &self.sources[source];
            let bound = state.promises[port].max(state.horizon(port, last_event));
            let known = &mut self.slots[slot].out_bounds[port];
            *known = bound.max(*known);
        }
        if self.sources[source].finished {
            self.end_source(source);
        }
        if self.any_watched || self.ending { self.settle() } else { Ok(()) }
    }

    pub(super) fn end_source(&mut self, source: usize) {
        let slot = self.sources[source].slot;
        let here = &mut self.slots[slot];
        here.out_bounds.fill(Timestamp::MAX);
        here.flushed = true;
        self.ending = true;
        self.settled = false;
    }
}

/// When the last of the held frames would be there if a device delivered them.
fn due(held: &[Sent], grids: &[Option<Grid>], before: Timestamp) -> Timestamp {
    let end = |sent: &Sent| {
        let time = sent.frame.header.time;
        match &grids[sent.port] {
            Some(grid) => time.plus_nanos(grid.span_ns(sent.frame.len() as i64)),
            None => time,
        }
    };
    held.iter().map(end).fold(before, Timestamp::max)
}
