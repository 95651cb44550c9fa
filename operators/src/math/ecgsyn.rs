//! An electrocardiogram that never was, with the truth about every beat.
//!
//! The dynamical model ECGSYN (McSharry, Clifford, Tarassenko, Smith: *A dynamical model for
//! generating synthetic electrocardiogram signals*, IEEE Trans. Biomed. Eng. 50:289, 2003) moves a
//! point on a circle, one turn a beat, and lets five events pull it up or down:
//!
//! ```text
//! x' = α x − ω y      α = 1 − √(x² + y²)      θ = atan2(y, x)
//! y' = α y + ω x      ω = 2π / RR
//! z' = −Σ aᵢ Δθᵢ exp(−Δθᵢ² / 2bᵢ²) − (z − z₀)      i = P, Q, R, S, T      Δθᵢ = θ − θᵢ
//! ```
//!
//! On the circle α = 0 and θ = ωt, and the sum integrates to z = Σ (aᵢ bᵢ² / ω) exp(−Δθᵢ² / 2bᵢ²).
//! This module evaluates that closed form, so a sample depends on its time alone, at any rate, and
//! the maximum of every R wave is known to the nanosecond. A test integrates the three equations
//! with Runge and Kutta's method and finds the same curve. Where we differ from the program ECGSYN:
//!
//! - The term −(z − z₀) is left out. It is a high-pass of 1 s that keeps an integrator from
//!   running away, and moves R by about σ² = 0.3 ms; the baseline z₀ is added instead.
//! - Heights are fixed in millivolts and hold for every beat, where ECGSYN scales a whole record at
//!   its end. Angles and widths follow each beat's own RR by ECGSYN's square-root law.
//! - RR intervals come from two noisy oscillators (Mayer waves at 0.1 Hz, respiration) that run for
//!   ever, in place of a Fourier transform of a whole record. The spectrum's two peaks are
//!   Lorentzian rather than Gaussian, of the same half width, 0.01 Hz.
//! - Premature beats of the ventricles and the atria and six kinds of noise are added.
//! - With a `variety_share` every seed has waves of its own, in place of the textbook's.

use std::collections::VecDeque;

use super::sine::Sine;

mod heart;
pub(crate) mod noise;
mod parameters;
pub(crate) mod rhythm;
mod wave;

use heart::Heart;
use noise::{Electrode, Jumps, Muscle, Spline, White};
pub use parameters::{EcgError, EcgParameters};
use rhythm::{Next, Rhythm};
use wave::{Shape, add_wave};

/// Samples computed together; they stay in the first-level cache.
const BLOCK: usize = 256;
/// Samples by which a wave may go beyond its reach, since it begins and ends with whole ones.
const BESIDE: u64 = 3;

/// A source of electrocardiogram, sample by sample. The same seed and rate give the same signal,
/// however it is divided into blocks.
#[derive(Clone, Debug)]
pub struct Ecg {
    parameters: EcgParameters,
    rate_hz: f64,
    heart: Heart,
    /// The next sample.
    sample: u64,
    rhythm: Rhythm,
    /// Beats whose waves reach, or will reach, the next sample, and one more.
    beats: VecDeque<Planned>,
    last_peak_ns: Option<i64>,
    truth: VecDeque<EcgBeat>,
    respiration: Sine,
    mains: Sine,
}

/// A beat as it truly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcgBeat {
    /// When the main wave without noise is highest, or lowest where the lead sees it downwards, from
    /// sample 0 on.
    pub time_ns: i64,
    /// Time since the R peak before, if there was one.
    pub rr_ns: Option<i64>,
    /// Where it began.
    pub class: BeatClass,
}

/// Where a beat began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeatClass {
    /// In the sinus node, as it should. Annotated as `N`.
    Normal,
    /// In the atria, too early. Annotated as `S`.
    Supraventricular,
    /// In a ventricle, too early. Annotated as `V`.
    Ventricular,
}

/// A beat of which samples are, or will be, made.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// Middle of its R wave.
    time_ns: i64,
    height_mv: f64,
    class: BeatClass,
    shape: Shape,
    /// Its true peak; known once the beat behind it is.
    peak_ns: i64,
    is_told: bool,
}

impl Ecg {
    /// A heart that begins to beat, sampled `rate_hz` times a second.
    pub fn new(parameters: EcgParameters, rate_hz: f64) -> Result<Self, EcgError> {
        parameters.check(rate_hz)?;
        let mut ecg = Self {
            parameters,
            rate_hz,
            heart: Heart::new(parameters.seed, parameters.variety_share),
            sample: 0,
            rhythm: Rhythm::new(parameters.seed),
            beats: VecDeque::with_capacity(32),
            last_peak_ns: None,
            truth: VecDeque::with_capacity(256),
            respiration: Sine::new(parameters.respiration_hz, rate_hz, 0.0),
            mains: Sine::new(parameters.mains_hz, rate_hz, 0.0),
        };
        ecg.plan_first();
        Ok(ecg)
    }

    /// The next samples, in millivolts. Allocates nothing, unless 256 beats have not been taken.
    pub fn fill(&mut self, out: &mut [f32]) {
        for out in out.chunks_mut(BLOCK) {
            let mut millivolts = [0.0; BLOCK];
            let block = &mut millivolts[..out.len()];
            self.add_heart(block);
            self.add_noise(block);
            for (out, millivolts) in out.iter_mut().zip(block) {
                *out = *millivolts as f32;
            }
            self.sample += out.len() as u64;
            self.tell();
        }
    }

    /// The next beat whose peak lies before the next sample.
    pub fn pop_beat(&mut self) -> Option<EcgBeat> {
        self.truth.pop_front()
    }

    /// The sample that `fill` gives next.
    pub fn position(&self) -> u64 {
        self.sample
    }

    /// New parameters from the next sample on. Beats that have begun keep their shape; the seed and
    /// the shapes that are drawn from it stay.
    pub fn retune(&mut self, parameters: EcgParameters) -> Result<(), EcgError> {
        parameters.check(self.rate_hz)?;
        let sine = |frequency_hz| Sine::new(frequency_hz, self.rate_hz, 0.0);
        let seed = self.parameters.seed;
        self.respiration =
            self.respiration.followed_by(self.sample, sine(parameters.respiration_hz));
        self.mains = self.mains.followed_by(self.sample, sine(parameters.mains_hz));
        let variety_share = self.parameters.variety_share;
        self.parameters = EcgParameters { seed, variety_share, ..parameters };
        Ok(())
    }

    /// Begins again at sample 0.
    pub fn reset(&mut self) {
        self.sample = 0;
        self.rhythm = Rhythm::new(self.parameters.seed);
        self.beats.clear();
        self.truth.clear();
        self.last_peak_ns = None;
        self.respiration = Sine::new(self.parameters.respiration_hz, self.rate_hz, 0.0);
        self.mains = Sine::new(self.parameters.mains_hz, self.rate_hz, 0.0);
        self.plan_first();
    }

    /// The first R peak comes after half an interval, or sooner, so that phases differ by seed.
    fn plan_first(&mut self) {
        let mean_s = 60.0 / self.parameters.heart_rate_bpm;
        let time_ns = (mean_s * (0.25 + 0.25 * self.rhythm.uniform()) * 1e9).round() as i64;
        self.plan(time_ns, &Next::normal(mean_s));
    }

    fn plan_next(&mut self) {
        let next = self.rhythm.next_interval(&self.parameters);
        let last_ns = self.beats.back().expect("one beat is always planned").time_ns;
        let time_ns = last_ns + (next.rr_s * 1e9).round() as i64;
        self.plan(time_ns, &next);

        // All waves that reach the last but one are known now.
        let (before, at, behind) = self.last_three();
        let near = [before, Some(at), Some(behind)];
        let near = near
            .into_iter()
            .flatten()
            .map(|beat| ((beat.time_ns - at.time_ns) as f64 * 1e-9, beat.height_mv, beat.shape));
        let peak_s = wave::peak(near, at.shape.main());
        let index = self.beats.len() - 2;
        self.beats[index].peak_ns = at.time_ns + (peak_s * 1e9).round() as i64;
    }

    fn last_three(&self) -> (Option<Planned>, Planned, Planned) {
        let count = self.beats.len();
        let before = count.checked_sub(3).map(|index| self.beats[index]);
        (before, self.beats[count - 2], self.beats[count - 1])
    }

    fn plan(&mut self, time_ns: i64, next: &Next) {
        let Next { class, form, shape_rr_s, height, .. } = *next;
        let shape = self.heart.shape(class, form, shape_rr_s);
        let height_mv = height * self.parameters.amplitude_mv / self.heart.peak;
        let planned =
            Planned { time_ns, height_mv, class, shape, peak_ns: time_ns, is_told: false };
        self.beats.push_back(planned);
    }

    fn add_heart(&mut self, block: &mut [f64]) {
        let end_s = (self.sample + block.len() as u64 + BESIDE) as f64 / self.rate_hz;
        while self.beats.back().is_some_and(|beat| beat.start_s() < end_s) {
            self.plan_next();
        }
        for beat in &self.beats {
            for wave in &beat.shape.waves {
                add_wave(wave, beat.time_ns, beat.height_mv, self.rate_hz, self.sample, block);
            }
        }
    }

    fn add_noise(&self, block: &mut [f64]) {
        let EcgParameters { seed, wander_mv, mains_mv, noise_mv, electrode_mv, .. } =
            self.parameters;
        let EcgParameters { muscle_mv, jumps_per_min, jump_mv, .. } = self.parameters;
        let first = self.sample;
        if wander_mv > 0.0 {
            self.respiration.add(first, 0.6 * wander_mv, block);
            Spline::drift(seed, self.rate_hz).add(first, 0.4 * wander_mv, block);
        }
        if mains_mv > 0.0 {
            self.mains.add(first, mains_mv, block);
        }
        if electrode_mv > 0.0 {
            Electrode::new(seed, self.rate_hz).add(first, electrode_mv, block);
        }
        if muscle_mv > 0.0 {
            Muscle::new(seed, self.rate_hz).add(first, muscle_mv, block);
        }
        if jumps_per_min > 0.0 && jump_mv > 0.0 {
            Jumps::new(seed, jumps_per_min, self.rate_hz).add(first, jump_mv, block);
        }
        if noise_mv > 0.0 {
            White::new(seed).add(first, noise_mv, block);
        }
    }

    /// Moves beats whose peak has been passed to the truth, and forgets those that are over.
    fn tell(&mut self) {
        let now_s = self.sample as f64 / self.rate_hz;
        let now_ns = (now_s * 1e9).floor() as i64;
        // The last one's peak is not known yet; it lies ahead anyway.
        let known = self.beats.len() - 1;
        for beat in self.beats.iter_mut().take(known) {
            if !beat.is_told && beat.peak_ns < now_ns {
                beat.is_told = true;
                let rr_ns = self.last_peak_ns.map(|last| beat.peak_ns.saturating_sub(last));
                self.last_peak_ns = Some(beat.peak_ns);
                self.truth.push_back(EcgBeat { time_ns: beat.peak_ns, rr_ns, class: beat.class });
            }
        }
        let over_s = self.sample.saturating_sub(BESIDE) as f64 / self.rate_hz;
        // Two are kept so that the next peak can be found among its neighbours.
        while self.beats.len() > 2 && self.beats[0].is_told && self.beats[0].end_s() < over_s {
            self.beats.pop_front();
        }
    }
}

impl Planned {
    fn start_s(&self) -> f64 {
        self.time_ns as f64 * 1e-9 - self.shape.reach_before_s()
    }

    fn end_s(&self) -> f64 {
        self.time_ns as f64 * 1e-9 + self.shape.reach_behind_s()
    }
}

impl BeatClass {
    /// The sign annotations use.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Self::Normal => "N",
            Self::Supraventricular => "S",
            Self::Ventricular => "V",
        }
    }
}

#[cfg(test)]
mod tests;
