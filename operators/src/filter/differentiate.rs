//! `differentiate`: how fast a signal changes, per second.
//!
//! | `points` | formula | exact for polynomials of degree | late by |
//! |---|---|---|---|
//! | 2 | `(x[n] − x[n−1]) · rate` | 2, half-way between | ½ sample |
//! | 3 | `(x[n] − x[n−2]) · rate / 2`, NumPy's `gradient` | 2 | 1 |
//! | 5 | `(−x[n] + 8 x[n−1] − 8 x[n−3] + x[n−4]) · rate / 12` | 4 | 2 |
//!
//! All of them amplify noise with frequency; [`savgol`](super::savgol) with `deriv = 1` does not.
//!
//! | port  | carries                                           |
//! |-------|---------------------------------------------------|
//! | `in`  | any signal                                        |
//! | `out` | its derivative, in its unit per second, unit open |
//!
//! **Delay**: as in the table, at every frequency; the runtime subtracts it from the times. Beyond both
//! ends of the input, and before what follows a gap, the signal stands still. **NaN** reaches the
//! outputs it is part of and no other. **Cost**: about 7 ns a sample and channel; differences are taken
//! in f64. **Source**: Fornberg, *Mathematics of Computation* 51, 1988.

use engine::{
    Body, Channel, Code, Diagnostic, Format, Kind, Node, Outline, Param, Port, SignalFormat, Unit,
};

use super::{
    each::{EachChannel, Step},
    span::{Beyond, Spanned},
};
use crate::math::state::{State, StateError};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "differentiate",
    summary: "How fast a signal changes, per second.",
    doc: "points = 2: (x[n] - x[n-1]) rate, half a sample late; 3: (x[n] - x[n-2]) rate / 2, NumPy's \
          gradient, one sample late; 5: (-x[n] + 8 x[n-1] - 8 x[n-3] + x[n-4]) rate / 12, two samples \
          late. Delay: that, at every frequency, subtracted from the times by the runtime. Beyond both \
          ends of the input and a gap the signal stands still. The unit is that of the input per \
          second and left open. NaN: reaches the outputs it is part of and no other. Cost: about 7 ns \
          a sample and channel. Source: Fornberg, Mathematics of Computation 51, 1988.",
    example: "points = 3",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&POINTS],
    plan: |node| {
        let delay_s = 0.5 * (weights(node)?.0.len() - 1) as f64 / node.rate_hz("in");
        Ok(Outline::of([per_second(node)]).delayed((delay_s * 1e9).round() as i64))
    },
    build: |node| {
        let ((weights, divisor), signal) = (weights(node)?, node.signal("in"));
        let (channels, past) = (signal.channels.len(), weights.len() - 1);
        let scale = signal.rate.hz() / divisor;
        let kernel = EachChannel::new(Difference { weights, scale, past: [0.0; 5] }, channels);
        let filter = Spanned::new(kernel, 0.5 * past as f64);
        Ok(Body::operator(filter.beyond(Beyond::Edge(past), channels)))
    },
    ..Kind::BASE
};

const POINTS: Param<i64> =
    Param::with_default("points", 2, "Samples that a slope is taken from: 2, 3 or 5.")
        .within(2.0, 5.0);

/// The weights, that of the newest sample first, and what they are divided by.
fn weights(node: &Node<'_>) -> Result<(&'static [f64], f64), Diagnostic> {
    match node.get(&POINTS)? {
        2 => Ok((&[1.0, -1.0], 1.0)),
        3 => Ok((&[1.0, 0.0, -1.0], 2.0)),
        5 => Ok((&[-1.0, 8.0, 0.0, -8.0, 1.0], 12.0)),
        points => {
            let message = format!("`{}` = {points} has no middle", POINTS.name());
            let problem = node.problem(Code::OutOfRange, POINTS.name(), message);
            Err(problem.hint("choose 2, 3 or 5"))
        }
    }
}

/// The same signal in a unit per second, of which the table of units has none.
pub(super) fn per_second(node: &Node<'_>) -> Format {
    let signal = node.signal("in");
    let open = |channel: &Channel| Channel { unit: Unit::UNKNOWN, ..channel.clone() };
    let channels = signal.channels.iter().map(open).collect();
    Format::Signal(SignalFormat { channels, ..signal.clone() }.into())
}

#[derive(Clone)]
struct Difference {
    weights: &'static [f64],
    scale: f64,
    /// The newest first.
    past: [f32; 5],
}

impl Step for Difference {
    fn step(&mut self, sample: f32) -> f32 {
        self.past.copy_within(..4, 1);
        self.past[0] = sample;
        // Small whole weights: sums of f32 of like size are exact in f64, whatever the signal's level.
        let terms = self.weights.iter().zip(self.past).map(|(weight, x)| weight * f64::from(x));
        (terms.sum::<f64>() * self.scale) as f32
    }

    fn reset(&mut self) {
        self.past = [0.0; 5];
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend(self.past.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        from.f32s(&mut self.past)
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn polynomials_have_their_derivative_at_their_own_moment() {
        for (points, degree) in [(2, 2), (3, 2), (5, 4)] {
            let params = format!("points = {points}");
            let mut differentiate = Bench::build(&KIND, 10.0, &params).expect("valid");
            let at = |n: f64| (n - 8.0) / 10.0;
            let input: Vec<f32> = (0..16).map(|n| at(f64::from(n)).powi(degree) as f32).collect();
            let output = differentiate.feed(&input);
            let first = differentiate.take()[0].time().secs_f64() * 10.0;
            for (n, got) in output.iter().enumerate().skip(2) {
                let want = f64::from(degree) * at(first + n as f64).powi(degree - 1);
                // Inputs below 1 are rounded to 6e-8 and multiplied by 3 · 10 / 2.
                assert!(
                    (f64::from(*got) - want).abs() < 1e-6,
                    "{points} points, {n}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn a_constant_has_none_from_its_beginning_to_its_end() {
        for points in [2, 3, 5] {
            let params = format!("points = {points}");
            let mut differentiate = Bench::build(&KIND, 250.0, &params).expect("valid");
            let output = [differentiate.feed(&[1e6; 20]), differentiate.flush()].concat();
            assert_eq!(output.len(), 20);
            assert!(output.iter().all(|y| *y == 0.0), "{points}: {output:?}");
        }
    }

    #[test]
    fn nan_reaches_what_it_is_part_of_and_the_unit_is_open() {
        let inputs = [("in", Bench::channels(1, 250.0))];
        let mut differentiate = Bench::with(&KIND, &inputs, "points = 3").expect("valid");
        let mut input = [1.0; 20];
        input[10] = f32::NAN;
        let output = differentiate.feed(&input);
        let lost: Vec<usize> = (0..output.len()).filter(|&n| output[n].is_nan()).collect();
        assert_eq!(lost, [9, 10, 11]);
        let unit = differentiate.output(0).as_signal().expect("a signal").channels[0].unit;
        assert_eq!(unit, Unit::UNKNOWN);
    }

    #[test]
    fn four_points_are_refused() {
        let refused = Bench::build(&KIND, 250.0, "points = 4").err().expect("refused");
        assert!(refused.to_string().contains("choose 2, 3 or 5"), "{refused}");
    }
}
