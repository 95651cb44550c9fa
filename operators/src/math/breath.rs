//! Breaths in a respiration signal, as they come.
//!
//! The signal, which rises while breathing in, is smoothed by two moving averages of 0.2 s, whose
//! delay is the same for every frequency. A breath goes from the low before breathing in to the
//! next one; a high lies between. A turn counts when the signal has come back from it by more than
//! 0.3 of the mean excursion of the last eight half breaths: neurokit2's and Khodadad's (Physiol.
//! Meas. 39, 094001, 2018) `amplitude_min`, without knowing what follows. Nor does more count than
//! 0.3 of all that was seen in the last 30 s, so that shallow breathing is found behind deep, nor
//! less than a millionth of the signal itself, which is rounding. A low older than 10 s is
//! forgotten for the newest sample: a pause belongs to the breath before it.

use super::{
    sliding::{Merge, Sliding, Sum},
    state::{State, StateError},
    steps::{self, Steps},
    turns::{Turn, Turns},
};

/// Between these a detector can be made.
pub const RATES_HZ: [f64; 2] = [4.0, 5_000.0];

/// A turn is told so long after it at most.
pub const LOOK_BACK_S: f64 = 10.5;

const SMOOTH_S: f64 = 0.2;
const REACH: f64 = 0.3;
const ROUNDING: f64 = 1e-6;
const HALVES: usize = 8;
const SEEN_S: usize = 30;
const TURN_S_MAX: f64 = 10.0;
/// Nobody breathes faster, twice a second.
const BREATH_S_MIN: f64 = 0.5;

/// A breath, told when the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Breath {
    /// Number of the sample at which it ends and the next one begins.
    pub sample: u64,
    /// From the low before it to its high.
    pub inspiration_s: f64,
    /// From its high to the low behind it.
    pub expiration_s: f64,
    /// Height of the high above the mean of both lows, in the signal's unit.
    pub depth: f64,
}

/// Finds breaths.
#[derive(Clone, Debug)]
pub struct Breaths {
    rate_hz: f64,
    late: u64,
    smooth: [Sliding<Sum>; 2],
    turns: Turns,
    excursions: Sliding<Sum>,
    seen: Steps<Range>,
    taken: u64,
    /// Half of a breath: its first low and its high.
    low: Option<Edge>,
    high: Option<Edge>,
    mean_excursion: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    at: u64,
    value: f64,
}

impl Edge {
    fn visit(state: &mut State<'_>, edge: &mut Self) -> Result<(), StateError> {
        state.u64(&mut edge.at)?;
        state.demand(edge.at < 1 << 62)?;
        state.f64(&mut edge.value)
    }
}

impl Breaths {
    /// A detector for samples at `rate_hz`, within [`RATES_HZ`].
    ///
    /// # Panics
    /// If the rate is outside.
    pub fn new(rate_hz: f64) -> Self {
        assert!((RATES_HZ[0]..=RATES_HZ[1]).contains(&rate_hz), "{rate_hz} Hz");
        let samples = |seconds: f64| ((seconds * rate_hz).round() as usize).max(1);
        let smooth = samples(SMOOTH_S);
        Self {
            rate_hz,
            late: smooth as u64 - 1,
            smooth: [Sliding::new(smooth), Sliding::new(smooth)],
            turns: Turns::default(),
            excursions: Sliding::new(HALVES),
            seen: Steps::new(samples(1.0), SEEN_S),
            taken: 0,
            low: None,
            high: None,
            mean_excursion: None,
        }
    }

    /// Takes the next sample, which must be finite.
    pub fn push(&mut self, sample: f32) -> Option<Breath> {
        let smooth =
            self.smooth.iter_mut().fold(f64::from(sample), |x, mean| mean.push(Sum::of(x)).mean());
        self.taken += 1;
        let at = (self.taken - 1).checked_sub(self.late)?;
        self.seen.push(Range { low: smooth, high: smooth });
        let seen = self.seen.all().height();
        let excursion = self.mean_excursion.map_or(seen, |mean| mean.min(seen));
        let oldest = at.saturating_sub((TURN_S_MAX * self.rate_hz) as u64);
        self.turns.forget_before(oldest, at, smooth);
        let reach = (REACH * excursion).max(ROUNDING * smooth.abs());
        let turn = self.turns.push(at, smooth, reach)?;
        self.turned(turn)
    }

    fn turned(&mut self, Turn { is_high, at, value }: Turn) -> Option<Breath> {
        let edge = Edge { at, value };
        let before = if is_high { self.low } else { self.high };
        if let Some(before) = before {
            let mean = self.excursions.push(Sum::of((value - before.value).abs())).mean();
            self.mean_excursion = Some(mean);
        }
        if is_high {
            self.high = Some(edge);
            return None;
        }
        let (first, high) = (self.low.replace(edge), self.high.take());
        let (first, high) = (first?, high?);
        let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / self.rate_hz;
        let is_long_enough = seconds(first.at, at) >= BREATH_S_MIN;
        is_long_enough.then(|| Breath {
            sample: at,
            inspiration_s: seconds(first.at, high.at),
            expiration_s: seconds(high.at, at),
            depth: high.value - 0.5 * (first.value + value),
        })
    }

    /// No breath that is told from now on ends before this sample.
    pub fn earliest(&self) -> u64 {
        let now = self.taken.saturating_sub(self.late);
        // On the way up the next low lies ahead.
        let oldest = now.saturating_sub((TURN_S_MAX * self.rate_hz) as u64);
        match self.turns.under_way() {
            Some((at, _)) if !self.turns.is_rising() => at.max(oldest),
            Some((high, _)) => high,
            None => oldest,
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(self.rate_hz);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut rate_hz = self.rate_hz;
        state.f64(&mut rate_hz)?;
        state.demand(rate_hz == self.rate_hz)?;
        state.u64(&mut self.taken)?;
        state.demand(self.taken < 1 << 62)?;
        for window in self.smooth.iter_mut().chain([&mut self.excursions]) {
            steps::visit(window, state)?;
        }
        self.turns.visit(state)?;
        self.seen.visit(state)?;
        state.optional(&mut self.low, Edge::visit)?;
        state.optional(&mut self.high, Edge::visit)?;
        state.optional(&mut self.mean_excursion, State::f64)
    }
}

/// Between which values a signal was.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn height(self) -> f64 {
        (self.high - self.low).max(0.0)
    }
}

impl Merge for Range {
    const NOTHING: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };

    fn merge(self, later: Self) -> Self {
        Self { low: self.low.min(later.low), high: self.high.max(later.high) }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.low, &mut self.high].into_iter()
    }
}

#[cfg(test)]
mod tests;
