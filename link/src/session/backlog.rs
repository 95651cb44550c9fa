//! [`Backlog`]: what a durable edge has not got rid of, in memory and in a spool.

use engine::{Frame, Gap, Timestamp};

use super::{
    config::EdgeConfig,
    held::{Held, Item},
};
use crate::spool::{Kept, Piece, Runs, Spool, WhenFull};

/// A disk that has not written anything for as long, though it should, is slow.
const SLOW_NS: i64 = 1_000_000_000;
/// As much of it counts between two looks.
const LOOK_NS: i64 = 250_000_000;

/// ```text
/// first             head_end         tail_first          next
///   ├── head: memory ──┼── middle: disk ──┼── tail: memory ──┤
/// ```
///
/// The head is what is sent next, or sent and not acknowledged. The tail is what may not be written yet.
/// Without a spool, or while everything fits, there is only a head.
#[derive(Debug)]
pub(super) struct Backlog {
    first: u64,
    head: Held,
    head_end: u64,
    /// Which places of the middle are frames.
    middle: Runs,
    tail_first: u64,
    tail: Held,
    next: u64,
    frames_max: usize,
    bytes_max: usize,
    spool: Option<Spool>,
    /// Where a gap begins that the spool is told of with what follows it, as it may grow until then.
    owed: Option<u64>,
    /// What was asked to be read back.
    wanted: Option<u64>,
    /// The oldest place of this process.
    start: u64,
    /// Frames lost since somebody asked, by reason.
    lost: [u64; Gap::ALL.len()],
    unwritten: Unwritten,
}

/// How long a disk has had something to write and has written nothing.
#[derive(Debug, Default)]
struct Unwritten {
    written: u64,
    /// When there was something to write and was looked last.
    looked: Option<Timestamp>,
    waited_ns: i64,
}

impl Unwritten {
    fn look(&mut self, now: Timestamp, written: u64, next: u64) {
        if written > self.written || written >= next {
            *self = Self { written, looked: (written < next).then_some(now), waited_ns: 0 };
            return;
        }
        // A look that comes late says more of the processor, which the disk's thread shares, than of the
        // disk.
        let since_ns = self.looked.map_or(0, |looked| now.since(looked).clamp(0, LOOK_NS));
        self.waited_ns = self.waited_ns.saturating_add(since_ns);
        self.looked = Some(now);
    }
}

impl Backlog {
    pub(super) fn new(config: &EdgeConfig) -> Self {
        Self {
            first: 0,
            head: Held::default(),
            head_end: 0,
            middle: Runs::new(),
            tail_first: 0,
            tail: Held::default(),
            next: 0,
            frames_max: config.frames_max,
            bytes_max: config.bytes_max,
            spool: None,
            owed: None,
            wanted: None,
            start: 0,
            lost: [0; Gap::ALL.len()],
            unwritten: Unwritten::default(),
        }
    }

    /// Keeps frames in a spool too, and begins with what is there; how many frames that are.
    pub(super) fn keep_in(&mut self, spool: Spool) -> u64 {
        let opened = spool.opened();
        (self.first, self.head_end) = (opened.first, opened.first);
        (self.tail_first, self.next, self.start) = (opened.start, opened.start, opened.start);
        self.middle = opened.frames.clone();
        self.spool = Some(spool);
        self.middle.count()
    }

    pub(super) const fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// Frames here and on disk.
    pub(super) const fn frames(&self) -> u64 {
        self.head.frames + self.middle.count() + self.tail.frames
    }

    pub(super) const fn held_bytes(&self) -> usize {
        self.head.bytes + self.tail.bytes
    }

    /// Whether some of it is on disk alone.
    pub(super) const fn has_middle(&self) -> bool {
        self.head_end < self.tail_first
    }

    /// Items in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.head.items.len() + self.tail.items.len()
    }

    /// The item that is so many behind the first, if it is in memory.
    pub(super) fn get(&self, n: usize) -> Option<&Item> {
        self.head.items.get(n)
    }

    /// Whether a part of the memory has room: half of it where there is a spool, which needs two.
    fn fits(&self, held: &Held, bytes: usize) -> bool {
        let parts = if self.spool.is_some() { 2 } else { 1 };
        let (frames_max, bytes_max) = (self.frames_max.div_ceil(parts), self.bytes_max / parts);
        let fits = held.items.len() < frames_max && held.bytes + bytes <= bytes_max;
        held.items.is_empty() || fits
    }

    /// Whether frames go to the head at once.
    const fn is_level(&self) -> bool {
        self.head_end == self.next
    }

    /// Whether a frame of as many bytes would be taken without a loss.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        match &self.spool {
            None => self.fits(&self.head, bytes),
            Some(spool) => !spool.is_full(bytes) && self.has_memory(bytes),
        }
    }

    fn has_memory(&self, bytes: usize) -> bool {
        (self.is_level() && self.fits(&self.head, bytes)) || self.fits(&self.tail, bytes)
    }

    /// Whether [`take`](Self::take) gives nothing back.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        // A disk that is busy for a moment is not full: what is dropped then would have had room on it.
        let drops = |spool: &Spool| match spool.when_full() {
            WhenFull::Block => false,
            _ => spool.is_full(bytes) || spool.fails() || self.is_slow(),
        };
        self.has_room(bytes) || self.spool.as_ref().is_some_and(drops)
    }

    /// Takes a frame, or gives it back. What is dropped for it is told by [`losses`](Self::losses).
    pub(super) fn take(&mut self, frame: Frame) -> Result<(), Frame> {
        let bytes = frame.buffer().bytes_len();
        if !self.has_room(bytes) {
            self.settle();
        }
        if !self.has_room(bytes) {
            if !self.takes(bytes) {
                return Err(frame);
            }
            match self.spool.as_ref().map(Spool::when_full) {
                None | Some(WhenFull::Block) => return Err(frame),
                Some(WhenFull::DropNewest) => {
                    self.drop_newest();
                    return Ok(());
                }
                Some(WhenFull::EvictOldest) => self.evict(bytes),
            }
        }
        let place = self.next;
        if let Some(spool) = &self.spool {
            if let Some(from) = self.owed.take() {
                spool.append(from, Kept::Gap { to: place, reason: Gap::Full });
            }
            spool.append(place, Kept::Frame(frame.clone()));
        }
        self.push(Item::frame(place, frame));
        Ok(())
    }

    fn push(&mut self, item: Item) {
        let is_level = self.is_level() && self.fits(&self.head, item.bytes());
        self.next = item.to;
        if is_level {
            (self.head_end, self.tail_first) = (item.to, item.to);
            self.head.push(item);
        } else {
            self.tail.push(item);
        }
    }

    /// The frame that is handed in now has a place, and that is all of it.
    fn drop_newest(&mut self) {
        self.lost[Gap::Full as usize - 1] += 1;
        let spool = self.spool.as_ref().expect("only with one");
        let (from, to) = (self.next, self.next + 1);
        spool.count_dropped();
        self.next = to;
        match self.tail.items.back_mut() {
            Some(Item { to: end, kept: Kept::Gap { to: same, reason: Gap::Full }, .. }) => {
                (*end, *same) = (to, to);
            }
            _ => self.tail.push(Item { from, to, kept: Kept::Gap { to, reason: Gap::Full } }),
        }
        self.owed.get_or_insert(from);
    }

    /// Drops all frames but the first `kept` items. Only without a spool.
    pub(super) fn void(&mut self, kept: usize) {
        debug_assert!(self.spool.is_none(), "what is on disk stays");
        let Some(from) = self.head.items.get(kept).map(|item| item.from) else { return };
        let frames = self.head.cut(kept);
        self.lost[Gap::Flush as usize - 1] += frames;
        let kept = Kept::Gap { to: self.next, reason: Gap::Flush };
        self.head.push(Item { from, to: self.next, kept });
    }

    /// Makes room in the tail: what is not written goes, the oldest first.
    fn evict(&mut self, bytes: usize) {
        let Some(first) = self.tail.items.front().map(|item| item.from) else { return };
        let (mut to, mut frames) = (first, 0);
        while !self.fits(&self.tail, bytes) {
            let Some(item) = self.tail.pop() else { break };
            frames += item.frames();
            to = item.to;
        }
        self.lost[Gap::Full as usize - 1] += frames;
        if to > first {
            let kept = Kept::Gap { to, reason: Gap::Full };
            self.tail.items.push_front(Item { from: first, to, kept });
            self.spool.as_ref().expect("only with one").abandon(to, frames);
        }
    }

    /// The other side has all before `next`; how many frames of ours that are.
    pub(super) fn acknowledge(&mut self, next: u64) -> u64 {
        let mut frames = 0;
        for held in [&mut self.head, &mut self.tail] {
            while held.items.front().is_some_and(|item| item.to <= next) {
                frames += held.pop().map_or(0, |item| item.frames());
            }
            if let Some(item) = held.items.front_mut() {
                item.from = item.from.max(next);
            }
        }
        frames += self.middle.take_below(next);
        self.first = self.first.max(next);
        self.head_end = self.head_end.max(next);
        self.tail_first = self.tail_first.max(next);
        self.next = self.next.max(next);
        if let Some(spool) = &self.spool {
            spool.acknowledge(next);
        }
        frames
    }

    /// How many items of the head end at or before a place.
    pub(super) fn items_before(&self, next: u64) -> usize {
        self.head.items.partition_point(|item| item.to <= next)
    }

    /// Takes in what the spool has done, and asks it for what is sent next.
    pub(super) fn poll(&mut self, now: Timestamp) {
        let Some(spool) = &self.spool else { return };
        if let Some(piece) = spool.take_piece() {
            self.wanted = None;
            // What was acknowledged or evicted in the meantime is not what is wanted.
            if piece.from == self.head_end {
                self.read(piece);
            }
        }
        self.forget_evicted();
        self.settle();
        let spool = self.spool.as_ref().expect("looked at above");
        self.unwritten.look(now, spool.written(), self.next);
        if self.has_middle() && self.wanted != Some(self.head_end) && self.fits(&self.head, 0) {
            self.wanted = Some(self.head_end);
            spool.want(self.head_end);
        }
    }

    /// When to look at the disk again, while it has something to write.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        Some(self.unwritten.looked?.plus_nanos(LOOK_NS))
    }

    /// Whether the disk should have written something and has not for a second.
    pub(super) fn is_slow(&self) -> bool {
        let owes = |spool: &Spool| spool.written() < self.next;
        self.unwritten.waited_ns >= SLOW_NS && self.spool.as_ref().is_some_and(owes)
    }

    fn read(&mut self, piece: Piece) {
        for (from, kept) in piece.items {
            let end = if let Kept::Gap { to, .. } = &kept { *to } else { from + 1 };
            let to = end.min(self.tail_first);
            if from >= to {
                break;
            }
            let is_known = self.middle.first() == Some(from);
            let missing = self.middle.take_below(to) - u64::from(is_known);
            let (kept, lost) = match kept {
                Kept::Frame(_) if is_known => (kept, 0),
                // Told to be dropped, and written all the same.
                Kept::Frame(_) => (Kept::Gap { to, reason: Gap::Full }, 0),
                Kept::Gap { reason, .. } => {
                    let lost = missing + u64::from(is_known);
                    self.lost[reason as usize - 1] += lost;
                    (Kept::Gap { to, reason }, lost)
                }
            };
            debug_assert!(missing == 0 || lost > 0, "frames of a middle are in order");
            self.head_end = to;
            self.head.push(Item { from, to, kept });
        }
    }

    /// What the spool had to let go is told, run by run: between them nobody knows what was missing.
    fn forget_evicted(&mut self) {
        let evicted = self.spool.as_ref().map_or(0, Spool::evicted).min(self.tail_first);
        while self.head_end < evicted {
            let (from, first) = (self.head_end, self.middle.first().unwrap_or(evicted));
            let (to, reason) = if from >= self.start {
                (evicted, Gap::Full)
            } else if first > from {
                (first.min(evicted), Gap::Restart)
            } else {
                (self.middle.first_end().unwrap_or(evicted).min(evicted), Gap::Full)
            };
            self.lost[Gap::Full as usize - 1] += self.middle.take_below(to);
            self.head_end = to;
            self.head.push(Item { from, to, kept: Kept::Gap { to, reason } });
        }
    }

    /// Moves the tail on: to the head where that is next to it and has room, to the disk else.
    fn settle(&mut self) {
        let Some(spool) = &self.spool else { return };
        let written = spool.written();
        while let Some(item) = self.tail.items.front() {
            let is_next = self.head_end == item.from;
            // A gap at the end may grow, and must not where it was sent.
            let may_grow = item.to == self.next && matches!(item.kept, Kept::Gap { .. });
            if is_next && self.fits(&self.head, item.bytes()) && !may_grow {
                let item = self.tail.pop().expect("it is there");
                (self.head_end, self.tail_first) = (item.to, item.to);
                self.head.push(item);
            } else if item.to <= written && !(is_next && may_grow) {
                let item = self.tail.pop().expect("it is there");
                self.tail_first = item.to;
                if item.frames() > 0 {
                    self.middle.push(item.from, item.to);
                }
            } else {
                break;
            }
        }
    }

    /// A gap at the end is all that is left: it goes as it is.
    pub(super) fn flush(&mut self) {
        if self.head_end == self.tail_first
            && self.tail.items.len() == 1
            && let Some(item) = self.tail.pop()
        {
            (self.head_end, self.tail_first) = (item.to, item.to);
            self.head.push(item);
        }
    }

    /// Frames lost since this was asked last, by reason.
    pub(super) const fn losses(&mut self) -> [u64; Gap::ALL.len()] {
        std::mem::replace(&mut self.lost, [0; Gap::ALL.len()])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        spool::{Keeper, Moment, Settings, Subject},
        testing::SimDisk,
    };

    const MS: i64 = 1_000_000;

    #[test]
    fn a_disk_that_is_busy_for_a_moment_costs_nothing_and_one_that_hangs_holds_nobody_up() {
        let config = EdgeConfig { receives: false, ..EdgeConfig::durable_example() };
        let format = config.format.clone();
        let keeper = Keeper::manual(Arc::new(SimDisk::new(1)));
        let settings =
            Settings { when_full: WhenFull::EvictOldest, ..Settings::new("kept", 1 << 20) };
        let subject =
            Subject { edge: config.name.clone(), format, line: config.line, packed: false };
        let now = Moment { clock: Timestamp::ZERO, wall_ns: 0 };
        let spool = keeper.open(&settings, &subject, now).expect("it opens");
        let mut backlog = Backlog::new(&config);
        backlog.keep_in(spool);
        let take = |backlog: &mut Backlog| {
            let frame = Frame::signal(Timestamp::ZERO, 1, &[0.0]);
            backlog.take(frame).is_ok()
        };

        // It may have been open for long before the first frame comes.
        let mut at_ms = 5_000;
        let mut poll = |backlog: &mut Backlog, after_ms: i64| {
            at_ms += after_ms;
            backlog.poll(Timestamp::from_nanos(at_ms * MS));
        };
        // Half in front of the disk, half behind.
        let taken = (0..100).take_while(|_| take(&mut backlog)).count();
        poll(&mut backlog, 0);
        assert!(!take(&mut backlog), "the disk has had no time");
        assert_eq!((taken, backlog.losses().iter().sum::<u64>()), (10, 0));
        // All threads of a process stood still.
        poll(&mut backlog, 3_000);
        assert!(!take(&mut backlog), "the disk has had no time");
        keeper.turn(0);
        poll(&mut backlog, 100);
        assert!(take(&mut backlog), "it has written what was there");
        while take(&mut backlog) {}
        for _ in 0..9 {
            poll(&mut backlog, 100);
        }
        assert!(!take(&mut backlog), "a disk may be busy for a moment");
        for _ in 0..2 {
            poll(&mut backlog, 100);
        }
        assert!(take(&mut backlog), "nobody waits for a disk that hangs");
        assert!(backlog.losses().iter().sum::<u64>() > 0);
    }
}
