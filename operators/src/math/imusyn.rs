//! A body that stands, walks, leans, sits and lies, as sensors at its trunk see it, with the truth.
//!
//! x points forward, y to the left, z up. Each activity of a routine lasts equally long and begins with two
//! seconds of half a cosine, `s`, from what was before. With the step's phase `φ = cadence · t` and `w` from
//! 0 (not walking) to 1,
//!
//! ```text
//! pitch  = that of the activity + w 3° sin 2πφ        roll = w 4° sin πφ        yaw = 20° sin 2π 0.02 t
//! up     = w A cos 2πφ      forward = w A / 2 sin 2πφ      left = w A / 4 sin πφ        (accelerations)
//! ```
//!
//! A step is at each top of `up`, where φ is whole. The gyroscope shows the rates of these angles about the
//! axes of the body, the accelerometer gravity (1 g upwards) and these accelerations, the magnetometer a field
//! of 48 µT that dips by 64°. White noise, and an offset of the gyroscope that differs with the seed, are added.

use std::{
    collections::VecDeque,
    f64::consts::{PI, TAU},
};

use super::{
    orientation::{Quaternion, Vector, from_euler_rad, to_body},
    random::Random,
};

/// What a body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Upright.
    Stand,
    /// Upright, with steps.
    Walk,
    /// 40° forward.
    Lean,
    /// 12° backward.
    Sit,
    /// On its back.
    Lie,
}

impl Activity {
    /// All of them with their names.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("stand", Self::Stand),
        ("walk", Self::Walk),
        ("lean", Self::Lean),
        ("sit", Self::Sit),
        ("lie", Self::Lie),
    ];

    /// The posture of a trunk that does this.
    pub const fn posture(self) -> &'static str {
        match self {
            Self::Stand | Self::Sit => "upright",
            Self::Walk => "moving",
            Self::Lean => "leaning",
            Self::Lie => "lying",
        }
    }

    fn pitch_rad(self) -> f64 {
        let pitch_deg: f64 = match self {
            Self::Stand => 0.0,
            Self::Walk => 4.0,
            Self::Lean => 40.0,
            Self::Sit => -12.0,
            Self::Lie => -86.0,
        };
        pitch_deg.to_radians()
    }

    fn walks(self) -> f64 {
        if self == Self::Walk { 1.0 } else { 0.0 }
    }
}

/// What the body does and how well it is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct ImuParameters {
    /// What it does, over and over; not empty.
    pub routine: Vec<Activity>,
    /// How long each lasts, at least the two seconds of its beginning.
    pub each_s: f64,
    /// Steps a minute.
    pub cadence_spm: f64,
    /// A.
    pub amplitude_g: f64,
    /// Standard deviation of noise, and the largest offset.
    pub gyroscope_noise_dps: f64,
    /// The largest offset of an axis.
    pub gyroscope_offset_dps: f64,
    /// Standard deviation of noise.
    pub accelerometer_noise_g: f64,
    /// Standard deviation of noise.
    pub magnetometer_noise_ut: f64,
    /// Whether there is a magnetometer.
    pub magnetometer: bool,
    /// The same seed gives the same noise.
    pub seed: u64,
}

/// The body.
#[derive(Clone, Debug)]
pub struct Imu {
    parameters: ImuParameters,
    rate_hz: f64,
    offset_dps: Vector,
    random: Random,
    position: u64,
    steps: VecDeque<i64>,
    postures: VecDeque<(i64, Activity)>,
}

/// How long an activity takes to begin.
pub const BEGIN_S: f64 = 2.0;
const FIELD_UT: f64 = 48.0;
const DIP_DEG: f64 = 64.0;
/// Truths that may wait to be taken.
const WAITING: usize = 4_096;

impl Imu {
    /// At its first sample.
    pub fn new(parameters: ImuParameters, rate_hz: f64) -> Self {
        let mut random = Random::new(parameters.seed);
        let offset_dps =
            [0; 3].map(|_| parameters.gyroscope_offset_dps * (2.0 * random.uniform() - 1.0));
        let (steps, postures) =
            (VecDeque::with_capacity(WAITING), VecDeque::with_capacity(WAITING));
        Self { parameters, rate_hz, offset_dps, random, position: 0, steps, postures }
    }

    /// The sample that comes next.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Channels of the sensors: gyroscope, accelerometer, perhaps magnetometer.
    pub const fn channels(&self) -> usize {
        if self.parameters.magnetometer { 9 } else { 6 }
    }

    /// The next samples: planes of all sensors, in deg/s, g and µT, and of the true quaternion.
    pub fn fill(&mut self, sensors: &mut [f32], truth: &mut [f32]) {
        let len = truth.len() / 4;
        for n in 0..len {
            let t = self.position as f64 / self.rate_hz;
            let moment = self.moment(t);
            let ImuParameters {
                gyroscope_noise_dps,
                accelerometer_noise_g,
                magnetometer_noise_ut,
                ..
            } = self.parameters;
            let triads = [
                (moment.rate_dps, gyroscope_noise_dps, self.offset_dps),
                (moment.acceleration_g, accelerometer_noise_g, [0.0; 3]),
                (moment.field_ut, magnetometer_noise_ut, [0.0; 3]),
            ];
            let sensed = self.channels() / 3;
            for (sensor, (seen, noise, offset)) in triads.into_iter().enumerate().take(sensed) {
                let ((a, b), (c, _)) = (self.random.normals(), self.random.normals());
                for (axis, random) in [a, b, c].into_iter().enumerate() {
                    let value = seen[axis] + offset[axis] + noise * random;
                    sensors[(3 * sensor + axis) * len + n] = value as f32;
                }
            }
            for (part, value) in moment.turned.into_iter().enumerate() {
                truth[part * len + n] = value as f32;
            }
            self.position += 1;
            self.note(t, self.position as f64 / self.rate_hz);
        }
    }

    /// The next step that was filled, in nanoseconds.
    pub fn pop_step(&mut self) -> Option<i64> {
        self.steps.pop_front()
    }

    /// The next change of activity that was filled: when half of it was done.
    pub fn pop_activity(&mut self) -> Option<(i64, Activity)> {
        self.postures.pop_front()
    }

    /// Begins again.
    pub fn reset(&mut self) {
        let (mut steps, mut postures) =
            (std::mem::take(&mut self.steps), std::mem::take(&mut self.postures));
        steps.clear();
        postures.clear();
        let fresh = Self::new(self.parameters.clone(), self.rate_hz);
        *self = Self { steps, postures, ..fresh };
    }

    /// What happens from one moment to the next.
    fn note(&mut self, from: f64, to: f64) {
        let ns = |seconds: f64| (seconds * 1e9).round() as i64;
        let cadence_hz = self.parameters.cadence_spm / 60.0;
        let step = (from * cadence_hz).ceil();
        let at = step / cadence_hz;
        if (from..to).contains(&at) && self.walking(at).0 >= 0.5 {
            self.steps.push_back(ns(at));
        }
        let (number, activity, before) = self.activity(from);
        let at =
            if number == 0 { 0.0 } else { number as f64 * self.parameters.each_s + BEGIN_S / 2.0 };
        if (from..to).contains(&at) && (number == 0 || activity != before) {
            self.postures.push_back((ns(at), activity));
        }
    }

    /// Number of the activity at a moment, which one, and which was before.
    fn activity(&self, t: f64) -> (u64, Activity, Activity) {
        let ImuParameters { routine, each_s, .. } = &self.parameters;
        let number = (t / each_s).floor() as u64;
        let of = |number: u64| routine[(number % routine.len() as u64) as usize];
        (number, of(number), of(number.saturating_sub(1)))
    }

    /// A quantity of activities, faded, and its rate of change.
    fn faded(&self, t: f64, of: impl Fn(Activity) -> f64) -> (f64, f64) {
        let (number, activity, before) = self.activity(t);
        let (from, to) = (of(before), of(activity));
        let part = (t - number as f64 * self.parameters.each_s) / BEGIN_S;
        if number == 0 || part >= 1.0 {
            return (to, 0.0);
        }
        let share = 0.5 - 0.5 * (PI * part).cos();
        let change = 0.5 * PI * (PI * part).sin() / BEGIN_S;
        (from + (to - from) * share, (to - from) * change)
    }

    fn walking(&self, t: f64) -> (f64, f64) {
        self.faded(t, Activity::walks)
    }

    fn moment(&self, t: f64) -> Moment {
        let (pitch, pitch_change) = self.faded(t, Activity::pitch_rad);
        let (w, w_change) = self.walking(t);
        let step_w = TAU * self.parameters.cadence_spm / 60.0;
        let ((sin, cos), (half_sin, half_cos)) =
            ((step_w * t).sin_cos(), (0.5 * step_w * t).sin_cos());
        let (sway, swing) = (4f64.to_radians(), 3f64.to_radians());
        let turn_w = TAU * 0.02;
        let (turn_sin, turn_cos) = (turn_w * t).sin_cos();
        let turn = 20f64.to_radians();

        let angles = [sway * w * half_sin, pitch + swing * w * sin, turn * turn_sin];
        let roll_change = sway * (w_change * half_sin + w * 0.5 * step_w * half_cos);
        let pitch_change = pitch_change + swing * (w_change * sin + w * step_w * cos);
        let yaw_change = turn * turn_w * turn_cos;
        let ((roll_sin, roll_cos), (pitch_sin, pitch_cos)) =
            (angles[0].sin_cos(), angles[1].sin_cos());
        let rate = [
            roll_change - yaw_change * pitch_sin,
            pitch_change * roll_cos + yaw_change * roll_sin * pitch_cos,
            -pitch_change * roll_sin + yaw_change * roll_cos * pitch_cos,
        ];

        let turned = from_euler_rad(angles);
        let a = w * self.parameters.amplitude_g;
        let (yaw_sin, yaw_cos) = angles[2].sin_cos();
        let (forward, left) = (0.5 * a * sin, 0.25 * a * half_sin);
        let moved =
            [forward * yaw_cos - left * yaw_sin, forward * yaw_sin + left * yaw_cos, a * cos];
        let dip = DIP_DEG.to_radians();
        let field = [FIELD_UT * dip.cos(), 0.0, -FIELD_UT * dip.sin()];
        Moment {
            turned,
            rate_dps: rate.map(f64::to_degrees),
            acceleration_g: to_body(turned, [moved[0], moved[1], moved[2] + 1.0]),
            field_ut: to_body(turned, field),
        }
    }
}

/// All about one moment.
struct Moment {
    turned: Quaternion,
    rate_dps: Vector,
    acceleration_g: Vector,
    field_ut: Vector,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::orientation::product;

    fn quiet() -> ImuParameters {
        ImuParameters {
            routine: vec![Activity::Stand, Activity::Walk, Activity::Lean, Activity::Lie],
            each_s: 8.0,
            cadence_spm: 110.0,
            amplitude_g: 0.25,
            gyroscope_noise_dps: 0.0,
            gyroscope_offset_dps: 0.0,
            accelerometer_noise_g: 0.0,
            magnetometer_noise_ut: 0.0,
            magnetometer: true,
            seed: 1,
        }
    }

    #[test]
    fn the_gyroscope_is_what_turns_the_quaternion() {
        let imu = Imu::new(quiet(), 100.0);
        let h = 1e-5;
        for n in 0..640 {
            let t = 0.05 * f64::from(n) + 0.013;
            let (before, now, after) = (imu.moment(t - h), imu.moment(t), imu.moment(t + h));
            let change: Quaternion =
                std::array::from_fn(|part| (after.turned[part] - before.turned[part]) / (2.0 * h));
            let [w, x, y, z] = now.turned;
            let [_, p, q, r] = product([w, -x, -y, -z], change).map(|part| 2.0 * part.to_degrees());
            for (got, want) in now.rate_dps.into_iter().zip([p, q, r]) {
                // The difference quotient is off by h² / 6 times a third derivative of some 1e5 deg/s³, and
                // by 1e-16 / h of rounding.
                assert!((got - want).abs() < 1e-5, "{t} s: {got} is not {want}");
            }
        }
    }

    #[test]
    fn steps_are_the_tops_and_the_routine_is_told() {
        let mut imu = Imu::new(quiet(), 100.0);
        let (mut sensors, mut truth) = (vec![0.0; 9 * 3_200], vec![0.0; 4 * 3_200]);
        imu.fill(&mut sensors, &mut truth);
        let steps: Vec<f64> =
            std::iter::from_fn(|| imu.pop_step()).map(|ns| ns as f64 / 1e9).collect();
        // Half of it begins at 9 s and ends at 17 s; steps are 6 / 11 s apart, the 17th at 9.27 s.
        assert!(
            steps[0] >= 9.0 && steps[steps.len() - 1] <= 17.0 && steps.len() == 15,
            "{steps:?}"
        );
        let activities: Vec<_> = std::iter::from_fn(|| imu.pop_activity()).collect();
        let at: Vec<f64> = activities.iter().map(|(ns, _)| *ns as f64 / 1e9).collect();
        assert_eq!(at, [0.0, 9.0, 17.0, 25.0]);
        assert_eq!(activities[3].1, Activity::Lie);
        // At rest an accelerometer shows 1 g, wherever it points.
        let length = |n: usize| {
            (3..6).map(|c| f64::from(sensors[c * 3_200 + n]).powi(2)).sum::<f64>().sqrt()
        };
        assert!((length(0) - 1.0).abs() < 1e-6 && (length(3_100) - 1.0).abs() < 1e-6);
        assert!(sensors[3 * 3_200 + 3_100] > 0.99, "on its back it has gravity in front");
    }

    #[test]
    fn how_it_is_divided_changes_nothing() {
        let noisy =
            ImuParameters { gyroscope_noise_dps: 1.0, accelerometer_noise_g: 0.01, ..quiet() };
        let mut whole = Imu::new(noisy.clone(), 100.0);
        let (mut sensors, mut truth) = (vec![0.0; 9 * 100], vec![0.0; 4 * 100]);
        whole.fill(&mut sensors, &mut truth);
        let mut parts = Imu::new(noisy, 100.0);
        for n in 0..100 {
            let (mut one, mut turned) = ([0.0; 9], [0.0; 4]);
            parts.fill(&mut one, &mut turned);
            assert!((0..9).all(|channel| one[channel] == sensors[channel * 100 + n]));
        }
    }
}
