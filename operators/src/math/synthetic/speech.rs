//! What is like speech: voiced syllables with formants, in utterances between pauses, and noise.
//!
//! Pulses of the vocal folds (Rosenberg 1971: up in 40 % of a period, down in 16 %, shut for the rest),
//! differentiated as lips do, pass four resonances one after the other (Klatt 1980):
//!
//! ```text
//! y[n] = A x[n] + B y[n−1] + C y[n−2]      C = −e^(−2π b/r)   B = 2 e^(−π b/r) cos(2π f/r)   A = 1 − B − C
//! ```
//!
//! with frequency f and bandwidth b of a resonance at rate r. Every syllable glides to another of five
//! vowels (Peterson and Barney 1952) and swells and fades as a raised cosine; pitch falls along an
//! utterance. No word is said, but energy, spectrum, pitch and rhythm are those of a voice.

use std::{
    collections::VecDeque,
    f64::consts::{FRAC_PI_2, PI, TAU},
};

use super::{BLOCK, Disturbance, Model, nanoseconds};
use crate::math::random::Random;

/// What speech is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeechParameters {
    /// Root mean square of speech, full scale being 1; that of an utterance is a dB or two off.
    pub level: f64,
    /// Root mean square of the noise that is always there.
    pub noise: f64,
    /// Mean length of an utterance; each is between a half and three halves of it.
    pub speech_s: f64,
    /// Mean length of a pause, likewise.
    pub pause_s: f64,
    /// Mean pitch.
    pub pitch_hz: f64,
    /// Syllables per second.
    pub syllables_hz: f64,
    /// The same seed gives the same signal.
    pub seed: u64,
}

/// Where an utterance lies, in seconds from sample 0: its first and the first sample behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Utterance {
    /// Where it begins.
    pub start_s: f64,
    /// Where it has ended.
    pub end_s: f64,
}

/// A source of what is like speech.
#[derive(Clone, Debug)]
pub struct Speech {
    parameters: SpeechParameters,
    rate_hz: f64,
    /// What a voice is multiplied by to have its level.
    gain: f64,
    sample: u64,
    random: Random,
    voice: Voice,
    /// The first sample of the utterance under way or next, and the first behind it.
    utterance: [u64; 2],
    truth: VecDeque<(i64, Utterance)>,
}

/// How an utterance begins and ends.
const RAMP_S: f64 = 0.01;
/// How much of a voice is listened to for its level.
const HEARD_S: f64 = 2.0;

impl Speech {
    /// Speech sampled `rate_hz` times a second, which begins with a pause.
    pub fn new(parameters: SpeechParameters, rate_hz: f64) -> Self {
        let mut random = Random::new(parameters.seed);
        let voice = Voice::new(&parameters, rate_hz, &mut random);
        let (mut heard, samples) = (voice.clone(), (HEARD_S * rate_hz) as u64);
        let power: f64 = (0..samples).map(|_| heard.next().powi(2)).sum();
        let gain = parameters.level / (power / samples as f64).sqrt();
        let truth = VecDeque::with_capacity(256);
        let utterance = [0; 2];
        let mut speech =
            Self { parameters, rate_hz, gain, sample: 0, random, voice, utterance, truth };
        speech.plan();
        speech
    }

    /// Decides about the next utterance.
    fn plan(&mut self) {
        let SpeechParameters { speech_s, pause_s, .. } = self.parameters;
        let mut samples = |mean_s: f64| {
            ((mean_s * (0.5 + self.random.uniform()) * self.rate_hz).round() as u64).max(1)
        };
        let start = self.utterance[1] + samples(pause_s);
        self.utterance = [start, start + samples(speech_s)];
        self.voice = Voice::new(&self.parameters, self.rate_hz, &mut self.random);
    }

    /// The voice's part of a sample.
    fn voiced(&mut self, sample: u64) -> f64 {
        if sample >= self.utterance[1] {
            self.plan();
        }
        let [start, end] = self.utterance;
        if sample < start {
            return 0.0;
        }
        if sample == start {
            let utterance = Utterance {
                start_s: start as f64 / self.rate_hz,
                end_s: end as f64 / self.rate_hz,
            };
            self.truth.push_back((nanoseconds(utterance.start_s), utterance));
        }
        let edge_s = (sample - start).min(end - 1 - sample) as f64 / self.rate_hz;
        let ramp = 0.5 - 0.5 * (PI * (edge_s / RAMP_S).min(1.0)).cos();
        self.gain * ramp * self.voice.next()
    }
}

impl Model for Speech {
    type Truth = Utterance;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        let SpeechParameters { seed, noise, .. } = self.parameters;
        let noise = Disturbance { seed, rate_hz: self.rate_hz, noise, ..Disturbance::default() };
        for out in planes.chunks_mut(BLOCK) {
            let mut noisy = [0.0; BLOCK];
            noise.add(self.sample, &mut noisy[..out.len()]);
            for (n, out) in out.iter_mut().enumerate() {
                *out = (noisy[n] + self.voiced(self.sample + n as u64)) as f32;
            }
            self.sample += out.len() as u64;
        }
    }

    fn pop(&mut self) -> Option<(i64, Utterance)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        self.random = Random::new(self.parameters.seed);
        // As it was drawn to hear how loud it is.
        Voice::new(&self.parameters, self.rate_hz, &mut self.random);
        (self.sample, self.utterance) = (0, [0; 2]);
        self.truth.clear();
        self.plan();
    }
}

/// First three formants of a, i, u, e and o of men; the fourth is everybody's.
const VOWELS_HZ: [[f64; 4]; 5] = [
    [730.0, 1_090.0, 2_440.0, 3_400.0],
    [270.0, 2_290.0, 3_010.0, 3_400.0],
    [300.0, 870.0, 2_240.0, 3_400.0],
    [530.0, 1_840.0, 2_480.0, 3_400.0],
    [570.0, 840.0, 2_410.0, 3_400.0],
];
const BANDWIDTHS_HZ: [f64; 4] = [60.0, 90.0, 120.0, 200.0];
/// How often resonances move.
const STEP_S: f64 = 0.005;
/// How quickly they glide.
const GLIDE_S: f64 = 0.03;
/// What is left of a voice between two syllables.
const VALLEY: f64 = 0.1;

/// A voice that says syllables one after the other.
#[derive(Clone, Debug)]
struct Voice {
    rate_hz: f64,
    pitch_hz: f64,
    syllables_hz: f64,
    random: Random,
    /// Samples since it began.
    sample: u64,
    /// Turns of the vocal folds.
    phase: f64,
    last_pulse: f64,
    formants_hz: [f64; 4],
    vowel: usize,
    resonances: [Resonance; 4],
    /// Where the syllable began and how long it is, in samples, and how loud.
    syllable: (u64, u64, f64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Resonance {
    a: f64,
    b: f64,
    c: f64,
    last: [f64; 2],
}

impl Voice {
    fn new(parameters: &SpeechParameters, rate_hz: f64, random: &mut Random) -> Self {
        let mut random = Random::new(random.next_u64());
        let vowel = random.below(5) as usize;
        Self {
            rate_hz,
            // One utterance is higher than the next.
            pitch_hz: parameters.pitch_hz * (0.9 + 0.2 * random.uniform()),
            syllables_hz: parameters.syllables_hz,
            random,
            sample: 0,
            phase: 0.0,
            last_pulse: 0.0,
            formants_hz: VOWELS_HZ[vowel],
            vowel,
            resonances: [Resonance::default(); 4],
            syllable: (0, 0, 0.0),
        }
    }

    fn next(&mut self) -> f64 {
        if self.sample >= self.syllable.0 + self.syllable.1 {
            let len_s = (0.8 + 0.4 * self.random.uniform()) / self.syllables_hz;
            let len = ((len_s * self.rate_hz) as u64).max(1);
            self.syllable = (self.sample, len, 0.7 + 0.3 * self.random.uniform());
            self.vowel = self.random.below(5) as usize;
        }
        let step = ((STEP_S * self.rate_hz) as u64).max(1);
        if self.sample.is_multiple_of(step) {
            self.glide(step as f64 / self.rate_hz);
        }
        let (begun, len, loudness) = self.syllable;
        let part = (self.sample - begun) as f64 / len as f64;
        let swell = VALLEY + (1.0 - VALLEY) * (0.5 - 0.5 * (TAU * part).cos());
        let mut sound = self.pulse();
        for resonance in &mut self.resonances {
            sound = resonance.next(sound);
        }
        self.sample += 1;
        loudness * swell * sound
    }

    /// Moves the resonances towards the vowel.
    fn glide(&mut self, step_s: f64) {
        let share = if self.sample == 0 { 1.0 } else { 1.0 - (-step_s / GLIDE_S).exp() };
        for (n, resonance) in self.resonances.iter_mut().enumerate() {
            let formant_hz = &mut self.formants_hz[n];
            *formant_hz += share * (VOWELS_HZ[self.vowel][n] - *formant_hz);
            resonance.tune(*formant_hz, BANDWIDTHS_HZ[n], self.rate_hz);
        }
    }

    /// The change of the flow through the vocal folds.
    fn pulse(&mut self) -> f64 {
        const UP: f64 = 0.4;
        const DOWN: f64 = 0.16;
        let spoken_s = self.sample as f64 / self.rate_hz;
        // Pitch falls by a quarter in some three seconds, and trembles.
        let falling = 0.75 + 0.25 * (-spoken_s / 1.5).exp();
        let trembling = 1.0 + 0.02 * (TAU * 5.0 * spoken_s).sin();
        self.phase += self.pitch_hz * falling * trembling / self.rate_hz;
        self.phase -= self.phase.floor();
        let flow = match self.phase {
            up if up < UP => 0.5 - 0.5 * (PI * up / UP).cos(),
            down if down < UP + DOWN => (FRAC_PI_2 * (down - UP) / DOWN).cos(),
            _ => 0.0,
        };
        let change = (flow - self.last_pulse) * self.rate_hz;
        self.last_pulse = flow;
        change
    }
}

impl Resonance {
    fn tune(&mut self, hz: f64, bandwidth_hz: f64, rate_hz: f64) {
        let decay = (-PI * bandwidth_hz / rate_hz).exp();
        // Half the rate is as high as a resonance gets.
        let hz = hz.min(0.45 * rate_hz);
        self.c = -decay * decay;
        self.b = 2.0 * decay * (TAU * hz / rate_hz).cos();
        self.a = 1.0 - self.b - self.c;
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.a * x + self.b * self.last[0] + self.c * self.last[1];
        self.last = [y, self.last[0]];
        y
    }
}
