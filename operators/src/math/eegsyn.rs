//! An electroencephalogram that never was, with the truth about its rhythms.
//!
//! Pink noise per electrode, spindles of alpha and theta that all electrodes share, blinks, hum:
//!
//! ```text
//! noise    Σ over octaves f from 0.1 Hz to half the rate of first-order noise with its corner at f, all of
//!          equal power: the sum falls as 1 / f
//! spindle  a · ½ (1 − cos 2π t / T) · sin 2πft,    T = 0.5 … 2 s, a = ½ … 1 of the amplitude, then a pause
//!          of 0.3 … 2 s; f within 5 % of 10 Hz (alpha) or 6 Hz (theta)
//! blink    ½ (1 − cos 2π t / 0.3 s), a Poisson process with 1 s between two at least
//! ```
//!
//! The truth is the envelope of each rhythm at an electrode where its gain is 1.

use std::{collections::VecDeque, f64::consts::TAU};

use super::{random::Random, sine::Sine};

/// An electrode: its name, and how much of alpha, theta and blinks it sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Electrode {
    /// By the 10-20 system.
    pub name: &'static str,
    gains: [f64; 3],
}

/// Electrodes in the order in which they are used.
pub const ELECTRODES: [Electrode; 8] = [
    Electrode { name: "Pz", gains: [1.0, 0.7, 0.15] },
    Electrode { name: "O1", gains: [1.0, 0.5, 0.1] },
    Electrode { name: "O2", gains: [1.0, 0.5, 0.1] },
    Electrode { name: "C3", gains: [0.7, 0.8, 0.25] },
    Electrode { name: "C4", gains: [0.7, 0.8, 0.25] },
    Electrode { name: "Fz", gains: [0.5, 1.0, 0.6] },
    Electrode { name: "Fp1", gains: [0.4, 0.7, 1.0] },
    Electrode { name: "Fp2", gains: [0.4, 0.7, 1.0] },
];

/// What it looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EegParameters {
    /// How many electrodes, 1 to 8.
    pub channels: usize,
    /// Root mean square of the pink noise.
    pub noise_uv: f64,
    /// Largest amplitude of alpha.
    pub alpha_uv: f64,
    /// Largest amplitude of theta.
    pub theta_uv: f64,
    /// Blinks a minute.
    pub blinks_per_min: f64,
    /// Height of a blink at the forehead.
    pub blink_uv: f64,
    /// Amplitude of hum.
    pub mains_uv: f64,
    /// Its frequency.
    pub mains_hz: f64,
    /// The same seed gives the same brain.
    pub seed: u64,
}

/// The brain.
#[derive(Clone, Debug)]
pub struct Eeg {
    parameters: EegParameters,
    rate_hz: f64,
    noises: Vec<Pink>,
    spindles: [Spindles; 2],
    blinks: Blinks,
    mains: Sine,
    position: u64,
}

const ALPHA_HZ: f64 = 10.0;
const THETA_HZ: f64 = 6.0;
const BLINK_S: f64 = 0.3;
/// Blinks that may wait to be taken.
const WAITING: usize = 4_096;

impl Eeg {
    /// At its first sample.
    pub fn new(parameters: EegParameters, rate_hz: f64) -> Self {
        let seed = |part: u64| Random::new(parameters.seed.wrapping_mul(64).wrapping_add(part));
        let channels = parameters.channels.clamp(1, ELECTRODES.len());
        Self {
            noises: (0..channels).map(|n| Pink::new(rate_hz, seed(8 + n as u64))).collect(),
            spindles: [
                Spindles::new(ALPHA_HZ, rate_hz, seed(0)),
                Spindles::new(THETA_HZ, rate_hz, seed(1)),
            ],
            blinks: Blinks::new(parameters.blinks_per_min, rate_hz, seed(2)),
            mains: Sine::new(parameters.mains_hz, rate_hz, 0.0),
            parameters,
            rate_hz,
            position: 0,
        }
    }

    /// The sample that comes next.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The next samples in microvolts, and the envelopes of alpha and theta: planes.
    pub fn fill(&mut self, samples: &mut [f32], truth: &mut [f32]) {
        let len = truth.len() / 2;
        let EegParameters { noise_uv, alpha_uv, theta_uv, blink_uv, mains_uv, .. } =
            self.parameters;
        for n in 0..len {
            let mut rhythms = [0.0; 2];
            for (which, size) in [alpha_uv, theta_uv].into_iter().enumerate() {
                let (envelope, wave) = self.spindles[which].next();
                truth[which * len + n] = (size * envelope) as f32;
                rhythms[which] = size * envelope * wave;
            }
            let blink = blink_uv * self.blinks.next(self.position);
            let hum = mains_uv * self.mains.at(self.position);
            for (channel, noise) in self.noises.iter_mut().enumerate() {
                let [alpha, theta, eyes] = ELECTRODES[channel].gains;
                let brain = noise_uv * noise.next() + alpha * rhythms[0] + theta * rhythms[1];
                samples[channel * len + n] = (brain + eyes * blink + hum) as f32;
            }
            self.position += 1;
        }
    }

    /// The top of the next blink that was filled, in nanoseconds.
    pub fn pop_blink(&mut self) -> Option<i64> {
        self.blinks.tops.pop_front()
    }

    /// Begins again.
    pub fn reset(&mut self) {
        let mut tops = std::mem::take(&mut self.blinks.tops);
        tops.clear();
        *self = Self::new(self.parameters, self.rate_hz);
        self.blinks.tops = tops;
    }
}

/// Noise of variance 1 that falls as 1 / f.
#[derive(Clone, Debug)]
struct Pink {
    random: Random,
    /// Of each octave: what is kept of its value, the size of what comes, and the value.
    octaves: Vec<[f64; 3]>,
}

impl Pink {
    fn new(rate_hz: f64, mut random: Random) -> Self {
        let corners = std::iter::successors(Some(0.1), |corner| Some(2.0 * corner));
        let corners: Vec<f64> = corners.take_while(|corner| *corner < 0.5 * rate_hz).collect();
        let size = 1.0 / (corners.len() as f64).sqrt();
        let octave = |corner: &f64| {
            let kept = (-TAU * corner / rate_hz).exp();
            // As if it had always been there.
            [kept, size * (1.0 - kept * kept).sqrt(), size * random.normals().0]
        };
        let octaves = corners.iter().map(octave).collect();
        Self { random, octaves }
    }

    fn next(&mut self) -> f64 {
        let mut sum = 0.0;
        for two in self.octaves.chunks_mut(2) {
            let (a, b) = self.random.normals();
            for ([kept, size, value], random) in two.iter_mut().zip([a, b]) {
                *value = *kept * *value + *size * random;
                sum += *value;
            }
        }
        sum
    }
}

/// A rhythm that comes and goes.
#[derive(Clone, Debug)]
struct Spindles {
    random: Random,
    about_hz: f64,
    rate_hz: f64,
    /// Samples of the spindle or pause that are left, and how many it has.
    left: u64,
    len: u64,
    /// 0 in a pause.
    size: f64,
    turns_per_sample: f64,
    turns: f64,
}

impl Spindles {
    fn new(about_hz: f64, rate_hz: f64, random: Random) -> Self {
        let (left, len, size) = (0, 1, 0.0);
        Self { random, about_hz, rate_hz, left, len, size, turns_per_sample: 0.0, turns: 0.0 }
    }

    /// Envelope and wave.
    fn next(&mut self) -> (f64, f64) {
        if self.left == 0 {
            let mut between = |low: f64, high: f64| low + (high - low) * self.random.uniform();
            let (seconds, size) = match self.size > 0.0 {
                true => (between(0.3, 2.0), 0.0),
                false => (between(0.5, 2.0), between(0.5, 1.0)),
            };
            let hz = self.about_hz * between(0.95, 1.05);
            self.turns_per_sample = hz / self.rate_hz;
            self.size = size;
            self.len = ((seconds * self.rate_hz) as u64).max(1);
            self.left = self.len;
        }
        let part = (self.len - self.left) as f64 / self.len as f64;
        self.left -= 1;
        self.turns = (self.turns + self.turns_per_sample).fract();
        (self.size * (0.5 - 0.5 * (TAU * part).cos()), (TAU * self.turns).sin())
    }
}

/// Eyes that close now and then.
#[derive(Clone, Debug)]
struct Blinks {
    random: Random,
    per_s: f64,
    rate_hz: f64,
    /// When the next begins, in samples.
    begins: f64,
    tops: VecDeque<i64>,
}

impl Blinks {
    fn new(per_min: f64, rate_hz: f64, random: Random) -> Self {
        let tops = VecDeque::with_capacity(WAITING);
        let mut blinks = Self { random, per_s: per_min / 60.0, rate_hz, begins: 0.0, tops };
        blinks.plan(0.0);
        blinks
    }

    fn plan(&mut self, after: f64) {
        // A pause of 1 s and one without memory make up the mean.
        let mean_s = (1.0 / self.per_s - 1.0).max(0.1);
        let pause_s = 1.0 - mean_s * (1.0 - self.random.uniform()).ln();
        self.begins = if self.per_s > 0.0 { after + pause_s * self.rate_hz } else { f64::INFINITY };
    }

    fn next(&mut self, sample: u64) -> f64 {
        let part = (sample as f64 - self.begins) / (BLINK_S * self.rate_hz);
        if part < 0.0 {
            return 0.0;
        }
        if part >= 1.0 {
            self.plan(self.begins);
            return 0.0;
        }
        let step = 1.0 / (BLINK_S * self.rate_hz);
        // Told with the last sample that is not behind it, so that it is never told late.
        if part <= 0.5 && part + step > 0.5 {
            let top = self.begins / self.rate_hz + 0.5 * BLINK_S;
            self.tops.push_back((top * 1e9).round() as i64);
        }
        0.5 - 0.5 * (TAU * part).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: EegParameters = EegParameters {
        channels: 1,
        noise_uv: 0.0,
        alpha_uv: 0.0,
        theta_uv: 0.0,
        blinks_per_min: 0.0,
        blink_uv: 0.0,
        mains_uv: 0.0,
        mains_hz: 50.0,
        seed: 4,
    };
    const RATE_HZ: f64 = 250.0;

    fn filled(parameters: EegParameters, len: usize) -> (Vec<f32>, Vec<f32>, Eeg) {
        let mut eeg = Eeg::new(parameters, RATE_HZ);
        let (mut samples, mut truth) = (vec![0.0; parameters.channels * len], vec![0.0; 2 * len]);
        eeg.fill(&mut samples, &mut truth);
        (samples, truth, eeg)
    }

    #[test]
    fn noise_is_pink() {
        let (samples, ..) = filled(EegParameters { noise_uv: 10.0, ..QUIET }, 250_000);
        // Power in octaves of a 1 / f spectrum is equal: sums over a Goertzel of stretches of a second.
        let power = |hz: f64| {
            let stretch = |part: &[f32]| {
                let sum = part.iter().enumerate().fold([0.0; 2], |[re, im], (n, x)| {
                    let (sin, cos) = (TAU * hz * n as f64 / RATE_HZ).sin_cos();
                    [re + f64::from(*x) * cos, im + f64::from(*x) * sin]
                });
                sum[0] * sum[0] + sum[1] * sum[1]
            };
            samples.chunks_exact(250).map(stretch).sum::<f64>() / 1_000.0
        };
        let slope = (power(5.0) / power(40.0)).log2() / 3.0;
        // 1 000 stretches tell a power to 3 %; a rectangle leaks a little from below, octaves ripple.
        assert!((slope - 1.0).abs() < 0.15, "{slope}");
        let squares: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!(((squares / 250_000.0).sqrt() - 10.0).abs() < 1.5);
    }

    #[test]
    fn the_truth_is_the_envelope() {
        let (samples, truth, _) = filled(EegParameters { alpha_uv: 20.0, ..QUIET }, 25_000);
        let largest = |part: &[f32]| part.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let mut worked = 0;
        // Within one and a half periods a wave comes near its envelope, which changes little meanwhile.
        for n in (0..24_900).step_by(40) {
            let (top, envelope) = (largest(&samples[n..n + 38]), largest(&truth[n..n + 38]));
            assert!(top <= envelope + 1e-4);
            worked += usize::from(envelope > 5.0);
            assert!(envelope < 5.0 || top > 0.7 * envelope, "{n}: {top} of {envelope}");
        }
        assert!((100..500).contains(&worked), "{worked}");
        assert!(largest(&truth) <= 20.0 && truth[25_000..].iter().all(|&x| x == 0.0));
    }

    #[test]
    fn blinks_are_where_they_are_told() {
        let parameters =
            EegParameters { channels: 7, blinks_per_min: 15.0, blink_uv: 100.0, ..QUIET };
        let (samples, _, mut eeg) = filled(parameters, 60 * 250);
        let forehead = &samples[6 * 15_000..];
        let tops: Vec<f64> =
            std::iter::from_fn(|| eeg.pop_blink()).map(|ns| ns as f64 / 1e9).collect();
        // Poisson: 15 ± 3.9, less for the pauses; four of these.
        assert!((5..=25).contains(&tops.len()), "{tops:?}");
        assert!(tops.windows(2).all(|two| two[1] - two[0] >= 1.0));
        for top in &tops {
            let at = (top * RATE_HZ).round() as usize;
            // At most half a sample from the top: 1 − cos of 2π / 75 / 2 is less than 1e-3.
            assert!((forehead[at] - 100.0).abs() < 0.5, "{top}: {}", forehead[at]);
        }
        let high = forehead.iter().filter(|&&x| x > 50.0).count();
        assert_eq!(high.div_ceil(38), tops.len(), "half of 75 samples are above the half");
    }

    #[test]
    fn how_it_is_divided_changes_nothing() {
        let parameters =
            EegParameters { noise_uv: 5.0, alpha_uv: 9.0, blinks_per_min: 60.0, ..QUIET };
        let (whole, ..) = filled(parameters, 500);
        let mut parts = Eeg::new(parameters, RATE_HZ);
        for sample in whole {
            let (mut one, mut truth) = ([0.0], [0.0; 2]);
            parts.fill(&mut one, &mut truth);
            assert_eq!(one[0], sample);
        }
    }
}
