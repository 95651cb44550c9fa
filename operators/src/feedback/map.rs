//! `map`: from one range of numbers to another, straight or along a curve.
//!
//! With u = (x − from_low) / (from_high − from_low), and c to d what it becomes,
//!
//! ```text
//! linear   c + u (d − c)
//! log      c + v (d − c),   v = ln(x / from_low) / ln(from_high / from_low)
//! exp      c (d / c)^u
//! sigmoid  c + (d − c) / (1 + e^(−k (2u − 1)))
//! table    straight between the points `inputs` → `outputs`
//! ```
//!
//! | port  | carries                                                      |
//! |-------|--------------------------------------------------------------|
//! | `in`  | a signal, or events with a number                            |
//! | `out` | the same signal mapped, or an event with a `value` for each  |
//!
//! **Delay**: none. **NaN**: stays NaN; of an event whose number is absent or not finite, `value`
//! is absent. **Cost**: a few operations a sample; logarithm or exponential where the curve has
//! one.

use engine::{
    Body, Code, Diagnostic, Fault, Field, Io, Kind, Map, Node, Operator, Outline, Param, Port, Unit,
};

use super::value::{FIELD, FROM_HIGH, FROM_LOW, Intake, ends, intake, number, output};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "map",
    summary: "From one range of numbers to another, straight or along a curve.",
    doc: "With u = (x - from_low) / (from_high - from_low), c = to_low and d = to_high: curve = \
          \"linear\": c + u (d - c); \"log\": c + (d - c) ln(x / from_low) / ln(from_high / \
          from_low), equal ratios become equal steps; \"exp\": c (d / c)^u, equal steps become \
          equal ratios; \"sigmoid\": c + (d - c) / (1 + exp(-k (2 u - 1))), k = steepness_ratio; \
          \"table\": straight between the points inputs to outputs and constant beyond, numpy's \
          interp. Unless clamp = false, u stays within 0 and 1. Ends may be turned round. Of \
          events `field` counts, and one with `value` comes of each. All ends and steepness_ratio \
          may change while it runs. Delay: none. NaN: stays NaN; of an event whose number is \
          absent or not finite, `value` is absent. Cost: about 2 ns a sample, 15 ns with a \
          logarithm or an exponential.",
    example: "from_high = 2.0\nto_high = 100.0",
    inputs: &[Port::any("in")],
    outputs: &[Port::any("out")],
    params: &[
        &CURVE,
        &FROM_LOW,
        &FROM_HIGH,
        &TO_LOW,
        &TO_HIGH,
        &CLAMP,
        &STEEPNESS_RATIO,
        &INPUTS,
        &OUTPUTS,
        &FIELD,
    ],
    plan: |node| {
        intake(node)?;
        mapping(node)?;
        Ok(Outline::of([output(node, Unit::UNKNOWN, vec![Field::f64("value")])]))
    },
    build: |node| {
        let mapping = mapping(node)?;
        Ok(match intake(node)? {
            Intake::Signal => Body::map(mapping),
            Intake::Field(field) => Body::operator(OfEvents { mapping, field }),
        })
    },
    ..Kind::BASE
};

const CURVE: Param<&str> = Param::with_default("curve", "linear", "The way from one to the other.")
    .one_of(&["linear", "log", "exp", "sigmoid", "table"]);
const TO_LOW: Param<f64> =
    Param::with_default("to_low", 0.0, "What the low end becomes.").within(-1e30, 1e30).live();
const TO_HIGH: Param<f64> =
    Param::with_default("to_high", 1.0, "What the high end becomes.").within(-1e30, 1e30).live();
const CLAMP: Param<bool> =
    Param::with_default("clamp", true, "What lies beyond an end becomes what the end becomes.");
const STEEPNESS_RATIO: Param<f64> =
    Param::with_default("steepness_ratio", 6.0, "How steep a sigmoid is in its middle.")
        .within(1e-3, 1e3)
        .live();
const INPUTS: Param<&[f64]> =
    Param::optional("inputs", "Where the points of a table lie, rising.").within(-1e30, 1e30);
const OUTPUTS: Param<&[f64]> =
    Param::optional("outputs", "What the points of a table become.").within(-1e30, 1e30);

#[derive(Clone, Debug, PartialEq)]
enum Curve {
    Linear,
    Log,
    Exp,
    Sigmoid,
    Table { inputs: Vec<f64>, outputs: Vec<f64> },
}

#[derive(Clone, Debug)]
struct Mapping {
    curve: Curve,
    from: [f64; 2],
    to: [f64; 2],
    clamp: bool,
    steepness: f64,
}

impl Mapping {
    fn at(&self, x: f64) -> f64 {
        // Neither every maximum nor every power of it is.
        if x.is_nan() {
            return x;
        }
        let [low, high] = self.from;
        let [c, d] = self.to;
        let limited = |u: f64| if self.clamp { u.clamp(0.0, 1.0) } else { u };
        let u = || limited((x - low) / (high - low));
        match &self.curve {
            Curve::Linear => c + u() * (d - c),
            // The logarithm of what is not above zero lies below every end.
            Curve::Log => c + limited((x.max(0.0) / low).ln() / (high / low).ln()) * (d - c),
            Curve::Exp => c * (d / c).powf(u()),
            Curve::Sigmoid => c + (d - c) / (1.0 + (-self.steepness * (2.0 * u() - 1.0)).exp()),
            Curve::Table { inputs, outputs } => between(x, inputs, outputs),
        }
    }
}

fn between(x: f64, inputs: &[f64], outputs: &[f64]) -> f64 {
    let last = inputs.len() - 1;
    let behind = inputs.partition_point(|input| *input <= x);
    if behind == 0 || behind > last {
        return outputs[if behind == 0 { 0 } else { last }];
    }
    let (a, b) = (behind - 1, behind);
    outputs[a] + (outputs[b] - outputs[a]) * ((x - inputs[a]) / (inputs[b] - inputs[a]))
}

fn mapping(node: &Node<'_>) -> Result<Mapping, Diagnostic> {
    let curve = match node.get(&CURVE)? {
        "log" => Curve::Log,
        "exp" => Curve::Exp,
        "sigmoid" => Curve::Sigmoid,
        "table" => table(node)?,
        _ => Curve::Linear,
    };
    if !matches!(curve, Curve::Table { .. }) {
        for param in [&INPUTS, &OUTPUTS] {
            if node.get_optional(param)?.is_some() {
                let message =
                    format!("`{}` changes nothing without curve = \"table\"", param.name());
                let problem = node.problem(Code::NoEffect, param.name(), message);
                return Err(problem.hint("write curve = \"table\", or leave it out"));
            }
        }
    }
    let (from, to) = (ends(node)?, [node.get(&TO_LOW)?, node.get(&TO_HIGH)?]);
    let is_apart = |ends: [f64; 2]| ends[0] * ends[1] > 0.0;
    let (wrong, param) = match curve {
        Curve::Log if !(is_apart(from) && from[0] > 0.0) => {
            ("from_low and from_high", FROM_LOW.name())
        }
        Curve::Exp if !is_apart(to) => ("to_low and to_high", TO_LOW.name()),
        _ => ("", ""),
    };
    if !wrong.is_empty() {
        let name = node.get(&CURVE)?;
        let message = format!("a curve {name:?} needs {wrong} on one side of zero");
        let hint = format!("choose both of {wrong} above 0");
        return Err(node.problem(Code::OutOfRange, param, message).hint(hint));
    }
    let (clamp, steepness) = (node.get(&CLAMP)?, node.get(&STEEPNESS_RATIO)?);
    Ok(Mapping { curve, from, to, clamp, steepness })
}

fn table(node: &Node<'_>) -> Result<Curve, Diagnostic> {
    let points = |param: &Param<&'static [f64]>| {
        node.get_optional(param)?.filter(|points| points.len() > 1).ok_or_else(|| {
            let message =
                format!("curve = \"table\" needs two points at least in `{}`", param.name());
            let hint = "write inputs = [0, 1] and outputs = [0, 10], or as many more as it takes";
            node.problem(Code::MissingParameter, param.name(), message).hint(hint)
        })
    };
    let (inputs, outputs) = (points(&INPUTS)?, points(&OUTPUTS)?);
    if inputs.len() != outputs.len() {
        let message = format!("`inputs` has {} points, `outputs` {}", inputs.len(), outputs.len());
        let problem = node.problem(Code::OutOfRange, OUTPUTS.name(), message);
        return Err(problem.hint("write as many of one as of the other"));
    }
    if !inputs.windows(2).all(|pair| pair[0] < pair[1]) {
        let problem = node.problem(Code::OutOfRange, INPUTS.name(), "`inputs` does not rise");
        return Err(problem.hint("sort the points, each input once"));
    }
    Ok(Curve::Table { inputs, outputs })
}

fn retuned(node: &Node<'_>) -> Result<Mapping, Fault> {
    mapping(node).map_err(|problem| Fault::new(problem.message))
}

impl Map for Mapping {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            *y = self.at(f64::from(x)) as f32;
        }
    }

    fn reset(&mut self) {}

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        *self = retuned(node)?;
        Ok(())
    }
}

struct OfEvents {
    mapping: Mapping,
    field: usize,
}

impl Operator for OfEvents {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let value = number(&io.event(), self.field).map(|x| self.mapping.at(x));
        let event = io.event_for(0).f64_or_absent(0, value.filter(|value| value.is_finite()));
        io.send_event(0, io.frame().header.time, event);
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.mapping = retuned(node)?;
        Ok(())
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Format, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    fn mapped(params: &str, input: &[f32]) -> Vec<f32> {
        let bench = Bench::with(&KIND, &[("in", Bench::channels(1, 100.0))], params);
        bench.unwrap_or_else(|problem| panic!("{problem}")).feed(input)
    }

    #[test]
    fn every_curve_meets_both_ends_and_its_formula_between() {
        for (params, input, want) in [
            ("from_high = 2.0\nto_low = 10.0\nto_high = 20.0", 0.5, 12.5),
            ("from_low = 2.0\nfrom_high = 0.0\nto_high = 10.0", 0.5, 7.5),
            ("curve = \"log\"\nfrom_low = 1.0\nfrom_high = 100.0", 10.0, 0.5),
            ("curve = \"exp\"\nto_low = 220.0\nto_high = 880.0", 0.5, 440.0),
            ("curve = \"sigmoid\"\nto_high = 4.0", 0.5, 2.0),
            ("curve = \"table\"\ninputs = [0, 2, 6]\noutputs = [0, 10, 0]", 3.0, 7.5),
        ] {
            // Every right side is exact in f32, and the formula in f64 is far nearer than that.
            assert_eq!(mapped(params, &[input]), [want], "{params}");
        }
        let steep = mapped("curve = \"sigmoid\"\nsteepness_ratio = 2.0", &[0.0, 1.0]);
        // 1 / (1 + e²) and its complement, rounded to f32.
        assert!((f64::from(steep[0]) - 1.0 / (1.0 + 2f64.exp())).abs() < 1e-8);
        assert!((f64::from(steep[1]) - 1.0 / (1.0 + (-2f64).exp())).abs() < 6e-8);
    }

    #[test]
    fn beyond_an_end_it_stays_there_or_goes_on() {
        assert_eq!(mapped("to_high = 10.0", &[-1.0, 2.0]), [0.0, 10.0]);
        assert_eq!(mapped("to_high = 10.0\nclamp = false", &[-1.0, 2.0]), [-10.0, 20.0]);
        let log = "curve = \"log\"\nfrom_low = 1.0\nfrom_high = 10.0";
        assert_eq!(mapped(log, &[0.0, -3.0, 1e9]), [0.0, 0.0, 1.0]);
        for params in [log, "curve = \"sigmoid\"", "curve = \"exp\"\nto_low = 1.0", ""] {
            assert!(mapped(params, &[f32::NAN])[0].is_nan(), "{params}");
        }
        let table = "curve = \"table\"\ninputs = [1, 2]\noutputs = [5, 6]";
        assert_eq!(mapped(table, &[-9.0, 1.0, 2.0, 9.0]), [5.0, 5.0, 6.0, 6.0]);
        assert!(mapped(table, &[f32::NAN])[0].is_nan());
    }

    #[test]
    fn a_number_of_events_is_mapped_where_there_is_one() {
        let format = Format::event(vec![Field::text("word", 4), Field::f64("rate_bpm")], 1.0);
        let params = "from_low = 60.0\nfrom_high = 80.0\nto_high = 100.0";
        let mut map = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        for (n, rate_bpm) in [Some(65.0), None, Some(f64::NAN), Some(90.0)].into_iter().enumerate()
        {
            let event = EventWriter::new(format.as_event().expect("events"));
            let header = Header::at(Timestamp::from_nanos(n as i64));
            map.push(0, Frame::new(header, event.f64_or_absent(1, rate_bpm).finish()));
            map.run();
        }
        let values: Vec<_> = map.take().iter().map(|seen| seen.number("value")).collect();
        assert_eq!(values, [Some(25.0), None, None, Some(100.0)]);
    }

    #[test]
    fn what_cannot_be_mapped_is_explained() {
        let signal = Bench::channels(1, 100.0);
        for (params, told) in [
            ("from_high = 0.0", "`from_low` and `from_high` are both 0.0"),
            ("curve = \"log\"", "a curve \"log\" needs from_low and from_high on one side of zero"),
            ("curve = \"exp\"", "a curve \"exp\" needs to_low and to_high on one side of zero"),
            ("curve = \"table\"\ninputs = [1, 2]", "needs two points at least in `outputs`"),
            ("curve = \"table\"\ninputs = [1, 2]\noutputs = [1, 2, 3]", "`inputs` has 2 points"),
            ("curve = \"table\"\ninputs = [2, 2]\noutputs = [1, 2]", "`inputs` does not rise"),
            ("inputs = [1, 2]", "`inputs` changes nothing"),
            ("field = \"x\"", "`field` changes nothing where a signal enters"),
        ] {
            let refused = Bench::with(&KIND, &[("in", signal.clone())], params).err();
            let text = refused.expect("refused").to_string();
            assert!(text.contains(told) && text.contains("hint:"), "{params}: {text}");
        }
        let words = Format::event(vec![Field::text("word", 4)], 1.0);
        let refused = Bench::with(&KIND, &[("in", words)], "").err().expect("refused").to_string();
        assert!(refused.contains("no field that is a number"), "{refused}");
    }
}
