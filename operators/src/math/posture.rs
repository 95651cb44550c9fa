//! Which way up a body is, and whether it moves, from an accelerometer that is fastened to it.
//!
//! ```text
//! g[n] = g[n−1] + k (a[n] − g[n−1])              gravity as the sensor sees it, k = 1 − exp(−1 / (rate τ))
//! v[n] = v[n−1] + k (|a[n] − g[n]|² − v[n−1])    activity is √v
//! ```
//!
//! with τ = 0.5 s. At rest `a` shows 1 g upwards. Tilt is the angle between `g` and the axis of the sensor that
//! points up when the body stands. A limit that was passed must be passed back by the hysteresis.
//!
//! Source: Lyons et al. 2005, *A description of an accelerometer-based mobility monitoring technique*.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::{
    orientation::{Vector, cross, dot, unit},
    state::{State, StateError},
};

/// What a body does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Posture {
    /// The trunk is up.
    #[default]
    Upright,
    /// The trunk is neither up nor down.
    Leaning,
    /// On the back, the belly or a side.
    Lying(Side),
    /// The thigh hangs down.
    Standing,
    /// The thigh is level.
    Sitting,
    /// Too much for any of these.
    Moving,
}

/// What somebody who lies lies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The back.
    #[default]
    Supine,
    /// The belly.
    Prone,
    /// The left side.
    Left,
    /// The right side.
    Right,
}

impl Posture {
    const ALL: [Self; 9] = [
        Self::Upright,
        Self::Leaning,
        Self::Lying(Side::Supine),
        Self::Lying(Side::Prone),
        Self::Lying(Side::Left),
        Self::Lying(Side::Right),
        Self::Standing,
        Self::Sitting,
        Self::Moving,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Upright => "upright",
            Self::Leaning => "leaning",
            Self::Lying(_) => "lying",
            Self::Standing => "standing",
            Self::Sitting => "sitting",
            Self::Moving => "moving",
        }
    }

    /// On what it lies, if it does.
    pub const fn side(self) -> Option<&'static str> {
        Some(match self {
            Self::Lying(Side::Supine) => "supine",
            Self::Lying(Side::Prone) => "prone",
            Self::Lying(Side::Left) => "left",
            Self::Lying(Side::Right) => "right",
            _ => return None,
        })
    }

    pub(crate) fn visit(state: &mut State<'_>, posture: &mut Self) -> Result<(), StateError> {
        let mut number = Self::ALL.iter().position(|other| other == posture).unwrap_or(0) as u8;
        state.u8(&mut number)?;
        state.demand(usize::from(number) < Self::ALL.len())?;
        *posture = Self::ALL[usize::from(number) % Self::ALL.len()];
        Ok(())
    }
}

/// Where a sensor is, and where limits are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PostureParameters {
    /// The sensor is at the thigh, not at the trunk.
    pub at_thigh: bool,
    /// The axis of the sensor that points up when the body stands.
    pub up: Vector,
    /// The axis that points forward then.
    pub front: Vector,
    /// A trunk tilted further leans; one tilted further than the second lies, or a thigh further sits.
    pub leaning_rad: f64,
    /// The second limit.
    pub lying_rad: f64,
    /// How far back a limit must be passed.
    pub hysteresis_rad: f64,
    /// More activity is moving, less than two thirds of it is none.
    pub moving_g: f64,
}

const SETTLE_S: f64 = 0.5;
/// Part of `moving_g` below which a body has come to rest.
const REST: f64 = 2.0 / 3.0;

/// Tells postures apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Postures {
    parameters: PostureParameters,
    follow: f64,
    gravity: Option<Vector>,
    power: f64,
    now: Option<Posture>,
}

impl Postures {
    /// For so many samples per second.
    pub fn new(parameters: PostureParameters, rate_hz: f64) -> Self {
        let follow = 1.0 - (-1.0 / (rate_hz * SETTLE_S)).exp();
        Self { parameters, follow, gravity: None, power: 0.0, now: None }
    }

    /// Takes the next acceleration, in g.
    pub fn push(&mut self, acceleration: Vector) -> Posture {
        let before = self.gravity.unwrap_or(acceleration);
        let gravity: Vector = std::array::from_fn(|axis| {
            before[axis] + self.follow * (acceleration[axis] - before[axis])
        });
        let rest: Vector = std::array::from_fn(|axis| acceleration[axis] - gravity[axis]);
        self.power += self.follow * (dot(rest, rest) - self.power);
        // A nanometre a second squared is none, and must not become subnormal.
        if self.power < 1e-20 {
            self.power = 0.0;
        }
        self.gravity = Some(gravity);
        let now = self.judged(gravity);
        self.now = Some(now);
        now
    }

    fn judged(&self, gravity: Vector) -> Posture {
        let PostureParameters { at_thigh, leaning_rad, lying_rad, hysteresis_rad, .. } =
            self.parameters;
        let was_moving = self.now == Some(Posture::Moving);
        let enough_g = self.parameters.moving_g * if was_moving { REST } else { 1.0 };
        if self.activity_g() > enough_g {
            return Posture::Moving;
        }
        let tilt_rad = self.tilt_rad();
        // A limit lies further off for who has not passed it, and nearer for who has.
        let beyond = |limit_rad: f64, was: bool| {
            let aside = if was { -hysteresis_rad } else { hysteresis_rad };
            tilt_rad > limit_rad + if self.now.is_none() || was_moving { 0.0 } else { aside }
        };
        let was_lying = matches!(self.now, Some(Posture::Lying(_) | Posture::Sitting));
        if at_thigh {
            return if beyond(lying_rad, was_lying) { Posture::Sitting } else { Posture::Standing };
        }
        if beyond(lying_rad, was_lying) {
            return Posture::Lying(self.side(gravity));
        }
        let was_leaning = was_lying || self.now == Some(Posture::Leaning);
        if beyond(leaning_rad, was_leaning) { Posture::Leaning } else { Posture::Upright }
    }

    fn side(&self, gravity: Vector) -> Side {
        let PostureParameters { up, front, hysteresis_rad, .. } = self.parameters;
        let (forward, left) = (dot(gravity, front), dot(gravity, cross(up, front)));
        let angle_rad = left.atan2(forward);
        let is_near = |axis_rad: f64, reach_rad: f64| {
            let off_rad = (angle_rad - axis_rad).sin().atan2((angle_rad - axis_rad).cos());
            off_rad.abs() <= reach_rad
        };
        // What points up is not what somebody lies on.
        let sides = [
            (Side::Supine, 0.0),
            (Side::Right, FRAC_PI_2),
            (Side::Prone, PI),
            (Side::Left, -FRAC_PI_2),
        ];
        if let Some(Posture::Lying(was)) = self.now {
            let kept = sides.iter().find(|(side, _)| *side == was);
            if kept.is_some_and(|(_, axis)| is_near(*axis, FRAC_PI_4 + hysteresis_rad)) {
                return was;
            }
        }
        let found = sides.iter().find(|(_, axis)| is_near(*axis, FRAC_PI_4));
        found.map_or(Side::Supine, |(side, _)| *side)
    }

    /// How far the body is from standing.
    pub fn tilt_rad(&self) -> f64 {
        let direction = self.gravity.and_then(unit);
        direction.map_or(0.0, |gravity| dot(gravity, self.parameters.up).clamp(-1.0, 1.0).acos())
    }

    /// How much it moves.
    pub fn activity_g(&self) -> f64 {
        self.power.sqrt()
    }

    /// As made.
    pub fn reset(&mut self) {
        (self.gravity, self.power, self.now) = (None, 0.0, None);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.optional(&mut self.gravity, |state, gravity| {
            gravity.iter_mut().try_for_each(|part| state.f64(part))
        })?;
        state.f64(&mut self.power)?;
        state.optional(&mut self.now, Posture::visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUNK: PostureParameters = PostureParameters {
        at_thigh: false,
        up: [0.0, 0.0, 1.0],
        front: [1.0, 0.0, 0.0],
        leaning_rad: 0.436,
        lying_rad: 1.047,
        hysteresis_rad: 0.087,
        moving_g: 0.15,
    };

    /// What is seen at the end of five seconds at rest, tilted forwards and to the left.
    fn seen(postures: &mut Postures, forward_deg: f64, left_deg: f64) -> Posture {
        let (forward, left) = (forward_deg.to_radians(), left_deg.to_radians());
        // What tilts forwards sees up behind it, what tilts to the left to its right.
        let up = [-forward.sin(), -left.sin() * forward.cos(), left.cos() * forward.cos()];
        (0..500).map(|_| postures.push(up)).last().expect("some")
    }

    #[test]
    fn postures_are_where_up_is() {
        for (forward_deg, left_deg, want) in [
            (0.0, 0.0, Posture::Upright),
            (20.0, 0.0, Posture::Upright),
            (40.0, 0.0, Posture::Leaning),
            (0.0, -50.0, Posture::Leaning),
            (90.0, 0.0, Posture::Lying(Side::Prone)),
            (-80.0, 0.0, Posture::Lying(Side::Supine)),
            (0.0, 90.0, Posture::Lying(Side::Left)),
            (0.0, -85.0, Posture::Lying(Side::Right)),
        ] {
            let mut postures = Postures::new(TRUNK, 100.0);
            assert_eq!(
                seen(&mut postures, forward_deg, left_deg),
                want,
                "{forward_deg} {left_deg}"
            );
        }
        let mut thigh = Postures::new(PostureParameters { at_thigh: true, ..TRUNK }, 100.0);
        assert_eq!(seen(&mut thigh, 10.0, 0.0), Posture::Standing);
        assert_eq!(seen(&mut thigh, -85.0, 0.0), Posture::Sitting);
    }

    #[test]
    fn a_limit_must_be_passed_back() {
        // Leaning is 25°, with 5° to either side.
        let quiet = PostureParameters { moving_g: 100.0, ..TRUNK };
        let mut postures = Postures::new(quiet, 100.0);
        let tilts = [(0.0, "upright"), (28.0, "upright"), (31.0, "leaning"), (22.0, "leaning")];
        for (tilt_deg, want) in tilts.into_iter().chain([(19.0, "upright")]) {
            assert_eq!(seen(&mut postures, tilt_deg, 0.0).word(), want, "{tilt_deg}°");
        }
        assert!((postures.tilt_rad().to_degrees() - 19.0).abs() < 0.01);
    }

    #[test]
    fn who_shakes_moves_until_the_rest_is_quiet() {
        let mut postures = Postures::new(TRUNK, 100.0);
        let shaken =
            |n: usize, by: f64| [0.0, 0.0, 1.0 + if n.is_multiple_of(2) { by } else { -by }];
        let mut of = |by: f64| (0..500).map(|n| postures.push(shaken(n, by))).last().expect("some");
        assert_eq!(of(0.12), Posture::Upright);
        assert_eq!(of(0.20), Posture::Moving);
        assert_eq!(of(0.12), Posture::Moving, "two thirds of 0.15 are 0.1");
        assert_eq!(of(0.08), Posture::Upright);
    }
}
