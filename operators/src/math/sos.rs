//! Second-order sections: how every recursive filter here is kept.
//!
//! ```text
//!           b0 + b1 · z⁻¹ + b2 · z⁻²
//! H(z)  =  ─────────────────────────     one section; a filter is the product of its sections
//!            1 + a1 · z⁻¹ + a2 · z⁻²
//! ```
//!
//! A polynomial of high order loses its roots to rounding: multiplied out, the Butterworth
//! high-pass filter of order 8 at 0.3 Hz of 100 Hz has a pole at 1.003 and is unstable. Sections
//! keep them.

use std::f64::consts::TAU;

use super::complex::Complex;

/// One second-order section; the leading coefficient below the line is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// b0, b1, b2: above the line.
    pub b: [f64; 3],
    /// a1, a2: below the line.
    pub a: [f64; 2],
}

/// How much a cascade amplifies a sinusoid of `at_hz`.
pub fn magnitude(sections: &[Section], rate_hz: f64, at_hz: f64) -> f64 {
    let delay = Complex::unit(-TAU * at_hz / rate_hz);
    sections.iter().map(|s| at(s.b, delay).norm() / at(denominator(s), delay).norm()).product()
}

/// What a cascade makes of a sinusoid of `at_hz`: amplitude and phase.
pub(crate) fn response(sections: &[Section], rate_hz: f64, at_hz: f64) -> Complex {
    let delay = Complex::unit(-TAU * at_hz / rate_hz);
    let one = Complex::new(1.0, 0.0);
    sections.iter().fold(one, |h, s| h * at(s.b, delay) / at(denominator(s), delay))
}

/// How many samples it takes until what a cascade makes of its first sample has gone down to a hundredth: those of
/// the slowest pole, ln 100 / −ln |p|. Poles close to each other take somewhat longer together.
pub fn settling_samples(sections: &[Section]) -> f64 {
    let slowest = sections.iter().map(|section| radius(section.a)).fold(0.0, f64::max);
    if slowest <= 0.0 { 0.0 } else { -100f64.ln() / slowest.ln() }
}

/// Whether every pole lies inside the unit circle, as far as coefficients of f64 can tell: the squared distance of
/// a pair from 1, which is `1 + a1 + a2`, is off by some 2⁻⁵².
pub fn is_stable(sections: &[Section]) -> bool {
    let is_inside = |section: &Section| {
        let [a1, a2] = section.a;
        radius(section.a) < 1.0 && 1.0 + a1 + a2 > 8.0 * f64::EPSILON && (1.0 - a1 + a2) > 0.0
    };
    sections.iter().all(is_inside)
}

/// How far the pole of a section that is farther out lies from 0.
fn radius([a1, a2]: [f64; 2]) -> f64 {
    match a1 * a1 - 4.0 * a2 {
        apart if apart < 0.0 => a2.sqrt(),
        apart => 0.5 * (a1.abs() + apart.sqrt()),
    }
}

/// How much later than it went in the envelope of a sinusoid of `at_hz` comes out, in seconds.
///
/// The derivative of the phase, in closed form: with `u = exp(−jω)`, a polynomial `Σ c[k] u^k` has
/// the group delay `Re(Σ k c[k] u^k / Σ c[k] u^k)` samples. It can be negative (a high-pass filter
/// near its edge).
pub fn group_delay_s(sections: &[Section], rate_hz: f64, at_hz: f64) -> f64 {
    let delay = Complex::unit(-TAU * at_hz / rate_hz);
    let samples: f64 = sections
        .iter()
        .map(|s| delay_of_numerator(s.b, delay) - delay_of(denominator(s), delay))
        .sum();
    samples / rate_hz
}

/// The state of each section, as [`kernels::biquad`](crate::kernels::biquad) keeps it, of a cascade
/// that has been fed ones for ever; `sosfilt_zi` of SciPy.
///
/// ```text
/// y = x · Σb / Σa     s1 = b2 · x − a2 · y     s0 = b1 · x − a1 · y + s1
/// ```
pub fn settled(sections: &[Section]) -> Vec<[f64; 2]> {
    let mut x = 1.0;
    let of_section = |Section { b, a }: &Section| {
        let y = x * (b[0] + b[1] + b[2]) / (1.0 + a[0] + a[1]);
        let s1 = b[2] * x - a[1] * y;
        let s0 = b[1] * x - a[0] * y + s1;
        x = y;
        [s0, s1]
    };
    sections.iter().map(of_section).collect()
}

fn denominator(section: &Section) -> [f64; 3] {
    let [a1, a2] = section.a;
    [1.0, a1, a2]
}

/// The polynomial at `u`.
fn at([c0, c1, c2]: [f64; 3], u: Complex) -> Complex {
    let inner = u.scale(c2) + Complex::new(c1, 0.0);
    inner * u + Complex::new(c0, 0.0)
}

fn delay_of(c: [f64; 3], u: Complex) -> f64 {
    let weighted = (u.scale(2.0 * c[2]) + Complex::new(c[1], 0.0)) * u;
    (weighted / at(c, u)).re
}

/// Zeros on the unit circle delay every frequency by half a sample each. At the zero itself the
/// quotient is 0/0 and next to it noise, so this common case has its own answer.
fn delay_of_numerator(b: [f64; 3], u: Complex) -> f64 {
    let [b0, b1, b2] = b;
    // A zero from a design is off the circle by a few roundings, not more.
    let is_near = |x: f64, y: f64| (x - y).abs() <= 1e-14 * x.abs();
    if is_near(b0, b2) || (is_near(b0, -b2) && b1.abs() <= 1e-14 * b0.abs()) {
        1.0
    } else if b2 == 0.0 && is_near(b0.abs(), b1.abs()) {
        0.5
    } else {
        delay_of(b, u)
    }
}

/// A root of a polynomial with real coefficients: real, or one of a conjugate pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Root {
    /// The one in the upper half plane; its mirror image is meant too.
    Pair(Complex),
    Real(f64),
}

impl Root {
    pub(crate) fn pair(either: Complex) -> Self {
        Self::Pair(Complex::new(either.re, either.im.abs()))
    }

    pub(crate) fn value(self) -> Complex {
        match self {
            Self::Pair(upper) => upper,
            Self::Real(re) => Complex::new(re, 0.0),
        }
    }

    /// The product of `point − root`, over both roots of a pair. `point` is real.
    pub(crate) fn distance_product(self, point: f64) -> f64 {
        match self {
            Self::Pair(upper) => (Complex::new(point, 0.0) - upper).norm_squared(),
            Self::Real(re) => point - re,
        }
    }
}

/// The sections of the filter with these zeros, poles and gain; as many zeros as poles.
///
/// Pairs each pole with the zero nearest to it, poles nearest to the unit circle first and last in
/// the cascade: `zpk2sos(…, pairing='nearest')` of SciPy, so that section by section both agree.
pub(crate) fn from_roots(mut zeros: Vec<Root>, mut poles: Vec<Root>, gain: f64) -> Vec<Section> {
    for roots in [&mut zeros, &mut poles] {
        // A section has two of each; a root at 0 changes nothing.
        if roots.iter().filter(|root| matches!(root, Root::Real(_))).count() % 2 == 1 {
            roots.push(Root::Real(0.0));
        }
        // Pairs before reals, each from left to right: ties go to the first.
        roots.sort_by(|x, y| {
            let key = |root: Root| (matches!(root, Root::Real(_)), root.value());
            let ((x_real, x), (y_real, y)) = (key(*x), key(*y));
            x_real.cmp(&y_real).then(x.re.total_cmp(&y.re)).then(x.im.total_cmp(&y.im))
        });
    }

    let from_circle = |root: Root| (1.0 - root.value().norm()).abs();
    let mut sections = Vec::new();
    while let Some(pole) = take_least(&mut poles, |_| true, from_circle) {
        let near_pole = |root: Root| (root.value() - pole.value()).norm();
        let zero = take_least(&mut zeros, |_| true, near_pole).expect("as many zeros as poles");
        let [b1, b2] = monic(zero, || take_least(&mut zeros, is_real, near_pole));
        let a = monic(pole, || take_least(&mut poles, is_real, from_circle));
        sections.push(Section { b: [1.0, b1, b2], a });
    }

    sections.reverse();
    if let Some(first) = sections.first_mut() {
        first.b = first.b.map(|b| b * gain);
    }
    sections
}

fn is_real(root: Root) -> bool {
    matches!(root, Root::Real(_))
}

/// Removes and returns the first of the roots that pass and have the least `measure`.
fn take_least(
    roots: &mut Vec<Root>,
    passes: impl Fn(Root) -> bool,
    measure: impl Fn(Root) -> f64,
) -> Option<Root> {
    let candidates = roots.iter().enumerate().filter(|(_, root)| passes(**root));
    let (at, _) = candidates.min_by(|(_, x), (_, y)| measure(**x).total_cmp(&measure(**y)))?;
    Some(roots.remove(at))
}

/// The polynomial `1 + c1 · z⁻¹ + c2 · z⁻²` with this root and its conjugate or its partner.
fn monic(root: Root, partner: impl FnOnce() -> Option<Root>) -> [f64; 2] {
    match root {
        Root::Pair(upper) => [-2.0 * upper.re, upper.norm_squared()],
        Root::Real(first) => {
            let second = partner().expect("real roots come in twos").value().re;
            [-(first + second), first * second]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_become_the_polynomial_they_belong_to() {
        let zeros = vec![Root::Real(-1.0), Root::Real(-1.0), Root::pair(Complex::new(0.0, -1.0))];
        let poles = vec![Root::pair(Complex::new(0.5, 0.25)), Root::Real(0.5), Root::Real(0.25)];

        let sections = from_roots(zeros, poles, 3.0);

        // The pair of poles is nearest to the circle (0.44 away), so it is last; the zero at j is
        // nearer to it than the ones at −1. All numbers are exact in binary.
        assert_eq!(sections[0], Section { b: [3.0, 6.0, 3.0], a: [-0.75, 0.125] });
        assert_eq!(sections[1], Section { b: [1.0, 0.0, 1.0], a: [-1.0, 0.3125] });
    }

    /// Samples after which a cascade that is fed ones stays within a hundredth of where it ends.
    fn measured(sections: &[Section]) -> usize {
        let end: f64 =
            sections.iter().map(|s| s.b.iter().sum::<f64>() / (1.0 + s.a[0] + s.a[1])).product();
        let mut state = vec![[0.0; 2]; sections.len()];
        let mut last = 0;
        for n in 0..100_000 {
            let mut x = 1.0;
            for (section, s) in sections.iter().zip(&mut state) {
                let y = section.b[0] * x + s[0];
                s[0] = section.b[1] * x - section.a[0] * y + s[1];
                s[1] = section.b[2] * x - section.a[1] * y;
                x = y;
            }
            if (x - end).abs() > 0.01 {
                last = n + 1;
            }
        }
        last
    }

    #[test]
    fn filters_settle_about_when_their_slowest_pole_says() {
        use super::super::{
            band::Band,
            iir::{Family, design},
        };
        for (family, order) in [
            (Family::Butterworth, 1),
            (Family::Butterworth, 2),
            (Family::Butterworth, 5),
            (Family::Bessel, 4),
            (Family::Chebyshev1 { ripple_db: 1.0 }, 4),
        ] {
            for band in [
                Band::LowPass { cutoff_hz: 4.0 },
                Band::HighPass { cutoff_hz: 0.5 },
                Band::BandPass { low_hz: 5.0, high_hz: 15.0 },
            ] {
                let sections = design(family, order, band, 250.0).expect("a filter");
                let (told, measured) = (settling_samples(&sections), measured(&sections) as f64);
                let times = told / measured;
                assert!(
                    (0.5..2.1).contains(&times),
                    "{family:?} {order} {band:?}: {told} {measured}"
                );
                assert!(is_stable(&sections));
            }
        }
    }

    #[test]
    fn a_pole_on_the_circle_is_not_stable() {
        let of = |a| [Section { b: [1.0, 0.0, 0.0], a }];
        assert!(
            is_stable(&of([-1.9, 0.95]))
                && is_stable(&of([0.5, 0.0]))
                && is_stable(&of([0.0, 0.0]))
        );
        for a in [[-1.0, 0.0], [1.0, 0.0], [-2.0, 1.0], [0.0, 1.0], [-1.9, 1.1], [-2.5, 1.0]] {
            assert!(!is_stable(&of(a)), "{a:?}");
        }
    }

    #[test]
    fn a_pure_delay_of_two_samples_is_two_samples_late() {
        let delay = [Section { b: [0.0, 0.0, 1.0], a: [0.0, 0.0] }];

        for at_hz in [0.0, 1.0, 33.0, 50.0] {
            // A few roundings of 1.1e-16 relative.
            assert!((group_delay_s(&delay, 100.0, at_hz) - 0.02).abs() < 1e-16, "{at_hz} Hz");
        }
    }

    #[test]
    fn the_delay_at_a_zero_is_that_of_its_neighbours() {
        let notch = [Section { b: [1.0, -2.0 * 0.6, 1.0], a: [-2.0 * 0.54, 0.81] }];
        let rate_hz = 250.0;
        let notch_hz = 0.6_f64.acos() / TAU * rate_hz;

        let here = group_delay_s(&notch, rate_hz, notch_hz);
        let beside = group_delay_s(&notch, rate_hz, notch_hz * (1.0 + 1e-9));

        // The delay turns over within 1 − 0.9 of a radian, so 1e-9 of it changes 1e-8 at most.
        assert!((here - beside).abs() < 1e-8 * here.abs(), "{here} is not {beside}");
    }
}
