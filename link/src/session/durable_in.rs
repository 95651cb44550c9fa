//! [`DurableIn`]: the receiving end of an edge that loses nothing.

use std::collections::VecDeque;

use engine::{Gap, Timestamp};

use super::{config::EdgeConfig, counters::Received};
use crate::{
    spool::Memory,
    wire::{Message, WireError},
};

/// Gives each frame out once, in order, and acknowledges those that were consumed.
#[derive(Debug)]
pub(super) struct DurableIn {
    frames_max: u64,
    bytes_max: u64,
    /// Given out and not consumed: their places.
    given: VecDeque<(u64, usize)>,
    /// Bytes of them.
    given_bytes: u64,
    /// Bytes consumed since credit was granted.
    freed: u64,
    /// Given out before the other side counted anew: nobody waits to hear that they are consumed.
    stale: usize,
    /// Which counting the places belong to; 0 where nothing was ever heard.
    count: u64,
    /// Where the counting began for us.
    base: u64,
    /// Where it is noted what was consumed, before that is acknowledged.
    memory: Option<Memory>,
    /// What was acknowledged last, and up to which place credit was granted.
    told: Option<(u64, u64)>,
    /// Since when there is something to acknowledge.
    pub(super) since: Option<Timestamp>,
    bound: Timestamp,
    has_ended: bool,
    pub(super) counts: Received,
}

impl DurableIn {
    pub(super) fn new(config: &EdgeConfig) -> Self {
        Self {
            frames_max: config.frames_max as u64,
            bytes_max: config.bytes_max as u64,
            given: VecDeque::new(),
            given_bytes: 0,
            freed: 0,
            stale: 0,
            count: 0,
            base: 0,
            memory: None,
            told: None,
            since: None,
            bound: Timestamp::MIN,
            has_ended: false,
            counts: Received::default(),
        }
    }

    /// Notes on disk what was consumed, and goes on where a process before this one was.
    pub(super) fn remember_in(&mut self, memory: Memory) {
        (self.count, self.base) = memory.noted();
        self.counts.next = self.base;
        self.memory = Some(memory);
    }

    /// Which counting the places belong to.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) const fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// The first place that is not acknowledged: the other side keeps it and what follows.
    pub(super) fn acknowledgeable(&self) -> u64 {
        let consumed = self.unconsumed();
        let noted = self.memory.as_ref().map(|m| m.acknowledgeable(self.count, consumed));
        noted.map_or(consumed, |noted| noted.max(self.base))
    }

    fn note(&self) {
        if let Some(memory) = &self.memory {
            memory.note(self.count, self.unconsumed());
        }
    }

    /// What was noted meanwhile is to be acknowledged.
    pub(super) fn poll(&mut self, now: Timestamp) {
        let acknowledged = self.told.map(|(acknowledged, _)| acknowledged);
        if self.memory.is_some() && acknowledged.is_some_and(|told| told < self.acknowledgeable()) {
            self.since.get_or_insert(now);
        }
    }

    /// The first place that is not consumed.
    pub(super) fn unconsumed(&self) -> u64 {
        self.given.front().map_or(self.counts.next, |(place, _)| *place)
    }

    /// The first place that may not be sent yet: so many frames may be here unconsumed. Places of a gap hold
    /// none, and there may be more of them than of frames.
    fn credit(&self) -> u64 {
        self.counts.next + self.frames_max.saturating_sub(self.given.len() as u64)
    }

    /// The first place that has not come.
    pub(super) const fn next(&self) -> u64 {
        self.counts.next
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether everything that came is consumed, and the other side was told so.
    pub(super) fn is_acknowledged(&self) -> bool {
        let next = self.counts.next;
        self.given.is_empty() && self.told == Some((next, self.credit()))
    }

    /// Whether the frame at this place, of so many bytes, is new.
    pub(super) fn take(&mut self, place: u64, bytes: usize) -> Result<bool, WireError> {
        let wanted = self.counts.next;
        if place > wanted {
            let what = "the place of a frame that may not be lost";
            return Err(WireError::Differs { what, is: place, wanted });
        }
        let room = self.credit();
        if place >= room {
            let what = "the place of a frame beyond the credit";
            return Err(WireError::TooLong { what, is: place, max: room });
        }
        if place < wanted {
            self.counts.came += 1;
            self.counts.duplicate += 1;
            return Ok(false);
        }
        let held = self.given_bytes.saturating_add(bytes as u64);
        // One frame may be longer than all that may wait.
        if held > self.bytes_max && !self.given.is_empty() {
            let what = "bytes of frames that may not be lost beyond the credit";
            return Err(WireError::TooLong { what, is: held, max: self.bytes_max });
        }
        self.given_bytes = held;
        self.given.push_back((place, bytes));
        self.counts.came += 1;
        self.counts.next += 1;
        self.counts.delivered += 1;
        Ok(true)
    }

    /// The frame at this place was taken back: whether that is news.
    pub(super) fn void(&mut self, place: u64) -> Result<bool, WireError> {
        let is_new = self.take(place, 0)?;
        if is_new {
            self.counts.void();
            // Nobody will consume it.
            self.given.pop_back();
            self.note();
        }
        Ok(is_new)
    }

    /// Whether a frame that came beside the stream is the next; if it is not, the stream will bring it, or has.
    pub(super) fn take_copy(&mut self, place: u64, bytes: usize) -> bool {
        let is_next = place == self.counts.next && place < self.credit();
        is_next && self.take(place, bytes).is_ok()
    }

    /// The graph has consumed as many frames.
    pub(super) fn consume(&mut self, now: Timestamp, frames: usize) {
        let stale = frames.min(self.stale);
        self.stale -= stale;
        let consumed = self.given.drain(..(frames - stale).min(self.given.len()));
        let freed = consumed.map(|(_, bytes)| bytes as u64).sum::<u64>();
        self.given_bytes -= freed;
        self.freed += freed;
        self.note();
        self.since.get_or_insert(now);
    }

    /// Places the other side has nothing for: whether some are new, and how many frames they stood for,
    /// which nobody knows where it has started anew.
    pub(super) fn skip(
        &mut self,
        from: u64,
        to: u64,
        reason: Gap,
    ) -> Result<Option<u64>, WireError> {
        let next = self.counts.next;
        if from > next {
            let what = "the start of a gap";
            return Err(WireError::TooLong { what, is: from, max: next });
        }
        let missing = to.saturating_sub(next);
        self.counts.next += missing;
        self.note();
        if missing == 0 {
            return Ok(None);
        }
        if reason == Self::RESTART {
            // A process in place of another may not know of them, and sends as much again.
            self.given.iter_mut().for_each(|(_, bytes)| *bytes = 0);
            self.given_bytes = 0;
            self.counts.restarts += 1;
            return Ok(Some(0));
        }
        self.counts.lose(reason, missing);
        Ok(Some(missing))
    }

    /// A bound behind the frames before `next`, if it says more than the last.
    pub(super) fn raise(&mut self, next: u64, bound: Timestamp) -> Option<Timestamp> {
        let is_news = next <= self.counts.next && bound > self.bound;
        is_news.then(|| {
            self.bound = bound;
            bound
        })
    }

    /// Whether the end is news.
    pub(super) fn end(&mut self, next: u64) -> bool {
        let is_news = next == self.counts.next && !self.has_ended;
        self.has_ended |= is_news;
        is_news
    }

    /// The other side counts in another way than we know, from `next`; whether something may be missing.
    pub(super) fn restart(&mut self, count: u64, next: u64) -> bool {
        let is_first = self.count == 0 && next == self.counts.next;
        self.stale += self.given.len();
        self.given.clear();
        self.given_bytes = 0;
        (self.count, self.base, self.counts.next) = (count, next, next);
        self.counts.restarts += u64::from(!is_first);
        self.note();
        self.revive();
        !is_first
    }

    /// Another process of the other side goes on with the same counting.
    pub(super) fn revive(&mut self) {
        (self.told, self.has_ended, self.bound) = (None, false, Timestamp::MIN);
    }

    /// A new connection has heard nothing.
    pub(super) fn lose(&mut self, now: Timestamp) {
        self.told = None;
        self.since = Some(now);
    }

    /// Whether half of the credit is used up, so that it should be renewed at once.
    pub(super) fn is_urgent(&self) -> bool {
        let half = self.frames_max.div_ceil(2);
        let is_half = |credit| self.credit() >= credit + half;
        // Before anything was told, or when the sender may soon have to wait.
        self.told.is_none_or(|(_, credit)| is_half(credit)) || self.freed > self.bytes_max / 4
    }

    /// Acknowledgement and credit, if there is anything new in them.
    pub(super) fn tell(&mut self) -> Option<[Message; 2]> {
        (self.since, self.freed) = (None, 0);
        let (next, frames) = (self.acknowledgeable(), self.credit());
        if self.told == Some((next, frames)) {
            return None;
        }
        self.told = Some((next, frames));
        let credit = Message::Credit { frames, bytes: self.bytes_max };
        Some([Message::Ack { next, bound: self.bound }, credit])
    }

    /// What is missing was lost with the other side's memory.
    pub(super) const RESTART: Gap = Gap::Restart;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_ignores_the_credit_in_bytes_is_refused() {
        let mut input = DurableIn::new(&EdgeConfig::durable_example());
        assert!(input.take(0, 3 << 20).expect("one frame may be longer than all that may wait"));
        assert!(input.take(1, 1).is_err(), "nothing beside it");
        input.consume(Timestamp::ZERO, 1);
        for place in 1..5 {
            assert!(input.take(place, 256 << 10).expect("there is room"));
        }
        assert!(input.take(5, 1).is_err());
        assert_eq!(
            input.take(3, 256 << 10).ok(),
            Some(false),
            "one that comes twice takes nothing"
        );
        input.consume(Timestamp::ZERO, 1);
        assert!(input.take(5, 256 << 10).expect("there is room"));
        input.restart(7, 100);
        assert!(input.take(100, 1 << 20).expect("what was before it is no more"));
    }

    #[test]
    fn places_without_frames_take_no_credit() {
        let mut input = DurableIn::new(&EdgeConfig::durable_example());
        let granted = |input: &mut DurableIn| match input.tell() {
            Some([_, Message::Credit { frames, .. }]) => frames,
            told => panic!("{told:?}"),
        };
        assert_eq!(granted(&mut input), 10);
        assert!(input.take(0, 1).expect("it is the first"));
        assert_eq!(input.tell().map(|_| ()), None);
        // One that was killed had set aside more places than it has used.
        assert_eq!(input.skip(1, 5_000, Gap::Restart).expect("it follows"), Some(0));
        assert!(input.is_urgent());
        assert_eq!(granted(&mut input), 5_009);
        for place in 5_000..5_009 {
            assert!(input.take(place, 1).expect("there is room"));
        }
        assert!(input.take(5_009, 1).is_err());
        input.consume(Timestamp::ZERO, 10);
        assert_eq!(granted(&mut input), 5_019);
    }
}
