//! `gravity`: an acceleration without the earth's.
//!
//! ```text
//! with `orientation`, in the axes of the body:    a − q* ⊗ (0, 0, 0, 1 g) ⊗ q
//!                     in those of the earth:      q ⊗ a ⊗ q* − (0, 0, 1 g)     x, y, up: nwu or enu
//! without it:         a − lowpass(a)              Butterworth, order 2, at `cutoff_hz`
//! ```
//!
//! | port          | carries                                                               |
//! |---------------|-----------------------------------------------------------------------|
//! | `in`          | an accelerometer, perhaps with other sensors                           |
//! | `orientation` | quaternions, as from `orientation`, of the same rate; may be left out |
//! | `out`         | three channels in the unit of the accelerometer                        |
//!
//! **Delay**: none. Where gravity is told by a filter, what is slower than it is lost, and a turn leaks until
//! the filter has followed. **NaN** comes out as NaN, of all three axes, and the filter sees the last good
//! sample. **Cost**: some 10 ns a sample.

use engine::{
    Body, Channel, Code, Diagnostics, Fault, Format, Io, Kind, Node, Operator, Outline, Param,
    Policy, Port, SignalFormat, Unit,
};

use super::sensors::{self, Accelerometer, is_finite};
use crate::{
    bodies,
    math::{
        band::Band,
        butterworth,
        cascade::Cascade,
        orientation::{Vector, to_body, to_earth},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "gravity",
    summary: "An acceleration without the earth's.",
    doc: "With quaternions q at the port `orientation` (w, x, y, z as from the kind of that name, z of the \
          earth up: convention nwu or enu) the linear acceleration a - q* (0, 0, 1 g) q in the axes of the \
          body, or with `frame = \"earth\"` q a q* - (0, 0, 1 g) in those of the earth (x and y: north and west of nwu, east \
          and north of enu). Without: a less its \
          low-pass at cutoff_hz (Butterworth, order 2, from rest at the first sample), in the axes of the \
          body. In the unit of the accelerometer, whose channels are known by their unit, else by order. \
          No delay. NaN: comes out as NaN of all three axes, while the filter sees the last good sample. \
          Cost: about 10 ns a sample.",
    example: "frame = \"body\"",
    inputs: &[
        Port::signal("in").fed_by(&["imu"]),
        Port::signal("orientation").optional().fed_by(&["orientation"]),
    ],
    outputs: &[Port::signal("out")],
    params: &[&FRAME, &CUTOFF_HZ, &sensors::ACCELEROMETER_UNIT],
    policy: Policy::Exact,
    plan,
    build: |node| {
        let accelerometer = Accelerometer::find(node, "in")?;
        let lowpass = (!is_turned(node)).then(|| -> Result<_, Fault> {
            let band = Band::LowPass { cutoff_hz: node.get(&CUTOFF_HZ).map_err(told)? };
            let sections = butterworth::design(2, band, node.rate_hz("in"));
            let sections = sections.map_err(|error| Fault::new(error.to_string()))?;
            Ok(std::array::from_fn(|_| Cascade::new(sections.clone())))
        });
        Ok(Body::operator(Gravity {
            accelerometer,
            to_earth: node.get(&FRAME)? == "earth",
            lowpass: lowpass.transpose()?,
            begun: false,
        }))
    },
    ..Kind::BASE
};

const FRAME: Param<&str> =
    Param::with_default("frame", "body", "Whose axes the result has.").one_of(&["body", "earth"]);
const CUTOFF_HZ: Param<f64> =
    Param::with_default("cutoff_hz", 0.3, "What is slower is gravity, where no orientation comes.")
        .within(1e-3, 100.0);

fn told(problem: engine::Diagnostic) -> Fault {
    Fault::new(problem.message)
}

/// Whether quaternions come.
fn is_turned(node: &Node<'_>) -> bool {
    node.inputs().iter().any(|input| input.port == "orientation")
}

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let accelerometer = Accelerometer::find(node, "in")?;
    let input = node.signal("in");
    if is_turned(node) {
        let turned = node.signal("orientation");
        if turned.channels.len() != 4 {
            let place = &node.inputs().last().expect("two are fed").place;
            let message = format!("a quaternion has 4 channels, not {}", turned.channels.len());
            let problem = engine::Diagnostic::error(Code::FormatMismatch, message).at(place);
            return Err(problem
                .of_node(node.name())
                .hint("bring the `out` of `orientation`")
                .into());
        }
        let input = node.inputs().last().expect("two are fed");
        let source =
            input.through.iter().find(|passed| passed.kind == super::orientation::KIND.name);
        let convention = source.map(|passed| passed.params.read(&super::orientation::CONVENTION));
        if convention.is_some_and(|convention| convention.is_ok_and(|it| it == "ned")) {
            let message = "gravity points along z of convention \"ned\", not against it";
            let problem = engine::Diagnostic::error(Code::FormatMismatch, message).at(&input.place);
            let hint = "write convention = \"nwu\" or \"enu\" at the orientation";
            return Err(problem.of_node(node.name()).hint(hint).into());
        }
    } else {
        node.check_below_nyquist(&CUTOFF_HZ, node.get(&CUTOFF_HZ)?, "in")?;
        if node.get(&FRAME)? == "earth" {
            let message = "the axes of the earth are not known without an orientation";
            let problem = node.problem(Code::MissingInput, FRAME.name(), message);
            let hint =
                "write from = { in = \"imu\", orientation = \"turned\" }, or frame = \"body\"";
            return Err(problem.hint(hint).into());
        }
    }
    let unit = input.channels[accelerometer.triad().channels[0]].unit;
    let assumed = Unit::named(node.get(&sensors::ACCELEROMETER_UNIT)?);
    let unit = if unit == Unit::UNKNOWN { assumed } else { unit };
    let names = if node.get(&FRAME)? == "earth" { ["x", "y", "up"] } else { ["x", "y", "z"] };
    let channels = names.map(|name| Channel { name: name.to_owned(), unit });
    let format = SignalFormat { channels: channels.into(), ..input.clone() };
    Ok(Outline::of([Format::Signal(format.into())]))
}

#[derive(Clone)]
struct Gravity {
    accelerometer: Accelerometer,
    to_earth: bool,
    lowpass: Option<[Cascade; 3]>,
    /// Whether the filters have seen a good sample.
    begun: bool,
}

impl Gravity {
    /// The acceleration without gravity, in g, where it is `seen` and the filter has `held`.
    fn rest(&mut self, seen: Vector, held: Vector, turned: Option<[f64; 4]>) -> Vector {
        match (turned, &mut self.lowpass) {
            (Some(q), _) if self.to_earth => {
                let [x, y, up] = to_earth(q, seen);
                [x, y, up - 1.0]
            }
            (Some(q), _) => {
                let up = to_body(q, [0.0, 0.0, 1.0]);
                std::array::from_fn(|axis| seen[axis] - up[axis])
            }
            (None, Some(filters)) => {
                if !self.begun && is_finite(seen) {
                    self.begun = true;
                    for (filter, first) in filters.iter_mut().zip(held) {
                        filter.settle(first);
                    }
                }
                std::array::from_fn(|axis| seen[axis] - filters[axis].push(held[axis]))
            }
            (None, None) => [f64::NAN; 3],
        }
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.accelerometer.visit(state)?;
        state.bool(&mut self.begun)?;
        self.lowpass.iter_mut().flatten().try_for_each(|filter| filter.visit(state))
    }
}

impl Operator for Gravity {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let mut output = io.signal(0, len);
        let rest = output.floats_mut().expect("a fresh buffer has one holder");
        let planes = io.frame().samples();
        let turned = if self.lowpass.is_none() { io.aligned(1) } else { None };
        let triad = *self.accelerometer.triad();
        for n in 0..len {
            let seen = sensors::at(&triad, planes, len, n);
            let held = self.accelerometer.at(planes, len, n).unwrap_or_default();
            let q = turned.map(|frame| {
                let q: [f64; 4] = std::array::from_fn(|part| frame.channel(part)[n].into());
                q
            });
            let found = self.rest(seen, held, q);
            let found = if is_finite(found) { found } else { [f64::NAN; 3] };
            for (axis, value) in found.into_iter().enumerate() {
                rest[axis * len + n] = (value / triad.scale) as f32;
            }
        }
        io.send_buffer(0, time, output);
        Ok(())
    }

    fn reset(&mut self) {
        self.accelerometer.reset();
        self.lowpass.iter_mut().flatten().for_each(Cascade::reset);
        self.begun = false;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.clone().pass(&mut State::Save(into)).expect("saving never fails");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let refused = "is no state of `gravity`";
        bodies::load(refused, VERSION, from, |state| self.pass(state))
    }
}

const VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use engine::{Rate, testing::Bench};

    use super::*;
    use crate::math::orientation::from_euler_rad;

    const RATE_HZ: f64 = 100.0;

    fn accelerations(unit: &str) -> Format {
        Format::signal(3, Unit::named(unit), Rate::new(RATE_HZ).expect("a rate"), 1_024)
    }

    fn planes<const N: usize>(of: impl Fn(usize) -> [f64; N], len: usize) -> Vec<f32> {
        (0..N)
            .flat_map(|part| (0..len).map(move |n| (part, n)))
            .map(|(p, n)| of(n)[p] as f32)
            .collect()
    }

    #[test]
    fn what_turns_without_moving_has_no_acceleration() {
        for (frame, unit, g) in [("body", "m/s2", 9.806_65), ("earth", "g", 1.0)] {
            let inputs =
                [("in", accelerations(unit)), ("orientation", Bench::channels(4, RATE_HZ))];
            let params = format!("frame = {frame:?}");
            let mut gravity = Bench::with(&KIND, &inputs, &params).expect("valid");
            let turn = |n: usize| from_euler_rad([0.02 * n as f64, 0.3, -0.01 * n as f64]);
            // Half a g to the north besides.
            let seen = |n: usize| to_body(turn(n), [0.5, 0.0, 1.0]).map(|part| part * g);
            gravity.push_samples(0, &planes(seen, 300));
            gravity.push_samples(1, &planes(turn, 300));
            gravity.run();
            let output = gravity.take().remove(0).frame;
            for n in 0..300 {
                let got: [f64; 3] = std::array::from_fn(|axis| output.channel(axis)[n].into());
                let north = [0.5 * g, 0.0, 0.0];
                let want = if frame == "earth" { north } else { to_body(turn(n), north) };
                for axis in 0..3 {
                    // Quaternion and acceleration are rounded to f32, 6e-8 of up to 10 some six times.
                    assert!((got[axis] - want[axis]).abs() < 4e-6 * g.max(1.0), "{n}: {got:?}");
                }
            }
        }
    }

    #[test]
    fn without_an_orientation_what_is_slow_is_gravity() {
        let mut gravity = Bench::with(&KIND, &[("in", accelerations("g"))], "").expect("valid");
        let shake = |n: usize| 0.2 * (std::f64::consts::TAU * 5.0 * n as f64 / RATE_HZ).sin();
        let output = gravity.feed(&planes(|n| [0.6, 0.0, 0.8 + shake(n)], 1_000));
        for n in 0..1_000 {
            // At 5 Hz the low-pass of 0.3 Hz lets 0.36 % through; the wave's beginning has a mean, of
            // which it sees less than the part 0.3 / 5.
            let left = f64::from(output[2_000 + n]) - shake(n);
            assert!(output[n].abs() < 1e-6 && left.abs() < 0.2 * 0.3 / 5.0, "{n}: {left}");
        }
    }

    #[test]
    fn a_missing_axis_is_missed_in_all() {
        let mut gravity = Bench::with(&KIND, &[("in", accelerations("g"))], "").expect("valid");
        let mut samples = planes(|_| [0.0, 0.0, 1.0], 100);
        samples[50] = f32::NAN;
        let output = gravity.feed(&samples);
        let lost: Vec<usize> = (0..300).filter(|&n| output[n].is_nan()).collect();
        assert_eq!(lost, [50, 150, 250]);
        assert!(output.iter().all(|x| x.is_nan() || x.abs() < 1e-6));
    }

    #[test]
    fn what_cannot_be_is_explained() {
        let problem = Bench::with(&KIND, &[("in", accelerations("g"))], "frame = \"earth\"").err();
        let problem = problem.expect("refused").to_string();
        assert!(problem.contains("axes of the earth are not known"), "{problem}");
        let inputs = [("in", accelerations("g")), ("orientation", Bench::channels(3, RATE_HZ))];
        let problem = Bench::with(&KIND, &inputs, "").err().expect("refused").to_string();
        assert!(problem.contains("a quaternion has 4 channels, not 3"), "{problem}");
    }
}
