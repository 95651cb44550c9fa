//! Recursive filters of five families, as second-order sections.
//!
//! | family | where it passes | where it stops | at the edge |
//! |---|---|---|---|
//! | Butterworth | flat | falls | −3 dB |
//! | Chebyshev I | ripples | falls, steeper | −ripple |
//! | Chebyshev II | flat | ripples | −attenuation |
//! | elliptic | ripples | ripples, the steepest | −ripple |
//! | Bessel | keeps the shape of waves | falls | half the phase |
//!
//! `iirfilter(order, edges, rp, rs, btype, ftype=family, fs=rate, output="sos")` of SciPy, section by
//! section. See `butterworth`, `chebyshev`,
//! `elliptic` and `bessel` for the formulas.

use std::fmt;

use super::band::{Band, DesignError};
use super::butterworth::{self, ORDER_MAX};
use super::sos::Section;
use super::{bessel, chebyshev, elliptic};

/// A family of filters, with how far its gain may be from 1 where it passes, and how far down it
/// must be where it stops, both in decibels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// As flat as can be where it passes.
    Butterworth,
    /// Ripples where it passes.
    Chebyshev1 {
        /// From the largest gain to the least.
        ripple_db: f64,
    },
    /// Ripples where it stops.
    Chebyshev2 {
        /// The least.
        attenuation_db: f64,
    },
    /// Ripples on both sides.
    Elliptic {
        /// From the largest gain to the least.
        ripple_db: f64,
        /// The least; more than the ripple.
        attenuation_db: f64,
    },
    /// Delays all that passes alike.
    Bessel,
}

impl Family {
    fn check(self) -> Result<(), DesignError> {
        let is_db = |db: f64| db > 0.0 && db <= 300.0;
        let holds = match self {
            Self::Butterworth | Self::Bessel => true,
            Self::Chebyshev1 { ripple_db: db } | Self::Chebyshev2 { attenuation_db: db } => {
                is_db(db)
            }
            Self::Elliptic { ripple_db, attenuation_db } => {
                is_db(ripple_db) && is_db(attenuation_db) && ripple_db < attenuation_db
            }
        };
        if holds { Ok(()) } else { Err(DesignError::Decibels { family: self }) }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Butterworth => f.write_str("Butterworth"),
            Self::Chebyshev1 { ripple_db } => {
                write!(f, "Chebyshev I (ripple {ripple_db} dB)")
            }
            Self::Chebyshev2 { attenuation_db } => {
                write!(f, "Chebyshev II (attenuation {attenuation_db} dB)")
            }
            Self::Elliptic { ripple_db, attenuation_db } => {
                write!(f, "elliptic (ripple {ripple_db} dB, attenuation {attenuation_db} dB)")
            }
            Self::Bessel => f.write_str("Bessel"),
        }
    }
}

/// The second-order sections of a filter, in the order in which samples pass them.
///
/// `order` is that of the low-pass filter behind it: band-pass and band-stop filters have twice as
/// many poles. A low- or high-pass filter has `order / 2` sections, rounded up, the others `order`.
///
/// # Errors
///
/// What cannot be.
pub fn design(
    family: Family,
    order: usize,
    band: Band,
    rate_hz: f64,
) -> Result<Vec<Section>, DesignError> {
    if order == 0 || order > ORDER_MAX {
        return Err(DesignError::Order { order, max: ORDER_MAX });
    }
    band.check(rate_hz)?;
    family.check()?;
    let prototype = match family {
        Family::Butterworth => butterworth::prototype(order),
        Family::Chebyshev1 { ripple_db } => chebyshev::type_1(order, ripple_db),
        Family::Chebyshev2 { attenuation_db } => chebyshev::type_2(order, attenuation_db),
        Family::Elliptic { ripple_db, attenuation_db } => {
            elliptic::prototype(order, ripple_db, attenuation_db)
        }
        Family::Bessel => bessel::prototype(order),
    };
    Ok(prototype.sections(band, rate_hz))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::math::{
        complex::Complex,
        golden,
        sos::{Root, group_delay_s, magnitude, settled},
    };

    const GOLDEN: &str = include_str!("../../../tests/golden/iir.json");

    struct Case {
        family: Family,
        order: usize,
        band: Band,
        rate_hz: f64,
        text: &'static str,
    }

    fn cases() -> impl Iterator<Item = Case> {
        golden::cases(GOLDEN).map(|text| {
            let read = |key| golden::numbers(text, key);
            let (ripple_db, attenuation_db) = (read("ripple_db")[0], read("attenuation_db")[0]);
            let edges = read("edges_hz");
            let family = match golden::word(text, "family") {
                "cheby1" => Family::Chebyshev1 { ripple_db },
                "cheby2" => Family::Chebyshev2 { attenuation_db },
                "ellip" => Family::Elliptic { ripple_db, attenuation_db },
                "bessel" => Family::Bessel,
                other => panic!("{other} is no family of the script"),
            };
            let band = match golden::word(text, "kind") {
                "lowpass" => Band::LowPass { cutoff_hz: edges[0] },
                "highpass" => Band::HighPass { cutoff_hz: edges[0] },
                "bandpass" => Band::BandPass { low_hz: edges[0], high_hz: edges[1] },
                "bandstop" => Band::BandStop { low_hz: edges[0], high_hz: edges[1] },
                other => panic!("{other} is no kind of the script"),
            };
            let (order, rate_hz) = (read("order")[0] as usize, read("rate_hz")[0]);
            Case { family, order, band, rate_hz, text }
        })
    }

    impl Case {
        fn sections(&self) -> Vec<Section> {
            design(self.family, self.order, self.band, self.rate_hz).expect("it can be")
        }

        /// The smallest angle between a pole and a zero or the real axis, about: what divides
        /// roundings. Edges and distances between them, in radians, by the order.
        fn angle(&self) -> f64 {
            let narrowest_hz = match self.band {
                Band::LowPass { cutoff_hz } | Band::HighPass { cutoff_hz } => cutoff_hz,
                Band::BandPass { low_hz, high_hz } | Band::BandStop { low_hz, high_hz } => {
                    low_hz.min(high_hz - low_hz)
                }
            };
            (2.0 * PI * narrowest_hz / self.rate_hz / self.order as f64).min(1.0)
        }
    }

    #[test]
    fn poles_are_those_of_scipy_or_of_fifty_digits() {
        for case in cases() {
            let order = case.order;
            let prototype = match case.family {
                Family::Butterworth => butterworth::prototype(order),
                Family::Chebyshev1 { ripple_db } => chebyshev::type_1(order, ripple_db),
                Family::Chebyshev2 { attenuation_db } => chebyshev::type_2(order, attenuation_db),
                Family::Elliptic { ripple_db, attenuation_db } => {
                    elliptic::prototype(order, ripple_db, attenuation_db)
                }
                Family::Bessel => bessel::prototype(order),
            };
            let mut got: Vec<_> = prototype.poles.iter().map(|pole| pole.value()).collect();
            got.sort_by(|a, b| a.im.total_cmp(&b.im));
            let want = golden::numbers(case.text, "poles");
            assert_eq!(2 * got.len(), want.len(), "{}", case.text);
            for (got, want) in got.iter().zip(want.chunks(2)) {
                let off = (got.re - want[0]).hypot(got.im - want[1]) / want[0].hypot(want[1]);
                // Closed forms and theta series: some ten roundings of 1e-16. A zero of a polynomial
                // is off by the roundings of its value, one per term of the recursion, over its slope.
                let rounding = 1e-16 * order as f64;
                let allowed = match case.family {
                    Family::Bessel => rounding * (1.0 + condition(order, *got, &prototype.poles)),
                    _ => 10.0 * rounding,
                };
                assert!(off < allowed, "{got:?} is not {want:?} by {off:e} in {}", case.text);
            }
        }
    }

    /// The reverse Bessel polynomial with all signs positive, over its slope times the pole.
    fn condition(order: usize, pole: Complex, poles: &[Root]) -> f64 {
        let scale: f64 =
            (1..=order).map(|n| ((2 * n - 1) as f64).powf(1.0 / order as f64)).product();
        let size = pole.norm() * scale;
        let (mut before, mut now) = (1.0, 1.0 + size);
        for n in 2..=order {
            (before, now) = (now, (2 * n - 1) as f64 * now + size * size * before);
        }
        let others = poles.iter().flat_map(|root| match root {
            Root::Pair(upper) => vec![*upper, upper.conjugate()],
            Root::Real(_) => vec![root.value()],
        });
        let slope: f64 = others
            .map(|other| (other - pole).norm() * scale)
            .filter(|apart| *apart > 1e-9)
            .product();
        now / (slope * size)
    }

    #[test]
    fn every_section_agrees_with_scipy() {
        for case in cases() {
            let (sections, want) = (case.sections(), golden::numbers(case.text, "sections"));
            assert_eq!(sections.len() * 6, want.len(), "{}", case.text);
            for (section, want) in sections.iter().zip(want.chunks(6)) {
                let got = [section.b.as_slice(), &[1.0], &section.a].concat();
                for (got, want) in got.iter().zip(want) {
                    // Poles of SciPy are good to 1e-13 (Bessel, by Newton's method); near a real axis
                    // that is divided by the angle. A coefficient that ought to be 0 has the size of
                    // a rounding of its neighbours.
                    let allowed = 1e-13 / case.angle() * want.abs() + 1e-15;
                    assert!((got - want).abs() <= allowed, "{got} {want} {}", case.text);
                }
            }
        }
    }

    #[test]
    fn magnitude_and_delay_agree_with_scipy() {
        for case in cases() {
            let sections = case.sections();
            let read = |key| golden::numbers(case.text, key);
            for (n, at_hz) in read("at_hz").into_iter().enumerate() {
                let gain = magnitude(&sections, case.rate_hz, at_hz);
                let delay_s = group_delay_s(&sections, case.rate_hz, at_hz);
                let (want, want_s) = (read("magnitude")[n], read("delay_s")[n]);
                // As for the sections, where polynomials are as small as the square of the angle.
                let allowed = 1e-13 / case.angle().powi(2);
                assert!((gain / want - 1.0).abs() < allowed, "{gain} {want} {}", case.text);
                assert!(
                    (delay_s / want_s - 1.0).abs() < allowed,
                    "{delay_s} {want_s} {}",
                    case.text
                );
            }
        }
    }

    #[test]
    fn the_state_of_a_settled_filter_is_scipys() {
        for case in cases() {
            let got = settled(&case.sections());
            let want = golden::numbers(case.text, "settled");
            let largest = want.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
            for (got, want) in got.as_flattened().iter().zip(&want) {
                // The gain for constants is a quotient of sums as small as the square of the angle.
                let allowed = 1e-13 / case.angle().powi(2) * largest;
                assert!((got - want).abs() <= allowed, "{got} {want} {}", case.text);
            }
        }
    }

    #[test]
    fn gains_lie_where_the_family_promises_them() {
        let (ripple_db, attenuation_db) = (0.5, 40.0);
        let (edge_hz, rate_hz) = (40.0, 250.0);
        let decibels = |sections: &[Section], hz| 20.0 * magnitude(sections, rate_hz, hz).log10();
        for order in 1..=ORDER_MAX {
            let low = |family| {
                design(family, order, Band::LowPass { cutoff_hz: edge_hz }, rate_hz).expect("valid")
            };
            let grid = |from: f64, to: f64| {
                (0..=400).map(move |n| from + (to - from) * f64::from(n) / 400.0)
            };
            // Roundings of 1e-16 over the square of the smallest angle, 1 / order: 1e-12 dB.
            let one = low(Family::Chebyshev1 { ripple_db });
            let passed: Vec<f64> = grid(0.0, edge_hz).map(|hz| decibels(&one, hz)).collect();
            assert!(passed.iter().all(|db| (-ripple_db - 1e-9..=1e-9).contains(db)), "I, {order}");
            assert!((decibels(&one, edge_hz) + ripple_db).abs() < 1e-9, "I, {order}");

            let two = low(Family::Chebyshev2 { attenuation_db });
            let stopped = grid(edge_hz, 124.0).map(|hz| decibels(&two, hz));
            assert!(stopped.clone().all(|db| db <= -attenuation_db + 1e-9), "II, {order}");
            assert!((decibels(&two, edge_hz) + attenuation_db).abs() < 1e-9, "II, {order}");

            let elliptic = low(Family::Elliptic { ripple_db, attenuation_db });
            let mut passed = grid(0.0, edge_hz).map(|hz| decibels(&elliptic, hz));
            assert!(passed.all(|db| (-ripple_db - 1e-9..=1e-9).contains(&db)), "elliptic, {order}");
            assert!((decibels(&elliptic, edge_hz) + ripple_db).abs() < 1e-9, "elliptic, {order}");
            // It is as steep as Chebyshev I or steeper, and never comes back above the attenuation.
            let first = grid(edge_hz, 124.0).find(|hz| decibels(&elliptic, *hz) <= -attenuation_db);
            if let Some(first) = first {
                let mut stopped = grid(first, 124.0).map(|hz| decibels(&elliptic, hz));
                assert!(stopped.all(|db| db <= -attenuation_db + 1e-9), "elliptic, {order}");
                assert!(decibels(&one, first) >= -attenuation_db - 1e-9, "elliptic, {order}");
            }
        }
    }

    #[test]
    fn a_bessel_filter_delays_what_passes_alike() {
        // Analog, the delay falls as 1 − w²ᴺ |H|² from that of constants, with w = 1 at the edge. A cutoff
        // a thousand times below the rate bends frequencies by (π / 1000)² / 3.
        let (cutoff_hz, rate_hz) = (10.0, 10_000.0);
        for order in 1..=10 {
            let low = design(Family::Bessel, order, Band::LowPass { cutoff_hz }, rate_hz);
            let low = low.expect("valid");
            let at_zero_s = group_delay_s(&low, rate_hz, 1e-6);
            for hz in [1.0, 3.0, 6.0, 10.0, 15.0] {
                let power = magnitude(&low, rate_hz, hz).powi(2);
                let want = 1.0 - (hz / cutoff_hz).powi(2 * order as i32) * power;
                let got = group_delay_s(&low, rate_hz, hz) / at_zero_s;
                assert!((got - want).abs() < 1e-4, "order {order}, {hz} Hz: {got} is not {want}");
            }
        }
    }

    #[test]
    fn every_pole_of_the_steepest_filters_is_inside_the_circle() {
        let (ripple_db, attenuation_db) = (0.1, 80.0);
        for family in [
            Family::Chebyshev1 { ripple_db },
            Family::Chebyshev2 { attenuation_db },
            Family::Elliptic { ripple_db, attenuation_db },
            Family::Bessel,
        ] {
            for band in [
                Band::LowPass { cutoff_hz: 2_000.0 },
                Band::HighPass { cutoff_hz: 2_000.0 },
                Band::BandPass { low_hz: 1_000.0, high_hz: 8_000.0 },
                Band::BandStop { low_hz: 1_000.0, high_hz: 8_000.0 },
            ] {
                for section in design(family, 20, band, 48_000.0).expect("valid") {
                    let [a1, a2] = section.a;
                    let is_stable = a2 < 1.0 && a1.abs() < 1.0 + a2;
                    assert!(is_stable, "{section:?} of {family} {band:?}");
                }
            }
        }
    }

    #[test]
    fn decibels_that_cannot_be_are_refused() {
        for family in [
            Family::Chebyshev1 { ripple_db: 0.0 },
            Family::Chebyshev2 { attenuation_db: f64::NAN },
            Family::Elliptic { ripple_db: 3.0, attenuation_db: 3.0 },
        ] {
            let refused = design(family, 2, Band::LowPass { cutoff_hz: 1.0 }, 10.0);
            assert!(matches!(refused, Err(DesignError::Decibels { .. })), "{family}");
        }
    }

    #[test]
    fn real_roots_are_told_from_pairs() {
        // An odd order has one real pole, an even one none.
        for order in 1..=ORDER_MAX {
            for prototype in [
                chebyshev::type_1(order, 1.0),
                chebyshev::type_2(order, 40.0),
                elliptic::prototype(order, 1.0, 40.0),
                bessel::prototype(order),
            ] {
                let real = prototype.poles.iter().filter(|pole| matches!(pole, Root::Real(_)));
                assert_eq!(real.count(), order % 2);
            }
        }
    }
}
