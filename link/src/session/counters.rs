//! Where frames have gone.

use engine::Gap;

/// Counts of an edge on the side that sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames handed in, those included that a process before this one was handed.
    pub taken: u64,
    /// Frames that were found in a spool.
    pub found: u64,
    /// Durable: consumed by the other side. Droppable: handed to the connection in full.
    pub sent: u64,
    /// Dropped before they were sent, by reason.
    pub dropped: [u64; Gap::ALL.len()],
    /// Frames still here.
    pub inside: u64,
    /// Frames that stood in a queue of ours while bulk was sent; of a durable edge, pieces of bulk that were sent though it
    /// had something to send. Sensor edges only.
    pub behind_bulk: u64,
    /// Records written, repetitions after an outage included.
    pub written: u64,
    /// Frames that were sent once more at once, as packets are lost on the way. Durable sensor edges only.
    pub copied: u64,
}

/// Counts of an edge on the side that receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Frames that came, in records that could be read.
    pub came: u64,
    /// Frames given to the graph.
    pub delivered: u64,
    /// Frames of streams that had come before: after an outage, or as a datagram brought them first. What a
    /// datagram brings too late does not count as come.
    pub duplicate: u64,
    /// Frames that came when they had been told to be missing.
    pub late: u64,
    /// Places that were told to be missing, but for those of which the other side does not know whether
    /// there was anything.
    pub lost: u64,
    /// Of these, places of frames that the other side took back before it sent them.
    pub flushed: u64,
    /// Frames that came when the other side had taken them back.
    pub void: u64,
    /// Frames that wait for those before them.
    pub inside: u64,
    /// The first place that is neither delivered nor told to be missing.
    pub next: u64,
    /// How often the other side began to count anew, or to go on where it does not know what was lost.
    pub restarts: u64,
}

/// Counts of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections so far.
    pub connections: u64,
    /// Calls made.
    pub calls: u64,
    /// Connections given up in silence, or for want of a hello.
    pub silences: u64,
    /// What could not be read, or had no meaning.
    pub malformed: u64,
    /// How often the other side knew more of what we had sent than we did.
    pub recounts: u64,
    /// Frames that came before the two sides had agreed.
    pub early: u64,
    /// Datagrams and their bytes, out.
    pub datagrams: [u64; 2],
    /// Bytes of streams, out.
    pub stream_bytes: u64,
}

impl Sent {
    /// Every frame handed in has gone one way.
    pub fn is_balanced(&self) -> bool {
        self.taken == self.sent + self.dropped.iter().sum::<u64>() + self.inside
    }

    pub(crate) fn drop(&mut self, reason: Gap) {
        self.dropped[reason as usize - 1] += 1;
        self.inside -= 1;
    }

    /// As many were dropped before they were taken.
    pub(crate) fn pass_over(&mut self, reason: Gap, frames: u64) {
        self.taken += frames;
        self.dropped[reason as usize - 1] += frames;
    }

    /// Dropped for this reason.
    pub const fn dropped_for(&self, reason: Gap) -> u64 {
        self.dropped[reason as usize - 1]
    }
}

impl Received {
    /// As many places are told to be missing.
    pub(crate) fn lose(&mut self, reason: Gap, places: u64) {
        self.lost = self.lost.saturating_add(places);
        if reason == Gap::Flush {
            self.flushed = self.flushed.saturating_add(places);
        }
    }

    /// What would have been delivered just now is void.
    pub(crate) fn void(&mut self) {
        (self.delivered, self.void) = (self.delivered - 1, self.void + 1);
    }

    /// Every frame that came has gone one way.
    pub fn is_balanced(&self) -> bool {
        self.came == self.delivered + self.duplicate + self.late + self.void + self.inside
    }
}
