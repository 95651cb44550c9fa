//! FIR filters by least squares.
//!
//! Of all symmetric filters with `N = 2 M + 1` taps the one whose gain differs least, in the integral of
//! the weighted square, from 1 where it passes and from 0 where it stops; between both, over the width
//! of the transition, it may do as it likes: `firls` of SciPy.
//!
//! ```text
//! A(f) = a₀ + a₁ cos(πf) + … + a_M cos(πMf),    f in units of half the rate
//! Σ over bands  w ∫ (A(f) − d)² df  least   ⟹   Q a = b,   Q = Toeplitz(q) + Hankel(q)
//! q[n] = Σ w (f₁ sinc(n f₁) − f₀ sinc(n f₀)),   b[n] = Σ w d (f₁ sinc(n f₁) − f₀ sinc(n f₀))
//! ```
//!
//! Source: Selesnick, *Linear-phase FIR filter design by least squares*, Connexions m10577.

use super::band::{Band, DesignError};
use super::fir_design::sinc;

/// The equations cost the cube of half of it.
pub const TAPS_MAX: usize = 2_001;

/// The taps of a filter with an odd number of them. Each edge of the band lies in the middle of a
/// transition; an error where it stops costs `stop_weight` times one where it passes.
///
/// # Errors
///
/// What cannot be.
pub fn design(
    taps: usize,
    band: Band,
    transition_hz: f64,
    stop_weight: f64,
    rate_hz: f64,
) -> Result<Vec<f64>, DesignError> {
    if taps == 0 || taps > TAPS_MAX {
        return Err(DesignError::Taps { taps, max: TAPS_MAX });
    }
    if taps.is_multiple_of(2) {
        return Err(DesignError::TapsEven { taps });
    }
    band.check(rate_hz)?;
    let stretches = stretches(band, transition_hz, 0.5 * rate_hz)?;
    let integral = |n: usize, part: &dyn Fn(bool) -> f64| -> f64 {
        let edge = |f: f64| f * sinc(n as f64 * f);
        stretches
            .iter()
            .map(|([low, high], passes)| part(*passes) * (edge(*high) - edge(*low)))
            .sum()
    };
    let weight = |passes: bool| if passes { 1.0 } else { stop_weight };
    let middle = taps / 2;
    let q: Vec<f64> = (0..taps).map(|n| integral(n, &weight)).collect();
    let mut a: Vec<f64> =
        (0..=middle).map(|n| integral(n, &|passes| f64::from(u8::from(passes)))).collect();
    let mut equations = vec![0.0; (middle + 1) * (middle + 1)];
    for (i, row) in equations.chunks_exact_mut(middle + 1).enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = q[i.abs_diff(j)] + q[i + j];
        }
    }
    solve(&mut equations, &mut a).ok_or(DesignError::Undetermined { taps, transition_hz })?;
    let half = (0..=middle).map(|n| if n == 0 { 2.0 * a[0] } else { a[n] });
    let half: Vec<f64> = half.collect();
    Ok(half.iter().skip(1).rev().chain(&half).copied().collect())
}

/// The stretches between transitions, in units of half the rate, and whether they pass.
fn stretches(
    band: Band,
    transition_hz: f64,
    nyquist_hz: f64,
) -> Result<Vec<([f64; 2], bool)>, DesignError> {
    let (edges, passes_first) = match band {
        Band::LowPass { cutoff_hz } => (vec![cutoff_hz], true),
        Band::HighPass { cutoff_hz } => (vec![cutoff_hz], false),
        Band::BandPass { low_hz, high_hz } => (vec![low_hz, high_hz], false),
        Band::BandStop { low_hz, high_hz } => (vec![low_hz, high_hz], true),
    };
    let mut corners = vec![0.0];
    for edge_hz in edges {
        let half = 0.5 * transition_hz;
        corners.extend([edge_hz - half, edge_hz + half].map(|hz| hz / nyquist_hz));
    }
    corners.push(1.0);
    // Written so that NaN is refused too.
    if !(transition_hz > 0.0 && corners.windows(2).all(|pair| pair[0] < pair[1])) {
        return Err(DesignError::Transition { transition_hz });
    }
    let pairs = corners.chunks_exact(2).enumerate();
    Ok(pairs.map(|(n, pair)| ([pair[0], pair[1]], (n % 2 == 0) == passes_first)).collect())
}

/// Solves symmetric positive definite equations by Cholesky's method, the answer in place of the
/// right side; none if they are not so.
fn solve(matrix: &mut [f64], right: &mut [f64]) -> Option<()> {
    let len = right.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for i in 0..len {
        let (above, here) = matrix.split_at_mut(i * len);
        let row = &mut here[..len];
        for j in 0..i {
            let other = &above[j * len..(j + 1) * len];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let rest = row[i] - dot(&row[..i], &row[..i]);
        // What is left of a number near 1 after its last digit is no pivot.
        if rest.is_nan() || rest <= 1e-15 * row[i].abs() {
            return None;
        }
        row[i] = rest.sqrt();
        right[i] = (right[i] - dot(&row[..i], &right[..i])) / row[i];
    }
    for i in (0..len).rev() {
        right[i] /= matrix[i * len + i];
        for j in 0..i {
            right[j] -= matrix[i * len + j] * right[i];
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    #[test]
    fn every_tap_agrees_with_scipy() {
        for case in golden::cases(include_str!("../../../tests/golden/fir_least_squares.json")) {
            let read = |key| golden::numbers(case, key);
            let edges = read("edges_hz");
            let band = match golden::word(case, "kind") {
                "lowpass" => Band::LowPass { cutoff_hz: edges[0] },
                "highpass" => Band::HighPass { cutoff_hz: edges[0] },
                "bandpass" => Band::BandPass { low_hz: edges[0], high_hz: edges[1] },
                "bandstop" => Band::BandStop { low_hz: edges[0], high_hz: edges[1] },
                other => panic!("{other} is no kind of the script"),
            };
            let one = |key| read(key)[0];
            let taps = one("taps") as usize;
            let got = design(taps, band, one("transition_hz"), one("stop_weight"), one("rate_hz"));
            let (got, want) = (got.expect("it can be"), read("filter"));
            assert_eq!(got.len(), want.len(), "{case}");
            for (got, want) in got.iter().zip(&want) {
                // Both solve with roundings of 1e-16 a row, which grow by the condition at most.
                let allowed = 1e-16 * taps as f64 * one("condition");
                assert!((got - want).abs() < allowed, "{got} is not {want} in {case}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let low = Band::LowPass { cutoff_hz: 40.0 };
        let refusal = |taps, transition_hz| design(taps, low, transition_hz, 1.0, 250.0).err();
        assert_eq!(refusal(64, 5.0), Some(DesignError::TapsEven { taps: 64 }));
        for transition_hz in [0.0, 80.0, f64::NAN] {
            let told = refusal(65, transition_hz);
            assert!(matches!(told, Some(DesignError::Transition { .. })), "{transition_hz}");
        }
        // A wide transition leaves long filters undetermined.
        let told = refusal(1_001, 70.0);
        assert!(matches!(told, Some(DesignError::Undetermined { .. })), "{told:?}");
    }
}
