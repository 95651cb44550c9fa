//! Heart-rate variability in the time domain, over a sliding window, beat by beat.
//!
//! Definitions follow the Task Force of 1996 (Circulation 93:1043). Over the intervals NN whose
//! second beat lies in `now − window < t ≤ now`:
//!
//! ```text
//! mean    Σ NN / n                                  heart rate   60 000 / mean, per minute
//! SDNN    √( Σ (NN − mean)² / (n − 1) )
//! RMSSD   √( Σ d² / m )      d: difference of two intervals that share a beat, both in the window
//! pNN50   100 · #(|d| > 50 ms) / m                  a tie of exactly 50 ms does not count
//! ```
//!
//! neurokit2 divides pNN50 by m + 1 instead, and lets rounding decide ties.
//!
//! **What is left out.** An interval is accepted if both its beats are normal, its length is within
//! the limits, and it is not more than `rr_change_max_pct` longer or shorter than the one accepted
//! last (Malik and others 1989, Med Biol Eng Comput 27:603: 20 %). Extra beats and missed ones
//! jump; the swing of breathing does not, at a few per cent from beat to beat. Where the rhythm
//! itself has jumped, the third interval in a row like the one before it is accepted, and leads.
//! After anything left out (an ectopic beat, a jump, an implausible interval, a gap) the next
//! interval has no difference: a missed beat spoils one interval and nothing else.
//!
//! **Exactness.** Sums are integers of nanoseconds, so they never drift, and the values equal those
//! computed afresh from the intervals of the window, bit for bit. A beat costs O(1) on average.

mod bands;
mod dfa;
mod entropy;
mod lomb_scargle;
mod nonlinear;
mod poincare;
mod sums;
mod time;
mod welch;

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;

use super::state::{StateError, StateReader, put_i64, put_time, put_u64};
pub use bands::{BANDS_HZ, BandPowers};
pub use lomb_scargle::{LombScargle, WINDOW_S_MAX};
pub use nonlinear::{Nonlinear, NonlinearValues, Poincare};
pub use sums::HrvValues;
use sums::Sums;
pub use time::{TimeDomain, TimeValues};
pub use welch::Welch;

/// What to measure over, and what to believe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HrvParameters {
    /// Length of the window.
    pub window_s: f64,
    /// Shorter intervals are not believed.
    pub rr_min_ms: f64,
    /// Longer intervals are not believed.
    pub rr_max_ms: f64,
    /// Intervals that differ more from the last accepted one are not believed, in per cent of it.
    pub rr_change_max_pct: f64,
}

/// So many intervals in a row, each like the one before, are a new rhythm and no artefacts: one
/// ectopic beat makes two odd intervals, a beat missed one.
const NEW_RHYTHM: u32 = 3;

/// A saved state has at most this many bytes before its intervals.
const STATE_HEAD_BYTES: usize = 128;
/// A saved interval has at most this many, with one left out.
const INTERVAL_BYTES: usize = 40;

impl Default for HrvParameters {
    fn default() -> Self {
        Self { window_s: 60.0, rr_min_ms: 300.0, rr_max_ms: 2_000.0, rr_change_max_pct: 20.0 }
    }
}

/// Heart-rate variability over a sliding window of event time.
///
/// Memory is bounded: intervals follow one another, so a window holds at most
/// `window_s / rr_min_ms + 1`; that many are allocated when it is made, and none later.
///
/// `M` is what is kept up to date besides the sums: [`TimeDomain`], [`LombScargle`], [`Welch`], [`Nonlinear`].
#[derive(Clone, Debug)]
pub struct Hrv<M = ()> {
    window_ns: i64,
    rr_min_ns: i64,
    rr_max_ns: i64,
    /// Millionths of the last accepted interval.
    change_max: i64,
    capacity: usize,
    last_beat: Option<Beat>,
    /// The interval accepted last.
    leader_ns: Option<i64>,
    /// The last interval that jumped, and how many in a row are like it.
    jumped: Option<(i64, u32)>,
    now_ns: i64,
    intervals: VecDeque<Interval>,
    /// Second beats of the intervals left out, as far as there is room.
    left_out: VecDeque<i64>,
    sums: Sums,
    measures: M,
}

/// What is kept of the intervals in a window, brought up to date as they enter and leave.
///
/// It must follow from the intervals in the window alone: it is not saved, but filled again.
pub trait Measures: Clone {
    /// An interval enters behind all others.
    fn add(&mut self, interval: &Interval);
    /// The first interval leaves; it has no difference, unless the window holds it alone.
    fn remove(&mut self, interval: &Interval);
    /// The interval that has become the first lost its predecessor, and with it this difference.
    fn remove_difference(&mut self, first: &Interval, difference_ns: i64);
    /// The window is empty.
    fn clear(&mut self);
}

impl Measures for () {
    fn add(&mut self, _: &Interval) {}
    fn remove(&mut self, _: &Interval) {}
    fn remove_difference(&mut self, _: &Interval, _: i64) {}
    fn clear(&mut self) {}
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    time_ns: i64,
    is_normal: bool,
    /// The accepted interval that ends with it, if it does.
    rr_ns: Option<i64>,
}

/// An interval that counts.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// When its second beat was.
    pub time_ns: i64,
    /// How long it is.
    pub rr_ns: i64,
    /// Difference to the interval before, if that was accepted, shares a beat and is in the window.
    pub difference_ns: Option<i64>,
}

/// What became of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its interval counts.
    Accepted,
    /// There is no beat before it to measure from.
    First,
    /// It, or the beat before it, is not a normal one.
    Ectopic,
    /// Its interval is shorter or longer than the limits.
    Implausible,
    /// Its interval is too far from the last accepted one.
    Jump,
    /// It is not after the beat before it, and was ignored.
    Backward,
}

/// Why parameters were refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HrvError {
    /// The window is not within 1 s and 24 h.
    Window(f64),
    /// Limits are not `100 ≤ min < max ≤ 60 000`.
    Limits {
        /// The lower limit given.
        rr_min_ms: f64,
        /// The upper limit given.
        rr_max_ms: f64,
    },
    /// The largest change is not within 1 and 1000 %.
    Change(f64),
}

impl fmt::Display for HrvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window_s) => {
                write!(f, "the window is {window_s} s long; it must be 1 to 86400")
            }
            Self::Limits { rr_min_ms, rr_max_ms } => write!(
                f,
                "intervals of {rr_min_ms} to {rr_max_ms} ms cannot be: the limits must rise, from \
                 at least 100 to at most 60000"
            ),
            Self::Change(pct) => {
                write!(f, "intervals cannot change by at most {pct} %; it must be 1 to 1000")
            }
        }
    }
}

impl Error for HrvError {}

impl Hrv {
    /// An empty window, over which nothing but sums is kept.
    pub fn new(parameters: HrvParameters) -> Result<Self, HrvError> {
        Self::with(parameters, |_| ())
    }
}

impl<M: Measures> Hrv<M> {
    const STATE_VERSION: u8 = 2;

    /// An empty window with measures that are made for so many intervals at most.
    pub fn with(
        parameters: HrvParameters,
        measures: impl FnOnce(usize) -> M,
    ) -> Result<Self, HrvError> {
        let HrvParameters { window_s, rr_min_ms, rr_max_ms, rr_change_max_pct } = parameters;
        if !(1.0..=86_400.0).contains(&window_s) {
            return Err(HrvError::Window(window_s));
        }
        if !(100.0 <= rr_min_ms && rr_min_ms < rr_max_ms && rr_max_ms <= 60_000.0) {
            return Err(HrvError::Limits { rr_min_ms, rr_max_ms });
        }
        if !(1.0..=1_000.0).contains(&rr_change_max_pct) {
            return Err(HrvError::Change(rr_change_max_pct));
        }
        let window_ns = (window_s * 1e9).round() as i64;
        let rr_min_ns = (rr_min_ms * 1e6).round() as i64;
        // The second beats in a window of this length, its one end included, and one to spare
        // between taking in and letting go.
        let capacity = (window_ns / rr_min_ns) as usize + 2;
        Ok(Self {
            window_ns,
            rr_min_ns,
            rr_max_ns: (rr_max_ms * 1e6).round() as i64,
            change_max: (rr_change_max_pct * 1e4).round() as i64,
            capacity,
            last_beat: None,
            leader_ns: None,
            jumped: None,
            now_ns: i64::MIN,
            intervals: VecDeque::with_capacity(capacity),
            left_out: VecDeque::with_capacity(capacity),
            sums: Sums::default(),
            measures: measures(capacity),
        })
    }

    /// Most intervals a window can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes in a beat and moves the window up to it. Ectopic beats are not normal.
    pub fn push(&mut self, time_ns: i64, is_normal: bool) -> Verdict {
        let Some(last) = self.last_beat else {
            self.last_beat = Some(Beat { time_ns, is_normal, rr_ns: None });
            self.advance(time_ns);
            return Verdict::First;
        };
        if time_ns <= last.time_ns {
            return Verdict::Backward;
        }
        let rr_ns = time_ns.saturating_sub(last.time_ns);
        let verdict = if !(last.is_normal && is_normal) {
            Verdict::Ectopic
        } else if !(self.rr_min_ns..=self.rr_max_ns).contains(&rr_ns) {
            Verdict::Implausible
        } else if self.follows(rr_ns) {
            Verdict::Accepted
        } else {
            Verdict::Jump
        };

        let accepted = Some(rr_ns).filter(|_| verdict == Verdict::Accepted);
        self.last_beat = Some(Beat { time_ns, is_normal, rr_ns: accepted });
        self.advance(time_ns);
        // A beat that comes later than the clock that was told already lies behind the window.
        let is_inside = time_ns > self.now_ns.saturating_sub(self.window_ns);
        if verdict != Verdict::Accepted && is_inside && self.left_out.len() < self.capacity {
            self.left_out.push_back(time_ns);
        }
        if verdict == Verdict::Accepted && is_inside {
            let before = last.rr_ns.filter(|_| !self.intervals.is_empty());
            let interval =
                Interval { time_ns, rr_ns, difference_ns: before.map(|before| rr_ns - before) };
            self.sums.add(&interval);
            self.measures.add(&interval);
            self.intervals.push_back(interval);
        }
        verdict
    }

    /// Whether an interval goes on from the last one accepted, or is itself what a new rhythm is.
    fn follows(&mut self, rr_ns: i64) -> bool {
        let max = i128::from(self.change_max);
        let is_like = |other_ns: i64| {
            let change_ns = i128::from(rr_ns - other_ns).abs();
            change_ns * 1_000_000 <= max * i128::from(other_ns)
        };
        let in_a_row = match self.jumped {
            Some((other_ns, count)) if is_like(other_ns) => count + 1,
            _ => 1,
        };
        let follows = self.leader_ns.is_none_or(is_like) || in_a_row >= NEW_RHYTHM;
        self.jumped = (!follows).then_some((rr_ns, in_a_row));
        if follows {
            self.leader_ns = Some(rr_ns);
        }
        follows
    }

    /// Forgets the last beat: what follows is not measured from before a gap in the signal, nor
    /// compared with it.
    pub fn gap(&mut self) {
        self.last_beat = None;
        self.leader_ns = None;
        self.jumped = None;
    }

    /// Moves the window so that it ends now. Time never goes back.
    pub fn advance(&mut self, now_ns: i64) {
        self.now_ns = self.now_ns.max(now_ns);
        let start_ns = self.now_ns.saturating_sub(self.window_ns);
        while self.left_out.front().is_some_and(|first| *first <= start_ns) {
            self.left_out.pop_front();
        }
        while self.intervals.front().is_some_and(|first| first.time_ns <= start_ns) {
            let first = self.intervals.pop_front().expect("there is a first one");
            self.sums.remove(&first);
            self.measures.remove(&first);
            // The next one's difference reached back to the interval that has left.
            if let Some(next) = self.intervals.front_mut()
                && let Some(difference_ns) = next.difference_ns.take()
            {
                self.sums.remove_difference(difference_ns);
                self.measures.remove_difference(next, difference_ns);
            }
        }
    }

    /// The values of the window; `None` while it holds no interval.
    pub fn values(&self) -> Option<HrvValues> {
        let values = self.sums.values()?;
        Some(HrvValues { left_out: self.left_out.len(), ..values })
    }

    /// What else is kept of the window.
    pub fn measures(&self) -> &M {
        &self.measures
    }

    /// The same, for measures that are found from what was found last.
    pub fn measures_mut(&mut self) -> &mut M {
        &mut self.measures
    }

    /// When the last beat was.
    pub fn last_beat_ns(&self) -> Option<i64> {
        self.last_beat.map(|beat| beat.time_ns)
    }

    /// As made.
    pub fn reset(&mut self) {
        self.gap();
        self.now_ns = i64::MIN;
        self.intervals.clear();
        self.left_out.clear();
        self.sums = Sums::default();
        self.measures.clear();
    }

    /// Appends the state.
    pub fn save(&self, out: &mut Vec<u8>) {
        // At once what a full window needs, so that a buffer used again never grows.
        out.reserve(STATE_HEAD_BYTES + self.capacity * INTERVAL_BYTES);
        out.push(Self::STATE_VERSION);
        put_i64(out, self.window_ns);
        put_i64(out, self.now_ns);
        put_time(out, self.last_beat.map(|beat| beat.time_ns));
        put_u64(out, u64::from(self.last_beat.is_some_and(|beat| beat.is_normal)));
        put_time(out, self.last_beat.and_then(|beat| beat.rr_ns));
        put_time(out, self.leader_ns);
        put_time(out, self.jumped.map(|(rr_ns, _)| rr_ns));
        put_u64(out, self.jumped.map_or(0, |(_, count)| u64::from(count)));
        put_u64(out, self.intervals.len() as u64);
        for interval in &self.intervals {
            put_i64(out, interval.time_ns);
            put_i64(out, interval.rr_ns);
            put_time(out, interval.difference_ns);
        }
        put_u64(out, self.left_out.len() as u64);
        self.left_out.iter().for_each(|time_ns| put_i64(out, *time_ns));
    }

    /// Goes on from a saved state; unchanged where that does not fit.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut reader = StateReader::new(bytes, Self::STATE_VERSION)?;
        let mut loaded = self.clone();
        loaded.reset();
        if reader.i64()? != self.window_ns {
            return Err(StateError::Content);
        }
        loaded.now_ns = reader.i64()?;
        let time_ns = reader.time()?;
        let is_normal = reader.u64()? == 1;
        let rr_ns = reader.time()?;
        let is_plausible = |rr_ns: &i64| (self.rr_min_ns..=self.rr_max_ns).contains(rr_ns);
        loaded.leader_ns = reader.time()?;
        let jumped_ns = reader.time()?;
        let in_a_row = reader.count(NEW_RHYTHM as usize - 1)? as u32;
        loaded.jumped = jumped_ns.map(|rr_ns| (rr_ns, in_a_row));
        let known = [rr_ns, loaded.leader_ns, jumped_ns];
        if !known.iter().flatten().all(is_plausible) || (in_a_row > 0) != jumped_ns.is_some() {
            return Err(StateError::Content);
        }
        loaded.last_beat = time_ns.map(|time_ns| Beat { time_ns, is_normal, rr_ns });
        for _ in 0..reader.count(self.capacity)? {
            let (time_ns, rr_ns) = (reader.i64()?, reader.i64()?);
            let interval = Interval { time_ns, rr_ns, difference_ns: reader.time()? };
            if !is_plausible(&rr_ns)
                || interval.difference_ns.is_some_and(|d| d.unsigned_abs() > self.rr_max_ns as u64)
                || loaded.intervals.back().is_some_and(|last| last.time_ns >= time_ns)
            {
                return Err(StateError::Content);
            }
            loaded.sums.add(&interval);
            loaded.intervals.push_back(interval);
        }
        for _ in 0..reader.count(self.capacity)? {
            let time_ns = reader.i64()?;
            if loaded.left_out.back().is_some_and(|last| *last >= time_ns) {
                return Err(StateError::Content);
            }
            loaded.left_out.push_back(time_ns);
        }
        reader.end()?;

        // The clone may have less room than was allocated when this was made.
        self.intervals.clear();
        self.intervals.extend(loaded.intervals.iter());
        loaded.intervals = std::mem::take(&mut self.intervals);
        self.left_out.clear();
        self.left_out.extend(loaded.left_out.iter());
        loaded.left_out = std::mem::take(&mut self.left_out);
        self.measures.clear();
        loaded.intervals.iter().for_each(|interval| self.measures.add(interval));
        std::mem::swap(&mut loaded.measures, &mut self.measures);
        *self = loaded;
        Ok(())
    }
}

impl Hrv<TimeDomain> {
    /// The rest of the time domain; `None` while the window holds no interval.
    pub fn time_values(&self) -> Option<TimeValues> {
        self.measures.values(self.sums.difference_squared, self.sums.differences)
    }
}

impl Hrv<Nonlinear> {
    /// Nonlinear measures of the window.
    pub fn nonlinear_values(&mut self) -> NonlinearValues {
        let sdnn_ms = self.sums.values().and_then(|values| values.sdnn_ms);
        self.measures.values(sdnn_ms)
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
