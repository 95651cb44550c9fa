//! What is really on the edges of a stage, counted frame by frame: the counters are checked
//! against it.

use super::Stage;

impl Stage {
    /// Frames for one input of a node that are in its ring, on the work list, or waiting to be
    /// joined or answered. Between turns only: no frame is at a body then.
    pub(crate) fn inside(&self, slot: usize, line: usize) -> usize {
        let inlet = self.inlets.iter().find(|inlet| inlet.slot == slot && inlet.line == line);
        let ring = inlet.map_or(0, |inlet| inlet.ring.len());
        let work = self.work.iter().filter(|work| work.slot == slot && work.line == line).count();
        let joined = self.slots[slot].aligner.as_ref();
        let asked: usize = self.asking.iter().map(|asking| asking.open_from(slot, line)).sum();
        ring + work + asked + joined.map_or(0, |aligner| aligner.waiting(line))
    }

    /// Frames for an edge that leaves the stage which found no room in its ring.
    pub(crate) fn behind(&self, edge: usize) -> usize {
        let outlet = self.outlets.iter().find(|outlet| outlet.edge == edge);
        outlet.map_or(0, |outlet| outlet.backlog.len())
    }
}
