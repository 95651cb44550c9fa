//! One turn of a stage: what it takes in, from rings and sources, and when it has done enough.

use std::sync::atomic::Ordering;

use crate::{frame::Gap, stats::StageState, time::Timestamp};

use super::{NOBODY, SourceState, Stage, Step, Turn, Work, slot};

/// What one turn does at most, in frames taken in or joined and timers fired, so that the cells of a
/// core share it.
pub(super) const FRAMES_PER_TURN: usize = 256;
/// After so long without a turn, others have had the caches.
const COLD_NS: i64 = 100_000;
/// One turn in this many is timed node by node.
const TURNS_PER_TIMED: u32 = 256;

impl Stage {
    /// One turn: what waited for room first, then at most [`FRAMES_PER_TURN`] input frames.
    ///
    /// Panics of bodies come out as panics; the cell catches them and calls [`Stage::failed`].
    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        if self.trouble.is_some() {
            if self.is_flushed() {
                // Those above may wait for room; bodies forget when all are there.
                self.drop_void();
                self.publish();
            }
            return Turn::Trouble;
        }
        self.turns = self.turns.wrapping_add(1);
        self.slow_ns = self.steps.slow_ns();
        self.timing = self.is_timed_turn();
        self.following = self.steps.is_on();
        if self.following {
            self.begin_following();
        } else if self.stepping.is_some() {
            self.end_following();
        }
        if self.slow_ns > 0 {
            self.turn_began = self.clock.now();
        }
        let turn = match self.take_inputs(now) {
            Ok(turn) => turn,
            Err(fault) => {
                self.failed(fault);
                Turn::Trouble
            }
        };
        let freed = self.close_turn(turn, now);
        // What kept the stage from going on is gone, and nobody else will say so.
        if freed && turn == Turn::Idle { Turn::More } else { turn }
    }

    /// Whether everything in this turn is timed.
    #[inline]
    pub(super) const fn is_timed_turn(&self) -> bool {
        self.turns % TURNS_PER_TIMED == 1 || self.slow_ns > 0
    }

    /// Ends a turn, also one that a body died in: neighbours learn of what has gone through, and of
    /// the room there is. Says whether a backlog is gone.
    pub(crate) fn close_turn(&mut self, turn: Turn, now: Timestamp) -> bool {
        let freed = self.publish();
        for &sink in &self.sinks {
            let sink = &mut self.slots[sink];
            if let Some(latency) = &mut sink.latency {
                if latency.waits() {
                    self.looked = self.watch.now(&self.clock);
                    latency.arrived(self.looked);
                }
                latency.settle();
            }
            if sink.watched {
                sink.counts.reached.raise(sink.input_bound());
            }
        }
        if !self.taps.is_empty() {
            self.look_after_taps();
        }
        if self.slow_ns > 0 {
            self.tell_slow(now);
            if turn == Turn::Done {
                self.tell_slow_rest(now);
            }
        }
        for inlet in &mut self.inlets {
            inlet.ring.release();
        }
        self.mark.slot.store(NOBODY, Ordering::Relaxed);
        self.tell(turn, now);
        freed
    }

    /// Shows what the turn was like: the state of the stage, and the latency of the last frame.
    fn tell(&mut self, turn: Turn, now: Timestamp) {
        let state = match turn {
            Turn::Trouble => StageState::Trouble,
            Turn::Done => StageState::Done,
            _ if self.paused => StageState::Paused,
            _ => StageState::Running,
        };
        self.counts.set_state(state);
        if self.left < self.per_turn {
            // A sink has read the clock just now.
            let ended = if self.looked > now { self.looked } else { self.clock.now() };
            self.counts.left(ended.since(self.entered));
        }
    }

    fn take_inputs(&mut self, now: Timestamp) -> Step<Turn> {
        self.is_cold = now.since(self.looked) > COLD_NS;
        self.looked = now;
        self.watch.stop();
        self.left = self.per_turn;
        if self.flushes.is_some() {
            self.look_at_flushes()?;
        }
        if !self.flush_backlog() && !self.drain_urgent()? {
            return Ok(Turn::Idle);
        }
        self.run_work()?;
        if !self.settled {
            self.settle()?;
        }
        if !self.asking.is_empty() {
            self.take_answers(now)?;
        }
        if self.any_patience {
            self.drain_inlets_in_step()?;
        } else {
            self.drain_inlets()?;
        }
        if self.is_blocked {
            return Ok(Turn::Idle);
        }
        let mut until = Turn::Idle;
        if !self.sources.is_empty() && !self.is_asked_enough() {
            until = self.pull_sources(now)?;
        }
        if let Some(late) = self.patience_ends() {
            until = match until {
                Turn::Idle => Turn::Until(late),
                Turn::Until(at) => Turn::Until(at.min(late)),
                other => other,
            };
        }
        if self.is_blocked {
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

    /// Takes in what may make room below; says whether it has.
    fn drain_urgent(&mut self) -> Step<bool> {
        if self.is_root() {
            for inlet in 0..self.inlets.len() {
                if self.inlets[inlet].is_urgent {
                    self.drain_inlet(inlet, usize::MAX)?;
                }
            }
        }
        Ok(!self.is_blocked)
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
        while self.left > 0 && !self.is_blocked {
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
        let is_following = self.following;
        for _ in 0..most {
            if self.left == 0 || self.is_stuck(inlet) || self.is_held_up(inlet) {
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
            if is_following {
                self.inlets[inlet].ring.count();
                self.look_at_taken(self.entered);
            }
            self.mark.step();
            if self.flushes.is_some() && self.is_void(inlet)? {
                continue;
            }
            self.chain(slot, line)?;
            if !self.work.is_empty() {
                self.run_work()?;
            }
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

    /// Whether the frame just taken in is void, or was dealt with after a flush that came with it.
    fn is_void(&mut self, inlet: usize) -> Step<bool> {
        let (slot, line) = (self.inlets[inlet].slot, self.inlets[inlet].line);
        let is_flushed = self.is_flushed();
        if is_flushed {
            // Should a body die while it forgets, the frame waits for another.
            let frame = self.current.take().expect("just taken in");
            self.work.push(Work { slot, line, frame, entered: false });
            self.look_at_flushes()?;
            match self.work.pop() {
                Some(work) => self.current = Some(work.frame),
                None => return Ok(true),
            }
        }
        let header = &self.current.as_ref().expect("just taken in").header;
        if header.epoch < self.inlets[inlet].required {
            self.slots[slot].line_counts[line].lose(Gap::Flush, header);
            self.current = None;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether there is no room below for what this ring's frames may cause.
    fn is_stuck(&self, inlet: usize) -> bool {
        self.is_blocked && !(self.inlets[inlet].is_urgent && self.is_root() && !self.is_crammed())
    }

    /// Whether so many frames wait for room that even what is urgent must.
    fn is_crammed(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.backlog.len() > FRAMES_PER_TURN)
    }

    /// Whether what this ring holds must wait, since too many of its frames wait to be joined with
    /// those of another input.
    fn is_held_up(&self, inlet: usize) -> bool {
        let feeds = &self.inlets[inlet].feeds;
        self.is_asked_enough() || (!feeds.is_empty() && slot::are_full(&self.slots, feeds))
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

    /// Whether every stream has ended and everything has left.
    fn is_done(&self) -> bool {
        self.ending
            && self.slots.iter().all(|slot| slot.flushed)
            && self.sources.iter().all(SourceState::has_ended)
            && self.questions() == 0
            && !self.is_blocked
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
}
