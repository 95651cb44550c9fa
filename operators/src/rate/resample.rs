//! `resample`: a signal at another sample rate.
//!
//! For rates whose ratio is L / M, SciPy's `resample_poly(x, L, M)`; for any other the same filter
//! with taps interpolated between 1024 phases (see [`crate::math::resampling`]). With h a low-pass filter
//! at L times the rate of the input and H its middle,
//!
//! ```text
//! y[m] = Σ h[H + m M − i L] · x[i]
//! ```
//!
//! `filter = "scipy"` is SciPy's: Kaiser's window with β = 5, ten samples of the lower rate to each
//! side, amplitude halved at half the lower rate; what would be an alias is down by 54 dB from 1.3
//! times that on. `"steep"` reaches 50 samples: to 0.9 of half the lower rate everything passes within
//! 0.001 dB, from half of it on everything is down by 80 dB.
//!
//! | port  | carries                      |
//! |-------|------------------------------|
//! | `in`  | any signal                   |
//! | `out` | the same at `rate_hz`        |
//!
//! Chunks have no part in it: an output is made as soon as its last sample is there, and its bits depend
//! on neither the frames nor the machine. **Delay**: 10 (or 50.2) samples of the lower rate; the
//! runtime subtracts it. Output m lies at m / `rate_hz` behind the first sample; after a gap counting
//! begins anew, and the delay's length before it is lost. The output spans what the input does; beyond
//! both of its ends there are zeros. **NaN** reaches the outputs it is part of and no other: 20 (or
//! 100) samples of the lower rate. **Cost**: 20 (or 100) multiplications an output sample and channel,
//! times the ratio where the rate falls, twice where phases are interpolated.

use std::convert::Infallible;

use engine::{
    Body, Buffer, Code, Diagnostic, Fault, Format, Io, Kind, Node, Operator, Outline, Param, Port,
    Rate, SignalFormat,
};

use crate::{
    designs::Designs,
    kernels::polyphase::Polyphase,
    math::resampling::{Bank, Shape, Steps, TooLong},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "resample",
    summary: "A signal at another sample rate.",
    doc: "Where the rates are to each other as L to M, SciPy's resample_poly(x, L, M): y[m] = sum over i \
          of h[H + m M - i L] x[i] with a low-pass filter h and its middle H; for any other ratio the \
          same with taps interpolated between 1024 phases, off by less than 1.2e-6. filter = \"scipy\": \
          Kaiser's window with beta 5, ten samples of the lower rate to each side, amplitude halved at \
          half the lower rate. \"steep\": fifty samples; to 0.9 of half the lower rate everything \
          passes, from half of it on all is down by 80 dB. Output m lies at m / rate_hz behind the \
          first sample. Delay: 10 or 50.2 samples of the lower rate, subtracted from the times by the \
          runtime; no chunk has to fill. The output spans what the input does, beyond which there are \
          zeros. NaN: reaches the outputs it is part of and no other. Cost: 20 or 100 multiplications \
          an output sample and channel, times the ratio where the rate falls. Source: Crochiere and \
          Rabiner, Multirate Digital Signal Processing, chapters 2 and 3.",
    example: "rate_hz = 100.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &FILTER],
    plan: |node| {
        let signal = node.signal("in");
        let bank = bank(node)?;
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower");
        let frame_len =
            (signal.frame_len as f64 * rate.hz() / signal.rate.hz()).ceil() as usize + 1;
        let format = SignalFormat { channels: signal.channels.clone(), rate, frame_len };
        Ok(Outline::of([Format::Signal(format.into())]).delayed(delay_ns(&bank, signal.rate)))
    },
    build: |node| {
        let signal = node.signal("in");
        let bank = bank(node)?;
        let delay_ns = delay_ns(&bank, signal.rate);
        let kernel = Polyphase::new(bank, signal.channels.len());
        Ok(Body::operator(Resample { kernel, delay_ns, last: None }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::required("rate_hz", "Samples per second of what comes out.").within(1e-3, 1e8);
const FILTER: Param<&str> =
    Param::with_default("filter", "scipy", "A short filter, SciPy's, or a long and steep one.")
        .one_of(&["scipy", "steep"]);

/// The filter; all sessions with the same rates share its taps.
fn bank(node: &Node<'_>) -> Result<Bank, Diagnostic> {
    static DESIGNED: Designs<(u64, u64, bool), f32> = Designs::new();

    let (from_hz, to_hz) = (node.rate_hz("in"), node.get(&RATE_HZ)?);
    let is_steep = node.get(&FILTER)? == "steep";
    let shape = if is_steep { Shape::STEEP } else { Shape::SCIPY };
    let key = (from_hz.to_bits(), to_hz.to_bits(), is_steep);
    let steps = Steps::new(from_hz, to_hz, shape).map_err(|TooLong| {
        let message = format!("`rate_hz` = {to_hz:?} is too far from {from_hz:?} for one filter");
        let problem = node.problem(Code::OutOfRange, RATE_HZ.name(), message);
        problem.hint("go there in steps: `decimate` first, or two nodes of this kind")
    })?;
    let Ok(taps) = DESIGNED.find_or(key, || Ok::<_, Infallible>(steps.design()));
    Ok(Bank::new(steps, taps))
}

fn delay_ns(bank: &Bank, rate: Rate) -> i64 {
    (bank.steps().delay() * rate.period_ns()).round() as i64
}

struct Resample {
    kernel: Polyphase,
    delay_ns: i64,
    /// Length of the last frame.
    last: Option<usize>,
}

impl Resample {
    /// Sends what follows from samples that begin `at` behind the first of the last frame: of that
    /// no more than `most` samples.
    fn send(&mut self, io: &mut Io<'_>, at: usize, input: &[f32], most: usize) {
        let (whole, part) = self.kernel.position();
        let channels = self.kernel.channels();
        let count = self.kernel.output_len(input.len() / channels);
        let mut output = io.signal(0, count);
        self.kernel.run(input, output.floats_mut().expect("a fresh buffer has one holder"));
        if most < count {
            let all = output;
            output = io.signal(0, most);
            let planes = output.floats_mut().expect("a fresh buffer has one holder");
            let from = all.floats().chunks_exact(count);
            if most > 0 {
                planes
                    .chunks_exact_mut(most)
                    .zip(from)
                    .for_each(|(to, all)| to.copy_from_slice(&all[..most]));
            }
        }
        if count.min(most) > 0 {
            // The runtime takes the delay off again.
            let time = io.time_between(at as i64 + whole, part).plus_nanos(self.delay_ns);
            io.send_buffer(0, time, output);
        }
    }
}

impl Operator for Resample {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        self.last = Some(frame.len());
        self.send(io, 0, frame.samples(), usize::MAX);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(mut at) = self.last.take() else { return Ok(()) };
        let longest = io.input_format(0).as_signal().map_or(1, |signal| signal.frame_len);
        let mut left = self.kernel.pending();
        while left > 0 {
            let len = self.kernel.samples_for(left).min(longest);
            let count = self.kernel.output_len(len).min(left);
            let mut zeros = Buffer::signal(self.kernel.channels(), len);
            zeros.floats_mut().expect("a fresh buffer has one holder").fill(0.0);
            self.send(io, at, zeros.floats(), left);
            (at, left) = (at + len, left - count);
        }
        Ok(())
    }

    // A gap is told as it is by default: what was inside is lost with what is missing.

    fn reset(&mut self) {
        self.kernel.reset();
        self.last = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.kernel.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let told = |error| Fault::new("is no state of this resampler").because(error);
        self.kernel.load(from).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::{
        Frame, Gap, Header, Timestamp,
        testing::{Bench, Seen},
    };

    use super::*;
    use crate::math::golden;

    /// Time in nanoseconds and value of every sample.
    fn samples(seen: &[Seen]) -> Vec<(i64, f64)> {
        let sample = |seen: &Seen, n: usize| {
            let rate = seen.format.rate().expect("a signal");
            (seen.time().nanos() + rate.span_ns(n as i64), f64::from(seen.frame.samples()[n]))
        };
        seen.iter().flat_map(|seen| (0..seen.frame.len()).map(|n| sample(seen, n))).collect()
    }

    fn all(rate_hz: f64, params: &str, input: &[f32]) -> Vec<(i64, f64)> {
        let mut resample = Bench::build(&KIND, rate_hz, params).expect("valid");
        for part in input.chunks(37) {
            resample.feed(part);
        }
        resample.flush();
        samples(&resample.take())
    }

    #[test]
    fn it_is_scipys_resample_poly() {
        let text = include_str!("../../../tests/golden/resample.json");
        for case in golden::cases(text) {
            let input: Vec<f32> =
                golden::numbers(case, "input").iter().map(|&x| x as f32).collect();
            let (up, down) = (golden::numbers(case, "up")[0], golden::numbers(case, "down")[0]);
            let want = golden::numbers(case, "output");
            let got = all(1_000.0 * down, &format!("rate_hz = {:?}", 1_000.0 * up), &input);
            assert_eq!(got.len(), want.len(), "{up} to {down}");
            let rate = Rate::new(1_000.0 * up).expect("a rate");
            for (m, ((ns, got), want)) in got.into_iter().zip(want).enumerate() {
                assert!((ns - rate.span_ns(m as i64)).abs() <= 1, "{up}/{down}, {m}: {ns} ns");
                // Samples of up to 2 and taps whose sizes add up to 2 at most; each product and each
                // of some ten additions is rounded to 24 bits, at half a unit.
                assert!(
                    (got - want).abs() < 4.0 * 12.0 * 2f64.powi(-25),
                    "{up}/{down}, {m}: {got} is not {want}"
                );
            }
        }
    }

    #[test]
    fn any_ratio_keeps_a_sine_a_sine_for_as_long_as_it_lasts() {
        // No fraction with six decimals, and the steep filter: ripple below 1e-4.
        let (from_hz, to_hz, hz) = (1e3 / 3.0, 250.0f64 * 2f64.sqrt(), 20.0);
        let input: Vec<f32> =
            (0..100_000).map(|n| (TAU * hz * f64::from(n) / from_hz).sin() as f32).collect();
        let got = all(from_hz, &format!("rate_hz = {to_hz:?}\nfilter = \"steep\""), &input);
        assert_eq!(got.len(), (300.0 * to_hz).ceil() as usize);
        for (ns, got) in &got[100..got.len() - 100] {
            let want = (TAU * hz * *ns as f64 * 1e-9).sin();
            // A nanosecond of rounding is 1.3e-7 of a radian.
            assert!((got - want).abs() < 2e-4, "{ns} ns: {got} is not {want}");
        }
    }

    #[test]
    fn the_steep_filter_lets_no_alias_pass() {
        let loudest = |hz: f64| {
            let tone: Vec<f32> =
                (0..8_000).map(|n| (TAU * hz * f64::from(n) / 1e3).sin() as f32).collect();
            let got = all(1_000.0, "rate_hz = 250.0\nfilter = \"steep\"", &tone);
            got[200..1_800].iter().fold(0.0f64, |top, (_, x)| top.max(x.abs()))
        };
        // 0.9 of half the new rate, sampled everywhere on its wave: all of it within 80 dB.
        assert!((loudest(112.3) - 1.0).abs() < 1e-3);
        for hz in [125.5, 150.0, 250.5, 499.0] {
            assert!(loudest(hz) < 1.2e-4, "{hz} Hz comes back as an alias");
        }
    }

    #[test]
    fn after_a_gap_counting_begins_anew() {
        let mut resample = Bench::build(&KIND, 1_000.0, "rate_hz = 400.0").expect("valid");
        resample.feed(&[1.0; 113]);
        let first = samples(&resample.take());
        let time = Timestamp::from_nanos(300_500_000);
        let (_, buffer) = Frame::signal(time, 1, &[1.0; 113]).into_parts();
        let header = Header { gap: Gap::Source.into(), ..Header::at(time) };
        resample.push(0, Frame::new(header, buffer));
        resample.run();
        let seen = resample.take();

        assert_eq!((seen[0].time(), seen[0].frame.header.gap), (time, Gap::Source.into()));
        let values = |samples: &[(i64, f64)]| samples.iter().map(|s| s.1).collect::<Vec<_>>();
        assert_eq!(values(&samples(&seen)), values(&first));
    }

    #[test]
    fn the_same_rate_changes_nothing_and_a_far_one_is_explained() {
        let mut same = Bench::build(&KIND, 250.0, "rate_hz = 250.0").expect("valid");
        assert_eq!(same.feed(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(same.delay_ns(), 0);

        let problem = Bench::build(&KIND, 1e8, "rate_hz = 1.0").err().expect("refused").to_string();
        assert!(problem.contains("`rate_hz` = 1.0 is too far from") && problem.contains("hint:"));
    }
}
