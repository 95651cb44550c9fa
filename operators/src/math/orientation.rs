//! How a body is turned, from its gyroscope, accelerometer and magnetometer.
//!
//! A quaternion `q = (w, x, y, z)` of length 1 turns vectors of the body into vectors of the earth,
//! `v_earth = q ⊗ v_body ⊗ q*`. The gyroscope turns it,
//!
//! ```text
//! q[n] = q[n−1] + ½ q[n−1] ⊗ (0, ω) · T,   made as long as 1 again
//! ```
//!
//! and drifts; gravity (which an accelerometer at rest shows as 1 g upwards) and the magnetic field
//! put it right, in one of three ways: [`Fusion`], [`Madgwick`], [`Mahony`].

mod fusion;
mod madgwick;
mod mahony;
mod vector;

pub use fusion::{Convention, Fusion, FusionParameters};
pub use madgwick::Madgwick;
pub use mahony::Mahony;
pub use vector::{
    Quaternion, Vector, cross, dot, euler_rad, from_euler_rad, product, to_body, to_earth, unit,
};

use super::state::{State, StateError};

/// What the sensors of a body say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// In radians per second.
    pub gyroscope_rad_s: Vector,
    /// In any unit, as only its direction counts; zero where there is none.
    pub acceleration: Vector,
    /// In any unit; zero where there is none.
    pub magnetic: Vector,
}

/// One of the three ways.
#[derive(Clone, Debug, PartialEq)]
pub enum Tracker {
    /// Feedback by the angle to gravity and west; rejection.
    Fusion(Fusion),
    /// A step down the gradient.
    Madgwick(Madgwick),
    /// Feedback with an integral, which learns the gyroscope's offset.
    Mahony(Mahony),
}

impl Tracker {
    /// Takes one moment and gives the orientation.
    #[inline]
    pub fn push(&mut self, reading: &Reading) -> Quaternion {
        match self {
            Self::Fusion(fusion) => fusion.push(reading),
            Self::Madgwick(madgwick) => madgwick.push(reading),
            Self::Mahony(mahony) => mahony.push(reading),
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        match self {
            Self::Fusion(fusion) => fusion.reset(),
            Self::Madgwick(madgwick) => madgwick.reset(),
            Self::Mahony(mahony) => mahony.reset(),
        }
    }

    pub(crate) fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        match self {
            Self::Fusion(fusion) => fusion.pass(state),
            Self::Madgwick(madgwick) => madgwick.pass(state),
            Self::Mahony(mahony) => mahony.pass(state),
        }
    }
}

/// Turns by the angular rate for a period, and makes the result as long as 1.
#[inline(always)]
fn turned(q: Quaternion, half_rate: Vector, period_s: f64) -> Quaternion {
    let [w, x, y, z] = q;
    let [p, q, r] = half_rate.map(|part| part * period_s);
    vector::lengthened([
        w - x * p - y * q - z * r,
        x + w * p + y * r - z * q,
        y + w * q - x * r + z * p,
        z + w * r + x * q - y * p,
    ])
}

/// The first orientation of what begins at rest: gravity, and north where a magnetometer says so.
/// Turned by 180° a gradient is zero and a feedback small: whoever begins far off takes long.
fn at_rest(reading: &Reading) -> Option<Quaternion> {
    let up = unit(reading.acceleration)?;
    let west = unit(cross(up, reading.magnetic));
    let Some(west) = west else {
        // As little turned as can be: half the way from up to the vertical.
        let [x, y, z] = up;
        let half = 0.5 * (1.0 + z);
        // Upside down any horizontal axis will do.
        let q = if half > 1e-12 { [half, 0.5 * y, -0.5 * x, 0.0] } else { [0.0, 1.0, 0.0, 0.0] };
        return Some(vector::of_any_length(q));
    };
    let north = cross(west, up);
    Some(vector::from_rows([north, west, up]))
}

fn pass_quaternion(state: &mut State<'_>, q: &mut Quaternion) -> Result<(), StateError> {
    q.iter_mut().try_for_each(|part| state.f64(part))?;
    let length: f64 = q.iter().map(|part| part * part).sum();
    state.demand((0.99..1.01).contains(&length))
}

#[cfg(test)]
mod tests;
