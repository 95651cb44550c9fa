//! [`DurableOut`]: the sending end of an edge that loses nothing.

use bytes::Bytes;
use engine::{Frame, Gap, Timestamp};

use super::{
    backlog::Backlog,
    config::{EdgeConfig, Priority},
    copies::Copies,
    counters::Sent,
    held::Item,
    io::Path,
};
use crate::{
    spool::{Kept, Spool},
    wire::{FrameWriter, Message, OLDEST, WireError, gap_in, put_preamble},
};

/// What waits longer than this when a connection begins is no live edge any more.
const BEHIND_BYTES: usize = 16 << 10;

/// Keeps frames until they are acknowledged.
///
/// ```text
/// first (acknowledged) ≤ sent (written to this connection's stream) ≤ next (handed in)
/// ```
#[derive(Debug)]
pub(super) struct DurableOut {
    edge: u16,
    backlog: Backlog,
    /// Which counting its places belong to.
    count: u64,
    sent: u64,
    /// Items of the backlog that are sent.
    items: usize,
    /// The furthest that was ever sent: what an acknowledgement may name.
    furthest: u64,
    flying: usize,
    /// How far the other side lets us go.
    credit_place: u64,
    credit_bytes: usize,
    /// What is told in the stream, and what was.
    bound: Timestamp,
    told_bound: Timestamp,
    gap: Option<(u64, u64)>,
    ended: bool,
    told_end: bool,
    is_open: bool,
    /// It has something to catch up with.
    lags: bool,
    /// What goes once more, where that is worth it.
    copies: Option<Copies>,
    pub(super) counts: Sent,
}

impl DurableOut {
    pub(super) fn new(edge: u16, config: &EdgeConfig, life: u64) -> Self {
        Self {
            edge,
            backlog: Backlog::new(config),
            count: life,
            sent: 0,
            items: 0,
            furthest: 0,
            flying: 0,
            credit_place: 0,
            credit_bytes: 0,
            bound: Timestamp::MIN,
            told_bound: Timestamp::MIN,
            gap: None,
            ended: false,
            told_end: false,
            is_open: false,
            lags: false,
            copies: (config.priority == Priority::Sensor).then(Copies::default),
            counts: Sent::default(),
        }
    }

    /// Keeps frames in a spool too, and begins with what is there.
    pub(super) fn keep_in(&mut self, spool: Spool) {
        assert_eq!(self.counts.taken, 0, "frames were handed in before");
        self.count = spool.opened().count;
        let found = self.backlog.keep_in(spool);
        (self.counts.taken, self.counts.found, self.counts.inside) = (found, found, found);
        (self.sent, self.furthest) = (self.backlog.first(), self.backlog.start());
    }

    pub(super) const fn spool(&self) -> Option<&Spool> {
        self.backlog.spool()
    }

    /// Which counting its places belong to.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The other side knows places of this counting that we have not given out: we have forgotten
    /// some, and count anew.
    pub(super) fn recount(&mut self, count: u64) {
        self.count = count;
        if let Some(spool) = self.backlog.spool() {
            spool.recount(count);
        }
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        !self.ended && self.backlog.takes(bytes)
    }

    /// Takes a frame, or gives it back while there is no room.
    pub(super) fn take(&mut self, mut frame: Frame) -> Result<(), Frame> {
        if self.ended {
            return Err(frame);
        }
        if self.backlog.spool().is_some() {
            // Whoever counts flushes is soon forgotten.
            frame.header.epoch = 0;
        }
        self.backlog.take(frame)?;
        self.counts.taken += 1;
        self.counts.inside += 1;
        self.count_losses();
        Ok(())
    }

    /// Takes in what the spool has done.
    pub(super) fn poll(&mut self, now: Timestamp) {
        if self.backlog.spool().is_some() {
            self.backlog.poll(now);
            if self.ended {
                self.backlog.flush();
            }
            self.count_losses();
        }
    }

    /// Whether the disk has written nothing for a while, though it should.
    pub(super) fn is_slow(&self) -> bool {
        self.backlog.is_slow()
    }

    fn count_losses(&mut self) {
        for (lost, reason) in self.backlog.losses().into_iter().zip(Gap::ALL) {
            for _ in 0..lost {
                self.counts.drop(reason);
            }
        }
        debug_assert_eq!(self.counts.inside, self.backlog.frames());
    }

    /// What is in memory, the rest being on disk.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.backlog.held()
    }

    pub(super) fn raise(&mut self, bound: Timestamp) {
        self.bound = self.bound.max(bound);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.backlog.flush();
    }

    pub(super) const fn first(&self) -> u64 {
        self.backlog.first()
    }

    /// The first place that was never sent.
    pub(super) const fn furthest(&self) -> u64 {
        self.furthest
    }

    /// What is not sent will not be. What is may be sent again, and says itself that it is void.
    /// `is_told` says whether the other side hears of flushes; one of an older version would bring it late.
    pub(super) fn flush(&mut self, is_told: bool) {
        // Without a connection, too: the other side may have it.
        let sent = if is_told { self.backlog.items_before(self.furthest) } else { 0 };
        self.backlog.void(sent.max(self.items));
        self.count_losses();
    }

    /// The connection is gone, and with it what the other side has not acknowledged.
    pub(super) fn lose(&mut self) {
        (self.sent, self.items) = (self.backlog.first(), 0);
        self.flying = 0;
        (self.is_open, self.told_end, self.told_bound) = (false, false, Timestamp::MIN);
        self.copies.iter_mut().for_each(Copies::clear);
    }

    /// The other side has all before `next`; what was never sent it cannot have.
    pub(super) fn acknowledge(&mut self, next: u64) -> Result<(), WireError> {
        if next > self.furthest {
            let what = "an acknowledged place";
            return Err(WireError::TooLong { what, is: next, max: self.furthest });
        }
        if next <= self.backlog.first() {
            return Ok(());
        }
        let gone = self.backlog.items_before(next);
        let flown = (0..gone.min(self.items)).filter_map(|n| self.backlog.get(n));
        self.flying -= flown.map(Item::bytes).sum::<usize>();
        self.items -= gone.min(self.items);
        let frames = self.backlog.acknowledge(next);
        self.counts.inside -= frames;
        self.counts.sent += frames;
        self.sent = self.sent.max(next);
        self.copies.iter_mut().for_each(|copies| copies.forget_before(next));
        Ok(())
    }

    /// The other side begins at `next`, as it says first thing on a connection. If it has forgotten
    /// what it had acknowledged, that is gone.
    pub(super) fn resume(&mut self, next: u64) -> Result<(), WireError> {
        if next < self.backlog.first() {
            self.gap = Some((next, self.backlog.first()));
            // Told first, so whatever was written already has to be written anew.
            self.lose();
            return Ok(());
        }
        self.acknowledge(next)
    }

    pub(super) fn grant(&mut self, place: u64, bytes: u64) {
        self.credit_place = place;
        self.credit_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }

    /// Whether there is something to write now.
    pub(super) fn is_ready(&self) -> bool {
        self.may_send() || self.gap.is_some() || self.has_news()
    }

    /// Whether what it sends now is from before: frames that wait on disk, or did when the connection
    /// began.
    pub(super) fn is_behind(&self) -> bool {
        self.backlog.spool().is_some() && (self.lags || self.waits_for_disk())
    }

    /// Whether more than a little waits to be sent.
    fn waits_for_disk(&self) -> bool {
        let waiting = self.backlog.held_bytes().saturating_sub(self.flying);
        self.backlog.has_middle() || (!self.is_open && waiting > BEHIND_BYTES)
    }

    fn may_send(&self) -> bool {
        let Some(item) = self.backlog.get(self.items) else { return false };
        let fits = self.flying + item.bytes() <= self.credit_bytes;
        match item.kept {
            Kept::Frame(_) => self.sent < self.credit_place && (fits || self.flying == 0),
            Kept::Gap { .. } => true,
        }
    }

    /// Bound and end come behind the frames before them.
    fn has_news(&self) -> bool {
        let is_level = self.sent == self.backlog.next();
        is_level && (self.bound > self.told_bound || (self.ended && !self.told_end))
    }

    /// When to look at its spool's disk again.
    pub(super) fn disk_wake(&self) -> Option<Timestamp> {
        self.backlog.wake()
    }

    /// When the next frame goes once more, if there is room for it then.
    pub(super) fn copy_wake(&self, path: &Path) -> Option<Timestamp> {
        self.copies.as_ref()?.wake(path)
    }

    /// Appends frames that go once more now, as far as there is room.
    pub(super) fn put_copies(
        &mut self,
        now: Timestamp,
        writer: &mut FrameWriter,
        out: &mut Vec<u8>,
        room: usize,
    ) {
        let Some(copies) = &mut self.copies else { return };
        while let Some(place) = copies.pop(now) {
            let item = self.backlog.get(self.backlog.items_before(place));
            let item = item.filter(|item| item.from == place);
            let Some(Item { kept: Kept::Frame(frame), .. }) = item else { continue };
            let end = out.len();
            writer.put(out, self.edge, place, frame);
            if out.len() > room {
                // It shares none with so much else.
                return out.truncate(end);
            }
            self.counts.copied += 1;
        }
    }

    /// Whether the other side has everything.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.told_end && self.backlog.first() == self.backlog.next()
    }

    /// Bytes for the stream, about `most` of them, and long content that follows them.
    pub(super) fn write(
        &mut self,
        now: Timestamp,
        writer: &mut FrameWriter,
        version: u8,
        most: usize,
        path: &Path,
    ) -> (Vec<u8>, Option<Bytes>) {
        let mut content = None;
        let mut out = Vec::new();
        if !self.is_open {
            self.lags = self.waits_for_disk();
            put_preamble(&mut out, version);
            self.is_open = true;
        }
        if let Some((from, to)) = self.gap.take() {
            Message::Gap { from, to, reason: Gap::Restart }.put(&mut out, self.edge);
        }
        while out.len() < most && content.is_none() && self.may_send() {
            let item = self.backlog.get(self.items).expect("it may be sent");
            match &item.kept {
                Kept::Frame(frame) => {
                    content = writer.put_apart(&mut out, self.edge, item.from, frame);
                    self.counts.written += 1;
                    // Whoever reads version 1 alone takes them by streams.
                    let takes_copies = version > OLDEST && !self.lags;
                    if let Some(copies) = self.copies.as_mut().filter(|_| takes_copies) {
                        copies.note(now, item.from, item.bytes(), path);
                    }
                }
                Kept::Gap { reason, .. } => {
                    let (from, to, reason) = (item.from, item.to, gap_in(*reason, version));
                    Message::Gap { from, to, reason }.put(&mut out, self.edge);
                }
            }
            self.flying += item.bytes();
            (self.sent, self.items) = (item.to, self.items + 1);
            self.furthest = self.furthest.max(self.sent);
        }
        self.lags &= self.sent < self.backlog.next();
        if self.has_news() && content.is_none() {
            let next = self.backlog.next();
            if self.bound > self.told_bound {
                self.told_bound = self.bound;
                Message::Bound { next, bound: self.bound }.put(&mut out, self.edge);
            }
            if self.ended && !self.told_end {
                self.told_end = true;
                Message::End { next }.put(&mut out, self.edge);
            }
        }
        (out, content)
    }
}
