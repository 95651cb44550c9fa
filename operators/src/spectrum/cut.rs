//! Window and hop: the parameters that all kinds of this group have in common.

use engine::{
    Channel, Code, Diagnostic, Diagnostics, Format, Node, Outline, Param, Rate, SignalFormat,
};

use super::segments;
use crate::math::window::Window;

/// Longest segment: 5 s at 48 kHz.
pub(crate) const LEN_MAX: f64 = 262_144.0;
/// Most values that may stand side by side.
const VALUES_MAX: usize = 65_536;

pub(crate) const WINDOW_S: Param<f64> =
    Param::optional("window_s", "Length of a segment, rounded to whole samples.").within(1e-4, 1e5);
pub(crate) const WINDOW_SAMPLES: Param<i64> =
    Param::optional("window_samples", "Length of a segment, instead of window_s.")
        .within(2.0, LEN_MAX);
pub(crate) const HOP_S: Param<f64> =
    Param::optional("hop_s", "From one segment to the next; half a window unless written.")
        .within(1e-5, 1e5);
pub(crate) const HOP_SAMPLES: Param<i64> =
    Param::optional("hop_samples", "From one segment to the next, instead of hop_s.")
        .within(1.0, LEN_MAX);
pub(crate) const WINDOW: Param<&str> =
    Param::with_default("window", "hann", "Its shape, as SciPy's get_window gives it for spectra.")
        .one_of(&["blackman", "hamming", "hann", "rectangular"]);
pub(crate) const FFT_SAMPLES: Param<i64> = Param::optional(
    "fft_samples",
    "Length of the transform where it is longer than the window: zeros fill it up.",
)
.within(2.0, LEN_MAX);

/// How a signal is cut into segments.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    pub(crate) len: usize,
    pub(crate) hop: usize,
    /// The weights of a segment.
    pub(crate) weights: Vec<f64>,
    /// Length of the transform.
    pub(crate) fft_len: usize,
    /// Samples per second of the signal.
    pub(crate) rate_hz: f64,
}

impl Cut {
    /// As the parameters say for the signal at `port`.
    pub(crate) fn read(node: &Node<'_>, port: &str) -> Result<Self, Diagnostic> {
        let (rate_hz, (len, hop)) = (node.rate_hz(port), lengths(node, port)?);
        let has = |name| node.kind().param(name).is_some();
        let fft_len = match has(FFT_SAMPLES.name()) {
            true => node.get_optional(&FFT_SAMPLES)?.map_or(len, |len| len as usize),
            false => len,
        };
        if fft_len < len {
            let message = format!("`fft_samples` = {fft_len} is less than the {len} of a window");
            let problem = node.problem(Code::OutOfRange, FFT_SAMPLES.name(), message);
            return Err(problem.hint(format!("choose {len} or more, or leave it out")));
        }
        let weights = shape(node.get(&WINDOW)?).periodic(len);
        Ok(Self { len, hop, weights, fft_len, rate_hz })
    }

    /// Frequencies from 0 to half the rate.
    pub(crate) fn bins(&self) -> usize {
        self.fft_len / 2 + 1
    }

    /// Distance of two of them.
    pub(crate) fn bin_hz(&self) -> f64 {
        self.rate_hz / self.fft_len as f64
    }

    /// The frequency of every bin, as names of values.
    pub(crate) fn bin_names(&self) -> Vec<String> {
        let hz = |bin: usize| (bin as f64 * self.bin_hz() * 1e3).round() / 1e3;
        (0..self.bins()).map(|bin| format!("{} Hz", hz(bin))).collect()
    }

    /// What comes out: for every channel of the signal at `port` a value of each name. Values are
    /// about moments `shift` samples before the middles of segments.
    pub(crate) fn outline(
        &self,
        node: &Node<'_>,
        port: &str,
        names: &[String],
        shift: f64,
        has_unit: bool,
    ) -> Result<Outline, Diagnostics> {
        let signal = node.signal(port);
        let count = signal.channels.len() * names.len();
        if count > VALUES_MAX {
            let message = format!("`{}` would say {count} values at once", node.name());
            let problem = node.problem(Code::OutOfRange, WINDOW_S.name(), message);
            let hint = format!("choose a shorter window or fewer channels: {VALUES_MAX} is most");
            return Err(problem.hint(hint).into());
        }
        let rate = Rate::new(self.rate_hz / self.hop as f64).ok_or_else(|| {
            let message = format!("a hop of {} samples takes longer than 11 days", self.hop);
            node.problem(Code::OutOfRange, HOP_S.name(), message).hint("choose a shorter hop")
        })?;
        let channels = signal.channels.iter().flat_map(|channel| {
            names.iter().map(|name| Channel {
                name: match signal.channels.len() {
                    1 => name.clone(),
                    _ => format!("{} {name}", channel.name),
                },
                unit: if has_unit { channel.unit } else { engine::Unit::UNKNOWN },
            })
        });
        let format = SignalFormat { channels: channels.collect(), rate, frame_len: 1 };
        let delay_s = segments::delay(self.len, shift) / self.rate_hz;
        let mut outline =
            Outline::of([Format::Signal(format.into())]).delayed((delay_s * 1e9).round() as i64);
        outline.warnings.extend(spectrum_of_a_spectrum(node, port));
        Ok(outline)
    }
}

/// Kinds whose channels are the frequencies of a spectrum.
const SPECTRA: [&str; 7] = ["stft", "power", "band_power", "mel", "log_mel", "mfcc", "coherence"];

/// Tells who feeds a kind of this group with what another has made: each cuts and transforms a signal
/// itself, and would take every frequency for one.
fn spectrum_of_a_spectrum(node: &Node<'_>, port: &str) -> Option<Diagnostic> {
    let input = node.inputs().iter().find(|input| input.port == port)?;
    let passed = input.through.first().filter(|passed| SPECTRA.contains(&passed.kind))?;
    let (kind, label) = (node.kind().name, &input.label);
    let message =
        format!("`{label}` ({}) is a spectrum, and `{kind}` makes one of it", passed.kind);
    let warning = Diagnostic::warning(Code::FormatMismatch, message).at(&input.place);
    Some(warning.hint(format!("take the signal that `{label}` takes")))
}

/// Lengths of a window and of a hop in samples.
pub(crate) fn lengths(node: &Node<'_>, port: &str) -> Result<(usize, usize), Diagnostic> {
    let rate_hz = node.rate_hz(port);
    let len = samples(node, rate_hz, (&WINDOW_S, &WINDOW_SAMPLES), 2)?.ok_or_else(|| {
        let message = "neither `window_s` nor `window_samples` is written";
        node.problem(Code::MissingParameter, WINDOW_S.name(), message)
            .hint("write how long a segment is, such as window_s = 1.0")
    })?;
    Ok((len, samples(node, rate_hz, (&HOP_S, &HOP_SAMPLES), 1)?.unwrap_or(len / 2)))
}

/// A length written in seconds or in samples.
fn samples(
    node: &Node<'_>,
    rate_hz: f64,
    (seconds, whole): (&Param<f64>, &Param<i64>),
    least: usize,
) -> Result<Option<usize>, Diagnostic> {
    match (node.get_optional(seconds)?, node.get_optional(whole)?) {
        (Some(_), Some(_)) => {
            let message = format!("`{}` and `{}` say the same thing", seconds.name(), whole.name());
            Err(node.problem(Code::NoEffect, whole.name(), message).hint("write one of them"))
        }
        (Some(written), None) => {
            let samples = (written * rate_hz).round();
            if (least as f64..=LEN_MAX).contains(&samples) {
                return Ok(Some(samples as usize));
            }
            let message = format!("`{}` = {written:?} is {samples} samples", seconds.name());
            let (from, to) = (least as f64 / rate_hz, LEN_MAX / rate_hz);
            let hint = format!("choose {from:.3} to {to:.3} at this rate");
            Err(node.problem(Code::OutOfRange, seconds.name(), message).hint(hint))
        }
        (None, samples) => Ok(samples.map(|samples| samples as usize)),
    }
}

/// The shape called `name`.
pub(crate) fn shape(name: &str) -> Window {
    match name {
        "blackman" => Window::Blackman,
        "hamming" => Window::Hamming,
        "rectangular" => Window::Rectangular,
        _ => Window::Hann,
    }
}
