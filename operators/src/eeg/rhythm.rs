//! `rhythm`: how strong a rhythm of the brain is, at a chosen lag.
//!
//! The instantaneous amplitude of the alpha or another rhythm and its ratio to that of a second one,
//! for feedback: training works at the shortest lag and fails at half a second.
//!
//! ```text
//! A[n] = |Σ b[k] · x[n − k]|          b: complex, N taps
//! ratio = A(band) / A(over)
//! ```
//!
//! `b` is the causal filter whose output is nearest to that of the ideal zero-phase one `lag_ms` ago,
//! in noise that falls as 1 / f with alpha in it; see [`crate::math::cfir`].
//!
//! | port    | carries                                                             |
//! |---------|---------------------------------------------------------------------|
//! | `in`    | an EEG, any number of channels                                      |
//! | `out`   | the amplitude of `band` in each channel, in the unit of the input    |
//! | `ratio` | amplitude of `band` over that of `over`; 0 where there is nothing   |
//!
//! **Delay**: `lag_ms`, by which the runtime puts the times back: amplitudes lie where the rhythm was.
//! **Start**: as if the first sample had been there before. **NaN** reaches the N outputs that it is part
//! of and no other. **Cost**: 4 N multiplications a sample and channel, some 60 ns at 250 taps.

use std::sync::Arc;

use engine::{
    Body, Channel, Code, Diagnostic, Diagnostics, Fault, Format, Io, Kind, Node, Operator, Outline,
    Param, Port, SignalFormat, Unit,
};

use crate::{
    designs::Designs,
    kernels::{Kernel, fir::Fir},
    math::{
        cfir::{self, Cfir, CfirError, CfirParameters},
        named_bands::{self, NamedBand, RHYTHMS},
        state::StateError,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "rhythm",
    summary: "How strong a rhythm of the brain is, at a chosen lag.",
    doc: "The instantaneous amplitude |sum b[k] x[n-k]| of the rhythm `band` in every channel, in the \
          unit of the input (a steady sinusoid in the middle of the band has its own), and on `ratio` \
          that amplitude over the one of `over`, 0 where there is nothing. A rhythm is delta 1-4, theta \
          4-8, alpha 8-13, smr 12-15, beta 13-30 or gamma 30-80 Hz, or name=low-high. b are `window_s` \
          of complex taps, of all causal ones those whose output is nearest to the ideal zero-phase \
          one's of `lag_ms` ago in 1/f noise with alpha, offsets and hum (weighted cFIR, Smetanin et al. \
          2020). At 90 ms the amplitude of alpha correlates with the ideal one by 0.8 to 0.97, that of \
          theta by 0.7 to 0.9, the more the rhythm stands out; `check` warns where the model says less than \
          0.6. Delay: lag_ms, \
          subtracted from the times by the runtime. The first sample counts as what was before. NaN: \
          reaches the outputs of the next window_s. Cost: 4 multiplications a tap, sample and channel.",
    example: "band = \"alpha\"\nover = \"theta\"",
    inputs: &[Port::signal("in").fed_by(&["eeg"])],
    outputs: &[Port::like("out", "in"), Port::signal("ratio")],
    params: &[&BAND, &OVER, &LAG_MS, &WINDOW_S],
    plan,
    build: |node| {
        let signal = node.signal("in");
        let channels = signal.channels.len();
        let [band, over] = bands(node)?;
        let filters = |band: &NamedBand, param| -> Result<_, Diagnostic> {
            Ok(taps(node, band, param)?.map(|taps| Fir::new(taps, channels)))
        };
        let planes = || vec![0.0; channels * signal.frame_len].into_boxed_slice();
        let past = || vec![0.0; channels * (window(node).unwrap_or(1) - 1)].into_boxed_slice();
        Ok(Body::operator(Rhythm {
            filters: [filters(&band, BAND.name())?, filters(&over, OVER.name())?],
            channels,
            primed: false,
            before: past(),
            thrown: past(),
            parts: [planes(), planes()],
        }))
    },
    ..Kind::BASE
};

const BAND: Param<&str> =
    Param::with_default("band", "alpha", "The rhythm: its name, or name=low-high in Hz.");
const OVER: Param<&str> =
    Param::with_default("over", "theta", "The rhythm that `ratio` divides by, written likewise.");
const LAG_MS: Param<f64> =
    Param::with_default("lag_ms", 90.0, "How late the amplitude is: less costs likeness.")
        .within(1.0, 2_000.0);
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 1.0, "Length of the filter.").within(0.02, 10.0);

/// Below it an amplitude has little to do with its rhythm.
const LIKENESS_LEAST: f64 = 0.6;

/// The band and what it is divided by.
fn bands(node: &Node<'_>) -> Result<[NamedBand; 2], Diagnostic> {
    let one = |param: &Param<&'static str>| {
        let written = node.get(param)?;
        let told = |message: String| {
            let known: Vec<_> = RHYTHMS.iter().map(|(name, ..)| *name).collect();
            let hint = format!("name one of {}, or write name=low-high", known.join(", "));
            node.problem(Code::OutOfRange, param.name(), message).hint(hint)
        };
        let bands = named_bands::parse(written);
        let mut bands = bands.map_err(|error| told(format!("`{}`: {error}", param.name())))?;
        if bands.len() > 1 {
            return Err(told(format!("`{}` = {written:?} names more than one band", param.name())));
        }
        Ok(bands.remove(0))
    };
    Ok([one(&BAND)?, one(&OVER)?])
}

/// Taps of the filters.
fn window(node: &Node<'_>) -> Result<usize, Diagnostic> {
    Ok((node.get(&WINDOW_S)? * node.rate_hz("in")).round() as usize)
}

fn parameters(node: &Node<'_>, band: &NamedBand) -> Result<CfirParameters, Diagnostic> {
    Ok(CfirParameters {
        rate_hz: node.rate_hz("in"),
        low_hz: band.low_hz,
        high_hz: band.high_hz,
        lag_s: node.get(&LAG_MS)? / 1e3,
        taps: window(node)?,
        slope: 1.0,
        alpha: 5.0,
    })
}

fn design(node: &Node<'_>, band: &NamedBand, param: &'static str) -> Result<Cfir, Diagnostic> {
    cfir::design(&parameters(node, band)?).map_err(|error| refused(node, band, param, &error))
}

/// From the least to the largest lag in whole milliseconds that the filters of both bands have.
fn lags_ms(node: &Node<'_>) -> Result<Option<(f64, f64)>, Diagnostic> {
    let mut common = (0.0f64, f64::INFINITY);
    for band in &bands(node)? {
        // No filter is late by less than nothing: the refusal tells what there is.
        let impossible = CfirParameters { lag_s: -1.0, ..parameters(node, band)? };
        let Err(CfirError::Lag { least_s, most_s }) = cfir::design(&impossible) else {
            return Ok(None);
        };
        common = (common.0.max((1e3 * least_s).ceil()), common.1.min((1e3 * most_s).floor()));
    }
    Ok(Some(common).filter(|(least, most)| least <= most))
}

fn refused(
    node: &Node<'_>,
    band: &NamedBand,
    param: &'static str,
    error: &CfirError,
) -> Diagnostic {
    let (name, half_hz) = (&band.name, 0.5 * node.rate_hz("in"));
    match error {
        CfirError::Edges => {
            let edges = format!("{} to {} Hz", band.low_hz, band.high_hz);
            let message = format!("`{param}`: {name}, {edges}, is not between 0 and {half_hz} Hz");
            node.problem(Code::AboveNyquist, param, message)
                .hint("half the sample rate is the limit: write name=low-high below it")
        }
        CfirError::Lag { .. } => {
            let message = format!("`lag_ms`: for {name} {error}");
            let hint = match lags_ms(node) {
                Ok(Some((least, most))) => {
                    format!(
                        "choose {least} to {most}, which suits both bands, or another `window_s`"
                    )
                }
                _ => "choose another `window_s`: no lag suits both bands".to_owned(),
            };
            node.problem(Code::OutOfRange, LAG_MS.name(), message).hint(hint)
        }
        _ => {
            let message = format!("`window_s`: {error}");
            node.problem(Code::OutOfRange, WINDOW_S.name(), message)
                .hint("choose another length, or `decimate` in front")
        }
    }
}

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let input = node.signal("in");
    let mut warnings = Vec::new();
    let [band, over] = bands(node)?;
    for (band, param) in [(band, BAND.name()), (over, OVER.name())] {
        let likeness = design(node, &band, param)?.likeness;
        if likeness < LIKENESS_LEAST {
            let message = format!(
                "`lag_ms` = {:?} tells little of {}: a correlation of about {likeness:.2}",
                node.get(&LAG_MS)?,
                band.name
            );
            let warning = Diagnostic::warning(Code::OutOfRange, message).at(node.place("lag_ms"));
            warnings.push(warning.hint("allow a longer lag"));
        }
    }
    let share = |channel: &Channel| Channel { unit: Unit::named("1"), ..channel.clone() };
    let channels = input.channels.iter().map(share).collect();
    let ratio = Format::Signal(SignalFormat { channels, ..input.clone() }.into());
    let delay_ns = (node.get(&LAG_MS)? * 1e6).round() as i64;
    let mut outline = Outline::of([node.input("in").clone(), ratio]).delayed(delay_ns);
    outline.warnings = warnings;
    Ok(outline)
}

/// Real and imaginary taps. All sessions with the same design share them.
fn taps(
    node: &Node<'_>,
    band: &NamedBand,
    param: &'static str,
) -> Result<[Arc<[f32]>; 2], Diagnostic> {
    type Key = ([u64; 4], usize, usize);
    static DESIGNED: Designs<Key, f32> = Designs::new();

    let numbers = [band.low_hz, band.high_hz, node.rate_hz("in"), node.get(&LAG_MS)?];
    let (numbers, taps) = (numbers.map(f64::to_bits), window(node)?);
    let part = |part: usize| {
        DESIGNED.find_or((numbers, taps, part), || {
            let filter = design(node, band, param)?;
            Ok(filter.taps.iter().map(|tap| tap[part] as f32).collect())
        })
    };
    Ok([part(0)?, part(1)?])
}

struct Rhythm {
    /// Of the band and of what it is divided by: real and imaginary part.
    filters: [[Fir; 2]; 2],
    channels: usize,
    /// Whether the filters have seen the first sample as what was before.
    primed: bool,
    /// For that, and for what comes out then.
    before: Box<[f32]>,
    thrown: Box<[f32]>,
    /// Room for both parts of a filter's output.
    parts: [Box<[f32]>; 2],
}

impl Rhythm {
    fn prime(&mut self, input: &[f32]) {
        let (len, past) = (input.len() / self.channels, self.before.len() / self.channels);
        for channel in 0..self.channels {
            let first = input[channel * len];
            let first = if first.is_finite() { first } else { 0.0 };
            self.before[channel * past..][..past].fill(first);
        }
        for filter in self.filters.iter_mut().flatten() {
            filter.run(&self.before, &mut self.thrown);
        }
        self.primed = true;
    }

    /// The amplitude that one of the filters sees.
    fn amplitude(&mut self, which: usize, input: &[f32], output: &mut [f32]) {
        let [re, im] = &mut self.parts;
        let (re, im) = (&mut re[..input.len()], &mut im[..input.len()]);
        self.filters[which][0].run(input, re);
        self.filters[which][1].run(input, im);
        for ((re, im), amplitude) in re.iter().zip(im.iter()).zip(output) {
            *amplitude = (re * re + im * im).sqrt();
        }
    }
}

impl Operator for Rhythm {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let (mut amplitudes, mut ratios) = (io.signal(0, len), io.signal(1, len));
        let amplitude = amplitudes.floats_mut().expect("a fresh buffer has one holder");
        let ratio = ratios.floats_mut().expect("a fresh buffer has one holder");
        let input = io.frame().samples();
        if !self.primed {
            self.prime(input);
        }
        self.amplitude(0, input, amplitude);
        self.amplitude(1, input, ratio);
        for (band, over) in amplitude.iter().zip(ratio) {
            // Nothing over nothing, and what f32 cannot hold, is no ratio that means something.
            *over = if *over > f32::MIN_POSITIVE { band / *over } else { 0.0 * *over };
        }
        io.send_buffer(0, time, amplitudes);
        io.send_buffer(1, time, ratios);
        Ok(())
    }

    fn reset(&mut self) {
        self.filters.iter_mut().flatten().for_each(Kernel::reset);
        self.primed = false;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        into.push(u8::from(self.primed));
        for filter in self.filters.iter().flatten() {
            filter.save(into);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        self.loaded(from).map_err(|error| Fault::new("is no state of `rhythm`").because(error))
    }
}

impl Rhythm {
    fn loaded(&mut self, from: &[u8]) -> Result<(), StateError> {
        let (&[version, primed], states) = from.split_first_chunk().ok_or(StateError::Length)?;
        if version != VERSION {
            return Err(StateError::Version { found: version, known: VERSION });
        }
        if primed > 1 {
            return Err(StateError::Content);
        }
        let filters = self.filters.as_flattened_mut();
        let each = states.len() / filters.len();
        if each == 0 || each * filters.len() != states.len() {
            return Err(StateError::Length);
        }
        for (filter, state) in filters.iter_mut().zip(states.chunks_exact(each)) {
            filter.load(state)?;
        }
        self.primed = primed == 1;
        Ok(())
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
