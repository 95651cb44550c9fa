//! When beats came, and when the next may.

use crate::math::state::{State, StateError};

/// No beat follows another sooner: the ventricles cannot.
pub(super) const REFRACTORY_S: f64 = 0.200;

/// The P wave comes up to so long before R; later only with an AV block of first degree or more.
pub(super) const P_WAVE_S: f64 = 0.260;

/// The T wave comes up to here after R, later with falling odds; in a fast heart it comes sooner,
/// up to this part of the mean interval.
const T_WAVE_S: f64 = 0.400;
const T_WAVE_SHARE: f64 = 0.55;

/// Sooner than this, and than half a mean interval, nothing is kept for a search back: it may be
/// a T wave.
const MISSED_S: f64 = 0.300;

/// Without a beat for so long, levels are learnt anew: a little more than the seconds whose tops
/// are kept, so that they are of this silence.
pub(super) const SILENCE_S: f64 = 3.2;

/// What is assumed before two intervals are known; a heart is searched back in no later than that.
const INTERVAL_S: f64 = 0.8;

/// Weight of a new interval (Pan and Tompkins 1985).
const GAIN: f64 = 0.125;

/// A missed beat is searched for after so many mean intervals (Pan and Tompkins 1985).
const SEARCH_BACK: f64 = 1.66;

/// A candidate is judged up to so long after its R.
const JUDGED_S: f64 = 0.2;

/// In inner samples.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    inner_hz: f64,
    /// Mean interval between beats.
    pub(super) interval: f64,
    /// R of the last beat.
    pub(super) last: f64,
}

impl Rhythm {
    pub(super) fn new(inner_hz: f64) -> Self {
        Self { inner_hz, interval: INTERVAL_S * inner_hz, last: -1e9 }
    }

    /// Whether the ventricles cannot beat `since` the last beat yet.
    pub(super) fn is_refractory(&self, since: f64) -> bool {
        since < REFRACTORY_S * self.inner_hz
    }

    /// Whether what comes so long `before` a beat may be its P wave.
    pub(super) fn is_p_wave(&self, before: f64) -> bool {
        before < P_WAVE_S * self.inner_hz
    }

    /// Whether what came `since` the last beat may turn out to be a missed one.
    pub(super) fn may_be_missed(&self, since: f64) -> bool {
        since > (MISSED_S * self.inner_hz).min(0.5 * self.interval)
    }

    /// How early for a beat: 1 where only a T wave can be, 0 where none can.
    pub(super) fn earliness(&self, since: f64) -> f64 {
        let end = (T_WAVE_SHARE * self.interval).min(T_WAVE_S * self.inner_hz);
        ((end - since) / ((T_WAVE_S - REFRACTORY_S) * self.inner_hz)).clamp(0.0, 1.0)
    }

    /// Mean intervals since the last beat beyond one and a half.
    pub(super) fn lateness(&self, since: f64) -> f64 {
        (since / self.interval - 1.5).clamp(0.0, 2.5)
    }

    /// Whether a beat was missed.
    pub(super) fn is_overdue(&self, now: u64) -> bool {
        now as f64 - self.last > SEARCH_BACK * self.interval + JUDGED_S * self.inner_hz
    }

    pub(super) fn is_silent(&self, now: u64) -> bool {
        now as f64 - self.last > SILENCE_S * self.inner_hz
    }

    /// A beat at `r`.
    pub(super) fn accept(&mut self, r: f64, searched_back: bool) {
        let since = r - self.last;
        if !searched_back && since < 2.0 * self.inner_hz {
            let interval = since.clamp(0.6 * self.interval, 1.4 * self.interval);
            self.interval += GAIN * (interval - self.interval);
        }
        self.last = r;
    }

    /// A first interval from where large candidates were, in order: the median.
    pub(super) fn learn(&mut self, r: &[f64], intervals: &mut [f64]) {
        let intervals = &mut intervals[..r.len().saturating_sub(1)];
        if intervals.len() < 2 {
            return;
        }
        for (interval, two) in intervals.iter_mut().zip(r.windows(2)) {
            *interval = two[1] - two[0];
        }
        intervals.sort_by(f64::total_cmp);
        self.interval = intervals[intervals.len() / 2].min(INTERVAL_S * self.inner_hz);
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.f64(&mut self.interval)?;
        state.f64(&mut self.last)?;
        state.demand(self.interval > 0.0)
    }
}
