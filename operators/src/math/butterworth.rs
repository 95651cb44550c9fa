//! Butterworth filters: as flat as can be where they pass.
//!
//! The poles of the analog low-pass filter of 1 rad/s lie evenly on the left half of the unit circle,
//!
//! ```text
//! |H(jw)|² = 1 / (1 + w²ᴺ)
//! ```
//!
//! so that at each edge the power is halved, exactly: `butter(order, edges, fs=rate, output='sos')` of
//! SciPy.
//!
//! Source: Oppenheim and Schafer, *Discrete-Time Signal Processing*, 3rd edition, chapter 7.

use std::f64::consts::PI;

use super::analog::Prototype;
use super::band::{Band, DesignError};
use super::complex::Complex;
use super::iir::{self, Family};
use super::sos::{Root, Section};

/// Beyond this the coefficients are mostly rounding for narrow bands, and nobody hears the gain.
pub const ORDER_MAX: usize = 20;

/// The second-order sections of a Butterworth filter; see [`iir::design`].
///
/// # Errors
///
/// What cannot be.
pub fn design(order: usize, band: Band, rate_hz: f64) -> Result<Vec<Section>, DesignError> {
    iir::design(Family::Butterworth, order, band, rate_hz)
}

/// The low-pass filter of 1 rad/s.
pub(crate) fn prototype(order: usize) -> Prototype {
    Prototype { zeros: Vec::new(), poles: poles(order).collect(), gain: 1.0 }
}

/// Its poles.
pub(crate) fn poles(order: usize) -> impl Iterator<Item = Root> {
    let first = if order % 2 == 1 { 0 } else { 1 };
    (first..order).step_by(2).map(move |m| match m {
        0 => Root::Real(-1.0),
        m => Root::pair(-Complex::unit(PI * m as f64 / (2 * order) as f64)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;
    use crate::math::sos::{group_delay_s, magnitude};

    const GOLDEN: &str = include_str!("../../../tests/golden/butterworth.json");

    fn band(case: &str) -> Band {
        let edges = golden::numbers(case, "edges_hz");
        match golden::word(case, "kind") {
            "lowpass" => Band::LowPass { cutoff_hz: edges[0] },
            "highpass" => Band::HighPass { cutoff_hz: edges[0] },
            "bandpass" => Band::BandPass { low_hz: edges[0], high_hz: edges[1] },
            "bandstop" => Band::BandStop { low_hz: edges[0], high_hz: edges[1] },
            other => panic!("{other} is no kind of the script"),
        }
    }

    fn narrowest_hz(band: Band) -> f64 {
        match band {
            Band::LowPass { cutoff_hz } | Band::HighPass { cutoff_hz } => cutoff_hz,
            Band::BandPass { low_hz, high_hz } | Band::BandStop { low_hz, high_hz } => {
                low_hz.min(high_hz - low_hz)
            }
        }
    }

    fn designed(case: &str) -> (Vec<Section>, f64) {
        let order = golden::numbers(case, "order")[0] as usize;
        let rate_hz = golden::numbers(case, "rate_hz")[0];
        (design(order, band(case), rate_hz).expect("the script asks for what can be"), rate_hz)
    }

    #[test]
    fn every_section_agrees_with_scipy() {
        for case in golden::cases(GOLDEN) {
            let (sections, _) = designed(case);
            let want = golden::numbers(case, "sections");
            assert_eq!(sections.len() * 6, want.len(), "{case}");

            for (section, want) in sections.iter().zip(want.chunks(6)) {
                let got = [section.b.as_slice(), &[1.0], &section.a].concat();
                for (got, want) in got.iter().zip(want) {
                    // Roundings of 1e-16 grow by the ratio of rate and band, 1e5 at most here. A
                    // coefficient that ought to be 0 has the size of a rounding of its neighbours.
                    assert!(
                        (got - want).abs() <= 1e-10 * want.abs() + 1e-15,
                        "{got} {want} {case}"
                    );
                }
            }
        }
    }

    #[test]
    fn magnitude_and_delay_agree_with_scipy() {
        for case in golden::cases(GOLDEN) {
            let (sections, rate_hz) = designed(case);
            let read = |key| golden::numbers(case, key);

            for (n, at_hz) in read("at_hz").into_iter().enumerate() {
                let gain = magnitude(&sections, rate_hz, at_hz);
                let delay_s = group_delay_s(&sections, rate_hz, at_hz);

                // `1 + a1 u + a2 u²` has terms of size 1 and is as small as the square of the
                // narrowest angle, or of `at_hz`; that divides the roundings of 1e-16.
                let angle = 2.0 * PI * at_hz.min(narrowest_hz(band(case))) / rate_hz;
                let tolerance = 1e-14 / angle.min(1.0).powi(2);
                let (want, want_s) = (read("magnitude")[n], read("delay_s")[n]);
                assert!((gain / want - 1.0).abs() < tolerance, "{gain} {want} {case}");
                assert!((delay_s / want_s - 1.0).abs() < tolerance, "{delay_s} {want_s} {case}");
            }
        }
    }

    #[test]
    fn the_power_is_halved_at_every_edge() {
        let sections =
            design(6, Band::BandPass { low_hz: 0.7, high_hz: 35.0 }, 360.0).expect("valid");

        for edge_hz in [0.7, 35.0] {
            // As above: 1e-14 over (2π · 0.7 / 360)².
            let gain = magnitude(&sections, 360.0, edge_hz);
            assert!((gain - 0.5_f64.sqrt()).abs() < 1e-10, "{gain} at {edge_hz} Hz");
        }
    }

    #[test]
    fn the_gain_of_any_order_and_edges_is_that_of_the_formula() {
        let bands = [
            (0.5, 40.0, 1_000.0),
            (0.5, 40.0, 10_000.0),
            (0.05, 150.0, 10_000.0),
            (0.5, 4_999.0, 10_000.0),
            (4_900.0, 4_990.0, 10_000.0),
        ];
        for (low_hz, high_hz, rate_hz) in bands {
            // |H|² = 1 / (1 + ((w² − l h) / (w (h − l)))^2N), all warped: tan(π f / rate).
            let warped = |hz: f64| (PI * hz / rate_hz).tan();
            let (low, high) = (warped(low_hz), warped(high_hz));
            for order in 1..=8 {
                let sections =
                    design(order, Band::BandPass { low_hz, high_hz }, rate_hz).expect("valid");
                for hz in [low_hz, 1.5 * low_hz, (low_hz * high_hz).sqrt(), high_hz] {
                    let hz = hz.min(high_hz);
                    let w = warped(hz);
                    let off = (w * w - low * high) / (w * (high - low));
                    let want = (1.0 + off.powi(2 * order as i32)).sqrt().recip();
                    let gain = magnitude(&sections, rate_hz, hz);
                    // As above, from either end of the spectrum and for every section; at the
                    // least angle, of 0.05 Hz in 10 kHz, that makes 1e-4.
                    let angle = 2.0 * PI * hz.min(0.5 * rate_hz - high_hz).min(low_hz) / rate_hz;
                    let tolerance = 1e-14 * order as f64 / angle.min(1.0).powi(2);
                    let place = format!("{low_hz} to {high_hz} of {rate_hz}, order {order}: {hz}");
                    assert!((gain / want - 1.0).abs() < tolerance, "{place}: {gain} not {want}");
                }
            }
        }
    }

    #[test]
    fn an_order_outside_its_range_is_refused() {
        for order in [0, 21] {
            let refused = design(order, Band::LowPass { cutoff_hz: 1.0 }, 10.0);
            assert_eq!(refused, Err(DesignError::Order { order, max: 20 }));
        }
    }

    #[test]
    fn every_pole_of_the_steepest_filters_is_inside_the_circle() {
        for band in [
            Band::LowPass { cutoff_hz: 2_000.0 },
            Band::HighPass { cutoff_hz: 2_000.0 },
            Band::BandPass { low_hz: 1_000.0, high_hz: 8_000.0 },
            Band::BandStop { low_hz: 1_000.0, high_hz: 8_000.0 },
        ] {
            for section in design(20, band, 48_000.0).expect("valid") {
                // The triangle of stability of a second-order section.
                let [a1, a2] = section.a;
                assert!(a2 < 1.0 && a1.abs() < 1.0 + a2, "{section:?} of {band:?}");
            }
        }
    }
}
