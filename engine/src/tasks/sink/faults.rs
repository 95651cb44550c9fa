//! What becomes of a sink whose body failed, and of what was on its way there.

use crate::{
    body::Body,
    fault::{Fault, FaultClass},
    frame::Gap,
    supervise::Verdict,
    tasks::{built_again, bury, is_closed},
};

use super::{SinkTask, State};

/// Why frames are lost to a sink that fails: a reader that went away is no death.
pub(super) fn lost_to(fault: &Fault) -> Gap {
    if is_closed(fault) { Gap::Closed } else { Gap::Poison }
}

impl SinkTask {
    /// The body has failed: its policy decides.
    pub(super) fn failed(&mut self, fault: Fault) {
        bury(self.sink.take());
        let verdict = match fault.class() {
            _ if matches!(self.state, State::Over(_)) => Verdict::Stop,
            // A full disk or a closed pipe is not mended by another body, and opening
            // the file again would destroy what was written.
            FaultClass::Io | FaultClass::Closed => Verdict::Stop,
            FaultClass::Body | FaultClass::Late | FaultClass::Panic => {
                self.record.fault(self.clock.now())
            }
        };
        match verdict {
            Verdict::Restart(at) => self.state = State::Rests(at),
            // It has said nothing that could be repeated, and has nobody to pass frames on to.
            Verdict::HoldLast | Verdict::Bypass => self.state = State::Idles,
            Verdict::Stop => {
                self.give_up(lost_to(&fault));
                self.state = State::Failed(fault);
            }
        }
    }

    /// Drops what was on its way here.
    fn give_up(&mut self, reason: Gap) {
        for (line, _) in self.kept.drain(..) {
            self.edges[line].dropped(reason, 1);
        }
        for (line, ring) in self.rings.iter_mut().enumerate() {
            if let Some(aligner) = &self.aligner {
                self.edges[line].dropped(reason, aligner.waiting(line) as u64);
            }
            ring.abandon(reason);
        }
        if let Some(aligner) = &mut self.aligner {
            aligner.clear();
        }
    }

    pub(super) fn rebuild(&mut self) -> Result<(), Fault> {
        let Body::Sink(sink) = built_again(&self.plan, self.node, self.session)? else {
            return Err(Fault::new("the kind built another sort of body"));
        };
        self.counts.restarts.add(1);
        self.sink = Some(sink);
        Ok(())
    }
}
