//! The detector: one sample in, at most one beat out.

use super::candidate::{CANDIDATES, Candidate, NO_FORM};
use super::envelope::Envelope;
use super::equalizer::{Equalizer, Passed};
use super::forms::{Forms, SAME_FORM};
use super::height::Height;
use super::levels::{Levels, SECONDS};
use super::odds::Features;
use super::rhythm::{P_WAVE_S, Rhythm};
use super::wave::{Around, Wave};
use crate::math::{band::Band, butterworth, sos::group_delay_s};

/// One detected beat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// Index of the R peak in the input. Behind filters, that is R delayed by their `delay_s`.
    pub sample: u64,
    /// From there to R, −0.5 to 0.5.
    pub offset_samples: f32,
    /// Index of the newest input sample when it was decided.
    pub decided: u64,
    /// Height of R in the recording, before any filter, over its mean around 80 ms earlier; in its
    /// unit, with its sign.
    pub amplitude: f32,
    /// Natural logarithm of the odds that this is a beat: below 0 only if searched back for.
    pub log_odds: f32,
    /// It was searched back for, because no beat came when one was due.
    pub searched_back: bool,
}

/// The detector. See the module for what it does.
#[derive(Clone, Debug)]
pub struct Qrs {
    pub(super) settings: Settings,
    /// Input samples so far, without those that `flush` adds.
    pub(super) seen: u64,
    /// The last good sample.
    pub(super) held: f32,
    pub(super) sum: f32,
    pub(super) summed: u32,
    /// Inner samples so far.
    pub(super) inner: u64,
    pub(super) equalizer: Equalizer,
    pub(super) height: Height,
    pub(super) wave: Wave,
    pub(super) envelope: Envelope,
    pub(super) forms: Forms,
    pub(super) levels: Levels,
    pub(super) rhythm: Rhythm,
    pub(super) candidates: [Candidate; CANDIDATES],
    /// Candidates so far, and how many of them have been judged.
    pub(super) found: u64,
    pub(super) judged: u64,
    /// Inner samples until the second ends: counted, as a remainder would cost more than the rest.
    pub(super) second_left: u64,
    pub(super) learning: bool,
    /// Level of the last beat.
    pub(super) last_level: f32,
    pub(super) missed: Option<(Candidate, f32)>,
    /// Seems to be a beat, but so small a one that it may be a P wave: waits for what comes next.
    pub(super) doubted: Option<(Candidate, f32)>,
    /// Beats searched back for since the last that was not.
    pub(super) searched_back: u32,
    pub(super) flushed: u32,
}

/// Above this many samples per second, QRS has a form; up to the other, a detector can be built.
pub const RATES_HZ: [f64; 2] = [60.0, 1e6];

/// Inner samples per second are this or up to twice as many.
const INNER_HZ: f64 = 120.0;

/// Beyond this, squares of the equalized signal could leave the range of `f32`.
const LARGEST: f32 = 1e15;

/// R is looked for this far on either side of the envelope's peak.
const SEARCH_S: f64 = 0.090;

/// From there, or from the mark of a form, the extremum is climbed to within this.
const CLIMB_S: f64 = 0.012;

/// A band-pass that starts on an offset answers with a wave like a beat's.
const START_S: f64 = 0.125;

/// Odds from which a beat that was due is believed.
const SEARCH_BACK_LOG_ODDS: f32 = -2.0;

/// So many beats in a row may be searched back for. More would make beats of plain noise.
pub(super) const SEARCH_BACKS: u32 = 2;

/// Candidates below this part of a beat's level are not compared with forms: they cannot pass.
const COMPARED: f32 = 0.14;

/// Candidates from this part of a beat's level on tell the first interval.
const LARGE: f32 = 0.6;

/// Level of other peaks as part of a beat's: in clean recordings 0.02 to 0.1, with electrode motion at
/// 12, 6 and 0 dB 0.11, 0.2 and 0.34 (medians).
const CLARITY: [f32; 2] = [0.1, 0.4];

/// Logarithm of how far the peaks of plain noise stand above what lies between them (`odds`).
const CREST_NOISE: f32 = 1.0;

/// What is assumed of a candidate that was not compared with a form.
const CORRELATION_UNKNOWN: f32 = 0.7;

/// What follows from rate and filters alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) rate_hz: f64,
    /// Of the filters in front.
    pub(super) delay_s: f64,
    pub(super) decimation: u32,
    inner_hz: f64,
    pub(super) second: u64,
    /// From a small candidate until it is known whether it is a P wave.
    pub(super) doubt: u64,
    settled: u64,
    search: i32,
}

impl Qrs {
    /// For an ECG behind the causal Butterworth band-pass of order 2 from 5 to 15 Hz that ran at
    /// the same rate, where beats are to be [`Beat::sample`] its group delay at √75 Hz late.
    ///
    /// # Panics
    ///
    /// If the rate is not within [`RATES_HZ`].
    pub fn new(rate_hz: f64) -> Self {
        let band = Band::BandPass { low_hz: 5.0, high_hz: 15.0 };
        let sections = butterworth::design(2, band, rate_hz).expect("the rate is above 30 Hz");
        let delay_s = group_delay_s(&sections, rate_hz, 75_f64.sqrt());
        Self::behind(&[Passed { sections: &sections, rate_hz, delay_s }], rate_hz)
    }

    /// For an ECG as recorded. Panics as [`Qrs::new`] does.
    pub fn raw(rate_hz: f64) -> Self {
        Self::behind(&[], rate_hz)
    }

    /// For an ECG behind these filters. Panics as [`Qrs::new`] does.
    pub fn behind(passed: &[Passed<'_>], rate_hz: f64) -> Self {
        let [least_hz, most_hz] = RATES_HZ;
        assert!(rate_hz > least_hz && rate_hz < most_hz, "{rate_hz} Hz is no rate for an ECG");
        let decimation = (rate_hz / INNER_HZ).floor().max(1.0);
        let inner_hz = rate_hz / decimation;
        let decimation = decimation as u32;
        let settings = Settings {
            rate_hz,
            delay_s: passed.iter().map(|passed| passed.delay_s).sum(),
            decimation,
            inner_hz,
            second: inner_hz.round() as u64,
            doubt: Envelope::new(inner_hz).late() + (P_WAVE_S * inner_hz) as u64,
            settled: (2.0 * START_S * inner_hz) as u64,
            search: (SEARCH_S * inner_hz).round() as i32,
        };
        let equalizer = Equalizer::new(inner_hz, passed);
        let seen = |hz| equalizer.seen(passed, hz, inner_hz);
        let height = Height::new(inner_hz, decimation, seen);
        Self::fresh(settings, equalizer, height)
    }

    fn fresh(settings: Settings, mut equalizer: Equalizer, height: Height) -> Self {
        equalizer.reset();
        let inner_hz = settings.inner_hz;
        let envelope = Envelope::new(inner_hz);
        let levels = Levels::new(inner_hz, envelope.share());
        Self {
            settings,
            seen: 0,
            held: 0.0,
            sum: 0.0,
            summed: 0,
            inner: 0,
            equalizer,
            height,
            wave: Wave::new(),
            envelope,
            forms: Forms::new(inner_hz),
            levels,
            rhythm: Rhythm::new(inner_hz),
            candidates: [Candidate::default(); CANDIDATES],
            found: 0,
            judged: 0,
            second_left: settings.second,
            learning: true,
            last_level: 0.0,
            missed: None,
            doubted: None,
            searched_back: 0,
            flushed: 0,
        }
    }

    /// Share of the energy that detection looks at, between about 4 and 40 Hz, that the filters in
    /// front left nothing of: 0 for all that keep a complex, towards 1 where none is left.
    pub fn lost(&self) -> f32 {
        self.equalizer.lost()
    }

    /// How far beats stand out of what is not a beat, from 0 to 1: 1 where other peaks have less than a
    /// tenth of a beat's level, 0 where they have four tenths, and where beats stand no more above what
    /// lies between them than the peaks of plain noise do; 0 also while it learns and after 3.2 s
    /// without a beat.
    pub fn clarity(&self) -> f32 {
        let Levels { signal, noise, .. } = self.levels;
        if self.learning || self.rhythm.is_silent(self.inner) || signal.is_nan() || signal <= 0.0 {
            return 0.0;
        }
        let peaks = (CLARITY[1] - noise / signal) / (CLARITY[1] - CLARITY[0]);
        let crest = (signal / self.levels.floor()).ln() - CREST_NOISE;
        peaks.clamp(0.0, 1.0) * crest.clamp(0.0, 1.0)
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
            self.learn(self.levels.tops_median().max(self.levels.top()));
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
        *self = Self::fresh(self.settings, self.equalizer.clone(), self.height.clone());
    }

    fn step(&mut self, sample: f32) -> Option<Beat> {
        let now = self.inner;
        self.inner += 1;
        self.wave.put(now, self.equalizer.push(sample));
        if let Some((peak, energy)) = self.envelope.push(now, &self.wave) {
            self.candidates[self.found as usize % CANDIDATES] = self.candidate(now, peak, energy);
            self.found += 1;
        }
        // The first samples are the filters settling.
        if now > self.settings.settled {
            let fast = self.learning || self.rhythm.is_silent(now);
            self.levels.follow(self.envelope.energy(), fast);
        }
        self.second_left -= 1;
        if self.second_left == 0 {
            self.second_left = self.settings.second;
            self.end_second(now);
        }
        if self.learning {
            return None;
        }
        if let Some((candidate, log_odds)) = self.doubted {
            return self.resolve(now, candidate, log_odds);
        }
        if self.judged < self.found {
            let candidate = self.candidates[self.judged as usize % CANDIDATES];
            self.judged += 1;
            return self.judge(now, candidate);
        }
        self.search_back(now)
    }

    /// Until the last candidate is known to be one, and all are judged, the last of them doubted.
    pub(super) fn flush_steps(&self) -> u32 {
        self.settings.doubt as u32 + (0.1 * self.settings.inner_hz) as u32 + CANDIDATES as u32
    }

    /// Learns the level of a beat at the start and after silence.
    #[cold]
    fn end_second(&mut self, now: u64) {
        let median = self.levels.tops_median();
        let level = self.envelope.level(median);
        let started = now + 1 >= SECONDS as u64 * self.settings.second;
        let silent = !self.learning && self.rhythm.is_silent(now);
        if self.learning && started && median > 0.0 || silent && self.levels.stands_out(level) {
            self.learn(median);
        } else if silent {
            self.levels.lower(level);
        }
        self.levels.end_second();
    }

    fn learn(&mut self, energy: f32) {
        let first = self.learning;
        self.learning = false;
        self.levels.learn(self.envelope.level(energy));
        self.judged = self.found.saturating_sub(CANDIDATES as u64);
        self.missed = None;
        self.doubted = None;
        if first {
            self.learn_rhythm();
        }
    }

    fn learn_rhythm(&mut self) {
        let (mut large, mut intervals) = ([0.0; CANDIDATES], [0.0; CANDIDATES]);
        let mut count = 0;
        for number in self.judged..self.found {
            let candidate = &self.candidates[number as usize % CANDIDATES];
            let r = candidate.r_at();
            let is_apart = count == 0 || !self.rhythm.is_refractory(r - large[count - 1]);
            if candidate.level > LARGE * self.levels.signal && r >= self.start() && is_apart {
                large[count] = r;
                count += 1;
            }
        }
        self.rhythm.learn(&large[..count], &mut intervals);
    }

    /// Describes the wave around a peak of the envelope.
    fn candidate(&self, now: u64, peak: u64, energy: f32) -> Candidate {
        let level = self.envelope.level(energy);
        let around = self.wave.around(peak, now);
        let fit =
            (level > COMPARED * self.levels.signal).then(|| self.forms.fit(&around)).flatten();
        let known = fit.filter(|fit| fit.correlation > SAME_FORM);
        let (near, upward) =
            known.map_or_else(|| self.r_by_rule(&around), |fit| (fit.mark, fit.upward));
        let r = around.extremum(near, upward, (CLIMB_S * self.settings.inner_hz) as i32);
        let part = around.vertex(r);
        Candidate {
            peak,
            r: r as f32 + part,
            amplitude: self.height.at(&around, r, part),
            level,
            usual: known.map_or(f32::MAX, |fit| fit.level),
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
        if self.rhythm.is_refractory(since) || candidate.r_at() < self.start() {
            return None;
        }
        let log_odds = self.features(&candidate).log_odds();
        if log_odds > 0.0 && self.may_be_p_wave(&candidate) {
            self.doubted = Some((candidate, log_odds));
            return None;
        }
        if log_odds > 0.0 {
            return Some(self.accept(now, candidate, log_odds, false));
        }
        self.levels.reject(candidate.level, 1.0 / (1.0 + log_odds.exp()));
        let may_be_missed = self.rhythm.may_be_missed(since);
        if may_be_missed && self.missed.is_none_or(|(_, best)| log_odds > best) {
            self.missed = Some((candidate, log_odds));
        }
        None
    }

    pub(super) fn features(&self, candidate: &Candidate) -> Features {
        let since = self.since_last(candidate);
        Features {
            level: candidate.level,
            signal: self.levels.signal,
            usual: candidate.usual.min(self.levels.signal),
            noise: self.levels.noise,
            last_level: self.last_level,
            floor: self.levels.floor(),
            correlation: candidate.correlation,
            earliness: self.rhythm.earliness(since) as f32,
            lateness: self.rhythm.lateness(since) as f32,
        }
    }

    fn search_back(&mut self, now: u64) -> Option<Beat> {
        if !self.rhythm.is_overdue(now) {
            return None;
        }
        let (candidate, log_odds) = self.missed.take()?;
        let believed = log_odds > SEARCH_BACK_LOG_ODDS && self.searched_back < SEARCH_BACKS;
        believed.then(|| self.accept(now, candidate, log_odds, true))
    }

    pub(super) fn accept(
        &mut self,
        now: u64,
        candidate: Candidate,
        log_odds: f32,
        back: bool,
    ) -> Beat {
        self.rhythm.accept(candidate.r_at(), back);
        self.searched_back = if back { self.searched_back + 1 } else { 0 };
        self.last_level = candidate.level;
        self.missed = None;
        self.levels.accept(candidate.level);
        let around = self.wave.around(candidate.peak, now);
        let known = (candidate.form != NO_FORM).then_some(candidate.form);
        self.forms.learn(&around, candidate.centre, candidate.level, known);
        self.beat(candidate, log_odds, back)
    }

    fn beat(&self, candidate: Candidate, log_odds: f32, searched_back: bool) -> Beat {
        let decimation = f64::from(self.settings.decimation);
        let inner = self.rhythm.last - f64::from(self.equalizer.ahead());
        // The mean of an inner sample's inputs belongs to their middle.
        let r = inner * decimation + 0.5 * (decimation - 1.0);
        let at = r + self.settings.delay_s * self.settings.rate_hz;
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
        candidate.r_at() - self.rhythm.last
    }

    fn start(&self) -> f64 {
        START_S * self.settings.inner_hz + f64::from(self.equalizer.ahead())
    }
}
