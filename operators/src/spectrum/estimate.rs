//! Power spectra, averaged over segments, and what kinds make of them.
//!
//! A segment that lies in part beyond an end of the input counts for the part inside: its power is
//! divided by the energy of the window's weights there. So a spectrum is not too small at the
//! beginning, and averages begin with what there is. Where only the shape of a spectrum matters its
//! power is not divided by anything.

use engine::{Body, BuildError, Code, Diagnostic, Diagnostics, Node, Outline, Param};

use super::{
    cut::Cut,
    segments::{Analyse, Segmented, Segments},
};
use crate::math::{
    fourier::Fourier,
    sliding_sum::SlidingSum,
    state::{State, StateError},
};

/// Most numbers that averages of one node keep.
const KEPT_MAX: usize = 1 << 24;

pub(crate) const AVERAGE: Param<i64> =
    Param::optional("average", "Segments whose power is averaged (Welch); 1 unless written.")
        .within(1.0, 4_096.0);
pub(crate) const TIME_CONSTANT_S: Param<f64> = Param::optional(
    "time_constant_s",
    "Of an average over all segments in which older ones fade, instead of `average`.",
)
.within(1e-4, 1e5);
pub(crate) const DETREND: Param<&str> = Param::with_default(
    "detrend",
    "constant",
    "What is taken off each segment: its mean, or none.",
)
.one_of(&["constant", "none"]);

/// The same for kinds that librosa has too, which leaves segments as they are.
pub(crate) const DETREND_NONE: Param<&str> = Param::with_default(
    "detrend",
    "none",
    "What is taken off each segment: its mean (constant), or none.",
)
.one_of(&["constant", "none"]);

/// What a power spectrum is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// Power per hertz, one-sided.
    Density,
    /// The power of a sine in its bin, one-sided.
    Spectrum,
    /// Nothing: the square of the transform.
    Plain,
}

/// How segments are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Averaging {
    /// So many of them alike.
    Last(usize),
    /// Each new one with this share.
    Fading(f64),
}

impl Averaging {
    /// As the parameters say; one segment if they say nothing.
    pub(crate) fn read(node: &Node<'_>, cut: &Cut) -> Result<Self, Diagnostic> {
        Self::read_or(node, cut, (&AVERAGE, 1), cut.bins() + 1)
    }

    /// The same with so many segments if they say nothing, where rows of `width` numbers are kept of
    /// each channel.
    pub(crate) fn read_or(
        node: &Node<'_>,
        cut: &Cut,
        (average, default): (&Param<i64>, usize),
        width: usize,
    ) -> Result<Self, Diagnostic> {
        let written = node.get_optional(average)?;
        let count = written.map_or(default, |count| count as usize);
        let Some(time_s) = node.get_optional(&TIME_CONSTANT_S)? else {
            let channels = node.inputs().first().and_then(|input| input.format.as_signal());
            let kept = channels.map_or(1, |signal| signal.channels.len()) * width * count;
            if kept <= KEPT_MAX {
                return Ok(Self::Last(count));
            }
            let message = format!("`average` = {count} segments are {kept} numbers to keep");
            let problem = node.problem(Code::WindowTooLong, AVERAGE.name(), message);
            return Err(problem.hint("average fewer, or write time_constant_s, which keeps one"));
        };
        if written.is_some() {
            let message = "`average` and `time_constant_s` are two ways to do one thing";
            let problem = node.problem(Code::NoEffect, AVERAGE.name(), message);
            return Err(problem.hint("write one of them"));
        }
        let hop_s = cut.hop as f64 / cut.rate_hz;
        Ok(Self::Fading(-(-hop_s / time_s).exp_m1()))
    }

    /// How many samples the middle of what is averaged lies behind the middle of the newest segment.
    pub(crate) fn shift(self, hop: usize) -> f64 {
        match self {
            Self::Last(count) => 0.5 * (count - 1) as f64 * hop as f64,
            Self::Fading(share) => (1.0 - share) / share * hop as f64,
        }
    }

    /// Memory for rows of `width` numbers.
    pub(crate) fn memory(self, width: usize) -> Memory {
        match self {
            Self::Last(count) => Memory::Last(SlidingSum::new(count, width)),
            Self::Fading(share) => Memory::Fading { share, sums: vec![0.0; width].into() },
        }
    }
}

/// The sums of one channel.
pub(crate) enum Memory {
    Last(SlidingSum),
    Fading { share: f64, sums: Box<[f64]> },
}

impl Memory {
    /// Puts the sum in the place of the newest row. One that is not finite stands for itself where
    /// it would never be forgotten.
    pub(crate) fn push(&mut self, row: &mut [f64]) {
        match self {
            Self::Last(sums) => sums.push(row),
            Self::Fading { share, sums } => {
                if row.iter().any(|number| !number.is_finite()) {
                    return;
                }
                for (x, sum) in row.iter_mut().zip(sums) {
                    *sum += *share * (*x - *sum);
                    // What has faded below what an f32 can tell is nothing.
                    *sum = if sum.abs() < 1e-200 { 0.0 } else { *sum };
                    *x = *sum;
                }
            }
        }
    }

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Last(sums) => sums.reset(),
            Self::Fading { sums, .. } => sums.fill(0.0),
        }
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        match self {
            Self::Last(sums) => sums.save(into),
            Self::Fading { sums, .. } => {
                into.extend(sums.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
    }

    pub(crate) fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        match self {
            Self::Last(sums) => sums.load(state),
            Self::Fading { sums, .. } => sums.iter_mut().try_for_each(|number| state.f64(number)),
        }
    }
}

/// The energy of the weights inside the input, for each scaling.
pub(crate) fn energy(scaling: Scaling, cut: &Cut, weights: &[f64]) -> f64 {
    match scaling {
        Scaling::Density => cut.rate_hz * weights.iter().map(|w| w * w).sum::<f64>(),
        Scaling::Spectrum => weights.iter().sum::<f64>().powi(2),
        Scaling::Plain => 1.0,
    }
}

/// Takes both halves of a spectrum together, but for 0 and half the rate, which are there once.
pub(crate) fn fold(scaling: Scaling, fft_len: usize, spectrum: &mut [f64]) {
    if scaling == Scaling::Plain {
        return;
    }
    let once = 1 + usize::from(fft_len.is_multiple_of(2));
    let twice = spectrum.len().saturating_sub(once);
    spectrum[1..].iter_mut().take(twice).for_each(|power| *power *= 2.0);
}

/// Makes values of a power spectrum.
pub(crate) trait Reduce: Send + 'static {
    /// Fills in the values of one channel.
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]);
}

/// The averaged power spectra of all channels, reduced.
struct Estimate<R> {
    cut: Cut,
    scaling: Scaling,
    is_centred: bool,
    /// Energy of the whole window.
    energy: f64,
    fourier: Fourier<f64>,
    memories: Vec<Memory>,
    /// Powers of a channel, then their energy.
    row: Vec<f64>,
    reduce: R,
}

impl<R: Reduce> Analyse for Estimate<R> {
    fn analyse(&mut self, segments: &Segments, values: &mut [f32]) {
        let inside = segments.inside();
        let bins = self.fourier.bins();
        let energy = match inside.len() < self.cut.len {
            true => energy(self.scaling, &self.cut, &self.cut.weights[inside.clone()]),
            false => self.energy,
        };
        let each = values.len() / segments.channels();
        for (channel, values) in values.chunks_exact_mut(each).enumerate() {
            let samples = segments.of(channel);
            let fourier = &mut self.fourier;
            let spectrum = fourier.transform_inside(samples, inside.clone(), self.is_centred);
            for (power, x) in self.row.iter_mut().zip(spectrum) {
                *power = x.norm_sqr();
            }
            self.row[bins] = energy;
            self.memories[channel].push(&mut self.row);
            let (powers, energy) = self.row.split_at_mut(bins);
            // Without any weight inside the input there is no power either.
            let scale = if energy[0] > 0.0 { 1.0 / energy[0] } else { 0.0 };
            powers.iter_mut().for_each(|power| *power *= scale);
            fold(self.scaling, self.cut.fft_len, powers);
            self.reduce.reduce(powers, values);
        }
    }

    fn reset(&mut self) {
        self.memories.iter_mut().for_each(Memory::reset);
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.memories.iter().for_each(|memory| memory.save(into));
    }

    fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.memories.iter_mut().try_for_each(|memory| memory.load(state))
    }
}

/// What a kind of power spectra plans: a value of each name for each channel.
pub(crate) fn outline(
    node: &Node<'_>,
    cut: &Cut,
    averaging: Averaging,
    names: &[String],
) -> Result<Outline, Diagnostics> {
    cut.outline(node, "in", names, averaging.shift(cut.hop), false)
}

/// The body of a kind of power spectra.
pub(crate) fn body(
    node: &Node<'_>,
    cut: Cut,
    averaging: Averaging,
    scaling: Scaling,
    reduce: impl Reduce,
) -> Result<Body, BuildError> {
    let channels = node.signal("in").channels.len();
    let detrend = if scaling == Scaling::Plain { &DETREND_NONE } else { &DETREND };
    let is_centred = node.kind().param(detrend.name()).is_some() && node.get(detrend)? != "none";
    let bins = cut.bins();
    let segments = Segments::new(channels, cut.len, cut.hop);
    let shift = averaging.shift(cut.hop);
    let estimate = Estimate {
        energy: energy(scaling, &cut, &cut.weights),
        fourier: Fourier::new(&cut.weights, cut.fft_len),
        memories: (0..channels).map(|_| averaging.memory(bins + 1)).collect(),
        row: vec![0.0; bins + 1],
        cut,
        scaling,
        is_centred,
        reduce,
    };
    Ok(Body::operator(Segmented::new(segments, shift, estimate)))
}
