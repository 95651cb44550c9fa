//! Heart beats in an ECG: causal, one pass, decided within a quarter of a second.
//!
//! For an ECG behind the causal Butterworth band-pass of 5 to 15 Hz (`butter(2, [5, 15])`) that
//! Pan and Tompkins (1985) made usual, or, with [`Qrs::raw`], for one without it. Any unit, either
//! polarity, 100 Hz to 4 kHz.
//!
//! 1. Decimate by averaging to an inner rate of 120 to 240 Hz.
//! 2. Undo the band-pass between 1 and 50 Hz (`equalizer`): v, the raw recording without baseline.
//! 3. Envelope: q = s² + c² over 80 ms, with slope s = (v(n+h) − v(n−h))/2, curvature
//!    c = v(n) − (v(n−h) + v(n+h))/2 and h = 22 ms: together 4 sin²(ωh/2), most sensitive near
//!    23 Hz, where QRS stands out best from both movement and muscle. Its peaks are candidates.
//! 4. For each candidate a logarithm of odds that it is a beat, linear in: its level against that
//!    of recent beats (Hamilton 2002 takes their median, here the lower middle) and of recent
//!    noise, its correlation with the known forms (`forms`), and its distance from the last
//!    beat, for T waves. A candidate counts as noise to the degree that it is thought not to be
//!    a beat.
//! 5. Above 0 it is a beat. If none comes for 1.66 mean intervals, the best one since the last
//!    beat is searched back for (Pan and Tompkins 1985); if none comes for 3.2 s, the level of a
//!    beat is learnt anew, and the last candidates are judged again.
//! 6. R is the extremum of v that is large, sharp, central and preferably upward; for beats of a
//!    known form, that of the form. A parabola gives the fraction of a sample.
//!
//! The first three seconds are for learning; their beats come after, in order.
//!
//! **Weights.** Fitted by logistic regression on the candidates of MIT-BIH 100, 104, 106, 114, 123
//! and 118e24 and of one CPSC 2021 recording, clean and with synthetic noise, then rounded towards
//! what keeps small beats of clean recordings. Fits without one of the records give like factors.
//!
//! **Delay.** Behind the band-pass a beat is decided 0.23 s after its R in the recording, unless it
//! was learnt from or searched back for. [`Beat::sample`] is that of R plus the group delay of the
//! band-pass at the centre of its band, √75 Hz; for raw input it is that of R. What the band-pass
//! holds back at the end of a stream is lost: a beat in the last 0.05 s is not seen.
//!
//! **Cost.** Some tens of operations per inner sample, under a thousand per candidate; nothing is
//! allocated after construction, nor in it: the state is one contiguous struct below 4 KiB.
//!
//! **Not a number**, an infinity or anything beyond 1e15 is taken as the last good sample, so that
//! one costs a short flat piece and many a flat line. On a flat line nothing is found.

mod envelope;
mod equalizer;
mod forms;
mod state;
mod wave;

pub use state::StateError;

use envelope::Envelope;
use equalizer::Equalizer;
use forms::{FORMS, Forms, SAME_FORM};
use state::State;
use wave::{Around, WAVE, Wave};

/// One detected beat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// Index of the R peak in the input. Behind a band-pass, that is R delayed by the group delay.
    pub sample: u64,
    /// From there to R, −0.5 to 0.5.
    pub offset_samples: f32,
    /// Index of the newest input sample when it was decided.
    pub decided: u64,
    /// Height of R above the baseline in the recording before the band-pass, in its unit, with
    /// its sign.
    pub amplitude: f32,
    /// Natural logarithm of the odds that this is a beat: below 0 only if searched back for.
    pub log_odds: f32,
    /// It was searched back for, because no beat came when one was due.
    pub searched_back: bool,
}

/// What is pushed into a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// ECG behind the causal band-pass of 5 to 15 Hz.
    BandPassed,
    /// ECG as recorded.
    Raw,
}

/// The detector. See the module for what it does.
#[derive(Clone, Debug)]
pub struct Qrs {
    settings: Settings,
    /// Input samples so far, without those that `flush` adds.
    seen: u64,
    /// The last good sample.
    held: f32,
    sum: f32,
    summed: u32,
    /// Inner samples so far.
    inner: u64,
    equalizer: Equalizer,
    wave: Wave,
    envelope: Envelope,
    forms: Forms,
    candidates: [Candidate; CANDIDATES],
    /// Candidates so far, and how many of them have been judged.
    found: u64,
    judged: u64,
    /// Largest envelope in each of the last seconds.
    second_tops: [f32; SECONDS],
    /// Inner samples until the second ends: counted, as a remainder would cost more than the rest.
    second_left: u64,
    learning: bool,
    levels: [f32; LEVELS],
    accepted: u64,
    signal: f32,
    noise: f32,
    /// Mean interval between beats.
    interval: f64,
    /// R of the last beat, in inner samples.
    last: f64,
    /// Its level.
    last_level: f32,
    missed: Option<(Candidate, f32)>,
    /// Beats searched back for since the last that was not.
    searched_back: u32,
    flushed: u32,
}

/// Inner samples per second are this or up to twice as many.
const INNER_HZ: f64 = 120.0;

/// Beyond this, squares of the equalized signal could leave the range of `f32`.
const LARGEST: f32 = 1e15;

/// R is looked for this far on either side of the envelope's peak.
const SEARCH_S: f64 = 0.090;

/// From there, or from the mark of a form, the extremum is climbed to within this.
const CLIMB_S: f64 = 0.012;

/// No beat follows another sooner: the ventricles cannot.
const REFRACTORY_S: f64 = 0.200;

/// The T wave comes up to here after R, later with falling odds.
const T_WAVE_S: f64 = 0.400;

/// A band-pass that starts on an offset answers with a wave like a beat's.
const START_S: f64 = 0.125;

/// The median of the tops of this many seconds is a first level: a beat is in two of them down to
/// 40 per minute, and one may hold an artefact.
const SECONDS: usize = 3;

/// Without a beat for so long, levels are learnt anew: a little more than `SECONDS`, so that the
/// tops are of this silence.
const SILENCE_S: f64 = 3.2;

/// What a learnt level must be above the noise after silence, or it is noise: tops of plain noise
/// are twice its mean candidate.
const AFTER_SILENCE: f32 = 1.7;

/// Levels of so many beats are kept (Hamilton 2002).
const LEVELS: usize = 8;

/// Weight of a new interval, and of a new noise level (Pan and Tompkins 1985).
const GAIN: f64 = 0.125;

/// A missed beat is searched for after so many mean intervals (Pan and Tompkins 1985).
const SEARCH_BACK: f64 = 1.66;

/// Odds from which a beat that was due is believed.
const SEARCH_BACK_LOG_ODDS: f32 = -2.0;

/// So many beats in a row may be searched back for. More would make beats of plain noise.
const SEARCH_BACKS: u32 = 2;

/// Candidates below this part of a beat's level are not compared with forms: they cannot pass.
const COMPARED: f32 = 0.14;

/// Candidates kept to be judged, or judged again: 3.2 s of the closest spacing that noise gives.
const CANDIDATES: usize = 32;

/// Constant and factors of the logarithm of the odds.
const LOG_ODDS: f32 = -8.2;
const BY_LEVEL: f32 = -2.0;
const BY_LEVEL_AND_CORRELATION: f32 = 7.6;
const BY_NOISE: f32 = 1.75;
const BY_CORRELATION: f32 = 10.5;
const BY_T_WAVE: f32 = -5.3;
const BY_INTERVAL: f32 = 0.5;

/// What is assumed of a candidate that was not compared with a form.
const CORRELATION_UNKNOWN: f32 = 0.7;

const STATE_VERSION: u8 = 1;

/// What follows from rate and input alone.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Settings {
    rate_hz: f64,
    input: Input,
    decimation: u32,
    inner_hz: f64,
    second: u64,
    settled: u64,
    search: i32,
}

/// A peak of the envelope and what was found there. Positions relative to the peak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Candidate {
    /// Inner index of the envelope's peak.
    peak: u64,
    r: f32,
    amplitude: f32,
    /// Square root of the mean of q.
    level: f32,
    correlation: f32,
    /// Where the form's centre is, or R if there is no form.
    centre: i32,
    /// Number of the form, or `NO_FORM`.
    form: u8,
}

const NO_FORM: u8 = u8::MAX;

impl Qrs {
    /// For an ECG behind the causal band-pass of 5 to 15 Hz.
    ///
    /// # Panics
    ///
    /// If the rate is not above 60 samples per second: QRS needs the band up to 30 Hz.
    pub fn new(rate_hz: f64) -> Self {
        Self::for_input(Input::BandPassed, rate_hz)
    }

    /// For an ECG as recorded. Panics as [`Qrs::new`] does.
    pub fn raw(rate_hz: f64) -> Self {
        Self::for_input(Input::Raw, rate_hz)
    }

    fn for_input(input: Input, rate_hz: f64) -> Self {
        assert!(rate_hz > 60.0 && rate_hz < 1e6, "{rate_hz} Hz is no rate for an ECG");
        let decimation = (rate_hz / INNER_HZ).floor().max(1.0);
        let inner_hz = rate_hz / decimation;
        Self {
            settings: Settings {
                rate_hz,
                input,
                decimation: decimation as u32,
                inner_hz,
                second: inner_hz.round() as u64,
                settled: (2.0 * START_S * inner_hz) as u64,
                search: (SEARCH_S * inner_hz).round() as i32,
            },
            seen: 0,
            held: 0.0,
            sum: 0.0,
            summed: 0,
            inner: 0,
            equalizer: Equalizer::new(input, inner_hz, rate_hz),
            wave: Wave::new(),
            envelope: Envelope::new(inner_hz),
            forms: Forms::new(inner_hz),
            candidates: [Candidate::default(); CANDIDATES],
            found: 0,
            judged: 0,
            second_tops: [0.0; SECONDS],
            second_left: inner_hz.round() as u64,
            learning: true,
            levels: [0.0; LEVELS],
            accepted: 0,
            signal: 0.0,
            noise: 0.0,
            interval: 0.8 * inner_hz,
            last: -1e9,
            last_level: 0.0,
            missed: None,
            searched_back: 0,
            flushed: 0,
        }
    }

    /// Takes the next sample and gives the beat decided with it, if any.
    #[inline]
    pub fn push(&mut self, sample: f32) -> Option<Beat> {
        // Also false for what is not a number.
        if sample.abs() < LARGEST {
            self.held = sample;
        }
        self.seen += 1;
        self.sum += self.held;
        self.summed += 1;
        if self.summed < self.settings.decimation {
            return None;
        }
        let mean = self.sum / self.settings.decimation as f32;
        self.sum = 0.0;
        self.summed = 0;
        self.step(mean)
    }

    /// At the end of the stream: call until it gives `None`. What follows needs a reset.
    pub fn flush(&mut self) -> Option<Beat> {
        if self.learning {
            self.learn(self.tops_median().max(self.second_tops[0]));
        }
        while self.flushed < self.flush_steps() {
            self.flushed += 1;
            if let Some(beat) = self.step(self.held).filter(|beat| beat.sample < self.seen) {
                return Some(beat);
            }
        }
        None
    }

    /// As newly built.
    pub fn reset(&mut self) {
        *self = Self::for_input(self.settings.input, self.settings.rate_hz);
    }

    /// Appends the complete state, its version first.
    pub fn save(&self, into: &mut Vec<u8>) {
        self.clone().visit(&mut State::Save(into)).expect("only loading can fail");
    }

    /// Continues from a saved state of the same rate and input.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a state; then nothing is changed.
    pub fn load(&mut self, from: &[u8]) -> Result<(), StateError> {
        let mut loaded = Self::for_input(self.settings.input, self.settings.rate_hz);
        let mut state = State::Load(from);
        loaded.visit(&mut state)?;
        state.end()?;
        *self = loaded;
        Ok(())
    }

    fn step(&mut self, sample: f32) -> Option<Beat> {
        let now = self.inner;
        self.inner += 1;
        self.wave.put(now, self.equalizer.push(sample));
        if let Some((peak, energy)) = self.envelope.push(now, &self.wave) {
            self.candidates[self.found as usize % CANDIDATES] = self.candidate(now, peak, energy);
            self.found += 1;
        }
        self.follow_tops(now);
        if self.learning {
            return None;
        }
        if self.judged < self.found {
            let candidate = self.candidates[self.judged as usize % CANDIDATES];
            self.judged += 1;
            return self.judge(now, candidate);
        }
        self.search_back(now)
    }

    /// Until the last candidate is known to be one, and all are judged.
    fn flush_steps(&self) -> u32 {
        (0.3 * self.settings.inner_hz) as u32 + CANDIDATES as u32
    }

    fn follow_tops(&mut self, now: u64) {
        let top = &mut self.second_tops[0];
        // The first samples are the filters settling.
        if now > self.settings.settled {
            *top = top.max(self.envelope.energy());
        }
        self.second_left -= 1;
        if self.second_left == 0 {
            self.second_left = self.settings.second;
            self.end_second(now);
        }
    }

    /// Learns the level of a beat at the start and after silence.
    #[cold]
    fn end_second(&mut self, now: u64) {
        let median = self.tops_median();
        let level = self.envelope.level(median);
        let silence = now as f64 - self.last > SILENCE_S * self.settings.inner_hz;
        let started = now + 1 >= SECONDS as u64 * self.settings.second;
        if self.learning && started && median > 0.0
            || !self.learning && silence && level > AFTER_SILENCE * self.noise
        {
            self.learn(median);
        }
        self.second_tops.rotate_right(1);
        self.second_tops[0] = 0.0;
    }

    fn tops_median(&self) -> f32 {
        let mut tops = self.second_tops;
        tops.sort_by(f32::total_cmp);
        tops[SECONDS / 2]
    }

    fn learn(&mut self, energy: f32) {
        self.learning = false;
        self.signal = self.envelope.level(energy).max(f32::MIN_POSITIVE);
        self.noise = 0.3 * self.signal;
        self.levels = [self.signal; LEVELS];
        self.judged = self.found.saturating_sub(CANDIDATES as u64);
        self.missed = None;
    }

    /// Describes the wave around a peak of the envelope.
    fn candidate(&self, now: u64, peak: u64, energy: f32) -> Candidate {
        let level = self.envelope.level(energy);
        let around = self.wave.around(peak, now);
        let fit = (level > COMPARED * self.signal).then(|| self.forms.fit(&around)).flatten();
        let known = fit.filter(|fit| fit.correlation > SAME_FORM);
        let (near, upward) =
            known.map_or_else(|| self.r_by_rule(&around), |fit| (fit.mark, fit.upward));
        let r = around.extremum(near, upward, (CLIMB_S * self.settings.inner_hz) as i32);
        Candidate {
            peak,
            r: r as f32 + around.vertex(r),
            amplitude: around.at(r),
            level,
            correlation: fit.map_or(CORRELATION_UNKNOWN, |fit| fit.correlation.max(0.0)),
            centre: known.map_or(r, |fit| fit.centre),
            form: known.map_or(NO_FORM, |fit| fit.form),
        }
    }

    fn r_by_rule(&self, around: &Around) -> (i32, bool) {
        let rule = self.forms.rule();
        let (mut best, mut r) = (0.0, 0);
        for i in around.within(self.settings.search, rule.sharp) {
            let (before, after) = (around.at(i - rule.sharp), around.at(i + rule.sharp));
            let count = rule.count(before, around.at(i), after, i);
            if count > best {
                best = count;
                r = i;
            }
        }
        (r, around.at(r) > 0.0)
    }

    fn judge(&mut self, now: u64, candidate: Candidate) -> Option<Beat> {
        let since = self.since_last(&candidate);
        let inner_hz = self.settings.inner_hz;
        if since < REFRACTORY_S * inner_hz || candidate.r_at() < self.start() {
            return None;
        }
        let log_odds = self.log_odds(&candidate);
        if log_odds > 0.0 {
            return Some(self.accept(now, candidate, log_odds, false));
        }
        let doubt = 1.0 / (1.0 + log_odds.exp());
        let level = candidate.level.min(3.0 * self.noise);
        self.noise += GAIN as f32 * doubt * (level - self.noise);
        if since > 0.3 * inner_hz && self.missed.is_none_or(|(_, best)| log_odds > best) {
            self.missed = Some((candidate, log_odds));
        }
        None
    }

    fn log_odds(&self, candidate: &Candidate) -> f32 {
        let since = self.since_last(candidate);
        let level = (candidate.level / self.signal).ln().clamp(-3.0, 1.0);
        let noise = (candidate.level / self.noise.max(f32::MIN_POSITIVE)).ln().clamp(-1.0, 3.0);
        let correlation = candidate.correlation;
        let early = (T_WAVE_S - since / self.settings.inner_hz) / (T_WAVE_S - REFRACTORY_S);
        let late = since / self.interval - 1.5;
        // Below half of the last beat's level it is all the more a T wave (Pan and Tompkins 1985).
        let blunt = (0.5 * self.last_level / candidate.level).ln().clamp(0.0, 2.0);
        LOG_ODDS
            + (BY_LEVEL + BY_LEVEL_AND_CORRELATION * correlation) * level
            + BY_NOISE * noise
            + BY_CORRELATION * correlation
            + BY_T_WAVE * early.clamp(0.0, 1.0) as f32 * (1.0 + blunt)
            + BY_INTERVAL * late.clamp(0.0, 2.5) as f32
    }

    fn search_back(&mut self, now: u64) -> Option<Beat> {
        // A candidate is judged up to 0.2 s after its R.
        let due = SEARCH_BACK * self.interval + 0.2 * self.settings.inner_hz;
        if now as f64 - self.last <= due {
            return None;
        }
        let (candidate, log_odds) = self.missed.take()?;
        let believed = log_odds > SEARCH_BACK_LOG_ODDS && self.searched_back < SEARCH_BACKS;
        believed.then(|| self.accept(now, candidate, log_odds, true))
    }

    fn accept(&mut self, now: u64, candidate: Candidate, log_odds: f32, back: bool) -> Beat {
        let since = self.since_last(&candidate);
        if !back && since < 2.0 * self.settings.inner_hz {
            let interval = since.clamp(0.6 * self.interval, 1.4 * self.interval);
            self.interval += GAIN * (interval - self.interval);
        }
        self.searched_back = if back { self.searched_back + 1 } else { 0 };
        self.last = candidate.r_at();
        self.last_level = candidate.level;
        self.missed = None;
        self.levels[self.accepted as usize % LEVELS] = candidate.level;
        self.accepted += 1;
        let mut levels = self.levels;
        levels.sort_by(f32::total_cmp);
        // Below the median, or a run of large ectopic beats would hide the normal ones.
        self.signal = (levels[1] + levels[2] + levels[3]) / 3.0;
        let around = self.wave.around(candidate.peak, now);
        let known = (candidate.form != NO_FORM).then_some(candidate.form);
        self.forms.learn(&around, candidate.centre, known);
        self.beat(candidate, log_odds, back)
    }

    fn beat(&self, candidate: Candidate, log_odds: f32, searched_back: bool) -> Beat {
        let decimation = f64::from(self.settings.decimation);
        let inner = self.last - f64::from(self.equalizer.ahead());
        // The mean of an inner sample's inputs belongs to their middle.
        let at = inner * decimation + 0.5 * (decimation - 1.0);
        let sample = at.round().max(0.0);
        Beat {
            sample: sample as u64,
            offset_samples: (at - sample) as f32,
            decided: self.seen.saturating_sub(1),
            amplitude: candidate.amplitude,
            log_odds,
            searched_back,
        }
    }

    fn since_last(&self, candidate: &Candidate) -> f64 {
        candidate.r_at() - self.last
    }

    fn start(&self) -> f64 {
        START_S * self.settings.inner_hz + f64::from(self.equalizer.ahead())
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut version = STATE_VERSION;
        state.u8(&mut version)?;
        if version != STATE_VERSION {
            return Err(StateError::Version(version));
        }
        let (mut rate_hz, mut raw) = (self.settings.rate_hz, self.settings.input == Input::Raw);
        state.f64(&mut rate_hz)?;
        state.bool(&mut raw)?;
        if rate_hz != self.settings.rate_hz || raw != (self.settings.input == Input::Raw) {
            return Err(StateError::Other);
        }
        for count in [&mut self.seen, &mut self.inner, &mut self.found, &mut self.judged] {
            state.u64(count)?;
        }
        state.u64(&mut self.accepted)?;
        state.u32(&mut self.summed)?;
        state.u32(&mut self.searched_back)?;
        state.u32(&mut self.flushed)?;
        state.bool(&mut self.learning)?;
        for value in [&mut self.held, &mut self.sum, &mut self.signal, &mut self.noise] {
            state.f32(value)?;
        }
        state.f32(&mut self.last_level)?;
        state.f64(&mut self.interval)?;
        state.f64(&mut self.last)?;
        state.f32s(&mut self.levels)?;
        state.f32s(&mut self.second_tops)?;
        state.f32s(self.equalizer.past())?;
        self.wave.visit(state)?;
        self.equalizer.resume(self.inner);
        self.second_left = self.settings.second - self.inner % self.settings.second;
        self.envelope.visit(state)?;
        self.forms.visit(state)?;
        self.candidates.iter_mut().try_for_each(|candidate| candidate.visit(state))?;
        let mut missed = self.missed.is_some();
        let (mut candidate, mut log_odds) = self.missed.unwrap_or_default();
        state.bool(&mut missed)?;
        candidate.visit(state)?;
        state.f32(&mut log_odds)?;
        self.missed = missed.then_some((candidate, log_odds));
        state.demand(self.is_possible())
    }

    /// Whether a loaded state keeps the promises that the rest relies on.
    fn is_possible(&self) -> bool {
        let missed = self.missed.map(|(candidate, _)| candidate);
        // No stream is longer, and sums of these cannot overflow.
        let counts = [self.seen, self.inner, self.found, self.accepted];
        counts.iter().all(|count| *count < 1 << 62)
            && self.judged <= self.found
            // While it learns none is judged, and those that were pushed out never will be.
            && self.found <= self.inner
            && self.summed < self.settings.decimation
            && self.searched_back <= SEARCH_BACKS
            && self.flushed <= self.flush_steps()
            && self.interval > 0.0
            && self.candidates.iter().chain(&missed).all(|c| c.peak <= self.inner)
    }
}

impl Candidate {
    /// R, in inner samples.
    fn r_at(&self) -> f64 {
        self.peak as f64 + f64::from(self.r)
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u64(&mut self.peak)?;
        for value in [&mut self.r, &mut self.amplitude, &mut self.level, &mut self.correlation] {
            state.f32(value)?;
        }
        state.i32_within(&mut self.centre, WAVE as i32)?;
        state.u8(&mut self.form)?;
        let known = usize::from(self.form) < FORMS || self.form == NO_FORM;
        state.demand(known)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    #[test]
    fn what_is_saved_can_be_loaded_whatever_the_signal() {
        for (shape, hz) in [(0, 7.0), (0, 1.0), (0, 25.0), (1, 2.0), (2, 0.0)] {
            let mut qrs = Qrs::new(250.0);
            for n in 0..250 * 40 {
                let turn = f64::from(n) * hz / 250.0;
                let sample = match shape {
                    0 => (2.0 * PI * turn).sin(),
                    1 => f64::from(u8::from(turn.fract() < 0.5)),
                    _ => f64::from(n % 2_500 / 2_499),
                };
                qrs.push(sample as f32);
                if n % 25 == 0 {
                    let mut state = Vec::new();
                    qrs.save(&mut state);
                    assert_eq!(Qrs::new(250.0).load(&state), Ok(()), "{shape} {hz} Hz, sample {n}");
                }
            }
        }
    }

    use super::*;

    /// A beat every `interval_s` from 0.5 s on: Q, R and S as narrow bells, and a T wave; plus a
    /// wandering baseline.
    fn train(rate_hz: f64, interval_s: f64, span_s: f64, scale: f64) -> (Vec<f32>, Vec<f64>) {
        let bell = |from_s: f64, width_s: f64| (-0.5 * (from_s / width_s).powi(2)).exp();
        let beats: Vec<f64> =
            (0..).map(|k| 0.5 + interval_s * f64::from(k)).take_while(|t| *t < span_s).collect();
        let ecg = (0..(span_s * rate_hz) as usize)
            .map(|n| {
                let now_s = n as f64 / rate_hz;
                let near = beats.iter().filter(|beat| (now_s - **beat).abs() < 0.6);
                let waves: f64 = near
                    .map(|beat| {
                        let t = now_s - beat;
                        bell(t, 0.010)
                            - 0.15 * bell(t + 0.028, 0.008)
                            - 0.2 * bell(t - 0.028, 0.008)
                            + 0.25 * bell(t - 0.27, 0.045)
                    })
                    .sum();
                ((waves + 0.3 * (2.0 * PI * 0.25 * now_s).sin()) * scale) as f32
            })
            .collect();
        (ecg, beats)
    }

    fn found(detector: &mut Qrs, ecg: &[f32]) -> Vec<Beat> {
        let mut beats: Vec<Beat> = ecg.iter().filter_map(|sample| detector.push(*sample)).collect();
        beats.extend(std::iter::from_fn(|| detector.flush()));
        beats
    }

    fn noise(seed: u32, count: usize) -> Vec<f32> {
        let mut state = seed;
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(*state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| step(&mut state)).collect()
    }

    #[test]
    fn a_train_is_found_where_it_is_at_any_rate_and_scale() {
        for rate_hz in [100.0, 128.0, 200.0, 239.9, 250.0, 360.0, 500.0, 1_000.0, 4_000.0] {
            for scale in [1.0, -1.0, 1e-6, 1e4] {
                let (ecg, wanted) = train(rate_hz, 0.8, 20.0, scale);
                let beats = found(&mut Qrs::raw(rate_hz), &ecg);

                assert_eq!(beats.len(), wanted.len(), "{rate_hz} Hz, scale {scale}");
                for (beat, wanted_s) in beats.iter().zip(&wanted) {
                    let at_s = (beat.sample as f64 + f64::from(beat.offset_samples)) / rate_hz;
                    // A parabola through samples of at most 10 ms around a bell of 10 ms width,
                    // whose neighbours are lopsided: a third of such a sample at worst.
                    assert!((at_s - wanted_s).abs() < 0.0034, "{rate_hz} Hz: {at_s} {wanted_s}");
                }
            }
        }
    }

    /// `butter(2, [5, 15], "bandpass")`, forward from zero, and its group delay at √75 Hz in
    /// samples: with Ω = tan(πf/rate), each pole pair of the low-pass prototype gives two of
    /// s² − q·s + 1 in s = (z − 1)/(z + 1)/√(Ω₁Ω₂).
    fn band_passed(ecg: &[f32], rate_hz: f64) -> Vec<f32> {
        let warp = |f: f64| (PI * f / rate_hz).tan();
        let (centre, band) = ((warp(5.0) * warp(15.0)).sqrt(), warp(15.0) - warp(5.0));
        // s² + ω₀² = p·band·s with p = (−1 ± i)/√2 and its conjugate: (s² + ω₀²)² + √2·band·s·
        // (s² + ω₀²) + band²·s² = 0, whose two real quadratic factors s² + a·s·… are found from
        // u = s/ω₀ + ω₀/s, u² + √2·(band/ω₀)·u + (band/ω₀)² = 0.
        let ratio = band / centre;
        let (re, im) = (-ratio / 2f64.sqrt(), ratio / 2f64.sqrt());
        // u = s + 1/s has s = (u ± √(u² − 4))/2; both are of one complex u.
        let (d_re, d_im) = (re * re - im * im - 4.0, 2.0 * re * im);
        let length = d_re.hypot(d_im).sqrt();
        let half = 0.5 * d_im.atan2(d_re);
        let root = (length * half.cos(), length * half.sin());
        let mut signal: Vec<f64> = ecg.iter().map(|x| f64::from(*x)).collect();
        for sign in [1.0, -1.0] {
            let (p_re, p_im) = ((re + sign * root.0) / 2.0, (im + sign * root.1) / 2.0);
            // (band·s)/(s² − 2·re(p)·ω₀·s + |p|²·ω₀²), bilinear.
            let (b, c) = (-2.0 * p_re * centre, (p_re * p_re + p_im * p_im) * centre * centre);
            let whole = 1.0 + b + c;
            let (a1, a2, gain) = (2.0 * (c - 1.0) / whole, (1.0 - b + c) / whole, band / whole);
            let (mut one, mut two) = (0.0, 0.0);
            for x in &mut signal {
                let y = gain * *x + one;
                one = two - a1 * y;
                two = -gain * *x - a2 * y;
                *x = y;
            }
        }
        signal.iter().map(|x| *x as f32).collect()
    }

    #[test]
    fn behind_the_band_pass_r_is_its_group_delay_later() {
        for rate_hz in [100.0, 250.0, 360.0, 1_000.0] {
            let (ecg, wanted) = train(rate_hz, 0.8, 20.0, 1.0);
            let beats = found(&mut Qrs::new(rate_hz), &band_passed(&ecg, rate_hz));

            // √2·2/(2π·10 Hz), of which the bilinear transform takes (π·15/100)² / 4 at most.
            let delay_s = 2f64.sqrt() / (10.0 * PI);
            assert_eq!(beats.len(), wanted.len(), "{rate_hz} Hz");
            for (beat, wanted_s) in beats.iter().zip(&wanted) {
                let at_s = (beat.sample as f64 + f64::from(beat.offset_samples)) / rate_hz;
                // One inner sample at 100 Hz; the uncorrected wave swings 31 ms away.
                let off_s = at_s - delay_s - wanted_s;
                assert!(off_s.abs() < 0.01, "{rate_hz} Hz: {off_s}");
            }
        }
    }

    #[test]
    fn beats_of_the_first_seconds_come_late_but_come_in_order() {
        let (ecg, wanted) = train(360.0, 0.6, 6.0, 1.0);

        let beats = found(&mut Qrs::raw(360.0), &ecg);

        assert_eq!(beats.len(), wanted.len());
        assert!(beats.windows(2).all(|two| two[0].sample < two[1].sample));
        assert!(beats.windows(2).all(|two| two[0].decided < two[1].decided));
    }

    #[test]
    fn a_beat_is_decided_within_a_quarter_of_a_second() {
        let (ecg, _) = train(360.0, 0.8, 20.0, 1.0);

        let beats = found(&mut Qrs::raw(360.0), &ecg);

        let learnt = |beat: &&Beat| beat.sample > 3 * 360;
        for beat in beats.iter().filter(learnt) {
            assert!(beat.decided - beat.sample <= 90, "{beat:?}");
        }
    }

    #[test]
    fn a_continued_save_gives_the_same_beats_bit_for_bit() {
        let (mut ecg, _) = train(250.0, 0.75, 20.0, 1.0);
        ecg.iter_mut().zip(noise(1, 5_000)).for_each(|(x, noise)| *x += 0.1 * noise);
        let whole = found(&mut Qrs::new(250.0), &ecg);

        for cut in [0, 1, 333, 751, 2_500, 4_999] {
            let mut before = Qrs::new(250.0);
            let mut beats: Vec<Beat> =
                ecg[..cut].iter().filter_map(|sample| before.push(*sample)).collect();
            let mut saved = Vec::new();
            before.save(&mut saved);
            let mut after = Qrs::new(250.0);
            after.load(&saved).expect("the state of an equal detector");
            beats.extend(found(&mut after, &ecg[cut..]));

            assert_eq!(beats, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
        let mut saved = Vec::new();
        Qrs::new(250.0).save(&mut saved);
        let mut detector = Qrs::new(250.0);

        assert_eq!(detector.load(&saved[..saved.len() - 1]), Err(StateError::Length));
        assert_eq!(detector.load(&[saved.as_slice(), &[0]].concat()), Err(StateError::Length));
        assert_eq!(detector.load(&[9]), Err(StateError::Version(9)));
        assert_eq!(Qrs::new(251.0).load(&saved), Err(StateError::Other));
        assert_eq!(Qrs::raw(250.0).load(&saved), Err(StateError::Other));

        let mut unchanged = Vec::new();
        detector.save(&mut unchanged);
        assert_eq!(unchanged, saved);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let (ecg, _) = train(360.0, 0.8, 5.0, 1.0);
        let mut used = Qrs::new(360.0);
        found(&mut used, &ecg);
        let mut saved = Vec::new();
        used.save(&mut saved);

        for at in 10..saved.len() {
            let mut bytes = saved.clone();
            bytes[at] ^= 0xff;
            let mut detector = Qrs::new(360.0);
            if detector.load(&bytes).is_ok() {
                found(&mut detector, &ecg[..400]);
            }
        }
    }

    #[test]
    fn reset_equals_a_fresh_detector() {
        let (ecg, _) = train(360.0, 0.7, 10.0, 1.0);
        let fresh = found(&mut Qrs::new(360.0), &ecg);
        let mut used = Qrs::new(360.0);
        found(&mut used, &ecg[..2_000]);

        used.reset();

        assert_eq!(found(&mut used, &ecg), fresh);
    }

    #[test]
    fn silence_gives_nothing() {
        for level in [0.0, 1e-3, -5.0] {
            assert_eq!(found(&mut Qrs::new(360.0), &[level; 7_200]), [], "at {level}");
        }
    }

    #[test]
    fn what_is_not_a_number_does_not_poison() {
        let (mut ecg, wanted) = train(360.0, 0.8, 30.0, 1.0);
        // Between two beats, and for 3 s.
        for (n, bad) in [(1_000, f32::NAN), (1_001, f32::INFINITY), (1_002, f32::MAX)] {
            ecg[n] = bad;
        }
        ecg[3_600..4_680].fill(f32::NAN);

        let beats = found(&mut Qrs::raw(360.0), &ecg);

        let missing = wanted.iter().filter(|&&beat| (9.9..13.1).contains(&beat)).count();
        assert_eq!(beats.len(), wanted.len() - missing);
    }

    #[test]
    fn a_tenth_of_the_height_is_recovered_from_without_loss() {
        let (mut ecg, wanted) = train(360.0, 0.8, 40.0, 1.0);
        ecg[7_000..].iter_mut().for_each(|sample| *sample *= 0.1);

        let beats = found(&mut Qrs::raw(360.0), &ecg);

        // The step itself, 0.3 of baseline high at most, may look like a beat.
        assert!((wanted.len()..=wanted.len() + 1).contains(&beats.len()), "{}", beats.len());
    }

    #[test]
    fn flush_twice_is_as_once() {
        let (ecg, _) = train(360.0, 0.8, 5.0, 1.0);
        let mut detector = Qrs::new(360.0);
        found(&mut detector, &ecg);

        assert_eq!(detector.flush(), None);
    }

    #[test]
    fn a_detector_fits_in_four_kibibytes() {
        assert!(size_of::<Qrs>() <= 4_096, "{}", size_of::<Qrs>());
    }
}
