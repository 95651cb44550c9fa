//! Skin conductance: what stays, what comes and goes, and the responses, as they come.
//!
//! **Split.** The phasic part is a causal Butterworth high-pass of order 2, the tonic part what is
//! left, so that both together are the input, sample by sample:
//!
//! ```text
//! phasic = highpass(x)      tonic = x − phasic
//! ```
//!
//! That is neurokit2's and AcqKnowledge's `highpass` run forwards only. It begins settled on the
//! first sample.
//!
//! **Responses** are scored from trough to peak, on the conductance itself: a high-pass adds slopes
//! of its own behind each of them. Smoothed over 0.25 s, which is made up for, the signal rises to
//! a high; from there back, the onset is where its slope (over half a second) was last below a
//! tenth of the steepest, or the low before it. The high must stand out by half of `amplitude_min`,
//! the rise be `amplitude_min` and take 10 s at most. Then the time is taken until half of the rise
//! is lost again, for 10 s at most and until the next response begins.
//!
//! **Quality** after Kleckner and others (IEEE Trans. Biomed. Eng. 65, 1460, 2018): outside of a
//! range and while it changes faster than a limit the signal is invalid, and 5 s on. Their 5 s
//! before are known to responses alone, which are told later. Skin temperature, their third rule,
//! is not seen.

use super::{
    band::{Band, DesignError},
    butterworth,
    cascade::Cascade,
    sliding::{Sliding, Sum},
    state::{State, StateError},
    steps,
    turns::{Turn, Turns},
};

/// Between these a detector can be made.
pub const RATES_HZ: [f64; 2] = [1.0, 2_000.0];

/// A response is told so long after its onset at most: rise, recovery, and smoothing.
pub const LOOK_BACK_S: f64 = 22.0;

const SMOOTH_S: f64 = 0.25;
/// Slopes are taken over twice this.
const SLOPE_S: f64 = 0.25;
const STEEP: f64 = 0.1;
const RISE_S_MAX: f64 = 10.0;
const RECOVERY_S_MAX: f64 = 10.0;
const GUARD_S: f64 = 5.0;
const ROUNDING: f64 = 1e-6;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdaParameters {
    /// Slower changes are tonic.
    pub cutoff_hz: f64,
    /// The least rise of a response.
    pub amplitude_min: f64,
    /// No skin conducts less, or more.
    pub range: [f64; 2],
    /// No skin changes faster, per second.
    pub slope_max: f64,
}

/// What a sample is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// What stays.
    pub tonic: f64,
    /// What comes and goes.
    pub phasic: f64,
    /// Whether this sample and those of the last 5 s can be believed.
    pub is_valid: bool,
}

/// A skin-conductance response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Response {
    /// Number of the sample at which it begins to rise.
    pub onset: u64,
    /// From the onset to the peak.
    pub amplitude: f64,
    /// From the onset to the peak.
    pub rise_s: f64,
    /// From the peak until half of the amplitude is lost, where it was.
    pub recovery_s: Option<f64>,
    /// Whether everything from 5 s before its onset until it was told can be believed.
    pub is_valid: bool,
}

/// Splits and finds.
#[derive(Clone, Debug)]
pub struct Eda {
    rate_hz: f64,
    parameters: EdaParameters,
    sizes: Sizes,
    high_pass: Cascade,
    smooth: Sliding<Sum>,
    turns: Turns,
    /// Smoothed samples by number, as far back as a rise can lie.
    past: Box<[f32]>,
    taken: u64,
    low: Option<u64>,
    under_way: Option<UnderWay>,
    /// The newest sample that cannot be believed.
    invalid: Option<u64>,
}

/// Spans in samples.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// By how much the smoothed signal is late.
    late: u64,
    slope: u64,
    rise: u64,
    recovery: u64,
    guard: u64,
}

/// A response whose recovery is not known.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    onset: u64,
    peak: u64,
    value: f64,
    amplitude: f64,
}

impl Eda {
    /// A detector for samples at `rate_hz`, within [`RATES_HZ`].
    ///
    /// # Errors
    /// If the cutoff is not below half the rate.
    ///
    /// # Panics
    /// If the rate is outside.
    pub fn new(rate_hz: f64, parameters: EdaParameters) -> Result<Self, DesignError> {
        assert!((RATES_HZ[0]..=RATES_HZ[1]).contains(&rate_hz), "{rate_hz} Hz");
        let band = Band::HighPass { cutoff_hz: parameters.cutoff_hz };
        let samples = |seconds: f64| ((seconds * rate_hz).round() as u64).max(1);
        // Odd, so that it is late by whole samples.
        let smooth = samples(SMOOTH_S) | 1;
        let sizes = Sizes {
            late: smooth / 2,
            slope: samples(SLOPE_S),
            rise: samples(RISE_S_MAX),
            recovery: samples(RECOVERY_S_MAX),
            guard: samples(GUARD_S),
        };
        let past = 2 * (sizes.rise + sizes.slope + sizes.late) as usize + 8;
        Ok(Self {
            rate_hz,
            parameters,
            sizes,
            high_pass: Cascade::new(butterworth::design(2, band, rate_hz)?),
            smooth: Sliding::new(smooth as usize),
            turns: Turns::default(),
            past: vec![0.0; past.next_power_of_two()].into(),
            taken: 0,
            low: None,
            under_way: None,
            invalid: None,
        })
    }

    /// Whether skin can conduct so.
    pub fn is_within(&self, sample: f32) -> bool {
        let [least, most] = self.parameters.range;
        (least..=most).contains(&f64::from(sample))
    }

    /// Takes the next sample, which must be finite; or, where there is none to believe
    /// (`is_there` false), the last one before in its place.
    pub fn push(&mut self, sample: f32, is_there: bool) -> (Parts, Option<Response>) {
        let sample = f64::from(sample);
        if self.taken == 0 {
            self.high_pass.settle(sample);
        }
        let phasic = self.high_pass.push(sample);
        let now = self.taken;
        self.taken += 1;
        if !is_there {
            self.invalid = Some(now);
        }
        let response = self.follow(sample);
        let parts = Parts { tonic: sample - phasic, phasic, is_valid: self.is_valid_from(now) };
        (parts, response)
    }

    /// Whether everything from 5 s before `sample` on could be believed.
    fn is_valid_from(&self, sample: u64) -> bool {
        self.invalid.is_none_or(|invalid| invalid + self.sizes.guard < sample)
    }

    fn at(&self, sample: u64) -> f64 {
        f64::from(self.past[sample as usize & (self.past.len() - 1)])
    }

    fn follow(&mut self, sample: f64) -> Option<Response> {
        let value = self.smooth.push(Sum::of(sample)).mean();
        let at = (self.taken - 1).checked_sub(self.sizes.late)?;
        let slope = (value - self.at(at.saturating_sub(1))) * self.rate_hz;
        let mask = self.past.len() - 1;
        self.past[at as usize & mask] = value as f32;
        if at > 0 && slope.abs() > self.parameters.slope_max {
            self.invalid = Some(self.taken - 1);
        }
        let reach = (0.5 * self.parameters.amplitude_min).max(ROUNDING * value.abs());
        self.turns.forget_before(at.saturating_sub(self.sizes.rise), at, value);
        match self.turns.push(at, value, reach) {
            Some(Turn { is_high: false, at, .. }) => self.low = Some(at),
            Some(Turn { is_high: true, at: peak, value }) => {
                let overtaken = self.under_way.take();
                self.peaked(peak, value);
                if let Some(overtaken) = overtaken {
                    // Its recovery was not seen before the next rose.
                    return Some(self.response(overtaken, None));
                }
            }
            None => {}
        }
        self.recovered(at, value)
    }

    fn peaked(&mut self, peak: u64, value: f64) {
        let Some(low) = self.low.take() else { return };
        let onset = self.onset(low.max(peak.saturating_sub(self.sizes.rise)), peak);
        let amplitude = value - self.at(onset);
        if amplitude >= self.parameters.amplitude_min {
            self.under_way = Some(UnderWay { onset, peak, value, amplitude });
        }
    }

    /// Where the rise from a low to a peak begins in earnest.
    fn onset(&self, low: u64, peak: u64) -> u64 {
        let half = self.sizes.slope;
        let slope =
            |at: u64| self.at((at + half).min(peak)) - self.at(at.saturating_sub(half).max(low));
        let steepest =
            (low..=peak).rev().max_by(|a, b| slope(*a).total_cmp(&slope(*b))).unwrap_or(low);
        let least = STEEP * slope(steepest);
        (low..steepest).rev().find(|at| slope(*at) < least).unwrap_or(low)
    }

    fn recovered(&mut self, at: u64, value: f64) -> Option<Response> {
        let under_way = self.under_way?;
        let is_half = value <= under_way.value - 0.5 * under_way.amplitude;
        if !is_half && at < under_way.peak + self.sizes.recovery {
            return None;
        }
        self.under_way = None;
        let recovery_s = is_half.then(|| (at - under_way.peak) as f64 / self.rate_hz);
        Some(self.response(under_way, recovery_s))
    }

    fn response(&self, of: UnderWay, recovery_s: Option<f64>) -> Response {
        Response {
            onset: of.onset,
            amplitude: of.amplitude,
            rise_s: (of.peak - of.onset) as f64 / self.rate_hz,
            recovery_s,
            is_valid: self.is_valid_from(of.onset),
        }
    }

    /// What was found and is not told yet: call until it gives none, at the end.
    pub fn flush(&mut self) -> Option<Response> {
        let under_way = self.under_way.take()?;
        Some(self.response(under_way, None))
    }

    /// No response that is told from now on begins before this sample.
    pub fn earliest(&self) -> u64 {
        let now = self.taken.saturating_sub(self.sizes.late);
        let oldest = now.saturating_sub(self.sizes.rise);
        let ahead = match (self.turns.under_way(), self.turns.is_rising()) {
            (Some((low, _)), false) => low.max(oldest),
            // A rise that was seen to begin, and how far back its onset can lie.
            (Some((high, _)), true) => {
                self.low.unwrap_or(high).max(high.saturating_sub(self.sizes.rise))
            }
            _ => oldest,
        };
        self.under_way.map_or(ahead, |under_way| ahead.min(under_way.onset))
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.high_pass.reset();
        self.smooth.reset();
        self.turns = Turns::default();
        self.past.fill(0.0);
        (self.taken, self.low, self.under_way, self.invalid) = (0, None, None, None);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let own = [self.rate_hz, self.parameters.cutoff_hz];
        let mut saved = own;
        saved.iter_mut().try_for_each(|number| state.f64(number))?;
        state.demand(saved == own)?;
        self.high_pass.visit(state)?;
        steps::visit(&mut self.smooth, state)?;
        self.turns.visit(state)?;
        state.f32s(&mut self.past)?;
        state.u64(&mut self.taken)?;
        state.optional(&mut self.low, State::u64)?;
        state.optional(&mut self.under_way, |state, under_way| {
            state.u64(&mut under_way.onset)?;
            state.u64(&mut under_way.peak)?;
            state.f64(&mut under_way.value)?;
            state.f64(&mut under_way.amplitude)?;
            state.demand(under_way.onset <= under_way.peak)
        })?;
        state.optional(&mut self.invalid, State::u64)?;
        let kept = [self.low, self.under_way.map(|under_way| under_way.peak)];
        let possible = kept.into_iter().flatten().all(|sample| sample <= self.taken)
            && self.invalid.is_none_or(|invalid| invalid <= self.taken);
        state.demand(possible && self.taken < 1 << 62)
    }
}

#[cfg(test)]
mod tests;
