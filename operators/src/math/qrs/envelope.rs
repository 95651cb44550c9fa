//! Where the signal is steep and bent: the candidates.

use super::wave::Wave;
use crate::math::state::{State, StateError};

/// Distance of the neighbours that slope and curvature are taken from: 4 sin²(ωh/2) peaks at 23 Hz.
/// With 16 ms, muscle noise passes for beats; with 30 ms, movement does.
const SLOPE_S: f64 = 0.022;

/// A QRS complex.
const WINDOW_S: f64 = 0.080;

/// The same at the highest inner rate, 240 Hz, made odd.
const WINDOW_MAX: usize = 19;

/// How long the envelope must stay below a peak for it to be a candidate: the P wave is earlier,
/// the T wave later, and with the delays of filter and window it makes 0.23 s.
const WAIT_S: f64 = 0.066;

/// Sum of q over a window, and its peaks.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    h: u64,
    window: usize,
    wait: u32,
    /// Before `at`, q of the current block; from it on, the sums of q from there to the end of
    /// the block before. With the sum of the current block they give that of any window in one
    /// addition, and unlike a running sum nothing of a past artefact is left over.
    sums: [f32; WINDOW_MAX + 1],
    block: f32,
    at: usize,
    energy: f32,
    top: f32,
    /// Inner samples since the top.
    age: u32,
    climbing: bool,
}

impl Envelope {
    pub(super) fn new(inner_hz: f64) -> Self {
        let samples = |span_s: f64| (span_s * inner_hz).round() as u64;
        Self {
            h: samples(SLOPE_S).max(1),
            // Odd, so that it has a middle.
            window: samples(WINDOW_S) as usize | 1,
            wait: samples(WAIT_S) as u32,
            sums: [0.0; WINDOW_MAX + 1],
            block: 0.0,
            at: 0,
            energy: 0.0,
            top: 0.0,
            age: 0,
            climbing: false,
        }
    }

    /// The energy of one inner sample's share of the window, as an amplitude.
    pub(super) fn level(&self, energy: f32) -> f32 {
        (energy * self.share()).sqrt()
    }

    /// One inner sample's share of the window.
    pub(super) fn share(&self) -> f32 {
        1.0 / self.window as f32
    }

    /// How many inner samples after a peak it is known to be one.
    pub(super) fn late(&self) -> u64 {
        self.h + self.window as u64 / 2 + u64::from(self.wait)
    }

    /// The newest sum.
    pub(super) fn energy(&self) -> f32 {
        self.energy
    }

    /// Index and energy of a peak once it is known to be one.
    #[inline]
    pub(super) fn push(&mut self, now: u64, wave: &Wave) -> Option<(u64, f32)> {
        let before = wave.at(now.wrapping_sub(2 * self.h));
        let (here, after) = (wave.at(now.wrapping_sub(self.h)), wave.at(now));
        let (slope, curvature) = (0.5 * (after - before), here - 0.5 * (before + after));
        let energy = self.sum(slope * slope + curvature * curvature);

        self.climbing |= energy > self.energy;
        self.energy = energy;
        self.age += 1;
        if energy > self.top && self.climbing {
            self.top = energy;
            self.age = 0;
        }
        if self.age < self.wait {
            return None;
        }
        self.age = 0;
        if self.top == 0.0 {
            return None;
        }
        // The middle of the window, in the wave's own time.
        let top_at = now.saturating_sub(u64::from(self.wait));
        let middle = top_at.saturating_sub(self.h + self.window as u64 / 2);
        let peak = (middle, self.top);
        self.top = 0.0;
        self.climbing = false;
        Some(peak)
    }

    #[inline]
    fn sum(&mut self, q: f32) -> f32 {
        self.block += q;
        self.sums[self.at] = q;
        self.at += 1;
        let sum = self.block + self.sums[self.at];
        if self.at == self.window {
            let mut suffix = 0.0;
            for q in self.sums[..self.window].iter_mut().rev() {
                suffix += *q;
                *q = suffix;
            }
            self.block = 0.0;
            self.at = 0;
        }
        sum
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut at = self.at as u32;
        state.u32(&mut at)?;
        self.at = at as usize;
        state.f32s(&mut self.sums)?;
        for value in [&mut self.block, &mut self.energy, &mut self.top] {
            state.f32(value)?;
        }
        state.u32(&mut self.age)?;
        state.bool(&mut self.climbing)?;
        state.demand(self.at < self.window && self.age <= self.wait)
    }
}
