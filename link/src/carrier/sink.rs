//! [`LinkSink`]: takes the frames of a cut edge off the graph.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use engine::{Fault, Frame, Gap, MaybeGap, Sink, Timestamp};

use tokio::sync::watch;

use super::ends::{End, Manner, Port};
use crate::driver::Outlet;

/// How far a bound rises before the other host is told where no frame goes: a join there waits so much
/// longer at most, in event time.
const BOUND_NS: i64 = 5_000_000;

/// Hands frames to the link.
///
/// Only a durable edge whose sources can wait holds the graph up. Behind a device something is lost
/// where there is no room, and better here than at the device, with which the rest of the graph
/// would stand still.
pub(super) struct LinkSink {
    end: Arc<End>,
    outlet: Option<Outlet>,
    leaves: watch::Receiver<bool>,
    /// What the next frame says is missing before it.
    owed: MaybeGap,
}

impl LinkSink {
    pub(super) fn new(end: Arc<End>, outlet: Outlet) -> Self {
        let leaves = end.leaving.asked();
        Self { end, outlet: Some(outlet), leaves, owed: MaybeGap::NONE }
    }

    /// Whether the stream goes on, from the process that takes this one's place.
    fn goes_on(&self) -> bool {
        self.end.manner == Manner::Leaves && *self.leaves.borrow()
    }

    fn waits(&self) -> bool {
        self.end.is_durable && !self.end.behind_device
    }
}

impl Sink for LinkSink {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let Some(outlet) = &mut self.outlet else { return Ok(()) };
        let mut frame = frame.clone();
        self.end.times.go_out(&mut frame);
        frame.header.gap = frame.header.gap.or(self.owed);
        if outlet.is_gone() {
            self.end.drop_late();
        } else if outlet.try_send(frame).is_ok() {
            self.owed = MaybeGap::NONE;
        } else {
            self.owed.note(Gap::Full);
            self.end.drop_one();
        }
        Ok(())
    }

    fn has_room(&mut self, waker: &Waker) -> bool {
        let waits = self.waits();
        match &mut self.outlet {
            // Also where nobody is left to take anything: that is dropped and counted.
            Some(outlet) if waits => outlet.poll_room(&mut Context::from_waker(waker)).is_ready(),
            _ => true,
        }
    }

    fn flush(&mut self, _: usize) -> Result<(), Fault> {
        if let Some(outlet) = &mut self.outlet {
            outlet.flush();
        }
        Ok(())
    }

    fn bound(&mut self, _: usize, bound: Timestamp) -> Result<(), Fault> {
        if let Some(outlet) = &mut self.outlet {
            outlet.bound(self.end.times.bound_out(bound));
        }
        Ok(())
    }

    fn wants_bounds(&self) -> Option<i64> {
        Some(BOUND_NS)
    }

    fn finish(&mut self) -> Result<(), Fault> {
        match self.outlet.take() {
            Some(outlet) if self.goes_on() => self.end.parked.park(outlet),
            // Let go, it ends.
            outlet => drop(outlet),
        }
        Ok(())
    }
}

impl Drop for LinkSink {
    fn drop(&mut self) {
        if let Some(outlet) = self.outlet.take() {
            if self.goes_on() {
                return self.end.parked.park(outlet);
            }
            self.end.give_back(Port::Out(outlet));
        }
    }
}
