//! Feedback by the angle to gravity and to west, with a quick start and rejection: the AHRS of the
//! Fusion library (S. Madgwick, x-io Technologies), in f64 with true roots.
//!
//! ```text
//! ω = gyroscope + 2 · gain · (½ a × up  +  ½ unit(up × m) × west)
//! ```
//!
//! where `up` and `west` are the axes of the earth as the body sees them, `a` and `m` what its
//! sensors say; beyond 90° the cross product is made as long as ½. The gain falls from 10 in the
//! first three seconds. Where a reading is further off than it may be it is ignored, until it was so
//! for `rejection_timeout_s` more than a ninth of the time: then the orientation is believed to be
//! wrong instead.

use super::{
    Quaternion, Reading, Vector, cross, dot, pass_quaternion, turned, unit, vector::lengthened,
};
use crate::math::state::{State, StateError};

/// The axes of the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// x north, y west, z up.
    Nwu,
    /// x east, y north, z up.
    Enu,
    /// x north, y east, z down.
    Ned,
}

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusionParameters {
    /// Samples per second.
    pub rate_hz: f64,
    /// The axes of the earth.
    pub convention: Convention,
    /// How much of the error is corrected in a second.
    pub gain: f64,
    /// A rate above 98 % of this starts anew, keeping the orientation; 0 for no limit.
    pub gyroscope_range_rad_s: f64,
    /// An accelerometer further off is ignored; 0 for no limit. In radians, as the next.
    pub acceleration_rejection_rad: f64,
    /// The same for the magnetometer.
    pub magnetic_rejection_rad: f64,
    /// How long to ignore.
    pub rejection_timeout_s: f64,
}

/// The filter and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Fusion {
    parameters: FusionParameters,
    period_s: f64,
    range_rad_s: f64,
    q: Quaternion,
    starting: bool,
    /// In f32, as there: rounding decides after which sample the start ends, and until then yaw is
    /// held at 0.
    start_gain: f32,
    acceleration: Rejection,
    magnetic: Rejection,
}

const START_GAIN: f32 = 10.0;
const START_S: f32 = 3.0;

impl Fusion {
    /// At rest.
    pub fn new(parameters: FusionParameters) -> Self {
        let timeout = (parameters.rate_hz * parameters.rejection_timeout_s) as i64;
        let off = timeout == 0 || parameters.gain == 0.0;
        let rejection = |angle_rad: f64| {
            let limit = if off || angle_rad == 0.0 { f64::INFINITY } else { 0.5 * angle_rad.sin() };
            Rejection { limit_squared: limit * limit, timeout, trigger: 0, threshold: timeout }
        };
        let range = 0.98 * parameters.gyroscope_range_rad_s;
        Self {
            period_s: 1.0 / parameters.rate_hz,
            range_rad_s: if range > 0.0 { range } else { f64::INFINITY },
            q: [1.0, 0.0, 0.0, 0.0],
            starting: true,
            start_gain: START_GAIN,
            acceleration: rejection(parameters.acceleration_rejection_rad),
            magnetic: rejection(parameters.magnetic_rejection_rad),
            parameters,
        }
    }

    /// Takes one moment and gives the orientation.
    #[inline]
    pub fn push(&mut self, reading: &Reading) -> Quaternion {
        let rate = reading.gyroscope_rad_s;
        if rate.iter().any(|part| part.abs() > self.range_rad_s) {
            *self = Self { q: self.q, ..Self::new(self.parameters) };
        }
        let gain = self.gain_now();
        let [up, west] = axes(self.parameters.convention, self.q);
        let mut half = rate.map(|part| 0.5 * part);
        if let Some(acceleration) = unit(reading.acceleration) {
            let residual = residual(acceleration, up);
            if self.acceleration.admits(self.starting, residual) {
                half = add(half, residual, gain);
            }
        }
        let mut is_level = true;
        if reading.magnetic != [0.0; 3] {
            is_level = false;
            if let Some(seen) = unit(cross(up, reading.magnetic)) {
                let residual = residual(seen, west);
                if self.magnetic.admits(self.starting, residual) {
                    half = add(half, residual, gain);
                }
            }
        }
        self.q = turned(self.q, half, self.period_s);
        if is_level && self.starting {
            self.q = without_heading(self.q);
        }
        self.q
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(self.parameters);
    }

    fn gain_now(&mut self) -> f64 {
        if self.starting {
            let (gain, period_s) =
                (self.parameters.gain as f32, 1.0 / self.parameters.rate_hz as f32);
            self.start_gain -= (START_GAIN - gain) / START_S * period_s;
            self.starting = self.start_gain > gain;
        }
        if self.starting { self.start_gain.into() } else { self.parameters.gain }
    }

    pub(super) fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        pass_quaternion(state, &mut self.q)?;
        state.bool(&mut self.starting)?;
        state.f32(&mut self.start_gain)?;
        for rejection in [&mut self.acceleration, &mut self.magnetic] {
            for count in [&mut rejection.trigger, &mut rejection.threshold] {
                let mut bits = count.cast_unsigned();
                state.u64(&mut bits)?;
                *count = bits.cast_signed();
                state.demand((0..=rejection.timeout).contains(count))?;
            }
        }
        Ok(())
    }
}

/// When to ignore a sensor.
#[derive(Clone, Debug, PartialEq)]
struct Rejection {
    /// Of half the sine of the angle.
    limit_squared: f64,
    /// In samples.
    timeout: i64,
    /// Rises by 1 with every sample that is off and falls by 9 with every other.
    trigger: i64,
    /// Beyond it the sensor is believed.
    threshold: i64,
}

impl Rejection {
    #[inline(always)]
    fn admits(&mut self, starting: bool, residual: Vector) -> bool {
        if self.limit_squared == f64::INFINITY {
            return true;
        }
        let mut admits = starting || dot(residual, residual) <= self.limit_squared;
        self.trigger += if admits { -9 } else { 1 };
        if self.trigger > self.threshold {
            self.threshold = 0;
            admits = true;
        } else {
            self.threshold = self.timeout;
        }
        self.trigger = self.trigger.clamp(0, self.timeout);
        admits
    }
}

/// Half of up and half of west, as the body sees them.
#[inline(always)]
fn axes(convention: Convention, [w, x, y, z]: Quaternion) -> [Vector; 2] {
    let first = [w * w - 0.5 + x * x, x * y - w * z, x * z + w * y];
    let second = [x * y + w * z, w * w - 0.5 + y * y, y * z - w * x];
    let third = [x * z - w * y, y * z + w * x, w * w - 0.5 + z * z];
    match convention {
        Convention::Nwu => [third, second],
        Convention::Enu => [third, first.map(|part| -part)],
        Convention::Ned => [third.map(|part| -part), second.map(|part| -part)],
    }
}

/// Half the axis to turn about times the sine of the angle, or 1 beyond 90°.
#[inline(always)]
fn residual(seen: Vector, half_expected: Vector) -> Vector {
    let turn = cross(seen, half_expected);
    if dot(seen, half_expected) > 0.0 {
        return turn;
    }
    // Exactly opposite nothing says which way to turn.
    unit(turn).unwrap_or([0.0; 3])
}

#[inline(always)]
fn add(to: Vector, residual: Vector, gain: f64) -> Vector {
    [to[0] + gain * residual[0], to[1] + gain * residual[1], to[2] + gain * residual[2]]
}

/// Turned about the vertical so that it looks along the first axis of the earth.
fn without_heading(q: Quaternion) -> Quaternion {
    let [w, x, y, z] = q;
    let half_yaw = 0.5 * (w * z + x * y).atan2(0.5 - y * y - z * z);
    let (sin, cos) = half_yaw.sin_cos();
    lengthened([cos * w + sin * z, cos * x + sin * y, cos * y - sin * x, cos * z - sin * w])
}
