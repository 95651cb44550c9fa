//! `band_power`: how much power lies in each of a few bands of frequency.
//!
//! The integral of Welch's estimate (as [`power`](super::power) gives it) over each band:
//!
//! ```text
//! B = Σ P[k] · |[f[k] − Δ/2, f[k] + Δ/2] ∩ [low, high]|,    Δ = rate / N
//! ```
//!
//! A frequency stands for what is nearer to it than to any other, so bands that touch share nothing
//! and lose nothing, and bands narrower than Δ have power too. neurokit2's `signal_power` takes the
//! trapezoids between the frequencies inside instead, which leaves half a Δ out at each edge.
//!
//! | port  | carries                                          |
//! |-------|--------------------------------------------------|
//! | `in`  | any signal                                       |
//! | `out` | a value for each band of every channel, a hop    |
//!
//! Delay, ends, NaN and cost are those of `power`.

use engine::{Code, Diagnostic, Kind, Node, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, AVERAGE, Averaging, DETREND, Reduce, Scaling, TIME_CONSTANT_S},
};
use crate::math::named_bands::{self, NamedBand, RHYTHMS};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "band_power",
    summary: "How much power lies in each of a few bands of frequency.",
    doc: "The integral of Welch's power spectrum (see `power`) over each band: every frequency stands \
          for the rate / N around it and counts by the part of that inside, so bands that touch lose \
          nothing. (neurokit2's signal_power takes trapezoids between the frequencies inside, half a \
          rate / N less at each edge.) `bands` names rhythms (delta 1-4, theta 4-8, alpha 8-13, smr \
          12-15, beta 13-30, gamma 30-80 Hz, the edges of neurokit2's eeg_power) or one's own as \
          name=low-high. The square of the signal's unit; with relative = true the share of what lies \
          between the lowest and the highest edge, 0 where there is nothing. Delay: as `power`. \
          NaN: as `power`. Cost: a transform a hop and channel. Source: Welch 1967.",
    example: "bands = \"theta alpha low=1-4\"\nwindow_s = 1.0\nhop_s = 0.2",
    inputs: &[Port::signal("in").fed_by(&["eeg"])],
    outputs: &[Port::signal("out")],
    params: &[
        &BANDS,
        &RELATIVE,
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
        &DETREND,
        &AVERAGE,
        &TIME_CONSTANT_S,
    ],
    plan: |node| {
        let cut = Cut::read(node, "in")?;
        let bands = bands(node)?;
        let short = too_short(node, &cut, &bands)?;
        let names: Vec<String> = bands.into_iter().map(|band| band.name).collect();
        let mut outline = estimate::outline(node, &cut, Averaging::read(node, &cut)?, &names)?;
        outline.warnings.extend(short);
        Ok(outline)
    },
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        let bands = bands(node)?;
        let low_hz = bands.iter().map(|band| band.low_hz).fold(f64::INFINITY, f64::min);
        let high_hz = bands.iter().map(|band| band.high_hz).fold(0.0, f64::max);
        let is_relative = node.get(&RELATIVE)?;
        let reduce = Bands {
            shares: bands.iter().map(|band| Share::of(&cut, band.low_hz, band.high_hz)).collect(),
            whole: is_relative.then(|| Share::of(&cut, low_hz, high_hz)),
        };
        estimate::body(node, cut, averaging, Scaling::Density, reduce)
    },
    ..Kind::BASE
};

const BANDS: Param<&str> = Param::with_default(
    "bands",
    "delta theta alpha beta",
    "Rhythms by name, or one's own as name=low-high in Hz; blanks between them.",
);
const RELATIVE: Param<bool> =
    Param::with_default("relative", false, "Shares of what lies in all bands and between them.");

fn bands(node: &Node<'_>) -> Result<Vec<NamedBand>, Diagnostic> {
    let bands = named_bands::parse(node.get(&BANDS)?).map_err(|error| {
        let known: Vec<_> = RHYTHMS.iter().map(|(name, ..)| *name).collect();
        let message = format!("`bands`: {error}");
        let hint = format!("name some of {}, or write name=low-high", known.join(", "));
        node.problem(Code::OutOfRange, BANDS.name(), message).hint(hint)
    })?;
    let half_hz = 0.5 * node.rate_hz("in");
    if let Some(band) = bands.iter().find(|band| band.high_hz > half_hz) {
        let message = format!(
            "`bands`: {} ends at {} Hz, above half the sample rate ({half_hz})",
            band.name, band.high_hz
        );
        let hint = format!("write {}={}-{half_hz}, or leave it out", band.name, band.low_hz);
        return Err(node.problem(Code::AboveNyquist, BANDS.name(), message).hint(hint));
    }
    Ok(bands)
}

/// Tells of the band that asks for the longest window, if this one is shorter: a band is told from
/// its neighbours by two frequencies in it, and begins at one whose period the window holds.
fn too_short(
    node: &Node<'_>,
    cut: &Cut,
    bands: &[NamedBand],
) -> Result<Option<Diagnostic>, Diagnostic> {
    let needed_s = |band: &NamedBand| {
        let period_s = if band.low_hz > 0.0 { 1.0 / band.low_hz } else { 0.0 };
        period_s.max(2.0 / (band.high_hz - band.low_hz))
    };
    let window_s = cut.len as f64 / cut.rate_hz;
    let worst = bands.iter().max_by(|a, b| needed_s(a).total_cmp(&needed_s(b)));
    // A window is rounded to whole samples.
    let Some(band) = worst.filter(|band| window_s + 0.5 / cut.rate_hz < needed_s(band)) else {
        return Ok(None);
    };
    let (param, written, enough) = match node.get_optional(&WINDOW_SAMPLES)? {
        Some(samples) => {
            (WINDOW_SAMPLES.name(), samples.to_string(), (needed_s(band) * cut.rate_hz).ceil())
        }
        // Up to the next tenth of a second.
        None => {
            let written = node.get_optional(&WINDOW_S)?.unwrap_or(window_s);
            let enough = (needed_s(band) * 10.0).ceil() / 10.0;
            (WINDOW_S.name(), format!("{written:?}"), enough)
        }
    };
    let NamedBand { name, low_hz, high_hz } = band;
    let message = format!(
        "`{param}` = {written} is too short for {name}, {low_hz} to {high_hz} Hz: frequencies are \
         {} Hz apart",
        (1e3 / window_s).round() / 1e3
    );
    let warning = Diagnostic::warning(Code::OutOfRange, message).at(node.place(param));
    Ok(Some(warning.hint(format!("choose {enough} or more"))))
}

/// How much of what each frequency stands for lies in a band, in hertz.
pub(super) struct Share {
    first: usize,
    widths_hz: Vec<f64>,
}

impl Share {
    pub(super) fn of(cut: &Cut, low_hz: f64, high_hz: f64) -> Self {
        let step_hz = cut.bin_hz();
        let half_hz = 0.5 * cut.rate_hz;
        let width = |bin: usize| {
            let hz = bin as f64 * step_hz;
            let (from, to) = ((hz - 0.5 * step_hz).max(0.0), (hz + 0.5 * step_hz).min(half_hz));
            // At both ends half of it lies beyond; the power there counts once, the others twice.
            let whole = step_hz / (to - from);
            (to.min(high_hz) - from.max(low_hz)).max(0.0) * whole
        };
        let all: Vec<f64> = (0..cut.bins()).map(width).collect();
        let first = all.iter().position(|width| *width > 0.0).unwrap_or(0);
        let end = all.iter().rposition(|width| *width > 0.0).map_or(first, |last| last + 1);
        Self { first, widths_hz: all[first..end].to_vec() }
    }

    pub(super) fn power(&self, spectrum: &[f64]) -> f64 {
        let powers = &spectrum[self.first..];
        powers.iter().zip(&self.widths_hz).map(|(power, width)| power * width).sum()
    }
}

struct Bands {
    shares: Vec<Share>,
    whole: Option<Share>,
}

impl Reduce for Bands {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        let whole = self.whole.as_ref().map_or(1.0, |whole| whole.power(spectrum));
        for (value, share) in values.iter_mut().zip(&self.shares) {
            *value = if whole == 0.0 { 0.0 } else { (share.power(spectrum) / whole) as f32 };
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{ROUNDED, assert_near, golden, names, said, sound};

    const PARAMS: &str = "window_samples = 64\nhop_samples = 40\n";

    #[test]
    fn a_band_is_the_integral_of_scipys_welch() {
        let params = format!("{PARAMS}average = 4\nbands = \"alpha narrow=20-21.5\"");
        let got = said(&KIND, 250.0, &params, &sound(200, 1));
        assert_near(&got[4..], &golden("band_power", "kind", "band_power"), ROUNDED, 0.0);
    }

    #[test]
    fn bands_that_touch_hold_the_variance_together() {
        // Parseval: under a rectangular window the power of all bins is the segment's variance.
        for len in [64, 63] {
            let samples = sound(200, 1);
            let params = format!(
                "window_samples = {len}\nhop_samples = {len}\nwindow = \"rectangular\"\n\
                 bands = \"a=0-0.7 b=0.7-10.1 c=10.1-100 d=100-125\""
            );
            let got = said(&KIND, 250.0, &params, &samples);
            let segment: Vec<f64> =
                samples[len - len / 2..][..len].iter().map(|&x| f64::from(x)).collect();
            let mean = segment.iter().sum::<f64>() / len as f64;
            let variance = segment.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / len as f64;
            let sum: f64 = got[4..8].iter().sum();
            assert!((sum - variance).abs() < 4.0 * ROUNDED * variance, "{sum} is not {variance}");
        }
    }

    #[test]
    fn shares_add_up_to_one() {
        let params = format!("{PARAMS}bands = \"a=2-20 b=20-60\"\nrelative = true");
        for pair in said(&KIND, 250.0, &params, &sound(400, 1)).chunks_exact(2) {
            assert!((pair[0] + pair[1] - 1.0).abs() < 2.0 * ROUNDED, "{pair:?}");
        }
        assert!(said(&KIND, 250.0, &params, &[0.0; 400]).iter().all(|share| *share == 0.0));
    }

    #[test]
    fn a_window_too_short_for_a_band_is_told_with_one_that_is_not() {
        let warned =
            |params: &str| Bench::build(&KIND, 250.0, params).expect("valid").warnings().join("\n");
        for (params, told) in [
            ("window_s = 0.25", "`window_s` = 0.25 is too short for delta, 1 to 4 Hz: frequencies"),
            ("window_s = 0.2", "are 5 Hz apart"),
            ("window_samples = 128\nbands = \"smr\"", "`window_samples` = 128 is too short"),
            ("window_s = 0.5\nbands = \"x=0-3\"", "is too short for x, 0 to 3 Hz"),
        ] {
            assert!(warned(params).contains(told), "{params}: {}", warned(params));
        }
        for params in ["window_s = 1.0", "window_s = 0.25\nbands = \"beta\""] {
            assert_eq!(warned(params), "", "{params}");
        }
    }

    #[test]
    fn bands_are_named_and_refused() {
        let two = [("in", Bench::channels(2, 250.0))];
        let bench =
            Bench::with(&KIND, &two, &format!("{PARAMS}bands = \"alpha beta\"")).expect("valid");
        assert_eq!(names(bench.output(0)), ["0 alpha", "0 beta", "1 alpha", "1 beta"]);
        for (bands, told) in [
            ("alfa", "\"alfa\" is no band"),
            ("x=100-126", "x ends at 126 Hz, above half the sample rate (125)"),
        ] {
            let params = format!("{PARAMS}bands = {bands:?}");
            let problem = Bench::build(&KIND, 250.0, &params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{problem}");
        }
    }
}
