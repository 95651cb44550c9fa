//! `orientation`: how a body is turned.
//!
//! From gyroscope, accelerometer and, where there is one, magnetometer, by one of three filters; see
//! [`crate::math::orientation`] for their formulas.
//!
//! | port    | carries                                                                   |
//! |---------|---------------------------------------------------------------------------|
//! | `in`    | gyroscope, accelerometer and perhaps magnetometer: six or nine channels    |
//! | `out`   | the quaternion `w, x, y, z` that turns vectors of the body to the earth's   |
//! | `euler` | roll, pitch and yaw in degrees                                             |
//!
//! Channels are known by their unit, else by their order: gyroscope, accelerometer, magnetometer.
//! An accelerometer at rest shows +1 g upwards. Without a magnetometer yaw begins at 0 and drifts.
//!
//! **NaN**: an accelerometer or magnetometer that is not finite is left out at that moment. A rate
//! that is not finite is taken as the last good one, after 0.1 s of it as zero. A gap is a fresh
//! start. **Delay**: none. **Cost**: some 0.1 µs a sample, most of it for the angles.

use engine::{
    Body, BuildError, Channel, Code, Diagnostic, Diagnostics, Fault, Format, Io, Kind, Node,
    Operator, Outline, Param, Port, SignalFormat, Unit,
};

use super::sensors::{self, Sensors, Triad, is_finite};
use crate::math::{
    orientation::{
        Convention, Fusion, FusionParameters, Madgwick, Mahony, Quaternion, Reading, Tracker,
        euler_rad,
    },
    state::{State, StateError, StateReader},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "orientation",
    summary: "How a body is turned, from its gyroscope, accelerometer and magnetometer.",
    doc: "The quaternion q (w, x, y, z) that turns vectors of the body into those of the earth, \
          q[n] = q[n-1] + q[n-1] (0, w) T / 2, with the rate w put right by gravity and the \
          magnetic field. `method = \"fusion\"`: w = gyroscope + gain (a x up + unit(up x m) x \
          west), with a gain that falls from 10 in the first 3 s and rejection of readings that are \
          off; the AHRS of imufusion, whose names and defaults the parameters have, and within \
          0.1 degrees of it (computed in f64). \
          `\"madgwick\"`: a step of `gain_per_s` (0.1) down the gradient. `\"mahony\"`: feedback with \
          k_P = `gain_per_s` (1) and k_I = `integral_per_s2`, which learns the gyroscope's offset; \
          both begin where the first reading says. Channels are known by their unit, else by order: \
          gyroscope, accelerometer, magnetometer; at rest an accelerometer shows 1 g upwards. \
          Without a magnetometer yaw begins at 0 and drifts. Of q and -q, which are one orientation, w is not negative. `euler` is roll about x, pitch about y, \
          yaw about z, in degrees. No delay. NaN: an accelerometer or magnetometer that is not \
          finite is left out; a rate that is not finite is taken as the last good one, after 0.1 s \
          as zero. A gap is a fresh start. Cost: about 0.1 us a sample, most of it for the angles. Source: S. Madgwick, Fusion; \
          Madgwick et al. 2011; Mahony et al. 2008.",
    example: "gain_per_s = 2.0",
    inputs: &[Port::signal("in").fed_by(&["imu"])],
    outputs: &[Port::signal("out"), Port::signal("euler")],
    params: &[
        &METHOD,
        &GAIN_PER_S,
        &INTEGRAL_PER_S2,
        &CONVENTION,
        &GYROSCOPE_UNIT,
        &GYROSCOPE_RANGE_DPS,
        &ACCELERATION_REJECTION_DEG,
        &MAGNETIC_REJECTION_DEG,
        &REJECTION_TIMEOUT_S,
    ],
    plan,
    build: |node| {
        let (gyroscope, accelerometer, magnetometer) = sensors(node)?;
        let rate_hz = node.rate_hz("in");
        Ok(Body::operator(Orientation {
            tracker: tracker(node, rate_hz)?,
            gyroscope,
            accelerometer,
            magnetometer,
            rate: [0.0; 3],
            missing: 0,
            missing_max: (MISSING_S * rate_hz).round() as u64,
        }))
    },
    ..Kind::BASE
};

const METHOD: Param<&str> = Param::with_default("method", "fusion", "Which filter.")
    .one_of(&["fusion", "madgwick", "mahony"]);
const GAIN_PER_S: Param<f64> = Param::optional(
    "gain_per_s",
    "How much of an error is corrected in a second; unless written 0.5 (fusion), 0.1 (madgwick), 1 (mahony).",
)
.within(0.0, 100.0);
const INTEGRAL_PER_S2: Param<f64> =
    Param::with_default("integral_per_s2", 0.0, "Mahony's k_I, which learns the offset.")
        .within(0.0, 100.0);
pub(super) const CONVENTION: Param<&str> = Param::with_default(
    "convention",
    "nwu",
    "Axes of the earth: x, y, z are north, west, up and so on.",
)
.one_of(&["nwu", "enu", "ned"]);
const GYROSCOPE_UNIT: Param<&str> =
    Param::with_default("gyroscope_unit", "deg/s", "Unit of a gyroscope whose channels have none.")
        .one_of(&["deg/s", "rad/s"]);
const GYROSCOPE_RANGE_DPS: Param<f64> = Param::with_default(
    "gyroscope_range_dps",
    0.0,
    "Range of the gyroscope in deg/s; beyond 98 % of it fusion starts anew, 0 is without limit.",
)
.within(0.0, 1e6);
const ACCELERATION_REJECTION_DEG: Param<f64> = Param::with_default(
    "acceleration_rejection_deg",
    0.0,
    "An accelerometer further off is ignored by fusion; 0 is without limit.",
)
.within(0.0, 90.0);
const MAGNETIC_REJECTION_DEG: Param<f64> = Param::with_default(
    "magnetic_rejection_deg",
    0.0,
    "A magnetometer further off is ignored by fusion; 0 is without limit.",
)
.within(0.0, 90.0);
const REJECTION_TIMEOUT_S: Param<f64> = Param::with_default(
    "rejection_timeout_s",
    0.0,
    "Ignored for longer a sensor is believed again; 0 rejects nothing.",
)
.within(0.0, 3_600.0);

/// So long a rate that is not finite is taken as the last good one.
const MISSING_S: f64 = 0.1;

fn sensors(node: &Node<'_>) -> Result<(Triad, Triad, Option<Triad>), Diagnostic> {
    let Sensors { gyroscope, accelerometer, magnetometer } =
        sensors::find(node, "in", [node.get(&GYROSCOPE_UNIT)?, "g"])?;
    let gyroscope = sensors::demand(node, "in", gyroscope, 0)?;
    Ok((gyroscope, sensors::demand(node, "in", accelerometer, 1)?, magnetometer))
}

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    sensors(node)?;
    idle(node)?;
    let input = node.signal("in");
    let signal = |names: &[&str], unit: Unit| {
        let channel = |name: &&str| Channel { name: (*name).to_owned(), unit };
        let channels = names.iter().map(channel).collect();
        Format::Signal(SignalFormat { channels, ..input.clone() }.into())
    };
    Ok(Outline::of([
        signal(&["w", "x", "y", "z"], Unit::named("1")),
        signal(&["roll_deg", "pitch_deg", "yaw_deg"], Unit::named("deg")),
    ]))
}

/// Refuses parameters that another method has.
fn idle(node: &Node<'_>) -> Result<(), Diagnostics> {
    let method = node.get(&METHOD)?;
    let told = |name: &str, of: &str| {
        let message = format!("`{name}` belongs to method = {of:?}, not {method:?}");
        let hint = format!("leave it out, or write method = {of:?}");
        Err(node.problem(Code::NoEffect, name, message).hint(hint).into())
    };
    if method != "mahony" && node.get(&INTEGRAL_PER_S2)? != 0.0 {
        return told(INTEGRAL_PER_S2.name(), "mahony");
    }
    if method == "fusion" {
        return Ok(());
    }
    for param in [
        &GYROSCOPE_RANGE_DPS,
        &ACCELERATION_REJECTION_DEG,
        &MAGNETIC_REJECTION_DEG,
        &REJECTION_TIMEOUT_S,
    ] {
        if node.get(param)? != 0.0 {
            return told(param.name(), "fusion");
        }
    }
    if node.get(&CONVENTION)? == "nwu" { Ok(()) } else { told(CONVENTION.name(), "fusion") }
}

fn tracker(node: &Node<'_>, rate_hz: f64) -> Result<Tracker, BuildError> {
    let gain = node.get_optional(&GAIN_PER_S)?;
    Ok(match node.get(&METHOD)? {
        "madgwick" => Tracker::Madgwick(Madgwick::new(rate_hz, gain.unwrap_or(0.1))),
        "mahony" => {
            let integral = node.get(&INTEGRAL_PER_S2)?;
            Tracker::Mahony(Mahony::new(rate_hz, gain.unwrap_or(1.0), integral))
        }
        _ => Tracker::Fusion(Fusion::new(FusionParameters {
            rate_hz,
            convention: match node.get(&CONVENTION)? {
                "enu" => Convention::Enu,
                "ned" => Convention::Ned,
                _ => Convention::Nwu,
            },
            gain: gain.unwrap_or(0.5),
            gyroscope_range_rad_s: node.get(&GYROSCOPE_RANGE_DPS)?.to_radians(),
            acceleration_rejection_rad: node.get(&ACCELERATION_REJECTION_DEG)?.to_radians(),
            magnetic_rejection_rad: node.get(&MAGNETIC_REJECTION_DEG)?.to_radians(),
            rejection_timeout_s: node.get(&REJECTION_TIMEOUT_S)?,
        })),
    })
}

struct Orientation {
    tracker: Tracker,
    gyroscope: Triad,
    accelerometer: Triad,
    magnetometer: Option<Triad>,
    /// The last good angular rate, and for how many samples there was none.
    rate: [f64; 3],
    missing: u64,
    missing_max: u64,
}

impl Orientation {
    #[inline(always)]
    fn push(&mut self, planes: &[f32], len: usize, n: usize) -> Quaternion {
        let rate = sensors::at(&self.gyroscope, planes, len, n);
        if is_finite(rate) {
            (self.rate, self.missing) = (rate, 0);
        } else {
            self.missing += 1;
            if self.missing > self.missing_max {
                self.rate = [0.0; 3];
            }
        }
        let seen = |triad: &Triad| {
            let seen = sensors::at(triad, planes, len, n);
            if is_finite(seen) { seen } else { [0.0; 3] }
        };
        self.tracker.push(&Reading {
            gyroscope_rad_s: self.rate,
            acceleration: seen(&self.accelerometer),
            magnetic: self.magnetometer.as_ref().map_or([0.0; 3], seen),
        })
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.rate.iter_mut().try_for_each(|part| state.f64(part))?;
        state.u64(&mut self.missing)?;
        self.tracker.pass(state)
    }
}

impl Operator for Orientation {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let (mut turned, mut angles) = (io.signal(0, len), io.signal(1, len));
        let q = turned.floats_mut().expect("a fresh buffer has one holder");
        let euler = angles.floats_mut().expect("a fresh buffer has one holder");
        let planes = io.frame().samples();
        for n in 0..len {
            let orientation = self.push(planes, len, n);
            // q and −q are one orientation: which of them it is must not depend on the past.
            let sign = if orientation[0] < 0.0 { -1.0 } else { 1.0 };
            for (part, value) in orientation.into_iter().enumerate() {
                q[part * len + n] = (sign * value) as f32;
            }
            for (part, angle) in euler_rad(orientation).into_iter().enumerate() {
                euler[part * len + n] = angle.to_degrees() as f32;
            }
        }
        io.send_buffer(0, time, turned);
        io.send_buffer(1, time, angles);
        Ok(())
    }

    fn reset(&mut self) {
        self.tracker.reset();
        (self.rate, self.missing) = ([0.0; 3], 0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        let mut copy = Self { tracker: self.tracker.clone(), ..*self };
        copy.pass(&mut State::Save(into)).expect("saving never fails");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let wrong = |error: StateError| Fault::new("is no state of `orientation`").because(error);
        let mut state = State::Load(StateReader::new(from, VERSION).map_err(wrong)?);
        let loaded = self.pass(&mut state).and_then(|()| state.end());
        loaded.map_err(|error| {
            self.reset();
            wrong(error)
        })
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use engine::{Channel, Rate, testing::Bench};

    use super::*;
    use crate::math::orientation::{from_euler_rad, to_body};

    const RATE_HZ: f64 = 100.0;

    fn sensors(units: &[&str]) -> Format {
        let three = |unit: &&str| {
            ["x", "y", "z"].map(|axis| Channel { name: axis.to_owned(), unit: Unit::named(unit) })
        };
        let channels = units.iter().flat_map(three).collect();
        let rate = Rate::new(RATE_HZ).expect("a rate");
        Format::Signal(SignalFormat { channels, rate, frame_len: 4_096 }.into())
    }

    fn bench(units: &[&str], params: &str) -> Bench {
        let told = Bench::with(&KIND, &[("in", sensors(units))], params);
        told.unwrap_or_else(|told| panic!("{told}"))
    }

    /// Planes of a body that turns about its long axis by 30 degrees a second, pitched by 0.3.
    fn planes(len: usize, degree: f64) -> Vec<f32> {
        let turned = |n: usize| from_euler_rad([(0.3 * n as f64).to_radians(), 0.3, 0.0]);
        let of = |n: usize| {
            let up = to_body(turned(n), [0.0, 0.0, 1.0]);
            let field = to_body(turned(n), [20.0, 0.0, -44.0]);
            [[30.0 * degree, 0.0, 0.0], up, field].concat()
        };
        (0..9).flat_map(|part| (0..len).map(move |n| of(n)[part] as f32)).collect()
    }

    /// The last sample of a channel of a port.
    fn last(bench: &mut Bench, port: usize, channel: usize) -> f64 {
        let seen = bench.take();
        let frame = &seen.iter().rev().find(|seen| seen.port == port).expect("some").frame;
        (*frame.channel(channel).last().expect("some")).into()
    }

    #[test]
    fn a_turn_is_told_in_degrees_whatever_the_unit() {
        for (unit, degree) in [("deg/s", 1.0), ("rad/s", 1f64.to_radians())] {
            let mut orientation = bench(&[unit, "g", "uT"], "");
            orientation.feed(&planes(1_000, degree));
            let roll_deg = last(&mut orientation, 1, 0);
            // The last of 1 000 samples is at 299.7°; the filter is half a sample of 0.3° off at most.
            assert!((roll_deg - (299.7 - 360.0)).abs() < 0.3, "{unit}: {roll_deg}");
        }
        let mut orientation = bench(&["", "", ""], "gyroscope_unit = \"rad/s\"");
        orientation.feed(&planes(1_000, 1f64.to_radians()));
        assert!((last(&mut orientation, 1, 0) - (299.7 - 360.0)).abs() < 0.3);
    }

    #[test]
    fn w_is_never_negative_and_the_quaternion_as_long_as_one() {
        let mut orientation = bench(&["deg/s", "g", "uT"], "");
        orientation.feed(&planes(3_000, 1.0));
        for seen in orientation.take().iter().filter(|seen| seen.port == 0) {
            for n in 0..seen.frame.len() {
                let q: [f64; 4] = std::array::from_fn(|part| seen.frame.channel(part)[n].into());
                let squared: f64 = q.iter().map(|part| part * part).sum();
                // Four parts rounded to 6e-8.
                assert!(q[0] >= 0.0 && (squared - 1.0).abs() < 5e-7, "{q:?}");
            }
        }
    }

    #[test]
    fn a_missing_sample_hardly_shows_and_a_long_hole_stops_the_turn() {
        let mut whole = planes(1_000, 1.0);
        for part in 0..9 {
            whole[part * 1_000 + 600] = f32::NAN;
        }
        let mut orientation = bench(&["deg/s", "g", "uT"], "");
        orientation.feed(&whole);
        let roll_deg = last(&mut orientation, 1, 0);
        assert!((roll_deg - (299.7 - 360.0)).abs() < 0.3, "{roll_deg}");

        // Ten samples of the last rate, then none: 0.1 s of 30° a second.
        let mut silent = bench(&["deg/s", "g", "uT"], "");
        silent.feed(&planes(1_000, 1.0));
        let before_deg = last(&mut silent, 1, 0);
        silent.feed(&[f32::NAN; 9 * 500]);
        let after_deg = last(&mut silent, 1, 0);
        assert!((after_deg - before_deg - 3.0).abs() < 0.01, "{before_deg}, {after_deg}");
    }

    #[test]
    fn what_belongs_to_another_method_or_is_missing_is_explained() {
        let nine = [("in", sensors(&["deg/s", "g", "uT"]))];
        for (params, told) in [
            ("integral_per_s2 = 0.1", "`integral_per_s2` belongs to method = \"mahony\""),
            (
                "method = \"madgwick\"\nmagnetic_rejection_deg = 5.0",
                "belongs to method = \"fusion\"",
            ),
            ("method = \"mahony\"\nconvention = \"ned\"", "`convention` belongs to"),
        ] {
            let problem = Bench::with(&KIND, &nine, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{problem}");
        }
        let problem = Bench::with(&KIND, &[("in", sensors(&["g"]))], "").err().expect("refused");
        assert!(problem.to_string().contains("has no gyroscope"), "{problem}");
    }
}
