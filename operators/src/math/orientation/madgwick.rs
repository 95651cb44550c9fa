//! A step down the gradient: Madgwick, Harrison, Vaidyanathan 2011, *Estimation of IMU and MARG
//! orientation using a gradient descent algorithm*.
//!
//! ```text
//! f  = what the sensors should say − what they say
//! q̇  = ½ q ⊗ ω − β · Jᵀ f / |Jᵀ f|
//! ```
//!
//! Begins where the first reading says, as at rest.

use super::{
    Quaternion, Reading, Vector, at_rest, pass_quaternion, to_earth, unit, vector::lengthened,
};
use crate::math::state::{State, StateError};

/// The filter and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Madgwick {
    period_s: f64,
    beta: f64,
    q: Quaternion,
    begun: bool,
}

impl Madgwick {
    /// With the gain β, half the angular rate of a correction, per second.
    pub fn new(rate_hz: f64, beta: f64) -> Self {
        Self { period_s: 1.0 / rate_hz, beta, q: [1.0, 0.0, 0.0, 0.0], begun: false }
    }

    /// Takes one moment and gives the orientation.
    pub fn push(&mut self, reading: &Reading) -> Quaternion {
        if !self.begun {
            if let Some(q) = at_rest(reading) {
                (self.q, self.begun) = (q, true);
            }
            return self.q;
        }
        let [w, x, y, z] = self.q;
        let [p, q, r] = reading.gyroscope_rad_s.map(|part| 0.5 * part);
        let mut change = [
            -x * p - y * q - z * r,
            w * p + y * r - z * q,
            w * q - x * r + z * p,
            w * r + x * q - y * p,
        ];
        if let Some(acceleration) = unit(reading.acceleration) {
            let mut gradient = gradient(self.q, [0.0, 1.0], acceleration);
            if let Some(magnetic) = unit(reading.magnetic) {
                let [north, west, up] = to_earth(self.q, magnetic);
                let more = self::gradient(self.q, [north.hypot(west), up], magnetic);
                gradient = std::array::from_fn(|part| gradient[part] + more[part]);
            }
            let squared: f64 = gradient.iter().map(|part| part * part).sum();
            if squared > 0.0 {
                let step = self.beta / squared.sqrt();
                change = std::array::from_fn(|part| change[part] - step * gradient[part]);
            }
        }
        let period_s = self.period_s;
        self.q = lengthened(std::array::from_fn(|part| self.q[part] + period_s * change[part]));
        self.q
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(1.0 / self.period_s, self.beta);
    }

    pub(super) fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        pass_quaternion(state, &mut self.q)?;
        state.bool(&mut self.begun)
    }
}

/// `Jᵀ f` for a direction of the earth with these parts to the north and up.
fn gradient([w, x, y, z]: Quaternion, [north, up]: [f64; 2], seen: Vector) -> Quaternion {
    let (n, u) = (2.0 * north, 2.0 * up);
    let f = [
        n * (0.5 - y * y - z * z) + u * (x * z - w * y) - seen[0],
        n * (x * y - w * z) + u * (w * x + y * z) - seen[1],
        n * (w * y + x * z) + u * (0.5 - x * x - y * y) - seen[2],
    ];
    [
        -u * y * f[0] + (u * x - n * z) * f[1] + n * y * f[2],
        u * z * f[0] + (n * y + u * w) * f[1] + (n * z - 2.0 * u * x) * f[2],
        -(2.0 * n * y + u * w) * f[0] + (n * x + u * z) * f[1] + (n * w - 2.0 * u * y) * f[2],
        (u * x - 2.0 * n * z) * f[0] + (u * y - n * w) * f[1] + n * x * f[2],
    ]
}
