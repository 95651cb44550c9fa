//! `tone`: pure tones at known times.
//!
//! ```text
//! x[n] = A · sin(2π frequency_hz · n / rate_hz)      while there is a tone, else 0
//! ```
//!
//! with A of level_dbfs. Tones begin and end with half a cosine of 5 ms. With a `from` the same word says
//! how a number sounds: [`feedback::tone`](crate::feedback::tone).
//!
//! | port    | carries                                                        |
//! |---------|----------------------------------------------------------------|
//! | `out`   | one channel, full scale being 1.0                              |
//! | `truth` | an event where a tone begins, with its `start_s` and `end_s`   |

use engine::{
    Body, Channel, Code, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate,
    SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::synthetic::{ToneParameters, ToneTruth, Tones};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "tone",
    summary: "Tones at known times; with a `from`, how a number sounds.",
    doc: "Pure tones of frequency_hz whose height is level_dbfs (0 being full scale), on_s long \
          with off_s of silence between them, the first from the first sample on; without on_s one that never ends. They \
          begin and end with half a cosine of 5 ms. The port `truth` tells each tone where it \
          begins: start_s is its first sample, end_s the first behind it. Phase is counted in \
          integers and never drifts; sample n is the same whatever the frame length. Without `seconds` it never \
          ends. Cost: about 10 ns a sample. With a `from` the node says how a number sounds, as a pitch and a volume.",
    example: "seconds = 2.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[&RATE_HZ, &SECONDS, &FREQUENCY_HZ, &LEVEL_DBFS, &ON_S, &OFF_S],
    when_fed: Some(&crate::feedback::tone::KIND),
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let frequency_hz = node.get(&FREQUENCY_HZ)?;
        if frequency_hz > 0.5 * rate.hz() {
            let message = format!(
                "a tone of {frequency_hz:?} Hz does not exist at {:?} samples per second",
                rate.hz()
            );
            let problem = node.problem(Code::AboveNyquist, FREQUENCY_HZ.name(), message);
            return Err(problem.hint(format!("choose at most {:?} Hz", 0.5 * rate.hz())).into());
        }
        let channels = vec![Channel { name: "mono".to_owned(), unit: Unit::UNKNOWN }];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth = Format::event(vec![Field::f64("start_s"), Field::f64("end_s")], 100.0);
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let parameters = ToneParameters {
            frequency_hz: node.get(&FREQUENCY_HZ)?,
            amplitude: 10f64.powf(node.get(&LEVEL_DBFS)? / 20.0),
            on_s: node.get_optional(&ON_S)?,
            off_s: node.get(&OFF_S)?,
        };
        let model = Tones::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 16_000.0, "Samples per second.").within(1_000.0, 192_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const FREQUENCY_HZ: Param<f64> =
    Param::with_default("frequency_hz", 1_000.0, "Pitch.").within(1.0, 96_000.0);
const LEVEL_DBFS: Param<f64> =
    Param::with_default("level_dbfs", -20.0, "Height of the sine, below full scale.")
        .within(-140.0, 0.0);
const ON_S: Param<f64> =
    Param::optional("on_s", "Length of each tone; without it there is one.").within(0.01, 1e5);
const OFF_S: Param<f64> =
    Param::with_default("off_s", 1.0, "Silence between two tones.").within(0.01, 1e5);

impl Told for Tones {
    fn describe(truth: &ToneTruth, event: EventWriter) -> EventWriter {
        let event = event.f64(0, truth.start_s);
        match truth.end_s {
            Some(end_s) => event.f64(1, end_s),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::Bench;

    use super::*;

    #[test]
    fn tones_are_where_the_truth_says_and_what_the_formula_says() {
        let params = "seconds = 2.0\nfrequency_hz = 440.0\nlevel_dbfs = -6.0\non_s = 0.25\noff_s = 0.5\n\
                      frame_ms = 30.0";
        let mut tone = Bench::build(&KIND, 0.0, params).unwrap_or_else(|p| panic!("{p}"));
        assert!(tone.pull(usize::MAX - 1));
        let seen = tone.take();
        let told: Vec<[f64; 2]> = seen
            .iter()
            .filter(|seen| seen.port == 1)
            .map(|seen| ["start_s", "end_s"].map(|field| seen.number(field).expect("there")))
            .collect();
        assert_eq!(told, [[0.0, 0.25], [0.75, 1.0], [1.5, 1.75]]);

        let samples = seen.iter().filter(|seen| seen.port == 0);
        let samples: Vec<f32> = samples.flat_map(|seen| seen.frame.samples().to_vec()).collect();
        assert_eq!(samples.len(), 32_000);
        let height = 10f64.powf(-0.3);
        for (n, &got) in samples.iter().enumerate() {
            let within = n % 12_000;
            let edge = within.min(3_999usize.saturating_sub(within));
            if within >= 4_000 {
                assert_eq!(got, 0.0, "sample {n}");
            } else if edge >= 80 {
                let want = height * (TAU * 440.0 * n as f64 / 16_000.0).sin();
                // Half a unit in the last of 24 bits below 0.5.
                assert!((f64::from(got) - want).abs() < 3.1e-8, "sample {n}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn one_without_end_says_so() {
        let mut tone = Bench::build(&KIND, 0.0, "seconds = 0.1").expect("valid");
        assert!(tone.pull(usize::MAX - 1));
        let seen = tone.take();
        let told: Vec<_> = seen.iter().filter(|seen| seen.port == 1).collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].number("start_s"), told[0].number("end_s")), (Some(0.0), None));
    }

    #[test]
    fn a_tone_above_half_the_rate_is_refused() {
        let problem = Bench::build(&KIND, 0.0, "frequency_hz = 9000.0").err().expect("refused");
        let problem = problem.to_string();
        assert!(
            problem.contains("does not exist at 16000.0") && problem.contains("at most 8000.0")
        );
    }
}
