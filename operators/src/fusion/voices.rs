//! What several signals say of the same thing at one moment, and how good each of them is.
//!
//! Kinds that weigh signals have a port `in` for any number of them and a port `quality` for as many
//! weights from 0 to 1, in the same order: of one channel for all of a signal's, or of as many. An
//! input that is behind is held for `max_age_ms`; then it is missing, as one that says NaN.

use engine::{AlignSpec, Code, Diagnostic, Diagnostics, Input, Io, Node, Param, Policy, Port};

/// The port of the signals.
pub(super) const IN: Port = Port::signal("in").variadic().fed_by(&["ecg", "lowpass"]);
/// The port of their qualities.
pub(super) const QUALITY: Port = Port::signal("quality").variadic().optional();

pub(super) const MAX_AGE_MS: Param<f64> = Param::optional(
    "max_age_ms",
    "How long a sample stands for those behind it; without, two of the longest periods.",
)
.within(0.0, 1e9);

/// Which lines belong together.
pub(super) struct Voices {
    voices: Vec<Voice>,
    channels: usize,
}

struct Voice {
    label: String,
    named: String,
    line: usize,
    quality: Option<Quality>,
}

struct Quality {
    line: usize,
    /// One channel stands for all.
    is_one: bool,
}

impl Voices {
    /// Those of a node.
    ///
    /// # Errors
    /// If they do not fit each other.
    pub(super) fn of(node: &Node<'_>) -> Result<Self, Diagnostics> {
        let lines = || node.inputs().iter().enumerate();
        let of_port = |port: &'static str| lines().filter(move |(_, input)| input.port == port);
        let first = &node.inputs()[0];
        let channels = signal_channels(first);
        let mut problems = Vec::new();
        problems.extend(of_port(IN.name).filter_map(|(_, input)| unlike(first, input)));
        let qualities: Vec<(usize, &Input)> = of_port(QUALITY.name).collect();
        let count = of_port(IN.name).count();
        if !qualities.is_empty() && qualities.len() != count {
            let message =
                format!("`{}` has {} inputs and {} qualities", node.name(), count, qualities.len());
            let problem = Diagnostic::error(Code::FormatMismatch, message);
            problems.push(
                problem.at(&qualities[0].1.place).hint("give each input its quality, or none"),
            );
        }
        for (_, quality) in &qualities {
            let of_quality = signal_channels(quality);
            if of_quality != 1 && of_quality != channels {
                let message = format!(
                    "`{}` has {of_quality} channels, but the inputs have {channels}",
                    quality.label
                );
                let problem = Diagnostic::error(Code::FormatMismatch, message).at(&quality.place);
                problems.push(problem.hint("give one quality for all channels, or one for each"));
            }
        }
        if !problems.is_empty() {
            return Err(Diagnostics(problems));
        }
        let quality = |(line, input): &(usize, &Input)| Quality {
            line: *line,
            is_one: signal_channels(input) == 1,
        };
        let voices = of_port(IN.name).enumerate().map(|(n, (line, input))| Voice {
            label: input.label.clone(),
            named: input.named.clone(),
            line,
            quality: qualities.get(n).map(quality),
        });
        Ok(Self { voices: voices.collect(), channels })
    }

    /// How their samples meet: to every sample of the first, the latest of the others.
    ///
    /// # Errors
    /// If the parameter does not fit.
    pub(super) fn align(node: &Node<'_>) -> Result<AlignSpec, Diagnostic> {
        let periods = node.inputs().iter().filter_map(|input| input.format.rate());
        let longest_ns = periods.map(engine::Rate::period_ns).fold(0.0, f64::max);
        let reach_ns =
            node.get_optional(&MAX_AGE_MS)?.map_or(2.0 * longest_ns, |max_age_ms| 1e6 * max_age_ms);
        Ok(node.join(Policy::Hold, Some(reach_ns.round() as i64)))
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.voices.len()
    }

    /// Channels of each.
    pub(super) const fn channels(&self) -> usize {
        self.channels
    }

    /// Whether one is called so, by its whole name or in the file that has the node.
    pub(super) fn is_called(&self, voice: usize, name: &str) -> bool {
        let voice = &self.voices[voice];
        voice.label == name || voice.named == name
    }

    /// What one is called.
    pub(super) fn label(&self, voice: usize) -> &str {
        &self.voices[voice].label
    }

    /// Sample `n` of a channel of a voice, and its quality: 1 where none is given, 0 where either is
    /// missing.
    pub(super) fn say(&self, io: &Io<'_>, voice: usize, channel: usize, n: usize) -> (f64, f64) {
        let voice = &self.voices[voice];
        let value = f64::from(sample(io, voice.line, channel, n));
        if !value.is_finite() {
            return (f64::NAN, 0.0);
        }
        let Some(quality) = &voice.quality else { return (value, 1.0) };
        let of = sample(io, quality.line, if quality.is_one { 0 } else { channel }, n);
        (value, if of.is_nan() { 0.0 } else { f64::from(of).clamp(0.0, 1.0) })
    }
}

/// A sample of what the runtime has put beside each other.
pub(super) fn sample(io: &Io<'_>, line: usize, channel: usize, n: usize) -> f32 {
    let frame = if line == 0 { Some(io.frame()) } else { io.aligned(line) };
    let frame = frame.expect("every input has a frame, of NaN if need be");
    frame.samples()[channel * frame.len() + n]
}

fn signal_channels(input: &Input) -> usize {
    input.format.as_signal().expect("the port takes signals").channels.len()
}

/// Why an input cannot stand for the first.
fn unlike(first: &Input, other: &Input) -> Option<Diagnostic> {
    let channels = |input: &Input| {
        let signal = input.format.as_signal().expect("the port takes signals");
        signal.channels.iter().map(|channel| channel.unit).collect::<Vec<_>>()
    };
    let (ours, theirs) = (channels(first), channels(other));
    if ours.len() != theirs.len() {
        let message = format!(
            "`{}` has {} channels, but `{}` has {}",
            other.label,
            theirs.len(),
            first.label,
            ours.len()
        );
        let problem = Diagnostic::error(Code::FormatMismatch, message).at(&other.place);
        return Some(problem.hint("pick as many channels of each, such as `name[0]`"));
    }
    let (ours, theirs) =
        ours.into_iter().zip(theirs).find(|(one, other)| !one.agrees_with(*other))?;
    let message = format!("`{}` is in {theirs}, but `{}` in {ours}", other.label, first.label);
    let problem = Diagnostic::error(Code::UnitMismatch, message).at(&other.place);
    Some(match theirs.factor_to(ours) {
        Some(factor) => problem.hint(format!("multiply it by {factor}")),
        None => problem.hint("join signals that measure the same"),
    })
}
