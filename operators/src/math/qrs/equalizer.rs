//! The finite filter that undoes the band-pass in front of the detector, as far as noise allows.
//!
//! A causal band-pass smears a QRS complex: its frequencies leave at different times, and a sharp
//! positive R becomes a ringing wave whose largest swing points down. The band-pass is known, so
//! its inverse is too. With H the band-pass, T its group delay at the centre of the band and W a
//! real window over frequency, the taps are
//!
//! ```text
//! g(k) = taper(k) ∫ W(f) exp(−i2πfT) / H(f) · exp(−i2πfk/rate) df,    v(n) = Σ g(k) x(n + k)
//! ```
//!
//! so that v is the raw recording seen through W, with zero phase, T late. Because 1/H is causal,
//! nearly all of g lies in the past: v waits for `AHEAD_S` only.

use std::f64::consts::{FRAC_PI_2, PI, SQRT_2, TAU};

use super::Input;

/// Room for the taps at the highest inner rate, 240 Hz.
const TAPS_MAX: usize = 48;

/// Where the taps begin and end, relative to the sample they describe. Outside, g is below one
/// hundredth of its largest value.
const BEHIND_S: f64 = 0.117;
const AHEAD_S: f64 = 0.042;

/// Half the length of the filter for raw input, which is symmetric: long enough for its lower edge.
const RAW_HALF_S: f64 = 0.079;

/// Edges of W: it rises (raised cosine) over the first pair and falls over the second. Below,
/// baseline wander; above, the inverse of the band-pass would amplify noise more than tenfold.
const RISE_HZ: [f64; 2] = [1.0, 4.0];
const FALL_HZ: [f64; 2] = [35.0, 50.0];

/// The corners of the band-pass in front.
const BAND_HZ: [f64; 2] = [5.0, 15.0];

/// Steps of the integral. Its step of about 0.25 Hz repeats after 4 s, far from the taps' 0.16 s.
const STEPS: usize = 192;

#[derive(Clone, Debug)]
pub(super) struct Equalizer {
    taps: [f32; TAPS_MAX],
    /// Every sample is written twice, so that the latest `len` are always one slice.
    past: [f32; 2 * TAPS_MAX],
    len: usize,
    at: usize,
    /// The newest output describes the input this many samples ago.
    ahead: u32,
}

impl Equalizer {
    /// `inner_hz` is the rate of the samples pushed, `rate_hz` the one the band-pass ran at.
    pub(super) fn new(input: Input, inner_hz: f64, rate_hz: f64) -> Self {
        let (behind_s, ahead_s) = match input {
            Input::BandPassed => (BEHIND_S, AHEAD_S),
            Input::Raw => (RAW_HALF_S, RAW_HALF_S),
        };
        let first = -(behind_s * inner_hz).round();
        let last = (ahead_s * inner_hz).round();
        let count = (last - first) as usize + 1;
        let len = count.next_multiple_of(LANES);
        let mut taps = [0.0; TAPS_MAX];
        for (i, tap) in taps[len - count..len].iter_mut().enumerate() {
            let k = first + i as f64;
            let across = (k - 0.5 * (first + last)) / (0.5 * (last - first) + 1.0);
            let taper = (0.5 * PI * across).cos().powi(2);
            *tap = (taper * ideal(input, k, inner_hz, rate_hz)) as f32;
        }
        if input == Input::Raw {
            remove_offset(&mut taps[len - count..len]);
        }
        Self { taps, past: [0.0; 2 * TAPS_MAX], len, at: 0, ahead: last as u32 }
    }

    pub(super) fn ahead(&self) -> u32 {
        self.ahead
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

/// Takes from each tap its share, under the same taper, of their sum. The taper blurs the lower
/// edge of W over zero, and a raw recording, unlike one behind the band-pass, has an offset.
fn remove_offset(taps: &mut [f32]) {
    let middle = 0.5 * (taps.len() as f32 - 1.0);
    let taper = |i: usize| (FRAC_PI_2 as f32 * (i as f32 - middle) / (middle + 1.0)).cos().powi(2);
    let whole: f32 = (0..taps.len()).map(taper).sum();
    let share = taps.iter().sum::<f32>() / whole;
    for (i, tap) in taps.iter_mut().enumerate() {
        *tap -= share * taper(i);
    }
}

/// Tap k of the filter without its taper.
fn ideal(input: Input, k: f64, inner_hz: f64, rate_hz: f64) -> f64 {
    let step_hz = FALL_HZ[1].min(0.5 * inner_hz) / STEPS as f64;
    let delay_s = match input {
        Input::BandPassed => group_delay_s(rate_hz),
        Input::Raw => 0.0,
    };
    let sum: f64 = (1..STEPS)
        .map(|i| {
            let frequency_hz = i as f64 * step_hz;
            let (re, im) = match input {
                Input::BandPassed => inverse(frequency_hz, rate_hz),
                Input::Raw => (1.0, 0.0),
            };
            let angle = -TAU * frequency_hz * (delay_s + k / inner_hz);
            window(frequency_hz) * (re * angle.cos() - im * angle.sin())
        })
        .sum();
    2.0 * sum * step_hz / inner_hz
}

/// W(f).
fn window(frequency_hz: f64) -> f64 {
    let rise = (frequency_hz - RISE_HZ[0]) / (RISE_HZ[1] - RISE_HZ[0]);
    let fall = (FALL_HZ[1] - frequency_hz) / (FALL_HZ[1] - FALL_HZ[0]);
    0.5 - 0.5 * (PI * rise.min(fall).clamp(0.0, 1.0)).cos()
}

/// 1/H: with p = (Ω² − Ω₁Ω₂)/((Ω₂ − Ω₁)Ω) and Ω = tan(πf/rate) of the bilinear transform, the
/// second-order Butterworth low-pass at ip is 1/(1 + i√2·p − p²).
fn inverse(frequency_hz: f64, rate_hz: f64) -> (f64, f64) {
    let warp = |f: f64| (PI * f / rate_hz).tan();
    let (low, high, here) = (warp(BAND_HZ[0]), warp(BAND_HZ[1]), warp(frequency_hz));
    let p = (here * here - low * high) / ((high - low) * here);
    (1.0 - p * p, SQRT_2 * p)
}

/// −dφ/dω of the band-pass at its centre, the geometric mean of its corners.
fn group_delay_s(rate_hz: f64) -> f64 {
    // Central difference; its error grows with the square of the step: below 1e-9 s.
    const STEP_HZ: f64 = 1e-3;
    let centre_hz = (BAND_HZ[0] * BAND_HZ[1]).sqrt();
    let phase = |frequency_hz| {
        let (re, im) = inverse(frequency_hz, rate_hz);
        -f64::atan2(im, re)
    };
    -(phase(centre_hz + STEP_HZ) - phase(centre_hz - STEP_HZ)) / (TAU * 2.0 * STEP_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_delay_is_the_analogue_one() {
        // √2·2/(2π·10 Hz) = 45.0 ms for the analogue filter; warping at 4 kHz changes it by less
        // than (π·15/4000)² = 1.4e-4 of itself.
        let analogue_s = 2.0 * SQRT_2 / (TAU * 10.0);
        assert!((group_delay_s(4_000.0) / analogue_s - 1.0).abs() < 1.4e-4);
    }
}
