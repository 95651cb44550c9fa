//! `ecg`: a synthetic electrocardiogram with known truth.
//!
//! The dynamical model ECGSYN (McSharry, Clifford, Tarassenko, Smith 2003): a
//! point runs round a circle once per beat and five Gaussian hills on the way are
//! P, Q, R, S and T. Intervals vary with a Mayer wave near 0.1 Hz and with
//! breathing; ectopic beats, baseline wander, mains hum, electrode motion, muscle
//! noise, jumps and white noise are added as asked. See [`crate::math::ecgsyn`].
//!
//! | port    | carries                                            |
//! |---------|----------------------------------------------------|
//! | `out`   | one channel in mV                                  |
//! | `truth` | one event per R peak, at its true instant          |

use engine::{
    Body, BuildError, Channel, Code, Fault, Field, Flow, Format, Io, Kind, Node, Outline, Param,
    Port, Rate, SignalFormat, Source, Timestamp, Unit,
};

use crate::math::ecgsyn::{Ecg, EcgParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "ecg",
    summary: "A synthetic electrocardiogram with known beats.",
    doc: "The dynamical model ECGSYN (McSharry et al. 2003): intervals vary around heart_rate_bpm \
          with a Mayer wave near 0.1 Hz and with breathing, and each beat is five Gaussian waves. \
          Ectopic beats, baseline wander, mains hum, electrode motion, muscle noise, jumps and white noise \
          as asked. With variety_share the waves, premature beats and pauses are drawn from the seed, so \
          that sessions are people: slow conduction, leads that see R downwards, several forms of \
          premature beats, pairs of them; `truth` then tells the lowest point where R points down. \
          The port `truth` tells every R peak at its true instant. Sample n is the same whatever \
          the frame length; the same seed gives the same signal; session n of a run uses seed + n. \
          Without `seconds` it never ends. Cost: about 20 ns a sample.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &HEART_RATE_BPM,
        &HRV_SDNN_MS,
        &LF_HF_RATIO,
        &RESPIRATION_HZ,
        &ECTOPIC_PER_MIN,
        &SUPRAVENTRICULAR_PER_MIN,
        &IRREGULAR_SHARE,
        &VARIETY_SHARE,
        &AMPLITUDE_MV,
        &WANDER_MV,
        &MAINS_MV,
        &MAINS_HZ,
        &NOISE_MV,
        &ELECTRODE_MV,
        &MUSCLE_MV,
        &JUMPS_PER_MIN,
        &JUMP_MV,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        if node.get(&MAINS_MV)? > 0.0 {
            let (mains_hz, limit_hz) = (node.get(&MAINS_HZ)?, rate.hz() / 2.0);
            if mains_hz >= limit_hz {
                let message = format!(
                    "`mains_hz` = {mains_hz:?} is not below half the sample rate ({limit_hz:?})"
                );
                return Err(node
                    .problem(Code::AboveNyquist, "mains_hz", message)
                    .hint("raise `rate_hz` or leave the hum out")
                    .into());
            }
        }
        let channels = vec![Channel { name: "ECG".to_owned(), unit: Unit::MILLIVOLT }];
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
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let rate = signal.rate;
        let seconds = node.get_optional(&SECONDS)?;
        let ecg = Ecg::new(parameters(node)?, rate.hz()).map_err(|error| refused(&error))?;
        Ok(Body::source(SyntheticEcg {
            ecg,
            rate,
            frame_len: signal.frame_len,
            samples: seconds.map(|seconds| (seconds * rate.hz()).round() as u64),
        }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 250.0, "Samples per second.").within(50.0, 10_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it the heart beats for ever.").within(0.001, 1e7);
const HEART_RATE_BPM: Param<f64> =
    Param::with_default("heart_rate_bpm", 70.0, "Mean heart rate.").within(20.0, 220.0).live();
const HRV_SDNN_MS: Param<f64> =
    Param::with_default("hrv_sdnn_ms", 40.0, "Standard deviation of normal intervals.")
        .within(0.0, 300.0)
        .live();
const LF_HF_RATIO: Param<f64> =
    Param::with_default("lf_hf_ratio", 0.5, "Power near 0.1 Hz over that of breathing.")
        .within(0.0, 100.0)
        .live();
const RESPIRATION_HZ: Param<f64> =
    Param::with_default("respiration_hz", 0.25, "Breaths per second.").within(0.05, 1.0).live();
const ECTOPIC_PER_MIN: Param<f64> =
    Param::with_default("ectopic_per_min", 0.0, "Premature ventricular beats per minute.")
        .within(0.0, 60.0)
        .live();
const SUPRAVENTRICULAR_PER_MIN: Param<f64> = Param::with_default(
    "supraventricular_per_min",
    0.0,
    "Premature supraventricular beats per minute.",
)
.within(0.0, 60.0)
.live();
const IRREGULAR_SHARE: Param<f64> = Param::with_default(
    "irregular_share",
    0.0,
    "Deviation of single intervals over their mean: the atria fibrillate.",
)
.within(0.0, 0.3)
.live();
const VARIETY_SHARE: Param<f64> = Param::with_default(
    "variety_share",
    0.0,
    "How far waves and premature beats, drawn from the seed, stray from the textbook's to people's.",
)
.within(0.0, 1.0);
const AMPLITUDE_MV: Param<f64> =
    Param::with_default("amplitude_mv", 1.0, "Height of a normal R peak.")
        .within(0.01, 10.0)
        .live();
const WANDER_MV: Param<f64> =
    Param::with_default("wander_mv", 0.0, "Amplitude of baseline wander.").within(0.0, 10.0).live();
const MAINS_MV: Param<f64> =
    Param::with_default("mains_mv", 0.0, "Amplitude of mains hum.").within(0.0, 10.0).live();
const MAINS_HZ: Param<f64> =
    Param::with_default("mains_hz", 50.0, "Frequency of mains hum.").within(1.0, 5_000.0);
const NOISE_MV: Param<f64> =
    Param::with_default("noise_mv", 0.0, "Standard deviation of white noise.")
        .within(0.0, 10.0)
        .live();
const ELECTRODE_MV: Param<f64> =
    Param::with_default("electrode_mv", 0.0, "Root mean square of electrode motion, 1 to 8 Hz.")
        .within(0.0, 10.0)
        .live();
const MUSCLE_MV: Param<f64> =
    Param::with_default("muscle_mv", 0.0, "Root mean square of muscle noise: white, in bursts.")
        .within(0.0, 10.0)
        .live();
const JUMPS_PER_MIN: Param<f64> =
    Param::with_default("jumps_per_min", 6.0, "Jumps of the baseline per minute.")
        .within(0.0, 60.0)
        .live();
const JUMP_MV: Param<f64> =
    Param::with_default("jump_mv", 0.0, "Deviation of their heights; they decay in 0.05 to 1 s.")
        .within(0.0, 10.0)
        .live();
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

fn parameters(node: &Node<'_>) -> Result<EcgParameters, BuildError> {
    Ok(EcgParameters {
        heart_rate_bpm: node.get(&HEART_RATE_BPM)?,
        hrv_sdnn_ms: node.get(&HRV_SDNN_MS)?,
        lf_hf_ratio: node.get(&LF_HF_RATIO)?,
        respiration_hz: node.get(&RESPIRATION_HZ)?,
        ectopic_per_min: node.get(&ECTOPIC_PER_MIN)?,
        supraventricular_per_min: node.get(&SUPRAVENTRICULAR_PER_MIN)?,
        irregular_share: node.get(&IRREGULAR_SHARE)?,
        variety_share: node.get(&VARIETY_SHARE)?,
        amplitude_mv: node.get(&AMPLITUDE_MV)?,
        wander_mv: node.get(&WANDER_MV)?,
        mains_mv: node.get(&MAINS_MV)?,
        mains_hz: node.get(&MAINS_HZ)?,
        noise_mv: node.get(&NOISE_MV)?,
        electrode_mv: node.get(&ELECTRODE_MV)?,
        muscle_mv: node.get(&MUSCLE_MV)?,
        jumps_per_min: node.get(&JUMPS_PER_MIN)?,
        jump_mv: node.get(&JUMP_MV)?,
        // People differ: sessions of one run are not copies of one heart.
        seed: node.get(&SEED)? as u64 + u64::from(node.session()),
    })
}

fn refused(error: &crate::math::ecgsyn::EcgError) -> Fault {
    Fault::new(error.to_string())
}

struct SyntheticEcg {
    ecg: Ecg,
    rate: Rate,
    frame_len: usize,
    samples: Option<u64>,
}

impl Source for SyntheticEcg {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.ecg.position();
        let left = self.samples.map_or(u64::MAX, |samples| samples - first);
        let len = (self.frame_len as u64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let mut buffer = io.signal(0, len);
        self.ecg.fill(buffer.floats_mut().expect("a fresh buffer has one holder"));
        let time = |sample: u64| Timestamp::from_nanos(self.rate.span_ns(sample as i64));
        io.send_buffer(0, time(first), buffer);
        while let Some(beat) = self.ecg.pop_beat() {
            let event = io
                .event_for(1)
                .f64_or_absent(0, beat.rr_ns.map(|rr_ns| rr_ns as f64 / 1e6))
                .text(1, beat.class.mnemonic());
            io.send_event(1, Timestamp::from_nanos(beat.time_ns), event);
        }
        Ok(if left == len as u64 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.ecg.reset();
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let parameters =
            parameters(node).map_err(|error| Fault::new("does not fit").because(error))?;
        self.ecg.retune(parameters).map_err(|error| refused(&error))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

    use super::*;

    fn all(params: &str) -> Vec<Seen> {
        let mut ecg = Bench::build(&KIND, 0.0, params).expect("valid");
        assert!(ecg.pull(usize::MAX - 1), "it ends");
        ecg.take()
    }

    fn samples(seen: &[Seen]) -> Vec<f32> {
        let frames = seen.iter().filter(|seen| seen.port == 0);
        frames.flat_map(|seen| seen.frame.samples().to_vec()).collect()
    }

    fn beats(seen: &[Seen]) -> Vec<(i64, Option<f64>, String)> {
        let beats = seen.iter().filter(|seen| seen.port == 1);
        let beat = |seen: &Seen| {
            let class = seen.text("class").expect("each has one").to_owned();
            (seen.time().nanos(), seen.number("rr_ms"), class)
        };
        beats.map(beat).collect()
    }

    #[test]
    fn the_truth_is_where_the_r_waves_are() {
        let seen =
            all("seconds = 30.0\nrate_hz = 500.0\nheart_rate_bpm = 60.0\namplitude_mv = 1.5");
        let (samples, beats) = (samples(&seen), beats(&seen));
        assert_eq!(samples.len(), 15_000);
        assert!((28..=32).contains(&beats.len()), "{} beats", beats.len());
        for (ns, rr_ms, class) in &beats[1..beats.len() - 1] {
            let at = *ns as f64 * 500.0 / 1e9;
            let near = at as usize - 50..at as usize + 50;
            let top = near.max_by(|&a, &b| samples[a].total_cmp(&samples[b])).expect("not empty");
            // The highest sample is at most half a sample from the top of the wave, and the feet of
            // Q and S, of unequal depth, move that by less than another.
            assert!((top as f64 - at).abs() <= 1.0, "the top at {top} is not the beat at {at}");
            assert!((1.3..=1.55).contains(&samples[top]), "{} mV", samples[top]);
            assert!(rr_ms.is_some() && class == "N");
        }
        for pair in beats.windows(2) {
            // Each interval is told with the beat that ends it, rounded to the nanosecond.
            let rr_ms = (pair[1].0 - pair[0].0) as f64 / 1e6;
            assert!((pair[1].1.expect("told") - rr_ms).abs() < 1e-5);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_heart_whatever_the_frames() {
        let of = |more: &str| all(&format!("seconds = 20.0\nectopic_per_min = 10.0\n{more}"));
        let (one, other) = (of("frame_ms = 4.0"), of("frame_ms = 1000.0"));
        assert_eq!(samples(&one), samples(&other));
        assert_eq!(beats(&one), beats(&other));
        assert_ne!(samples(&one), samples(&of("seed = 2")));
        assert!(beats(&one).iter().any(|(_, _, class)| class == "V"), "an ectopic beat");
    }

    #[test]
    fn hum_that_would_be_an_alias_is_refused() {
        let params = "rate_hz = 100.0\nmains_mv = 0.1";
        let problem = Bench::build(&KIND, 0.0, params).err().expect("refused").to_string();
        assert!(problem.contains("`mains_hz` = 50.0 is not below half the sample rate"));
        assert!(Bench::build(&KIND, 0.0, "rate_hz = 100.0").is_ok(), "without hum it may be");
    }
}
