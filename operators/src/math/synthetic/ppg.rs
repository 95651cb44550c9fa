//! A photoplethysmogram: two Gaussian waves a beat, in infrared and red light.
//!
//! The forward wave of the heart and, 0.28 s later, what comes back from the body, smaller and
//! wider (as in the models that fit two Gaussians to a pulse, Rubins 2008):
//!
//! ```text
//! w(t) = exp(−t² / 2σ₁²) + 0.4 exp(−(t − d)² / 2σ₂²)      σ₁ = 0.10 s · k   σ₂ = 0.13 s · k
//! infrared = 1 + p w(t)      red = 0.8 (1 + R p w(t))     d  = 0.28 s · k   k  = √(RR / 1 s)
//! ```
//!
//! with the perfusion p and the ratio of ratios R = (110 − SpO₂) / 25. Intervals are those of the
//! synthetic heart. Light that comes back is less when there is more blood; here it is turned over,
//! as most sensors do.

use std::collections::VecDeque;

use super::{BLOCK, Disturbance, Model, nanoseconds};
use crate::math::{
    ecgsyn::{BeatClass, EcgParameters, rhythm::Rhythm},
    sine::Sine,
};

const SECOND: f64 = 0.4;
const WIDTHS_S: [f64; 2] = [0.10, 0.13];
const APART_S: f64 = 0.28;
const RED: f64 = 0.8;
/// Beyond so many widths a wave is nothing: exp(−18) is 1.5e-8.
const REACH: f64 = 6.0;

/// What a pulse is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpgParameters {
    /// The heart's rhythm; its signal is not used.
    pub heart: EcgParameters,
    /// Height of the pulse over the mean, infrared.
    pub perfusion_pct: f64,
    /// Oxygen saturation, which the red light shows.
    pub spo2_pct: f64,
    /// Breathing and drift of the baseline, over the height of the pulse.
    pub wander_share: f64,
    /// Root mean square of motion, 1 to 8 Hz, over the height of the pulse.
    pub motion_share: f64,
    /// Deviation of white noise, over the height of the pulse.
    pub noise_share: f64,
}

/// A peak of the pulse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PulseTruth {
    /// Since the one before, if there was one.
    pub rr_ns: Option<i64>,
    /// Where the beat began.
    pub class: BeatClass,
}

/// A source of pulses: two channels, infrared and red.
#[derive(Clone, Debug)]
pub struct Ppg {
    parameters: PpgParameters,
    rate_hz: f64,
    sample: u64,
    rhythm: Rhythm,
    beats: VecDeque<Beat>,
    last_ns: Option<i64>,
    truth: VecDeque<(i64, PulseTruth)>,
    breathing: Sine,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    time_s: f64,
    scale: f64,
    class: BeatClass,
    /// The highest point; known once the beat behind it is.
    peak_s: Option<f64>,
    is_told: bool,
}

impl Beat {
    fn begin_s(&self) -> f64 {
        self.time_s - REACH * WIDTHS_S[0] * self.scale
    }

    fn end_s(&self) -> f64 {
        self.time_s + (APART_S + REACH * WIDTHS_S[1]) * self.scale
    }

    /// The wave and its two derivatives.
    fn wave(&self, time_s: f64) -> [f64; 3] {
        let [first, second] = [(0.0, WIDTHS_S[0], 1.0), (APART_S, WIDTHS_S[1], SECOND)].map(
            |(middle_s, width_s, height)| {
                let width_s = width_s * self.scale;
                let off = (time_s - self.time_s - middle_s * self.scale) / width_s;
                let value = height * (-0.5 * off * off).exp();
                [value, -value * off / width_s, value * (off * off - 1.0) / (width_s * width_s)]
            },
        );
        [0, 1, 2].map(|n| first[n] + second[n])
    }
}

impl Ppg {
    /// A pulse that begins, sampled `rate_hz` times a second.
    pub fn new(parameters: PpgParameters, rate_hz: f64) -> Self {
        let mut ppg = Self {
            parameters,
            rate_hz,
            sample: 0,
            rhythm: Rhythm::new(parameters.heart.seed),
            beats: VecDeque::with_capacity(32),
            last_ns: None,
            truth: VecDeque::with_capacity(256),
            breathing: Sine::new(parameters.heart.respiration_hz, rate_hz, 0.0),
        };
        ppg.begin();
        ppg
    }

    fn begin(&mut self) {
        let mean_s = 60.0 / self.parameters.heart.heart_rate_bpm;
        let time_s = mean_s * (0.25 + 0.25 * self.rhythm.uniform());
        self.plan(time_s, mean_s, BeatClass::Normal);
    }

    fn plan(&mut self, time_s: f64, interval_s: f64, class: BeatClass) {
        let scale = interval_s.sqrt();
        self.beats.push_back(Beat { time_s, scale, class, peak_s: None, is_told: false });
    }

    fn plan_next(&mut self) {
        let next = self.rhythm.next_interval(&self.parameters.heart);
        let last_s = self.beats.back().expect("one beat is always planned").time_s;
        self.plan(last_s + next.rr_s, next.shape_rr_s, next.class);
        let index = self.beats.len() - 2;
        let peak_s = self.peak(index);
        self.beats[index].peak_s = Some(peak_s);
    }

    /// Where the sum of a beat and its neighbours is highest: Newton's method from its middle,
    /// which is a twentieth of a width off.
    fn peak(&self, index: usize) -> f64 {
        let near = self.beats.range(index.saturating_sub(2)..=index + 1);
        let mut peak_s = self.beats[index].time_s;
        for _ in 0..6 {
            let [slope, bend] = near.clone().fold([0.0; 2], |[slope, bend], beat| {
                let [_, first, second] = beat.wave(peak_s);
                [slope + first, bend + second]
            });
            peak_s -= slope / bend;
        }
        peak_s
    }

    fn add_pulse(&mut self, block: &mut [f64]) {
        let end_s = (self.sample + block.len() as u64) as f64 / self.rate_hz;
        while self.beats.back().is_some_and(|beat| beat.begin_s() < end_s) {
            self.plan_next();
        }
        for (sample, value) in (self.sample..).zip(block) {
            let time_s = sample as f64 / self.rate_hz;
            let near = self.beats.iter();
            let near = near.filter(|beat| (beat.begin_s()..beat.end_s()).contains(&time_s));
            *value = near.map(|beat| beat.wave(time_s)[0]).sum();
        }
    }

    fn tell(&mut self) {
        let now_s = self.sample as f64 / self.rate_hz;
        for beat in self.beats.iter_mut().filter(|beat| !beat.is_told) {
            let Some(peak_s) = beat.peak_s.filter(|peak_s| *peak_s < now_s) else { break };
            beat.is_told = true;
            let time_ns = nanoseconds(peak_s);
            let rr_ns = self.last_ns.replace(time_ns).map(|last_ns| time_ns - last_ns);
            self.truth.push_back((time_ns, PulseTruth { rr_ns, class: beat.class }));
        }
        while self.beats.len() > 4 && self.beats[0].is_told && self.beats[0].end_s() < now_s {
            self.beats.pop_front();
        }
    }
}

impl Model for Ppg {
    type Truth = PulseTruth;

    fn position(&self) -> u64 {
        self.sample
    }

    fn fill(&mut self, planes: &mut [f32]) {
        let len = planes.len() / 2;
        let (infrared, red) = planes.split_at_mut(len);
        let PpgParameters { heart, perfusion_pct, spo2_pct, .. } = self.parameters;
        let (perfusion, ratio) = (perfusion_pct / 100.0, (110.0 - spo2_pct) / 25.0);
        let disturbance = Disturbance {
            seed: heart.seed,
            rate_hz: self.rate_hz,
            noise: 0.0,
            drift: 0.4 * self.parameters.wander_share,
            motion: self.parameters.motion_share,
        };
        // Each sensor has its own noise; motion and breath reach both.
        let noise = |seed| Disturbance {
            seed,
            noise: self.parameters.noise_share,
            drift: 0.0,
            motion: 0.0,
            ..disturbance
        };
        let noises = [noise(heart.seed), noise(heart.seed ^ 0x5eed)];
        for (infrared, red) in infrared.chunks_mut(BLOCK).zip(red.chunks_mut(BLOCK)) {
            let (mut pulse, mut beside) = ([0.0; BLOCK], [0.0; BLOCK]);
            let (pulse, beside) = (&mut pulse[..red.len()], &mut beside[..red.len()]);
            self.add_pulse(pulse);
            disturbance.add(self.sample, beside);
            self.breathing.add(self.sample, 0.3 * self.parameters.wander_share, beside);
            for ((out, noise), (mean, height)) in
                [infrared, red].into_iter().zip(noises).zip([(1.0, 1.0), (RED, ratio)])
            {
                let mut own = [0.0; BLOCK];
                noise.add(self.sample, &mut own[..out.len()]);
                for (n, out) in out.iter_mut().enumerate() {
                    let swing = height * pulse[n] + beside[n] + own[n];
                    *out = (mean * (1.0 + perfusion * swing)) as f32;
                }
            }
            self.sample += red.len() as u64;
            self.tell();
        }
    }

    fn pop(&mut self) -> Option<(i64, PulseTruth)> {
        self.truth.pop_front()
    }

    fn reset(&mut self) {
        (self.sample, self.last_ns) = (0, None);
        self.rhythm = Rhythm::new(self.parameters.heart.seed);
        self.beats.clear();
        self.truth.clear();
        self.begin();
    }
}
