//! Elliptic filters: the steepest of their order, with ripple where they pass and where they stop.
//!
//! ```text
//! |H(jw)|² = 1 / (1 + ε² R²(w)),   R(w) = cd(N u K₁, k₁)  where  w = cd(u K, k),
//! k₁ = ε / √(10^(attenuation / 10) − 1),   N K′ / K = K₁′ / K₁
//! ```
//!
//! The gain at the edge is −ripple; what is stopped is `attenuation` down or more. `ellip` of SciPy.
//! The Jacobian functions are computed by Landen's transformation: each step squares the modulus, so
//! that after a few the functions are those of the circle.
//!
//! Source: Orfanidis, *Lecture notes on elliptic filter design*, 2006.

use std::f64::consts::{FRAC_PI_2, PI};

use super::analog::Prototype;
use super::chebyshev::power_less_one;
use super::complex::Complex;
use super::sos::Root;

/// What passes ripples by `ripple_db`, what is stopped is `attenuation_db` down, which is more.
pub(crate) fn prototype(order: usize, ripple_db: f64, attenuation_db: f64) -> Prototype {
    let ripple = power_less_one(ripple_db).sqrt();
    let depth = ripple / power_less_one(attenuation_db).sqrt();
    let selectivity = Modulus::of_degree(order, depth);
    let down = Modulus::new(depth, complement(depth));
    let v0 = down.arc_sine_of_imaginary(ripple.recip()) / order as f64;

    let (mut zeros, mut poles) = (Vec::new(), Vec::new());
    for m in (1..order).step_by(2) {
        let u = m as f64 / order as f64;
        let zero = selectivity.cd(Complex::new(u, 0.0)).re;
        zeros.push(Root::pair(Complex::new(0.0, (selectivity.k * zero).recip())));
        let pole = selectivity.cd(Complex::new(u, -v0));
        poles.push(Root::pair(Complex::new(-pole.im, pole.re)));
    }
    if order % 2 == 1 {
        // cd one quarter period on is sn: j · cd((1 − j v0) K) is real.
        let pole = selectivity.cd(Complex::new(1.0, -v0));
        poles.push(Root::Real(-pole.im));
    }
    let at_zero = if order.is_multiple_of(2) { ripple.hypot(1.0).recip() } else { 1.0 };
    Prototype::of_gain(zeros, poles, at_zero)
}

fn complement(k: f64) -> f64 {
    ((1.0 - k) * (1.0 + k)).sqrt()
}

/// A modulus and those that Landen's transformation makes of it, falling to nothing.
struct Modulus {
    k: f64,
    falling: Vec<f64>,
}

impl Modulus {
    fn new(k: f64, complement: f64) -> Self {
        let (mut falling, mut k_now, mut complement_now) = (Vec::new(), k, complement);
        while k_now > 1e-20 {
            let next = (k_now / (1.0 + complement_now)).powi(2);
            complement_now = 2.0 * complement_now.sqrt() / (1.0 + complement_now);
            k_now = next;
            falling.push(k_now);
        }
        Self { k, falling }
    }

    /// The modulus for which `order · K′ / K` is that of `depth`, by its nome: theta functions, which
    /// converge within a few terms, give modulus and complement without a difference of either.
    fn of_degree(order: usize, depth: f64) -> Self {
        let means = mean(1.0, complement(depth)) / mean(1.0, depth);
        let nome = (-PI * means / order as f64).exp();
        let (mut theta_2, mut theta_3, mut theta_4) = (0.0, 0.0, 0.0);
        // Smallest terms first.
        for n in (1..=8_i32).rev() {
            let term = nome.powi(n * n);
            theta_2 += nome.powi(n * (n + 1));
            theta_3 += 2.0 * term;
            theta_4 += if n % 2 == 0 { 2.0 * term } else { -2.0 * term };
        }
        (theta_2, theta_3, theta_4) = (1.0 + theta_2, 1.0 + theta_3, 1.0 + theta_4);
        let k = 4.0 * nome.sqrt() * (theta_2 / theta_3).powi(2);
        Self::new(k, (theta_4 / theta_3).powi(2))
    }

    /// `cd(u K, k)`.
    fn cd(&self, u: Complex) -> Complex {
        let (a, b) = (FRAC_PI_2 * u.re, FRAC_PI_2 * u.im);
        let circle = Complex::new(a.cos() * b.cosh(), -a.sin() * b.sinh());
        self.falling
            .iter()
            .rev()
            .fold(circle, |w, v| w.scale(1.0 + v) / (Complex::new(1.0, 0.0) + (w * w).scale(*v)))
    }

    /// The `v` with `sn(j v K, k) = j y`.
    fn arc_sine_of_imaginary(&self, y: f64) -> f64 {
        let (mut y, mut before) = (y, self.k);
        for v in &self.falling {
            y = y / (1.0 + (y * before).hypot(1.0)) * 2.0 / (1.0 + v);
            before = *v;
        }
        y.asinh() / FRAC_PI_2
    }
}

/// The arithmetic-geometric mean.
fn mean(mut a: f64, mut b: f64) -> f64 {
    while (a - b).abs() > 1e-15 * a {
        (a, b) = (0.5 * (a + b), (a * b).sqrt());
    }
    a
}
