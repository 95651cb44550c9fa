//! Chebyshev filters: steeper than [`butterworth`](super::butterworth), with ripple on one side.
//!
//! With `T` the Chebyshev polynomial of the order,
//!
//! ```text
//! type I    |H(jw)|² = 1 / (1 + ε² T²(w)),      ε² = 10^(ripple / 10) − 1
//! type II   |H(jw)|² = 1 / (1 + 1 / (δ² T²(1/w))),  δ² = 1 / (10^(attenuation / 10) − 1)
//! ```
//!
//! so type I ripples where it passes and its gain at the edge is −ripple; type II ripples where it
//! stops, and its edge is where the attenuation is first reached. `cheby1` and `cheby2` of SciPy.
//!
//! Source: Parks and Burrus, *Digital Filter Design*, section 7.2.

use std::f64::consts::PI;

use super::analog::Prototype;
use super::complex::Complex;
use super::sos::Root;

/// The angles of the poles of an even or odd number of them, from the one next to the real axis on.
fn angles(order: usize) -> impl Iterator<Item = f64> {
    let first = if order % 2 == 1 { 0 } else { 1 };
    (first..order).step_by(2).map(move |m| PI * m as f64 / (2 * order) as f64)
}

/// A root, or a pair if it is not real.
fn root(upper: Complex) -> Root {
    if upper.im == 0.0 { Root::Real(upper.re) } else { Root::pair(upper) }
}

/// Type I: what passes ripples by `ripple_db`.
pub(crate) fn type_1(order: usize, ripple_db: f64) -> Prototype {
    let ripple = power_less_one(ripple_db).sqrt();
    let mu = ripple.recip().asinh() / order as f64;
    let pole = |angle: f64| root(Complex::new(-mu.sinh() * angle.cos(), mu.cosh() * angle.sin()));
    let at_zero = if order.is_multiple_of(2) { ripple.hypot(1.0).recip() } else { 1.0 };
    Prototype::of_gain(Vec::new(), angles(order).map(pole).collect(), at_zero)
}

/// Type II: what is stopped is `attenuation_db` down or more.
pub(crate) fn type_2(order: usize, attenuation_db: f64) -> Prototype {
    let mu = power_less_one(attenuation_db).sqrt().asinh() / order as f64;
    let zero = |angle: f64| Root::pair(Complex::new(0.0, angle.sin().recip()));
    let pole = |angle: f64| {
        let inverse = Complex::new(-mu.sinh() * angle.cos(), mu.cosh() * angle.sin());
        root(Complex::new(1.0, 0.0) / inverse)
    };
    let zeros = angles(order).filter(|angle| *angle != 0.0).map(zero).collect();
    Prototype::of_gain(zeros, angles(order).map(pole).collect(), 1.0)
}

/// `10^(db / 10) − 1`, exact where that is small.
pub(crate) fn power_less_one(db: f64) -> f64 {
    (std::f64::consts::LN_10 * db / 10.0).exp_m1()
}
