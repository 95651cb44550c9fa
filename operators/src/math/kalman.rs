//! A Kalman filter for one number, constant or moving evenly, measured at any times.
//!
//! ```text
//! level:     x' = x + w                      var w = q² dt
//! velocity:  x' = x + v dt,  v' = v          Q = q² ( dt³/3  dt²/2 )
//!                                                   ( dt²/2  dt    )
//! measured:  z = x + n,  var n = r           S = P₀₀ + r,  K = (P₀₀, P₀₁) / S
//! ```
//!
//! `q` is how fast the level, or the velocity, wanders: its deviation after a second. The
//! covariances of the level are reduced by products where the textbook subtracts, so that a vague beginning
//! costs no digits.

use super::state::{State, StateError};

/// What a [`Kalman`] believes of what it follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motion {
    /// It stays, but wanders by this deviation in a second.
    Level(f64),
    /// It moves evenly, but its velocity wanders by this deviation in a second.
    Velocity(f64),
}

/// Deviation of an unknown velocity, in deviations of the first measurement a second.
const VAGUE: f64 = 1e4;

/// An estimate that becomes better by every measurement and worse with time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kalman {
    motion: Motion,
    is_begun: bool,
    x: f64,
    v: f64,
    p00: f64,
    p01: f64,
    p11: f64,
}

impl Kalman {
    /// One that knows nothing yet.
    pub const fn new(motion: Motion) -> Self {
        Self { motion, is_begun: false, x: 0.0, v: 0.0, p00: 0.0, p01: 0.0, p11: 0.0 }
    }

    /// Forgets everything.
    pub const fn reset(&mut self) {
        *self = Self::new(self.motion);
    }

    /// Lets `dt_s` seconds pass.
    pub fn predict(&mut self, dt_s: f64) {
        match self.motion {
            Motion::Level(q) => self.p00 += q * q * dt_s,
            Motion::Velocity(q) => {
                let qq = q * q * dt_s;
                self.x += self.v * dt_s;
                self.p00 += dt_s * (2.0 * self.p01 + dt_s * (self.p11 + qq / 3.0));
                self.p01 += dt_s * (self.p11 + 0.5 * qq);
                self.p11 += qq;
            }
        }
    }

    /// Takes in a measurement of variance `r`, above zero.
    pub fn update(&mut self, z: f64, r: f64) {
        if !self.is_begun {
            let vague = if matches!(self.motion, Motion::Level(_)) { 0.0 } else { VAGUE };
            *self = Self { x: z, p00: r, p11: vague * vague * r, ..Self::new(self.motion) };
            self.is_begun = true;
            return;
        }
        let s = self.p00 + r;
        let (k0, k1) = (self.p00 / s, self.p01 / s);
        let off = z - self.x;
        self.x += k0 * off;
        self.v += k1 * off;
        self.p11 -= k1 * self.p01;
        self.p01 *= r / s;
        self.p00 *= r / s;
    }

    /// How far a measurement of variance `r` is off, in deviations of what is expected.
    pub fn surprise(&self, z: f64, r: f64) -> f64 {
        if self.is_begun { (z - self.x).abs() / (self.p00 + r).sqrt() } else { 0.0 }
    }

    /// The estimate; `None` before the first measurement.
    pub fn value(&self) -> Option<f64> {
        self.is_begun.then_some(self.x)
    }

    /// Its velocity in units a second; 0 of a level.
    pub const fn velocity(&self) -> f64 {
        self.v
    }

    /// The standard deviation of the estimate.
    pub fn deviation(&self) -> f64 {
        self.p00.sqrt()
    }

    /// Passes over the state.
    pub(crate) fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.bool(&mut self.is_begun)?;
        for number in [&mut self.x, &mut self.v, &mut self.p00, &mut self.p01, &mut self.p11] {
            state.f64(number)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    #[test]
    fn it_is_that_of_the_matrices() {
        const GOLDEN: &str = include_str!("../../../tests/golden/kalman.json");
        let mut cases = 0;
        for case in golden::cases(GOLDEN) {
            let q = golden::numbers(case, "q")[0];
            let motion = match golden::word(case, "motion") {
                "level" => Motion::Level(q),
                _ => Motion::Velocity(q),
            };
            let columns = ["dt_s", "z", "r", "x", "v", "deviation"];
            let [dt_s, z, r, x, v, deviation] = columns.map(|key| golden::numbers(case, key));
            let mut kalman = Kalman::new(motion);
            for n in 0..z.len() {
                kalman.predict(dt_s[n]);
                if z[n] > -1e9 {
                    kalman.update(z[n], r[n]);
                }
                let got =
                    [kalman.value().expect("measured"), kalman.velocity(), kalman.deviation()];
                for (got, want) in got.into_iter().zip([x[n], v[n], deviation[n]]) {
                    // Fifty digits there, sixteen here; a vague beginning of 1e4 deviations, squared,
                    // costs eight of them, which fade as measurements come.
                    let near = 1e-7 * want.abs().max(1e-3);
                    assert!((got - want).abs() <= near, "{motion:?} {n}: {got} is not {want}");
                }
            }
            cases += 1;
        }
        assert_eq!(cases, 4);
    }

    #[test]
    fn a_level_comes_to_the_gain_of_the_closed_form() {
        let (q, r, dt_s) = (0.3_f64, 2.0, 0.04);
        let mut kalman = Kalman::new(Motion::Level(q));
        for _ in 0..10_000 {
            kalman.predict(dt_s);
            kalman.update(1.0, r);
        }
        // P = (−w + √(w² + 4 w r)) / 2 behind a measurement, with w = q² dt.
        let w = q * q * dt_s;
        let want = ((w * w + 4.0 * w * r).sqrt() - w) / 2.0;
        assert!((kalman.deviation().powi(2) / want - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_level_that_does_not_wander_is_the_weighted_mean() {
        let mut kalman = Kalman::new(Motion::Level(0.0));
        for (z, r) in [(1.0, 1.0), (4.0, 0.5), (10.0, 2.0)] {
            kalman.predict(1.0);
            kalman.update(z, r);
        }
        // Inverse variances 1, 2, 1/2.
        let mean = kalman.value().expect("measured");
        assert!((mean - 14.0 / 3.5).abs() < 1e-14, "{mean}");
        assert!((kalman.deviation().powi(2) - 1.0 / 3.5).abs() < 1e-15);
    }
}
