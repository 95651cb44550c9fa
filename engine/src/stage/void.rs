//! What a flush leaves of a stage: see [`flush`](crate::flush).
//!
//! First everything that is void goes, of all slots, so that a body that dies while it forgets leaves
//! nothing behind; then the bodies forget, those nearest to the root first.

use std::sync::atomic::Ordering;

use crate::{
    flush::{Flushes, Roots, Seen},
    frame::Gap,
    io::MayFlush,
};

use super::{Route, SlotBody, Stage, Step, Work};

use std::sync::Arc;

/// What a stage knows of flushes that concern it.
pub(super) struct Watch {
    pub(super) seen: Seen,
    /// The number of its only node, if that is a root.
    root: Option<usize>,
    /// Some body has yet to forget what it knows.
    must_forget: bool,
}

impl Watch {
    /// For a stage whose slots are subject to `roots`, if there are any.
    pub(super) fn new(
        flushes: &Arc<Flushes>,
        roots: Roots,
        root: Option<usize>,
    ) -> Option<Box<Self>> {
        (!roots.is_empty())
            .then(|| Box::new(Self { seen: Seen::new(flushes), root, must_forget: false }))
    }
}

impl Stage {
    /// Whether there was a flush that it has not looked at.
    #[inline]
    pub(super) fn is_flushed(&self) -> bool {
        self.flushes.as_ref().is_some_and(|watch| watch.seen.is_old())
    }

    /// Whether its only node flushes.
    pub(super) fn is_root(&self) -> bool {
        self.flushes.as_ref().is_some_and(|watch| watch.root.is_some())
    }

    /// The number of the last flush it has looked at.
    pub(crate) fn last_flush(&self) -> u32 {
        self.flushes.as_ref().map_or(0, |watch| watch.seen.latest())
    }

    /// Whether a state of a body that was saved when `saved_at` was the last flush is made of what is
    /// void by now.
    pub(crate) fn is_state_void(&self, slot: usize, saved_at: u32) -> bool {
        let Some(watch) = &self.flushes else { return false };
        let above = self.slots[slot].line_roots.iter().copied().fold(Roots::NONE, Roots::and);
        watch.seen.required(above) > saved_at
    }

    /// Raises a flush if the body of a root has asked for it in the call that is just over. What it sent in
    /// that call is of the new epoch.
    pub(super) fn flush_if_asked(&mut self, slot: usize) {
        let asked = &mut self.slots[slot].ports.flush;
        if *asked != MayFlush::Asked {
            return;
        }
        *asked = MayFlush::May;
        let watch = self.flushes.as_mut().expect("a root is subject to itself");
        watch.seen.flushes().raise(watch.root.expect("only roots may ask"));
        let above = self.slots[slot].line_roots.iter().copied().fold(Roots::NONE, Roots::and);
        if self.drop_void().meets(above) {
            // What it was made of is void by now.
            self.out.clear();
        }
    }

    /// Looks at what has been flushed: drops what is void and lets bodies forget.
    pub(super) fn look_at_flushes(&mut self) -> Step {
        self.drop_void();
        self.forget_void()
    }

    /// Drops everything that is void, and gives the roots that have flushed.
    #[cold]
    pub(super) fn drop_void(&mut self) -> Roots {
        let Some(watch) = &mut self.flushes else { return Roots::NONE };
        let risen = watch.seen.look();
        if risen.is_empty() {
            return risen;
        }
        for inlet in &mut self.inlets {
            inlet.required = watch.seen.required(self.slots[inlet.slot].line_roots[inlet.line]);
        }
        for slot in 0..self.slots.len() {
            if self.slots[slot].roots.meets(risen) {
                self.void_outputs(slot);
            }
            if self.slots[slot].line_roots.iter().any(|roots| roots.meets(risen)) {
                self.void_inputs(slot, risen);
            }
        }
        self.is_blocked = self.outlets.iter().any(|outlet| !outlet.backlog.is_empty());
        self.settled &= !(self.any_watched || self.ending);
        risen
    }

    /// What a slot has sent and nobody has taken yet is void.
    fn void_outputs(&mut self, slot: usize) {
        let watch = self.flushes.as_ref().expect("something was flushed");
        let here = &mut self.slots[slot];
        here.epoch = watch.seen.required(here.roots);
        here.gap(Gap::Flush);
        // What it said last may not be said again.
        if let Some(last) = &mut here.last {
            last.fill(None);
        }
        if let SlotBody::HoldLast(last) = &mut here.body {
            last.fill(None);
        }
        for route in here.routes.iter().flatten() {
            if let Route::Ring { outlet, counts } = route {
                for frame in self.outlets[*outlet].backlog.drain(..) {
                    counts.lose(Gap::Flush, &frame.header);
                }
            }
        }
    }

    /// What waits at a slot and was sent before the flush is void.
    fn void_inputs(&mut self, slot: usize, risen: Roots) {
        let watch = self.flushes.as_mut().expect("something was flushed");
        watch.must_forget = true;
        let here = &mut self.slots[slot];
        here.to_forget = here.to_forget.and(risen);
        for (line, &roots) in here.line_roots.iter().enumerate() {
            let required = watch.seen.required(roots);
            let counts = &here.line_counts[line];
            if let Some(aligner) = &mut here.aligner {
                aligner.void(line, required, |header| counts.lose(Gap::Flush, header));
            }
            self.work.retain(|work: &Work| {
                let is_void =
                    work.slot == slot && work.line == line && work.frame.header.epoch < required;
                if is_void {
                    counts.lose(Gap::Flush, &work.frame.header);
                }
                !is_void
            });
        }
        self.void_questions(slot, risen);
        self.hold_back(slot);
    }

    /// Lets bodies forget what they made of what is void.
    pub(super) fn forget_void(&mut self) -> Step {
        if !self.flushes.as_ref().is_some_and(|watch| watch.must_forget) {
            return Ok(());
        }
        // Should one die of it, the others forget in the next turn.
        (0..self.slots.len()).try_for_each(|slot| self.forget_at(slot))?;
        self.flushes.iter_mut().for_each(|watch| watch.must_forget = false);
        Ok(())
    }

    fn forget_at(&mut self, slot: usize) -> Step {
        let here = &mut self.slots[slot];
        let risen = std::mem::take(&mut here.to_forget);
        if risen.is_empty() {
            return Ok(());
        }
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let done = match &mut here.body {
            SlotBody::Operator(operator) => {
                operator.reset();
                Ok(())
            }
            SlotBody::Block(block) => {
                block.reset();
                Ok(())
            }
            SlotBody::Call(call) => {
                call.void();
                Ok(())
            }
            SlotBody::Sink(sink) => {
                let roots = here.line_roots.iter();
                let mut void = roots.enumerate().filter(|(_, roots)| roots.meets(risen));
                void.try_for_each(|(line, _)| sink.flush(line))
            }
            _ => Ok(()),
        };
        self.mark.check();
        done
    }
}
