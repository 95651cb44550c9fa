//! What a flush leaves of what is on its way to a sink: see [`flush`](crate::flush).

use crate::{
    fault::Fault,
    flush::{Roots, Seen},
    frame::{Frame, Gap},
    stage::Wiring,
};

use super::{SinkTask, State};

/// What a sink knows of flushes.
pub(super) struct Void {
    /// Nothing where none can concern it.
    seen: Option<Seen>,
    /// The roots that what comes by each line is subject to.
    roots: Box<[Roots]>,
    /// What frames of each line must be stamped with at least.
    required: Box<[u32]>,
    /// Roots whose flush the body has not been told of.
    to_tell: Roots,
}

impl Void {
    pub(super) fn new(wiring: Wiring<'_>, node: usize) -> Self {
        let plan = wiring.plan;
        let edges = plan.nodes[node].in_edges.iter();
        let roots: Box<[_]> =
            edges.map(|&edge| plan.nodes[plan.edges[edge].from.0].roots).collect();
        let is_behind = roots.iter().any(|roots| !roots.is_empty());
        let seen = is_behind.then(|| Seen::new(&wiring.counts.flushes));
        Self { seen, required: roots.iter().map(|_| 0).collect(), roots, to_tell: Roots::NONE }
    }
}

impl SinkTask {
    /// Drops what is void after flushes it has not looked at, in rings too: who waits for room there need
    /// not wait until the sink has some.
    pub(super) fn drop_void(&mut self) {
        let Some(seen) = self.void.seen.as_mut().filter(|seen| seen.is_old()) else { return };
        let risen = seen.look();
        if risen.is_empty() {
            return;
        }
        self.void.to_tell = self.void.to_tell.and(risen);
        for (required, roots) in self.void.required.iter_mut().zip(&self.void.roots) {
            *required = seen.required(*roots);
        }
        let Self { kept, aligner, rings, edges, void, state, .. } = self;
        let required = &void.required;
        kept.retain(|(line, frame)| {
            let is_void = frame.header.epoch < required[*line];
            if is_void {
                edges[*line].lose(Gap::Flush, &frame.header);
            }
            !is_void
        });
        for (line, roots) in void.roots.iter().enumerate() {
            if let Some(aligner) = aligner {
                aligner.void(line, required[line], |header| edges[line].lose(Gap::Flush, header));
            }
            if !roots.meets(risen) || matches!(state, State::Over(_) | State::Failed(_)) {
                continue;
            }
            while let Some(frame) = rings[line].pop() {
                if frame.header.epoch < required[line] {
                    edges[line].lose(Gap::Flush, &frame.header);
                } else {
                    kept.push_back((line, frame));
                }
            }
            rings[line].release();
        }
    }

    /// Keeps a frame that came by a ring until the body takes it, unless it is void.
    pub(super) fn keep(&mut self, line: usize, frame: Frame) {
        if frame.header.epoch < self.void.required[line] {
            self.edges[line].lose(Gap::Flush, &frame.header);
        } else {
            self.kept.push_back((line, frame));
        }
    }

    /// Tells the body of flushes it has not heard of.
    pub(super) fn flush_body(&mut self) -> Result<(), Fault> {
        let risen = std::mem::take(&mut self.void.to_tell);
        let Some(sink) = self.sink.as_mut().filter(|_| !risen.is_empty()) else { return Ok(()) };
        let lines = self.void.roots.iter().enumerate();
        let mut void = lines.filter(|(_, roots)| roots.meets(risen));
        void.try_for_each(|(line, _)| sink.flush(line))
    }

    /// The frame that was just taken out of its ring, unless it is void, or was kept since there was a
    /// flush.
    pub(super) fn not_void(&mut self, line: usize, frame: Frame) -> Result<Option<Frame>, Fault> {
        let Some(seen) = &self.void.seen else { return Ok(Some(frame)) };
        if seen.is_old() {
            self.kept.push_front((line, frame));
            self.drop_void();
            return self.flush_body().map(|()| None);
        }
        if frame.header.epoch < self.void.required[line] {
            self.edges[line].lose(Gap::Flush, &frame.header);
            return Ok(None);
        }
        Ok(Some(frame))
    }
}
