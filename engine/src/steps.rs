//! Frames that are followed: of some that come in, every step on their way is noted.
//!
//! ```text
//! source: one frame in many is marked ──▶ stages, sinks: a [`Step`] for each body it passes
//!                                                └──▶ one queue ──▶ whoever joins them (`journey`)
//! ```
//!
//! The mark is the lowest bit of `entered`, which travels with a frame and with whatever it causes: a
//! nanosecond, which no latency misses. Nobody is waited for: a step that finds no room is lost, and
//! counted. While nobody asks, a stage looks at one flag a turn, and no frame is touched.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
};

use crossbeam_queue::ArrayQueue;

use crate::{frame::Header, time::Timestamp};

/// Steps that may wait to be joined.
const STEPS: usize = 1 << 14;
/// Between two followed frames of a source, where there is but one session.
pub(crate) const EVERY_NS: i64 = 1_000_000;
/// There is at least so much followed, however little room there is.
const EVERY_MOST_NS: i64 = 1_000_000_000;
/// More frames are not skipped at a time, so that a source which becomes slow is still followed.
const SKIPPED_MAX: u64 = 1 << 16;

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// A body was called.
    Body,
    /// The same call, as seen from another of its outputs.
    Also,
    /// A sink took the frame; `ended` is the moment up to which its latency counts.
    Sink,
    /// The frame has come to a node at which it may wait for others.
    Held,
    /// A call has made questions of it.
    Asked,
    /// The answer goes on.
    Answered,
    /// Some other frame was at work meanwhile.
    Other,
}

/// One step of a followed frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) session: u32,
    pub(crate) node: u32,
    /// The input it came by.
    pub(crate) line: u16,
    /// The output by which frames left, from `out_seq` on, and how many.
    pub(crate) out_port: u16,
    pub(crate) outs: u32,
    /// Number of the frame on its edge; [`NO_FRAME`] for a timer or an end.
    pub(crate) in_seq: u64,
    pub(crate) out_seq: u64,
    /// Whose way this is on: the stamp of the frame at the door.
    pub(crate) entered: Timestamp,
    /// When the stage took its input out of a ring, and since when its core had been at work then.
    pub(crate) taken: Timestamp,
    pub(crate) woke: Timestamp,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// No frame has caused it.
pub(crate) const NO_FRAME: u64 = u64::MAX;

/// Whether what this frame came in with is followed. Says nothing where nobody follows.
pub(crate) const fn is_followed(entered: Timestamp) -> bool {
    entered.nanos() & 1 == 1
}

/// What many write, on a cache line of its own: the switch beside it is read in every turn.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// The switch, and the queue behind it: one for all sessions of a run.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    on: AtomicBool,
    every_ns: AtomicI64,
    /// It has just begun, and every frame is followed as long as there is room.
    early: AtomicBool,
    sessions: AtomicU32,
    queue: OnceLock<ArrayQueue<Step>>,
    lost: Apart<AtomicU64>,
    /// Calls of bodies that take longer are told; 0 if nobody wants to know.
    slow_ns: AtomicI64,
    slow: OnceLock<ArrayQueue<SlowCall>>,
    /// Turns with slow calls that nobody took in time.
    slow_lost: AtomicU64,
}

/// A body that took long: in one call, or in all calls of a turn that was long because of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowCall {
    /// The session.
    pub session: u32,
    /// Number of the node among those of the plan, producers before consumers.
    pub node: usize,
    /// When the content of the frame happened, of several the one that took longest; none if nothing had come yet.
    pub time: Option<Timestamp>,
    /// How long it took, in nanoseconds.
    pub took_ns: i64,
    /// How many calls took so long together.
    pub calls: u64,
    /// When it is told, on the run's clock: up to a second later.
    pub at: Timestamp,
    /// Turns of this node that were slow as well since it was told of last: this one was the slowest of all.
    pub more: u64,
}

/// Slow calls that may wait to be told.
const SLOW: usize = 256;

impl Steps {
    /// Follows a frame of each source every so many nanoseconds, or nobody any more.
    pub(crate) fn follow(&self, every_ns: Option<i64>) {
        if let Some(every_ns) = every_ns {
            self.queue.get_or_init(|| ArrayQueue::new(STEPS));
            self.every_ns.store(every_ns, Ordering::Relaxed);
            self.early.store(true, Ordering::Relaxed);
        }
        // Pairs with the Acquire in `is_on`: who sees it on finds the queue.
        self.on.store(every_ns.is_some(), Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// So many sessions share what following may cost.
    pub(crate) fn share(&self, sessions: u32) {
        self.sessions.store(sessions, Ordering::Relaxed);
    }

    /// It has begun a while ago.
    pub(crate) fn thin_out(&self) {
        self.early.store(false, Ordering::Relaxed);
    }

    /// There was no room for some: from now on half as many.
    pub(crate) fn follow_less(&self) {
        let every_ns = self.every_ns.load(Ordering::Relaxed);
        self.every_ns.store((every_ns.max(1) * 2).min(EVERY_MOST_NS), Ordering::Relaxed);
    }

    pub(crate) fn put(&self, step: Step) {
        let Some(queue) = self.queue.get() else { return };
        if self.early.load(Ordering::Relaxed) && queue.len() > STEPS / 2 {
            self.thin_out();
        }
        if queue.push(step).is_err() {
            self.lost.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn take(&self) -> Option<Step> {
        self.queue.get()?.pop()
    }

    /// Steps that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.0.load(Ordering::Relaxed)
    }

    /// Tells calls that take longer from now on, or none any more.
    pub(crate) fn tell_slow(&self, limit_ns: Option<i64>) {
        if limit_ns.is_some() {
            self.slow.get_or_init(|| ArrayQueue::new(SLOW));
        }
        self.slow_ns.store(limit_ns.unwrap_or(0).max(0), Ordering::Release);
    }

    /// What is slow; 0 if nobody wants to know.
    #[inline]
    pub(crate) fn slow_ns(&self) -> i64 {
        self.slow_ns.load(Ordering::Acquire)
    }

    /// Tells a slow call; the oldest goes if nobody listens.
    pub(crate) fn put_slow(&self, call: SlowCall) {
        if let Some(oldest) = self.slow.get().and_then(|queue| queue.force_push(call)) {
            self.slow_lost.fetch_add(1 + oldest.more, Ordering::Relaxed);
        }
    }

    pub(crate) fn slow_lost(&self) -> u64 {
        self.slow_lost.load(Ordering::Relaxed)
    }

    pub(crate) fn take_slow(&self) -> Option<SlowCall> {
        self.slow.get()?.pop()
    }

    fn every_ns(&self) -> i64 {
        if self.early.load(Ordering::Relaxed) {
            return 0;
        }
        let sessions = i64::from(self.sessions.load(Ordering::Relaxed).max(1));
        self.every_ns.load(Ordering::Relaxed).saturating_mul(sessions)
    }
}

/// Chooses the frames of one source that are followed: at random, so that none of those that come together
/// is preferred, and so many that they come at a certain rate.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    /// Frames up to the next that is followed.
    left: u64,
    /// Frames from the last one that was followed to the next.
    stride: u64,
    last: Timestamp,
    random: u64,
}

impl Chooser {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { left: 1, stride: 1, last: Timestamp::MIN, random: seed | 1 }
    }

    /// The stamp of a frame that comes in at `entered`, marked or not.
    #[inline]
    pub(crate) fn stamp(&mut self, entered: Timestamp, steps: &Steps) -> Timestamp {
        self.left -= 1;
        if self.left > 0 {
            return Timestamp::from_nanos(entered.nanos() & !1);
        }
        self.chosen(entered, steps.every_ns());
        Timestamp::from_nanos(entered.nanos() | 1)
    }

    #[cold]
    fn chosen(&mut self, now: Timestamp, every_ns: i64) {
        let since_ns = now.since(std::mem::replace(&mut self.last, now)).max(1);
        // So many would have been one every `every_ns`; changed by no more than a factor of two at a time.
        let due = (self.stride as f64 * every_ns as f64 / since_ns as f64) as u64;
        let mean = due.clamp(self.stride.div_ceil(2), self.stride * 2).clamp(1, SKIPPED_MAX);
        // xorshift64 (Marsaglia 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.stride = 1 + self.random % (2 * mean - 1);
        self.left = self.stride;
    }
}

/// What of a step is known where a body was called.
pub(crate) struct Passed<'a> {
    pub(crate) kind: StepKind,
    pub(crate) node: usize,
    pub(crate) line: usize,
    pub(crate) cause: &'a Header,
    pub(crate) in_seq: u64,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

impl Passed<'_> {
    /// The step, without what it has sent.
    pub(crate) fn step(&self, session: u32, entered: Timestamp) -> Step {
        Step {
            kind: self.kind,
            session,
            node: self.node as u32,
            line: self.line as u16,
            out_port: u16::MAX,
            outs: 0,
            in_seq: self.in_seq,
            out_seq: 0,
            entered,
            taken: Timestamp::MIN,
            woke: Timestamp::MIN,
            began: self.began,
            ended: self.ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_in_a_thousand_is_chosen_at_a_megahertz() {
        let steps = Steps::default();
        steps.follow(Some(EVERY_NS));
        steps.thin_out();
        let mut chooser = Chooser::new(7);
        let at = |n: i64| Timestamp::from_nanos(n * 1_000);

        let chosen: Vec<i64> =
            (0..1_000_000).filter(|&n| is_followed(chooser.stamp(at(n), &steps))).collect();
        // Strides are even between 1 and twice the mean; a thousand of them are off by a few per cent.
        assert!((700..1_400).contains(&chosen.len()), "{} in a second", chosen.len());
        let places: std::collections::BTreeSet<i64> = chosen.iter().map(|n| n % 16).collect();
        assert_eq!(places.len(), 16, "none of those that come together is preferred");
    }

    #[test]
    fn all_frames_are_chosen_where_they_are_few_and_fewer_where_sessions_are_many() {
        let steps = Steps::default();
        steps.follow(Some(EVERY_NS));
        steps.thin_out();
        let at = |n: i64| Timestamp::from_nanos(n * 20_000_000);
        let count = |chooser: &mut Chooser, steps: &Steps| {
            (0..10_000).filter(|&n| is_followed(chooser.stamp(at(n), steps))).count()
        };

        assert_eq!(count(&mut Chooser::new(3), &steps), 10_000);
        steps.share(1_000);
        let fewer = count(&mut Chooser::new(3), &steps);
        // One a second of the 50 that come in it, for 200 seconds.
        assert!((130..400).contains(&fewer), "{fewer}");
    }

    #[test]
    fn slow_calls_that_nobody_takes_in_time_are_counted_with_their_turns() {
        let steps = Steps::default();
        steps.tell_slow(Some(1));
        let time = Some(Timestamp::ZERO);
        let call = SlowCall {
            session: 0,
            node: 0,
            time,
            took_ns: 2,
            calls: 1,
            at: Timestamp::ZERO,
            more: 2,
        };
        (0..SLOW + 5).for_each(|node| steps.put_slow(SlowCall { node, ..call }));
        assert_eq!(steps.take_slow().map(|call| call.node), Some(5), "the newest are kept");
        assert_eq!(steps.slow_lost(), 5 * 3);
    }
}
