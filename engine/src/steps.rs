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

mod chooser;

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
};

use crossbeam_queue::ArrayQueue;

use crate::{frame::Header, time::Timestamp};

pub(crate) use chooser::Chooser;

/// Steps that may wait to be joined.
const STEPS: usize = 1 << 14;
/// Steps of which is known that there was no room for them.
const MISSING: usize = 1 << 12;
/// Between two followed frames, of all sources of all sessions.
pub(crate) const EVERY_NS: i64 = 1_000_000;
/// There is at least so much followed, however little room there is.
const EVERY_MOST_NS: i64 = 10_000_000_000;

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

/// What was lost, so that nothing is made of the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    /// A step of a frame; at a sink, at that of this node.
    Step { session: u32, entered: Timestamp, sink: Option<u32> },
    /// Steps of whatever has come in up to this moment.
    AnyUpTo(Timestamp),
}

/// The switch, and the queue behind it: one for all sessions of a run.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    on: AtomicBool,
    every_ns: AtomicI64,
    /// It has just begun, and every frame is followed as long as there is room.
    early: AtomicBool,
    /// Places at which frames are chosen: in how many sessions, and how many in each.
    sessions: AtomicU32,
    choosers: AtomicU32,
    /// Each has its share of what is followed in all, and that times this between two frames: the bits of an `f64`.
    stretch: AtomicU64,
    queue: OnceLock<ArrayQueue<Step>>,
    lost: Apart<AtomicU64>,
    missing: OnceLock<ArrayQueue<Missing>>,
    /// Should there be no room for these either: all that came in up to this moment miss some.
    missing_up_to: AtomicI64,
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
    /// Follows a frame every so many nanoseconds, of all sources together, or nobody any more.
    pub(crate) fn follow(&self, every_ns: Option<i64>) {
        if let Some(every_ns) = every_ns {
            self.queue.get_or_init(|| ArrayQueue::new(STEPS));
            self.missing.get_or_init(|| ArrayQueue::new(MISSING));
            self.every_ns.store(every_ns, Ordering::Relaxed);
            if !self.is_on() {
                self.stretch.store(1.0_f64.to_bits(), Ordering::Relaxed);
            }
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

    /// And in each of them so many sources and ports.
    pub(crate) fn choosers(&self, choosers: u32) {
        self.choosers.store(choosers, Ordering::Relaxed);
    }

    fn shares(&self) -> f64 {
        let of = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed).max(1));
        of(&self.sessions) * of(&self.choosers)
    }

    /// It has begun a while ago.
    pub(crate) fn thin_out(&self) {
        self.early.store(false, Ordering::Relaxed);
    }

    /// Whether it has just begun, and every frame is followed.
    pub(crate) fn is_early(&self) -> bool {
        self.early.load(Ordering::Relaxed)
    }

    /// There was no room for some: from now on half as many. In the first moments that is no wonder.
    pub(crate) fn follow_less(&self) {
        if !self.is_early() {
            self.stretch(2.0);
        }
    }

    /// So much longer, or less, between two frames of a source: at most as if it were the only one, and a frame in
    /// ten seconds of all of them at the least.
    pub(crate) fn stretch(&self, by: f64) {
        let most = EVERY_MOST_NS as f64 / self.asked_ns().max(1) as f64;
        let stretch = f64::from_bits(self.stretch.load(Ordering::Relaxed)) * by;
        let stretch = stretch.clamp(self.shares().recip(), most.max(1.0));
        self.stretch.store(stretch.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn put(&self, step: Step) {
        let Some(queue) = self.queue.get() else { return };
        if self.is_early() && queue.len() > STEPS / 2 {
            self.thin_out();
        }
        if let Err(step) = queue.push(step) {
            self.lose(&step);
        }
    }

    #[cold]
    fn lose(&self, step: &Step) {
        self.lost.0.fetch_add(1, Ordering::Relaxed);
        let Step { session, entered, .. } = *step;
        let sink = (step.kind == StepKind::Sink).then_some(step.node);
        let missing = Missing::Step { session, entered, sink };
        if self.missing.get().is_none_or(|queue| queue.push(missing).is_err()) {
            // Pairs with the Acquire in `take_missing`. Zero says nothing: that is before anything comes in.
            self.missing_up_to.fetch_max(entered.nanos(), Ordering::Release);
        }
    }

    pub(crate) fn take(&self) -> Option<Step> {
        self.queue.get()?.pop()
    }

    /// Steps that wait.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        self.queue.get().map_or(0, ArrayQueue::len)
    }

    /// What is missing among the steps: whoever has taken one knows by this of all that were lost before it.
    pub(crate) fn take_missing(&self) -> Option<Missing> {
        if let Some(missing) = self.missing.get()?.pop() {
            return Some(missing);
        }
        if self.missing_up_to.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let up_to = self.missing_up_to.swap(0, Ordering::Acquire);
        Some(Missing::AnyUpTo(Timestamp::from_nanos(up_to)))
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

    /// Between two frames, of all sources together, as it was asked for.
    pub(crate) fn asked_ns(&self) -> i64 {
        self.every_ns.load(Ordering::Relaxed)
    }

    /// Between two frames of one source.
    pub(crate) fn every_ns(&self) -> i64 {
        let asked_ns = self.asked_ns();
        let stretch = f64::from_bits(self.stretch.load(Ordering::Relaxed));
        if self.is_early() || (asked_ns == 0 && stretch <= 1.0) {
            return 0;
        }
        let own_ns = asked_ns.max(1) as f64 * self.shares() * stretch;
        (own_ns as i64).max(asked_ns)
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
    fn what_is_followed_less_for_want_of_room_is_followed_more_again() {
        let steps = Steps::default();
        steps.follow(Some(EVERY_NS));
        steps.follow_less();
        steps.thin_out();
        assert_eq!(steps.every_ns(), EVERY_NS, "losses in the first moments do not count");
        for _ in 0..60 {
            steps.follow_less();
        }
        assert_eq!(steps.every_ns(), EVERY_MOST_NS);
        for _ in 0..60 {
            steps.stretch(0.7);
        }
        assert_eq!(steps.every_ns(), EVERY_NS, "and never more than was asked for");
    }

    #[test]
    fn steps_without_room_are_known_by_their_frames() {
        let steps = Steps::default();
        steps.follow(Some(EVERY_NS));
        let header = Header { entered: Timestamp::from_nanos(7), ..Header::at(Timestamp::ZERO) };
        let (kind, now) = (StepKind::Sink, Timestamp::ZERO);
        let passed =
            Passed { kind, node: 3, line: 0, cause: &header, in_seq: 0, began: now, ended: now };
        let put = |entered: i64| steps.put(passed.step(5, Timestamp::from_nanos(entered)));
        (0..STEPS as i64).for_each(put);
        assert!(steps.take_missing().is_none());
        (0..=MISSING as i64).for_each(|n| put(1_000 + n));
        assert_eq!(steps.lost(), MISSING as u64 + 1);
        let first = steps.take_missing();
        let is_known = |missing: Missing| matches!(missing, Missing::Step { session: 5, sink: Some(3), entered } if entered.nanos() == 1_000);
        assert!(first.is_some_and(is_known), "{first:?}");
        let last = std::iter::from_fn(|| steps.take_missing()).last();
        let up_to = Timestamp::from_nanos(1_000 + MISSING as i64);
        assert!(matches!(last, Some(Missing::AnyUpTo(at)) if at == up_to), "{last:?}");
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
