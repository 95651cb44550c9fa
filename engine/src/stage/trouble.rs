//! What happens in a stage when a body fails, and what control can do to it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, atomic::Ordering},
};

use crate::{
    body::Body,
    fault::Fault,
    frame::{Frame, Gap},
    io::MayFlush,
    kind::Node,
    stats::StageState,
    time::Timestamp,
};

use super::{NOBODY, Slot, SlotBody, Stage};

/// A body that failed and has not been replaced yet.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) slot: usize,
    pub(crate) fault: Fault,
    /// Whether somebody has been told.
    pub(crate) told: bool,
}

/// The last frame a body of the stage died on, for whoever wants to see why.
#[derive(Default)]
pub(crate) struct Poison(Mutex<Option<(usize, Frame)>>);

impl Poison {
    /// The node of the plan and the frame.
    pub(crate) fn last(&self) -> Option<(usize, Frame)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn keep(&self, node: usize, frame: Frame) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((node, frame));
    }
}

impl Stage {
    /// The body at work has failed: the frame it died on is dropped, what it sent in that call
    /// never existed, everything else stays where it is.
    pub(crate) fn failed(&mut self, fault: Fault) {
        let slot = self.mark.slot.load(Ordering::Relaxed);
        // Between bodies only the stage itself could fail; its first node answers for it.
        let slot = if slot == NOBODY { 0 } else { slot as usize };
        self.out.clear();
        let current = self.current.take();
        let here = &mut self.slots[slot];
        here.body = SlotBody::Empty;
        if here.ports.flush == MayFlush::Asked {
            here.ports.flush = MayFlush::May;
        }
        if let Some(frame) = current
            && !here.line_counts.is_empty()
        {
            here.counts.poison.add(1);
            here.line_counts[self.current_line].lose(Gap::Poison, &frame.header);
            if let Some(aligner) = &mut here.aligner {
                aligner.used_up(|line, frames| here.line_counts[line].dropped(Gap::Poison, frames));
            }
            here.ports.aligned.fill(None);
            self.poison.keep(here.node, frame);
        }
        self.lose_question(slot);
        self.counts.set_state(StageState::Trouble);
        self.trouble = Some(Trouble { slot, fault, told: false });
    }

    /// The body that failed and waits for a successor.
    pub(crate) fn trouble_mut(&mut self) -> Option<&mut Trouble> {
        self.trouble.as_mut()
    }

    /// Whether the body in this slot has failed and waits for a successor.
    pub(crate) fn is_in_trouble(&self, slot: usize) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.slot == slot)
    }

    /// Puts a body into a slot. Whatever it sends next follows a gap.
    pub(crate) fn put(&mut self, slot: usize, body: SlotBody) {
        let here = &mut self.slots[slot];
        match body {
            // What passes unchanged is not delayed.
            SlotBody::Bypass => (here.delay_ns, here.look_back_ns) = (0, 0),
            SlotBody::HoldLast(_) | SlotBody::Closed => {}
            _ => here.counts.restarts.add(1),
        }
        here.body = body;
        if !self.restart_before_question(slot) {
            self.slots[slot].gap(Gap::Restart);
        }
        if self.trouble.as_ref().is_some_and(|trouble| trouble.slot == slot) {
            self.trouble = None;
        }
        self.settled = false;
    }

    /// Lets the node repeat what it said last from now on.
    pub(crate) fn hold_last(&mut self, slot: usize) {
        let here = &mut self.slots[slot];
        let last = here.last.take().unwrap_or_else(|| vec![None; here.routes.len()].into());
        self.put(slot, SlotBody::HoldLast(last));
    }

    /// The slot of a node of the plan.
    pub(crate) fn slot_of(&self, node: usize) -> Option<usize> {
        self.slots.iter().position(|slot| slot.node == node)
    }

    /// Saves the state of every body that has one, each into its own buffer.
    pub(crate) fn save(&self, into: &mut [Vec<u8>]) {
        for (at, (slot, state)) in self.slots.iter().zip(into).enumerate() {
            self.mark.slot.store(at as u32, Ordering::Relaxed);
            slot.save(state);
        }
        self.mark.slot.store(NOBODY, Ordering::Relaxed);
    }

    /// Forgets the state of the body in trouble, which may be half written.
    pub(crate) fn forget(&self, saves: &mut [Vec<u8>]) {
        if let Some(trouble) = &self.trouble {
            saves[trouble.slot].clear();
        }
    }

    /// Gives the body in a slot a state saved by its like.
    pub(crate) fn load(&mut self, slot: usize, state: &[u8]) -> Result<(), Fault> {
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let done = self.slots[slot].load(state);
        self.mark.slot.store(NOBODY, Ordering::Relaxed);
        done
    }

    /// Changes live parameters of the body in a slot.
    pub(crate) fn retune(&mut self, slot: usize, node: &Node<'_>) -> Result<(), Fault> {
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let done = self.slots[slot].retune(node);
        self.mark.slot.store(NOBODY, Ordering::Relaxed);
        done
    }

    /// Makes this stage the successor of one that was given up: states are taken up, sources go on
    /// where they were, and everything it sends follows a gap.
    /// Where states are older than a flush, bodies start fresh.
    pub(crate) fn succeed(&mut self, states: &[Vec<u8>], saved_at: u32, released: &[Timestamp]) {
        for (at, state) in states.iter().enumerate() {
            let is_void = self.is_state_void(at, saved_at);
            let slot = &mut self.slots[at];
            if !state.is_empty() && !is_void {
                // A state its own kind refuses, or dies on, is no state: the body starts fresh.
                let loaded = catch_unwind(AssertUnwindSafe(|| slot.load(state)));
                if loaded.is_err() {
                    let _ = catch_unwind(AssertUnwindSafe(|| slot.reset()));
                }
            }
            slot.gap(Gap::Wedged);
            slot.counts.restarts.add(1);
        }
        for (source, &released) in self.sources.iter_mut().zip(released) {
            source.skip_until(released);
        }
    }
}

impl Slot {
    pub(super) fn reset(&mut self) {
        match &mut self.body {
            SlotBody::Operator(operator) => operator.reset(),
            SlotBody::Block(block) => block.reset(),
            _ => {}
        }
    }

    /// Saves the body's state; nothing if it has none.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        into.clear();
        match &self.body {
            SlotBody::Operator(operator) => operator.save(into),
            SlotBody::Block(block) => block.save(into),
            SlotBody::Call(call) => call.save(into),
            _ => {}
        }
    }

    /// Gives the body a state saved by its like. One that is refused may be half taken up: then it
    /// forgets everything.
    pub(crate) fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        let done = match &mut self.body {
            SlotBody::Operator(operator) => operator.load(state),
            SlotBody::Block(block) => block.load(state),
            SlotBody::Call(call) => return call.load(state),
            _ => return Err(Fault::new("this kind saves no state")),
        };
        done.inspect_err(|_| self.reset())
    }

    /// Changes live parameters of the body.
    pub(crate) fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        match &mut self.body {
            SlotBody::Operator(operator) => operator.retune(node),
            SlotBody::Block(block) => block.retune(node),
            SlotBody::Source(source) => source.retune(node),
            SlotBody::Call(call) => call.retune(node),
            SlotBody::Sink(_)
            | SlotBody::Bypass
            | SlotBody::HoldLast(_)
            | SlotBody::Closed
            | SlotBody::Empty => Err(Fault::new("none of its parameters can change while it runs")),
        }
    }
}

impl SlotBody {
    /// A body that can stand in a stage.
    pub(crate) fn of(body: Body) -> Self {
        match body {
            Body::Source(source) => Self::Source(source),
            Body::Operator(operator) => Self::Operator(operator),
            Body::Block(block) => Self::Block(block),
            Body::Sink(sink) => Self::Sink(sink),
            Body::Call(call) => Self::Call(call),
            Body::Live(_) => panic!("a body that waits cannot stand in a stage"),
        }
    }
}
