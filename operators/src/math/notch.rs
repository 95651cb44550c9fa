//! A notch: one frequency is removed, those beside it stay.
//!
//! ```text
//!                  1 − 2 cos(w) z⁻¹ + z⁻²
//! H(z) = g · ───────────────────────────────────,   g = 1 / (1 + tan(w / 2Q)),  w = 2π hz / rate
//!             1 − 2 g cos(w) z⁻¹ + (2g − 1) z⁻²
//! ```
//!
//! The power is halved at two frequencies that lie `hz / Q` apart. `iirnotch` of SciPy.
//!
//! Source: Orfanidis, *Introduction to Signal Processing*, section 11.3.

use std::f64::consts::PI;

use super::band::{Band, DesignError};
use super::sos::Section;

/// The section that removes `notch_hz`, with `q` the quotient of that and its width.
pub fn design(notch_hz: f64, q: f64, rate_hz: f64) -> Result<Section, DesignError> {
    Band::LowPass { cutoff_hz: notch_hz }.check(rate_hz)?;
    // The width in radians is below π if Q is above twice the frequency over the rate: 1 at most.
    if !(q.is_finite() && q > 2.0 * notch_hz / rate_hz) {
        return Err(DesignError::Quality { q, min: 2.0 * notch_hz / rate_hz });
    }
    let w = 2.0 * PI * notch_hz / rate_hz;
    let gain = 1.0 / (1.0 + (0.5 * w / q).tan());
    let middle = -2.0 * w.cos();
    Ok(Section { b: [gain, gain * middle, gain], a: [gain * middle, 2.0 * gain - 1.0] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    #[test]
    fn the_section_is_scipys() {
        for case in golden::cases(include_str!("../../../tests/golden/notch.json")) {
            let read = |key| golden::numbers(case, key);
            let section =
                design(read("notch_hz")[0], read("q")[0], read("rate_hz")[0]).expect("valid");
            let got = [section.b.as_slice(), &[1.0], &section.a].concat();
            for (got, want) in got.iter().zip(read("section")) {
                // Numbers up to 2 from a cosine, a tangent and four operations.
                assert!((got - want).abs() < 4e-15, "{got} is not {want} in {case}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(matches!(design(125.0, 30.0, 250.0), Err(DesignError::EdgeOutside { .. })));
        assert_eq!(design(50.0, 0.4, 250.0), Err(DesignError::Quality { q: 0.4, min: 0.4 }));
        assert!(design(50.0, f64::NAN, 250.0).is_err());
    }
}
