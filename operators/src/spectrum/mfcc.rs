//! `mfcc`: the shape of a spectrum in a few numbers.
//!
//! Mel-frequency cepstral coefficients: the cosine transform of the logarithms of mel bands,
//!
//! ```text
//! c[k] = l[k] · √(2 / B) · Σ L[b] · cos(π k (b + ½) / B),     B = bands;  1 instead of 2 where k = 0
//! l[k] = 1 + lifter / 2 · sin(π (k + 1) / lifter)             1 where lifter = 0
//! ```
//!
//! By default librosa's `feature.mfcc(n_mfcc=13, n_mels=40, lifter=0)` with `top_db=None`: Slaney's
//! mel bands in decibels, an orthonormal transform. `scale = "htk"`, `norm = "none"` are HTK's
//! bands; its natural logarithms are ours divided by 10 / ln 10 = 4.34, its lifter counts k from 0.
//!
//! | port  | carries                                          |
//! |-------|--------------------------------------------------|
//! | `in`  | any signal                                       |
//! | `out` | the coefficients of every channel, once a hop    |
//!
//! Delay, ends and NaN are those of `mel`; the cost too, and B multiplications a coefficient.

use std::f64::consts::PI;

use engine::{Code, Diagnostic, Kind, Node, Param, Port};

use super::{
    cut::{FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, Averaging, Reduce, Scaling},
    log_mel::{FLOOR_POWER, Log},
    mel::{self, BANDS, HIGH_HZ, LOW_HZ, NORM, SCALE},
};
use crate::math::mel::{Cosines, MelBank};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "mfcc",
    summary: "The shape of a spectrum in a few numbers.",
    doc: "Mel-frequency cepstral coefficients, librosa's feature.mfcc with top_db = None: the mel bands \
          of `mel` in decibels, of at least `floor_power`, and the first `coefficients` of their \
          orthonormal cosine transform (type II). With `lifter` = L above 0, coefficient k is \
          multiplied by 1 + L / 2 sin(pi (k + 1) / L), librosa's way; HTK counts k from 0 there. \
          scale = \"htk\", norm = \"none\" are HTK's bands; its natural logarithms are decibels \
          divided by 4.343. Delay and ends: as `mel`. NaN: as `mel`. Cost: as `mel`, a logarithm a \
          band, and `bands` multiplications a coefficient. Source: Davis and Mermelstein 1980, IEEE \
          Trans. ASSP 28, 357-366.",
    example: "coefficients = 13\nbands = 20\nwindow_samples = 256\nhop_samples = 50",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &COEFFICIENTS,
        &LIFTER,
        &BANDS,
        &LOW_HZ,
        &HIGH_HZ,
        &SCALE,
        &NORM,
        &FLOOR_POWER,
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
    ],
    plan: |node| mel::outline(node, coefficients(node)?, "c"),
    build: |node| {
        let (cut, bank) = mel::bank(node)?;
        let (bands, lifter) = (node.get(&BANDS)? as usize, node.get(&LIFTER)? as f64);
        let lift = |k: usize| match lifter {
            0.0 => 1.0,
            lifter => 1.0 + 0.5 * lifter * (PI * (k + 1) as f64 / lifter).sin(),
        };
        let reduce = Mfcc {
            bank,
            log: Log::decibels(node.get(&FLOOR_POWER)?),
            cosines: Cosines::new(bands, coefficients(node)?, lift),
            logs: vec![0.0; bands],
        };
        estimate::body(node, cut, Averaging::Last(1), Scaling::Plain, reduce)
    },
    ..Kind::BASE
};

const COEFFICIENTS: Param<i64> =
    Param::with_default("coefficients", 13, "How many, from c0 on.").within(1.0, 1_024.0);
const LIFTER: Param<i64> = Param::with_default(
    "lifter",
    0,
    "Evens out the sizes of coefficients; 0 for none, HTK has 22.",
)
.within(0.0, 1_024.0);

fn coefficients(node: &Node<'_>) -> Result<usize, Diagnostic> {
    let (count, bands) = (node.get(&COEFFICIENTS)?, node.get(&BANDS)?);
    if count <= bands {
        return Ok(count as usize);
    }
    let message = format!("`coefficients` = {count} are more than the {bands} bands");
    let problem = node.problem(Code::OutOfRange, COEFFICIENTS.name(), message);
    Err(problem.hint(format!("choose at most {bands}, or more bands")))
}

struct Mfcc {
    bank: MelBank,
    log: Log,
    cosines: Cosines,
    logs: Vec<f64>,
}

impl Reduce for Mfcc {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        self.bank.apply(spectrum, &mut self.logs);
        for power in &mut self.logs {
            *power = self.log.of(*power);
        }
        self.cosines.apply(&self.logs, values);
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{assert_near, golden, said, sound};

    const PARAMS: &str = "bands = 20\nlow_hz = 100.0\nhigh_hz = 7000.0\nwindow_samples = 256\n\
                          hop_samples = 100\n";

    #[test]
    fn the_coefficients_are_librosas() {
        for (scale, norm) in [("slaney", "slaney"), ("htk", "none")] {
            let params = format!("{PARAMS}lifter = 22\nscale = {scale:?}\nnorm = {norm:?}");
            let got = said(&KIND, 16_000.0, &params, &sound(430, 3));
            // Up to 512, in 24 bits; twenty decibels off by 5e-10 each, times up to 12.
            let rounded = 512.0 / (1 << 25) as f64 + 1.2e-7;
            assert_near(&got, &golden("mfcc", "scale", scale), 0.0, rounded);
        }
    }

    #[test]
    fn there_are_no_more_coefficients_than_bands() {
        let params = "bands = 12\nwindow_samples = 256";
        let problem = Bench::build(&KIND, 16_000.0, params).err().expect("refused").to_string();
        assert!(problem.contains("`coefficients` = 13 are more than the 12 bands"), "{problem}");
    }
}
