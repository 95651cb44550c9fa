//! Mel bands: frequencies as far apart as they sound.
//!
//! Two scales are in use. HTK's is logarithmic throughout; Slaney's (of his Auditory Toolbox, librosa's
//! default) is linear below 1 kHz:
//!
//! ```text
//! HTK      mel = 2595 · log10(1 + f / 700)
//! Slaney   mel = 3 f / 200 below 1 kHz,  15 + 27 · ln(f / 1000) / ln 6.4 above
//! ```
//!
//! Bands are triangles: each rises from the middle of the one below to its own and falls to that of
//! the one above.

use std::f64::consts::PI;

/// Which scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// That of the Hidden Markov Model Toolkit.
    Htk,
    /// That of Slaney's Auditory Toolbox.
    Slaney,
}

/// Where Slaney's scale becomes logarithmic, in hertz and in mel, and its steps there.
const BREAK_HZ: f64 = 1_000.0;
const BREAK_MEL: f64 = 15.0;
const STEPS: f64 = 27.0;
/// The natural logarithm of 6.4.
const LN_RANGE: f64 = 1.856_297_990_365_626;

impl Scale {
    /// The mel of a frequency.
    pub fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2_595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < BREAK_HZ => hz * BREAK_MEL / BREAK_HZ,
            Self::Slaney => BREAK_MEL + STEPS * (hz / BREAK_HZ).ln() / LN_RANGE,
        }
    }

    /// The frequency of a mel.
    pub fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2_595.0) - 1.0),
            Self::Slaney if mel < BREAK_MEL => mel * BREAK_HZ / BREAK_MEL,
            Self::Slaney => BREAK_HZ * ((mel - BREAK_MEL) * LN_RANGE / STEPS).exp(),
        }
    }
}

/// Triangles over the bins of a power spectrum, librosa's `filters.mel`.
#[derive(Clone, Debug)]
pub struct MelBank {
    /// For each band the first bin with a weight and the weights' place in `weights`.
    bands: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<f64>,
}

impl MelBank {
    /// `bands` triangles from `low_hz` to `high_hz` over bins `bin_hz` apart. With `is_even` every
    /// triangle has the same area, 1 in hertz (librosa's `norm="slaney"`), else the same height, 1.
    pub fn new(
        scale: Scale,
        bands: usize,
        (low_hz, high_hz): (f64, f64),
        (bins, bin_hz): (usize, f64),
        is_even: bool,
    ) -> Self {
        let (low, high) = (scale.mel(low_hz), scale.mel(high_hz));
        let edge = |n: usize| scale.hz(low + (high - low) * n as f64 / (bands + 1) as f64);
        let mut this = Self { bands: Vec::with_capacity(bands), weights: Vec::new() };
        for band in 0..bands {
            let [from, middle, to] = [0, 1, 2].map(|n| edge(band + n));
            let area = if is_even { 2.0 / (to - from) } else { 1.0 };
            let weight = |bin: usize| {
                let hz = bin as f64 * bin_hz;
                let rising = (hz - from) / (middle - from);
                area * rising.min((to - hz) / (to - middle)).max(0.0)
            };
            let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            let begin = this.weights.len();
            this.weights.extend((first..bins).map(weight).take_while(|weight| *weight > 0.0));
            this.bands.push((first, begin..this.weights.len()));
        }
        this
    }

    /// Bands that no bin falls into: the spectrum is too coarse for them.
    pub fn empty(&self) -> usize {
        self.bands.iter().filter(|(_, weights)| weights.is_empty()).count()
    }

    /// The weighted sums of a power spectrum.
    ///
    /// # Panics
    /// If the spectrum has fewer bins than were said.
    pub fn apply(&self, spectrum: &[f64], values: &mut [f64]) {
        for (value, (first, weights)) in values.iter_mut().zip(&self.bands) {
            let weights = &self.weights[weights.clone()];
            let powers = &spectrum[*first..][..weights.len()];
            *value = dot(weights, powers);
        }
    }
}

/// The sum of products, in four parts that need not wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = last_a.iter().zip(last_b).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// The first `count` rows of the discrete cosine transform (type II) of `len` numbers, orthonormal:
///
/// ```text
/// c[k] = √((1 or 2) / N) · Σ x[n] · cos(π k (n + ½) / N)
/// ```
#[derive(Clone, Debug)]
pub struct Cosines {
    len: usize,
    rows: Vec<f64>,
}

impl Cosines {
    /// With row k multiplied by `lift(k)`.
    pub fn new(len: usize, count: usize, lift: impl Fn(usize) -> f64) -> Self {
        let row = |k: usize| {
            let norm = (if k == 0 { 1.0 } else { 2.0 } / len as f64).sqrt() * lift(k);
            (0..len).map(move |n| norm * (PI * k as f64 * (n as f64 + 0.5) / len as f64).cos())
        };
        Self { len, rows: (0..count).flat_map(row).collect() }
    }

    /// The transform of `input`.
    pub fn apply(&self, input: &[f64], output: &mut [f32]) {
        for (value, row) in output.iter_mut().zip(self.rows.chunks_exact(self.len)) {
            *value = dot(row, input) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_meet_at_a_kilohertz_and_go_both_ways() {
        // Both were made so: 1 kHz is 1000 mel of HTK's, 15 of Slaney's.
        assert!((Scale::Htk.mel(1_000.0) - 1_000.0).abs() < 0.02);
        assert_eq!(Scale::Slaney.mel(1_000.0), 15.0);
        assert!((LN_RANGE - 6.4f64.ln()).abs() < 1e-15);
        for scale in [Scale::Htk, Scale::Slaney] {
            for hz in [0.0, 20.0, 999.9, 1_000.0, 7_999.0, 20_000.0] {
                // Logarithm and power, each rounded, of numbers up to 1e4.
                assert!((scale.hz(scale.mel(hz)) - hz).abs() < 1e-10, "{scale:?} {hz}");
            }
        }
    }

    #[test]
    fn a_cosine_has_one_coefficient() {
        let cosines = Cosines::new(16, 8, |_| 1.0);
        let input: Vec<f64> =
            (0..16).map(|n| (PI * 3.0 * (f64::from(n) + 0.5) / 16.0).cos()).collect();
        let mut output = [0.0; 8];
        cosines.apply(&input, &mut output);
        for (k, value) in output.into_iter().enumerate() {
            // Its length: √(16 / 2).
            let want = if k == 3 { 8f32.sqrt() } else { 0.0 };
            assert!((value - want).abs() < 1e-6, "{k}: {value}");
        }
    }
}
