//! [`Log`]: the segments of one edge, as files. Nothing here waits, retries or knows a thread.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::{Frame, Gap, describe};

use super::{
    fs::{File, Fs, Held, Open, is_full, write_all_at},
    part::Segment,
    position::{Position, PositionFile},
    segment::{self, SegmentHead},
    settings::{Moment, Settings, Subject, WhenFull},
};
use crate::wire::{FRAMES, FrameWriter, Message};

/// Places that a process may give out before it has to say so on disk.
pub(crate) const RESERVE: u64 = 1 << 20;
/// Name of the file that keeps a second process out.
pub(crate) const LOCK: &str = "lock";

/// Something to keep.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Frame(Frame),
    /// Places that are nothing, up to one.
    Gap {
        to: u64,
        reason: Gap,
    },
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) settings: Settings,
    pub(super) subject: Subject,
    pub(super) writer: FrameWriter,
    pub(super) lock: Option<Box<dyn Held>>,
    pub(super) position: Position,
    pub(super) file: PositionFile,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// The last of them, if it is written to.
    pub(super) active: Option<Box<dyn File>>,
    /// The place behind what was written.
    pub(super) next: u64,
    pub(super) start: u64,
    pub(super) begun: Moment,
    pub(super) is_synced: bool,
    /// Places before this were given to the disk to keep.
    pub(super) kept: u64,
    /// Places that the disk has failed to keep, from the first to the one behind the last.
    pub(super) unsure: Option<(u64, u64)>,
    /// What was before the last [`append`](Self::append).
    pub(super) before: Before,
    /// Bytes of all segments.
    pub(super) bytes: u64,
    pub(super) buffer: Vec<u8>,
    /// What was not in the folder but should be.
    pub(super) has_dir: bool,
    /// The folder was read, under the lock if that could be had.
    pub(super) is_read: bool,
}

/// Where the log and its last segment ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    next: u64,
    segment: u64,
    len: u64,
}

impl Log {
    /// Says on disk how far places may be given out, before they are.
    pub(crate) fn reserve(&mut self) -> io::Result<()> {
        if self.position.reserved >= self.next.saturating_add(RESERVE / 2) {
            return Ok(());
        }
        let reserved = self.next + RESERVE;
        self.file.write(Position { reserved, ..self.position })?;
        self.file.sync()?;
        self.fs.sync_dir(&self.dir)?;
        self.position.reserved = reserved;
        Ok(())
    }

    /// Appends frames and gaps, as many as the segment has room for; tells how many. What failed half
    /// is written over by the next attempt.
    pub(crate) fn append<'a>(
        &mut self,
        items: impl Iterator<Item = (u64, &'a Kept)>,
    ) -> io::Result<usize> {
        self.prepare()?;
        self.reserve()?;
        let mut items = items.peekable();
        let Some(&(first, _)) = items.peek() else { return Ok(0) };
        if self.active.is_none() || self.active_len() >= self.settings.segment_bytes() {
            self.begin(first)?;
        }
        let at = self.active_len();
        let (mut buffer, mut places) = (std::mem::take(&mut self.buffer), Vec::new());
        buffer.clear();
        for (place, kept) in items {
            let from = at + buffer.len() as u64;
            if from >= self.settings.segment_bytes() && !places.is_empty() {
                break;
            }
            segment::put_record(&mut buffer, place, |out| match kept {
                Kept::Frame(frame) => self.writer.put(out, 0, place, frame),
                Kept::Gap { to, reason } => {
                    Message::Gap { from: place, to: *to, reason: *reason }.put(out, 0);
                }
            });
            let (to, is_frame) = match kept {
                Kept::Frame(_) => (place + 1, true),
                Kept::Gap { to, .. } => (*to, false),
            };
            places.push((place, to, is_frame, from));
        }
        let file = self.active.as_mut().expect("just begun");
        let written = write_all_at(&mut **file, at, &buffer);
        self.is_synced = false;
        let (count, len) = (places.len(), buffer.len() as u64);
        self.buffer = buffer;
        written?;
        let segment = self.segments.back_mut().expect("just begun");
        self.before = Before { next: self.next, segment: segment.next, len: segment.len };
        for (from, to, is_frame, at) in places {
            segment.note(from, at);
            if is_frame {
                segment.frames.push(from, to);
            }
            segment.next = to;
            self.next = to;
        }
        segment.len += len;
        self.bytes += len;
        Ok(count)
    }

    fn active_len(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.len)
    }

    /// Begins a segment. One that was begun is kept by the disk first, so that only the last may be torn.
    fn begin(&mut self, first: u64) -> io::Result<()> {
        self.seal()?;
        if self.segments.back().is_some_and(|back| back.next == back.head.first) {
            // Nothing came to be in it.
            let back = self.segments.pop_back().expect("there is one");
            let _ = self.fs.remove(&back.path);
            self.bytes -= back.len;
        }
        let head = self.head(self.position.count, first);
        let (path, bytes) = (self.dir.join(segment::name(first)), head.put());
        let mut file = self.fs.open(&path, Open::Write)?;
        let len = bytes.len() as u64;
        let begun = file.cut(0).and_then(|()| write_all_at(&mut *file, 0, &bytes));
        if let Err(error) = begun.and_then(|()| self.fs.sync_dir(&self.dir)) {
            let _ = self.fs.remove(&path);
            return Err(error);
        }
        self.segments.push_back(Segment::new(path, head, len));
        self.bytes += len;
        self.active = Some(file);
        self.is_synced = false;
        Ok(())
    }

    pub(super) fn head(&self, count: u64, first: u64) -> SegmentHead {
        SegmentHead {
            wire: FRAMES,
            line: self.subject.line,
            is_guessed: false,
            count,
            life: self.start,
            first,
            begun: self.begun,
            edge: self.subject.edge.clone(),
            format: describe(&self.subject.format),
        }
    }

    /// Writes to the last segment no more.
    fn seal(&mut self) -> io::Result<()> {
        self.sync()?;
        self.active = None;
        Ok(())
    }

    /// Has the disk keep what was written. What could not be kept is in a segment that nothing more is
    /// written to: the system may have forgotten which of its bytes are on disk, and says the next time
    /// that all are. So those places stay [unsure](Self::synced) until they need not be kept.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.active.as_mut().filter(|_| !self.is_synced) {
            let synced = file.sync();
            self.is_synced = true;
            if synced.is_err() {
                self.active = None;
                let from = self.unsure.map_or(self.kept, |(from, _)| from);
                self.unsure = Some((from, self.next));
            }
            self.kept = self.next;
            synced?;
        }
        self.file.sync()
    }

    /// The place before which the disk has everything that was not acknowledged.
    pub(crate) fn synced(&self) -> u64 {
        match self.unsure {
            Some((from, to)) if to > self.position.next => from,
            _ => self.kept,
        }
    }

    /// Takes back what was appended last, to be appended again.
    pub(crate) fn take_back(&mut self) {
        let Before { next, segment: place, len } = self.before;
        let Some(segment) = self.segments.back_mut().filter(|segment| segment.len > len) else {
            return;
        };
        self.bytes -= segment.len - len;
        (segment.next, segment.len) = (place, len);
        segment.frames.take_from(place);
        segment.index.retain(|&(_, at)| at < len);
        if self.active.is_none() {
            // What is not cut is found twice, and told apart then.
            let file = self.fs.open(&segment.path, Open::Write);
            let _ = file.and_then(|mut file| file.cut(len));
        }
        self.next = next;
        self.kept = self.kept.min(next);
        self.unsure = self.unsure.filter(|&(from, _)| from < next);
    }

    /// The other side has all before `next`.
    pub(crate) fn acknowledge(&mut self, next: u64) -> io::Result<()> {
        let next = next.min(self.next.max(self.position.reserved));
        if next > self.position.next {
            self.position.next = next;
        }
        let full = self.settings.segment_bytes() / 4;
        let is_through = |segment: &Segment| segment.next <= next && segment.len >= full;
        if self.active.is_some() && self.segments.back().is_some_and(is_through) {
            self.active = None;
            self.is_synced = true;
        }
        self.prepare()?;
        loop {
            let may_go = self.segments.front().is_some_and(|front| front.next <= next);
            let is_last = self.segments.len() == 1 && self.active.is_some();
            let noted = self.file.write(self.position).and_then(|()| {
                // Else they would be missing after power loss.
                if may_go && !is_last { self.file.sync() } else { Ok(()) }
            });
            match noted {
                Ok(()) if may_go && !is_last => self.drop_acknowledged(),
                // A disk that is full may have no room to say so: then what the other side has goes
                // first. At worst power loss makes a gap of it that is told for nothing.
                Err(error) if may_go && is_full(&error) => {
                    if is_last {
                        (self.active, self.is_synced) = (None, true);
                    }
                    if self.drop_front() {
                        continue;
                    }
                    return Err(error);
                }
                noted => return noted,
            }
            return Ok(());
        }
    }

    /// Deletes what is acknowledged. A file that cannot be deleted is found again, and deleted then.
    pub(super) fn drop_acknowledged(&mut self) {
        while let Some(front) = self.segments.front() {
            let is_active = self.segments.len() == 1 && self.active.is_some();
            if front.next > self.position.next || is_active {
                break;
            }
            self.drop_front();
        }
    }

    /// Whether there is more room now.
    fn drop_front(&mut self) -> bool {
        let front = self.segments.pop_front().expect("there is one");
        let removed = self.fs.remove(&front.path);
        // What is not there any more need not be kept.
        let unsure = self.unsure.map(|(from, to)| (from.max(front.next), to));
        self.unsure = unsure.filter(|(from, to)| from < to);
        self.bytes -= front.len;
        removed.is_ok()
    }

    /// Whether there is more than may be, and the oldest is to go.
    pub(crate) fn is_over(&self) -> bool {
        self.settings.when_full == WhenFull::EvictOldest && self.bytes > self.settings.bytes_max
    }

    /// Deletes the oldest segment and counts what is lost with it; the place behind it. `None` where
    /// there is none.
    pub(crate) fn evict(&mut self) -> io::Result<Option<u64>> {
        let Some(front) = self.segments.front() else { return Ok(None) };
        let to = front.next;
        let mut frames = front.frames.clone();
        frames.take_below(self.position.next);
        let position = Position { lost: self.position.lost + frames.count(), ..self.position };
        if self.segments.len() == 1 {
            (self.active, self.is_synced) = (None, true);
        }
        // The place stays, so that who reads on finds out; only the count is new.
        match self.file.write(position) {
            Err(error) if !is_full(&error) => return Err(error),
            noted => {
                self.position = position;
                self.drop_front();
                if noted.is_err() {
                    // There was no room for it, and now there may be; else it comes with the next.
                    let _ = self.file.write(position);
                }
            }
        }
        Ok(Some(to))
    }

    /// Frames that were dropped before they came here.
    pub(crate) const fn count_lost(&mut self, frames: u64) {
        self.position.lost += frames;
    }

    /// Counts places anew, as the other side knows some of this counting that we do not.
    pub(crate) fn recount(&mut self, count: u64) -> io::Result<()> {
        self.seal()?;
        self.position.count = count;
        self.file.write(self.position)?;
        self.file.sync()
    }

    /// A clean end: the next process goes on where this one ended, without a hole.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.sync()?;
        self.active = None;
        if self.position.next >= self.next {
            // All was acknowledged; the head of a segment says nothing more.
            while !self.segments.is_empty() {
                self.drop_front();
            }
        }
        self.position.reserved = self.next.max(self.position.next);
        self.file.write(self.position)?;
        self.file.sync()
    }

    pub(crate) fn path_of(&self, n: usize) -> &Path {
        &self.segments[n].path
    }

    pub(crate) const fn subject(&self) -> &Subject {
        &self.subject
    }
}
