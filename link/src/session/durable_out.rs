//! [`DurableOut`]: the sending end of an edge that loses nothing.

use std::collections::VecDeque;

use engine::{Frame, Gap, Timestamp};

use super::{config::EdgeConfig, counters::Sent};
use crate::wire::{FrameWriter, Message, WireError, put_preamble};

/// Keeps frames until they are acknowledged.
///
/// ```text
/// first (acknowledged) ≤ sent (written to this connection's stream) ≤ next (handed in)
/// ```
#[derive(Debug)]
pub(super) struct DurableOut {
    edge: u16,
    kept: VecDeque<Frame>,
    first: u64,
    sent: u64,
    /// The furthest that was ever sent: what an acknowledgement may name.
    furthest: u64,
    bytes: usize,
    flying: usize,
    frames_max: usize,
    bytes_max: usize,
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
    pub(super) counts: Sent,
}

impl DurableOut {
    pub(super) fn new(edge: u16, config: &EdgeConfig) -> Self {
        Self {
            edge,
            kept: VecDeque::new(),
            first: 0,
            sent: 0,
            furthest: 0,
            bytes: 0,
            flying: 0,
            frames_max: config.frames_max,
            bytes_max: config.bytes_max,
            credit_place: 0,
            credit_bytes: 0,
            bound: Timestamp::MIN,
            told_bound: Timestamp::MIN,
            gap: None,
            ended: false,
            told_end: false,
            is_open: false,
            counts: Sent::default(),
        }
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let fits = self.kept.len() < self.frames_max && self.bytes + bytes <= self.bytes_max;
        !self.ended && (self.kept.is_empty() || fits)
    }

    /// Takes a frame, or gives it back while there is no room.
    pub(super) fn take(&mut self, frame: Frame) -> Result<(), Frame> {
        let bytes = frame.buffer().bytes_len();
        if !self.has_room(bytes) {
            return Err(frame);
        }
        self.bytes += bytes;
        self.kept.push_back(frame);
        self.counts.taken += 1;
        self.counts.inside += 1;
        Ok(())
    }

    pub(super) fn raise(&mut self, bound: Timestamp) {
        self.bound = self.bound.max(bound);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The first place that was never sent.
    pub(super) const fn furthest(&self) -> u64 {
        self.furthest
    }

    fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// The connection is gone, and with it what the other side has not acknowledged.
    pub(super) fn lose(&mut self) {
        self.sent = self.first;
        self.flying = 0;
        (self.is_open, self.told_end, self.told_bound) = (false, false, Timestamp::MIN);
    }

    /// The other side has all before `next`; what was never sent it cannot have.
    pub(super) fn acknowledge(&mut self, next: u64) -> Result<(), WireError> {
        if next > self.furthest {
            let what = "an acknowledged place";
            return Err(WireError::TooLong { what, is: next, max: self.furthest });
        }
        while self.first < next {
            let frame = self.kept.pop_front().expect("what was sent is kept");
            let bytes = frame.buffer().bytes_len();
            self.bytes -= bytes;
            if self.first < self.sent {
                self.flying -= bytes;
            }
            self.first += 1;
            self.counts.inside -= 1;
            self.counts.sent += 1;
        }
        self.sent = self.sent.max(self.first);
        Ok(())
    }

    /// The other side begins at `next`, as it says first thing on a connection. If it has forgotten
    /// what it had acknowledged, that is gone.
    pub(super) fn resume(&mut self, next: u64) -> Result<(), WireError> {
        if next < self.first {
            self.gap = Some((next, self.first));
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

    fn may_send(&self) -> bool {
        let Some(frame) = self.kept.get((self.sent - self.first) as usize) else { return false };
        let fits = self.flying + frame.buffer().bytes_len() <= self.credit_bytes;
        self.sent < self.credit_place && (fits || self.flying == 0)
    }

    /// Bound and end come behind the frames before them.
    fn has_news(&self) -> bool {
        self.sent == self.next() && (self.bound > self.told_bound || (self.ended && !self.told_end))
    }

    /// Whether the other side has everything.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.told_end && self.kept.is_empty()
    }

    /// Bytes for the stream, about `most` of them.
    pub(super) fn write(&mut self, writer: &mut FrameWriter, version: u8, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.is_open {
            put_preamble(&mut out, version);
            self.is_open = true;
        }
        if let Some((from, to)) = self.gap.take() {
            Message::Gap { from, to, reason: Gap::Restart }.put(&mut out, self.edge);
        }
        while out.len() < most && self.may_send() {
            let frame = &self.kept[(self.sent - self.first) as usize];
            writer.put(&mut out, self.edge, self.sent, frame);
            self.flying += frame.buffer().bytes_len();
            self.sent += 1;
            self.furthest = self.furthest.max(self.sent);
            self.counts.written += 1;
        }
        if self.has_news() {
            let next = self.next();
            if self.bound > self.told_bound {
                self.told_bound = self.bound;
                Message::Bound { next, bound: self.bound }.put(&mut out, self.edge);
            }
            if self.ended && !self.told_end {
                self.told_end = true;
                Message::End { next }.put(&mut out, self.edge);
            }
        }
        out
    }
}
