//! Muscles at work: the envelope of an electromyogram, and when it rises above rest, as it comes.
//!
//! **Envelope**: a Butterworth high-pass of order 4 takes away what electrodes and cables add, what
//! is left is rectified, and a Butterworth low-pass of order 2 smooths it. neurokit2 and BioSPPy do
//! the same forwards and backwards, with 100 Hz and 8 Hz, neurokit2 on the Teager–Kaiser energy.
//!
//! **Work** (Hodges and Bui 1996; double threshold after Bonato and others 1998): the envelope lies
//! above mean + k · deviation of rest for `work_s` on end. It ends when it lies below that for
//! `rest_s`. Both are dated to where the envelope crossed.
//!
//! **Rest** is the quietest second of the last 16, looked for every fifth of a second, so that
//! nobody has to tell when it is, and who begins at work is known as soon as he rests. Work that
//! lasts longer than that becomes rest.

use super::{
    band::{Band, DesignError},
    butterworth,
    cascade::Cascade,
    sliding::{Merge, Moments, Sliding},
    sos::group_delay_s,
    state::{State, StateError},
    steps::{self, Steps},
};

/// Rest is looked for in so many stretches of so many steps.
const RESTS: usize = 76;
const REST_STEPS: usize = 5;
const STEP_NS: i64 = 200_000_000;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmgParameters {
    /// Slower is no muscle.
    pub low_hz: f64,
    /// The envelope is smoothed to this.
    pub envelope_hz: f64,
    /// How many deviations above rest is work.
    pub deviations: f64,
    /// Shorter is no work.
    pub work_s: f64,
    /// Shorter is no rest.
    pub rest_s: f64,
}

/// Work that begins or ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Number of the sample at which the envelope crossed, by the envelope's own time.
    pub sample: u64,
    /// What ended: how long it was and the largest envelope on the way. None where work begins.
    pub ended: Option<Work>,
}

/// A stretch of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// From crossing to crossing.
    pub duration_s: f64,
    /// Largest envelope.
    pub amplitude: f64,
}

/// Rectifies, smooths and watches.
#[derive(Clone, Debug)]
pub struct Emg {
    rate_hz: f64,
    parameters: EmgParameters,
    high_pass: Cascade,
    low_pass: Cascade,
    delay_s: f64,
    rests: Sliding<Quiet>,
    rest: Quiet,
    second: Steps<Moments>,
    /// Samples before the first step, and steps since.
    skipped: u64,
    steps: u64,
    taken: u64,
    /// Since when the envelope has been on the other side.
    crossed: Option<u64>,
    /// Since when there is work, and how much.
    work: Option<(u64, f64)>,
}

impl Emg {
    /// A detector for samples at `rate_hz`.
    ///
    /// # Errors
    /// If the frequencies are not below half the rate.
    pub fn new(rate_hz: f64, parameters: EmgParameters) -> Result<Self, DesignError> {
        let EmgParameters { low_hz, envelope_hz, .. } = parameters;
        let high_pass = butterworth::design(4, Band::HighPass { cutoff_hz: low_hz }, rate_hz)?;
        let low_pass = butterworth::design(2, Band::LowPass { cutoff_hz: envelope_hz }, rate_hz)?;
        let step = (STEP_NS as f64 / 1e9 * rate_hz).round().max(1.0) as u64;
        Ok(Self {
            rate_hz,
            parameters,
            delay_s: group_delay_s(&low_pass, rate_hz, 0.0),
            high_pass: Cascade::new(high_pass),
            low_pass: Cascade::new(low_pass),
            rests: Sliding::new(RESTS),
            rest: Quiet::NOTHING,
            second: Steps::new(step as usize, REST_STEPS),
            skipped: step,
            steps: 0,
            taken: 0,
            crossed: None,
            work: None,
        })
    }

    /// By how much slow changes of the envelope are late.
    pub fn delay_s(&self) -> f64 {
        self.delay_s
    }

    /// Takes the next sample, which must be finite: the envelope, and what changed.
    pub fn push(&mut self, sample: f32) -> (f64, Option<Change>) {
        let sample = f64::from(sample);
        if self.taken == 0 {
            self.high_pass.settle(sample);
        }
        let rectified = self.high_pass.push(sample).abs();
        // Butterworth's step response overshoots: below zero there is no envelope.
        let envelope = self.low_pass.push(rectified).max(0.0);
        let now = self.taken;
        self.taken += 1;
        if now >= self.skipped && self.second.push(Moments::of(envelope)) {
            self.steps += 1;
            if self.steps >= REST_STEPS as u64 {
                self.rest = self.rests.push(Quiet::of(self.second.whole()));
            }
        }
        (envelope, self.watch(now, envelope))
    }

    /// Says when the first sample is: steps end at whole fifths of a second, and the first fifth of
    /// a second at least is left to the filters.
    pub fn begin(&mut self, time_ns: i64) {
        let mut left_ns = STEP_NS - time_ns.rem_euclid(STEP_NS);
        if left_ns < STEP_NS {
            left_ns += STEP_NS;
        }
        // Times are rounded to nanoseconds.
        self.skipped = (left_ns as f64 / 1e9 * self.rate_hz - 1e-5).ceil() as u64;
    }

    /// What the envelope of rest does not reach; none while nobody knows.
    pub fn threshold(&self) -> Option<f64> {
        let Quiet { mean, deviation } = self.rest;
        (mean < f64::INFINITY).then_some(mean + self.parameters.deviations * deviation)
    }

    fn watch(&mut self, now: u64, envelope: f64) -> Option<Change> {
        let is_above = self.threshold().is_some_and(|threshold| envelope > threshold);
        if let Some((_, amplitude)) = &mut self.work {
            *amplitude = amplitude.max(envelope);
        }
        if is_above == self.work.is_some() {
            self.crossed = None;
            return None;
        }
        let since = *self.crossed.get_or_insert(now);
        let EmgParameters { work_s, rest_s, .. } = self.parameters;
        let hold_s = if is_above { work_s } else { rest_s };
        if ((now - since) as f64) < (hold_s * self.rate_hz).round() {
            return None;
        }
        self.crossed = None;
        let ended = self.work.take();
        if ended.is_none() {
            self.work = Some((since, envelope));
        }
        Some(self.change(since, ended))
    }

    fn change(&self, sample: u64, ended: Option<(u64, f64)>) -> Change {
        let work = |(begun, amplitude)| {
            let duration_s = (sample - begun) as f64 / self.rate_hz;
            Work { duration_s, amplitude }
        };
        Change { sample, ended: ended.map(work) }
    }

    /// The end of work under way: call until it gives none, at the end.
    pub fn flush(&mut self) -> Option<Change> {
        let ended = self.work.take()?;
        let sample = self.crossed.take().unwrap_or(self.taken.saturating_sub(1));
        Some(self.change(sample, Some(ended)))
    }

    /// No change that is told from now on lies before this sample.
    pub fn earliest(&self) -> u64 {
        self.crossed.unwrap_or(self.taken.saturating_sub(1))
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.high_pass.reset();
        self.low_pass.reset();
        self.rests.reset();
        self.second.reset();
        (self.rest, self.steps, self.taken) = (Quiet::NOTHING, 0, 0);
        (self.crossed, self.work) = (None, None);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let EmgParameters { low_hz, envelope_hz, .. } = self.parameters;
        let own = [self.rate_hz, low_hz, envelope_hz];
        let mut saved = own;
        saved.iter_mut().try_for_each(|number| state.f64(number))?;
        state.demand(saved == own)?;
        self.high_pass.visit(state)?;
        self.low_pass.visit(state)?;
        steps::visit(&mut self.rests, state)?;
        self.rest.numbers().try_for_each(|number| state.f64(number))?;
        self.second.visit(state)?;
        [&mut self.skipped, &mut self.steps, &mut self.taken]
            .into_iter()
            .try_for_each(|count| state.u64(count))?;
        state.optional(&mut self.crossed, State::u64)?;
        state.optional(&mut self.work, |state, (since, amplitude)| {
            state.u64(since)?;
            state.f64(amplitude)
        })?;
        let (crossed, work) = (self.crossed.unwrap_or(0), self.work.map_or(0, |work| work.0));
        state.demand(crossed <= self.taken && work <= crossed.max(self.taken))?;
        state.demand(self.crossed.is_none() || work <= crossed)?;
        state.demand(self.taken < 1 << 62)
    }
}

/// The quietest stretch: the one with the least mean.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quiet {
    mean: f64,
    deviation: f64,
}

impl Quiet {
    /// Where nothing moves, nothing is connected: that is no rest.
    fn of(stretch: Moments) -> Self {
        let deviation = stretch.variance().max(0.0).sqrt();
        let is_flat = deviation <= 1e-9 * stretch.mean;
        if is_flat { Self::NOTHING } else { Self { mean: stretch.mean, deviation } }
    }
}

impl Merge for Quiet {
    const NOTHING: Self = Self { mean: f64::INFINITY, deviation: 0.0 };

    fn merge(self, later: Self) -> Self {
        if later.mean < self.mean { later } else { self }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.mean, &mut self.deviation].into_iter()
    }
}

#[cfg(test)]
mod tests;
