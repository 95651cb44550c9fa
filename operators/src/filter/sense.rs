//! Whether a filter makes sense where it stands: at its sample rate, and behind the filters before it.

use engine::{Code, Diagnostic, Node, Passed, Value};

use crate::math::band::Band;

/// So much, in decibels, must be gone before of what a filter lets pass for it to be called useless.
const GONE_DB: f64 = 20.0;
/// The same of what it removes: the mains may well be a hundred times what is to be seen.
const REMOVED_DB: f64 = 40.0;
/// A low-pass filter that leaves more than this part of all frequencies is called useless.
pub(super) const NEARLY_ALL: f64 = 0.95;

/// A filter whose poles cannot be told from 1.
pub(super) fn unstable(node: &Node<'_>, edge: &'static str) -> Diagnostic {
    let rate = node.signal("in").rate;
    let message =
        format!("`{edge}` is too low for {rate} samples a second: the filter would not be stable");
    let hint = "`decimate` before it, or choose a higher frequency or a lower `order`";
    node.problem(Code::Unstable, edge, message).hint(hint)
}

/// What is wrong with a filter that does next to nothing, or that nothing is left for. `edge` is the parameter
/// to point at.
pub(super) fn useless(node: &Node<'_>, band: Band, edge: &'static str) -> Option<Diagnostic> {
    let warn = |message: String, hint: &str| {
        let warning = Diagnostic::warning(Code::Useless, message).at(node.place(edge));
        Some(warning.hint(hint))
    };
    let top_hz = 0.5 * node.rate_hz("in");
    if let Band::LowPass { cutoff_hz } = band
        && cutoff_hz > NEARLY_ALL * top_hz
    {
        let message = format!(
            "`{}` removes next to nothing: at {} samples a second there is nothing above {top_hz:?} Hz",
            node.name(),
            node.signal("in").rate,
        );
        return warn(message, "choose a lower frequency, or leave the node out");
    }
    // What it is there for: what it lets pass, or of what removes a part, that part.
    let (low_hz, high_hz) = match band {
        Band::LowPass { cutoff_hz } => (0.0, cutoff_hz),
        Band::HighPass { cutoff_hz } => (cutoff_hz, top_hz),
        Band::BandPass { low_hz, high_hz } | Band::BandStop { low_hz, high_hz } => {
            (low_hz, high_hz)
        }
    };
    let through = node.inputs().first().map_or(&[][..], |input| &input.through);
    let gone = through.iter().take_while(|passed| keeps_frequencies(passed.kind));
    let gone = gone.filter_map(|passed| Some((gone_before(passed, low_hz, high_hz)?, passed.kind)));
    let ((db, edge_hz), kind) = gone.max_by(|a, b| a.0.0.total_cmp(&b.0.0))?;
    let (what, enough_db) = match band {
        Band::BandStop { .. } => ("removes", REMOVED_DB),
        _ => ("lets pass", GONE_DB),
    };
    if db < enough_db {
        return None;
    }
    let message = format!(
        "`{}` {what} {}, of which a `{kind}` at {edge_hz:?} Hz before it leaves {db:.0} dB less",
        node.name(),
        range(low_hz, high_hz, top_hz),
    );
    warn(message, "change one of the two, or leave this node out")
}

fn range(low_hz: f64, high_hz: f64, top_hz: f64) -> String {
    match (low_hz, high_hz) {
        (low_hz, high_hz) if low_hz == high_hz => format!("{low_hz:?} Hz"),
        (0.0, high_hz) => format!("what is below {high_hz:?} Hz"),
        (low_hz, high_hz) if high_hz >= top_hz => format!("what is above {low_hz:?} Hz"),
        _ => format!("{low_hz:?} to {high_hz:?} Hz"),
    }
}

/// What is in a band after these kinds was in it before.
fn keeps_frequencies(kind: &str) -> bool {
    const KINDS: &[&str] = &[
        "average",
        "bandpass",
        "bandstop",
        "copy",
        "decimate",
        "delay",
        "detrend",
        "differentiate",
        "downmix",
        "fir",
        "highpass",
        "lowpass",
        "notch",
        "regrid",
        "resample",
        "savgol",
        "smooth",
    ];
    KINDS.contains(&kind)
}

/// By how many decibels about a recursive filter has weakened everything between two frequencies, and its edge. As
/// Butterworth filters do, 6 dB an octave and order, but no more than a family with a floor says. Nothing is told of
/// Bessel filters, which fall later.
fn gone_before(passed: &Passed, low_hz: f64, high_hz: f64) -> Option<(f64, f64)> {
    let number = |name: &str| match passed.params.written(name)?.value {
        Value::Float(number) => Some(number),
        Value::Integer(number) => Some(number as f64),
        _ => None,
    };
    let family = passed.params.written("family").map(|family| &family.value);
    if matches!(family, Some(Value::Text(family)) if family == "bessel") {
        return None;
    }
    let (from_hz, to_hz) = match passed.kind {
        "lowpass" => (None, number("cutoff_hz")),
        "highpass" => (number("cutoff_hz"), None),
        "bandpass" => (number("low_hz"), number("high_hz")),
        _ => (None, None),
    };
    let (order, floor_db) =
        (number("order").unwrap_or(2.0), number("attenuation_db").unwrap_or(f64::INFINITY));
    let weaker_db = |times: f64| (20.0 * order * times.log10()).min(floor_db);
    let above = to_hz.map(|edge_hz| (weaker_db(low_hz / edge_hz), edge_hz));
    let below = from_hz.map(|edge_hz| (weaker_db(edge_hz / high_hz), edge_hz));
    above.into_iter().chain(below).max_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use crate::filter::{bandpass, fir, highpass, lowpass, smooth};

    fn warnings(kind: &'static engine::Kind, rate_hz: f64, params: &str) -> String {
        Bench::build(kind, rate_hz, params).expect("valid").warnings().join("\n")
    }

    #[test]
    fn a_filter_with_nothing_to_do_is_told() {
        assert!(
            warnings(&lowpass::KIND, 250.0, "cutoff_hz = 124").contains("removes next to nothing")
        );
        assert!(
            warnings(&smooth::KIND, 250.0, "cutoff_hz = 120").contains("removes next to nothing")
        );
        assert!(warnings(&fir::KIND, 250.0, "high_hz = 124").contains("removes next to nothing"));
        assert_eq!(warnings(&lowpass::KIND, 250.0, "cutoff_hz = 100"), "");
        assert_eq!(warnings(&highpass::KIND, 250.0, "cutoff_hz = 0.05"), "");
    }

    #[test]
    fn too_few_taps_are_told_with_how_many_would_do() {
        let told = warnings(&fir::KIND, 250.0, "low_hz = 0.5");
        assert!(told.contains("65 taps take") && told.contains("0 Hz"), "{told}");
        // What the hint says is enough, for a steep edge, and a small part of it is not.
        for edges in ["low_hz = 0.5", "low_hz = 1"] {
            let bench = Bench::build(&fir::KIND, 250.0, edges).expect("valid");
            let hint = bench.hints().join("\n");
            let taps = hint.strip_prefix("write `taps` = ").and_then(|rest| rest.split(',').next());
            let taps: i64 = taps.and_then(|taps| taps.parse().ok()).expect(&hint);
            let with = |taps| warnings(&fir::KIND, 250.0, &format!("{edges}\ntaps = {taps}"));
            assert_eq!(with(taps), "", "{edges}: {hint}");
            assert!(with((taps / 16) | 1).contains("taps take"), "{edges}: {hint}");
        }
        assert_eq!(warnings(&fir::KIND, 250.0, "low_hz = 20\nhigh_hz = 124"), "");
        assert_eq!(warnings(&fir::KIND, 250.0, "high_hz = 40"), "");
        assert_eq!(warnings(&fir::KIND, 250.0, "coefficients = [1, 1]"), "");
    }

    #[test]
    fn poles_that_cannot_be_told_from_one_are_refused() {
        let refused = |kind, rate_hz, params: &str| Bench::build(kind, rate_hz, params).err();
        let problem = refused(&highpass::KIND, 1e8, "cutoff_hz = 0.1").expect("1e-8 of the rate");
        let text = problem.to_string();
        assert!(text.contains("`decimate` before it"), "{text}");
        // A hundredth of a hertz of a sound card is possible.
        assert!(refused(&highpass::KIND, 48_000.0, "cutoff_hz = 0.01").is_none());
        assert!(refused(&bandpass::KIND, 1_000.0, "low_hz = 0.001\nhigh_hz = 100").is_none());
    }
}
