//! Complex numbers, as much of them as filter design needs.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `re + j · im`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// The number of length 1 at `angle` radians.
    pub(crate) fn unit(angle: f64) -> Self {
        Self::new(angle.cos(), angle.sin())
    }

    pub(crate) fn norm(self) -> f64 {
        self.re.hypot(self.im)
    }

    pub(crate) fn norm_squared(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    pub(crate) fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }

    pub(crate) fn scale(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }

    /// The root with a real part that is not negative.
    pub(crate) fn sqrt(self) -> Self {
        let length = self.norm();
        // The half-angle formulas; the larger part first, the other by division, so that neither
        // is a difference of nearly equal numbers.
        let large = (0.5 * (length + self.re.abs())).sqrt();
        if large == 0.0 {
            return Self::new(0.0, 0.0);
        }
        let small = 0.5 * self.im.abs() / large;
        let (re, im) = if self.re >= 0.0 { (large, small) } else { (small, large) };
        Self::new(re, im.copysign(self.im))
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Neg for Complex {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }
}

impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

impl Div for Complex {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        (self * other.conjugate()).scale(1.0 / other.norm_squared())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_squared_is_the_number_again() {
        for (re, im) in [(3.0, 4.0), (-3.0, 4.0), (-3.0, -4.0), (-1.0, 1e-9), (0.0, 0.0)] {
            let number = Complex::new(re, im);
            let again = number.sqrt() * number.sqrt();

            // Four roundings of 1.1e-16 each.
            assert!((again - number).norm() <= 5e-16 * number.norm(), "{number:?}: {again:?}");
        }
    }
}
