//! What a sink notes of followed frames: see [`steps`](crate::steps).

use std::sync::Arc;

use crate::{
    frame::Header,
    stage::Wiring,
    stats::NodeCounts,
    steps::{Passed, Step, StepKind, Steps, is_followed},
    time::{Clock, Timestamp},
};

/// What is kept for that.
pub(super) struct Stepping {
    steps: Arc<Steps>,
    counts: Arc<NodeCounts>,
    session: u32,
    node: usize,
    /// Somebody follows frames, as of this turn.
    on: bool,
    /// After the last turn there was nothing to do.
    rested: bool,
    woke: Timestamp,
    taken: Timestamp,
}

impl Stepping {
    pub(super) fn new(wiring: Wiring<'_>, node: usize) -> Self {
        Self {
            steps: wiring.counts.steps.clone(),
            counts: wiring.counts.nodes[node].clone(),
            session: wiring.session,
            node,
            on: false,
            rested: true,
            woke: Timestamp::MIN,
            taken: Timestamp::MIN,
        }
    }

    pub(super) fn begin_turn(&mut self, clock: &Clock) {
        self.on = self.steps.is_on();
        if std::mem::take(&mut self.rested) && self.on {
            self.woke = clock.now();
        }
    }

    pub(super) const fn end_turn(&mut self, rested: bool) {
        self.rested = rested;
    }

    /// A frame was taken out of its ring.
    pub(super) fn taken(&mut self, header: &Header, clock: &Clock) {
        if self.on && is_followed(header.entered) {
            self.taken = clock.now();
        }
    }

    /// Whether somebody follows frames, as of this turn.
    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// When the body begins with a frame, if that is worth a note.
    pub(super) fn begins(&self, header: &Header, clock: &Clock) -> Option<Timestamp> {
        (self.on && is_followed(header.entered)).then(|| clock.now())
    }

    /// A frame may have to wait for those of other inputs.
    pub(super) fn held(&self, line: usize, header: &Header, clock: &Clock) {
        if let Some(now) = self.begins(header, clock) {
            self.put(StepKind::Held, line, header, (now, now));
        }
    }

    pub(super) fn put(
        &self,
        kind: StepKind,
        line: usize,
        cause: &Header,
        (began, ended): (Timestamp, Timestamp),
    ) {
        let passed = Passed { kind, node: self.node, line, cause, in_seq: cause.seq, began, ended };
        if kind == StepKind::Sink {
            self.counts.timed_for(began, ended, 1);
        }
        let step = passed.step(self.session, cause.entered);
        self.steps.put(Step { taken: self.taken, woke: self.woke, ..step });
    }
}
