//! Bessel filters: waves keep their shape, as all that passes is delayed alike.
//!
//! The poles are the zeros of the reverse Bessel polynomial,
//!
//! ```text
//! θ₀ = 1,  θ₁ = s + 1,  θₙ = (2n − 1) θₙ₋₁ + s² θₙ₋₂,      H(s) = θ_N(0) / θ_N(s)
//! ```
//!
//! scaled so that far beyond the edge the filter is as steep as the Butterworth filter of its edge
//! and order, and at the edge the phase is half of what it will be: `bessel(…, norm="phase")`, SciPy's
//! default. The power at the edge is not halved. The bilinear transform bends the delay where the
//! edge comes near half the rate.
//!
//! Source: Thomson 1949; Bond, *Bessel filter constants*, 2003.

use super::analog::Prototype;
use super::butterworth;
use super::complex::Complex;
use super::sos::Root;

/// The filter of this order.
pub(crate) fn prototype(order: usize) -> Prototype {
    // θ_N(0) = 1 · 3 · 5 ··· (2N − 1); its N-th root, taken factor by factor, which cannot overflow.
    let root = |n: usize| ((2 * n - 1) as f64).powf((order as f64).recip());
    let scale: f64 = (1..=order).map(root).product();

    let mut poles: Vec<Root> = butterworth::poles(order).collect();
    refine(&mut poles, order, scale);
    Prototype { zeros: Vec::new(), poles, gain: 1.0 }
}

/// Moves the poles, in units of `scale`, to the zeros of the polynomial: Newton's method on all of
/// them at once, each pushed away by the others (Ehrlich 1967, Aberth 1973).
fn refine(poles: &mut [Root], order: usize, scale: f64) {
    const ROUNDS: usize = 100;
    let one = Complex::new(1.0, 0.0);
    for _ in 0..ROUNDS {
        let mut moved = 0.0_f64;
        for n in 0..poles.len() {
            let here = poles[n].value();
            let newton = newton(here.scale(scale), order).scale(scale.recip());
            let mut push = Complex::new(0.0, 0.0);
            for (other, root) in poles.iter().enumerate() {
                if other != n {
                    push = push + one / (here - root.value());
                }
                if matches!(root, Root::Pair(_)) {
                    push = push + one / (here - root.value().conjugate());
                }
            }
            let step = newton / (one - newton * push);
            moved = moved.max(step.norm());
            poles[n] = match poles[n] {
                Root::Real(re) => Root::Real(re - step.re),
                Root::Pair(upper) => Root::pair(upper - step),
            };
        }
        // Convergence is cubic: the step after this one is a rounding.
        if moved < 1e-9 {
            break;
        }
    }
}

/// `θ(s) / θ′(s)`, with `θ′ₙ = θₙ − s θₙ₋₁`.
fn newton(s: Complex, order: usize) -> Complex {
    let square = s * s;
    let (mut before, mut now) = (Complex::new(1.0, 0.0), s + Complex::new(1.0, 0.0));
    for n in 2..=order {
        (before, now) = (now, now.scale((2 * n - 1) as f64) + square * before);
    }
    now / (now - s * before)
}
