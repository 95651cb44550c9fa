//! Feedback with an integral: Mahony, Hamel, Pflimlin 2008, *Nonlinear complementary filters on the
//! special orthogonal group*.
//!
//! ```text
//! e = a × up + m × field        seen × expected, each of length 1
//! b = b − k_I · e · T           the gyroscope's offset
//! ω = gyroscope − b + k_P · e
//! ```
//!
//! `field` is the magnetic field as the body would see it if its horizontal part pointed north.
//! Begins where the first reading says, as at rest.

use super::{
    Quaternion, Reading, Vector, at_rest, cross, pass_quaternion, to_body, to_earth, turned, unit,
};
use crate::math::state::{State, StateError};

/// The filter and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Mahony {
    period_s: f64,
    proportional: f64,
    integral: f64,
    q: Quaternion,
    offset: Vector,
    begun: bool,
}

impl Mahony {
    /// With the gains `k_P`, per second, and `k_I`, per second squared.
    pub fn new(rate_hz: f64, proportional: f64, integral: f64) -> Self {
        Self {
            period_s: 1.0 / rate_hz,
            proportional,
            integral,
            q: [1.0, 0.0, 0.0, 0.0],
            offset: [0.0; 3],
            begun: false,
        }
    }

    /// Takes one moment and gives the orientation.
    pub fn push(&mut self, reading: &Reading) -> Quaternion {
        if !self.begun {
            if let Some(q) = at_rest(reading) {
                (self.q, self.begun) = (q, true);
            }
            return self.q;
        }
        let mut rate = reading.gyroscope_rad_s;
        if let Some(acceleration) = unit(reading.acceleration) {
            let mut error = cross(acceleration, to_body(self.q, [0.0, 0.0, 1.0]));
            if let Some(magnetic) = unit(reading.magnetic) {
                let [north, west, up] = to_earth(self.q, magnetic);
                let field = to_body(self.q, [north.hypot(west), 0.0, up]);
                let turn = cross(magnetic, field);
                error = std::array::from_fn(|axis| error[axis] + turn[axis]);
            }
            for axis in 0..3 {
                self.offset[axis] -= self.integral * error[axis] * self.period_s;
                rate[axis] += self.proportional * error[axis];
            }
        }
        let half = std::array::from_fn(|axis| 0.5 * (rate[axis] - self.offset[axis]));
        self.q = turned(self.q, half, self.period_s);
        self.q
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(1.0 / self.period_s, self.proportional, self.integral);
    }

    pub(super) fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        pass_quaternion(state, &mut self.q)?;
        self.offset.iter_mut().try_for_each(|part| state.f64(part))?;
        state.bool(&mut self.begun)
    }
}
