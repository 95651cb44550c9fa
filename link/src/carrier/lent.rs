//! Ends of edges that bodies have for a while.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use engine::{Frame, Gap, MaybeGap};
use tokio::sync::watch;

use super::{
    ends::{End, Manner, Port},
    source::asked_to_leave,
};
use crate::driver::{Arrived, Handle, Inlet, Outlet};

/// How long the end of a stream whose other end goes on may take here.
const LAST: Duration = Duration::from_secs(1);

/// Where frames of an edge go; dropped, it is given back for the body that comes next.
pub(crate) struct LentOutlet {
    end: Arc<End>,
    outlet: Option<Outlet>,
    leaves: watch::Receiver<bool>,
    /// What the next frame says is missing before it.
    owed: MaybeGap,
}

/// Where frames of an edge come from; dropped, it is given back for the body that comes next.
pub(crate) struct LentInlet {
    end: Arc<End>,
    inlet: Option<Inlet>,
    leaves: watch::Receiver<bool>,
}

impl LentOutlet {
    pub(super) fn new(end: Arc<End>, outlet: Outlet) -> Self {
        let leaves = end.leaving.asked();
        Self { end, outlet: Some(outlet), leaves, owed: MaybeGap::NONE }
    }

    /// Hands a frame to the link; says whether it was taken.
    pub(crate) fn send(&mut self, mut frame: Frame) -> bool {
        let Some(outlet) = &mut self.outlet else { return false };
        self.end.times.go_out(&mut frame);
        frame.header.gap = frame.header.gap.or(self.owed);
        let is_sent = !outlet.is_gone() && outlet.try_send(frame).is_ok();
        if is_sent {
            self.owed = MaybeGap::NONE;
        } else {
            self.owed.note(Gap::Full);
            self.end.drop_one();
        }
        is_sent
    }

    /// A number for a question that no other has.
    pub(crate) fn number(&self) -> u64 {
        self.end.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The link it leads to.
    pub(crate) fn handle(&self) -> &Handle {
        &self.end.handle
    }

    /// Nothing more will be sent, unless it goes on from the process that takes this one's place.
    pub(crate) fn end(mut self) {
        let outlet = self.outlet.take();
        if self.goes_on() {
            outlet.into_iter().for_each(|outlet| self.end.parked.park(outlet));
        }
    }

    fn goes_on(&self) -> bool {
        self.end.manner == Manner::Leaves && *self.leaves.borrow()
    }
}

impl Drop for LentOutlet {
    fn drop(&mut self) {
        if let Some(outlet) = self.outlet.take() {
            match self.goes_on() {
                true => self.end.parked.park(outlet),
                false => self.end.give_back(Port::Out(outlet)),
            }
        }
    }
}

impl LentInlet {
    pub(super) fn new(end: Arc<End>, inlet: Inlet) -> Self {
        let leaves = end.leaving.asked();
        Self { end, inlet: Some(inlet), leaves }
    }

    /// The next thing; none at the end of the link, or when nothing more is to be taken.
    pub(crate) async fn next(&mut self) -> Option<Arrived> {
        let inlet = self.inlet.as_mut()?;
        let mut arrived = tokio::select! {
            biased;
            () = asked_to_leave(&mut self.leaves, self.end.manner) => None,
            arrived = inlet.recv() => arrived,
        };
        if let Some(Arrived::Frame(frame)) = &mut arrived {
            self.end.times.come_in(frame);
        }
        arrived
    }

    /// As [`LentInlet::next`], for whoever is not asked to leave.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arrived>> {
        let Some(inlet) = &mut self.inlet else { return Poll::Ready(None) };
        let mut arrived = inlet.poll_recv(context);
        if let Poll::Ready(Some(Arrived::Frame(frame))) = &mut arrived {
            self.end.times.come_in(frame);
        }
        arrived
    }

    /// Nothing more will be taken.
    pub(crate) fn end(&mut self) {
        if self.inlet.take().is_some() {
            self.end.coming.end();
        }
    }

    /// How long its end may take.
    pub(crate) fn ends_within(&self) -> Option<Duration> {
        Some(match self.end.manner {
            Manner::Awaits(patience) => patience,
            Manner::Leaves => LAST,
        })
    }
}

impl Drop for LentInlet {
    fn drop(&mut self) {
        if let Some(inlet) = self.inlet.take() {
            self.end.give_back(Port::In(inlet));
        }
    }
}
