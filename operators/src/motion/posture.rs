//! `posture`: which way up a body is, and whether it moves.
//!
//! From an accelerometer that is fastened to the trunk or the thigh; see [`crate::math::posture`].
//!
//! | port  | carries                                                                             |
//! |-------|-------------------------------------------------------------------------------------|
//! | `in`  | an accelerometer, perhaps with other sensors                                         |
//! | `out` | an event when a posture has changed, and every `every_s`: what it is, tilt, activity |
//!
//! ```text
//! seen   upright ─ leaning ── upright ───── lying ───────────
//! told   upright ──────────────────────── lying ─────────────
//!                                         ├─ dwell_s ─┤ told here, stamped there
//! ```
//!
//! **Delay**: `dwell_s`, by which the runtime puts the times back: an event lies where the posture began.
//! **NaN**: is the last good sample for a second; then the posture is unknown. A gap begins anew, and what is then is told as if it had changed.
//! **Cost**: some 30 ns a sample.

use engine::{
    Body, Code, Diagnostic, Diagnostics, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator,
    Outline, Param, Port,
};

use super::sensors::{self, Accelerometer};
use crate::{
    bodies::{self, Counted},
    math::{
        orientation::{Vector, dot},
        posture::{Posture, PostureParameters, Postures},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "posture",
    summary: "Which way up a body is, and whether it moves.",
    doc: "Gravity is the acceleration through one pole of 0.5 s, activity the root mean square of the rest, \
          tilt the angle between gravity and the axis `up` of the sensor. At the trunk: upright below \
          leaning_deg, leaning below lying_deg, else lying, with `side` (supine, prone, left or right: \
          what it lies on) by the axis `front`. At the thigh: standing below lying_deg, else sitting. \
          Moving above moving_g, until activity falls to two thirds. A limit must be passed back by \
          hysteresis_deg. A change counts once it has lasted for dwell_s; its event has posture, side, \
          tilt_deg, activity_g and held_s, how long the posture before lasted; with every_s what is is told \
          as often too. Channels are known by their unit, else three are the accelerometer, which at rest \
          shows 1 g upwards. Delay: dwell_s, subtracted from the times by the runtime. NaN: is the last \
          good sample for a second, then nothing is known; a gap begins anew. Cost: about 30 ns a sample. Source: Lyons et al. 2005.",
    example: "every_s = 5.0",
    inputs: &[Port::signal("in").fed_by(&["imu"])],
    outputs: &[Port::event("out")],
    params: &[
        &SENSOR,
        &UP,
        &FRONT,
        &LEANING_DEG,
        &LYING_DEG,
        &HYSTERESIS_DEG,
        &MOVING_G,
        &DWELL_S,
        &EVERY_S,
        &sensors::ACCELEROMETER_UNIT,
    ],
    plan,
    build: |node| {
        let rate_hz = node.rate_hz("in");
        let every_s = node.get_optional(&EVERY_S)?;
        Ok(Body::operator(Watch {
            accelerometer: Accelerometer::find(node, "in")?,
            postures: Postures::new(parameters(node)?, rate_hz),
            dwell: dwell(node)?,
            every: every_s.map(|every_s| ((every_s * rate_hz).round() as i64).max(1)),
            period_s: 1.0 / rate_hz,
            counted: Counted::NONE,
            taken: 0,
            seen: (Posture::default(), 0),
            told: None,
        }))
    },
    ..Kind::BASE
};

const AXES: &[&str] = &["x", "-x", "y", "-y", "z", "-z"];
const SENSOR: Param<&str> = Param::with_default("sensor", "trunk", "Where the sensor is fastened.")
    .one_of(&["trunk", "thigh"]);
const UP: Param<&str> =
    Param::with_default("up", "z", "Axis of the sensor that points up when the body stands.")
        .one_of(AXES);
const FRONT: Param<&str> =
    Param::with_default("front", "x", "Axis of the sensor that points forward then.").one_of(AXES);
const LEANING_DEG: Param<f64> =
    Param::with_default("leaning_deg", 25.0, "A trunk tilted further leans.").within(1.0, 179.0);
const LYING_DEG: Param<f64> =
    Param::with_default("lying_deg", 60.0, "A trunk tilted further lies, a thigh sits.")
        .within(1.0, 179.0);
const HYSTERESIS_DEG: Param<f64> =
    Param::with_default("hysteresis_deg", 5.0, "So far a limit must be passed, and passed back.")
        .within(0.0, 30.0);
const MOVING_G: Param<f64> =
    Param::with_default("moving_g", 0.1, "More activity is moving.").within(0.001, 100.0);
const DWELL_S: Param<f64> =
    Param::with_default("dwell_s", 1.0, "What does not last so long is not told.")
        .within(0.0, 600.0);
const EVERY_S: Param<f64> =
    Param::optional("every_s", "What is is told so often too.").within(0.1, 86_400.0);

fn parameters(node: &Node<'_>) -> Result<PostureParameters, Diagnostic> {
    let (up, front) = (axis(node.get(&UP)?), axis(node.get(&FRONT)?));
    let at_thigh = node.get(&SENSOR)? == "thigh";
    // A thigh has no side to lie on, and no front.
    if !at_thigh && dot(up, front) != 0.0 {
        let message = format!("`front` lies along `up` = {:?}", node.get(&UP)?);
        let problem = node.problem(Code::OutOfRange, FRONT.name(), message);
        return Err(problem.hint("choose another axis"));
    }
    let (leaning, lying) = (node.get(&LEANING_DEG)?, node.get(&LYING_DEG)?);
    let hysteresis = node.get(&HYSTERESIS_DEG)?;
    if !at_thigh && leaning + 2.0 * hysteresis > lying {
        let message = format!(
            "`leaning_deg` = {leaning:?} is within twice `hysteresis_deg` of `lying_deg` = {lying:?}"
        );
        let problem = node.problem(Code::OutOfRange, LEANING_DEG.name(), message);
        return Err(problem.hint("choose leaning_deg below lying_deg - 2 hysteresis_deg"));
    }
    Ok(PostureParameters {
        at_thigh,
        up,
        front,
        leaning_rad: leaning.to_radians(),
        lying_rad: lying.to_radians(),
        hysteresis_rad: hysteresis.to_radians(),
        moving_g: node.get(&MOVING_G)?,
    })
}

/// The unit vector of a signed axis.
fn axis(word: &str) -> Vector {
    let size = if word.starts_with('-') { -1.0 } else { 1.0 };
    ["x", "y", "z"].map(|name| if word.ends_with(name) { size } else { 0.0 })
}

/// How many samples a posture must last.
fn dwell(node: &Node<'_>) -> Result<i64, Diagnostic> {
    Ok((node.get(&DWELL_S)? * node.rate_hz("in")).round() as i64)
}

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    Accelerometer::find(node, "in")?;
    parameters(node)?;
    let fields = vec![
        Field::text("posture", 8),
        Field::text("side", 6),
        Field::f64("tilt_deg"),
        Field::f64("activity_g"),
        Field::f64("held_s"),
    ];
    // Changes are apart by the dwell, or by the half second of the mean.
    let changes = 1.0 / node.get(&DWELL_S)?.max(0.1);
    let repeats = node.get_optional(&EVERY_S)?.map_or(0.0, |every_s| 1.0 / every_s);
    let outline = Outline::of([Format::event(fields, changes + repeats)]);
    Ok(outline.delayed(node.signal("in").rate.span_ns(dwell(node)?)))
}

/// For so long the last good sample stands for those that are missing.
const MISSING_S: f64 = 1.0;

#[derive(Clone)]
struct Watch {
    accelerometer: Accelerometer,
    postures: Postures,
    dwell: i64,
    every: Option<i64>,
    period_s: f64,
    counted: Counted,
    taken: i64,
    /// The posture that is seen, and the sample it began with.
    seen: (Posture, i64),
    /// The one that was told, and with which sample it began.
    told: Option<(Posture, i64)>,
}

impl Watch {
    fn push(&mut self, acceleration: Vector, io: &mut Io<'_>) {
        let n = self.taken;
        self.taken += 1;
        let now = self.postures.push(acceleration);
        if n == 0 || now != self.seen.0 {
            self.seen = (now, n);
        }
        let has_lasted = n - self.seen.1 >= self.dwell;
        let told = self.told.map(|(posture, _)| posture);
        if has_lasted && told != Some(self.seen.0) {
            let held_s = self.told.map(|(_, since)| (self.seen.1 - since) as f64 * self.period_s);
            self.told = Some(self.seen);
            self.tell(n, held_s, io);
        } else if let Some(every) = self.every
            && (n - self.dwell) % every == 0
            && told.is_some()
        {
            self.tell(n, None, io);
        }
    }

    /// Nobody knows the posture: what comes next begins anew.
    fn miss(&mut self) {
        self.taken += 1;
        self.postures.reset();
        (self.seen, self.told) = ((Posture::default(), self.taken), None);
    }

    /// What was told last, about `dwell` samples before sample `n`.
    fn tell(&self, n: i64, held_s: Option<f64>, io: &mut Io<'_>) {
        let Some((posture, _)) = self.told else { return };
        let mut event = io.event_for(0).text(0, posture.word());
        if let Some(side) = posture.side() {
            event = event.text(1, side);
        }
        let event = event
            .f64(2, self.postures.tilt_rad().to_degrees())
            .f64(3, self.postures.activity_g())
            .f64_or_absent(4, held_s);
        io.send_event(0, self.counted.time(n, io), event);
    }

    fn forget(&mut self) {
        self.accelerometer.reset();
        self.postures.reset();
        (self.taken, self.seen, self.told) = (0, (Posture::default(), 0), None);
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.accelerometer.visit(state)?;
        self.postures.visit(state)?;
        state.i64(&mut self.taken)?;
        let one = |state: &mut State<'_>, (posture, since): &mut (Posture, i64)| {
            Posture::visit(state, posture)?;
            state.i64(since)
        };
        one(state, &mut self.seen)?;
        state.optional(&mut self.told, one)
    }
}

impl Operator for Watch {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.forget();
        }
        let frame = io.take();
        for n in 0..frame.len() {
            let seen = self.accelerometer.at(frame.samples(), frame.len(), n);
            let missing_s = self.accelerometer.missing() as f64 * self.period_s;
            match seen.filter(|_| missing_s <= MISSING_S) {
                Some(acceleration) => self.push(acceleration, io),
                None => self.miss(),
            }
        }
        self.counted.leave(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.reset();
        Ok(())
    }

    fn reset(&mut self) {
        self.counted = Counted::NONE;
        self.forget();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.counted.save(into);
        self.clone().pass(&mut State::Save(into)).expect("saving never fails");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        bodies::load("is no state of `posture`", VERSION, from, |state| {
            self.counted.load(state)?;
            self.pass(state)
        })
    }
}

const VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

    use super::*;

    const RATE_HZ: f64 = 50.0;

    fn bench(params: &str) -> Bench {
        let inputs = [("in", Bench::channels(3, RATE_HZ))];
        Bench::with(&KIND, &inputs, params).unwrap_or_else(|told| panic!("{told}"))
    }

    /// Planes of ups, each for so many seconds.
    fn body(parts: &[([f32; 3], usize)]) -> Vec<f32> {
        let axis = |axis: usize| {
            parts.iter().flat_map(move |(up, seconds)| std::iter::repeat_n(up[axis], 50 * seconds))
        };
        (0..3).flat_map(axis).collect()
    }

    fn told(seen: &[Seen]) -> Vec<(f64, String, Option<f64>)> {
        let event = |seen: &Seen| {
            let posture = seen.text("posture").expect("present");
            let side = seen.text("side").unwrap_or("");
            (seen.time().secs_f64(), format!("{posture} {side}"), seen.number("held_s"))
        };
        seen.iter().map(event).collect()
    }

    const UP: [f32; 3] = [0.0, 0.0, 1.0];
    const BACK: [f32; 3] = [1.0, 0.0, 0.0];

    #[test]
    fn changes_that_last_are_told_where_they_began() {
        let mut posture = bench("moving_g = 100.0");
        posture.feed(&body(&[(UP, 5), (BACK, 6), (UP, 5)]));
        let told = told(&posture.take());

        // The mean over 0.5 s passes 65° after ln of some 1.5 of these, on the way leaning for less than a
        // second, and back to 20° later than that.
        assert_eq!((told[0].0, told[0].1.as_str(), told[0].2), (0.0, "upright ", None));
        assert!((5.2..6.5).contains(&told[1].0) && told[1].1 == "lying supine", "{told:?}");
        assert!((11.2..12.5).contains(&told[2].0) && told[2].1 == "upright ", "{told:?}");
        assert_eq!(told.len(), 3);
        let held_s = told[1].2.expect("known");
        assert!((held_s - told[1].0).abs() < 1e-9, "{held_s}");
        assert_eq!(posture.delay_ns(), 1_000_000_000);
    }

    #[test]
    fn what_does_not_last_is_not_told() {
        let mut posture = bench("moving_g = 100.0\ndwell_s = 8.0");
        posture.feed(&body(&[(UP, 10), (BACK, 6), (UP, 10)]));
        assert_eq!(told(&posture.take()).len(), 1);
    }

    #[test]
    fn what_is_can_be_told_again_and_again() {
        let mut posture = bench("every_s = 2.0");
        posture.feed(&body(&[(UP, 10)]));
        let at: Vec<f64> = told(&posture.take()).iter().map(|told| told.0).collect();
        assert_eq!(at, [0.0, 2.0, 4.0, 6.0, 8.0]);
    }

    #[test]
    fn a_sensor_that_says_nothing_has_no_posture() {
        let mut silent = bench("every_s = 1.0");
        silent.feed(&[f32::NAN; 3 * 500]);
        assert!(silent.take().is_empty());

        // Silent for half a second, then for four: only the second is too long for the last good sample.
        let mut posture = bench("every_s = 1.0\nmoving_g = 100.0");
        let lost = [f32::NAN; 3];
        posture.feed(&body(&[(lost, 1), (UP, 4)]));
        posture.feed(&[f32::NAN; 3 * 25]);
        posture.feed(&body(&[(UP, 3)]));
        let told_before = told(&posture.take());
        assert_eq!(told_before[0].0, 1.0, "{told_before:?}");
        assert_eq!(told_before.len(), 7, "{told_before:?}");
        posture.feed(&body(&[(lost, 4), (BACK, 3)]));
        let told_after = told(&posture.take());
        let (first, last) = (&told_after[0], &told_after[told_after.len() - 1]);
        assert_eq!((first.1.as_str(), last.1.as_str()), ("upright ", "lying supine"));
        let lying = told_after.iter().find(|told| told.1 == "lying supine").expect("told");
        assert!(lying.2.is_none() && lying.0 >= 12.5, "{told_after:?}");
    }

    #[test]
    fn axes_and_limits_that_cannot_be_are_explained() {
        let inputs = [("in", Bench::channels(3, RATE_HZ))];
        for (params, want) in [
            ("up = \"x\"\nfront = \"-x\"", "`front` lies along `up` = \"x\""),
            ("leaning_deg = 55.0", "is within twice `hysteresis_deg` of `lying_deg` = 60.0"),
        ] {
            let problem = Bench::with(&KIND, &inputs, params).err().expect("refused").to_string();
            assert!(problem.contains(want) && problem.contains("hint:"), "{problem}");
        }
    }
}
