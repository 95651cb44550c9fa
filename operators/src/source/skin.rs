//! `skin`: synthetic skin conductance with known responses.
//!
//! A drifting level and responses after Bateman; see [`crate::math::synthetic`].
//!
//! | port    | carries                            |
//! |---------|------------------------------------|
//! | `out`   | one channel in µS                  |
//! | `truth` | one event per response, at its onset |

use engine::{
    Body, Channel, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate, SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::synthetic::{Model, Skin, SkinParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "skin",
    summary: "Synthetic skin conductance with known responses.",
    doc: "A level of level_microsiemens that drifts (a spline over random nodes ten seconds apart, drift_microsiemens \
          is twice its root mean square) and responses a (exp(-t / 3 s) - exp(-t / 0.7 s)) / \
          0.497 after Bateman, which peak 1.33 s after their onset. They come at random, \
          responses_per_min on average and 2 s apart at least, with heights a between a half and \
          three halves of amplitude_microsiemens. White noise on top. The port `truth` tells every onset at \
          its true instant, with the height and rise of that response alone. Sample n is the same \
          whatever the frame length; the same seed gives the same signal; session n of a run uses \
          seed + n. Without `seconds` it never ends. Source: Benedek and Kaernbach 2010. Cost: \
          two exponentials a sample and response of the last 51 s.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &LEVEL_MICROSIEMENS,
        &DRIFT_MICROSIEMENS,
        &RESPONSES_PER_MIN,
        &AMPLITUDE_MICROSIEMENS,
        &NOISE_MICROSIEMENS,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = vec![Channel { name: "EDA".to_owned(), unit: Unit::named("uS") }];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth =
            Format::event(vec![Field::f64("amplitude_microsiemens"), Field::f64("rise_s")], 1.0);
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let parameters = SkinParameters {
            level_microsiemens: node.get(&LEVEL_MICROSIEMENS)?,
            drift_microsiemens: node.get(&DRIFT_MICROSIEMENS)?,
            responses_per_min: node.get(&RESPONSES_PER_MIN)?,
            amplitude_microsiemens: node.get(&AMPLITUDE_MICROSIEMENS)?,
            noise_microsiemens: node.get(&NOISE_MICROSIEMENS)?,
            // People differ: sessions of one run are not copies of one.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        let model = Skin::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 20.0, "Samples per second.").within(1.0, 5_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const LEVEL_MICROSIEMENS: Param<f64> =
    Param::with_default("level_microsiemens", 5.0, "Mean level.").within(0.1, 50.0);
const DRIFT_MICROSIEMENS: Param<f64> =
    Param::with_default("drift_microsiemens", 0.2, "Twice the root mean square of drift.")
        .within(0.0, 10.0);
const RESPONSES_PER_MIN: Param<f64> =
    Param::with_default("responses_per_min", 5.0, "Mean number of responses.").within(0.01, 20.0);
const AMPLITUDE_MICROSIEMENS: Param<f64> =
    Param::with_default("amplitude_microsiemens", 0.5, "Mean height of a response.")
        .within(0.0, 10.0);
const NOISE_MICROSIEMENS: Param<f64> =
    Param::with_default("noise_microsiemens", 0.002, "Standard deviation of white noise.")
        .within(0.0, 10.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

impl Told for Skin {
    fn describe(truth: &<Self as Model>::Truth, event: EventWriter) -> EventWriter {
        event.f64(0, truth.amplitude_microsiemens).f64(1, truth.rise_s)
    }
}
