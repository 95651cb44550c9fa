//! `fir`: keep or remove bands of frequency without changing the shape of waves.
//!
//! A finite impulse response filter of `taps` taps,
//!
//! ```text
//! y[n] = h[0] · x[n] + h[1] · x[n−1] + … + h[N−1] · x[n−N+1],    h[k] = h[N−1−k]
//! ```
//!
//! by one of two methods: the ideal filter cut to length by a window, SciPy's `firwin(taps, edges,
//! window=window, fs=rate)`; or by least squares, SciPy's `firls(taps, bands, gains, weight=weights,
//! fs=rate)`, where the gain may do as it likes within `transition_hz` around each edge.
//!
//! What passes lies between `low_hz` and `high_hz`; without `low_hz` everything below `high_hz`,
//! without `high_hz` everything above `low_hz`; with `stop` everything else. Or the taps themselves
//! are written as `coefficients`.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, filtered |
//!
//! **Delay**: `(N − 1) / 2` samples at every frequency; the runtime subtracts it from the times.
//! `coefficients` that are not symmetric delay by where their energy lies, `Σ k h[k]² / Σ h[k]²`.
//! As many samples come out as go in, from the input's first moment to its last: beyond both there
//! are zeros, or with `settle` the first and the last sample. Where a gap interrupts the input, the
//! delay's length before it is lost. **NaN** reaches the N outputs it is part of and no other. **Cost**:
//! N multiplications a sample and channel, 8 to 16 at a time. **Source**: Oppenheim and Schafer,
//! *Discrete-Time Signal Processing*, section 7.5; Selesnick, Connexions m10577.

use std::sync::Arc;

use engine::{Body, Code, Diagnostic, Kind, Node, Outline, Param, Port};

use super::sense;
use super::span::{Beyond, Spanned};
use crate::{
    designs::{Designs, refused},
    kernels::fir::Fir,
    math::{band::Band, fir_design, fir_least_squares, window::Window},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "fir",
    summary: "Keep or remove a band of frequencies without changing the shape of waves.",
    doc: "y[n] = sum over k of h[k] x[n-k], with N = `taps` symmetric taps, by the window method, SciPy's \
          firwin, or by least squares, SciPy's firls, with transitions of transition_hz around the edges. \
          Passes what lies between low_hz and high_hz; without low_hz everything below high_hz, \
          without high_hz everything above low_hz; with stop = true everything else. At the edges \
          amplitude is halved. `coefficients` gives h itself instead. Delay: (N - 1) / 2 samples at every \
          frequency, or for coefficients that are not symmetric the middle of their energy; subtracted \
          from the times by the runtime. As many samples come out as go in, from the input's first \
          moment to its last; beyond both there are zeros, with settle = true the first and the last \
          sample. NaN: reaches the N outputs it is part of and no other. Cost: N multiplications a sample \
          and channel, 8 to 16 at a time. Source: Oppenheim and Schafer, Discrete-Time Signal Processing, \
          section 7.5; Selesnick, Connexions m10577.",
    example: "taps = 65\nhigh_hz = 40.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[
        &TAPS,
        &LOW_HZ,
        &HIGH_HZ,
        &STOP,
        &METHOD,
        &WINDOW,
        &TRANSITION_HZ,
        &STOP_WEIGHT_RATIO,
        &COEFFICIENTS,
        &SETTLE,
    ],
    plan: |node| {
        let rate_hz = node.rate_hz("in");
        let taps = taps(node, rate_hz)?;
        let delay_s = middle(&taps) / rate_hz;
        let settling_s = match node.get(&SETTLE)? {
            true => 0.0,
            false => (taps.len() - 1) as f64 / rate_hz,
        };
        let mut outline = Outline::like_ports(node)?.delayed((delay_s * 1e9).round() as i64);
        outline.settling_ns = (settling_s * 1e9).round() as i64;
        outline.warnings.extend(dull(node, &taps, rate_hz)?);
        Ok(outline)
    },
    build: |node| {
        let signal = node.signal("in");
        let taps = taps(node, signal.rate.hz())?;
        let (delay, channels) = (middle(&taps), signal.channels.len());
        let beyond = match node.get(&SETTLE)? {
            true => Beyond::Edge(taps.len() - 1),
            false => Beyond::Zeros,
        };
        let filter = Spanned::new(Fir::new(taps, channels), delay);
        Ok(Body::operator(filter.beyond(beyond, channels)))
    },
    ..Kind::BASE
};

const TAPS_MAX: f64 = 8_192.0;
const TAPS_DEFAULT: i64 = 65;
const WINDOW_DEFAULT: &str = "hamming";
const METHOD_DEFAULT: &str = "window";
const TAPS: Param<i64> =
    Param::with_default("taps", TAPS_DEFAULT, "Length of the filter; more taps, steeper edges.")
        .within(1.0, TAPS_MAX);
const LOW_HZ: Param<f64> =
    Param::optional("low_hz", "Lower edge of what passes.").within(1e-4, 1e6);
const HIGH_HZ: Param<f64> =
    Param::optional("high_hz", "Upper edge of what passes.").within(1e-4, 1e6);
const STOP: Param<bool> =
    Param::with_default("stop", false, "Remove what lies between the edges instead.");
const WINDOW: Param<&str> =
    Param::with_default("window", WINDOW_DEFAULT, "Trades steep edges for deep stop bands.")
        .one_of(&["blackman", "hamming", "hann", "rectangular"]);
const METHOD: Param<&str> =
    Param::with_default("method", METHOD_DEFAULT, "How the taps are found.")
        .one_of(&["least_squares", "window"]);
const TRANSITION_HZ: Param<f64> = Param::optional(
    "transition_hz",
    "Width of what is left open around each edge, for least_squares.",
)
.within(1e-4, 1e6);
const STOP_WEIGHT_RATIO: Param<f64> = Param::with_default(
    "stop_weight_ratio",
    1.0,
    "What an error where it stops costs beside one where it passes, for least_squares.",
)
.within(1e-6, 1e6);
const SETTLE: Param<bool> = Param::with_default(
    "settle",
    false,
    "Beyond both ends the first and the last sample stay, instead of zeros.",
);
const COEFFICIENTS: Param<&[f64]> =
    Param::optional("coefficients", "The taps themselves, h[0] first, instead of a design.")
        .within(-1e9, 1e9);

/// Designs the filter. All sessions with the same design share its taps.
fn taps(node: &Node<'_>, rate_hz: f64) -> Result<Arc<[f32]>, Diagnostic> {
    type Key = (i64, bool, String, Vec<u64>);
    static DESIGNED: Designs<Key, f32> = Designs::new();

    if let Some(coefficients) = node.get_optional(&COEFFICIENTS)? {
        return written(node, &coefficients);
    }
    let (taps, window, stop) = (node.get(&TAPS)?, node.get(&WINDOW)?, node.get(&STOP)?);
    let (low_hz, high_hz) = (node.get_optional(&LOW_HZ)?, node.get_optional(&HIGH_HZ)?);
    for (param, hz) in [(&LOW_HZ, low_hz), (&HIGH_HZ, high_hz)] {
        node.check_below_nyquist(param, hz.unwrap_or(0.0), "in")?;
    }
    let band = band(node, low_hz, high_hz, stop)?;
    let open = open(node)?;
    // No edge is 0 Hz, and no transition.
    let (transition_hz, stop_weight) = open.unwrap_or((0.0, 0.0));
    let edges = [low_hz.unwrap_or(0.0), high_hz.unwrap_or(0.0)];
    let numbers = edges.into_iter().chain([rate_hz, transition_hz, stop_weight]).map(f64::to_bits);
    DESIGNED
        .find_or((taps, stop, window.to_owned(), numbers.collect()), || {
            let taps = taps as usize;
            let taps = match open {
                Some((transition_hz, stop_weight)) => {
                    fir_least_squares::design(taps, band, transition_hz, stop_weight, rate_hz)?
                }
                None => fir_design::design(taps, band, window_of(window), rate_hz)?,
            };
            Ok(taps.into_iter().map(|tap| tap as f32).collect())
        })
        .map_err(|error| {
            let edge = if low_hz.is_some() { LOW_HZ.name() } else { HIGH_HZ.name() };
            refused(node, if open.is_some() { TRANSITION_HZ.name() } else { edge }, error)
        })
}

/// Where least squares leave the gain open, and what an error where it stops costs; none for windows.
fn open(node: &Node<'_>) -> Result<Option<(f64, f64)>, Diagnostic> {
    let method = node.get(&METHOD)?;
    let (transition_hz, stop_weight) =
        (node.get_optional(&TRANSITION_HZ)?, node.get(&STOP_WEIGHT_RATIO)?);
    let by_window = method == METHOD_DEFAULT;
    let idle = [
        (TRANSITION_HZ.name(), by_window && transition_hz.is_some()),
        (STOP_WEIGHT_RATIO.name(), by_window && stop_weight != 1.0),
        (WINDOW.name(), !by_window && node.get(&WINDOW)? != WINDOW_DEFAULT),
    ];
    if let Some((idle, _)) = idle.into_iter().find(|(_, is_written)| *is_written) {
        let message = format!("`{idle}` changes nothing where method = {method:?}");
        let hint = "leave it out, or choose the other method";
        return Err(node.problem(Code::NoEffect, idle, message).hint(hint));
    }
    if by_window {
        return Ok(None);
    }
    let Some(transition_hz) = transition_hz else {
        let message = format!("method = {method:?} needs `{}`", TRANSITION_HZ.name());
        let problem = node.problem(Code::MissingParameter, METHOD.name(), message);
        return Err(problem.hint("write it; about 3 times the rate over the taps is usual"));
    };
    Ok(Some((transition_hz, stop_weight)))
}

/// What is wrong with a design that has too few taps to do what it is for, or nothing to do.
fn dull(node: &Node<'_>, taps: &[f32], rate_hz: f64) -> Result<Option<Diagnostic>, Diagnostic> {
    if node.get_optional(&COEFFICIENTS)?.is_some() {
        return Ok(None);
    }
    let (low_hz, high_hz) = (node.get_optional(&LOW_HZ)?, node.get_optional(&HIGH_HZ)?);
    let edge = if low_hz.is_some() { LOW_HZ.name() } else { HIGH_HZ.name() };
    let band = band(node, low_hz, high_hz, node.get(&STOP)?)?;
    if let Some(useless) = sense::useless(node, band, edge) {
        return Ok(Some(useless));
    }
    // The middle of what is to be removed, where the gain should be lowest.
    let top_hz = 0.5 * rate_hz;
    // What lies above an edge close to the top is not what a band-pass filter is for.
    let is_open = |high_hz: f64| high_hz > sense::NEARLY_ALL * top_hz;
    let removed_hz: &[f64] = match band {
        Band::LowPass { cutoff_hz } => &[0.5 * (cutoff_hz + top_hz)],
        Band::HighPass { .. } => &[0.0],
        Band::BandPass { high_hz, .. } if is_open(high_hz) => &[0.0],
        Band::BandPass { high_hz, .. } => &[0.0, 0.5 * (high_hz + top_hz)],
        Band::BandStop { low_hz, high_hz } => &[0.5 * (low_hz + high_hz)],
    };
    let worst = removed_hz.iter().map(|&hz| (gain(taps, hz / rate_hz), (1e3 * hz).round() / 1e3));
    let Some((gain, hz)) = worst.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Ok(None) };
    if gain < HARDLY {
        return Ok(None);
    }
    let db = -20.0 * gain.max(1e-9).log10();
    let message = format!(
        "{} taps take {:.1} dB off {hz} Hz, which is to be removed",
        taps.len(),
        db.max(0.0)
    );
    let narrowest_hz = match band {
        Band::LowPass { cutoff_hz } => cutoff_hz.min(top_hz - cutoff_hz),
        Band::HighPass { cutoff_hz } => cutoff_hz,
        Band::BandPass { low_hz, high_hz } if is_open(high_hz) => low_hz,
        Band::BandPass { low_hz, high_hz } => low_hz.min(top_hz - high_hz),
        Band::BandStop { low_hz, high_hz } => 0.5 * (high_hz - low_hz),
    };
    // The width of a Hamming window's transition: 3.3 times the rate over the taps; odd, as most designs want it.
    let enough = 2.0 * (1.65 * rate_hz / narrowest_hz).ceil() + 1.0;
    let most = if node.get(&METHOD)? == METHOD_DEFAULT { TAPS_MAX } else { LEAST_SQUARES_MAX };
    let hint = match enough <= most {
        true => format!("write `{}` = {enough}, or `decimate` first", TAPS.name()),
        false => "`decimate` first, or take a recursive filter".to_owned(),
    };
    let place = node.place(TAPS.name());
    Ok(Some(Diagnostic::warning(Code::Useless, message).at(place).hint(hint)))
}

/// Most taps that least squares find.
const LEAST_SQUARES_MAX: f64 = 2_001.0;
/// What is removed by less than this, 3 dB, is hardly removed.
const HARDLY: f64 = 0.708;

/// How much the taps amplify a sinusoid of so many cycles a sample.
fn gain(taps: &[f32], cycles: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &tap) in taps.iter().enumerate() {
        let (sin, cos) = (std::f64::consts::TAU * cycles * n as f64).sin_cos();
        (re, im) = (re + f64::from(tap) * cos, im - f64::from(tap) * sin);
    }
    re.hypot(im)
}

/// The taps as they are written.
fn written(node: &Node<'_>, coefficients: &[f64]) -> Result<Arc<[f32]>, Diagnostic> {
    let name = COEFFICIENTS.name();
    let idle = [
        (TAPS.name(), node.get(&TAPS)? != TAPS_DEFAULT),
        (LOW_HZ.name(), node.get_optional(&LOW_HZ)?.is_some()),
        (HIGH_HZ.name(), node.get_optional(&HIGH_HZ)?.is_some()),
        (STOP.name(), node.get(&STOP)?),
        (WINDOW.name(), node.get(&WINDOW)? != WINDOW_DEFAULT),
        (METHOD.name(), node.get(&METHOD)? != METHOD_DEFAULT),
        (TRANSITION_HZ.name(), node.get_optional(&TRANSITION_HZ)?.is_some()),
        (STOP_WEIGHT_RATIO.name(), node.get(&STOP_WEIGHT_RATIO)? != 1.0),
    ];
    if let Some((idle, _)) = idle.into_iter().find(|(_, is_written)| *is_written) {
        let message = format!("`{idle}` changes nothing where `{name}` is written");
        return Err(node.problem(Code::NoEffect, idle, message).hint("write one or the other"));
    }
    if coefficients.is_empty() || coefficients.len() as f64 > TAPS_MAX {
        let message = format!("`{name}` has {} numbers", coefficients.len());
        let hint = format!("write 1 to {TAPS_MAX} of them");
        return Err(node.problem(Code::OutOfRange, name, message).hint(hint));
    }
    Ok(coefficients.iter().map(|&tap| tap as f32).collect())
}

/// Where the energy of the taps lies, in samples: in the middle, where they are symmetric.
fn middle(taps: &[f32]) -> f64 {
    let energy = |tap: &f32| f64::from(*tap) * f64::from(*tap);
    let is_symmetric = taps.iter().zip(taps.iter().rev()).all(|(a, b)| energy(a) == energy(b));
    let all: f64 = taps.iter().map(energy).sum();
    if is_symmetric || all == 0.0 {
        return 0.5 * (taps.len() - 1) as f64;
    }
    taps.iter().enumerate().map(|(k, tap)| k as f64 * energy(tap)).sum::<f64>() / all
}

fn band(
    node: &Node<'_>,
    low_hz: Option<f64>,
    high_hz: Option<f64>,
    stop: bool,
) -> Result<Band, Diagnostic> {
    Ok(match (low_hz, high_hz, stop) {
        (Some(low_hz), Some(high_hz), false) => Band::BandPass { low_hz, high_hz },
        (Some(low_hz), Some(high_hz), true) => Band::BandStop { low_hz, high_hz },
        (None, Some(cutoff_hz), false) | (Some(cutoff_hz), None, true) => {
            Band::LowPass { cutoff_hz }
        }
        (Some(cutoff_hz), None, false) | (None, Some(cutoff_hz), true) => {
            Band::HighPass { cutoff_hz }
        }
        (None, None, _) => {
            let message = "neither `low_hz` nor `high_hz` is written";
            return Err(node.problem(Code::MissingParameter, LOW_HZ.name(), message).hint(
                "write the lower edge of what passes, the upper one, both, or `coefficients`",
            ));
        }
    })
}

fn window_of(name: &str) -> Window {
    match name {
        "blackman" => Window::Blackman,
        "hann" => Window::Hann,
        "rectangular" => Window::Rectangular,
        _ => Window::Hamming,
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::math::golden;

    /// The case of `tests/golden/fir_design.json` with 21 taps below 10 Hz at 250 Hz.
    fn golden_taps() -> Vec<f64> {
        let text = include_str!("../../../tests/golden/fir_design.json");
        let case = golden::cases(text).find(|case| golden::numbers(case, "taps") == [21.0]);
        golden::numbers(case.expect("the script writes it"), "filter")
    }

    #[test]
    fn an_impulse_comes_out_as_scipys_taps_around_its_own_instant() {
        let mut fir = Bench::build(&KIND, 250.0, "taps = 21\nhigh_hz = 10.0").expect("valid");
        let mut impulse = [0.0; 41];
        impulse[10] = 1.0;

        let response = fir.feed(&impulse);
        // The runtime takes 10 samples, 40 ms, off the times; what would lie before the input is
        // left out.
        assert_eq!(fir.delay_ns(), 40_000_000);
        assert_eq!(fir.take()[0].time(), engine::Timestamp::ZERO);
        for (n, got) in response.into_iter().enumerate() {
            let want = golden_taps().get(n).copied().unwrap_or(0.0);
            // Taps are rounded to f32: half a unit in the last of 24 bits below 1/8.
            assert!((f64::from(got) - want).abs() < 2f64.powi(-28), "n = {n}: {got} is not {want}");
        }
    }

    #[test]
    fn as_much_comes_out_as_goes_in_to_the_last_sample() {
        for len in [1, 5, 41] {
            let mut impulse = vec![0.0; len];
            impulse[len - 1] = 1.0;
            let mut fir = Bench::build(&KIND, 250.0, "taps = 21\nhigh_hz = 10.0").expect("valid");
            fir.feed(&impulse);
            fir.flush();
            let seen = fir.take();
            let all: Vec<f32> =
                seen.iter().flat_map(|seen| seen.frame.samples().to_vec()).collect();

            assert_eq!((seen[0].time().nanos(), all.len()), (0, len), "{len} samples");
            // The middle tap, as it is rounded.
            assert_eq!(all[len - 1], golden_taps()[10] as f32);
        }
    }

    #[test]
    fn coefficients_stand_for_themselves() {
        let mut fir = Bench::build(&KIND, 1_000.0, "coefficients = [1, -1]").expect("valid");
        // Half a sample late: the first lies before the input and is left out.
        assert_eq!(fir.feed(&[1.0, 4.0, 9.0, 16.0]), [3.0, 5.0, 7.0]);
        assert_eq!(fir.delay_ns(), 500_000);
        assert_eq!(fir.flush(), [-16.0]);
        assert_eq!(fir.take()[0].time().nanos(), 500_000);

        // Not symmetric: (0·9 + 1·16) / (9 + 16) samples.
        let uneven = Bench::build(&KIND, 1_000.0, "coefficients = [3, 4]").expect("valid");
        assert_eq!(uneven.delay_ns(), 640_000);
    }

    #[test]
    fn nan_reaches_as_many_outputs_as_there_are_taps() {
        let mut fir = Bench::build(&KIND, 250.0, "taps = 21\nhigh_hz = 10.0").expect("valid");
        let mut input = [1.0; 60];
        input[15] = f32::NAN;
        let output = fir.feed(&input);

        let lost: Vec<usize> = (0..output.len()).filter(|&n| output[n].is_nan()).collect();
        // 21 outputs around the sample, as the first 10 of all are left out.
        assert_eq!(lost, (5..26).collect::<Vec<_>>());
    }

    #[test]
    fn least_squares_are_scipys() {
        let text = include_str!("../../../tests/golden/fir_least_squares.json");
        let case = golden::cases(text).next().expect("the script writes it");
        let params = "taps = 11\nhigh_hz = 40.0\nmethod = \"least_squares\"\ntransition_hz = 40.0";
        let mut fir = Bench::build(&KIND, 250.0, params).expect("valid");
        let mut impulse = [0.0; 20];
        impulse[5] = 1.0;
        let response = fir.feed(&impulse);
        for (got, want) in response.iter().zip(golden::numbers(case, "filter")) {
            // Half a unit in the last of 24 bits below 1/2; the design is good to 1e-13.
            assert!((f64::from(*got) - want).abs() < 2f64.powi(-25), "{got} is not {want}");
        }
    }

    #[test]
    fn a_settled_start_and_end_have_no_transient() {
        let params = "taps = 64\nhigh_hz = 10.0\nsettle = true";
        let mut fir = Bench::build(&KIND, 250.0, params).expect("valid");
        for _ in 0..2 {
            let output = [fir.feed(&[5.0; 100]), fir.flush()].concat();
            // Sixty-four products, summed in f32.
            assert!(
                output.iter().all(|y| (y - 5.0).abs() < 64.0 * 5.0 * f32::EPSILON),
                "{output:?}"
            );
            fir.reset();
            assert_eq!(output.len(), 100);
        }
    }

    #[test]
    fn what_contradicts_itself_is_explained() {
        for (params, told) in [
            ("", "neither `low_hz` nor `high_hz` is written"),
            ("high_hz = 10.0\ncoefficients = [1.0]", "`high_hz` changes nothing"),
            ("coefficients = []", "`coefficients` has 0 numbers"),
            ("low_hz = 40.0\nhigh_hz = 10.0", "10"),
            ("low_hz = 40.0\ntaps = 64", "64"),
            ("high_hz = 40.0\nmethod = \"least_squares\"", "needs `transition_hz`"),
            ("high_hz = 40.0\ntransition_hz = 5.0", "`transition_hz` changes nothing"),
            (
                "high_hz = 40.0\nmethod = \"least_squares\"\ntransition_hz = 90.0",
                "leave no band between",
            ),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
