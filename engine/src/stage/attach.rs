//! Edges that begin and end while a stage is there.

use std::{collections::VecDeque, sync::Arc};

use crate::{ring::Sender, stats::EdgeCounts, time::Timestamp};

use super::{Outlet, Route, Stage};

impl Stage {
    /// The number of the next frame of an output.
    pub(crate) fn next_seq(&self, slot: usize, port: usize) -> u64 {
        self.slots[slot].seqs[port]
    }

    /// From now on an output leads into this ring as well.
    pub(crate) fn attach(
        &mut self,
        (slot, port): (usize, usize),
        edge: usize,
        ring: Sender,
        counts: &Arc<EdgeCounts>,
    ) {
        let outlet = self.outlets.len();
        self.outlets.push(Outlet { ring, backlog: VecDeque::new(), slot, port, edge });
        let route = Route::Ring { outlet, counts: counts.clone() };
        self.with_routes(slot, port, |routes| routes.push(route));
    }

    /// Whether all that was sent on an edge that leaves the stage has found room.
    pub(crate) fn is_through(&self, edge: usize) -> bool {
        self.outlets.iter().all(|outlet| outlet.edge != edge || outlet.backlog.is_empty())
    }

    /// Nothing is sent on an edge any more that leads into a ring: whoever takes from it is told the end.
    pub(crate) fn detach(&mut self, (slot, port): (usize, usize), edge: usize) {
        let Some(gone) = self.outlets.iter().position(|outlet| outlet.edge == edge) else { return };
        self.with_routes(slot, port, |routes| {
            routes.retain(|route| !matches!(route, Route::Ring { outlet, .. } if *outlet == gone));
        });
        drop(self.outlets.remove(gone));
        for slot in &mut self.slots {
            for route in slot.routes.iter_mut().flatten() {
                if let Route::Ring { outlet, .. } = route
                    && *outlet > gone
                {
                    *outlet -= 1;
                }
            }
            slot.set_tapped(slot.is_tapped);
        }
    }

    /// Nothing is sent on an edge inside the stage any more: its consumer is told the end.
    pub(crate) fn detach_inside(&mut self, (slot, port): (usize, usize), to: (usize, usize)) {
        self.with_routes(slot, port, |routes| {
            routes.retain(
                |route| !matches!(route, Route::Local { slot, line, .. } if (*slot, *line) == to),
            );
        });
        self.raise(to.0, to.1, Timestamp::MAX);
        (self.ending, self.settled) = (true, false);
    }

    fn with_routes(&mut self, slot: usize, port: usize, change: impl FnOnce(&mut Vec<Route>)) {
        let here = &mut self.slots[slot];
        let mut routes = std::mem::take(&mut here.routes[port]).into_vec();
        change(&mut routes);
        here.routes[port] = routes.into_boxed_slice();
        here.set_tapped(here.is_tapped);
    }
}
