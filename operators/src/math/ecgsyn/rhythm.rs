//! When the next beat comes.

use std::f64::consts::TAU;

use super::{BeatClass, EcgParameters, heart::FORMS};
use crate::math::random::Random;

/// Mayer waves of the blood pressure (McSharry 2003, section II-B).
const MAYER_HZ: f64 = 0.1;
/// Half width of both peaks of the spectrum (there: their standard deviation).
const WIDTH_HZ: f64 = 0.01;

/// The rhythm of a heart: two noisy oscillators that lengthen and shorten its intervals, and early
/// beats.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    random: Random,
    mayer: Oscillator,
    respiration: Oscillator,
    last_rr_s: f64,
    /// What is left of two normal intervals after a premature beat.
    pause_s: Option<f64>,
    /// Whether a second ventricular beat follows the first at once.
    is_couplet: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) rr_s: f64,
    /// The interval that the beat's shape follows.
    pub(crate) shape_rr_s: f64,
    pub(crate) class: BeatClass,
    /// Which of the heart's ventricular shapes it has.
    pub(crate) form: usize,
    /// Over that of the others.
    pub(crate) height: f64,
}

impl Next {
    pub(crate) const fn normal(rr_s: f64) -> Self {
        Self { rr_s, shape_rr_s: rr_s, class: BeatClass::Normal, form: 0, height: 1.0 }
    }
}

impl Rhythm {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mayer = Oscillator::new(&mut random);
        let respiration = Oscillator::new(&mut random);
        Self { random, mayer, respiration, last_rr_s: 0.0, pause_s: None, is_couplet: false }
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.random.uniform()
    }

    pub(crate) fn next_interval(&mut self, parameters: &EcgParameters) -> Next {
        let mean_s = 60.0 / parameters.heart_rate_bpm;
        self.mayer.turn(MAYER_HZ, self.last_rr_s, &mut self.random);
        self.respiration.turn(parameters.respiration_hz, self.last_rr_s, &mut self.random);
        let lf = (parameters.lf_hf_ratio / (1.0 + parameters.lf_hf_ratio)).sqrt();
        let hf = (1.0 / (1.0 + parameters.lf_hf_ratio)).sqrt();
        let swing = lf * self.mayer.real + hf * self.respiration.real;
        // `hrv_sdnn_ms` is below a third of the mean, so this cuts the distribution at least 1.2
        // standard deviations out, and four out where the heart is healthy.
        let mut rr_s =
            (mean_s + 1e-3 * parameters.hrv_sdnn_ms * swing).clamp(0.6 * mean_s, 1.6 * mean_s);
        if parameters.irregular_share > 0.0 {
            let (stray, _) = self.random.normals();
            rr_s *= (1.0 + parameters.irregular_share * stray).clamp(0.5, 1.8);
        }

        let chance = self.random.uniform();
        let coupling = 0.55 + 0.15 * self.random.uniform();
        let EcgParameters { ectopic_per_min, supraventricular_per_min, .. } = *parameters;
        let early_per_min = ectopic_per_min + supraventricular_per_min;
        let mut next = if std::mem::take(&mut self.is_couplet) {
            self.pause_s = Some((2.0 - coupling) * rr_s);
            let class = BeatClass::Ventricular;
            Next { rr_s: coupling * rr_s, class, ..Next::normal(rr_s) }
        } else if let Some(pause_s) = self.pause_s.take() {
            Next { rr_s: pause_s, ..Next::normal(rr_s) }
        } else if chance < ectopic_chance(early_per_min * rr_s / 60.0) {
            // Not drawn where there is nothing to choose.
            let is_atrial = supraventricular_per_min > 0.0
                && self.random.uniform() * early_per_min < supraventricular_per_min;
            if is_atrial {
                self.supraventricular(coupling, rr_s)
            } else {
                self.ventricular(coupling, rr_s, parameters.variety_share)
            }
        } else {
            Next::normal(rr_s)
        };
        if parameters.variety_share > 0.0 {
            self.vary(&mut next, parameters.variety_share);
        }
        self.last_rr_s = next.rr_s;
        next
    }

    /// The sinus node is reached and starts anew: the next beat comes an interval later.
    fn supraventricular(&mut self, coupling: f64, rr_s: f64) -> Next {
        self.pause_s = Some((0.95 + 0.2 * self.random.uniform()) * rr_s);
        // 0.55 to 0.85 of an interval.
        let early_s = (2.0 * coupling - 0.55) * rr_s;
        Next { rr_s: early_s, class: BeatClass::Supraventricular, ..Next::normal(rr_s) }
    }

    /// A full compensatory pause: the beat after comes when it would have come anyway. With variety
    /// some come between two normal ones, some reset the sinus node, and some come in pairs.
    fn ventricular(&mut self, coupling: f64, rr_s: f64, variety_share: f64) -> Next {
        let mut coupling = coupling;
        let mut pause = 2.0 - coupling;
        if variety_share > 0.0 {
            coupling += variety_share * (0.43 + 0.45 * self.random.uniform() - coupling);
            let kind = self.random.uniform() / variety_share;
            pause = match kind {
                _ if kind < 0.12 && coupling < 0.6 => 1.05 - coupling,
                _ if kind < 0.3 => 1.0 + 0.3 * self.random.uniform(),
                _ => 2.0 - coupling,
            };
            self.is_couplet = self.random.uniform() < 0.1 * variety_share;
        }
        self.pause_s = (!self.is_couplet).then_some(pause * rr_s);
        Next { rr_s: coupling * rr_s, class: BeatClass::Ventricular, ..Next::normal(rr_s) }
    }

    /// Breath turns the heart under the electrodes, and no beat is like another.
    fn vary(&mut self, next: &mut Next, variety_share: f64) {
        let (stray, _) = self.random.normals();
        let sway = 0.06 * self.respiration.real + 0.04 * stray;
        next.height = (1.0 + variety_share * sway).clamp(0.5, 1.5);
        // Three quarters have the first shape.
        let form = (self.random.uniform() - (1.0 - 0.25 * variety_share)).max(0.0);
        if form > 0.0 {
            next.form = 1 + (form / (0.25 * variety_share) * (FORMS - 1) as f64) as usize;
        }
    }
}

/// How likely a beat that may be premature must be so, for a share of all beats to be: those right
/// behind a premature one may not.
fn ectopic_chance(share: f64) -> f64 {
    (share / (1.0 - share.min(0.5))).min(1.0)
}

/// A complex Ornstein–Uhlenbeck process: a phasor that turns, forgets, and is pushed at random.
///
/// Each part has mean 0 and variance 1, and a spectrum with one peak of half width `WIDTH_HZ`.
/// The step is exact for any length, so it does not matter that beats are not evenly spaced.
#[derive(Clone, Debug)]
struct Oscillator {
    real: f64,
    imaginary: f64,
}

impl Oscillator {
    fn new(random: &mut Random) -> Self {
        let (real, imaginary) = random.normals();
        Self { real, imaginary }
    }

    fn turn(&mut self, frequency_hz: f64, span_s: f64, random: &mut Random) {
        let kept = (-TAU * WIDTH_HZ * span_s).exp();
        let pushed = (1.0 - kept * kept).sqrt();
        let (sin, cos) = (TAU * frequency_hz * span_s).sin_cos();
        let (real, imaginary) = (self.real, self.imaginary);
        let (a, b) = random.normals();
        self.real = kept * (cos * real - sin * imaginary) + pushed * a;
        self.imaginary = kept * (sin * real + cos * imaginary) + pushed * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_intervals(parameters: &EcgParameters, count: usize) -> Vec<f64> {
        let mut rhythm = Rhythm::new(parameters.seed);
        (0..count).map(|_| rhythm.next_interval(parameters).rr_s).collect()
    }

    #[test]
    fn intervals_have_the_mean_and_deviation_asked_for() {
        let parameters =
            EcgParameters { heart_rate_bpm: 60.0, hrv_sdnn_ms: 50.0, ..EcgParameters::default() };
        let intervals = normal_intervals(&parameters, 40_000);
        let n = intervals.len() as f64;
        let mean = intervals.iter().sum::<f64>() / n;
        let variance = intervals.iter().map(|rr| (rr - mean) * (rr - mean)).sum::<f64>() / n;

        // The oscillators forget within 1/(2π · 0.01) = 16 s, so 40 000 s hold some 1 250
        // independent stretches: a standard error of 50 ms / √1250 = 1.4 ms at most for the mean
        // (less, since it swings) and 1/√(2 · 1250) = 2 % for the deviation. Four of them.
        assert!((mean - 1.0).abs() < 0.006, "{mean}");
        assert!((variance.sqrt() / 0.05 - 1.0).abs() < 0.08, "{}", variance.sqrt());
    }

    #[test]
    fn the_spectrum_has_two_peaks_in_the_ratio_asked_for() {
        let parameters = EcgParameters { lf_hf_ratio: 2.0, ..EcgParameters::default() };
        let intervals = normal_intervals(&parameters, 25_200);
        let mean = 60.0 / parameters.heart_rate_bpm;

        // Power by direct transform at the beats' own times, averaged over pieces of ten minutes.
        let (mut lf, mut hf, mut between) = (0.0, 0.0, 0.0);
        for piece in intervals.chunks_exact(700) {
            for bin in 24..240 {
                let frequency_hz = f64::from(bin) / 600.0;
                let (mut time_s, mut real, mut imaginary) = (0.0, 0.0, 0.0);
                for rr in piece {
                    let (sin, cos) = (TAU * frequency_hz * time_s).sin_cos();
                    real += (rr - mean) * cos;
                    imaginary += (rr - mean) * sin;
                    time_s += rr;
                }
                let power = real * real + imaginary * imaginary;
                match frequency_hz {
                    0.08..0.12 => lf += power,
                    0.23..0.27 => hf += power,
                    0.16..0.20 => between += power,
                    _ => {}
                }
            }
        }

        // Both bands are two half widths either way, so they hold the same share of their peaks.
        // 21 600 s are some 670 independent stretches: 4 % for each power, 6 % for the ratio. The
        // tail of the larger peak adds a hundredth of it to the smaller. Four standard errors.
        assert!((lf / hf / 2.0 - 1.0).abs() < 0.25, "{}", lf / hf);
        assert!(between < 0.2 * hf, "there is a valley between them");
    }

    #[test]
    fn premature_beats_come_as_often_as_asked_and_are_made_up_for() {
        let parameters = EcgParameters {
            ectopic_per_min: 6.0,
            hrv_sdnn_ms: 0.0,
            heart_rate_bpm: 60.0,
            ..EcgParameters::default()
        };
        let mut rhythm = Rhythm::new(3);
        let beats: Vec<Next> = (0..60_000).map(|_| rhythm.next_interval(&parameters)).collect();
        let ectopic = |beat: &Next| beat.class == BeatClass::Ventricular;

        // 6 000 expected; a binomial count of that size has a standard error below 77. Four.
        let count = beats.iter().filter(|beat| ectopic(beat)).count();
        assert!(count.abs_diff(6_000) < 310, "{count}");
        for pair in beats.windows(2).filter(|pair| ectopic(&pair[0])) {
            assert!(pair[0].rr_s < 0.71 && !ectopic(&pair[1]));
            assert!((pair[0].rr_s + pair[1].rr_s - 2.0).abs() < 1e-12);
        }
    }
}
