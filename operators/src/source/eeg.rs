//! `eeg`: a synthetic electroencephalogram with known rhythms and blinks.
//!
//! Pink noise, spindles of alpha and theta, blinks and hum; see [`crate::math::eegsyn`].
//!
//! | port     | carries                                                          |
//! |----------|------------------------------------------------------------------|
//! | `out`    | up to eight electrodes in µV: Pz, O1, O2, C3, C4, Fz, Fp1, Fp2    |
//! | `truth`  | the envelopes of alpha and theta in µV, where their gain is 1    |
//! | `blinks` | an event at the top of each blink                                |

use engine::{
    Body, Channel, Code, Fault, Field, Flow, Format, Io, Kind, Outline, Param, Port, Rate,
    SignalFormat, Source, Timestamp, Unit,
};

use crate::math::eegsyn::{ELECTRODES, Eeg, EegParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "eeg",
    summary: "A synthetic electroencephalogram with known rhythms and blinks.",
    doc: "Pink noise (root mean square noise_uv) at each electrode, spindles of alpha (10 Hz) and theta (6 \
          Hz) of half to all of alpha_uv and theta_uv that last 0.5 to 2 s with pauses of 0.3 to 2 s, \
          blinks of 0.3 s that are blink_uv high at the forehead, and hum. Electrodes in this order: Pz \
          and O1, O2 (alpha whole), C3, C4, Fz (theta whole), Fp1, Fp2 (blinks whole). The port `truth` has \
          the envelopes of both rhythms where they are whole, `blinks` an event at the top of each. Sample n \
          is the same whatever the frame length; the same seed gives the same signal; session n of a run uses \
          seed + n. Without `seconds` it never ends. Cost: about 0.2 us a sample and channel.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::signal("truth"), Port::event("blinks")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &CHANNELS,
        &NOISE_UV,
        &ALPHA_UV,
        &THETA_UV,
        &BLINKS_PER_MIN,
        &BLINK_UV,
        &MAINS_UV,
        &MAINS_HZ,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        if node.get(&MAINS_UV)? > 0.0 {
            let (mains_hz, limit_hz) = (node.get(&MAINS_HZ)?, rate.hz() / 2.0);
            if mains_hz >= limit_hz {
                let message = format!(
                    "`mains_hz` = {mains_hz:?} is not below half the sample rate ({limit_hz:?})"
                );
                let problem = node.problem(Code::AboveNyquist, MAINS_HZ.name(), message);
                return Err(problem.hint("raise `rate_hz` or leave the hum out").into());
            }
        }
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = |names: Vec<&str>| {
            let unit = Unit::named("uV");
            let channel = |name: &str| Channel { name: name.to_owned(), unit };
            let channels = names.into_iter().map(channel).collect();
            Format::Signal(SignalFormat { channels, rate, frame_len }.into())
        };
        let used = ELECTRODES.iter().take(node.get(&CHANNELS)? as usize);
        let mut outline = Outline::of([
            signal(used.map(|electrode| electrode.name).collect()),
            signal(vec!["alpha", "theta"]),
            Format::event(vec![Field::f64("height_uv")], 1.0),
        ]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let (rate, seconds) = (signal.rate, node.get_optional(&SECONDS)?);
        let parameters = EegParameters {
            channels: signal.channels.len(),
            noise_uv: node.get(&NOISE_UV)?,
            alpha_uv: node.get(&ALPHA_UV)?,
            theta_uv: node.get(&THETA_UV)?,
            blinks_per_min: node.get(&BLINKS_PER_MIN)?,
            blink_uv: node.get(&BLINK_UV)?,
            mains_uv: node.get(&MAINS_UV)?,
            mains_hz: node.get(&MAINS_HZ)?,
            // People differ: sessions of one run are not copies of one brain.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        Ok(Body::source(SyntheticEeg {
            eeg: Eeg::new(parameters, rate.hz()),
            blink_uv: parameters.blink_uv,
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
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const CHANNELS: Param<i64> =
    Param::with_default("channels", 1, "How many electrodes.").within(1.0, ELECTRODES.len() as f64);
const NOISE_UV: Param<f64> =
    Param::with_default("noise_uv", 8.0, "Root mean square of the pink noise.").within(0.0, 1e4);
const ALPHA_UV: Param<f64> =
    Param::with_default("alpha_uv", 20.0, "Largest amplitude of alpha.").within(0.0, 1e4);
const THETA_UV: Param<f64> =
    Param::with_default("theta_uv", 8.0, "Largest amplitude of theta.").within(0.0, 1e4);
const BLINKS_PER_MIN: Param<f64> =
    Param::with_default("blinks_per_min", 0.0, "Mean number of blinks.").within(0.0, 50.0);
const BLINK_UV: Param<f64> =
    Param::with_default("blink_uv", 120.0, "Height of a blink at the forehead.").within(0.0, 1e4);
const MAINS_UV: Param<f64> =
    Param::with_default("mains_uv", 0.0, "Amplitude of mains hum.").within(0.0, 1e4);
const MAINS_HZ: Param<f64> =
    Param::with_default("mains_hz", 50.0, "Frequency of mains hum.").within(1.0, 5_000.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

struct SyntheticEeg {
    eeg: Eeg,
    blink_uv: f64,
    rate: Rate,
    frame_len: usize,
    samples: Option<u64>,
}

impl Source for SyntheticEeg {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.eeg.position();
        let left = self.samples.map_or(u64::MAX, |samples| samples - first);
        let len = (self.frame_len as u64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let (mut samples, mut truth) = (io.signal(0, len), io.signal(1, len));
        self.eeg.fill(
            samples.floats_mut().expect("a fresh buffer has one holder"),
            truth.floats_mut().expect("a fresh buffer has one holder"),
        );
        let time = Timestamp::from_nanos(self.rate.span_ns(first as i64));
        io.send_buffer(0, time, samples);
        io.send_buffer(1, time, truth);
        while let Some(top_ns) = self.eeg.pop_blink() {
            let event = io.event_for(2).f64(0, self.blink_uv);
            io.send_event(2, Timestamp::from_nanos(top_ns), event);
        }
        Ok(if left == len as u64 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.eeg.reset();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn electrodes_truth_and_blinks_come_together() {
        let params = "seconds = 60.0\nchannels = 8\nblinks_per_min = 20.0";
        let mut eeg = Bench::build(&KIND, 0.0, params).expect("valid");
        assert!(eeg.pull(usize::MAX - 1), "it ends");
        let seen = eeg.take();
        let samples = |port: usize| -> usize {
            seen.iter().filter(|seen| seen.port == port).map(|seen| seen.frame.len()).sum()
        };
        assert_eq!((samples(0), samples(1)), (15_000, 15_000));
        assert!(seen.iter().filter(|seen| seen.port == 2).count() > 5);
        let names: Vec<_> = eeg.output(0).as_signal().expect("a signal").channels.iter().collect();
        assert!(names.len() == 8 && names[6].name == "Fp1" && names[6].unit.name() == "uV");
    }

    #[test]
    fn hum_that_would_be_an_alias_is_refused() {
        let params = "rate_hz = 100.0\nmains_uv = 5.0";
        let problem = Bench::build(&KIND, 0.0, params).err().expect("refused").to_string();
        assert!(problem.contains("`mains_hz` = 50.0 is not below half the sample rate"));
    }
}
