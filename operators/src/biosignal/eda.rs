//! `eda`: tonic and phasic skin conductance, and its responses.
//!
//! Causal, one pass; see [`crate::math::eda`] for the method. Looks at the first channel unless
//! `from` picks one.
//!
//! | port     | carries                                                                      |
//! |----------|------------------------------------------------------------------------------|
//! | `in`     | skin conductance in µS                                                       |
//! | `out`    | one event per skin-conductance response, at its onset                        |
//! | `tonic`  | what stays: the input without the phasic part                                |
//! | `phasic` | what comes and goes: a causal high-pass; both together are the input         |
//! | `valid`  | 1 where a sample and the 5 s before it can be believed, else 0               |
//!
//! **Losses.** What lies outside `min_microsiemens` to `max_microsiemens`, or is not finite, is taken as the last good
//! sample, and `valid` is 0; 5 s of that are a gap: `tonic` stays, `phasic` is 0, and then all
//! begins anew at the new level. A line that does not move is skin at rest, and no gap.
//!
//! **Delay.** `tonic` and `phasic`: none. A response is told when half of it is lost again, when
//! the next one peaks, or 10 s after its peak: mostly 4 s after its onset. While none is under way,
//! bounds follow the signal.

use engine::{
    Body, Channel, Code, EventWriter, Field, Format, Kind, Node, Outline, Param, Port,
    SignalFormat, Unit,
};

use super::watch::{Detect, Spans, Watch, check_rate, rounded};
use crate::math::{
    eda::{Eda, EdaParameters, LOOK_BACK_S, RATES_HZ, Response},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "eda",
    summary: "Split skin conductance into tonic and phasic, and find its responses.",
    doc: "Phasic is a causal Butterworth high-pass of order 2 at cutoff_hz, settled on the first \
          sample; tonic is the input less phasic, so both add up to it: neurokit2's `highpass` \
          run forwards only. A response is scored from trough to peak on the conductance, \
          smoothed over 0.25 s: t_s is its onset, where on the way back from the peak the slope \
          was last below a tenth of the steepest; amplitude_microsiemens and rise_s go from there to the \
          peak, recovery_s from the peak until half is lost, if that is within 10 s and before \
          the next. Both sides must stand out by half of amplitude_min_microsiemens. valid follows Kleckner \
          et al. 2018: 0 outside min_microsiemens to max_microsiemens, where it changes by more than \
          slope_max_microsiemens_per_s, and 5 s on; is_valid of a response looks 5 s before its onset, too. \
          Skin temperature, their third rule, is not seen. NaN and what lies outside count as the \
          last good sample; 5 s of that are a gap, and all begins anew. Delay: none; a response \
          is told mostly 4 s and at most 22 s after its onset. Differs from neurokit2's eda_peaks \
          in the absolute least amplitude (there 0.1 of the largest of the recording) and in \
          scoring the conductance rather than the phasic part. Cost: one second-order section and \
          one sliding mean a sample.",
    example: "amplitude_min_microsiemens = 0.05",
    inputs: &[Port::signal("in").of_one_channel().fed_by(&["skin"])],
    outputs: &[
        Port::event("out"),
        Port::signal("tonic"),
        Port::signal("phasic"),
        Port::signal("valid"),
    ],
    params: &[
        &CUTOFF_HZ,
        &AMPLITUDE_MIN_MICROSIEMENS,
        &MIN_MICROSIEMENS,
        &MAX_MICROSIEMENS,
        &SLOPE_MAX_MICROSIEMENS_PER_S,
    ],
    plan: |node| {
        check_rate(node, "in", RATES_HZ, "responses")?;
        node.check_below_nyquist(&CUTOFF_HZ, node.get(&CUTOFF_HZ)?, "in")?;
        let [least, most] = parameters(node)?.range;
        if least >= most {
            let message = format!(
                "`min_microsiemens` = {least:?} is not below `max_microsiemens` = {most:?}"
            );
            let problem = node.problem(Code::OutOfRange, MIN_MICROSIEMENS.name(), message);
            return Err(problem.hint("choose `min_microsiemens` below `max_microsiemens`").into());
        }
        let input = node.signal("in");
        let unit = input.channels[0].unit;
        let microsiemens = Unit::named("uS");
        if !unit.agrees_with(microsiemens) {
            let message = format!("`in` is in {unit}, not in uS");
            let problem = node.problem(Code::OutOfRange, "from", message);
            let factor = unit.factor_to(microsiemens);
            let hint = factor.map_or("bring skin conductance".to_owned(), |factor| {
                format!("multiply it by {factor}")
            });
            return Err(problem.hint(hint).into());
        }
        let fields = vec![
            Field::f64("amplitude_microsiemens"),
            Field::f64("rise_s"),
            Field::f64("recovery_s"),
            Field::bool("is_valid"),
        ];
        let signal = |name: &str, unit| {
            let channels = vec![Channel { name: name.to_owned(), unit }];
            Format::Signal(SignalFormat { channels, ..input.clone() }.into())
        };
        let outputs = [
            Format::event(fields, 2.0),
            signal("tonic", microsiemens),
            signal("phasic", microsiemens),
            signal("valid", Unit::named("1")),
        ];
        Ok(Outline::of(outputs).looking_back((LOOK_BACK_S * 1e9) as i64))
    },
    build: |node| {
        let eda = Eda::new(node.rate_hz("in"), parameters(node)?)
            .map_err(|error| engine::Fault::new(error.to_string()))?;
        Ok(Body::operator(Watch::new(node, ["in"], EdaDetector(eda), SPANS)))
    },
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::with_default("cutoff_hz", 0.05, "Slower changes are tonic.").within(0.001, 1.0);
const AMPLITUDE_MIN_MICROSIEMENS: Param<f64> =
    Param::with_default("amplitude_min_microsiemens", 0.05, "Least rise of a response.")
        .within(1e-4, 1e5);
const MIN_MICROSIEMENS: Param<f64> =
    Param::with_default("min_microsiemens", 0.05, "Skin that is connected conducts more.")
        .within(-1e6, 1e6);
const MAX_MICROSIEMENS: Param<f64> =
    Param::with_default("max_microsiemens", 60.0, "Skin conducts less.").within(-1e6, 1e6);
const SLOPE_MAX_MICROSIEMENS_PER_S: Param<f64> =
    Param::with_default("slope_max_microsiemens_per_s", 10.0, "Skin changes more slowly.")
        .within(1e-3, 1e6);

const SPANS: Spans =
    Spans { missing_s: 5.0, flat_s: 1e9, look_back_ns: (LOOK_BACK_S * 1e9) as i64, delay_ns: 0 };

fn parameters(node: &Node<'_>) -> Result<EdaParameters, engine::Diagnostic> {
    Ok(EdaParameters {
        cutoff_hz: node.get(&CUTOFF_HZ)?,
        amplitude_min: node.get(&AMPLITUDE_MIN_MICROSIEMENS)?,
        range: [node.get(&MIN_MICROSIEMENS)?, node.get(&MAX_MICROSIEMENS)?],
        slope_max: node.get(&SLOPE_MAX_MICROSIEMENS_PER_S)?,
    })
}

#[derive(Clone)]
struct EdaDetector(Eda);

impl Detect<1, 3> for EdaDetector {
    type Found = Response;
    const VERSION: u8 = 1;
    const WHAT: &'static str = "response of the skin";

    fn push(&mut self, [sample]: [f32; 1], is_there: bool) -> ([f32; 3], Option<Response>) {
        let (parts, response) = self.0.push(sample, is_there);
        let valid = f32::from(u8::from(parts.is_valid));
        ([parts.tonic as f32, parts.phasic as f32, valid], response)
    }

    fn flush(&mut self) -> Option<Response> {
        self.0.flush()
    }

    fn earliest(&self) -> u64 {
        self.0.earliest()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.0.visit(state)
    }

    fn place(response: &Response) -> (u64, f64) {
        (response.onset, 0.0)
    }

    fn describe(&self, response: &Response, event: EventWriter) -> EventWriter {
        event
            .f64(0, rounded(response.amplitude))
            .f64(1, rounded(response.rise_s))
            .f64_or_absent(2, response.recovery_s.map(rounded))
            .bool(3, response.is_valid)
    }

    fn believes(&self, sample: f32) -> bool {
        self.0.is_within(sample)
    }

    fn in_gap([held]: [f32; 1]) -> [f32; 3] {
        [held, 0.0, 0.0]
    }
}

#[cfg(test)]
mod tests;
