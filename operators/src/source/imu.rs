//! `imu`: sensors at the trunk of a synthetic body, with the truth about it.
//!
//! A body that stands, walks, leans, sits and lies; see [`crate::math::imusyn`].
//!
//! | port      | carries                                                                          |
//! |-----------|----------------------------------------------------------------------------------|
//! | `out`     | gyroscope (deg/s), accelerometer (g) and magnetometer (µT): nine channels, or six |
//! | `truth`   | the quaternion `w, x, y, z` that turns vectors of the body into the earth's        |
//! | `steps`   | an event per step, where it is                                                   |
//! | `posture` | an event where half of a change is done                                          |

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Field, Flow, Format, Io, Kind, Node, Outline, Param,
    Port, Rate, SignalFormat, Source, Timestamp, Unit,
};

use crate::math::imusyn::{Activity, Imu, ImuParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "imu",
    summary: "Sensors at the trunk of a synthetic body, with the truth about it.",
    doc: "Gyroscope, accelerometer (which shows 1 g upwards at rest) and magnetometer of a body that does the \
          activities of `routine` (stand, walk, lean, sit, lie), each for each_s, over and over, with x to the \
          front, y to the left, z up; the axes of the earth are north, west and up. Walking bounces by \
          amplitude_g at cadence_spm, and sways; the body turns slowly by 20 degrees both ways. The port \
          `truth` has the quaternion w, x, y, z, `steps` an event at the top of each bounce, `posture` one \
          where half of a change is done (`posture` is upright, moving, leaning or lying, `activity` the word \
          of the routine). Noise is white; the gyroscope's offset differs with the seed. Sample n is the same \
          whatever the frame length; session n of a run uses seed + n. Without `seconds` it never ends. Cost: \
          about 0.4 us a sample.",
    example: "seconds = 20.0\neach_s = 5.0",
    outputs: &[
        Port::signal("out"),
        Port::signal("truth"),
        Port::event("steps"),
        Port::event("posture"),
    ],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &ROUTINE,
        &EACH_S,
        &CADENCE_SPM,
        &AMPLITUDE_G,
        &MAGNETOMETER,
        &GYROSCOPE_NOISE_DPS,
        &GYROSCOPE_OFFSET_DPS,
        &ACCELEROMETER_NOISE_G,
        &MAGNETOMETER_NOISE_UT,
        &SEED,
    ],
    plan: |node| {
        routine(node)?;
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let sensors = if node.get(&MAGNETOMETER)? { &SENSORS[..] } else { &SENSORS[..2] };
        let axes = sensors.iter().flat_map(|(sensor, unit)| {
            let axis =
                |axis: &str| Channel { name: format!("{sensor}_{axis}"), unit: Unit::named(unit) };
            ["x", "y", "z"].map(axis)
        });
        let part = |name: &str| Channel { name: name.to_owned(), unit: Unit::named("1") };
        let signal = |channels: Vec<Channel>| {
            Format::Signal(SignalFormat { channels, rate, frame_len }.into())
        };
        let mut outline = Outline::of([
            signal(axes.collect()),
            signal(["w", "x", "y", "z"].map(part).into()),
            Format::event(vec![Field::i64("step")], 5.0),
            Format::event(vec![Field::text("posture", 8), Field::text("activity", 5)], 0.5),
        ]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let (rate, seconds) = (signal.rate, node.get_optional(&SECONDS)?);
        let parameters = ImuParameters {
            routine: routine(node)?,
            each_s: node.get(&EACH_S)?,
            cadence_spm: node.get(&CADENCE_SPM)?,
            amplitude_g: node.get(&AMPLITUDE_G)?,
            gyroscope_noise_dps: node.get(&GYROSCOPE_NOISE_DPS)?,
            gyroscope_offset_dps: node.get(&GYROSCOPE_OFFSET_DPS)?,
            accelerometer_noise_g: node.get(&ACCELEROMETER_NOISE_G)?,
            magnetometer_noise_ut: node.get(&MAGNETOMETER_NOISE_UT)?,
            magnetometer: node.get(&MAGNETOMETER)?,
            // People differ: sessions of one run are not copies of one body.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        Ok(Body::source(SyntheticImu {
            imu: Imu::new(parameters, rate.hz()),
            rate,
            frame_len: signal.frame_len,
            samples: seconds.map(|seconds| (seconds * rate.hz()).round() as u64),
            steps: 0,
        }))
    },
    ..Kind::BASE
};

/// Names and units of the sensors.
const SENSORS: [(&str, &str); 3] = [("gyr", "deg/s"), ("acc", "g"), ("mag", "uT")];

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 100.0, "Samples per second.").within(10.0, 10_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const ROUTINE: Param<&str> = Param::with_default(
    "routine",
    "stand walk lean sit lie",
    "What the body does, one after the other.",
);
const EACH_S: Param<f64> =
    Param::with_default("each_s", 20.0, "How long it does each, 2 s to begin among it.")
        .within(2.0, 86_400.0);
const CADENCE_SPM: Param<f64> =
    Param::with_default("cadence_spm", 110.0, "Steps a minute.").within(30.0, 200.0);
const AMPLITUDE_G: Param<f64> =
    Param::with_default("amplitude_g", 0.25, "Upward acceleration at the top of a step.")
        .within(0.0, 5.0);
const MAGNETOMETER: Param<bool> =
    Param::with_default("magnetometer", true, "Whether there is a magnetometer.");
const GYROSCOPE_NOISE_DPS: Param<f64> =
    Param::with_default("gyroscope_noise_dps", 0.1, "Standard deviation of noise.")
        .within(0.0, 100.0);
const GYROSCOPE_OFFSET_DPS: Param<f64> =
    Param::with_default("gyroscope_offset_dps", 0.3, "Largest offset of an axis.")
        .within(0.0, 100.0);
const ACCELEROMETER_NOISE_G: Param<f64> =
    Param::with_default("accelerometer_noise_g", 0.005, "Standard deviation of noise.")
        .within(0.0, 10.0);
const MAGNETOMETER_NOISE_UT: Param<f64> =
    Param::with_default("magnetometer_noise_ut", 0.3, "Standard deviation of noise.")
        .within(0.0, 100.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

fn routine(node: &Node<'_>) -> Result<Vec<Activity>, Diagnostic> {
    let written = node.get(&ROUTINE)?;
    let one = |word: &str| {
        let known = Activity::NAMED.iter().find(|(name, _)| *name == word);
        known.map(|(_, activity)| *activity).ok_or_else(|| word.to_owned())
    };
    let words = written.split([' ', ',']).filter(|word| !word.is_empty());
    let routine: Result<Vec<Activity>, String> = words.map(one).collect();
    let message = match routine {
        Ok(routine) if !routine.is_empty() => return Ok(routine),
        Ok(_) => "`routine` names nothing to do".to_owned(),
        Err(word) => format!("`routine`: {word:?} is nothing this body can do"),
    };
    let names: Vec<_> = Activity::NAMED.iter().map(|(name, _)| *name).collect();
    let hint = format!("name some of {}", names.join(", "));
    Err(node.problem(Code::OutOfRange, ROUTINE.name(), message).hint(hint))
}

struct SyntheticImu {
    imu: Imu,
    rate: Rate,
    frame_len: usize,
    samples: Option<u64>,
    steps: i64,
}

impl Source for SyntheticImu {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.imu.position();
        let left = self.samples.map_or(u64::MAX, |samples| samples - first);
        let len = (self.frame_len as u64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let (mut sensors, mut truth) = (io.signal(0, len), io.signal(1, len));
        self.imu.fill(
            sensors.floats_mut().expect("a fresh buffer has one holder"),
            truth.floats_mut().expect("a fresh buffer has one holder"),
        );
        let time = Timestamp::from_nanos(self.rate.span_ns(first as i64));
        io.send_buffer(0, time, sensors);
        io.send_buffer(1, time, truth);
        while let Some(step_ns) = self.imu.pop_step() {
            self.steps += 1;
            let event = io.event_for(2).i64(0, self.steps);
            io.send_event(2, Timestamp::from_nanos(step_ns), event);
        }
        while let Some((at_ns, activity)) = self.imu.pop_activity() {
            let named = Activity::NAMED.iter().find(|(_, named)| *named == activity);
            let word = named.map_or("", |(word, _)| *word);
            let event = io.event_for(3).text(0, activity.posture()).text(1, word);
            io.send_event(3, Timestamp::from_nanos(at_ns), event);
        }
        Ok(if left == len as u64 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.imu.reset();
        self.steps = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn a_routine_is_told_as_it_is_done() {
        let params = "seconds = 60.0\nroutine = \"walk sit lie\"\nmagnetometer = false";
        let mut imu = Bench::build(&KIND, 0.0, params).expect("valid");
        assert!(imu.pull(usize::MAX - 1), "it ends");
        let seen = imu.take();
        let postures: Vec<_> = seen
            .iter()
            .filter(|seen| seen.port == 3)
            .map(|seen| (seen.time().secs_f64(), seen.text("posture"), seen.text("activity")))
            .collect();
        assert_eq!(
            postures,
            [
                (0.0, Some("moving"), Some("walk")),
                (21.0, Some("upright"), Some("sit")),
                (41.0, Some("lying"), Some("lie")),
            ]
        );
        // 21 s of 110 steps a minute, the first of them at 0 s.
        assert_eq!(seen.iter().filter(|seen| seen.port == 2).count(), 39);
        let signal = imu.output(0).as_signal().expect("a signal");
        let units: Vec<_> = signal.channels.iter().map(|channel| channel.unit.name()).collect();
        assert_eq!(units, ["deg/s", "deg/s", "deg/s", "g", "g", "g"]);
    }

    #[test]
    fn what_a_body_cannot_do_is_explained() {
        for (routine, told) in [("walk fly", "\"fly\" is nothing"), (" ", "names nothing to do")] {
            let problem = Bench::build(&KIND, 0.0, &format!("routine = {routine:?}")).err();
            let problem = problem.expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint: name some of stand"));
        }
    }
}
