//! How high R stands in the recording.
//!
//! The equalized signal has lost what is slow, and with it up to half of a narrow R. It has not
//! lost the height over what came just before: in that difference slow parts cancel. So a second
//! finite filter gives, from the equalized signal around R, the recording at R less its mean over
//! 40 ms around 80 ms earlier, which for most hearts is the isoelectric PQ segment
//! (`least_squares`, weighted as a QRS complex is).

use std::f64::consts::{PI, TAU};

use super::least_squares::{TAPS_MAX, Wish, design};
use super::wave::Around;
use crate::math::complex::Complex;

/// Middle and length of the baseline, before R.
const BASELINE_S: f64 = 0.080;
const BASELINE_LENGTH_S: f64 = 0.040;

/// Where the taps begin and end, relative to R.
const BEHIND_S: f64 = 0.25;
const AHEAD_S: f64 = 0.10;

/// A bell of this width (standard deviation) has about the spectrum of an R wave. A fiftieth is
/// added for what is sharper.
const BELL_S: f64 = 0.010;
const SHARPER: f64 = 0.02;

/// Noise is amplified threefold with this part of it allowed for, and twice as much with a tenth.
const NOISE: f64 = 1e-3;

#[derive(Clone, Debug)]
pub(super) struct Height {
    taps: [f32; TAPS_MAX],
    first: i32,
    count: usize,
}

impl Height {
    /// Behind an equalizer that has this response to the recording; of every inner sample
    /// `decimation` of the input were averaged.
    pub(super) fn new(inner_hz: f64, decimation: u32, seen: impl Fn(f64) -> Complex) -> Self {
        let first = -(BEHIND_S * inner_hz).round() as i32;
        let count = ((AHEAD_S * inner_hz).round() as i32 - first) as usize + 1;
        let mut taps = [0.0; TAPS_MAX];
        design(&mut taps[..count], first, inner_hz, NOISE, |hz| {
            let bell = (-(TAU * hz * BELL_S).powi(2)).exp();
            let before = Complex::unit(-TAU * hz * BASELINE_S);
            let one = Complex::new(1.0, 0.0);
            Wish {
                given: seen(hz).scale(averaged(hz, inner_hz, decimation)),
                wanted: one - before.scale(sinc(hz * BASELINE_LENGTH_S)),
                weight: bell + SHARPER,
            }
        });
        Self { taps, first, count }
    }

    /// At a part of a sample from position `r`.
    pub(super) fn at(&self, around: &Around, r: i32, part: f32) -> f32 {
        let taps = &self.taps[..self.count];
        let [before, here, after] =
            [-1, 0, 1].map(|shift| around.product(r + shift + self.first, taps));
        here + 0.5 * part * (after - before) + 0.5 * part * part * (before - 2.0 * here + after)
    }
}

/// sin(πx)/(πx)
fn sinc(x: f64) -> f64 {
    let angle = PI * x;
    if angle == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// The response of averaging.
fn averaged(frequency_hz: f64, inner_hz: f64, decimation: u32) -> f64 {
    let x = frequency_hz / inner_hz;
    sinc(x) / sinc(x / f64::from(decimation))
}
