//! `analytic`: how strong a band of frequencies is and in which phase, at a chosen lag.
//!
//! The analytic signal of the band `lag_ms` ago, by a causal complex filter b of `window_s`:
//!
//! ```text
//! z[n] = Σ b[k] · x[n − k],    envelope = |z|,    phase = arg z in radians, −π to π, 0 at a crest
//! ```
//!
//! `b` is the filter whose output is nearest, in noise that falls as 1 / f, to that of the ideal
//! zero-phase one `lag_ms` ago (see [`crate::math::cfir`]), turned so that a steady sinusoid in the
//! middle of the band has its own phase. A short lag costs likeness: for alpha about 0.8 at 90 ms.
//!
//! | port       | carries                                                    |
//! |------------|------------------------------------------------------------|
//! | `in`       | any signal                                                 |
//! | `envelope` | the amplitude of the band in each channel, in its unit     |
//! | `phase`    | its phase in radians                                       |
//!
//! **Delay**: `lag_ms`, by which the runtime puts the times back. **Start**: as if the first sample had
//! been there before. **NaN** reaches the outputs of the next `window_s`. **Cost**: two
//! multiplications a tap, sample and channel.

use std::{f64::consts::TAU, sync::Arc};

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Format, Io, Kind, Node, Operator, Outline, Param, Port,
    SignalFormat, Unit,
};

use crate::{
    designs::Designs,
    kernels::{Kernel, fir::Fir},
    math::{
        cfir::{self, CfirParameters},
        state::StateError,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "analytic",
    summary: "How strong a band of frequencies is and in which phase, at a chosen lag.",
    doc: "Envelope |z| and phase arg z (radians, 0 at a crest) of z[n] = sum over k of b[k] x[n-k]: the \
          analytic signal of the band from low_hz to high_hz, `lag_ms` ago. b are `window_s` of complex \
          taps, of all causal ones those whose output is nearest to the ideal zero-phase one's of \
          lag_ms ago in 1/f noise (weighted cFIR), turned so that a steady sinusoid in the middle of \
          the band has its own amplitude and phase. A short lag costs likeness: for alpha the envelope \
          correlates with the ideal one by about 0.8 at 90 ms. Delay: lag_ms, subtracted from the times \
          by the runtime. The first sample counts as what was before. NaN: reaches the outputs of the \
          next window_s. Cost: 2 multiplications a tap, sample and channel. Source: Smetanin, \
          Belinskaya, Lebedev and Ossadtchi 2020, Front. Neuroinform. 14.",
    example: "low_hz = 8.0\nhigh_hz = 13.0",
    inputs: &[Port::signal("in").fed_by(&["eeg"])],
    outputs: &[Port::like("envelope", "in"), Port::signal("phase")],
    params: &[&LOW_HZ, &HIGH_HZ, &LAG_MS, &WINDOW_S],
    plan: |node| {
        taps(node)?;
        let input = node.signal("in");
        let bare = |channel: &Channel| Channel { unit: Unit::UNKNOWN, ..channel.clone() };
        let channels = input.channels.iter().map(bare).collect();
        let phase = Format::Signal(SignalFormat { channels, ..input.clone() }.into());
        let delay_ns = (node.get(&LAG_MS)? * 1e6).round() as i64;
        Ok(Outline::of([node.input("in").clone(), phase]).delayed(delay_ns))
    },
    build: |node| {
        let channels = node.signal("in").channels.len();
        let [re, im] = taps(node)?;
        let before = vec![0.0; channels * re.len()].into();
        let filters = [re, im].map(|taps| Fir::new(taps, channels));
        Ok(Body::operator(Analytic { filters, channels, is_primed: false, before }))
    },
    ..Kind::BASE
};

const LOW_HZ: Param<f64> = Param::required("low_hz", "Lower edge of the band.").within(1e-3, 1e6);
const HIGH_HZ: Param<f64> = Param::required("high_hz", "Upper edge of the band.").within(1e-3, 1e6);
const LAG_MS: Param<f64> =
    Param::with_default("lag_ms", 90.0, "How late the envelope is: less costs likeness.")
        .within(1e-3, 1e5);
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 0.5, "Length of the filter.").within(1e-4, 1e3);

/// Real and imaginary taps. All sessions with the same design share them.
fn taps(node: &Node<'_>) -> Result<[Arc<[f32]>; 2], Diagnostic> {
    static DESIGNED: Designs<([u64; 5], usize), f32> = Designs::new();

    let (low_hz, high_hz) = (node.get(&LOW_HZ)?, node.get(&HIGH_HZ)?);
    node.check_below_nyquist(&HIGH_HZ, high_hz, "in")?;
    let (rate_hz, lag_s) = (node.rate_hz("in"), node.get(&LAG_MS)? / 1e3);
    let taps = (node.get(&WINDOW_S)? * rate_hz).round() as usize;
    let parameters =
        CfirParameters { rate_hz, low_hz, high_hz, lag_s, taps, slope: 1.0, alpha: 0.0 };
    let key = [rate_hz, low_hz, high_hz, lag_s, taps as f64].map(f64::to_bits);
    let part = |part: usize| {
        DESIGNED.find_or((key, part), || {
            Ok(turned(&cfir::design(&parameters)?.taps, &parameters)[part].clone())
        })
    };
    let both = part(0).and_then(|re| Ok([re, part(1)?]));
    both.map_err(|error: cfir::CfirError| {
        let (param, hint) = match error {
            cfir::CfirError::Edges => {
                (LOW_HZ.name(), "choose low_hz below high_hz, and both below half the rate")
            }
            cfir::CfirError::Taps(_) => (WINDOW_S.name(), "choose another length"),
            cfir::CfirError::Lag { .. } => (LAG_MS.name(), "choose such a lag or another window_s"),
        };
        node.problem(Code::OutOfRange, param, format!("`{param}`: {error}")).hint(hint)
    })
}

/// The taps turned so that a sinusoid in the geometric middle of the band comes out with the phase it had
/// `lag_s` ago: real and imaginary parts.
fn turned(taps: &[[f64; 2]], parameters: &CfirParameters) -> [Vec<f32>; 2] {
    let step = TAU * (parameters.low_hz * parameters.high_hz).sqrt() / parameters.rate_hz;
    let (mut re, mut im) = (0.0, 0.0);
    for (k, [a, b]) in taps.iter().enumerate() {
        let (sin, cos) = (-step * k as f64).sin_cos();
        re += a * cos - b * sin;
        im += a * sin + b * cos;
    }
    let (sin, cos) = (-step * parameters.lag_s * parameters.rate_hz - im.atan2(re)).sin_cos();
    let part =
        |turn: &dyn Fn(f64, f64) -> f64| taps.iter().map(|[a, b]| turn(*a, *b) as f32).collect();
    [part(&|a, b| a * cos - b * sin), part(&|a, b| a * sin + b * cos)]
}

/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Analytic {
    /// Real and imaginary part.
    filters: [Fir; 2],
    channels: usize,
    /// Whether the filters have seen the first sample as what was before.
    is_primed: bool,
    /// Room for that: as many samples as there are taps.
    before: Box<[f32]>,
}

impl Analytic {
    fn prime(&mut self, input: &[f32], len: usize) {
        let past = self.before.len() / self.channels;
        let mut thrown = engine::Buffer::signal(self.channels, past);
        let thrown = thrown.floats_mut().expect("a fresh buffer has one holder");
        for (before, plane) in self.before.chunks_exact_mut(past).zip(input.chunks_exact(len)) {
            before.fill(if plane[0].is_finite() { plane[0] } else { 0.0 });
        }
        self.filters.iter_mut().for_each(|filter| filter.run(&self.before, thrown));
        self.is_primed = true;
    }

    fn take_up(&mut self, from: &[u8]) -> Result<(), StateError> {
        let (&[version, primed], states) = from.split_first_chunk().ok_or(StateError::Length)?;
        if version != VERSION {
            return Err(StateError::Version { found: version, known: VERSION });
        }
        if primed > 1 {
            return Err(StateError::Content);
        }
        if states.is_empty() || states.len() % 2 != 0 {
            return Err(StateError::Length);
        }
        let each = states.len() / 2;
        for (filter, state) in self.filters.iter_mut().zip(states.chunks_exact(each)) {
            filter.load(state)?;
        }
        self.is_primed = primed == 1;
        Ok(())
    }
}

impl Operator for Analytic {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let (mut envelopes, mut phases) = (io.signal(0, len), io.signal(1, len));
        let envelope = envelopes.floats_mut().expect("a fresh buffer has one holder");
        let phase = phases.floats_mut().expect("a fresh buffer has one holder");
        let input = io.frame().samples();
        if !self.is_primed {
            self.prime(input, len);
        }
        self.filters[0].run(input, envelope);
        self.filters[1].run(input, phase);
        for (re, im) in envelope.iter_mut().zip(phase) {
            (*re, *im) = ((*re * *re + *im * *im).sqrt(), im.atan2(*re));
        }
        io.send_buffer(0, time, envelopes);
        io.send_buffer(1, time, phases);
        Ok(())
    }

    fn reset(&mut self) {
        self.filters.iter_mut().for_each(Kernel::reset);
        self.is_primed = false;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend([VERSION, u8::from(self.is_primed)]);
        self.filters.iter().for_each(|filter| filter.save(into));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.take_up(from).map_err(|error| Fault::new("is no state of this filter").because(error))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    const RATE_HZ: f64 = 250.0;

    fn of(params: &str, samples: &[f32]) -> [Vec<f64>; 2] {
        let mut analytic = Bench::build(&KIND, RATE_HZ, params).expect("valid");
        analytic.feed(samples);
        let seen = analytic.take();
        [0, 1].map(|port| {
            let frames = seen.iter().filter(|seen| seen.port == port);
            frames.flat_map(|seen| seen.frame.samples()).map(|&x| f64::from(x)).collect()
        })
    }

    /// How much of the other frequency, the negative one, a filter lets through beside the middle of its band.
    fn leak(lag_ms: f64) -> f64 {
        let parameters = CfirParameters {
            rate_hz: RATE_HZ,
            low_hz: 8.0,
            high_hz: 12.0,
            lag_s: lag_ms / 1e3,
            taps: 125,
            slope: 1.0,
            alpha: 0.0,
        };
        let taps = cfir::design(&parameters).expect("possible").taps;
        let gain = |turns: f64| {
            let part = |n: usize, [a, b]: [f64; 2]| {
                let (sin, cos) = (-TAU * turns * n as f64).sin_cos();
                [a * cos - b * sin, a * sin + b * cos]
            };
            let parts = taps.iter().enumerate().map(|(n, &tap)| part(n, tap));
            let [re, im] = parts.fold([0.0; 2], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
            re.hypot(im)
        };
        let turns = 96f64.sqrt() / RATE_HZ;
        gain(-turns) / gain(turns)
    }

    #[test]
    fn a_sinusoid_in_the_middle_has_its_amplitude_and_the_phase_of_the_lag() {
        let angle = |n: f64| TAU * 96f64.sqrt() * n / RATE_HZ + 0.3;
        let input: Vec<f32> = (0..500).map(|n| (3.0 * angle(f64::from(n)).cos()) as f32).collect();
        for lag_ms in [80.0, 90.0, 200.0] {
            let params = format!("low_hz = 8.0\nhigh_hz = 12.0\nlag_ms = {lag_ms:?}");
            let [envelope, phase] = of(&params, &input);
            // A cosine is two turning numbers, one for each direction; the wrong one is let through a
            // little by a filter this short, and turns against the other. Sums of f32 besides.
            let leak = leak(lag_ms) + 1e-5;
            assert!(leak < 0.2, "{leak}");
            for n in 125..500 {
                assert!((envelope[n] / 3.0 - 1.0).abs() < leak, "{n}: {}", envelope[n]);
                let off = phase[n] - angle(n as f64 - lag_ms * 1e-3 * RATE_HZ);
                let off = off - TAU * (off / TAU).round();
                assert!(off.abs() < leak.asin() + 1e-5, "{lag_ms} ms, {n}: {off} radians off");
            }
        }
    }

    #[test]
    fn an_offset_is_no_rhythm() {
        let [envelope, _] = of("low_hz = 8.0\nhigh_hz = 13.0", &[1_000.0; 400]);
        // One in a million of it is let through, and taps are rounded to 24 bits.
        assert!(envelope.iter().all(|amplitude| *amplitude < 5e-3), "{envelope:?}");
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("low_hz = 13.0\nhigh_hz = 8.0", "`low_hz`: the edges do not rise"),
            ("low_hz = 8.0\nhigh_hz = 126.0", "`high_hz` = 126.0 is above half the sample rate"),
            ("low_hz = 8.0\nhigh_hz = 13.0\nlag_ms = 900.0", "`lag_ms`: such a filter is"),
            ("low_hz = 8.0\nhigh_hz = 13.0\nwindow_s = 0.01", "`window_s`: 3 taps"),
        ] {
            let problem = Bench::build(&KIND, RATE_HZ, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
