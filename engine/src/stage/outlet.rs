//! The way out of a node: to others of the stage, or into rings with a backlog.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    frame::{Frame, Gap},
    io::{MayFlush, Sent},
    ring::{Receiver, Sender},
    stats::EdgeCounts,
    time::Timestamp,
};

use super::{Stage, Work};

/// A ring that begins in this stage, with the frames that found no room yet.
#[repr(align(128))]
pub(crate) struct Outlet {
    pub(crate) ring: Sender,
    pub(super) backlog: VecDeque<Frame>,
    pub(super) slot: usize,
    pub(super) port: usize,
    /// Number of the edge in the plan.
    pub(super) edge: usize,
}

impl Stage {
    /// Stamps and routes everything a body has sent.
    pub(super) fn send_out(&mut self, slot: usize) {
        if self.slots[slot].ports.flush == MayFlush::Asked {
            self.flush_if_asked(slot);
        }
        let depth = self.work.len();
        let mut out = std::mem::take(&mut self.out);
        for sent in out.drain(..) {
            let port = sent.port;
            let frame = self.slots[slot].stamped(sent);
            self.route(slot, port, frame);
        }
        self.out = out;
        // What was sent first is on top.
        self.work[depth..].reverse();
    }

    /// Sends a stamped frame along every edge that leaves the port.
    #[inline]
    pub(super) fn route(&mut self, slot: usize, port: usize, frame: Frame) {
        let here = &self.slots[slot];
        if let Some(outlet) = here.sole_ring {
            here.sole_counts.sent.add(1);
            self.is_blocked |= !self.outlets[outlet as usize].push(frame);
        } else {
            self.route_all(slot, port, frame);
        }
    }

    /// Completes what comes out of a source at this moment, and sends it along every edge: into the only ring without a
    /// stop on the way, as in [`Slot::stamped`](super::Slot::stamped).
    #[inline(always)]
    pub(super) fn admit_out(&mut self, slot: usize, sent: Sent, entered: Timestamp) {
        let here = &mut self.slots[slot];
        let (port, ring) = (sent.port, here.sole_ring);
        let frame = here.admit(sent, entered);
        match ring {
            Some(outlet) => {
                here.sole_counts.sent.add(1);
                self.is_blocked |= !self.outlets[outlet as usize].push(frame);
            }
            None => self.route_all(slot, port, frame),
        }
    }

    fn route_all(&mut self, slot: usize, port: usize, frame: Frame) {
        let here = &mut self.slots[slot];
        if let Some(last) = &mut here.last {
            last[port] = Some(frame.clone());
        }
        if here.is_tapped {
            self.show(slot, port, &frame);
        }
        let routes = &self.slots[slot].routes[port];
        let Some((final_route, others)) = routes.split_last() else { return };
        for route in others {
            self.is_blocked |= !send(route, frame.clone(), &mut self.work, &mut self.outlets);
        }
        self.is_blocked |= !send(final_route, frame, &mut self.work, &mut self.outlets);
    }

    /// Tries to get rid of the backlog; says whether there is none left.
    pub(super) fn flush_backlog(&mut self) -> bool {
        if !self.is_blocked {
            return true;
        }
        let mut free = true;
        for outlet in &mut self.outlets {
            while let Some(frame) = outlet.backlog.pop_front() {
                if let Err(frame) = outlet.ring.push(frame) {
                    outlet.backlog.push_front(frame);
                    break;
                }
            }
            // Asked for only after trying, and tried again if room came in between.
            while !outlet.backlog.is_empty() && outlet.ring.wait_for_room() {
                let frame = outlet.backlog.pop_front().expect("not empty");
                if let Err(frame) = outlet.ring.push(frame) {
                    outlet.backlog.push_front(frame);
                }
            }
            free &= outlet.backlog.is_empty();
        }
        self.is_blocked = !free;
        free
    }

    /// Shows the consumers of outgoing rings what was sent and how far the bounds are. Says
    /// whether there was a backlog and there is none any more.
    pub(super) fn publish(&mut self) -> bool {
        let freed = self.is_blocked && self.flush_backlog();
        for outlet in &mut self.outlets {
            let bound = self.slots[outlet.slot].out_bounds[outlet.port];
            // A bound must not overtake the frames that wait for room.
            let bound = match outlet.backlog.front() {
                Some(frame) => bound.min(frame.header.time),
                None => bound,
            };
            outlet.ring.publish(bound);
        }
        freed
    }

    /// Takes a new ring in the place of one whose other end was given up with its cell. Frames that
    /// came through stay; what the other side had not passed on is lost and counted here, by the only
    /// thread that still counts on this edge.
    pub(crate) fn rewire(&mut self, edge: usize, end: NewEnd) {
        match end {
            NewEnd::Receiver { ring, slot, line, admitted } => {
                let Some(inlet) = self.inlets.iter_mut().find(|i| i.slot == slot && i.line == line)
                else {
                    return;
                };
                let (required, counts) = (inlet.required, &self.slots[slot].line_counts[line]);
                let is_due = |frame: &Frame| {
                    let is_void = frame.header.epoch < required;
                    if is_void {
                        counts.lose(Gap::Flush, &frame.header);
                    }
                    !is_void
                };
                let came = std::iter::from_fn(|| inlet.ring.pop()).filter(is_due);
                let came: Vec<_> =
                    came.map(|frame| Work { slot, line, frame, entered: false }).collect();
                // Below what waits already, and what came first on top.
                self.work.splice(0..0, came.into_iter().rev());
                inlet.ring = ring;
                let counts = &self.slots[slot].line_counts[line];
                let held = self.work.iter().filter(|w| w.slot == slot && w.line == line).count();
                let aligner = self.slots[slot].aligner.as_ref();
                let asked: usize =
                    self.asking.iter().map(|asking| asking.open_from(slot, line)).sum();
                let inside = held + asked + aligner.map_or(0, |aligner| aligner.waiting(line));
                counts.lost(admitted, inside as u64);
            }
            NewEnd::Sender { ring, counts } => {
                if let Some(outlet) = self.outlets.iter_mut().find(|outlet| outlet.edge == edge) {
                    outlet.ring = ring;
                    let kept = outlet.backlog.len() as u64;
                    counts.dropped(Gap::Wedged, counts.in_flight().saturating_sub(kept));
                }
            }
        }
    }
}

/// A ring's new end.
pub(crate) enum NewEnd {
    /// For the stage that consumes, with the frames that the other ring had been given.
    Receiver { ring: Receiver, slot: usize, line: usize, admitted: u64 },
    /// For the stage that produces.
    Sender { ring: Sender, counts: Arc<EdgeCounts> },
}

/// Where frames of an output port go.
pub(crate) enum Route {
    /// To a node of the same stage.
    Local { slot: usize, line: usize, counts: Arc<EdgeCounts> },
    /// Into a ring.
    Ring { outlet: usize, counts: Arc<EdgeCounts> },
}

impl Outlet {
    /// Puts a frame into the ring; says no if it has to wait for room.
    #[inline(always)]
    fn push(&mut self, frame: Frame) -> bool {
        if self.backlog.is_empty() {
            match self.ring.push(frame) {
                Ok(()) => return true,
                Err(frame) => self.backlog.push_back(frame),
            }
        } else {
            self.backlog.push_back(frame);
        }
        false
    }
}

/// Sends a frame on; says no if it has to wait for room.
fn send(route: &Route, frame: Frame, work: &mut Vec<Work>, outlets: &mut [Outlet]) -> bool {
    match route {
        Route::Local { slot, line, counts } => {
            counts.sent.add(1);
            work.push(Work { slot: *slot, line: *line, frame, entered: false });
            true
        }
        Route::Ring { outlet, counts } => {
            counts.sent.add(1);
            outlets[*outlet].push(frame)
        }
    }
}
