//! `sine`: sines of known frequency and phase.
//!
//! ```text
//! x[c, n] = offset + amplitude · sin(2π (frequency_hz · n / rate_hz + phase_turns + c / channels))
//! ```
//!
//! | port  | carries                                                     |
//! |-------|-------------------------------------------------------------|
//! | `out` | `channels` sines, spread evenly over a turn                 |
//!
//! The phase is counted in integers, so it never drifts and frames leave no trace.

use engine::{
    Body, Channel, Fault, Flow, Format, Io, Kind, Node, Outline, Param, Port, Rate, SignalFormat,
    Source, Timestamp, Unit,
};

use crate::math::sine::Sine;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "sine",
    summary: "Sines of known frequency and phase.",
    doc: "x[c, n] = offset + amplitude sin(2 pi (frequency_hz n / rate_hz + phase_turns + c / \
          channels)): several channels are spread evenly over a turn. Phase is counted in \
          integers and never drifts; a frequency that is changed while it runs goes on from the \
          phase it had. Without `seconds` it never ends. Cost: about 3 ns a sample.",
    example: "seconds = 2.0\nfrequency_hz = 3.0",
    outputs: &[Port::signal("out")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &FREQUENCY_HZ,
        &AMPLITUDE,
        &OFFSET,
        &PHASE_TURNS,
        &CHANNELS,
        &UNIT,
    ],
    plan: |node| {
        Settings::read(node)?;
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let unit = Unit::named(node.get(&UNIT)?);
        let names = 0..node.get(&CHANNELS)?;
        let channels = names.map(|n| Channel { name: n.to_string(), unit }).collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let format = SignalFormat { channels, rate, frame_len };
        let mut outline = Outline::of([Format::Signal(format.into())]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        Ok(outline)
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let seconds = node.get_optional(&SECONDS)?;
        let mut sines = Sines {
            sines: Vec::new(),
            amplitude: 0.0,
            offset: 0.0,
            rate: signal.rate,
            frame_len: signal.frame_len,
            sample: 0,
            samples: seconds.map(|seconds| (seconds * signal.rate.hz()).round() as u64),
            fresh: Settings::read(node)?,
        };
        sines.start();
        Ok(Body::source(sines))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 250.0, "Samples per second.").within(1e-3, 1e7);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it there is no end.").within(1e-6, 1e9);
const FREQUENCY_HZ: Param<f64> =
    Param::with_default("frequency_hz", 1.0, "Turns per second.").within(0.0, 1e7).live();
const AMPLITUDE: Param<f64> =
    Param::with_default("amplitude", 1.0, "Height of the sine.").within(-1e9, 1e9).live();
const OFFSET: Param<f64> =
    Param::with_default("offset", 0.0, "Added to every sample.").within(-1e9, 1e9).live();
const PHASE_TURNS: Param<f64> =
    Param::with_default("phase_turns", 0.0, "Where the first channel begins.").within(-1.0, 1.0);
const CHANNELS: Param<i64> =
    Param::with_default("channels", 1, "How many, spread evenly over a turn.").within(1.0, 1_024.0);
const UNIT: Param<&str> = Param::with_default("unit", "", "Unit of the samples, such as mV.");

#[derive(Clone, Copy)]
struct Settings {
    frequency_hz: f64,
    amplitude: f64,
    offset: f64,
    phase_turns: f64,
    channels: usize,
}

impl Settings {
    fn read(node: &Node<'_>) -> Result<Self, engine::Diagnostic> {
        let (frequency_hz, rate_hz) = (node.get(&FREQUENCY_HZ)?, node.get(&RATE_HZ)?);
        if frequency_hz > 0.5 * rate_hz {
            let message = format!(
                "a sine of {frequency_hz} Hz does not exist at {rate_hz} samples per second"
            );
            let problem = node.problem(engine::Code::AboveNyquist, FREQUENCY_HZ.name(), message);
            return Err(problem.hint(format!("choose at most {} Hz", 0.5 * rate_hz)));
        }
        Ok(Self {
            frequency_hz: node.get(&FREQUENCY_HZ)?,
            amplitude: node.get(&AMPLITUDE)?,
            offset: node.get(&OFFSET)?,
            phase_turns: node.get(&PHASE_TURNS)?,
            channels: node.get(&CHANNELS)? as usize,
        })
    }

    fn sine(&self, channel: usize, rate: Rate) -> Sine {
        let turns = self.phase_turns + channel as f64 / self.channels as f64;
        Sine::new(self.frequency_hz, rate.hz(), turns)
    }
}

struct Sines {
    sines: Vec<Sine>,
    amplitude: f64,
    offset: f64,
    rate: Rate,
    frame_len: usize,
    sample: u64,
    samples: Option<u64>,
    /// As written, for beginning again.
    fresh: Settings,
}

impl Sines {
    fn start(&mut self) {
        self.sample = 0;
        self.amplitude = self.fresh.amplitude;
        self.offset = self.fresh.offset;
        self.sines.clear();
        self.sines.extend((0..self.fresh.channels).map(|n| self.fresh.sine(n, self.rate)));
    }
}

impl Source for Sines {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let left = self.samples.map_or(u64::MAX, |samples| samples - self.sample);
        let len = (self.frame_len as u64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let mut buffer = io.signal(0, len);
        let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
        for (sine, plane) in self.sines.iter().zip(planes.chunks_exact_mut(len)) {
            sine.fill(self.sample, self.amplitude, self.offset, plane);
        }
        let time = Timestamp::from_nanos(self.rate.span_ns(self.sample as i64));
        io.send_buffer(0, time, buffer);
        self.sample += len as u64;
        Ok(if left == len as u64 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.start();
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let now = Settings::read(node).map_err(|problem| Fault::new(problem.message))?;
        for (n, sine) in self.sines.iter_mut().enumerate() {
            *sine = sine.followed_by(self.sample, now.sine(n, self.rate));
        }
        self.amplitude = now.amplitude;
        self.offset = now.offset;
        self.fresh = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::{Bench, Seen};

    use super::*;

    fn all(sine: &mut Bench) -> (Vec<f32>, Vec<Seen>) {
        assert!(sine.pull(usize::MAX - 1), "it ends");
        let seen = sine.take();
        (seen.iter().flat_map(|seen| seen.frame.channel(0).to_vec()).collect(), seen)
    }

    #[test]
    fn samples_follow_the_formula_and_lie_on_the_grid() {
        let params = "seconds = 2.0\nrate_hz = 100.0\nfrequency_hz = 3.0\namplitude = 2.0\n\
                      offset = 1.0\nphase_turns = 0.125\nchannels = 2\nunit = \"mV\"";
        let mut sine = Bench::build(&KIND, 0.0, params).expect("valid");
        assert_eq!(sine.duration_ns(), Some(2_000_000_000));
        assert_eq!(sine.output(0).to_string(), "2 ch mV @ 100 Hz × 2");

        let (samples, seen) = all(&mut sine);
        assert_eq!(samples.len(), 200);
        for (frame, seen) in seen.iter().enumerate() {
            assert_eq!(seen.time().nanos(), frame as i64 * 20_000_000);
            for channel in 0..2 {
                for (n, &got) in seen.frame.channel(channel).iter().enumerate() {
                    let turns = 0.03 * (2 * frame + n) as f64 + 0.125 + 0.5 * channel as f64;
                    let want = 1.0 + 2.0 * (TAU * turns).sin();
                    // Half a unit in the last of 24 bits below 4, and a sine good to 1e-11.
                    assert!((f64::from(got) - want).abs() < 1.3e-7, "{got} is not {want}");
                }
            }
        }
    }

    #[test]
    fn frames_of_any_length_carry_the_same_samples() {
        let of = |frame_ms: f64| {
            let params = format!("seconds = 1.003\nfrequency_hz = 7.1\nframe_ms = {frame_ms:?}");
            all(&mut Bench::build(&KIND, 0.0, &params).expect("valid")).0
        };
        // 1.003 s at 250 Hz are 250.75 samples, rounded.
        assert_eq!(of(4.0).len(), 251);
        assert_eq!(of(4.0), of(100.0));
        assert_eq!(of(4.0), of(5_000.0));
    }

    #[test]
    fn a_new_frequency_goes_on_from_the_phase_of_the_old_one() {
        let params = "rate_hz = 1000.0\nfrequency_hz = 1.0\nframe_ms = 125.0";
        let mut sine = Bench::build(&KIND, 0.0, params).expect("valid");
        sine.pull(1);
        let before = sine.take().len();
        sine.set("frequency_hz", 2.0).expect("live");
        sine.pull(4);

        let (seen, mut n) = (sine.take(), 0);
        // The first frame lay ready when the frequency was set.
        let before = (before + 1) * seen[0].frame.len();
        for seen in &seen[1..] {
            for &got in seen.frame.samples() {
                let want = (TAU * (0.001 * before as f64 + 0.002 * n as f64)).sin();
                // Half a unit in the last of 24 bits, and the error of a few hundred turns in f64.
                assert!((f64::from(got) - want).abs() < 1e-7, "n = {n}: {got} is not {want}");
                n += 1;
            }
        }
    }

    #[test]
    fn it_begins_again_as_it_began() {
        let mut sine = Bench::build(&KIND, 0.0, KIND.example).expect("valid");
        let first = all(&mut sine).0;
        sine.reset();
        assert_eq!(all(&mut sine).0, first);
    }
}
