//! How much of a sine of known frequency is in unevenly spaced numbers: least squares, one by one.

use super::state::{State, StateError};

/// Fits `offset + b cos φ + c sin φ` to numbers at phases φ. Values near zero lose the fewest
/// digits: take a typical one off first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SineFit {
    /// How many; sums of cos, sin, cos², sin², cos sin; of the value, and with cos and sin.
    sums: [f64; 9],
}

impl SineFit {
    /// Takes in a value at a phase in radians.
    pub fn push(&mut self, phase: f64, value: f64) {
        let (sin, cos) = phase.sin_cos();
        let terms =
            [1.0, cos, sin, cos * cos, sin * sin, cos * sin, value, value * cos, value * sin];
        self.sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }

    /// How many values were taken in.
    pub fn count(&self) -> f64 {
        self.sums[0]
    }

    /// √(b² + c²); `None` where the phases do not tell offset, cosine and sine apart.
    pub fn amplitude(&self) -> Option<f64> {
        let [n, c, s, cc, ss, cs, v, vc, vs] = self.sums;
        // About the means, what is left are two equations.
        let (cc, ss, cs) = (cc - c * c / n, ss - s * s / n, cs - c * s / n);
        let (vc, vs) = (vc - v * c / n, vs - v * s / n);
        let determinant = cc * ss - cs * cs;
        // Of evenly spread phases it is (n / 2)².
        if determinant.is_nan() || determinant <= 1e-6 * n * n {
            return None;
        }
        let b = (vc * ss - vs * cs) / determinant;
        let c = (vs * cc - vc * cs) / determinant;
        Some(b.hypot(c))
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.sums.iter_mut().try_for_each(|sum| state.f64(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_at_uneven_phases_is_found_with_its_amplitude() {
        let mut fit = SineFit::default();
        for n in 0..40_usize {
            let phase = 0.7 * n as f64 + ((n * n) % 7) as f64 * 0.1;
            fit.push(phase, 5.0 + 3.0 * phase.cos() - 4.0 * phase.sin());
        }
        // Some forty terms below 10, rounded to 16 digits.
        assert!((fit.amplitude().expect("many phases") - 5.0).abs() < 1e-12);
    }

    #[test]
    fn two_phases_do_not_make_a_sine() {
        let mut fit = SineFit::default();
        assert_eq!(fit.amplitude(), None);
        for n in 0..10 {
            fit.push(f64::from(n % 2) * 0.3, f64::from(n));
        }
        assert_eq!(fit.amplitude(), None);
    }
}
