//! `muscle`: a synthetic electromyogram with known work.
//!
//! White noise that is louder while the muscle works; see [`crate::math::synthetic`].
//!
//! | port    | carries                                                           |
//! |---------|-------------------------------------------------------------------|
//! | `out`   | one channel in mV                                                 |
//! | `truth` | an event where work begins (`cue` is `onset`) and ends (`offset`) |

use engine::{
    Body, Channel, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate, SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::synthetic::{Contraction, Muscle, MuscleParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "muscle",
    summary: "A synthetic electromyogram with known work.",
    doc: "White noise of noise_mv, to which other white noise of amplitude_mv comes while the \
          muscle works, faded in and out by half a cosine of 50 ms. Work and rest last between a \
          half and three halves of work_s and rest_s each. The port `truth` tells where half of \
          the work is reached and left (`cue` is `onset` or `offset`), at the true instant. \
          Sample n is the same whatever the frame length; the same seed gives the same signal; \
          session n of a run uses seed + n. Without `seconds` it never ends. Cost: a few hashes a \
          sample.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[&RATE_HZ, &SECONDS, &AMPLITUDE_MV, &NOISE_MV, &WORK_S, &REST_S, &SEED],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = vec![Channel { name: "EMG".to_owned(), unit: Unit::MILLIVOLT }];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth = Format::event(vec![Field::text("cue", 6)], 50.0);
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let parameters = MuscleParameters {
            amplitude_mv: node.get(&AMPLITUDE_MV)?,
            noise_mv: node.get(&NOISE_MV)?,
            work_s: node.get(&WORK_S)?,
            rest_s: node.get(&REST_S)?,
            // People differ: sessions of one run are not copies of one.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        let model = Muscle::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 1_000.0, "Samples per second.").within(50.0, 10_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const AMPLITUDE_MV: Param<f64> =
    Param::with_default("amplitude_mv", 0.2, "Root mean square of work.").within(0.0, 10.0);
const NOISE_MV: Param<f64> =
    Param::with_default("noise_mv", 0.01, "Root mean square of rest.").within(0.0, 10.0);
const WORK_S: Param<f64> =
    Param::with_default("work_s", 1.0, "Mean length of work.").within(0.2, 1_000.0);
const REST_S: Param<f64> =
    Param::with_default("rest_s", 2.0, "Mean length of rest.").within(0.2, 1_000.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

impl Told for Muscle {
    fn describe(truth: &Contraction, event: EventWriter) -> EventWriter {
        let is_onset = *truth == Contraction::Onset;
        event.text(0, if is_onset { "onset" } else { "offset" })
    }
}
