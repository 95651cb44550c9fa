//! A window that is written in seconds and counted in samples.

use engine::{Code, Diagnostic, Node, Param};

/// Longer windows cost megabytes a channel; `decimate` first.
const SAMPLES_MAX: f64 = 131_072.0;

/// How many samples of `in` the window has: the nearest number, at least one.
pub(super) fn samples(node: &Node<'_>, window_s: &Param<f64>) -> Result<usize, Diagnostic> {
    let (seconds, rate_hz) = (node.get(window_s)?, node.rate_hz("in"));
    let samples = (seconds * rate_hz).round().max(1.0);
    if samples > SAMPLES_MAX {
        let name = window_s.name();
        let message = format!("`{name}` = {seconds:?} is {samples} samples");
        let hint = format!(
            "choose at most {:.3} s, or put a `decimate` in front",
            (SAMPLES_MAX / rate_hz * 1e3).floor() / 1e3
        );
        return Err(node.problem(Code::OutOfRange, name, message).hint(hint));
    }
    Ok(samples as usize)
}

/// By how many nanoseconds the middle of a window of so many samples is late.
pub(super) fn middle_ns(node: &Node<'_>, samples: usize) -> i64 {
    (0.5 * (samples - 1) as f64 / node.rate_hz("in") * 1e9).round() as i64
}
