//! What is counted, where it happens: frames on edges, time in nodes, latency at sinks and
//! behind stages.
//!
//! Every counter has one writer (a core's thread, or one I/O task), so counting
//! is a plain load and store; readers may look at any time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
};

use crate::{
    frame::{Gap, Header},
    losses::Losses,
    time::Timestamp,
};

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds, as the only writer.
    pub(crate) fn add(&self, amount: u64) {
        // Pairs with the Acquire in `value`: who sees a frame taken sees it sent as well.
        self.0.store(self.0.load(Ordering::Relaxed) + amount, Ordering::Release);
    }

    /// Adds, beside other writers.
    pub(crate) fn add_shared(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Release);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        // Pairs with the Release in `add`.
        self.0.load(Ordering::Acquire)
    }
}

/// Frames on one edge of one session: `sent = taken + dropped + in flight`, always.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct EdgeCounts {
    /// Frames the producer made.
    pub sent: Counter,
    /// Frames the consumer has dealt with.
    pub taken: Counter,
    /// Frames that were taken out of the ring, as far as the consumer has counted them.
    pub(crate) out: Counter,
    dropped: [Counter; Gap::ALL.len()],
    /// Who is told of frames that are dropped, where somebody wants to know.
    losses: Option<Arc<Losses>>,
}

impl EdgeCounts {
    /// Counts that tell `losses`, if there are any to be told.
    pub(crate) fn telling(losses: Option<Arc<Losses>>) -> Self {
        Self { losses, ..Self::default() }
    }

    /// Counts dropped frames; both ends may.
    pub(crate) fn dropped(&self, reason: Gap, frames: u64) {
        if frames > 0 {
            self.dropped[reason.index()].add_shared(frames);
        }
    }

    /// Counts one dropped frame, and tells whoever waits for what it causes.
    pub(crate) fn lose(&self, reason: Gap, header: &Header) {
        self.dropped(reason, 1);
        if header.tag != 0
            && let Some(losses) = &self.losses
        {
            losses.tell(header, reason);
        }
    }

    /// Frames that have found room on the way to the consumer, or wait for it.
    pub(crate) fn admitted(&self) -> u64 {
        let full = self.dropped_for(Gap::Full);
        self.sent.value().saturating_sub(full)
    }

    /// Frames in the ring, or that wait for room in it: not those that the consumer has, at work, at a join or asked.
    /// After a ring was given up, as good as.
    pub(crate) fn in_ring(&self) -> u64 {
        // In the order of `in_flight`.
        let out = self.out.value() + self.dropped_for(Gap::Wedged);
        let in_flight = self.in_flight();
        self.admitted().saturating_sub(out).min(in_flight)
    }

    /// Counts as lost what had been admitted to a ring that was given up, if the consumer, who
    /// counts here, has neither dealt with it nor has it still `inside`. Meanwhile the producer may
    /// have sent more.
    pub(crate) fn lost(&self, admitted: u64, inside: u64) {
        let by_consumer = Gap::ALL.iter().filter(|&&gap| gap != Gap::Full);
        let dropped: u64 = by_consumer.map(|&gap| self.dropped_for(gap)).sum();
        let known = self.taken.value() + dropped + inside;
        self.dropped(Gap::Wedged, admitted.saturating_sub(known));
    }

    /// Frames dropped for `reason`.
    pub fn dropped_for(&self, reason: Gap) -> u64 {
        self.dropped[reason.index()].value()
    }

    /// Frames dropped for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().map(Counter::value).sum()
    }

    /// Frames that are neither taken nor dropped yet.
    pub fn in_flight(&self) -> u64 {
        // Taken and dropped are read first: a frame that moves meanwhile then
        // counts as in flight once too often rather than going negative.
        let gone = self.taken.value() + self.dropped_in_all();
        self.sent.value().saturating_sub(gone)
    }
}

/// Work of one node of one session.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct NodeCounts {
    /// Times the body was put in anew.
    pub restarts: Counter,
    /// Frames the body died on.
    pub poison: Counter,
    /// Calls that were timed: about one turn in 256, and while somebody follows frames, those of them.
    pub timed: Counter,
    /// Nanoseconds those took together.
    pub timed_ns: Counter,
    /// Frames that those calls were about, or for sources, made: timers and ends are about none.
    pub(crate) timed_frames: Counter,
    /// Events stamped older than the node's own bound.
    pub late: Counter,
    /// For sources: samples that came in by the first output that somebody takes.
    pub samples: Counter,
    /// For sources: frames that said that something before them is missing.
    pub gaps: Counter,
    /// For sinks: everything older has been taken out, and is where the sink brings it. For sources: the end of
    /// time, once they have ended.
    pub(crate) reached: Reached,
}

impl NodeCounts {
    /// Counts a call that was timed, about so many frames.
    pub(crate) fn timed_for(&self, began: Timestamp, ended: Timestamp, frames: u64) {
        self.timed_frames.add(frames);
        self.timed.add(1);
        self.timed_ns.add(ended.since(began).max(0) as u64);
    }
}

/// A moment that only rises; the beginning of the line at first. One writer.
#[derive(Debug)]
pub(crate) struct Reached(AtomicI64);

impl Default for Reached {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Reached {
    pub(crate) fn raise(&self, to: Timestamp) {
        if to.nanos() > self.0.load(Ordering::Relaxed) {
            // Pairs with the Acquire in `value`: what lies before it was written out.
            self.0.store(to.nanos(), Ordering::Release);
        }
    }

    pub(crate) fn value(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Acquire))
    }
}

/// What a stage of one session is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum StageState {
    /// Takes frames, or waits for some.
    #[default]
    Running,
    /// A body of it failed and has no successor yet.
    Trouble,
    /// Its sources were told to wait.
    Paused,
    /// Every stream has ended.
    Done,
}

impl StageState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Running, Self::Trouble, Self::Paused, Self::Done];

    /// The word used in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Trouble => "trouble",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }
}

/// One stage of one session.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct StageCounts {
    /// From the host's door to the end of the stage; shared by all sessions of a plan.
    latency: Arc<Histogram>,
    state: AtomicU8,
}

impl StageCounts {
    pub(crate) fn new(latency: &Arc<Histogram>) -> Self {
        Self { latency: latency.clone(), state: AtomicU8::default() }
    }

    /// A frame has left the stage, this long after it came through the host's door. The last one of
    /// each turn is told of.
    pub(crate) fn left(&self, latency_ns: i64) {
        self.latency.record(latency_ns);
    }

    /// Tells what the stage is doing from now on.
    pub(crate) fn set_state(&self, state: StageState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// What the stage is doing.
    pub fn state(&self) -> StageState {
        StageState::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }
}

const SUB: usize = 32;
const OCTAVES: usize = 42;

/// A histogram of latencies: 32 steps per factor of two (3 % wide), up to 73 minutes.
#[derive(Debug)]
pub struct Histogram {
    steps: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
    max: AtomicI64,
}

impl Default for Histogram {
    fn default() -> Self {
        let steps = (0..SUB * OCTAVES).map(|_| AtomicU64::new(0)).collect();
        Self { steps, sum_ns: AtomicU64::new(0), max: AtomicI64::new(i64::MIN) }
    }
}

impl Histogram {
    /// Counts one latency in nanoseconds; negative ones count as zero. Many threads may.
    pub fn record(&self, ns: i64) {
        let ns = ns.max(0);
        self.count_in(step(ns as u64), 1);
        self.sum_up(ns as u64, ns);
    }

    fn count_in(&self, step: usize, count: u64) {
        self.steps[step].fetch_add(count, Ordering::Relaxed);
    }

    fn sum_up(&self, sum_ns: u64, max: i64) {
        self.sum_ns.fetch_add(sum_ns, Ordering::Relaxed);
        if max > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(max, Ordering::Relaxed);
        }
    }

    /// Every step into which a latency fell, in rising order: the end of the step in nanoseconds, and how
    /// many latencies. What two looks differ by is what was counted between them.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.steps.iter().map(|step| step.load(Ordering::Relaxed));
        let counts = counts.enumerate().filter(|(_, count)| *count > 0);
        counts.map(|(n, count)| (upper_end(n), count))
    }

    /// Number of latencies counted.
    pub fn count(&self) -> u64 {
        self.steps.iter().map(|step| step.load(Ordering::Relaxed)).sum()
    }

    /// All latencies together, in nanoseconds.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns.load(Ordering::Relaxed)
    }

    /// Number of latencies known not to be above `ns`: those of the step that holds `ns` count
    /// only if the step ends there. Never falls from one look to the next.
    pub fn count_up_to(&self, ns: i64) -> u64 {
        let Ok(ns) = u64::try_from(ns) else { return 0 };
        let whole = step(ns) + usize::from(largest(step(ns)) <= ns);
        self.steps[..whole].iter().map(|step| step.load(Ordering::Relaxed)).sum()
    }

    /// The latency that `share` (0 to 1) of all do not exceed, in nanoseconds: the upper
    /// end of its step, but never above the largest seen. `None` if nothing was counted.
    pub fn quantile(&self, share: f64) -> Option<i64> {
        let count = self.count();
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (n, step) in self.steps.iter().enumerate() {
            seen += step.load(Ordering::Relaxed);
            if seen >= rank && count > 0 {
                return Some((upper_end(n) as i64).min(self.max.load(Ordering::Relaxed)));
            }
        }
        None
    }

    /// The same of what has come since the steps were as in `before`.
    pub(crate) fn quantile_since(&self, share: f64, before: &[(u64, u64)]) -> Option<i64> {
        let mut before = before.iter().copied().peekable();
        let since = self.steps().map(|(end, count)| {
            let known = before.next_if(|(known, _)| *known == end).map_or(0, |(_, count)| count);
            (end, count.saturating_sub(known))
        });
        let since: Vec<(u64, u64)> = since.collect();
        let count: u64 = since.iter().map(|(_, count)| count).sum();
        let rank = ((count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let step = since.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        Some((step?.0 as i64).min(self.max()?))
    }

    /// The largest latency in nanoseconds.
    pub fn max(&self) -> Option<i64> {
        let max = self.max.load(Ordering::Relaxed);
        (max > i64::MIN).then_some(max)
    }
}

/// Steps a [`Tally`] counts at a time.
const TALLIED: usize = 8;

/// Latencies of one thread on their way into a [`Histogram`] of many: those of one step go in
/// together, by [`Tally::settle`] at the latest.
#[derive(Debug)]
pub(crate) struct Tally {
    histogram: Arc<Histogram>,
    /// A step and how many fell into it; steps that are neighbours stand in different places.
    counts: [(u32, u32); TALLIED],
    sum_ns: u64,
    max: i64,
    /// Frames that have arrived since the clock was read last, and when they all came through the door.
    waiting: u32,
    entered: Timestamp,
}

impl Tally {
    pub(crate) fn new(histogram: Arc<Histogram>) -> Self {
        Self {
            histogram,
            counts: [(0, 0); TALLIED],
            sum_ns: 0,
            max: i64::MIN,
            waiting: 0,
            entered: Timestamp::ZERO,
        }
    }

    /// A frame that came through the door at `entered` has arrived. Says whether that can wait for the
    /// next look at the clock: if it came with those that wait already, and they are fewer than `together`.
    #[inline]
    pub(crate) fn can_wait(&mut self, entered: Timestamp, together: u32) -> bool {
        let can = self.waiting + 1 < together && (self.waiting == 0 || self.entered == entered);
        if can {
            self.entered = entered;
            self.waiting += 1;
        }
        can
    }

    /// Counts those that wait: they have arrived by `now`. Says how many they were.
    #[inline]
    pub(crate) fn arrived(&mut self, now: Timestamp) -> u32 {
        let count = std::mem::take(&mut self.waiting);
        if count > 0 {
            self.record_all(now.since(self.entered), count);
        }
        count
    }

    /// As [`Histogram::record`].
    #[inline]
    pub(crate) fn record(&mut self, ns: i64) {
        self.record_all(ns, 1);
    }

    #[inline]
    fn record_all(&mut self, ns: i64, count: u32) {
        let ns = ns.max(0);
        let step = step(ns as u64);
        let (here, counted) = &mut self.counts[step % TALLIED];
        if *here != step as u32 || *counted > u32::MAX - count {
            // A histogram that counts something knows a maximum.
            self.histogram.sum_up(std::mem::take(&mut self.sum_ns), self.max);
            pass_on(&self.histogram, *here, std::mem::take(counted));
            *here = step as u32;
        }
        *counted += count;
        self.sum_ns += ns as u64 * u64::from(count);
        self.max = ns.max(self.max);
    }

    /// Whether frames wait for a look at the clock.
    pub(crate) const fn waits(&self) -> bool {
        self.waiting > 0
    }

    /// Shows the histogram what it has not seen yet.
    pub(crate) fn settle(&mut self) {
        if self.max < 0 {
            return;
        }
        for (step, count) in &mut self.counts {
            pass_on(&self.histogram, *step, std::mem::take(count));
        }
        self.histogram.sum_up(std::mem::take(&mut self.sum_ns), self.max);
        self.max = i64::MIN;
    }
}

fn pass_on(histogram: &Histogram, step: u32, count: u32) {
    if count > 0 {
        histogram.count_in(step as usize, u64::from(count));
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.settle();
    }
}

fn step(ns: u64) -> usize {
    if ns < SUB as u64 {
        return ns as usize;
    }
    let octave = 63 - ns.leading_zeros() as usize;
    let sub = (ns >> (octave - 5)) as usize & (SUB - 1);
    ((octave - 4) * SUB + sub).min(SUB * OCTAVES - 1)
}

fn upper_end(step: usize) -> u64 {
    if step < SUB {
        return step as u64;
    }
    let (octave, sub) = (step / SUB + 4, step % SUB);
    ((SUB + sub + 1) as u64) << (octave - 5)
}

/// The largest whole number of nanoseconds that falls into a step; the last one has no end.
fn largest(step: usize) -> u64 {
    match step {
        ..SUB => step as u64,
        _ if step + 1 == SUB * OCTAVES => u64::MAX,
        _ => upper_end(step) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_step() {
        let histogram = Histogram::default();
        for ns in 1..=100_000 {
            histogram.record(ns);
        }

        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
            let got = histogram.quantile(share).expect("not empty") as f64;
            // A step is 1/32 of its octave, and the upper end is reported.
            assert!(got >= exact && got <= exact * (1.0 + 1.0 / 32.0), "{share}: {got}");
        }
        let steps: Vec<(u64, u64)> = histogram.steps().collect();
        assert!(steps.is_sorted_by(|one, next| one.0 < next.0));
        assert_eq!(steps.iter().map(|(_, count)| count).sum::<u64>(), 100_000);
        assert_eq!(histogram.max(), Some(100_000));
        assert_eq!(histogram.count(), 100_000);
    }

    #[test]
    fn a_tally_adds_what_recording_would_have() {
        let (one_by_one, together) = (Histogram::default(), Arc::new(Histogram::default()));
        let mut tally = Tally::new(together.clone());
        for ns in (-5..5_000).chain((0..5_000).rev().map(|n| n * 77)) {
            one_by_one.record(ns);
            tally.record(ns);
        }
        drop(tally);

        assert_eq!(together.count(), one_by_one.count());
        assert_eq!(together.sum_ns(), one_by_one.sum_ns());
        assert_eq!(together.max(), one_by_one.max());
        for limit in 0..400_000 {
            assert_eq!(together.count_up_to(limit), one_by_one.count_up_to(limit), "{limit}");
        }
    }

    #[test]
    fn frames_of_one_moment_wait_for_one_look_at_the_clock() {
        let histogram = Arc::new(Histogram::default());
        let mut tally = Tally::new(histogram.clone());
        let (first, second) = (Timestamp::from_nanos(100), Timestamp::from_nanos(200));
        assert!(tally.can_wait(first, 3) && tally.can_wait(first, 3));
        assert!(!tally.can_wait(first, 3), "the third is looked at");
        assert_eq!(tally.arrived(Timestamp::from_nanos(130)), 2);
        tally.record(30);
        assert_eq!(tally.arrived(Timestamp::from_nanos(999)), 0, "nobody is counted twice");

        assert!(tally.can_wait(first, 3));
        assert!(!tally.can_wait(second, 3), "it came at another moment");
        assert!(tally.waits());
        tally.arrived(Timestamp::from_nanos(250));
        tally.record(50);
        assert!(!tally.can_wait(first, 1), "nobody waits alone");

        tally.settle();
        assert_eq!((histogram.count(), histogram.sum_ns()), (5, 3 * 30 + 150 + 50));
        assert_eq!(histogram.max(), Some(150));
    }

    #[test]
    fn what_is_counted_up_to_a_limit_is_below_it() {
        let histogram = Histogram::default();
        for ns in 1..=100_000 {
            histogram.record(ns);
        }

        for limit in [0, 10, 31, 32, 1_000, 9_999, 50_000, 65_535, 100_000] {
            let got = histogram.count_up_to(limit);
            // One step less at most: a step is 1/32 of the lower end of its octave.
            let least = limit as f64 * (1.0 - 1.0 / 32.0) - 1.0;
            assert!(got <= limit as u64 && got as f64 >= least, "{limit}: {got}");
        }
        assert_eq!(histogram.count_up_to(-1), 0);
        assert_eq!(histogram.count_up_to(65_535), 65_535, "a step ends here");
        assert_eq!(histogram.count_up_to(i64::MAX), 100_000);
        assert_eq!(histogram.sum_ns(), 100_000 * 100_001 / 2);
    }

    #[test]
    fn a_quantile_of_what_came_since_forgets_what_was_before() {
        let histogram = Histogram::default();
        (0..1_000).for_each(|_| histogram.record(1_000_000));
        let before: Vec<(u64, u64)> = histogram.steps().collect();
        assert_eq!(histogram.quantile_since(0.5, &before), None, "nothing came");
        (1..=100).for_each(|ns| histogram.record(ns * 100));

        let median = histogram.quantile_since(0.5, &before).expect("a hundred came") as f64;
        // The upper end of a step, 1/32 of its octave.
        assert!((5_000.0..=5_000.0 * (1.0 + 1.0 / 32.0)).contains(&median), "{median}");
        assert_eq!(histogram.quantile_since(0.5, &[]), histogram.quantile(0.5));
    }

    #[test]
    fn every_latency_falls_into_a_step_that_holds_it() {
        for ns in (0..40).map(|n| 3_u64.pow(n / 2) << (n % 3)) {
            let at = step(ns);
            assert!(upper_end(at) >= ns.min(upper_end(SUB * OCTAVES - 1)), "{ns}");
        }
    }

    #[test]
    fn an_edge_accounts_for_every_frame() {
        let edge = EdgeCounts::default();
        edge.sent.add(10);
        edge.taken.add(6);
        edge.dropped(Gap::Full, 3);

        assert_eq!(edge.in_flight(), 1);
        assert_eq!(edge.dropped_for(Gap::Full), 3);
    }
}
