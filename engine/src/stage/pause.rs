//! Pauses of generating sources.
//!
//! Where all is generated, time stands still meanwhile and nothing is missing afterwards. Where a
//! device goes on beside them, so do they, or the two would lie apart from then on: what they bring
//! is dropped as `paused`, as the device's is, and a gap is told afterwards.

use std::sync::atomic::Ordering;

use crate::{
    frame::Gap,
    time::{Clock, Timestamp},
};

use super::{Route, Stage, Turn};

impl Stage {
    /// Stops the generating sources, or lets them go on.
    pub(crate) fn pause(&mut self, paused: bool, clock: &Clock, paused_at: &mut Timestamp) {
        if paused == self.paused {
            return;
        }
        self.paused = paused;
        if paused {
            *paused_at = clock.now();
        } else if !self.beside_device {
            self.pace.start = self.pace.start.plus_nanos(clock.now().since(*paused_at));
        }
    }

    /// Whether nothing becomes due in this pause. What goes as fast as it can lies on no clock.
    pub(super) fn stands_still(&self) -> bool {
        self.paused && !(self.beside_device && self.pace.speed.is_some())
    }

    /// Drops what a source holds, whose time has come in a pause. Nothing is promised meanwhile.
    pub(super) fn miss(&mut self, source: usize) -> Turn {
        self.mark.step();
        let state = &mut self.sources[source];
        state.is_silent = false;
        self.mark.released[source].store(state.due.nanos(), Ordering::Relaxed);
        let here = &mut self.slots[state.slot];
        here.gap(Gap::Paused);
        here.counts.samples.add(std::mem::take(&mut state.samples));
        for sent in state.held.drain(..) {
            here.seqs[sent.port] += 1;
            for route in &here.routes[sent.port] {
                let (Route::Local { counts, .. } | Route::Ring { counts, .. }) = route;
                counts.sent.add(1);
                counts.dropped(Gap::Paused, 1);
            }
        }
        if state.finished {
            self.end_source(source);
        }
        Turn::More
    }
}
