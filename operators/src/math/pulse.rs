//! Pulse waves in a photoplethysmogram, as they come.
//!
//! **Found** as Elgendi, Norton, Brearley, Abbott and Schuurmans do (PLoS ONE 8(10), e76585, 2013),
//! with their numbers, in one pass. Of the signal between 0.5 and 8 Hz (Butterworth, order 2,
//! causal) what is above zero is squared. Where its mean over 111 ms exceeds its mean over 667 ms
//! about the same moment by more than 2 % of its mean over the last 4 s, there is a wave, if that
//! lasts for 111 ms.
//!
//! **Placed** on the highest maximum, there or 50 ms beside, of the signal itself behind two moving
//! averages of 40 ms, whose delay is the same for every frequency; a parabola through three samples
//! says where between them. A wave within 0.6 of the usual interval of the last, at
//! most 0.3 s, is none.
//!
//! **Judged** by its form: 24 points from a quarter of an interval before the peak to four tenths
//! (0.5 s at most) behind it are correlated with the mean form of the last good ones (Orphanidou
//! and others 2015). Three in a row that are unlike it and like each other are the new form. Beside
//! that stands the skewness of the band over the last 3 s, the best single index of Elgendi 2016.

use super::{
    band::Band,
    butterworth,
    cascade::Cascade,
    skewness::Skewness,
    sliding::{Sliding, Sum},
    sos::group_delay_s,
    state::{State, StateError},
    steps::{self, Steps},
};

mod form;

use form::{Form, Forms};

/// Between these a detector can be made: twice the band, with some room, and what memory allows.
pub const RATES_HZ: [f64; 2] = [25.0, 5_000.0];

/// A wave is told so long after its peak at most; see `Pulse::is_decided`.
pub const LOOK_BACK_S: f64 = 2.2;

const BAND_HZ: [f64; 2] = [0.5, 8.0];
const PEAK_S: f64 = 0.111;
const BEAT_S: f64 = 0.667;
const OFFSET: f64 = 0.02;
const APART_S: [f64; 2] = [0.2, 0.3];
const APART: f64 = 0.6;
const SMOOTH_S: f64 = 0.04;
const BESIDE_S: f64 = 0.05;
/// A wave that stands out for longer is cut here.
const WAVE_S_MAX: f64 = 1.0;
/// The foot of a wave lies at most so long before its peak.
const FOOT_S: f64 = 0.6;
/// No interval is longer; what has not been heard for so long is forgotten.
const INTERVAL_S_MAX: f64 = 3.0;

/// A pulse.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// Number of the sample nearest to the peak, counted from the first.
    pub sample: u64,
    /// From there to the peak, in samples: −0.5 to 0.5.
    pub offset_samples: f64,
    /// Height of the peak over the lowest point in the 0.6 s before, in the signal's unit.
    pub amplitude: f64,
    /// Time from that point to the peak.
    pub rise_s: f64,
    /// Correlation of its form with that of the pulses before; none for the first ones.
    pub correlation: Option<f64>,
    /// Skewness of the last 3 s.
    pub skewness: f64,
    /// Whether it has the form of a pulse.
    pub is_beat: bool,
    /// Samples since the beat before, where that was one and nothing is missing between.
    pub interval_samples: Option<f64>,
}

/// Finds pulses.
#[derive(Clone, Debug)]
pub struct Pulse {
    rate_hz: f64,
    correlation_min: f64,
    sizes: Sizes,
    band: Cascade,
    peak_mean: Sliding<Sum>,
    beat_mean: Sliding<Sum>,
    /// The shorter mean, until the longer one is about the same moment.
    waiting: Box<[f64]>,
    power: Steps<Sum>,
    shape: Steps<Skewness>,
    smooth: [Sliding<Sum>; 2],
    /// The smoothed signal by number of sample, as far back as a wave can lie.
    past: Box<[f32]>,
    taken: u64,
    /// Where the wave under way begins, as a number of the band.
    begun: Option<u64>,
    /// A peak whose form is not complete.
    found: Option<(u64, f64)>,
    last: Option<Last>,
    forms: Forms,
}

/// The wave told last.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    sample: u64,
    offset: f64,
    is_beat: bool,
}

/// Spans in samples.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// By how much the smoothed signal, and the band, are late.
    smooth_late: u64,
    band_late: u64,
    /// From the middle of the longer mean to its end.
    half_beat: u64,
    wave: [u64; 2],
    /// The least, for the fastest.
    apart: u64,
    beside: u64,
    foot: u64,
    interval_max: u64,
}

impl Pulse {
    /// A detector for samples at `rate_hz`, within [`RATES_HZ`], that takes pulses whose form
    /// correlates with the usual by `correlation_min` for beats.
    ///
    /// # Panics
    /// If the rate is outside.
    pub fn new(rate_hz: f64, correlation_min: f64) -> Self {
        assert!((RATES_HZ[0]..=RATES_HZ[1]).contains(&rate_hz), "{rate_hz} Hz");
        let samples = |seconds: f64| ((seconds * rate_hz).round() as usize).max(1);
        let [low_hz, high_hz] = BAND_HZ;
        let sections = butterworth::design(2, Band::BandPass { low_hz, high_hz }, rate_hz)
            .expect("the band is below half the rate");
        // Most of a pulse is near its second harmonic.
        let band_late = group_delay_s(&sections, rate_hz, 2.0) * rate_hz;
        // Odd, so that both means have a middle sample.
        let odd = |seconds: f64| samples(seconds) | 1;
        let (peak, beat) = (odd(PEAK_S), odd(BEAT_S));
        let smooth = samples(SMOOTH_S);
        let sizes = Sizes {
            smooth_late: smooth as u64 - 1,
            band_late: band_late.round() as u64,
            half_beat: beat as u64 / 2,
            wave: [samples(PEAK_S) as u64, samples(WAVE_S_MAX) as u64],
            apart: samples(APART_S[0]) as u64,
            beside: samples(BESIDE_S) as u64,
            foot: samples(FOOT_S) as u64,
            interval_max: samples(INTERVAL_S_MAX) as u64,
        };
        let past = (samples(LOOK_BACK_S + FOOT_S) + 2).next_power_of_two();
        Self {
            rate_hz,
            correlation_min,
            sizes,
            band: Cascade::new(sections),
            peak_mean: Sliding::new(peak),
            beat_mean: Sliding::new(beat),
            waiting: vec![0.0; (beat - peak) / 2].into(),
            power: Steps::new(samples(0.25), 16),
            shape: Steps::new(samples(0.25), 12),
            smooth: [Sliding::new(smooth), Sliding::new(smooth)],
            past: vec![0.0; past].into(),
            taken: 0,
            begun: None,
            found: None,
            last: None,
            forms: Forms::default(),
        }
    }

    /// Takes the next sample, which must be finite.
    pub fn push(&mut self, sample: f32) -> Option<Beat> {
        let sample = f64::from(sample);
        if self.taken == 0 {
            self.band.settle(sample);
        }
        let smooth = self.smooth.iter_mut().fold(sample, |x, mean| mean.push(Sum::of(x)).mean());
        let mask = self.past.len() - 1;
        if let Some(at) = self.taken.checked_sub(self.sizes.smooth_late) {
            self.past[at as usize & mask] = smooth as f32;
        }
        let band = self.band.push(sample);
        self.shape.push(Skewness::of(band));
        let power = band.max(0.0) * band.max(0.0);
        self.power.push(Sum::of(power));
        let beat_mean = self.beat_mean.push(Sum::of(power)).mean();
        let peak_mean = self.delayed(power);
        let offset = OFFSET * self.power.all().mean();
        let stands_out = peak_mean > beat_mean + offset && self.taken >= self.sizes.half_beat;
        let middle = self.taken.saturating_sub(self.sizes.half_beat);
        self.taken += 1;
        self.follow(stands_out, middle);
        if self.is_decided() { self.decide() } else { None }
    }

    /// The shorter mean about the moment of the longer one.
    fn delayed(&mut self, power: f64) -> f64 {
        let mean = self.peak_mean.push(Sum::of(power)).mean();
        let len = self.waiting.len() as u64;
        std::mem::replace(&mut self.waiting[(self.taken % len) as usize], mean)
    }

    fn follow(&mut self, stands_out: bool, middle: u64) {
        let begun = match (self.begun, stands_out) {
            (None, true) => {
                self.begun = Some(middle);
                return;
            }
            (Some(begun), true) if middle - begun < self.sizes.wave[1] => return,
            (Some(begun), _) => begun,
            (None, false) => return,
        };
        self.begun = None;
        if middle - begun >= self.sizes.wave[0] && self.found.is_none() {
            self.found = self.peak_between(begun, middle);
        }
    }

    /// The highest maximum of the smoothed signal about a wave of the band.
    fn peak_between(&self, begun: u64, ended: u64) -> Option<(u64, f64)> {
        let Sizes { band_late, beside, smooth_late, .. } = self.sizes;
        let from = begun.saturating_sub(band_late + beside).max(1);
        let newest = self.taken - 1 - smooth_late;
        let to = (ended.saturating_sub(band_late) + beside).min(newest - 1);
        let is_maximum = |at: &u64| {
            let here = self.at(*at);
            here > self.at(at - 1) && here >= self.at(at + 1)
        };
        let highest = (from..=to)
            .filter(is_maximum)
            .max_by(|a, b| self.at(*a).total_cmp(&self.at(*b)).then(b.cmp(a)))?;
        let apart_s = (APART * self.forms.interval_s()).clamp(APART_S[0], APART_S[1]);
        let apart = apart_s * self.rate_hz;
        if self.last.is_some_and(|last| (highest.saturating_sub(last.sample) as f64) < apart) {
            return None;
        }
        let [before, here, behind] = [highest - 1, highest, highest + 1].map(|at| self.at(at));
        let bend = before - 2.0 * here + behind;
        let offset = if bend < 0.0 { 0.5 * (before - behind) / bend } else { 0.0 };
        Some((highest, offset.clamp(-0.5, 0.5)))
    }

    fn at(&self, sample: u64) -> f64 {
        f64::from(self.past[sample as usize & (self.past.len() - 1)])
    }

    /// Whether all of the form of a peak that was found has come: at most 1 s of a wave, 0.05 s
    /// beside it, half of 0.667 s, the delay of the band of 0.1 s and 0.5 s of form after the peak,
    /// which is 2 s.
    fn is_decided(&self) -> bool {
        self.found.is_some_and(|(peak, _)| {
            let needed = peak + self.forms.reach_behind(self.rate_hz) + self.sizes.smooth_late + 1;
            self.taken > needed
        })
    }

    fn decide(&mut self) -> Option<Beat> {
        let (sample, offset_samples) = self.found.take()?;
        let form = self.form(sample, offset_samples);
        let correlation = self.forms.judge(&form, self.correlation_min);
        let is_beat = correlation.is_some_and(|correlation| correlation >= self.correlation_min);
        let Sizes { foot, interval_max, .. } = self.sizes;
        let since = self.last.map(|last| {
            let samples = (sample - last.sample) as f64 + offset_samples - last.offset;
            (last, samples)
        });
        let near = since.filter(|(_, samples)| *samples <= interval_max as f64);
        if let Some((_, samples)) = near {
            self.forms.pace(samples / self.rate_hz);
        }
        let from = sample.saturating_sub(foot);
        let from = self.last.map_or(from, |last| from.max(last.sample));
        let lowest = (from..=sample)
            .min_by(|a, b| self.at(*a).total_cmp(&self.at(*b)).then(b.cmp(a)))
            .unwrap_or(sample);
        self.last = Some(Last { sample, offset: offset_samples, is_beat });
        Some(Beat {
            sample,
            offset_samples,
            amplitude: self.at(sample) - self.at(lowest),
            rise_s: ((sample - lowest) as f64 + offset_samples) / self.rate_hz,
            correlation,
            skewness: self.shape.all().skewness(),
            is_beat,
            interval_samples: near.filter(|(last, _)| last.is_beat && is_beat).map(|near| near.1),
        })
    }

    fn form(&self, sample: u64, offset: f64) -> Form {
        let newest = (self.taken - 1 - self.sizes.smooth_late) as f64;
        let peak = sample as f64 + offset;
        self.forms.shape(self.rate_hz, |samples| {
            // The first beat may lie nearer to the beginning than its form reaches.
            let at = (peak + samples).clamp(0.0, newest);
            let whole = at.floor();
            let (here, next) = (whole as u64, (whole + 1.0).min(newest) as u64);
            self.at(here) + (at - whole) * (self.at(next) - self.at(here))
        })
    }

    /// What was found and is not told yet: call until it gives none, at the end.
    pub fn flush(&mut self) -> Option<Beat> {
        if self.found.is_none()
            && let Some(begun) = self.begun.take()
        {
            let middle = self.taken.saturating_sub(1 + self.sizes.half_beat);
            if middle >= begun + self.sizes.wave[0] {
                self.found = self.peak_between(begun, middle);
            }
        }
        self.decide()
    }

    /// No beat that is told from now on lies before this sample.
    pub fn earliest(&self) -> u64 {
        let Sizes { band_late, beside, half_beat, apart, .. } = self.sizes;
        let middle = self.taken.saturating_sub(half_beat);
        let wave = self.begun.unwrap_or(middle).saturating_sub(band_late + beside);
        let found = self.found.map_or(wave, |(peak, _)| peak);
        self.last.map_or(found, |last| found.max(last.sample + apart))
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(self.rate_hz, self.correlation_min);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut rate_hz = self.rate_hz;
        state.f64(&mut rate_hz)?;
        state.demand(rate_hz == self.rate_hz)?;
        state.u64(&mut self.taken)?;
        state.demand(self.taken < 1 << 62)?;
        self.band.visit(state)?;
        for window in [&mut self.peak_mean, &mut self.beat_mean].into_iter().chain(&mut self.smooth)
        {
            steps::visit(window, state)?;
        }
        self.waiting.iter_mut().try_for_each(|mean| state.f64(mean))?;
        self.power.visit(state)?;
        self.shape.visit(state)?;
        state.f32s(&mut self.past)?;
        state.optional(&mut self.begun, State::u64)?;
        state.optional(&mut self.found, |state, (sample, offset)| {
            state.u64(sample)?;
            state.f64(offset)
        })?;
        state.optional(&mut self.last, |state, last| {
            state.u64(&mut last.sample)?;
            state.f64(&mut last.offset)?;
            state.bool(&mut last.is_beat)
        })?;
        self.forms.visit(state)?;
        let kept = [self.begun, self.found.map(|found| found.0), self.last.map(|last| last.sample)];
        state.demand(kept.into_iter().flatten().all(|sample| sample <= self.taken))
    }
}

#[cfg(test)]
mod tests;
