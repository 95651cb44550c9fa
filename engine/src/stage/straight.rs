//! The straight way: the frames of a stage's only source, one at a time, as long as nothing else happens.
//!
//! What [`Stage::pull_sources`] asks for every frame (which source is behind, who waits for a bound, whether
//! something has ended) cannot change here from one frame to the next, so it is asked once a turn. Whatever
//! is out of the ordinary is left to it, at a moment at which it could have begun.

use std::sync::atomic::Ordering;

use crate::{
    body::Flow,
    io::{Io, Sent},
    time::Timestamp,
};

use super::{SlotBody, Stage, Step, Turn, source::SourceState};

impl SourceState {
    /// Whether frames can go the straight way: nothing has to be skipped, and no join be asked.
    fn is_straight(&self) -> bool {
        let caught_up = self.skip_until == Timestamp::MIN || self.due > self.skip_until;
        let is_plain = !self.finished && !self.is_silent && self.held.len() <= 1;
        is_plain && self.feeds.is_empty() && caught_up
    }
}

impl Stage {
    /// Releases what is due of the only source. `None` leaves the rest of the turn to
    /// [`Stage::pull_sources`].
    pub(super) fn pull_straight(&mut self, now: Timestamp) -> Step<Option<Turn>> {
        let [source] = &self.sources[..] else { return Ok(None) };
        let slot = source.slot;
        let is_plain = source.is_straight()
            && self.slots[slot].out_bounds.len() == 1
            && self.settled
            && !(self.paused || self.any_watched || self.ending);
        if !is_plain {
            return Ok(None);
        }
        let turn = self.go_straight(slot, now)?;
        if !self.sources[0].holds_something() {
            self.raise_sole(slot);
        }
        Ok(turn)
    }

    #[inline]
    fn go_straight(&mut self, slot: usize, now: Timestamp) -> Step<Option<Turn>> {
        let (is_paced, is_following) = (self.pace.speed.is_some(), self.following);
        loop {
            if self.sources[0].held.is_empty() {
                // Before the next frame is counted: what has been released reaches so far.
                self.raise_sole(slot);
                if !self.make_one(slot)? {
                    return Ok(None);
                }
            }
            let due = self.sources[0].due;
            if is_paced {
                let at = self.pace.clock_at(due);
                if at > now {
                    return Ok(Some(Turn::Until(at)));
                }
            }
            if self.left == 0 {
                return Ok(Some(Turn::More));
            }
            self.left -= 1;
            if std::mem::take(&mut self.is_cold) {
                self.warm(0);
            }
            // As in `release`.
            self.entered = if is_paced { self.clock.now() } else { self.looked };
            if is_following {
                self.entered = self.choose(0, self.entered);
            }
            self.mark.step();
            self.mark.released[0].store(due.nanos(), Ordering::Relaxed);
            let state = &mut self.sources[0];
            let here = &mut self.slots[slot];
            here.counts.samples.add(std::mem::take(&mut state.samples));
            let Some(sent) = Sent::pop(&mut state.held) else { return Ok(None) };
            match here.sole_local() {
                Some((next, line)) => {
                    here.sole_counts.sent.add(1);
                    // Written where it stays: a frame that both ways had in common would be moved as a
                    // whole just after its parts were written, and wait for the writes.
                    self.current = Some(here.admit(sent, self.entered));
                    self.chain(next, line)?;
                }
                None => self.admit_out(slot, sent, self.entered),
            }
            if !self.work.is_empty() {
                self.run_work()?;
            }
            if self.is_blocked {
                return Ok(Some(Turn::Idle));
            }
            if self.sources[0].finished || self.ending || !self.settled {
                return Ok(None);
            }
        }
    }

    /// Asks the only source for its next frame; says no if it made none, or several.
    #[inline]
    fn make_one(&mut self, slot: usize) -> Step<bool> {
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let SlotBody::Source(body) = &mut here.body else { return Ok(false) };
        let mut io = Io { ports: &mut here.ports, frame: None, out: &mut self.out };
        let began = self.timing.then(|| self.clock.now());
        let flow = body.next(&mut io);
        self.mark.check();
        let flow = flow?;
        let state = &mut self.sources[0];
        std::mem::swap(&mut state.held, &mut self.out);
        if let Some(began) = began {
            state.timed(&mut here.slow, &here.counts, began, self.clock.now());
        }
        state.finished = flow == Flow::End;
        state.enter_held();
        if state.held.is_empty() && !state.finished {
            state.enter_promises(&self.slots[slot].ports.outlets);
        }
        Ok(state.held.len() == 1 && !state.finished)
    }

    /// Takes note of how far the only source has come, with nothing held.
    #[inline]
    fn raise_sole(&mut self, slot: usize) {
        let state = &self.sources[0];
        let here = &mut self.slots[slot];
        let promise = here.ports.outlets[0].promise;
        let known = &mut here.out_bounds[0];
        *known = state.horizon(0).max(promise).max(*known);
    }
}
