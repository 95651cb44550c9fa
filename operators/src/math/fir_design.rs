//! FIR filters by the window method.
//!
//! The ideal filter is a sum of `sin(x) / x` without end; a window cuts it to length, and the sum
//! is scaled to a gain of exactly 1 in the middle of what passes: `firwin` of SciPy.
//!
//! ```text
//! h[n] = w[n] · Σ over passed bands (f₁ sinc(f₁ m) − f₀ sinc(f₀ m)),   m = n − (N − 1) / 2
//! ```
//!
//! with f in units of half the rate. The filter is symmetric: every frequency is `(N − 1) / 2`
//! samples late.
//!
//! Source: Oppenheim and Schafer, *Discrete-Time Signal Processing*, 3rd edition, section 7.5.

use std::f64::consts::PI;

use super::band::{Band, DesignError};
use super::window::Window;

/// More taps than this are a convolution by FFT, which this is not.
pub const TAPS_MAX: usize = 65_536;

/// The taps of a filter with `taps` taps, first the one for the newest sample.
///
/// A filter that passes half the rate (high-pass, band-stop) needs an odd number of taps.
pub fn design(
    taps: usize,
    band: Band,
    window: Window,
    rate_hz: f64,
) -> Result<Vec<f64>, DesignError> {
    if taps == 0 || taps > TAPS_MAX {
        return Err(DesignError::Taps { taps, max: TAPS_MAX });
    }
    band.check(rate_hz)?;
    window.check()?;
    let passes_nyquist = matches!(band, Band::HighPass { .. } | Band::BandStop { .. });
    if passes_nyquist && taps.is_multiple_of(2) {
        return Err(DesignError::TapsEven { taps });
    }

    let (passed, reference) = passed_bands(band, 0.5 * rate_hz);
    let middle = 0.5 * (taps - 1) as f64;
    let ideal = |m: f64| -> f64 {
        passed.iter().map(|[low, high]| high * sinc(high * m) - low * sinc(low * m)).sum()
    };
    let mut filter = window.symmetric(taps);
    let mut gain = 0.0;
    for (n, tap) in filter.iter_mut().enumerate() {
        let m = n as f64 - middle;
        *tap *= ideal(m);
        gain += *tap * (PI * m * reference).cos();
    }
    // Two taps of a Hann window are 0, of a Blackman window 1e-17. Without a window the gain is
    // about the share of the spectrum that passes, or 1.
    let share: f64 = passed.iter().map(|[low, high]| high - low).sum();
    if gain.abs() <= 1e-12 * share {
        return Err(DesignError::Silent { taps });
    }
    for tap in &mut filter {
        *tap /= gain;
    }
    Ok(filter)
}

/// The stretches of frequency that pass, and the frequency at which the gain shall be 1: the end of
/// the first that is an end of the spectrum, or its middle. In units of half the rate.
fn passed_bands(band: Band, nyquist_hz: f64) -> (Vec<[f64; 2]>, f64) {
    match band {
        Band::LowPass { cutoff_hz } => (vec![[0.0, cutoff_hz / nyquist_hz]], 0.0),
        Band::HighPass { cutoff_hz } => (vec![[cutoff_hz / nyquist_hz, 1.0]], 1.0),
        Band::BandPass { low_hz, high_hz } => {
            let (low, high) = (low_hz / nyquist_hz, high_hz / nyquist_hz);
            (vec![[low, high]], 0.5 * (low + high))
        }
        Band::BandStop { low_hz, high_hz } => {
            (vec![[0.0, low_hz / nyquist_hz], [high_hz / nyquist_hz, 1.0]], 0.0)
        }
    }
}

/// `sin(πx) / (πx)`.
pub(crate) fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    const GOLDEN: &str = include_str!("../../../tests/golden/fir_design.json");

    fn designed(case: &str) -> Vec<f64> {
        let read = |key| golden::numbers(case, key);
        let edges = read("edges_hz");
        let band = match golden::word(case, "kind") {
            "lowpass" => Band::LowPass { cutoff_hz: edges[0] },
            "highpass" => Band::HighPass { cutoff_hz: edges[0] },
            "bandpass" => Band::BandPass { low_hz: edges[0], high_hz: edges[1] },
            "bandstop" => Band::BandStop { low_hz: edges[0], high_hz: edges[1] },
            other => panic!("{other} is no kind of the script"),
        };
        let window = match golden::word(case, "window") {
            "blackman" => Window::Blackman,
            "boxcar" => Window::Rectangular,
            "hamming" => Window::Hamming,
            "hann" => Window::Hann,
            "kaiser" => Window::Kaiser { beta: read("beta")[0] },
            other => panic!("{other} is no window of the script"),
        };
        let taps = read("taps")[0] as usize;
        design(taps, band, window, read("rate_hz")[0]).expect("the script asks for what can be")
    }

    #[test]
    fn every_tap_agrees_with_scipy() {
        for case in golden::cases(GOLDEN) {
            let (got, want) = (designed(case), golden::numbers(case, "filter"));
            assert_eq!(got.len(), want.len(), "{case}");

            for (got, want) in got.iter().zip(want) {
                // The largest angle is π · 100, known to 3e-14; sines of it times a tap below 1,
                // divided by a gain near 1.
                assert!((got - want).abs() < 1e-13, "{got} is not {want} in {case}");
            }
        }
    }

    #[test]
    fn a_filter_is_symmetric_and_of_gain_one_where_it_passes() {
        let band = Band::LowPass { cutoff_hz: 30.0 };
        let filter = design(64, band, Window::default(), 250.0).expect("valid");

        // 64 additions of numbers below 1 / 4.
        assert!((filter.iter().sum::<f64>() - 1.0).abs() < 64.0 * 0.25 * f64::EPSILON);
        for n in 0..32 {
            assert!((filter[n] - filter[63 - n]).abs() < f64::EPSILON, "tap {n}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let high = Band::HighPass { cutoff_hz: 30.0 };
        let refusal = |taps, window| design(taps, high, window, 250.0).expect_err("cannot be");

        assert_eq!(refusal(0, Window::Hann), DesignError::Taps { taps: 0, max: 65_536 });
        assert_eq!(refusal(64, Window::Hann), DesignError::TapsEven { taps: 64 });
        for window in [Window::Hann, Window::Blackman] {
            let two = design(2, Band::LowPass { cutoff_hz: 1e-3 }, window, 250.0);
            assert_eq!(two, Err(DesignError::Silent { taps: 2 }));
        }
        assert_eq!(
            refusal(63, Window::Kaiser { beta: -1.0 }),
            DesignError::Beta { beta: -1.0, max: 100.0 }
        );
    }
}
