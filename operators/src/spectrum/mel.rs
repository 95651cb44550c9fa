//! `mel`: power in bands as far apart as they sound.
//!
//! Triangles over the power spectrum of each segment, librosa's `feature.melspectrogram`:
//!
//! ```text
//! M[b] = Σ T[b, k] · |Σ w[n] · x[n] · exp(−2πi k n / N)|²
//! ```
//!
//! `scale = "slaney"` with `norm = "slaney"` is librosa's default, `"htk"` with `"none"` is the
//! filter bank of HTK; see [`crate::math::mel`].
//!
//! | port  | carries                                               |
//! |-------|-------------------------------------------------------|
//! | `in`  | any signal                                            |
//! | `out` | the power in every band of every channel, once a hop  |
//!
//! **Delay**: half a window less a sample, subtracted by the runtime; beyond both ends of the input
//! there are zeros (librosa's `center=True` with `pad_mode="constant"`, which says one column more
//! where the input ends on a hop). **NaN** reaches the segments it is part of and no other.
//! **Cost**: a transform of N real samples in f64 a hop and channel, and two multiplications a bin.

use engine::{AnyParam, Code, Diagnostic, Diagnostics, Kind, Node, Outline, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, Averaging, Reduce, Scaling},
};
use crate::math::mel::{MelBank, Scale};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "mel",
    summary: "Power in bands as far apart as they sound.",
    doc: "Triangles over the power spectrum |X[k]|^2 of each segment, librosa's melspectrogram: `bands` \
          of them from low_hz to high_hz (half the rate unless written), each from the middle of the \
          one below to that of the one above. scale = \"slaney\" is linear to 1 kHz and logarithmic \
          above, \"htk\" is 2595 log10(1 + f / 700). norm = \"slaney\" gives triangles of one area \
          (1 in Hz), \"none\" of one height (1). slaney with slaney is librosa's default, htk with \
          none is HTK's. Delay: (N - 1) / 2 samples rounded down, subtracted from the times by the \
          runtime; beyond both ends of the input there are zeros. NaN: reaches the segments it is \
          part of and no other. Cost: a transform of N real samples in f64 a hop and channel. Source: \
          Slaney, Auditory Toolbox, Interval Research 1998-010; Young et al., The HTK Book, section \
          5.6.",
    example: "bands = 20\nwindow_samples = 256\nhop_samples = 50",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: PARAMS,
    plan: |node| outline(node, node.get(&BANDS)? as usize, "mel"),
    build: |node| {
        let (cut, bank) = bank(node)?;
        let reduce = Mel { sums: vec![0.0; node.get(&BANDS)? as usize], bank };
        estimate::body(node, cut, Averaging::Last(1), Scaling::Plain, reduce)
    },
    ..Kind::BASE
};

const PARAMS: &[&dyn AnyParam] = &[
    &BANDS,
    &LOW_HZ,
    &HIGH_HZ,
    &SCALE,
    &NORM,
    &WINDOW_S,
    &WINDOW_SAMPLES,
    &HOP_S,
    &HOP_SAMPLES,
    &WINDOW,
    &FFT_SAMPLES,
];
pub(super) const BANDS: Param<i64> =
    Param::with_default("bands", 40, "Number of mel bands.").within(1.0, 1_024.0);
pub(super) const LOW_HZ: Param<f64> =
    Param::with_default("low_hz", 0.0, "Where the lowest band begins.").within(0.0, 1e6);
pub(super) const HIGH_HZ: Param<f64> =
    Param::optional("high_hz", "Where the highest band ends; half the rate unless written.")
        .within(1e-3, 1e6);
pub(super) const SCALE: Param<&str> =
    Param::with_default("scale", "slaney", "Which frequencies sound equally far apart.")
        .one_of(&["htk", "slaney"]);
pub(super) const NORM: Param<&str> =
    Param::with_default("norm", "slaney", "Triangles of one area, or of one height.")
        .one_of(&["none", "slaney"]);

/// How the signal is cut, and the triangles over its spectra.
pub(super) fn bank(node: &Node<'_>) -> Result<(Cut, MelBank), Diagnostic> {
    let cut = Cut::read(node, "in")?;
    let half_hz = 0.5 * cut.rate_hz;
    let low_hz = node.get(&LOW_HZ)?;
    let high_hz = node.get_optional(&HIGH_HZ)?.unwrap_or(half_hz);
    node.check_up_to_nyquist(&HIGH_HZ, high_hz, "in")?;
    if low_hz >= high_hz {
        let message = format!("`low_hz` = {low_hz:?} is not below {high_hz:?}, where bands end");
        let problem = node.problem(Code::OutOfRange, LOW_HZ.name(), message);
        return Err(problem.hint("choose low_hz below high_hz"));
    }
    let scale = if node.get(&SCALE)? == "htk" { Scale::Htk } else { Scale::Slaney };
    let (bands, is_even) = (node.get(&BANDS)? as usize, node.get(&NORM)? == "slaney");
    let bins = (cut.bins(), cut.bin_hz());
    let bank = MelBank::new(scale, bands, (low_hz, high_hz), bins, is_even);
    Ok((cut, bank))
}

/// `count` values called `word` and a number, and a warning of bands that are always empty.
pub(super) fn outline(node: &Node<'_>, count: usize, word: &str) -> Result<Outline, Diagnostics> {
    let (cut, bank) = bank(node)?;
    let names: Vec<String> = (0..count).map(|n| format!("{word}{n}")).collect();
    let mut outline = estimate::outline(node, &cut, Averaging::Last(1), &names)?;
    if bank.empty() > 0 {
        let message = format!(
            "{} of {} bands hold no frequency of a spectrum of {} samples",
            bank.empty(),
            node.get(&BANDS)?,
            cut.fft_len
        );
        let warning = Diagnostic::warning(Code::OutOfRange, message).of_node(node.name());
        let warning = warning.at(node.place(BANDS.name()));
        outline.warnings.push(warning.hint("choose fewer bands or a longer window"));
    }
    Ok(outline)
}

struct Mel {
    bank: MelBank,
    sums: Vec<f64>,
}

impl Reduce for Mel {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        self.bank.apply(spectrum, &mut self.sums);
        for (value, sum) in values.iter_mut().zip(&self.sums) {
            *value = *sum as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{ROUNDED, assert_near, golden, names, said, sound};

    const PARAMS: &str = "bands = 20\nlow_hz = 100.0\nhigh_hz = 7000.0\nwindow_samples = 256\n\
                          hop_samples = 100\n";

    #[test]
    fn the_bands_are_librosas_and_htks() {
        for (scale, norm) in [("slaney", "slaney"), ("htk", "none")] {
            let params = format!("{PARAMS}scale = {scale:?}\nnorm = {norm:?}");
            let got = said(&KIND, 16_000.0, &params, &sound(430, 3));
            assert_near(&got, &golden("mel", "scale", scale), ROUNDED, 0.0);
        }
    }

    #[test]
    fn bands_without_a_frequency_are_told() {
        let bench =
            Bench::build(&KIND, 16_000.0, "bands = 128\nwindow_samples = 256").expect("valid");
        let warnings = bench.warnings();
        assert!(warnings[0].contains("of 128 bands hold no frequency"), "{warnings:?}");
        assert_eq!(names(bench.output(0))[127], "mel127");

        let params = "low_hz = 8000.0\nwindow_samples = 256";
        let problem = Bench::build(&KIND, 16_000.0, params).err().expect("refused").to_string();
        assert!(problem.contains("`low_hz` = 8000.0 is not below 8000.0"), "{problem}");
    }
}
