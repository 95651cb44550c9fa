//! Filters between two sample rates, one phase of them after the other.
//!
//! From `rate` to `rate · L / M` means: L − 1 zeros behind every sample, a low-pass filter h that
//! removes what neither rate can carry, and every M-th of that. Most products are with zeros. What
//! is left for an output is one *phase* of the filter, every L-th tap:
//!
//! ```text
//! y[m] = Σ_d h[q + d L] · x[i − d],    i = ⌊(m M + H) / L⌋,  q = (m M + H) mod L
//! ```
//!
//! where H is the middle of h, so that `y[m]` lies at `x[m M / L]`. The position `i L + q` grows by M from
//! one output to the next: whole numbers, which never drift. Where no L up to 4096 gives the ratio, a
//! sample is divided into 2⁴⁸ parts instead and taps are interpolated between 1024 phases, which is
//! off by less than 1.2e-6, (π / 1024)² / 8.

use std::{f64::consts::PI, sync::Arc};

use super::window::Window;

/// Most phases that are kept one by one.
const PHASES_MAX: u64 = 4_096;
/// Phases between which others are interpolated, and the parts of a sample then, as powers of two.
const PHASES_LOG2: u32 = 10;
const PARTS_LOG2: u32 = 48;
/// Most taps of all phases together: 32 MiB.
const TAPS_MAX: f64 = (1 << 23) as f64;

/// The shape of a filter between two rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Samples of the lower rate to each side.
    pub reach: f64,
    /// Where amplitude is halved, in units of half the lower rate.
    pub edge: f64,
    /// Of the Kaiser window.
    pub beta: f64,
}

impl Shape {
    /// SciPy's `resample_poly`: gentle, short.
    pub const SCIPY: Self = Self { reach: 10.0, edge: 1.0, beta: 5.0 };
    /// To 0.9 of half the lower rate everything passes; from half of it on all is down by 80 dB.
    /// Kaiser's formulas: β = 0.1102 (80 − 8.7), and a width of 0.1 in (80 − 7.95) / 14.36 / 0.05
    /// samples.
    pub const STEEP: Self = Self { reach: 50.2, edge: 0.95, beta: 7.857_26 };
}

/// The steps from one rate to another, and the lengths of the phases between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Parts of a sample, and how many of them lie between two outputs.
    parts: u64,
    step: u64,
    /// Phases, and by how many bits a part is finer than one where they are interpolated.
    phases: u64,
    finer: Option<u32>,
    /// Taps of the whole filter that a sample of the lower rate takes up, and on each side of its
    /// middle.
    lower: f64,
    middle: u64,
    shape: Shape,
}

/// A ratio that asks for more memory than there is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Steps {
    /// From one rate to another.
    ///
    /// # Errors
    /// If the phases have more than 8 million taps together.
    pub fn new(from_hz: f64, to_hz: f64, shape: Shape) -> Result<Self, TooLong> {
        let (phases, lower, parts, step, finer) = match fraction(from_hz, to_hz) {
            Some((up, down)) if up <= PHASES_MAX => (up, up.max(down) as f64, up, down, None),
            _ => {
                let (step, parts) = (from_hz / to_hz, 1 << PARTS_LOG2);
                let phases = 1 << PHASES_LOG2;
                let whole = (step * parts as f64).round() as u64;
                let finer = Some(PARTS_LOG2 - PHASES_LOG2);
                (phases, phases as f64 * step.max(1.0), parts, whole, finer)
            }
        };
        // Equal rates need no filter.
        let reach = if (parts, step) == (1, 1) { 0.0 } else { shape.reach };
        let middle = (reach * lower).round();
        if 2.0 * middle > TAPS_MAX {
            return Err(TooLong);
        }
        Ok(Self { parts, step, phases, finer, lower, middle: middle as u64, shape })
    }

    /// Samples that an output is made of.
    pub fn width(&self) -> usize {
        (2 * self.middle / self.phases) as usize + 1
    }

    /// Parts of a sample; positions are counted in them.
    pub fn parts(&self) -> u64 {
        self.parts
    }

    /// Parts between two outputs.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// How far an output lies before the newest sample it needs, in parts, if it lies on one.
    pub fn middle(&self) -> u64 {
        self.middle << self.finer.unwrap_or(0)
    }

    /// The same in samples.
    pub fn delay(&self) -> f64 {
        self.middle as f64 / self.phases as f64
    }

    /// The taps of each phase, the oldest sample's first; where phases are interpolated, one phase more.
    pub fn design(&self) -> Vec<f32> {
        let edge = self.shape.edge / self.lower;
        let filter = low_pass(self.middle as usize, edge, self.shape.beta);
        let (count, width) = (self.phases as usize, self.width());
        let tap = |at: usize| filter.get(at).map_or(0.0, |tap| (tap * count as f64) as f32);
        let row = |phase: usize| (0..width).rev().map(move |d| phase + d * count).map(tap);
        (0..count + usize::from(self.finer.is_some())).flat_map(row).collect()
    }
}

/// All phases of a filter.
#[derive(Clone, Debug)]
pub struct Bank {
    steps: Steps,
    taps: Arc<[f32]>,
}

impl Bank {
    /// Of taps that were designed for these steps.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn new(steps: Steps, taps: Arc<[f32]>) -> Self {
        let rows = steps.phases as usize + usize::from(steps.finer.is_some());
        assert!(taps.len() >= rows * steps.width(), "taps of other steps");
        Self { steps, taps }
    }

    /// Its steps.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The taps at `part` of a sample and, where they are to be interpolated, the next and their share.
    #[inline(always)]
    pub(crate) fn phase(&self, part: u64) -> (&[f32], Option<(&[f32], f32)>) {
        let width = self.steps.width();
        let row = |phase: u64| &self.taps[phase as usize * width..][..width];
        match self.steps.finer {
            None => (row(part), None),
            Some(bits) => {
                let (phase, rest) = (part >> bits, part & ((1 << bits) - 1));
                let share = rest as f64 / (1u64 << bits) as f64;
                (row(phase), Some((row(phase + 1), share as f32)))
            }
        }
    }
}

/// SciPy's `firwin(2 middle + 1, edge, window=("kaiser", beta))`: the sum is 1.
fn low_pass(middle: usize, edge: f64, beta: f64) -> Vec<f64> {
    let mut taps = Window::Kaiser { beta }.symmetric(2 * middle + 1);
    for (n, tap) in taps.iter_mut().enumerate() {
        let x = PI * edge * (n as f64 - middle as f64);
        *tap *= if n == middle { 1.0 } else { x.sin() / x };
    }
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// The smallest whole numbers L and M with `to = from · L / M`, for rates with up to six decimals.
fn fraction(from_hz: f64, to_hz: f64) -> Option<(u64, u64)> {
    let whole = |hz: f64| {
        let near = hz.round();
        (near > 0.0 && near < 9e15 && (hz - near).abs() <= 1e-12 * near).then_some(near as u64)
    };
    let (from, to) = (0..=6).find_map(|decimals| {
        let scale = 10f64.powi(decimals);
        Some((whole(from_hz * scale)?, whole(to_hz * scale)?))
    })?;
    let (mut a, mut b) = (from, to);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Some((to / a, from / a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_fractions_of_each_other() {
        for (from, to, want) in [
            (48_000.0, 16_000.0, Some((1, 3))),
            (44_100.0, 16_000.0, Some((160, 441))),
            (360.0, 250.0, Some((25, 36))),
            (204.8, 200.0, Some((125, 128))),
            (250.0, 250.0, Some((1, 1))),
            (1e3 / 3.0, 100.0, None),
        ] {
            assert_eq!(fraction(from, to), want, "{from} to {to}");
        }
    }

    #[test]
    fn every_phase_lets_an_offset_pass() {
        for (from, to) in [(48_000.0, 16_000.0), (16_000.0, 48_000.0), (360.0, 250.0), (7.0, 9.1)] {
            for shape in [Shape::SCIPY, Shape::STEEP] {
                let steps = Steps::new(from, to, shape).expect("fits");
                for phase in steps.design().chunks_exact(steps.width()) {
                    let sum: f64 = phase.iter().map(|&tap| f64::from(tap)).sum();
                    // The images of zero are as far down as the filter: 54 dB, of which phases that
                    // are off can add up several.
                    assert!((sum - 1.0).abs() < 0.01, "{from} to {to}: {sum}");
                }
            }
        }
    }

    #[test]
    fn equal_rates_change_nothing_and_what_is_too_long_is_refused() {
        let same = Steps::new(250.0, 250.0, Shape::STEEP).expect("fits");
        assert_eq!((same.delay(), same.design()), (0.0, vec![1.0]));
        assert_eq!(Steps::new(1e9, 100.0, Shape::STEEP), Err(TooLong));
    }
}
