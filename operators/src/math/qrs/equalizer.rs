//! The finite filter that shows the recording as detection wants to see it, whatever band-pass it
//! came through.
//!
//! A causal band-pass smears a QRS complex: its frequencies leave at different times, and a sharp
//! positive R becomes a ringing wave whose largest swing points down. The band-pass is known, so
//! its inverse is too. D is what `taps_for_raw` make of a raw recording: what lies between about
//! 4 and 40 Hz, with zero phase. Behind filters of response X the taps are those with which X and
//! they together come nearest to D (`least_squares`). Because 1/X is causal, they need
//! no more of the future than those for a raw recording.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use super::least_squares::{ROUNDING, Wish, design};
use crate::math::complex::Complex;
use crate::math::sos::{Section, response};

/// A recursive filter that the ECG has passed.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    /// Its sections.
    pub sections: &'a [Section],
    /// The rate at which it ran.
    pub rate_hz: f64,
    /// By how much whoever takes the beats puts its output back in time.
    pub delay_s: f64,
}

/// Room for the taps at the highest inner rate, 240 Hz.
const TAPS_MAX: usize = 48;

/// Half the length of the filter for a raw recording, which is symmetric: long enough for its lower
/// edge. So far ahead looks the one behind filters too.
const HALF_S: f64 = 0.079;

/// How far back the filter behind others looks.
const BEHIND_S: f64 = 0.100;

/// A decision must not come before the time its sample is said to be of.
const AHEAD_OF_DELAY_S: f64 = 0.1;

/// Edges of the window over frequency: it rises (raised cosine) over the first pair and falls over
/// the second. Below, baseline wander; above, muscle and mains.
const RISE_HZ: [f64; 2] = [1.0, 4.0];
const FALL_HZ: [f64; 2] = [35.0, 50.0];

/// Steps of the integral. Its step of about 0.25 Hz repeats after 4 s, far from the taps' 0.16 s.
const STEPS: usize = 192;

#[derive(Clone, Debug)]
pub(super) struct Equalizer {
    taps: [f32; TAPS_MAX],
    /// Every sample is written twice, so that the latest `len` are always one slice.
    past: [f32; 2 * TAPS_MAX],
    len: usize,
    at: usize,
    /// The newest output describes the recording this many samples ago.
    ahead: u32,
    /// Share of what detection wants to see that the filters in front left nothing of.
    lost: f32,
}

impl Equalizer {
    /// `inner_hz` is the rate of the samples pushed.
    pub(super) fn new(inner_hz: f64, passed: &[Passed<'_>]) -> Self {
        let half = (HALF_S * inner_hz).round() as usize;
        let mut raw = [0.0; TAPS_MAX];
        let raw = &mut raw[..=2 * half];
        taps_for_raw(raw, inner_hz);

        let delay_s: f64 = passed.iter().map(|passed| passed.delay_s).sum();
        let late_s = (delay_s - AHEAD_OF_DELAY_S - HALF_S).max(0.0);
        let last = half as i32 + (late_s * inner_hz).round() as i32;
        let first = last - half as i32 - (BEHIND_S * inner_hz).round() as i32;
        let (first, last) =
            if passed.is_empty() { (-(half as i32), half as i32) } else { (first, last) };
        let count = (last - first) as usize + 1;
        let len = count.next_multiple_of(LANES);
        let mut taps = [0.0; TAPS_MAX];
        let mut lost = 0.0;
        if passed.is_empty() {
            taps[len - count..len].copy_from_slice(raw);
        } else {
            lost = design(&mut taps[len - count..len], first, inner_hz, ROUNDING, |hz| Wish {
                given: given(passed, hz),
                wanted: symmetric(raw, hz, inner_hz),
                weight: 1.0,
            });
        }
        let past = [0.0; 2 * TAPS_MAX];
        Self { taps, past, len, at: 0, ahead: last as u32, lost: lost as f32 }
    }

    pub(super) fn ahead(&self) -> u32 {
        self.ahead
    }

    /// What it makes, together with the filters in front, of the recording at one frequency.
    pub(super) fn seen(&self, passed: &[Passed<'_>], frequency_hz: f64, inner_hz: f64) -> Complex {
        let step = Complex::unit(-TAU * frequency_hz / inner_hz);
        let mut turn = Complex::unit(TAU * frequency_hz * f64::from(self.ahead) / inner_hz);
        let mut sum = Complex::new(0.0, 0.0);
        for tap in self.taps[..self.len].iter().rev() {
            sum = sum + turn.scale(f64::from(*tap));
            turn = turn * step;
        }
        sum * given(passed, frequency_hz)
    }

    pub(super) fn lost(&self) -> f32 {
        self.lost
    }

    /// What tells one design from another.
    pub(super) fn fingerprint(&self) -> u64 {
        // FNV-1a.
        let step = |hash: u64, tap: &f32| {
            (hash ^ u64::from(tap.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
        };
        self.taps.iter().fold(0xcbf2_9ce4_8422_2325 ^ u64::from(self.ahead), step)
    }

    /// As newly built.
    pub(super) fn reset(&mut self) {
        self.past = [0.0; 2 * TAPS_MAX];
        self.at = 0;
    }

    #[inline]
    pub(super) fn push(&mut self, sample: f32) -> f32 {
        self.past[self.at] = sample;
        self.past[self.at + self.len] = sample;
        self.at += 1;
        let latest = &self.past[self.at..self.at + self.len];
        if self.at == self.len {
            self.at = 0;
        }
        dot(&self.taps[..self.len], latest)
    }

    /// The samples that are still of use, for a save.
    pub(super) fn past(&mut self) -> &mut [f32] {
        &mut self.past[..2 * self.len]
    }

    /// Finds its place again after a load: `pushed` samples went in since the start.
    pub(super) fn resume(&mut self, pushed: u64) {
        self.at = (pushed % self.len as u64) as usize;
    }
}

/// Lanes of [`dot`]: two registers of four, one of eight.
pub(super) const LANES: usize = 8;

/// Σ a·b over slices of equal length, a multiple of [`LANES`], in a fixed order of addition.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// The response of all filters in front.
fn given(passed: &[Passed<'_>], frequency_hz: f64) -> Complex {
    let one = Complex::new(1.0, 0.0);
    passed.iter().fold(one, |x, p| x * response(p.sections, p.rate_hz, frequency_hz))
}

/// The response of symmetric taps.
fn symmetric(taps: &[f32], frequency_hz: f64, inner_hz: f64) -> Complex {
    let half = taps.len() / 2;
    let angle = TAU * frequency_hz / inner_hz;
    let sum: f64 = (1..=half).map(|k| f64::from(taps[half + k]) * (angle * k as f64).cos()).sum();
    Complex::new(f64::from(taps[half]) + 2.0 * sum, 0.0)
}

/// The window over frequency, as taps under a taper.
fn taps_for_raw(taps: &mut [f32], inner_hz: f64) {
    let half = (taps.len() / 2) as i32;
    let taper = |k: i32| (FRAC_PI_2 * f64::from(k) / f64::from(half + 1)).cos().powi(2);
    for (k, tap) in (-half..=half).zip(taps.iter_mut()) {
        *tap = (taper(k) * ideal(f64::from(k), inner_hz)) as f32;
    }
    // The taper blurs the lower edge over zero, and a raw recording has an offset: takes from each
    // tap its share, under the same taper, of their sum.
    let whole: f64 = (-half..=half).map(taper).sum();
    let sum: f64 = taps.iter().map(|tap| f64::from(*tap)).sum();
    for (k, tap) in (-half..=half).zip(taps.iter_mut()) {
        *tap -= (sum / whole * taper(k)) as f32;
    }
}

fn ideal(k: f64, inner_hz: f64) -> f64 {
    let step_hz = FALL_HZ[1].min(0.5 * inner_hz) / STEPS as f64;
    let at = |i: usize| i as f64 * step_hz;
    let sum: f64 = (1..STEPS).map(|i| window(at(i)) * (TAU * at(i) * k / inner_hz).cos()).sum();
    2.0 * sum * step_hz / inner_hz
}

fn window(frequency_hz: f64) -> f64 {
    let rise = (frequency_hz - RISE_HZ[0]) / (RISE_HZ[1] - RISE_HZ[0]);
    let fall = (FALL_HZ[1] - frequency_hz) / (FALL_HZ[1] - FALL_HZ[0]);
    0.5 - 0.5 * (PI * rise.min(fall).clamp(0.0, 1.0)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{band::Band, butterworth};

    #[test]
    fn behind_any_band_that_leaves_a_complex_it_looks_as_raw() {
        for inner_hz in [125.0, 200.0] {
            let half = (HALF_S * inner_hz).round() as usize;
            let mut raw = vec![0.0; 2 * half + 1];
            taps_for_raw(&mut raw, inner_hz);
            for (low_hz, high_hz, order, lost_max) in [
                // Two poles at each edge and less are undone to a hundredth in amplitude; steeper
                // edges take what no finite filter brings back.
                (5.0, 15.0, 2, 1e-4),
                (0.5, 40.0, 2, 1e-4),
                (8.0, 20.0, 2, 1e-4),
                (5.0, 15.0, 1, 1e-4),
                (5.0, 15.0, 4, 0.02),
                (5.0, 15.0, 6, 0.2),
            ] {
                let band = Band::BandPass { low_hz, high_hz };
                let sections = butterworth::design(order, band, inner_hz).expect("valid");
                let passed = [Passed { sections: &sections, rate_hz: inner_hz, delay_s: 0.0 }];
                let equalizer = Equalizer::new(inner_hz, &passed);
                let lost = equalizer.lost();
                assert!(lost < lost_max, "{low_hz} to {high_hz} Hz, {order}: {lost}");
            }
        }
    }

    #[test]
    fn an_offset_is_not_seen() {
        let mut equalizer = Equalizer::new(125.0, &[]);
        let last = (0..60).map(|_| equalizer.push(1_000.0)).last().expect("some");
        // Taps below 0.5, rounded to 24 bits, 24 of them.
        assert!(last.abs() < 1_000.0 * 24.0 * 3e-8, "{last}");
    }
}
