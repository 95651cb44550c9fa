//! Reading back what is on disk, in pieces.

use std::io;

use engine::{Format, Frame, Gap, Timestamp};

use super::{
    fs::Open,
    log::{Kept, Log},
    part::Segment,
    recover::open,
    segment::{Found, Scan},
    settings::Moment,
};
use crate::{
    session::TimeLine,
    wire::{Message, RecordKind, read_frame},
};

/// How well the clock on the wall agrees with itself from one life of a process to the next: a clock
/// that is set by NTP does to some milliseconds.
const WALL_UNCERTAINTY_NS: u32 = 10_000_000;

/// Frames and gaps from one place to another, without a hole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) items: Vec<(u64, Kept)>,
}

impl Log {
    /// What is kept from `from` on, about `most` bytes of it; empty behind the last. With care, as after
    /// a failure, no more is touched than up to where the next reading may begin.
    ///
    /// # Errors
    /// The system's, with its number where bytes of an open file cannot be read.
    pub(crate) fn read(&self, from: u64, most: usize, with_care: bool) -> io::Result<Piece> {
        let mut piece = Piece { from, to: from, items: Vec::new() };
        let Some(n) = self.segments.iter().position(|segment| segment.next > from) else {
            // An earlier process may have given out places of which nothing is here.
            if from < self.start {
                piece.skip(self.start, Gap::Restart);
            }
            return Ok(piece);
        };
        let segment = &self.segments[n];
        if from < segment.head.first {
            let is_ours = from >= segment.head.life;
            let before = n.checked_sub(1).map(|n| &self.segments[n]);
            let reason = match (is_ours, before) {
                (false, _) => Gap::Restart,
                // Between two segments of one life nothing was ever missing.
                (true, Some(_)) => Gap::Source,
                (true, None) => Gap::Full,
            };
            piece.skip(segment.head.first, reason);
            return Ok(piece);
        }
        let mut file = self.fs.open(self.path_of(n), Open::Read).map_err(|error| {
            // That says nothing of what is in it.
            io::Error::new(error.kind(), format!("it cannot be opened: {error}"))
        })?;
        let index = segment.index.partition_point(|&(place, _)| place <= from);
        let Some(&(_, at)) = index.checked_sub(1).and_then(|n| segment.index.get(n)) else {
            // The first record is behind damage.
            let first = segment.index.first().map_or(segment.next, |&(place, _)| place);
            piece.skip(first, Gap::Source);
            return Ok(piece);
        };
        let step = segment.index.get(index).filter(|(place, _)| with_care && *place < segment.next);
        let (end, len) = step.copied().unwrap_or((segment.next, segment.len));
        let mut scan = Scan::new(&mut *file, at, len);
        let mut bytes = 0;
        while bytes < most && piece.to < end {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                // What was read is whole; the next reading begins with what was not.
                Err(_) if piece.to > from => return Ok(piece),
                Err(error) => return Err(error),
            };
            let Found::Record { place, body, .. } = found else { continue };
            let Some((to, kept)) = self.decode(segment, place, body) else { continue };
            if to <= from {
                continue;
            }
            if place > piece.to {
                piece.skip(place, Gap::Source);
            }
            bytes += body.len();
            piece.items.push((place.max(from), kept));
            piece.to = to;
        }
        if bytes < most && piece.to < end {
            piece.skip(end, Gap::Source);
        }
        Ok(piece)
    }

    /// Gives up what a segment holds from a place on up to where the next reading may begin, as it
    /// cannot be read.
    pub(crate) fn pass_over(&self, from: u64) -> Piece {
        let mut piece = Piece { from, to: from, items: Vec::new() };
        let segment = self.segments.iter().find(|segment| segment.next > from);
        let to = segment.map(|segment| {
            let mut steps = segment.index.iter().map(|&(place, _)| place);
            steps.find(|&place| place > from).map_or(segment.next, |to| to.min(segment.next))
        });
        piece.skip(to.unwrap_or(from + 1), Gap::Source);
        piece
    }

    fn decode(&self, segment: &Segment, place: u64, body: &[u8]) -> Option<(u64, Kept)> {
        let now = (segment.head.life != self.start).then_some(self.begun);
        decode(segment, &self.subject().format, now, place, body)
    }
}

/// A record's frame or gap and the place behind it; times are brought to the clock of the process that
/// began at `now`, if that is another than the one that wrote them.
pub(crate) fn decode(
    segment: &Segment,
    format: &Format,
    now: Option<Moment>,
    place: u64,
    body: &[u8],
) -> Option<(u64, Kept)> {
    let (kind, body) = open(body)?;
    if kind == RecordKind::Gap {
        let Ok(Some(Message::Gap { from, to, reason })) = Message::read(kind, body) else {
            return None;
        };
        return (from == place).then_some((to, Kept::Gap { to, reason }));
    }
    let (written, mut frame) = read_frame(segment.head.wire, body, format).ok()?;
    if kind != RecordKind::Frame || written != place {
        return None;
    }
    if let Some(now) = now {
        translate(segment, now, &mut frame);
    }
    Some((place + 1, Kept::Frame(frame)))
}

fn translate(segment: &Segment, now: Moment, frame: &mut Frame) {
    let ahead = segment.head.begun.ahead_ns().saturating_sub(now.ahead_ns());
    let header = &mut frame.header;
    let bring = |time: Timestamp| time.plus_nanos(ahead);
    header.entered = bring(header.entered);
    if segment.head.line == TimeLine::Clock {
        header.time = bring(header.time);
        let is_guessed = segment.is_guessed || segment.head.is_guessed;
        let more = if is_guessed { u32::MAX } else { WALL_UNCERTAINTY_NS };
        header.uncertainty_ns = header.uncertainty_ns.saturating_add(more);
    }
}

impl Piece {
    fn skip(&mut self, to: u64, reason: Gap) {
        self.items.push((self.to, Kept::Gap { to, reason }));
        self.to = to;
    }
}
