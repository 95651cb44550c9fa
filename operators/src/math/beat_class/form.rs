//! Forms of beats, and how far a part of an ECG is from them.

use super::FORM_GAIN;
use crate::math::state::{State, StateError};

/// A form reaches from this long before R to that long after.
const BEFORE_S: f64 = 0.100;
const AFTER_S: f64 = 0.120;
/// Detectors place R by so much here or there.
const SHIFT_S: f64 = 0.030;
/// Half of what a slope is taken over.
const SLOPE_S: f64 = 0.010;
/// A beat that was averaged into its form counts its early ones with this weight.
const EARLY_GAIN: f64 = 0.125;
/// Beats counted at most: only few matter.
const BEATS_MAX: u32 = 1_000;

/// Lengths in samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    before: usize,
    after: usize,
    shift: usize,
    slope: usize,
}

impl Shape {
    pub(super) fn new(rate_hz: f64) -> Self {
        let samples = |seconds: f64| (seconds * rate_hz).round() as usize;
        Self {
            before: samples(BEFORE_S),
            after: samples(AFTER_S),
            shift: samples(SHIFT_S),
            slope: samples(SLOPE_S).max(1),
        }
    }

    pub(super) fn reach(self) -> (usize, usize) {
        let more = self.shift + self.slope;
        (self.before + more, self.after + more)
    }

    /// Of a form.
    fn len(self) -> usize {
        self.before + 1 + self.after
    }

    /// Of what shifted forms lie in.
    fn wide(self) -> usize {
        self.len() + 2 * self.shift
    }
}

/// The ECG around a beat, and its slope; for every shift, what they have of power.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    ecg: Vec<f32>,
    slope: Vec<f32>,
    ecg_power: Vec<f64>,
    slope_power: Vec<f64>,
    shift: usize,
}

impl Part {
    pub(super) fn new(shape: Shape) -> Self {
        let shifts = 2 * shape.shift + 1;
        Self {
            ecg: vec![0.0; shape.wide()],
            slope: vec![0.0; shape.wide()],
            ecg_power: vec![0.0; shifts],
            slope_power: vec![0.0; shifts],
            shift: shape.shift,
        }
    }

    pub(super) fn look(&mut self, shape: Shape, ecg: Option<&[f32]>) {
        let Some(ecg) = ecg else {
            self.slope_power.fill(0.0);
            return;
        };
        let (before, after) = shape.reach();
        assert_eq!(ecg.len(), before + 1 + after, "as long as `reach` says");
        let h = shape.slope;
        // An offset would take digits from what is squared.
        let mean = ecg.iter().map(|x| f64::from(*x)).sum::<f64>() / ecg.len() as f64;
        let inner = &ecg[h..ecg.len() - h];
        for (y, x) in self.ecg.iter_mut().zip(inner) {
            *y = (f64::from(*x) - mean) as f32;
        }
        for (y, (x, later)) in self.slope.iter_mut().zip(ecg.iter().zip(&ecg[2 * h..])) {
            *y = later - x;
        }
        let len = shape.len();
        for shift in 0..=2 * shape.shift {
            let of = |samples: &[f32]| {
                let window = &samples[shift..shift + len];
                let sum: f64 = window.iter().map(|x| f64::from(*x)).sum();
                (dot(window, window), sum)
            };
            let (squares, sum) = of(&self.ecg);
            self.ecg_power[shift] = squares - sum * sum / len as f64;
            self.slope_power[shift] = of(&self.slope).0;
        }
    }

    /// Whether there is nothing to compare.
    pub(super) fn is_flat(&self) -> bool {
        let least = f64::from(f32::MIN_POSITIVE);
        let is_there = |power: f64| power > least && power.is_finite();
        !(is_there(self.slope_power[self.shift]) && is_there(self.ecg_power[self.shift]))
    }
}

/// The mean of some beats.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// Without its mean.
    ecg: Vec<f32>,
    slope: Vec<f32>,
    ecg_power: f64,
    slope_power: f64,
    /// Share of the last beats that were of this form.
    pub(super) usage: f64,
    /// Share of its last beats that came early.
    pub(super) early: f64,
    /// 0 for a form that is none yet.
    pub(super) beats: u32,
}

impl Form {
    pub(super) fn empty(shape: Shape) -> Self {
        let zeros = vec![0.0; shape.len()];
        Self {
            slope: zeros.clone(),
            ecg: zeros,
            ecg_power: 0.0,
            slope_power: 0.0,
            usage: 0.0,
            early: 0.0,
            beats: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.ecg.fill(0.0);
        self.slope.fill(0.0);
        (self.ecg_power, self.slope_power) = (0.0, 0.0);
        (self.usage, self.early, self.beats) = (0.0, 0.0, 0);
    }

    /// The shift at which a part is nearest, and how far it is.
    pub(super) fn nearest(&self, part: &Part) -> (usize, f64) {
        let len = self.ecg.len();
        let square = |shift: usize| {
            let off = |power: f64, samples: &[f32], form: &[f32], own: f64| {
                let product = dot(&samples[shift..shift + len], form);
                (power - 2.0 * product + own) / own.max(f64::from(f32::MIN_POSITIVE))
            };
            0.5 * off(part.ecg_power[shift], &part.ecg, &self.ecg, self.ecg_power)
                + 0.5 * off(part.slope_power[shift], &part.slope, &self.slope, self.slope_power)
        };
        let all = (0..part.ecg_power.len()).map(|shift| (shift, square(shift)));
        let (shift, square) =
            all.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("no shift is one too");
        (shift, square.max(0.0).sqrt())
    }

    /// A part that is of no other form.
    pub(super) fn found(&mut self, part: &Part, is_early: bool) {
        self.average(part, part.shift, 1.0);
        self.early = f64::from(u8::from(is_early));
        (self.usage, self.beats) = (0.0, 1);
    }

    /// A part that is of this form.
    pub(super) fn learn(&mut self, part: &Part, shift: usize, is_early: bool) {
        // Early beats that are like normal ones may be ectopic all the same.
        if !is_early || self.early > 0.5 {
            self.average(part, shift, FORM_GAIN);
        }
        self.early += EARLY_GAIN * (f64::from(u8::from(is_early)) - self.early);
        self.beats = (self.beats + 1).min(BEATS_MAX);
    }

    fn average(&mut self, part: &Part, shift: usize, gain: f32) {
        let len = self.ecg.len();
        let ecg = &part.ecg[shift..shift + len];
        let mean = ecg.iter().map(|x| f64::from(*x)).sum::<f64>() / len as f64;
        for (y, x) in self.ecg.iter_mut().zip(ecg) {
            *y += gain * ((f64::from(*x) - mean) as f32 - *y);
        }
        for (y, x) in self.slope.iter_mut().zip(&part.slope[shift..]) {
            *y += gain * (x - *y);
        }
        self.measure();
    }

    fn measure(&mut self) {
        self.ecg_power = dot(&self.ecg, &self.ecg);
        self.slope_power = dot(&self.slope, &self.slope);
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.f32s(&mut self.ecg)?;
        state.f32s(&mut self.slope)?;
        self.measure();
        state.f64(&mut self.usage)?;
        state.f64(&mut self.early)?;
        state.u32(&mut self.beats)?;
        state.demand(self.beats <= BEATS_MAX)
    }
}

/// Σ a·b, in four sums that a processor adds side by side.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 4];
    let (a, a_rest) = a.as_chunks::<4>();
    let (b, b_rest) = b.as_chunks::<4>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..4 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}
