//! Windows: how to cut a stretch out of a signal without edges.

use std::f64::consts::PI;

use super::band::DesignError;

/// Beyond this a Kaiser window is a spike: side lobes 700 dB down.
const BETA_MAX: f64 = 100.0;

/// The shape of a window; its side lobes, and the width of its main lobe in bins of `rate / len`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Window {
    /// −58 dB, 6 bins.
    Blackman,
    /// −43 dB, 4 bins. The usual one for filters.
    #[default]
    Hamming,
    /// −31 dB and falling quickly, 4 bins. The usual one for spectra.
    Hann,
    /// As `beta` says: 0 is rectangular, 6 about Hann, 8.6 about Blackman.
    Kaiser {
        /// Between 0 and 100.
        beta: f64,
    },
    /// −13 dB, 2 bins: no window at all.
    Rectangular,
}

impl Window {
    /// Whether the window can be computed.
    pub fn check(self) -> Result<(), DesignError> {
        match self {
            Self::Kaiser { beta } if !(0.0..=BETA_MAX).contains(&beta) => {
                Err(DesignError::Beta { beta, max: BETA_MAX })
            }
            _ => Ok(()),
        }
    }

    /// `len` weights, the last like the first: for filters.
    pub fn symmetric(self, len: usize) -> Vec<f64> {
        // From −1 to 1, both included. Mirrored by construction, so the weights are, to the bit.
        let last = len.saturating_sub(1);
        let at = |n: usize| match last {
            0 => 0.0,
            _ => 2.0 * n.min(last - n) as f64 / last as f64 - 1.0,
        };
        (0..len).map(|n| self.weight(at(n))).collect()
    }

    /// `len` weights, the one after the last like the first: for spectra, which take it to repeat.
    pub fn periodic(self, len: usize) -> Vec<f64> {
        let mut weights = self.symmetric(len + 1);
        weights.truncate(len);
        weights
    }

    /// The weight at `x` between −1 and 1.
    fn weight(self, x: f64) -> f64 {
        let cosines =
            |a0: f64, a1: f64, a2: f64| a0 + a1 * (PI * x).cos() + a2 * (2.0 * PI * x).cos();
        match self {
            Self::Blackman => cosines(0.42, 0.5, 0.08),
            Self::Hamming => cosines(0.54, 0.46, 0.0),
            Self::Hann => cosines(0.5, 0.5, 0.0),
            Self::Kaiser { beta } => bessel_i0(beta * (1.0 - x * x).sqrt()) / bessel_i0(beta),
            Self::Rectangular => 1.0,
        }
    }
}

/// The modified Bessel function I0: `Σ ((x / 2)^k / k!)²`. All terms are positive; nothing cancels.
fn bessel_i0(x: f64) -> f64 {
    let quarter_square = 0.25 * x * x;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= quarter_square / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i0_is_that_of_the_tables() {
        // Abramowitz and Stegun, tables 9.8 and 9.11, to ten digits.
        assert!((bessel_i0(1.0) - 1.266_065_878).abs() < 5e-10);
        assert!((bessel_i0(10.0) / 2_815.716_628 - 1.0).abs() < 5e-10);
    }

    #[test]
    fn a_periodic_window_shifted_by_half_adds_up_to_one() {
        let hann = Window::Hann.periodic(64);

        for n in 0..32 {
            // Two cosines of opposite sign, each rounded once.
            assert!((hann[n] + hann[n + 32] - 1.0).abs() < 5e-16, "sample {n}");
        }
    }

    #[test]
    fn one_weight_is_one() {
        for window in [Window::Blackman, Window::Hamming, Window::Kaiser { beta: 8.0 }] {
            assert!((window.symmetric(1)[0] - 1.0).abs() < 5e-16, "{window:?}");
        }
    }

    #[test]
    fn a_kaiser_window_has_a_range() {
        assert!(Window::Kaiser { beta: -1.0 }.check().is_err());
        assert!(Window::Kaiser { beta: f64::NAN }.check().is_err());
        assert_eq!(Window::Kaiser { beta: 100.0 }.check(), Ok(()));
    }
}
