//! Finite filters that come as near as they can to a wanted response.
//!
//! With X the response of what stands in front, D the wanted one and taps g from `first` on,
//!
//! ```text
//! ∫ w(f) |X(f) Σ g(k) exp(i2πfk/rate) − D(f)|² df + λ Σ g(k)²   →   min
//! ```
//!
//! whose normal equations are a Toeplitz system, solved by Levinson's recursion in n² steps.

use std::f64::consts::TAU;

use crate::math::complex::Complex;

/// Most taps.
pub(super) const TAPS_MAX: usize = 96;

/// Points of the integral from 0 to half the rate. It repeats after twice as many samples, far
/// from where the taps end.
const POINTS: usize = 192;

/// λ as part of the mean of w|X|²: far above the rounding of samples in `f32`, 4e-15 of their
/// power, and far below what is to be seen of a QRS complex.
pub(super) const ROUNDING: f64 = 1e-7;

/// What is asked for at one frequency.
pub(super) struct Wish {
    /// X: the response of what stands in front.
    pub(super) given: Complex,
    /// D: the response of both together.
    pub(super) wanted: Complex,
    pub(super) weight: f64,
}

/// Writes the taps, the first for the sample `first` from the one they describe. Gives the share
/// of the wanted energy that is missed.
pub(super) fn design(
    taps: &mut [f32],
    first: i32,
    rate_hz: f64,
    share: f64,
    wish: impl Fn(f64) -> Wish,
) -> f64 {
    let count = taps.len();
    let (mut power, mut product) = ([0.0; TAPS_MAX], [0.0; TAPS_MAX]);
    let mut wanted = 0.0;
    for point in 0..POINTS {
        let frequency_hz = (point as f64 + 0.5) / POINTS as f64 * 0.5 * rate_hz;
        let Wish { given, wanted: want, weight } = wish(frequency_hz);
        wanted += weight * want.norm_squared();
        let step = Complex::unit(TAU * frequency_hz / rate_hz);
        // w|X|² and wX*D, turned by one sample after another.
        let mut even = Complex::new(weight * given.norm_squared(), 0.0);
        let turn = Complex::unit(-TAU * frequency_hz * f64::from(first) / rate_hz);
        let mut odd = (given.conjugate() * want * turn).scale(weight);
        for k in 0..count {
            power[k] += even.re;
            product[k] += odd.re;
            even = even * step;
            odd = odd * step.conjugate();
        }
    }
    let mut solution = [0.0; TAPS_MAX];
    power[0] *= 1.0 + share;
    levinson(&power[..count], &product[..count], &mut solution[..count]);
    let reached: f64 = solution.iter().zip(&product).map(|(tap, y)| tap * y).sum();
    for (tap, value) in taps.iter_mut().zip(solution) {
        *tap = value as f32;
    }
    (1.0 - reached / wanted).max(0.0)
}

/// Σ r(|k − l|) x(l) = y(k) for a positive definite r.
fn levinson(r: &[f64], y: &[f64], x: &mut [f64]) {
    let mut predictor = [0.0; TAPS_MAX];
    predictor[0] = 1.0;
    let mut error = r[0];
    x[0] = y[0] / error;
    for m in 1..y.len() {
        let missed: f64 = (0..m).map(|i| predictor[i] * r[m - i]).sum();
        let reflection = -missed / error;
        let before = predictor;
        for i in 1..=m {
            predictor[i] += reflection * before[m - i];
        }
        error *= 1.0 - reflection * reflection;
        let missed: f64 = (0..m).map(|i| x[i] * r[m - i]).sum();
        let part = (y[m] - missed) / error;
        for i in 0..=m {
            x[i] += part * predictor[m - i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recursion_solves_its_system() {
        let r: Vec<f64> = (0..40).map(|k| 0.9_f64.powi(k) + f64::from(u8::from(k == 0))).collect();
        let y: Vec<f64> = (0..40).map(|k| f64::from(k % 7) - 3.0).collect();
        let mut x = vec![0.0; 40];
        levinson(&r, &y, &mut x);
        for k in 0..40_usize {
            let sum: f64 = (0..40).map(|l| r[k.abs_diff(l)] * x[l]).sum();
            // Eigenvalues lie between 1 and 20: 40 roundings of numbers up to 20.
            assert!((sum - y[k]).abs() < 1e-12, "row {k}: {sum} is not {}", y[k]);
        }
    }

    #[test]
    fn a_delay_is_undone_exactly() {
        let mut taps = [0.0; 9];
        let missed = design(&mut taps, -4, 100.0, 0.0, |hz| Wish {
            given: Complex::unit(-TAU * hz * 3.0 / 100.0),
            wanted: Complex::new(1.0, 0.0),
            weight: 1.0,
        });
        // The sample three later, at position 4 + 3.
        let want = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        // One rounding of `f32`, and 192 of `f64`.
        assert!(taps.iter().zip(want).all(|(tap, want)| (tap - want).abs() < 1e-6), "{taps:?}");
        assert!(missed < 1e-12, "{missed}");
    }
}
