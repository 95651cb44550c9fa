//! `ppg`: a synthetic photoplethysmogram with known beats.
//!
//! Two Gaussian waves a beat, in infrared and red light; see [`crate::math::synthetic`]. Intervals
//! are those of the source `ecg`: with the same `heart_rate_bpm`, `hrv_sdnn_ms` and `seed` they are
//! the same.
//!
//! | port    | carries                                                    |
//! |---------|------------------------------------------------------------|
//! | `out`   | two channels, `infrared` and `red`, over the mean infrared |
//! | `truth` | one event per pulse, at its true peak                      |

use engine::{
    Body, Channel, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate, SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::{
    ecgsyn::EcgParameters,
    synthetic::{Model, Ppg, PpgParameters},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "ppg",
    summary: "A synthetic photoplethysmogram with known beats.",
    doc: "Each beat is two Gaussian waves, the second 0.28 s behind at 60 beats a minute, 0.4 as \
          high and wider; infrared = 1 + p w(t), red = 0.8 (1 + R p w(t)), with the perfusion p \
          and R = (110 - spo2_pct) / 25. Blood makes it rise. Intervals are those of `ecg`. \
          Breathing and drift (wander_share), motion of 1 to 8 Hz in both lights (motion_share) \
          and white noise (noise_share) are as high as asked over the pulse. The port `truth` \
          tells every highest point at its true instant. Sample n is the same whatever the frame \
          length; the same seed gives the same signal; session n of a run uses seed + n. Without \
          `seconds` it never ends. Cost: two exponentials a sample and wave that reaches it.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &HEART_RATE_BPM,
        &HRV_SDNN_MS,
        &LF_HF_RATIO,
        &RESPIRATION_HZ,
        &PERFUSION_PCT,
        &SPO2_PCT,
        &WANDER_SHARE,
        &MOTION_SHARE,
        &NOISE_SHARE,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = vec![channel("infrared"), channel("red")];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth = Format::event(
            vec![Field::f64("rr_ms"), Field::text("class", 1)],
            crate::BEATS_PER_SECOND_MAX,
        );
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let heart = EcgParameters {
            heart_rate_bpm: node.get(&HEART_RATE_BPM)?,
            hrv_sdnn_ms: node.get(&HRV_SDNN_MS)?,
            lf_hf_ratio: node.get(&LF_HF_RATIO)?,
            respiration_hz: node.get(&RESPIRATION_HZ)?,
            // People differ: sessions of one run are not copies of one heart.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
            ..EcgParameters::default()
        };
        let parameters = PpgParameters {
            heart,
            perfusion_pct: node.get(&PERFUSION_PCT)?,
            spo2_pct: node.get(&SPO2_PCT)?,
            wander_share: node.get(&WANDER_SHARE)?,
            motion_share: node.get(&MOTION_SHARE)?,
            noise_share: node.get(&NOISE_SHARE)?,
        };
        let model = Ppg::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

fn channel(name: &str) -> Channel {
    Channel { name: name.to_owned(), unit: Unit::named("1") }
}

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 100.0, "Samples per second.").within(25.0, 5_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it the heart beats for ever.").within(0.001, 1e7);
const HEART_RATE_BPM: Param<f64> =
    Param::with_default("heart_rate_bpm", 70.0, "Mean heart rate.").within(20.0, 220.0);
const HRV_SDNN_MS: Param<f64> =
    Param::with_default("hrv_sdnn_ms", 40.0, "Standard deviation of intervals.").within(0.0, 300.0);
const LF_HF_RATIO: Param<f64> =
    Param::with_default("lf_hf_ratio", 0.5, "Power near 0.1 Hz over that of breathing.")
        .within(0.0, 100.0);
const RESPIRATION_HZ: Param<f64> =
    Param::with_default("respiration_hz", 0.25, "Breaths per second.").within(0.05, 1.0);
const PERFUSION_PCT: Param<f64> =
    Param::with_default("perfusion_pct", 2.0, "Height of the pulse over the mean, infrared.")
        .within(0.01, 30.0);
const SPO2_PCT: Param<f64> =
    Param::with_default("spo2_pct", 97.0, "Oxygen saturation.").within(60.0, 100.0);
const WANDER_SHARE: Param<f64> =
    Param::with_default("wander_share", 0.0, "Breathing and drift, over the height of the pulse.")
        .within(0.0, 100.0);
const MOTION_SHARE: Param<f64> = Param::with_default(
    "motion_share",
    0.0,
    "Root mean square of motion over the height of the pulse.",
)
.within(0.0, 100.0);
const NOISE_SHARE: Param<f64> = Param::with_default(
    "noise_share",
    0.0,
    "Standard deviation of white noise over the height of the pulse.",
)
.within(0.0, 100.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

impl Told for Ppg {
    fn describe(truth: &<Self as Model>::Truth, event: EventWriter) -> EventWriter {
        event
            .f64_or_absent(0, truth.rr_ns.map(|rr_ns| rr_ns as f64 / 1e6))
            .text(1, truth.class.mnemonic())
    }
}
