//! `respiration`: a synthetic respiration signal with known breaths.
//!
//! Half a cosine up while breathing in, half a cosine down while breathing out; see
//! [`crate::math::synthetic`].
//!
//! | port    | carries                                                            |
//! |---------|--------------------------------------------------------------------|
//! | `out`   | one channel that rises while breathing in                          |
//! | `truth` | one event where each breathing in begins, about the breath before  |

use engine::{
    Body, Channel, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate, SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::synthetic::{Model, Respiration, RespirationParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "respiration",
    summary: "A synthetic respiration signal with known breaths.",
    doc: "Breathing in for i seconds is d (1 - cos(pi t / i)) / 2, breathing out for e seconds d \
          (1 + cos(pi t / e)) / 2. Every breath has a period and a depth d of its own, normal \
          about 60 / rate_bpm seconds and depth_ratio, with a deviation of variation_share of \
          them. Drift (wander_share) and white noise (noise_share) are as high as asked over the \
          depth. The port `truth` tells where each breathing in begins, with rate_bpm, \
          inspiration_s, expiration_s and depth of the breath that ends there, as `breath` does. \
          Sample n is the same whatever the frame length; the same seed gives the same signal; \
          session n of a run uses seed + n. Without `seconds` it never ends. Cost: one cosine a \
          sample.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &RATE_BPM,
        &VARIATION_SHARE,
        &INHALE_SHARE,
        &DEPTH_RATIO,
        &WANDER_SHARE,
        &NOISE_SHARE,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = vec![Channel { name: "respiration".to_owned(), unit: Unit::named("1") }];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth = Format::event(
            vec![
                Field::f64("rate_bpm"),
                Field::f64("inspiration_s"),
                Field::f64("expiration_s"),
                Field::f64("depth"),
            ],
            3.0,
        );
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let parameters = RespirationParameters {
            rate_bpm: node.get(&RATE_BPM)?,
            variation_share: node.get(&VARIATION_SHARE)?,
            inhale_share: node.get(&INHALE_SHARE)?,
            depth: node.get(&DEPTH_RATIO)?,
            wander_share: node.get(&WANDER_SHARE)?,
            noise_share: node.get(&NOISE_SHARE)?,
            // People differ: sessions of one run are not copies of one.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        let model = Respiration::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 25.0, "Samples per second.").within(4.0, 5_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it breathing goes on for ever.").within(0.001, 1e7);
const RATE_BPM: Param<f64> =
    Param::with_default("rate_bpm", 15.0, "Mean breaths per minute.").within(2.0, 60.0);
const VARIATION_SHARE: Param<f64> = Param::with_default(
    "variation_share",
    0.1,
    "Standard deviation of periods and depths over their means.",
)
.within(0.0, 0.5);
const INHALE_SHARE: Param<f64> =
    Param::with_default("inhale_share", 0.4, "Part of a breath that is breathing in.")
        .within(0.1, 0.9);
const DEPTH_RATIO: Param<f64> =
    Param::with_default("depth_ratio", 1.0, "Mean height of a breath.").within(1e-3, 1e3);
const WANDER_SHARE: Param<f64> =
    Param::with_default("wander_share", 0.0, "Drift over the depth.").within(0.0, 100.0);
const NOISE_SHARE: Param<f64> =
    Param::with_default("noise_share", 0.0, "Standard deviation of white noise over the depth.")
        .within(0.0, 100.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

impl Told for Respiration {
    fn describe(truth: &<Self as Model>::Truth, event: EventWriter) -> EventWriter {
        let Some(breath) = truth.before else { return event };
        event
            .f64(0, 60.0 / (breath.inspiration_s + breath.expiration_s))
            .f64(1, breath.inspiration_s)
            .f64(2, breath.expiration_s)
            .f64(3, breath.depth)
    }
}
