//! [`DurableIn`]: the receiving end of an edge that loses nothing.

use std::collections::VecDeque;

use engine::{Gap, Timestamp};

use super::{config::EdgeConfig, counters::Received};
use crate::wire::{Message, WireError};

/// Gives each frame out once, in order, and acknowledges those that were consumed.
#[derive(Debug)]
pub(super) struct DurableIn {
    frames_max: u64,
    bytes_max: u64,
    /// Given out and not consumed: their places.
    given: VecDeque<u64>,
    /// Given out before the other side counted anew: nobody waits to hear that they are consumed.
    stale: usize,
    /// What was acknowledged last, and the credit that was granted with it.
    told: Option<u64>,
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
            stale: 0,
            told: None,
            since: None,
            bound: Timestamp::MIN,
            has_ended: false,
            counts: Received::default(),
        }
    }

    /// The first place that is not consumed: the other side keeps it and what follows.
    pub(super) fn unconsumed(&self) -> u64 {
        self.given.front().copied().unwrap_or(self.counts.next)
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
        self.given.is_empty() && self.told == Some(self.counts.next)
    }

    /// Whether the frame at this place is new.
    pub(super) fn take(&mut self, place: u64) -> Result<bool, WireError> {
        let wanted = self.counts.next;
        if place > wanted {
            let what = "the place of a frame that may not be lost";
            return Err(WireError::Differs { what, is: place, wanted });
        }
        let room = self.unconsumed() + self.frames_max;
        if place >= room {
            let what = "the place of a frame beyond the credit";
            return Err(WireError::TooLong { what, is: place, max: room });
        }
        self.counts.came += 1;
        if place < wanted {
            self.counts.duplicate += 1;
            return Ok(false);
        }
        self.given.push_back(place);
        self.counts.next += 1;
        self.counts.delivered += 1;
        Ok(true)
    }

    /// The graph has consumed as many frames.
    pub(super) fn consume(&mut self, now: Timestamp, frames: usize) {
        let stale = frames.min(self.stale);
        self.stale -= stale;
        self.given.drain(..(frames - stale).min(self.given.len()));
        self.since.get_or_insert(now);
    }

    /// Frames the other side does not have any more: how many are missing here.
    pub(super) fn skip(&mut self, from: u64, to: u64) -> Result<u64, WireError> {
        let next = self.counts.next;
        if from > next {
            let what = "the start of a gap";
            return Err(WireError::TooLong { what, is: from, max: next });
        }
        let missing = to.saturating_sub(next);
        self.counts.next += missing;
        self.counts.lost = self.counts.lost.saturating_add(missing);
        Ok(missing)
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

    /// The other side has started anew and counts from `next`.
    pub(super) fn restart(&mut self, next: u64) {
        self.stale += self.given.len();
        self.given.clear();
        self.counts.next = next;
        self.counts.restarts += 1;
        (self.told, self.has_ended, self.bound) = (None, false, Timestamp::MIN);
    }

    /// A new connection has heard nothing.
    pub(super) fn lose(&mut self, now: Timestamp) {
        self.told = None;
        self.since = Some(now);
    }

    /// Whether half of the credit is used up, so that it should be renewed at once.
    pub(super) fn is_urgent(&self) -> bool {
        self.told.is_none_or(|told| self.unconsumed() >= told + self.frames_max.div_ceil(2))
    }

    /// Acknowledgement and credit, if there is anything new in them.
    pub(super) fn tell(&mut self) -> Option<[Message; 2]> {
        self.since = None;
        let next = self.unconsumed();
        if self.told == Some(next) {
            return None;
        }
        self.told = Some(next);
        let credit = Message::Credit { frames: next + self.frames_max, bytes: self.bytes_max };
        Some([Message::Ack { next, bound: self.bound }, credit])
    }

    /// What is missing was lost with the other side's memory.
    pub(super) const RESTART: Gap = Gap::Restart;
}
