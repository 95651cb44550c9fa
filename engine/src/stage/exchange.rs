//! Another body in the place of one, between two turns: what the runtime keeps for the node goes on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use crate::{frame::Gap, time::Timestamp};

use super::{Slot, SlotBody, SourceState, Stage, Wiring, build};

/// What an exchange leaves behind.
pub(crate) struct Exchanged {
    /// The body that was there, untouched since.
    pub(crate) body: SlotBody,
    /// What the new one was given of what the old one knew; nothing if it has begun fresh.
    pub(crate) state: Option<Vec<u8>>,
    /// Of a source: what it had made that was not due.
    pub(crate) source: Option<Box<SourceState>>,
}

impl Stage {
    /// Whether the source in a slot has made its last frame, so that another has nothing to add.
    pub(crate) fn has_ended_at(&self, slot: usize) -> bool {
        self.slots[slot].flushed
    }

    /// Whether a body could stand in a slot: open questions are a call's alone.
    pub(crate) fn could_take(&self, slot: usize, body: &SlotBody) -> bool {
        let is_asking = self.asking.iter().any(|asking| asking.slot() == slot);
        is_asking == matches!(body, SlotBody::Call(_))
    }

    /// Puts another body into a slot, as `wiring` has its node by now. Numbers and bounds, what waits
    /// to be joined, open questions and the rest of what the runtime keeps for the node go on. The new
    /// body takes up what the old one knew if it is `alike` and agrees; what it says next follows a
    /// gap otherwise.
    pub(crate) fn exchange(
        &mut self,
        wiring: Wiring<'_>,
        slot: usize,
        body: SlotBody,
        alike: bool,
    ) -> Exchanged {
        let node = self.slots[slot].node;
        let routes = std::mem::take(&mut self.slots[slot].routes);
        let state = if alike { self.slots[slot].known() } else { Vec::new() };
        let new = build::slot(wiring, node, body, routes);
        let old = std::mem::replace(&mut self.slots[slot], new);
        let body = self.slots[slot].succeed(old);
        self.trouble.take_if(|trouble| trouble.slot == slot);
        let source = self.exchange_source(wiring, slot);
        let state = Some(state).filter(|state| {
            !state.is_empty() && {
                self.mark.slot.store(slot as u32, Ordering::Relaxed);
                let is_taken = self.slots[slot].takes(state);
                self.mark.slot.store(super::NOBODY, Ordering::Relaxed);
                is_taken
            }
        });
        self.treat(wiring, slot);
        if state.is_none() {
            self.begin_fresh(slot);
        }
        Exchanged { body, state, source }
    }

    /// Puts a body back that stood in a slot before, and knows what it knew then.
    pub(crate) fn put_back(&mut self, wiring: Wiring<'_>, slot: usize, before: Exchanged) {
        drop(self.exchange(wiring, slot, before.body, false));
        let number = self.sources.iter().position(|source| source.is_at(slot));
        if let (Some(number), Some(source)) = (number, before.source) {
            let released = self.sources[number].skip_until;
            self.sources[number] = source.going_on_behind(released);
        }
    }

    /// Takes note of how the runtime treats a node by now.
    pub(crate) fn treat(&mut self, wiring: Wiring<'_>, slot: usize) {
        let here = &mut self.slots[slot];
        let planned = &wiring.plan.nodes[here.node];
        let keeps_last = planned.on_fault == crate::graph::OnFault::HoldLast;
        if keeps_last != here.last.is_some() && !matches!(here.body, SlotBody::HoldLast(_)) {
            here.last = keeps_last.then(|| vec![None; here.routes.len()].into());
        }
        here.watched = planned.watched;
        here.set_tapped(here.is_tapped);
        if let Some(asking) = self.asking.iter_mut().find(|asking| asking.slot() == slot) {
            asking.set_retries(planned.retries.unwrap_or(0));
        }
        self.any_watched = self.slots.iter().any(|slot| slot.watched);
        self.any_patience = self.slots.iter().any(Slot::gives_up);
        self.settled = false;
    }

    /// What a new body says first is not what the old one would have gone on with.
    fn begin_fresh(&mut self, slot: usize) {
        if self.asking.iter().any(|asking| asking.slot() == slot) {
            self.gap_before_question(slot, Gap::Restart);
        } else {
            self.slots[slot].gap(Gap::Restart);
        }
    }

    /// A new source goes on where the old one was: what that has made and not released was never due.
    fn exchange_source(&mut self, wiring: Wiring<'_>, slot: usize) -> Option<Box<SourceState>> {
        let number = self.sources.iter().position(|source| source.is_at(slot))?;
        let released = self.mark.released[number].load(Ordering::Relaxed);
        let mut new = build::source(wiring, &self.slots, slot);
        new.skip_until(Timestamp::from_nanos(released));
        Some(Box::new(std::mem::replace(&mut self.sources[number], new)))
    }
}

impl Slot {
    /// What the body knows; nothing if it cannot say.
    fn known(&self) -> Vec<u8> {
        let mut state = Vec::new();
        let told = catch_unwind(AssertUnwindSafe(|| self.save(&mut state)));
        if told.is_err() {
            state.clear();
        }
        state
    }

    /// Gives the body what its like knew; says whether it has taken it up.
    fn takes(&mut self, state: &[u8]) -> bool {
        match catch_unwind(AssertUnwindSafe(|| self.load(state))) {
            Ok(done) => done.is_ok(),
            Err(_) => {
                // It may be half taken up.
                let _ = catch_unwind(AssertUnwindSafe(|| self.reset()));
                false
            }
        }
    }

    /// Goes on where another slot of the same node was; gives its body.
    fn succeed(&mut self, old: Self) -> SlotBody {
        self.epoch = old.epoch;
        self.flushed = old.flushed;
        self.seqs = old.seqs;
        self.line_bounds = old.line_bounds;
        self.out_bounds = old.out_bounds;
        (self.gaps, self.any_gap) = (old.gaps, old.any_gap);
        (self.held, self.before_gap, self.to_forget) = (old.held, old.before_gap, old.to_forget);
        if self.last.is_some() {
            self.last = old.last.or(self.last.take());
        }
        if self.latency.is_some() {
            self.latency = old.latency;
        }
        for (line, before) in self.ports.lines.iter_mut().zip(&old.ports.lines) {
            line.grid = line.grid.map(|fresh| before.grid.unwrap_or(fresh));
        }
        if self.arriving.len() == old.arriving.len() {
            self.arriving = old.arriving;
        }
        if let (Some(aligner), Some(before)) = (&mut self.aligner, old.aligner) {
            aligner.succeed(before);
        }
        // What passes unchanged is not delayed.
        if matches!(self.body, SlotBody::Bypass) {
            (self.delay_ns, self.look_back_ns) = (0, 0);
        }
        self.set_tapped(old.is_tapped);
        old.body
    }
}
