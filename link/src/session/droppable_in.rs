//! [`DroppableIn`]: the receiving end of an edge that may lose frames.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::{Frame, Gap, Timestamp};

use super::{config::EdgeConfig, counters::Received};

/// Lost places that are remembered, to tell a late frame from a repeated one.
const LOST_MAX: usize = 4_096;

/// A late frame raises the patience by a fourth, each that is in time lowers it by one part in 512: it
/// settles where about one frame in a hundred is late.
const PATIENCE_UP: i64 = 4;
const PATIENCE_DOWN: i64 = 512;

/// Puts frames in order, waits a while for those that are missing, and tells what does not come.
#[derive(Debug)]
pub(super) struct DroppableIn {
    /// In order: from the place that is next on, without a hole. Most frames pass here alone.
    ready: VecDeque<Frame>,
    /// Came early, by place; all behind those that are ready.
    early: BTreeMap<u64, Frame>,
    frames_max: usize,
    bytes_max: usize,
    bytes: usize,
    /// How long a hole is waited for: now, at least, at most.
    patience_ns: i64,
    patience_range_ns: [i64; 2],
    /// Since when there is a hole.
    hole: Option<Timestamp>,
    /// As far as the other side says frames go: what is missing below is a hole too.
    announced: u64,
    /// Places before this were on a connection that is gone: what has not come of them will not.
    gone: u64,
    bound: Timestamp,
    /// A bound that waits for the frames before it.
    next_bound: Option<(u64, Timestamp)>,
    ends_at: Option<u64>,
    has_ended: bool,
    lost: BTreeSet<u64>,
    /// Places of which the other side says that they will not come: from, to and why.
    missing: BTreeMap<u64, (u64, Gap)>,
    pub(super) unacknowledged: bool,
    pub(super) counts: Received,
}

/// What comes out in order.
pub(super) enum Ordered {
    Frame(Frame),
    Gap { reason: Gap, frames: u64 },
    Bound(Timestamp),
    End,
}

impl DroppableIn {
    pub(super) fn new(config: &EdgeConfig, patience_range_ns: [i64; 2]) -> Self {
        Self {
            ready: VecDeque::new(),
            early: BTreeMap::new(),
            frames_max: config.frames_max.max(1),
            bytes_max: config.bytes_max,
            bytes: 0,
            patience_ns: patience_range_ns[0],
            patience_range_ns,
            hole: None,
            announced: 0,
            gone: 0,
            bound: Timestamp::MIN,
            next_bound: None,
            ends_at: None,
            has_ended: false,
            lost: BTreeSet::new(),
            missing: BTreeMap::new(),
            unacknowledged: false,
            counts: Received::default(),
        }
    }

    /// Takes a frame in; what is in order comes out of [`DroppableIn::pop`].
    pub(super) fn take(&mut self, now: Timestamp, place: u64, frame: Frame) {
        self.counts.came += 1;
        self.unacknowledged = true;
        if place < self.counts.next {
            // A frame that was told to be missing may come once.
            match self.lost.remove(&place) {
                true => {
                    self.counts.late += 1;
                    self.patience_ns += self.patience_ns / PATIENCE_UP;
                    self.patience_ns = self.patience_ns.min(self.patience_range_ns[1]);
                }
                false => self.counts.duplicate += 1,
            }
            return;
        }
        let head = self.head();
        if place < head || self.early.contains_key(&place) {
            self.counts.duplicate += 1;
            return;
        }
        self.bytes += frame.buffer().bytes_len();
        self.counts.inside += 1;
        match place == head {
            true => self.ready.push_back(frame),
            false => drop(self.early.insert(place, frame)),
        }
        self.look(now);
    }

    /// The first place that has not come.
    fn head(&self) -> u64 {
        self.counts.next + self.ready.len() as u64
    }

    /// The other side says that the frames before `next` are sent, and nothing older will follow.
    pub(super) fn raise(&mut self, now: Timestamp, next: u64, bound: Timestamp) {
        self.unacknowledged = true;
        self.announced = self.announced.max(next);
        if bound > self.bound && self.next_bound.is_none_or(|(_, waiting)| bound > waiting) {
            self.next_bound = Some((next, bound));
        }
        self.look(now);
    }

    /// The other side says how many frames there were.
    pub(super) fn end(&mut self, now: Timestamp, next: u64) {
        self.unacknowledged = true;
        self.announced = self.announced.max(next);
        self.ends_at = Some(next);
        self.look(now);
    }

    /// The other side says that these places will not come, so they need not be waited for.
    pub(super) fn skip(&mut self, now: Timestamp, from: u64, to: u64, reason: Gap) {
        if to > self.counts.next && self.missing.len() < self.frames_max.max(64) {
            self.missing.insert(from, (to, reason));
        }
        self.announced = self.announced.max(to);
        self.look(now);
    }

    /// As far as the place that is next is known to be missing, and why.
    fn known_missing(&mut self) -> Option<(u64, Gap)> {
        let next = self.counts.next;
        while let Some(first) = self.missing.first_entry().filter(|first| first.get().0 <= next) {
            first.remove();
        }
        let (_, &(to, reason)) = self.missing.range(..=next).next_back()?;
        let until = self.early.keys().next().map_or(to, |&first| first.min(to));
        (until > next).then_some((until, reason))
    }

    /// Frames of a connection that is gone will not come.
    pub(super) fn lose(&mut self, now: Timestamp) {
        let came = self.early.last_key_value().map_or(0, |(last, _)| last + 1);
        self.gone = self.announced.max(came);
        self.hole = None;
        self.look(now);
    }

    /// The other side counts anew from `next`; what waits here comes out first.
    pub(super) fn restart(&mut self, next: u64) -> Vec<Frame> {
        let early = std::mem::take(&mut self.early).into_values();
        let frames: Vec<Frame> = self.ready.drain(..).chain(early).collect();
        self.counts.delivered += frames.len() as u64;
        self.counts.inside = 0;
        self.bytes = 0;
        self.lost.clear();
        self.missing.clear();
        self.counts.restarts += 1;
        (self.counts.next, self.announced, self.gone) = (next, next, 0);
        (self.hole, self.next_bound, self.ends_at, self.has_ended) = (None, None, None, false);
        // Times of another clock, perhaps.
        self.bound = Timestamp::MIN;
        frames
    }

    /// The other side goes on from `next`, and nothing has come from it yet.
    pub(super) fn begin(&mut self, next: u64) {
        if self.head() == 0 && self.announced == 0 && self.early.is_empty() {
            (self.counts.next, self.announced) = (next, next);
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Sees whether something is missing now.
    fn look(&mut self, now: Timestamp) {
        let head = self.head();
        let is_missing = match self.early.keys().next() {
            Some(&first) => first > head,
            None => self.announced > head,
        };
        match is_missing {
            // There is nothing to wait for.
            true if head < self.gone => self.hole = Some(now.plus_nanos(-self.patience_ns)),
            true => drop(self.hole.get_or_insert(now)),
            false => self.hole = None,
        }
    }

    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.hole.map(|since| since.plus_nanos(self.patience_ns))
    }

    /// The next thing in order, if it is time for it.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Ordered> {
        let next = self.counts.next;
        let ready = self.ready.pop_front();
        if let Some(frame) = ready.or_else(|| self.early.remove(&next)) {
            self.bytes -= frame.buffer().bytes_len();
            self.counts.next += 1;
            self.counts.inside -= 1;
            self.counts.delivered += 1;
            self.patience_ns -= (self.patience_ns - self.patience_range_ns[0]) / PATIENCE_DOWN;
            // The next hole is waited for on its own account.
            self.hole = None;
            self.look(now);
            return Some(Ordered::Frame(frame));
        }
        if let Some((_, bound)) = self.next_bound.take_if(|(place, _)| *place <= next) {
            self.bound = bound;
            return Some(Ordered::Bound(bound));
        }
        if self.ends_at.is_some_and(|end| end <= next) && !self.has_ended {
            self.has_ended = true;
            return Some(Ordered::End);
        }
        if let Some((until, reason)) = self.known_missing() {
            return Some(self.give_up(now, until, reason));
        }
        let is_full = self.early.len() >= self.frames_max || self.bytes > self.bytes_max;
        let is_due = self.wake().is_some_and(|due| now >= due);
        if !is_due && !is_full {
            return None;
        }
        let until = self.early.keys().next().map_or(self.announced, |&place| place);
        if until <= next {
            return None;
        }
        // What the sender dropped it says on the next frame.
        let said = self.early.get(&until).and_then(|frame| frame.header.gap.get());
        Some(self.give_up(now, until, said.unwrap_or(Gap::Source)))
    }

    /// What comes before `until` is not waited for any more.
    fn give_up(&mut self, now: Timestamp, until: u64, reason: Gap) -> Ordered {
        let next = self.counts.next;
        self.lost.extend((next..until).rev().take(LOST_MAX));
        while self.lost.len() > LOST_MAX {
            self.lost.pop_first();
        }
        self.counts.next = until;
        self.counts.lose(reason, until - next);
        self.hole = None;
        self.look(now);
        Ordered::Gap { reason, frames: until - next }
    }

    /// What is decided, and the newest bound.
    pub(super) fn tell(&mut self) -> Option<(u64, Timestamp)> {
        std::mem::take(&mut self.unacknowledged).then_some((self.counts.next, self.bound))
    }
}

#[cfg(test)]
mod tests {
    use engine::{Format, Header, Rate, Unit};

    use super::*;
    use crate::session::{Delivery, Priority, TimeLine};

    #[test]
    fn what_was_on_a_connection_that_is_gone_is_told_at_once_hole_by_hole() {
        let rate = Rate::new(250.0).expect("possible");
        let config = EdgeConfig {
            name: "a -> b".to_owned(),
            format: Format::signal(1, Unit::MILLIVOLT, rate, 1),
            receives: true,
            delivery: Delivery::Droppable { deadline_ns: 5_000_000_000 },
            priority: Priority::Bulk,
            line: TimeLine::Shared,
            packed: false,
            may_void: false,
            frames_max: 16,
            bytes_max: 1 << 20,
        };
        let mut input = DroppableIn::new(&config, [5_000_000_000; 2]);
        let frame = |n| Frame::signal(Header::at(Timestamp::from_nanos(n)).time, 1, &[n as f32]);
        let now = Timestamp::ZERO;
        for place in [0, 3] {
            input.take(now, place, frame(place as i64));
        }
        input.end(now, 5);
        let told = |input: &mut DroppableIn| {
            let said = |ordered| match ordered {
                Ordered::Frame(_) => "frame".to_owned(),
                Ordered::Gap { frames, .. } => format!("{frames} missing"),
                Ordered::Bound(_) => "bound".to_owned(),
                Ordered::End => "end".to_owned(),
            };
            std::iter::from_fn(|| input.pop(now).map(said)).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut input), ["frame"], "the others may be under way");
        input.lose(now);
        assert_eq!(told(&mut input), ["2 missing", "frame", "1 missing", "end"]);
    }
}
