//! How frames of several inputs meet, by event time alone.
//!
//! Frames wait here until the bounds of the other inputs say that nothing older
//! can come. Which input was faster never matters: the same frames and bounds
//! give the same result in every order of arrival.

use std::collections::VecDeque;

use crate::{
    buffer::Buffer,
    frame::{Frame, Gap, Header},
    kind::Policy,
    time::{Grid, Timestamp},
};

/// Frames that wait for one line of a join before the ring that feeds it is drained no further.
pub(crate) const HELD_FRAMES_MAX: usize = 4_096;

/// How the inputs of one node meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlignSpec {
    /// The rule.
    pub policy: Policy,
    /// `nearest`: farthest partner; `hold`: oldest partner; in nanoseconds.
    pub tolerance_ns: i64,
    /// How far, in event time, the other inputs may run ahead before one is waited for no longer.
    pub max_wait_ns: Option<i64>,
    /// `merge`: the first input goes so far ahead of the others, as what it carries by then is wanted with their
    /// frames; in nanoseconds.
    pub ahead_ns: i64,
    /// `merge`, at sinks that wait: whether frames are taken as they come instead.
    pub as_they_come: AsTheyCome,
}

/// When a sink takes the frames of several inputs as they come, not in the order of their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AsTheyCome {
    /// Never: whoever reads them may rely on the order.
    #[default]
    Never,
    /// Where the run has the pace of its content: nothing is held back for what comes later.
    Paced,
    /// Always.
    Always,
}

impl AlignSpec {
    /// A rule without tolerance, that waits as long as it takes.
    pub const fn of(policy: Policy) -> Self {
        Self {
            policy,
            tolerance_ns: 0,
            max_wait_ns: None,
            ahead_ns: 0,
            as_they_come: AsTheyCome::Never,
        }
    }

    /// The same, the first input ahead of the others: a frame of theirs is given once the first has come so
    /// far beyond it, and at once where it has.
    #[must_use]
    pub const fn ahead(mut self, ahead_ns: i64) -> Self {
        self.ahead_ns = ahead_ns;
        self
    }

    /// The same, with or without an order; for sinks.
    #[must_use]
    pub const fn taking(mut self, as_they_come: AsTheyCome) -> Self {
        self.as_they_come = as_they_come;
        self
    }

    /// Whether frames wait for each other in a run that is paced or not.
    pub(crate) const fn waits(&self, is_paced: bool) -> bool {
        match self.as_they_come {
            AsTheyCome::Never => true,
            AsTheyCome::Paced => !is_paced,
            AsTheyCome::Always => false,
        }
    }
}

/// A frame that waits, with the sample grid of its line as it was when it came.
struct Held {
    frame: Frame,
    grid: Option<Grid>,
}

/// Holds frames until they can be joined.
pub(crate) struct Aligner {
    spec: AlignSpec,
    queues: Box<[VecDeque<Held>]>,
    /// Signals only: channels of each line.
    channels: Box<[usize]>,
    /// Event time up to which frames have been released.
    released: Timestamp,
    /// When the frames of the first line that were released came through the door, the latest.
    entered: Timestamp,
    /// A frame came too late and nothing has been released since.
    late: bool,
    /// Frames of each line that were joined from and let go since they were last asked for.
    used: Box<[u64]>,
}

/// What the aligner lets go.
pub(crate) enum Released {
    /// One frame of one line, with the grid of its samples.
    One(usize, Frame, Option<Grid>),
    /// One frame per line, all with the samples of the first line's moments, on this grid.
    Together(Option<Grid>),
}

impl Aligner {
    pub(crate) fn new(spec: AlignSpec, channels: Box<[usize]>) -> Self {
        let queues = channels.iter().map(|_| VecDeque::with_capacity(4)).collect();
        let used = channels.iter().map(|_| 0).collect();
        Self {
            spec,
            queues,
            channels,
            released: Timestamp::MIN,
            entered: Timestamp::MIN,
            late: false,
            used,
        }
    }

    /// Takes a frame in; gives it back if it is too late to be joined. What is released next says so.
    pub(crate) fn enter(
        &mut self,
        line: usize,
        frame: Frame,
        grid: Option<&Grid>,
    ) -> Option<Frame> {
        if self.spec.policy == Policy::Merge && self.place(line, frame.header.time) < self.released
        {
            self.late = true;
            return Some(frame);
        }
        self.queues[line].push_back(Held { frame, grid: grid.copied() });
        None
    }

    /// Takes over what waits in another for the same inputs.
    pub(crate) fn succeed(&mut self, other: Self) {
        self.queues = other.queues;
        self.used = other.used;
        (self.released, self.entered, self.late) = (other.released, other.entered, other.late);
    }

    /// Whether [`Aligner::release`] would give something.
    pub(crate) fn has_more(&self, bounds: &[Timestamp]) -> bool {
        self.oldest_to_come().is_some() && self.wanted(bounds).is_none()
    }

    /// Whether it stops waiting for inputs that are far behind.
    pub(crate) const fn gives_up(&self) -> bool {
        self.spec.max_wait_ns.is_some()
    }

    /// Frames waiting on `line`.
    pub(crate) fn waiting(&self, line: usize) -> usize {
        self.queues[line].len()
    }

    /// The bound every line must reach before something more can be released, and the line that
    /// lacks it. `None` when nothing waits.
    pub(crate) fn wanted(&self, bounds: &[Timestamp]) -> Option<(usize, Timestamp)> {
        match self.spec.policy {
            Policy::Merge => {
                let (line, time) = self.oldest()?;
                (0..self.queues.len())
                    .filter(|&other| other != line && self.queues[other].is_empty())
                    .map(|other| (other, after(time, other < line)))
                    .find(|&(other, need)| self.effective(other, bounds) < need)
                    .map(|(other, need)| match other {
                        // In its own time again.
                        0 => (0, need.plus_nanos(self.spec.ahead_ns)),
                        _ => (other, need),
                    })
            }
            _ => {
                let base = self.queues[0].front()?;
                let need = self.need(base);
                (1..self.queues.len())
                    .map(|other| (other, need))
                    .find(|&(other, need)| self.effective(other, bounds) < need)
            }
        }
    }

    /// The next frame or frames that can be joined. Aligned ones are put into `aligned`.
    pub(crate) fn release(
        &mut self,
        bounds: &[Timestamp],
        aligned: &mut [Option<Frame>],
    ) -> Option<Released> {
        if self.wanted(bounds).is_some() {
            return None;
        }
        if self.spec.policy == Policy::Merge {
            let (line, time) = self.oldest()?;
            self.released = time;
            let mut held = self.queues[line].pop_front().expect("the oldest is there");
            if self.spec.ahead_ns > 0 {
                // What it was released with came through the door when the last of it did.
                let entered = &mut held.frame.header.entered;
                match line {
                    0 => self.entered = self.entered.max(*entered),
                    _ => *entered = self.entered.max(*entered),
                }
            }
            if self.take_late() {
                held.frame.header.gap.note(Gap::Late);
            }
            return Some(Released::One(line, held.frame, held.grid));
        }
        let base = self.queues[0].pop_front()?;
        self.released = base.frame.header.time;
        for (line, slot) in aligned.iter_mut().enumerate().skip(1) {
            *slot = Some(self.partners(line, &base));
        }
        aligned[0] = Some(base.frame);
        Some(Released::Together(base.grid))
    }

    /// Whether a frame came too late that nobody has been told of.
    pub(crate) const fn take_late(&mut self) -> bool {
        std::mem::replace(&mut self.late, false)
    }

    /// Lets what was stamped with less than `required` go, and tells the header of each frame.
    pub(crate) fn void(&mut self, line: usize, required: u32, mut tell: impl FnMut(&Header)) {
        self.queues[line].retain(|held| {
            let is_void = held.frame.header.epoch < required;
            if is_void {
                tell(&held.frame.header);
            }
            !is_void
        });
    }

    /// Lets everything go.
    pub(crate) fn clear(&mut self) {
        for (used, queue) in self.used.iter_mut().zip(&mut self.queues) {
            *used += queue.len() as u64;
            queue.clear();
        }
    }

    /// Tells how many frames of each line were joined from and let go since the last time.
    pub(crate) fn used_up(&mut self, mut tell: impl FnMut(usize, u64)) {
        for (line, used) in self.used.iter_mut().enumerate() {
            tell(line, std::mem::take(used));
        }
    }

    /// The time of the oldest frame that is still to come out.
    pub(crate) fn oldest_to_come(&self) -> Option<Timestamp> {
        match self.spec.policy {
            Policy::Merge => self.oldest().map(|(_, time)| time),
            // Only the first input's moments come out.
            _ => self.queues[0].front().map(|held| held.frame.header.time),
        }
    }

    fn oldest(&self) -> Option<(usize, Timestamp)> {
        let heads = self.queues.iter().enumerate();
        heads
            .filter_map(|(line, queue)| {
                queue.front().map(|held| (line, self.place(line, held.frame.header.time)))
            })
            .min_by_key(|&(line, time)| (time, line))
    }

    /// A moment of a line in the order of a merge.
    fn place(&self, line: usize, time: Timestamp) -> Timestamp {
        match line {
            0 if self.spec.ahead_ns != 0 && time != Timestamp::MAX => {
                time.plus_nanos(-self.spec.ahead_ns)
            }
            _ => time,
        }
    }

    fn effective(&self, line: usize, bounds: &[Timestamp]) -> Timestamp {
        let bound = self.place(line, bounds[line]);
        let Some(wait_ns) = self.spec.max_wait_ns else { return bound };
        let ahead = bounds.iter().copied().max().unwrap_or(Timestamp::MIN);
        // A stream that has ended says nothing about how far the others should be.
        if ahead == Timestamp::MAX {
            return bound;
        }
        bound.max(ahead.plus_nanos(-wait_ns))
    }

    /// The bound that settles every partner of the samples in `base`.
    fn need(&self, base: &Held) -> Timestamp {
        let grid = base.grid.as_ref().expect("aligned inputs are signals");
        let last = grid.time_of(base.frame.len() as i64 - 1);
        match self.spec.policy {
            // A sample at the very moment still counts, so the bound must lie beyond.
            Policy::Hold => last.plus_nanos(1),
            _ => last.plus_nanos(self.spec.tolerance_ns.saturating_add(1)),
        }
    }

    /// The samples of `line` that belong to the moments of `base`; NaN where there is none.
    fn partners(&mut self, line: usize, base: &Held) -> Frame {
        let (len, channels) = (base.frame.len(), self.channels[line]);
        let mut buffer = Buffer::signal(channels, len);
        let out = buffer.floats_mut().expect("a fresh buffer has one holder");
        let grid = base.grid.as_ref().expect("aligned inputs are signals");
        let queue = &mut self.queues[line];
        let mut at = Cursor::default();
        for n in 0..len {
            let moment = grid.time_of(n as i64);
            let near = |partner: &Partner| moment.since(partner.2).abs() <= self.spec.tolerance_ns;
            let (before, after) = match self.spec.policy {
                Policy::Hold => (at.hold(queue, moment), None),
                Policy::Linear => at.around(queue, moment),
                _ => (at.nearest(queue, moment), None),
            };
            let sample = |partner: Partner, channel: usize| {
                queue[partner.0].frame.channel(channel)[partner.1]
            };
            let (before, after) = (before.filter(near), after.filter(near));
            for channel in 0..channels {
                out[channel * len + n] = match (before, after) {
                    (Some(before), Some(after)) => {
                        let whole = after.2.since(before.2) as f64;
                        let part = moment.since(before.2) as f64 / whole;
                        let (a, b) = (sample(before, channel), sample(after, channel));
                        (f64::from(a) + part * (f64::from(b) - f64::from(a))) as f32
                    }
                    // Between two there must be two, unless one lies at the very moment.
                    (Some(before), None)
                        if self.spec.policy != Policy::Linear || before.2 == moment =>
                    {
                        sample(before, channel)
                    }
                    _ => f32::NAN,
                };
            }
        }
        // The frame the cursor stands in may still be the partner of later moments.
        let passed = at.held.min(queue.len());
        let looked_at = queue.iter_mut().take(passed + 1);
        let gap = looked_at.filter_map(|held| held.frame.header.gap.take()).next().into();
        queue.drain(..passed);
        self.used[line] += passed as u64;
        Frame::new(Header { gap, ..base.frame.header }, buffer)
    }
}

/// `time` itself, or the next nanosecond if `beyond`.
const fn after(time: Timestamp, beyond: bool) -> Timestamp {
    if beyond { time.plus_nanos(1) } else { time }
}

/// A place in the queue of one line: the last sample known not to be after the moment asked for.
#[derive(Default)]
struct Cursor {
    held: usize,
    sample: usize,
}

type Partner = (usize, usize, Timestamp);

impl Cursor {
    /// The latest sample not after `moment`.
    fn hold(&mut self, queue: &VecDeque<Held>, moment: Timestamp) -> Option<Partner> {
        let mut here = self.time(queue, self.held, self.sample)?;
        while let Some((held, sample)) = self.next(queue) {
            let time = self.time(queue, held, sample).expect("the next sample exists");
            if time > moment {
                break;
            }
            (self.held, self.sample, here) = (held, sample, time);
        }
        (here <= moment).then_some((self.held, self.sample, here))
    }

    /// The sample nearest to `moment`; the earlier of two that are equally near.
    fn nearest(&mut self, queue: &VecDeque<Held>, moment: Timestamp) -> Option<Partner> {
        let before = self.hold(queue, moment);
        let next = if before.is_some() { self.next(queue) } else { Some((self.held, self.sample)) };
        let after =
            next.and_then(|(held, sample)| Some((held, sample, self.time(queue, held, sample)?)));
        match (before, after) {
            (Some(before), Some(after)) => {
                let later = after.2.since(moment) < moment.since(before.2);
                Some(if later { after } else { before })
            }
            (one, other) => one.or(other),
        }
    }

    /// The latest sample not after `moment`, and, unless that lies at it, the one that follows.
    fn around(
        &mut self,
        queue: &VecDeque<Held>,
        moment: Timestamp,
    ) -> (Option<Partner>, Option<Partner>) {
        let before = self.hold(queue, moment);
        let next = || {
            let (held, sample) = self.next(queue)?;
            Some((held, sample, self.time(queue, held, sample)?))
        };
        (before, before.filter(|before| before.2 < moment).and_then(|_| next()))
    }

    fn next(&self, queue: &VecDeque<Held>) -> Option<(usize, usize)> {
        let len = queue.get(self.held)?.frame.len();
        if self.sample + 1 < len {
            return Some((self.held, self.sample + 1));
        }
        (self.held + 1 < queue.len()).then_some((self.held + 1, 0))
    }

    fn time(&self, queue: &VecDeque<Held>, held: usize, sample: usize) -> Option<Timestamp> {
        let held = queue.get(held)?;
        Some(held.grid.as_ref().expect("aligned inputs are signals").time_of(sample as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, Rate};

    fn spec(policy: Policy, tolerance_ns: i64) -> AlignSpec {
        AlignSpec { tolerance_ns, ..AlignSpec::of(policy) }
    }

    #[test]
    fn the_first_input_may_be_ahead_whichever_comes_first() {
        // Events at 100 and 250; the first input every 20, 60 ahead of them.
        let run = |order: &mut dyn FnMut(usize) -> usize| {
            let spec = AlignSpec::of(Policy::Merge).ahead(60);
            let mut aligner = Aligner::new(spec, vec![1, 1].into());
            let mut lines = [(0..20).map(|n| 20 * n).collect::<Vec<_>>(), vec![100, 250]];
            let (mut bounds, mut seen) = ([Timestamp::MIN; 2], Vec::new());
            for turn in 0.. {
                if lines.iter().all(Vec::is_empty) {
                    break;
                }
                let line = order(turn) % 2;
                let line = if lines[line].is_empty() { 1 - line } else { line };
                let mut frame = event(lines[line].remove(0));
                frame.header.entered = frame.header.time;
                bounds[line] = frame.header.time;
                assert!(aligner.enter(line, frame, None).is_none(), "none is late");
                if lines[line].is_empty() {
                    bounds[line] = Timestamp::MAX;
                }
                while let Some(Released::One(line, frame, _)) = aligner.release(&bounds, &mut []) {
                    seen.push((line, frame.header.time.nanos(), frame.header.entered.nanos()));
                }
            }
            seen
        };
        let one = run(&mut |turn| turn);
        assert_eq!(run(&mut |_| 0), one);
        assert_eq!(run(&mut |_| 1), one);
        let events: Vec<_> = one.iter().enumerate().filter(|(_, seen)| seen.0 == 1).collect();
        // Behind what lies at 160 and 300, and through the door with that.
        assert_eq!(events, [(9, &(1, 100, 160)), (17, &(1, 250, 300))]);
        assert_eq!(one.len(), 22);
    }

    fn event(time: i64) -> Frame {
        Frame::new(Header::at(Timestamp::from_nanos(time)), Buffer::with_bytes(16, 1))
    }

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn a_merge_waits_for_bounds_and_breaks_ties_by_line() {
        let mut merge = Aligner::new(spec(Policy::Merge, 0), Box::new([1, 1]));
        merge.enter(1, event(5), None);

        // Line 0 wins ties, so nothing at 5 may come from it any more.
        assert!(merge.release(&[at(5), at(5)], &mut [None, None]).is_none());
        merge.enter(0, event(5), None);
        let mut order = Vec::new();
        while let Some(Released::One(line, ..)) = merge.release(&[at(6), at(6)], &mut [None, None])
        {
            order.push(line);
        }
        assert_eq!(order, [0, 1]);
    }

    #[test]
    fn an_input_that_lags_is_waited_for_no_longer_than_allowed() {
        let limits = AlignSpec { max_wait_ns: Some(100), ..spec(Policy::Merge, 0) };
        let mut merge = Aligner::new(limits, Box::new([1, 1]));
        merge.enter(0, event(50), None);

        assert!(merge.release(&[at(149), at(0)], &mut [None, None]).is_none());
        assert!(merge.release(&[at(150), at(0)], &mut [None, None]).is_some());
        assert!(merge.enter(1, event(40), None).is_some(), "too late now");

        merge.enter(0, event(60), None);
        merge.enter(1, event(70), None);
        let gaps = [0, 1].map(|_| match merge.release(&[at(300), at(0)], &mut [None, None]) {
            Some(Released::One(_, frame, _)) => frame.header.gap.get(),
            _ => panic!("both have waited long enough"),
        });
        assert_eq!(gaps, [Some(Gap::Late), None], "told once, with whatever comes next");
    }

    fn ramp(grid: &mut Grid, start: i64, len: usize) -> Frame {
        let time = at(grid.rate().span_ns(start));
        grid.enter(time, len);
        let samples: Vec<f32> = (start..start + len as i64).map(|n| n as f32).collect();
        Frame::signal(time, 1, &samples)
    }

    fn joined(policy: Policy, tolerance_ns: i64, lens: &[usize]) -> Vec<f32> {
        let mut aligner = Aligner::new(spec(policy, tolerance_ns), Box::new([1, 1]));
        let mut base = Grid::new(Rate::new(100.0).expect("valid"));
        let mut other = Grid::new(Rate::new(30.0).expect("valid"));
        let frame = ramp(&mut base, 0, 20);
        aligner.enter(0, frame, Some(&base));
        let mut start = 0;
        for &len in lens {
            let frame = ramp(&mut other, start, len);
            aligner.enter(1, frame, Some(&other));
            start += len as i64;
        }
        let mut aligned = [None, None];
        assert!(aligner.release(&[Timestamp::MAX; 2], &mut aligned).is_some());
        aligned[1].as_ref().expect("aligned").samples().to_vec()
    }

    #[test]
    fn hold_takes_the_latest_that_is_not_after() {
        let got = joined(Policy::Hold, i64::MAX, &[7]);
        let want: Vec<f32> = (0..20).map(|n| (f64::from(n) * 0.3 + 1e-9).floor() as f32).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn nearest_takes_the_closer_of_two() {
        let got = joined(Policy::Nearest, i64::MAX, &[7]);
        // 30 / 100 n is never half way between two whole numbers for these n except
        // where n · 0.3 = k + 0.5, that is n = 5 and 15: the earlier one wins.
        let want: Vec<f32> = (0..20)
            .map(|n| {
                let exact = f64::from(n) * 0.3;
                let floor = (exact + 1e-9).floor();
                if exact - floor > 0.5 + 1e-9 { floor + 1.0 } else { floor }
            } as f32)
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn linear_lies_straight_between_two() {
        // The other signal is its own time in periods of 1/30 s: 0.3 n at 10 n ms. The last moment,
        // 190 ms, lies before its last sample at 200 ms.
        let got = joined(Policy::Linear, 33_333_336, &[7]);
        for (n, got) in got.into_iter().enumerate() {
            let want = 0.3 * n as f64;
            // Times are rounded to nanoseconds of 33 333 333, samples to 24 bits.
            assert!((f64::from(got) - want).abs() < 5e-7, "{n}: {got} is not {want}");
        }
        // Without a sample behind 167 ms there is no line to draw.
        let got = joined(Policy::Linear, 33_333_336, &[6]);
        assert!(got[..17].iter().all(|sample| !sample.is_nan()));
        assert!(got[17..].iter().all(|sample| sample.is_nan()));
    }

    #[test]
    fn exact_gives_every_sample_of_the_first_input() {
        let mut aligner = Aligner::new(spec(Policy::Exact, 1_000), Box::new([1, 1]));
        let mut base = Grid::new(Rate::new(100.0).expect("valid"));
        let mut other = Grid::new(Rate::new(100.0).expect("valid"));
        let frame = ramp(&mut base, 0, 4);
        aligner.enter(0, frame, Some(&base));
        let frame = ramp(&mut other, 2, 4);
        aligner.enter(1, frame, Some(&other));

        let mut aligned = [None, None];
        assert!(aligner.release(&[Timestamp::MAX; 2], &mut aligned).is_some());
        let samples = aligned.map(|frame| frame.expect("aligned").samples().to_vec());
        assert_eq!(samples[0], [0.0, 1.0, 2.0, 3.0]);
        assert!(samples[1][..2].iter().all(|sample| sample.is_nan()));
        assert_eq!(samples[1][2..], [2.0, 3.0]);
    }

    #[test]
    fn frame_borders_of_the_other_input_leave_no_trace() {
        for policy in [Policy::Hold, Policy::Nearest, Policy::Linear] {
            let whole = joined(policy, i64::MAX, &[7]);
            assert_eq!(joined(policy, i64::MAX, &[1, 2, 3, 1]), whole, "{policy:?}");
        }
    }

    #[test]
    fn a_partner_out_of_reach_is_not_taken() {
        let got = joined(Policy::Hold, 10_000_000, &[2]);
        // Samples of the other input lie at 0 and 33.3 ms, so 0, 10 and 40 ms have a partner.
        let partners: Vec<bool> = got.iter().map(|sample| !sample.is_nan()).collect();
        let want: Vec<bool> = (0..20).map(|n| [0, 1, 4].contains(&n)).collect();
        assert_eq!(partners, want);
    }
}
