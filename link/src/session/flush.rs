//! Flushes: the graph takes back what an edge has carried by now, as when somebody speaks up while they are
//! answered.
//!
//! ```text
//! graph ──flush──▶ [ epoch e ] what waits is dropped, streams are given up
//!                      │  control stream: Flush { e }   before all that waits anywhere
//!                      ▼
//!                  [ e > known ] flush the graph; what comes with less than e is void
//! ```
//!
//! Every frame says its epoch, so the other side hears of a flush by whatever comes first: a frame that overtook the
//! message is never void, and one from before never comes out, however late.
//!
//! An edge with a spool takes nothing back: it is there to lose nothing, and what it keeps outlives the process that
//! counts.

use engine::Gap;

use super::{
    io::Output,
    machine::{Edge, Session},
};
use crate::wire::{FLUSHES, Message};

/// The flushes of one edge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Epoch {
    /// The last one: of ours, or heard.
    pub(super) now: u32,
    /// The last that this connection was told of.
    told: u32,
}

impl Session {
    /// Begins an epoch of an edge that this side sends: what was handed in before is void, here, on the way
    /// and there; frames that are handed in from now on say it in their header. `unsent` frames were never
    /// handed in and count as if they had been dropped here. An edge of which the configuration does not
    /// say that it may become void, and one with a spool, takes nothing back.
    pub fn flush(&mut self, edge: u16, epoch: u32, unsent: u64) {
        let n = usize::from(edge);
        if !self.voids(edge) || epoch <= self.epochs[n].now {
            return;
        }
        self.epochs[n].now = epoch;
        let resets = match &mut self.edges[n] {
            Edge::DurableOut(out, _) => {
                out.flush(self.version >= FLUSHES);
                out.counts.pass_over(Gap::Flush, unsent);
                Vec::new()
            }
            Edge::DroppableOut(out, _) => {
                out.counts.pass_over(Gap::Flush, unsent);
                out.flush()
            }
            _ => Vec::new(),
        };
        if self.connection.is_some() {
            self.out.extend(resets.into_iter().map(Output::Reset));
        }
    }

    /// Whether what an edge carries may become void.
    pub fn voids(&self, edge: u16) -> bool {
        let n = usize::from(edge);
        let is_kept = matches!(&self.edges[n], Edge::DurableOut(out, _) if out.spool().is_some());
        self.config.edges[n].may_void && !is_kept
    }

    /// The last epoch of an edge.
    pub(crate) fn epoch_of(&self, edge: u16) -> u32 {
        self.epochs[usize::from(edge)].now
    }

    /// Hears of an epoch of an edge that this side receives and that may become void; whether it is over already.
    pub(super) fn hear_epoch(&mut self, edge: u16, epoch: u32) -> bool {
        let known = &mut self.epochs[usize::from(edge)].now;
        if epoch > *known {
            *known = epoch;
            self.out.push_back(Output::Flush { edge });
        }
        epoch < *known
    }

    /// Another process of the other side counts anew.
    pub(super) fn forget_epochs(&mut self) {
        for (epoch, edge) in self.epochs.iter_mut().zip(&self.config.edges) {
            if edge.receives {
                epoch.now = 0;
            }
        }
    }

    /// A new connection has heard of none.
    pub(super) fn lose_epochs(&mut self) {
        self.epochs.iter_mut().for_each(|epoch| epoch.told = 0);
    }

    /// Tells what was flushed, before anything else.
    pub(super) fn put_flushes(&mut self) {
        let Some(connection) = self.connection.as_mut().filter(|_| self.is_open) else { return };
        if self.version < FLUSHES {
            return;
        }
        for (n, (epoch, edge)) in self.epochs.iter_mut().zip(&self.config.edges).enumerate() {
            if !edge.receives && epoch.now > epoch.told {
                epoch.told = epoch.now;
                Message::Flush { epoch: epoch.now }.put(&mut connection.control, n as u16);
            }
        }
    }
}
