//! Taps at the outputs of a stage: who looks on gets a handle on what passes.

use crate::{
    frame::Frame,
    tap::{Onlooker, TapEnd},
};

use super::{Stage, Wiring};

/// One tap.
pub(super) struct Tapping {
    slot: usize,
    port: usize,
    end: TapEnd,
}

impl Stage {
    /// Asks who looks on about every output.
    pub(super) fn let_look_on(&mut self, wiring: Wiring<'_>, onlooker: &Onlooker) {
        for slot in 0..self.slots.len() {
            let node = self.slots[slot].node;
            for (port, output) in wiring.plan.outputs_of_node(node).enumerate() {
                for end in onlooker(wiring.session, &output) {
                    let can_wait = wiring.plan.can_wait();
                    self.tap(node, port, if can_wait { end } else { end.impatient() });
                }
            }
        }
    }

    /// Shows what passes at an output of `node` from now on.
    pub(crate) fn tap(&mut self, node: usize, port: usize, end: TapEnd) {
        let Some(slot) = self.slot_of(node) else { return };
        self.taps.push(Tapping { slot, port, end });
        self.slots[slot].set_tapped(true);
    }

    /// Shows a frame on its way out of a slot.
    #[cold]
    pub(super) fn show(&mut self, slot: usize, port: usize, frame: &Frame) {
        let reached = self.slots[slot].out_bounds[port];
        for tap in self.taps.iter_mut().filter(|tap| tap.slot == slot && tap.port == port) {
            tap.end.reached(reached);
            // Whoever waits is not taken for one that never returns.
            tap.end.frame_while(frame, || self.mark.step());
        }
    }

    /// At the end of a turn: shows how far outputs are, and forgets who has left.
    #[cold]
    pub(super) fn look_after_taps(&mut self) {
        for tap in &mut self.taps {
            tap.end.bound(self.slots[tap.slot].out_bounds[tap.port]);
        }
        if self.taps.iter().any(|tap| tap.end.is_left()) {
            self.taps.retain(|tap| !tap.end.is_left());
            for slot in 0..self.slots.len() {
                self.slots[slot].set_tapped(self.taps.iter().any(|tap| tap.slot == slot));
            }
        }
    }
}
