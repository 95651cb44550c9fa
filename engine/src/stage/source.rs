//! Generating sources: asked one group of frames ahead, released when it is time.

use crate::{
    body::Flow,
    format::Format,
    io::{Io, Outlet, Sent},
    prefetch,
    stats::{EdgeCounts, NodeCounts},
    time::{Grid, Timestamp},
};

use smallvec::{SmallVec, smallvec};

use super::{SlotBody, Stage, Step, Turn, slot, slow::Slow};

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
    pub(super) fn clock_at(&self, due: Timestamp) -> Timestamp {
        match self.speed {
            None => Timestamp::MIN,
            // At the pace of the content the nanoseconds need no rounding.
            Some(1.0) => self.start.plus_nanos(due.nanos()),
            Some(speed) => self.start.plus_nanos((due.nanos() as f64 / speed) as i64),
        }
    }
}

/// A generating source and the frames it has made that are not due yet.
#[repr(align(128))]
pub(crate) struct SourceState {
    pub(super) slot: usize,
    pub(super) held: Vec<Sent>,
    /// The end of what is held: a device would deliver it then.
    pub(super) due: Timestamp,
    /// Where the signals stand with what is held, per port.
    grids: SmallVec<[Option<Grid>; 1]>,
    /// The last event made so far.
    last_event: Timestamp,
    pub(super) finished: bool,
    /// It has sent nothing but promised that nothing older will come, which is due like a frame.
    pub(super) is_silent: bool,
    /// What it has promised so far, per port.
    promised: SmallVec<[Timestamp; 1]>,
    /// The port whose samples are counted.
    measured: Option<usize>,
    /// How many of what is held.
    pub(super) samples: u64,
    /// A signal's next frame may begin so much before the last one's end.
    early_ns: i64,
    /// Inputs of joins that its frames can reach inside the stage.
    pub(super) feeds: Box<[(usize, usize)]>,
    /// Event time up to which a predecessor has delivered.
    pub(super) skip_until: Timestamp,
}

impl SourceState {
    pub(super) fn new(
        slot: usize,
        outputs: &[Format],
        measured: Option<usize>,
        early_ns: i64,
        feeds: Box<[(usize, usize)]>,
    ) -> Self {
        let grids = outputs.iter().map(|format| format.as_signal().map(|s| Grid::new(s.rate)));
        Self {
            slot,
            held: Vec::with_capacity(4),
            due: Timestamp::MIN,
            grids: grids.collect(),
            last_event: Timestamp::MIN,
            finished: false,
            is_silent: false,
            promised: smallvec![Timestamp::MIN; outputs.len()],
            measured,
            samples: 0,
            early_ns,
            feeds,
            skip_until: Timestamp::MIN,
        }
    }

    /// Whether nothing is left to release.
    pub(crate) fn has_ended(&self) -> bool {
        self.finished && !self.holds_something()
    }

    /// Whether something it has made waits for its moment.
    pub(super) fn holds_something(&self) -> bool {
        !self.held.is_empty() || self.is_silent
    }

    /// Goes on where a predecessor was: what lies before is made and thrown away.
    pub(super) fn skip_until(&mut self, released: Timestamp) {
        self.skip_until = released;
    }

    /// The same behind what another has released in its place: what it holds of that is thrown away.
    pub(super) fn going_on_behind(mut self, released: Timestamp) -> Self {
        self.skip_until(released);
        if self.due <= released {
            self.held.clear();
            self.samples = 0;
        }
        self
    }

    /// Makes it end where it is; what it holds was never due and never existed.
    pub(super) fn end(&mut self, slots: &mut [super::Slot]) {
        self.finished = true;
        self.is_silent = false;
        self.held.clear();
        slots[self.slot].out_bounds.fill(Timestamp::MAX);
        slots[self.slot].flushed = true;
        slots[self.slot].counts.reached.raise(Timestamp::MAX);
    }

    /// Takes note of what the source has just made: it is due when a device would deliver the last
    /// of it.
    pub(super) fn enter_held(&mut self) {
        for sent in &self.held {
            let time = sent.frame.header.time;
            let end = match &mut self.grids[sent.port] {
                Some(grid) => {
                    grid.enter(time, sent.frame.len());
                    grid.end()
                }
                None => {
                    self.last_event = time.max(self.last_event);
                    time
                }
            };
            self.due = end.max(self.due);
            if self.measured == Some(sent.port) {
                self.samples += sent.frame.len() as u64;
            }
        }
    }

    /// Takes note of what the source has promised without sending anything: a promise is due at its moment, the
    /// end of a port at once.
    pub(super) fn enter_promises(&mut self, outlets: &[Outlet]) {
        for (outlet, promised) in outlets.iter().zip(&mut self.promised) {
            if outlet.promise > *promised {
                *promised = outlet.promise;
                self.is_silent = true;
                if outlet.promise < Timestamp::MAX {
                    self.due = outlet.promise.max(self.due);
                }
            }
        }
    }

    /// Once all that was held has been released, nothing older will come on `port`: a signal goes on
    /// where it ended, or a little earlier by its word; events lie in what all signals of the source
    /// have reached, or where it has none, after the last event.
    pub(super) fn horizon(&self, port: usize) -> Timestamp {
        let reached = |grid: &Grid| grid.end().plus_nanos(-self.early_ns);
        match &self.grids[port] {
            Some(grid) => reached(grid),
            None => self.grids.iter().flatten().map(reached).min().unwrap_or(self.last_event),
        }
    }

    /// Frames it holds of the output by which it is measured.
    fn held_to_measure(&self) -> usize {
        let counts = |sent: &&Sent| self.measured.is_none_or(|port| sent.port == port);
        self.held.iter().filter(counts).count()
    }

    /// Counts a call that has made what is held now.
    #[cold]
    #[inline(never)]
    pub(super) fn timed(
        &self,
        slow: &mut Slow,
        counts: &NodeCounts,
        began: Timestamp,
        ended: Timestamp,
    ) {
        let time = self.held.first().map_or(self.due, |sent| sent.frame.header.time);
        slow.timed(counts, (began, ended), time, self.held_to_measure() as u64);
    }

    /// Whether this source stands in `slot`.
    pub(super) fn is_at(&self, slot: usize) -> bool {
        self.slot == slot
    }
}

/// In larger stages a frame touches but a part, and asking for all would take longer than it.
const WARM_SLOTS_MAX: usize = 64;
/// So much of a frame that waits is asked for.
const HELD_LINES: usize = 16;
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
        if let Some(turn) = self.pull_straight(now)? {
            return Ok(turn);
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
            let Some(source) = self.next_source() else {
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
            if self.is_blocked {
                return Ok(Turn::Idle);
            }
        }
    }

    /// The source whose frames are due first, of those that have some and may go on.
    #[inline]
    fn next_source(&self) -> Option<usize> {
        let may_go_on = |source: &SourceState| {
            !source.has_ended()
                && (source.feeds.is_empty() || !slot::are_full(&self.slots, &source.feeds))
        };
        match &self.sources[..] {
            [only] => may_go_on(only).then_some(0),
            all => (0..all.len())
                .filter(|&source| may_go_on(&all[source]))
                .min_by_key(|&source| (all[source].due, source)),
        }
    }

    /// Asks a source for its next frames if it holds none. Says no if the turn is over before it has
    /// come to what its predecessor had not delivered.
    fn refill(&mut self, source: usize) -> Step<bool> {
        let state = &mut self.sources[source];
        let slot = state.slot;
        if state.holds_something() {
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
            let began = self.timing.then(|| self.clock.now());
            let flow = body.next(&mut io);
            self.mark.check();
            let flow = flow?;
            let state = &mut self.sources[source];
            std::mem::swap(&mut state.held, &mut self.out);
            if let Some(began) = began {
                state.timed(&mut here.slow, &here.counts, began, self.clock.now());
            }
            if flow == Flow::End {
                state.finished = true;
            }
            if state.held.is_empty() {
                empty += 1;
                if !state.finished {
                    state.enter_promises(&here.ports.outlets);
                }
                // What a predecessor was past is told with what comes next.
                if state.is_silent && state.due > state.skip_until {
                    return Ok(true);
                }
                state.is_silent = false;
            } else {
                state.enter_held();
                if state.due > state.skip_until {
                    return Ok(true);
                }
                // A predecessor has delivered this already.
                state.held.clear();
                state.samples = 0;
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
        if std::mem::take(&mut self.is_cold) {
            self.warm(source);
        }
        // Content comes through the door here, not at the turn's beginning. As fast as it goes,
        // the sink above has just read the clock.
        let entered = match self.pace.speed {
            None => self.looked,
            Some(_) => self.clock.now(),
        };
        let entered = if self.following { self.choose(source, entered) } else { entered };
        self.entered = entered;
        self.mark.step();
        // Told first: a successor must not deliver again what a body below never comes back from.
        self.mark.released[source].store(self.sources[source].due.nanos(), Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let state = &mut self.sources[source];
        state.is_silent = false;
        here.counts.samples.add(std::mem::take(&mut state.samples));
        let held = &mut state.held;
        match here.sole_local() {
            Some((next, line)) if held.len() == 1 => {
                here.sole_counts.sent.add(1);
                self.current = Sent::pop(held).map(|sent| here.admit(sent, entered));
                self.chain(next, line)?;
            }
            _ if held.len() == 1 => {
                let sent = Sent::pop(held).expect("one");
                self.admit_out(slot, sent, entered);
            }
            _ => {
                let mut held = std::mem::take(held);
                for sent in held.drain(..) {
                    let port = sent.port;
                    let frame = self.slots[slot].admit(sent, entered);
                    self.route(slot, port, frame);
                }
                self.sources[source].held = held;
            }
        }
        self.run_work()?;
        let here = &mut self.slots[slot];
        for (port, known) in here.out_bounds.iter_mut().enumerate() {
            let promise = here.ports.outlets[port].promise;
            let reached = self.sources[source].horizon(port);
            *known = reached.max(promise).max(*known);
        }
        if self.sources[source].finished {
            self.end_source(source);
        }
        if self.any_watched || self.ending { self.settle() } else { Ok(()) }
    }

    /// Asks for the memory that the frames of this source will touch, all at once.
    pub(super) fn warm(&self, source: usize) {
        if self.slots.len() > WARM_SLOTS_MAX {
            return;
        }
        for slot in &self.slots {
            prefetch::bytes(slot, slot::HOT_BYTES);
        }
        for sent in &self.sources[source].held {
            for part in sent.frame.buffer().bytes().chunks(64).take(HELD_LINES) {
                prefetch::line(part);
            }
        }
        for part in self.spare.bytes().chunks(64).take(HELD_LINES) {
            prefetch::line(part);
        }
        for slot in &self.slots {
            prefetch::bytes(&*slot.sole_counts, size_of::<EdgeCounts>());
            match &slot.body {
                SlotBody::Source(body) => prefetch::line(&raw const **body),
                SlotBody::Operator(body) => prefetch::line(&raw const **body),
                SlotBody::Block(body) => prefetch::line(&raw const **body),
                SlotBody::Sink(body) => prefetch::line(&raw const **body),
                SlotBody::Call(body) => prefetch::line(&raw const **body),
                SlotBody::Bypass | SlotBody::HoldLast(_) | SlotBody::Closed | SlotBody::Empty => {}
            }
        }
    }

    pub(super) fn end_source(&mut self, source: usize) {
        let slot = self.sources[source].slot;
        let here = &mut self.slots[slot];
        here.out_bounds.fill(Timestamp::MAX);
        here.flushed = true;
        here.counts.reached.raise(Timestamp::MAX);
        self.ending = true;
        self.settled = false;
    }
}
