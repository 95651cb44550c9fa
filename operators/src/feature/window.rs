//! What features over a sliding window have in common: its length, and where its values lie.

use engine::{Code, Diagnostic, Format, Node, Outline, Param, SignalFormat, Unit};

/// The length of a sliding window.
pub(crate) const WINDOW_S: Param<f64> =
    Param::required("window_s", "Length of the sliding window.").within(1e-5, 86_400.0);

/// More samples than an hour at 250 Hz; 24 MB of moments.
const SAMPLES_MAX: f64 = 1_048_576.0;

/// The window's length in samples of `in`, of which there must be `least`.
pub(crate) fn samples(
    node: &Node<'_>,
    param: &Param<f64>,
    least: usize,
) -> Result<usize, Diagnostic> {
    let (span_s, rate_hz) = (node.get(param)?, node.rate_hz("in"));
    let samples = (span_s * rate_hz).round();
    if samples >= least as f64 && samples <= SAMPLES_MAX {
        return Ok(samples as usize);
    }
    let message =
        format!("`{}` = {span_s:?} is {samples} samples of {rate_hz} a second", param.name());
    let (least_s, most_s) = (least as f64 / rate_hz, SAMPLES_MAX / rate_hz);
    let hint = format!("choose {least_s} to {most_s}, which is {least} to {SAMPLES_MAX} samples");
    Err(node.problem(Code::OutOfRange, param.name(), message).hint(hint))
}

/// Outputs of these formats about the middle of a window of `samples`, which is where they are put.
pub(crate) fn centred(
    node: &Node<'_>,
    samples: usize,
    outputs: impl IntoIterator<Item = Format>,
) -> Outline {
    let delay_s = 0.5 * (samples - 1) as f64 / node.rate_hz("in");
    Outline::of(outputs).delayed((delay_s * 1e9).round() as i64)
}

/// As many channels as enter `in`, of another unit.
pub(crate) fn with_unit(node: &Node<'_>, unit: Unit) -> Format {
    let mut signal: SignalFormat = node.signal("in").clone();
    signal.channels.iter_mut().for_each(|channel| channel.unit = unit);
    Format::Signal(signal.into())
}
