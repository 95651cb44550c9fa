//! [`DroppableOut`]: the sending end of an edge that may lose frames, but never without a word.

use std::collections::VecDeque;

use bytes::Bytes;
use engine::{Dimension, Element, Format, Frame, Gap, MaybeGap, Timestamp};

use super::{
    config::{EdgeConfig, Priority},
    counters::Sent,
    io::{Path, StreamKey},
};
use crate::wire::{FRAME_HEAD, FrameWriter, RECORD_HEAD, longest, put_preamble};

/// A frame that waits.
#[derive(Debug)]
struct Waiting {
    place: u64,
    frame: Frame,
    /// When it is too late for it to arrive.
    due: Timestamp,
    /// Bulk bytes that had been sent when it came.
    mark: u64,
}

/// A frame on a stream of its own.
#[derive(Debug)]
struct Streamed {
    place: u64,
    /// What has not been written: the head and, where it is apart, the content.
    parts: [Bytes; 2],
    due: Timestamp,
}

impl Streamed {
    fn is_written(&self) -> bool {
        self.parts[1].is_empty() && self.parts[0].is_empty()
    }
}

/// Holds frames until they are sent, or it is too late.
#[derive(Debug)]
pub(super) struct DroppableOut {
    edge: u16,
    deadline_ns: i64,
    frames_max: usize,
    bytes_max: usize,
    bytes: usize,
    /// Frames of this format may need a stream.
    longest: usize,
    /// Of frames that wait for a stream, only the newest is worth it.
    newest_first: bool,
    is_bulk: bool,
    waiting: VecDeque<Waiting>,
    /// Begun, the newest last; those written in full stay until their deadline.
    streamed: Vec<Streamed>,
    next: u64,
    /// What is missing before the next frame to be sent.
    gap: MaybeGap,
    /// Places that were dropped, from and to, to be told as well: the frame behind them may be lost.
    missing: VecDeque<(u64, u64, Gap)>,
    bound: Timestamp,
    told_bound: Timestamp,
    known_bound: Timestamp,
    /// The other side knows what became of all before this place.
    known_next: u64,
    ended: bool,
    told_end: bool,
    pub(super) counts: Sent,
}

impl DroppableOut {
    pub(super) fn new(edge: u16, config: &EdgeConfig, deadline_ns: i64) -> Self {
        Self {
            edge,
            deadline_ns,
            frames_max: config.frames_max.max(1),
            bytes_max: config.bytes_max,
            bytes: 0,
            longest: longest(&config.format).unwrap_or(usize::MAX),
            is_bulk: config.priority == Priority::Bulk,
            newest_first: config.priority == Priority::Bulk && !is_opaque(&config.format),
            waiting: VecDeque::new(),
            streamed: Vec::new(),
            next: 0,
            gap: MaybeGap::NONE,
            missing: VecDeque::new(),
            bound: Timestamp::MIN,
            told_bound: Timestamp::MIN,
            known_bound: Timestamp::MIN,
            known_next: 0,
            ended: false,
            told_end: false,
            counts: Sent::default(),
        }
    }

    /// Takes a frame; the oldest give way where there is no room.
    pub(super) fn take(&mut self, now: Timestamp, frame: Frame, mark: u64) -> Result<(), Frame> {
        if self.ended {
            return Err(frame);
        }
        self.bytes += frame.buffer().bytes_len();
        let (place, due) = (self.next, now.plus_nanos(self.deadline_ns));
        self.waiting.push_back(Waiting { place, frame, due, mark });
        self.next += 1;
        self.counts.taken += 1;
        self.counts.inside += 1;
        while self.waiting.len() > 1
            && (self.waiting.len() > self.frames_max || self.bytes > self.bytes_max)
        {
            self.drop_first(Gap::Full);
        }
        Ok(())
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The reason goes with the frame that follows, before any that it had itself.
    fn drop_first(&mut self, reason: Gap) {
        let dropped = self.waiting.pop_front().expect("only called where there is one");
        self.bytes -= dropped.frame.buffer().bytes_len();
        self.counts.drop(reason);
        note_missing(&mut self.missing, dropped.place, reason);
        let missing = self.gap.or(dropped.frame.header.gap).or(reason.into());
        match self.waiting.front_mut() {
            Some(after) => {
                after.frame.header.gap = missing.or(after.frame.header.gap);
                self.gap = MaybeGap::NONE;
            }
            None => self.gap = missing,
        }
    }

    /// The first place of which the other side has not said that it knows what became of it.
    pub(super) const fn known_next(&self) -> u64 {
        self.known_next
    }

    pub(super) fn raise(&mut self, bound: Timestamp) {
        self.bound = self.bound.max(bound);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Drops what cannot arrive in time: streams at their deadline, of waiting frames those that the
    /// way and the bytes before them make too late.
    pub(super) fn expire(&mut self, now: Timestamp, path: Option<&Path>) -> Vec<StreamKey> {
        let way_ns = path.map_or(0, |path| path.rtt_ns / 2);
        while let Some(first) = self.waiting.front() {
            let bytes = first.frame.buffer().bytes_len() as f64;
            let rate = path.map_or(0.0, |path| path.bytes_per_s);
            let sending_ns = if rate > 0.0 { (bytes / rate * 1e9) as i64 } else { 0 };
            if now.plus_nanos(sending_ns.saturating_add(way_ns)) <= first.due {
                break;
            }
            self.drop_first(Gap::Late);
        }
        let mut resets = Vec::new();
        let (edge, counts, missing) = (self.edge, &mut self.counts, &mut self.missing);
        self.streamed.retain(|frame| {
            let is_late = now > frame.due;
            if is_late {
                resets.push(StreamKey::Frame { edge, place: frame.place });
                if !frame.is_written() {
                    counts.drop(Gap::Late);
                    note_missing(missing, frame.place, Gap::Late);
                }
            }
            !is_late
        });
        resets
    }

    /// Drops all there is; what was begun is given up.
    pub(super) fn flush(&mut self) -> Vec<StreamKey> {
        while !self.waiting.is_empty() {
            self.drop_first(Gap::Flush);
        }
        let (edge, counts, missing) = (self.edge, &mut self.counts, &mut self.missing);
        let streams = self.streamed.drain(..).map(|frame| {
            if !frame.is_written() {
                counts.drop(Gap::Flush);
                note_missing(missing, frame.place, Gap::Flush);
            }
            StreamKey::Frame { edge, place: frame.place }
        });
        streams.collect()
    }

    /// The next moment at which something may be too late.
    pub(super) fn wake(&self, path: Option<&Path>) -> Option<Timestamp> {
        let way_ns = path.map_or(0, |path| path.rtt_ns / 2);
        let waiting = self.waiting.front().map(|first| first.due.plus_nanos(1 - way_ns));
        let streamed = self.streamed.iter().map(|frame| frame.due.plus_nanos(1)).min();
        waiting.into_iter().chain(streamed).min()
    }

    /// The connection is gone: what was half sent is lost, the rest waits on.
    pub(super) fn lose(&mut self) {
        for frame in self.streamed.drain(..) {
            if !frame.is_written() {
                self.counts.drop(Gap::Source);
                note_missing(&mut self.missing, frame.place, Gap::Source);
            }
        }
        (self.told_end, self.told_bound) = (false, Timestamp::MIN);
    }

    /// The other side has heard of all before `next`, and of this bound.
    pub(super) fn acknowledge(&mut self, next: u64, bound: Timestamp) {
        self.known_bound = self.known_bound.max(bound);
        self.known_next = self.known_next.max(next.min(self.next));
        self.streamed.retain(|f| f.place >= next || !f.is_written());
    }

    /// The other side knows of no bound that an earlier life of it has heard of.
    pub(super) fn forget(&mut self) {
        (self.told_bound, self.known_bound) = (Timestamp::MIN, Timestamp::MIN);
    }

    /// Whether frames wait that fit a datagram.
    pub(super) fn has_datagram(&self, path: &Path) -> bool {
        !self.waiting.is_empty() && self.fits_datagram(path)
    }

    /// About how many bytes wait that fit datagrams.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.bytes + self.waiting.len() * (RECORD_HEAD + FRAME_HEAD)
    }

    fn fits_datagram(&self, path: &Path) -> bool {
        // The preamble stands before the first record.
        self.longest <= path.datagram_max.saturating_sub(4)
    }

    /// Appends the record of the first frame, if the datagram stays within `room`.
    pub(super) fn put_datagram(
        &mut self,
        writer: &mut FrameWriter,
        out: &mut Vec<u8>,
        room: usize,
        bulk: u64,
        path: &Path,
    ) -> bool {
        if !self.has_datagram(path) {
            return false;
        }
        let at = out.len();
        let known = self.waiting.front().and_then(|first| writer.len(&first.frame));
        if known.is_some_and(|len| at + len > room) {
            return false;
        }
        let mut first = self.waiting.pop_front().expect("just seen");
        let own = first.frame.header.gap;
        first.frame.header.gap = self.gap.or(own);
        writer.put(out, self.edge, first.place, &first.frame);
        if out.len() > room {
            out.truncate(at);
            first.frame.header.gap = own;
            self.waiting.push_front(first);
            return false;
        }
        self.gap = MaybeGap::NONE;
        self.bytes -= first.frame.buffer().bytes_len();
        self.counts.inside -= 1;
        self.counts.sent += 1;
        self.counts.written += 1;
        self.counts.behind_bulk += u64::from(!self.is_bulk && bulk > first.mark);
        true
    }

    /// Whether there are frames for streams.
    pub(super) fn has_stream(&self, path: &Path) -> bool {
        self.streamed.iter().any(|frame| !frame.is_written())
            || (!self.waiting.is_empty() && !self.fits_datagram(path))
    }

    /// About `most` bytes of the frame that is being written, else of the next: its stream, the bytes, and
    /// whether they are the last. The next is the newest of bulk; all others keep their order and the
    /// room they were given. A frame that is begun is finished: were each to give
    /// way to the next, none would arrive where they come faster than the way takes them.
    pub(super) fn write(
        &mut self,
        writer: &mut FrameWriter,
        version: u8,
        most: usize,
        path: &Path,
        bulk: u64,
    ) -> Option<(StreamKey, Bytes, bool)> {
        let is_free = self.streamed.iter().all(|frame| frame.is_written());
        let may_begin = is_free && !self.fits_datagram(path);
        // The way was taken until now: pictures that have waited meanwhile are overtaken by the newest.
        while may_begin && self.newest_first && self.waiting.len() > 1 {
            self.drop_first(Gap::Full);
        }
        if let Some(first) = self.waiting.pop_front_if(|_| may_begin) {
            self.counts.behind_bulk += u64::from(!self.is_bulk && bulk > first.mark);
            let mut frame = first.frame;
            frame.header.gap = std::mem::take(&mut self.gap).or(frame.header.gap);
            self.bytes -= frame.buffer().bytes_len();
            let mut head = Vec::new();
            put_preamble(&mut head, version);
            let content = writer.put_apart(&mut head, self.edge, first.place, &frame);
            let parts = [head.into(), content.unwrap_or_default()];
            self.streamed.push(Streamed { place: first.place, parts, due: first.due });
        }
        let unsent = |frame: &&mut Streamed| !frame.is_written();
        let newest = self.streamed.iter_mut().rev().find(unsent)?;
        let key = StreamKey::Frame { edge: self.edge, place: newest.place };
        let part = usize::from(newest.parts[0].is_empty());
        let part = &mut newest.parts[part];
        let bytes = part.split_to(most.min(part.len()));
        let is_last = newest.is_written();
        if is_last {
            self.counts.inside -= 1;
            self.counts.sent += 1;
            self.counts.written += 1;
        }
        Some((key, bytes, is_last))
    }

    /// The bound to tell, with the place of the next frame: a new one once all frames before it are
    /// sent, the old one again with `again` until the other side has it.
    pub(super) fn bound_to_tell(&mut self, again: bool) -> Option<(u64, Timestamp)> {
        if !self.has_bound_to_tell(again) {
            return None;
        }
        self.told_bound = self.bound;
        Some((self.next, self.bound))
    }

    pub(super) fn has_bound_to_tell(&self, again: bool) -> bool {
        let all_sent = self.counts.inside == 0;
        let is_new = self.bound > self.told_bound;
        all_sent && self.bound > self.known_bound && (is_new || again)
    }

    /// How many frames the edge had, to be told once on a connection.
    pub(super) fn end_to_tell(&mut self) -> Option<u64> {
        let tell = self.ended && !self.told_end && self.counts.inside == 0;
        self.told_end |= tell;
        tell.then_some(self.next)
    }

    /// Places that were dropped and not told of yet.
    pub(super) fn missing_to_tell(&mut self) -> impl Iterator<Item = (u64, u64, Gap)> {
        self.missing.drain(..)
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended && self.told_end && self.counts.inside == 0
    }
}

/// Whether frames are bytes that only their ends understand, such as questions: none stands for another.
fn is_opaque(format: &Format) -> bool {
    let Format::Tensor(tensor) = format else { return false };
    tensor.element == Element::U8 && matches!(tensor.shape[..], [Dimension::Open { .. }])
}

/// Ranges are few, as what is dropped mostly stands together; of more the oldest are left to the
/// receiver's patience.
fn note_missing(missing: &mut VecDeque<(u64, u64, Gap)>, place: u64, reason: Gap) {
    const RANGES_MAX: usize = 64;
    match missing.back_mut() {
        Some((_, to, why)) if *to == place && *why == reason => *to += 1,
        _ => missing.push_back((place, place + 1, reason)),
    }
    if missing.len() > RANGES_MAX {
        missing.pop_front();
    }
}
