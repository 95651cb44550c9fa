//! Savitzky–Golay filters: a polynomial through a window by least squares, or its derivative.
//!
//! The value at place `pos` of the polynomial that fits `window_length` samples best is a weighted sum
//! of them; the weights are the taps. `savgol_coeffs(window_length, polyorder, deriv, delta, pos)` of
//! SciPy. Computed with polynomials that are orthogonal on the window (Forsythe 1957), which stay
//! apart where powers of the place become alike.
//!
//! Source: Savitzky and Golay, *Analytical Chemistry* 36, 1964.

use super::band::DesignError;
use super::fir_design::TAPS_MAX;

/// What is fitted, and what is told of the fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Samples it is fitted to.
    pub window_length: usize,
    /// Degree of the polynomial, less than that.
    pub polyorder: usize,
    /// Which derivative is told; 0 is the value.
    pub deriv: usize,
    /// Time from one sample to the next.
    pub delta: f64,
    /// Where it is told: in samples from the oldest of the window.
    pub pos: f64,
}

/// The taps, first the one for the newest sample.
///
/// # Errors
///
/// If there is no such fit.
pub fn design(fit: Fit) -> Result<Vec<f64>, DesignError> {
    let Fit { window_length, polyorder, deriv, delta, pos } = fit;
    if window_length == 0 || window_length > TAPS_MAX {
        return Err(DesignError::Taps { taps: window_length, max: TAPS_MAX });
    }
    if polyorder >= window_length {
        return Err(DesignError::Order { order: polyorder, max: window_length - 1 });
    }
    // Places in units of half the window, so that no power of them is large.
    let scale = 0.5 * window_length as f64;
    let places: Vec<f64> = (0..window_length).rev().map(|n| (n as f64 - pos) / scale).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();

    // Each polynomial by its values on the window, and by its derivatives at `pos`.
    let mut before = (vec![0.0; window_length], vec![0.0; deriv + 1]);
    let mut now = (vec![1.0; window_length], vec![0.0; deriv + 1]);
    now.1[0] = 1.0;
    let mut norm_before = 1.0;
    let mut taps = vec![0.0; window_length];
    for order in 0..=polyorder {
        let norm = dot(&now.0, &now.0);
        let share = now.1[deriv] / norm;
        for (tap, value) in taps.iter_mut().zip(&now.0) {
            *tap += share * value;
        }
        let weighted: Vec<f64> = now.0.iter().zip(&places).map(|(p, x)| p * x).collect();
        let middle = dot(&weighted, &now.0) / norm;
        let back = if order == 0 { 0.0 } else { norm / norm_before };
        let values = (0..window_length)
            .map(|n| weighted[n] - middle * now.0[n] - back * before.0[n])
            .collect();
        let derivatives = (0..=deriv)
            .map(|d| {
                let risen = if d == 0 { 0.0 } else { d as f64 * now.1[d - 1] };
                risen - middle * now.1[d] - back * before.1[d]
            })
            .collect();
        before = std::mem::replace(&mut now, (values, derivatives));
        norm_before = norm;
    }
    let unit = (scale * delta).powi(deriv as i32).recip();
    taps.iter_mut().for_each(|tap| *tap *= unit);
    Ok(taps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    #[test]
    fn every_tap_agrees_with_scipy() {
        for case in golden::cases(include_str!("../../../tests/golden/savgol.json")) {
            let read = |key| golden::numbers(case, key);
            let whole = |key| read(key)[0] as usize;
            let fit = Fit {
                window_length: whole("window_length"),
                polyorder: whole("polyorder"),
                deriv: whole("deriv"),
                delta: read("delta")[0],
                pos: read("pos")[0],
            };
            let (got, want) = (design(fit).expect("it can be"), read("taps"));
            assert_eq!(got.len(), want.len(), "{case}");
            let largest = want.iter().fold(0.0_f64, |most, tap| most.max(tap.abs()));
            for (got, want) in got.iter().zip(&want) {
                // The script solves with fifty digits; ours are sums of `window_length` products for
                // each of `polyorder` polynomials.
                let roundings = (fit.window_length * (fit.polyorder + 1)) as f64;
                let allowed = roundings * f64::EPSILON * largest;
                assert!((got - want).abs() <= allowed, "{got} {want} {case}");
            }
        }
    }

    #[test]
    fn a_polynomial_is_its_own_fit() {
        let fit = Fit { window_length: 9, polyorder: 3, deriv: 1, delta: 0.1, pos: 8.0 };
        let taps = design(fit).expect("valid");
        let at = |n: usize| n as f64 * 0.1;
        let cube = |n: usize| at(n).powi(3) - 2.0 * at(n);
        let got: f64 = taps.iter().enumerate().map(|(n, tap)| tap * cube(8 - n)).sum();
        // Nine products below 10.
        assert!((got - (3.0 * 0.64 - 2.0)).abs() < 1e-13, "{got}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let fit = Fit { window_length: 5, polyorder: 5, deriv: 0, delta: 1.0, pos: 2.0 };
        assert_eq!(design(fit), Err(DesignError::Order { order: 5, max: 4 }));
        assert!(design(Fit { window_length: 0, ..fit }).is_err());
    }
}
