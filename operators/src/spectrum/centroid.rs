//! `centroid`: where the middle of a spectrum lies.
//!
//! ```text
//! C = Σ f[k] · |X[k]| / Σ |X[k]|        weights = "magnitude", librosa's `spectral_centroid`
//!     Σ f[k] · |X[k]|² / Σ |X[k]|²      weights = "power"
//! ```
//!
//! over the frequencies from `low_hz` to `high_hz`. In silence it is 0.
//!
//! | port  | carries                                       |
//! |-------|-----------------------------------------------|
//! | `in`  | any signal                                    |
//! | `out` | the centroid of every channel in Hz, a hop    |
//!
//! Delay, ends, NaN and cost are those of [`power`](super::power).

use engine::{Kind, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, AVERAGE, Averaging, DETREND_NONE, Reduce, Scaling, TIME_CONSTANT_S},
    range::{self, HIGH_HZ, LOW_HZ, Range},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "centroid",
    summary: "Where the middle of a spectrum lies.",
    doc: "The mean frequency in Hz, each weighted by the magnitude of the spectrum there (weights = \
          \"magnitude\", librosa's spectral_centroid) or by its power (\"power\"), from low_hz to \
          high_hz: sum(f |X|) / sum(|X|). Several segments may be averaged before, as in `power`. 0 \
          where there is nothing, as librosa says. Delay and ends: as `power`. NaN: as `power`. Cost: \
          a transform a hop and channel. Source: Grey and Gordon 1978, J. Acoust. Soc. Am. 63, \
          1493-1500.",
    example: "window_s = 1.0\nhop_s = 0.2",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &WEIGHTS,
        &LOW_HZ,
        &HIGH_HZ,
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
        &DETREND_NONE,
        &AVERAGE,
        &TIME_CONSTANT_S,
    ],
    plan: |node| range::outline(node, "centroid"),
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        let range = Range::read(node, &cut)?;
        let reduce = Centroid { range, by_power: node.get(&WEIGHTS)? == "power" };
        estimate::body(node, cut, averaging, Scaling::Plain, reduce)
    },
    ..Kind::BASE
};

const WEIGHTS: Param<&str> =
    Param::with_default("weights", "magnitude", "What frequencies are weighted by.")
        .one_of(&["magnitude", "power"]);

struct Centroid {
    range: Range,
    by_power: bool,
}

impl Reduce for Centroid {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        let (mut sum, mut moment) = (0.0, 0.0);
        for (n, &power) in self.range.of(spectrum).iter().enumerate() {
            let weight = if self.by_power { power } else { power.sqrt() };
            sum += weight;
            moment += self.range.hz(n as f64) * weight;
        }
        values[0] = if sum == 0.0 { 0.0 } else { (moment / sum) as f32 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::testing::{ROUNDED, assert_near, golden, said, sound};

    const PARAMS: &str = "window_samples = 256\nhop_samples = 100\n";

    #[test]
    fn it_is_librosas() {
        let got = said(&KIND, 16_000.0, PARAMS, &sound(430, 3));
        assert_near(&got, &golden("centroid", "kind", "centroid"), ROUNDED, 0.0);
    }

    #[test]
    fn a_sine_is_its_own_centroid_and_silence_has_none() {
        let sine: Vec<f32> =
            (0..512).map(|n| (std::f64::consts::TAU * f64::from(n) / 16.0).sin() as f32).collect();
        let params = format!("{PARAMS}weights = \"power\"");
        // 1 kHz and the same on both sides of it; the signal is rounded to 24 bits, and its noise
        // lies up to 8 kHz.
        let got = said(&KIND, 16_000.0, &params, &sine);
        assert!((got[2] - 1_000.0).abs() < 1e-3, "{}", got[2]);
        assert!(said(&KIND, 16_000.0, PARAMS, &[0.0; 512]).iter().all(|hz| *hz == 0.0));
    }
}
