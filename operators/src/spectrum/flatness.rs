//! `flatness`: whether a spectrum is noise or tones.
//!
//! ```text
//! F = exp(mean ln p[k]) / mean p[k],     p[k] = max(|X[k]|², floor)
//! ```
//!
//! over the frequencies from `low_hz` to `high_hz`: 1 where all are equally strong, near 0 where a few
//! stand out. librosa's `spectral_flatness`, also in that silence is flat.
//!
//! | port  | carries                                       |
//! |-------|-----------------------------------------------|
//! | `in`  | any signal                                    |
//! | `out` | the flatness of every channel, once a hop     |
//!
//! Delay, ends, NaN and cost are those of [`power`](super::power), and a logarithm a frequency.

use engine::{Kind, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, AVERAGE, Averaging, DETREND_NONE, Reduce, Scaling, TIME_CONSTANT_S},
    log_mel::FLOOR_POWER,
    range::{self, HIGH_HZ, LOW_HZ, Range},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "flatness",
    summary: "Whether a spectrum is noise or tones.",
    doc: "The geometric mean of the power spectrum from low_hz to high_hz divided by its arithmetic mean: 1 \
          for a flat one, near 0 for a few tones (Wiener entropy). No power counts as less than \
          `floor_power`, as librosa's spectral_flatness has it (amin, 1e-10), so silence is flat: 1. \
          The power is that of the transform under its window, |X|^2. Several segments may be averaged \
          before, as in `power`. Delay and ends: as `power`. NaN: as `power`. Cost: a transform a hop \
          and channel, and a logarithm a frequency. Source: Gray and Markel 1974, IEEE Trans. ASSP 22, \
          207-217.",
    example: "window_s = 1.0\nhop_s = 0.2",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &FLOOR_POWER,
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
    plan: |node| range::outline(node, "flatness"),
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        let range = Range::read(node, &cut)?;
        let reduce = Flatness { range, floor: node.get(&FLOOR_POWER)? };
        estimate::body(node, cut, averaging, Scaling::Plain, reduce)
    },
    ..Kind::BASE
};

struct Flatness {
    range: Range,
    floor: f64,
}

impl Reduce for Flatness {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        let powers = self.range.of(spectrum);
        let (mut sum, mut logs) = (0.0, 0.0);
        for &power in powers {
            let power = if power < self.floor { self.floor } else { power };
            sum += power;
            logs += power.ln();
        }
        let count = powers.len() as f64;
        values[0] = ((logs / count).exp() / (sum / count)) as f32;
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
        assert_near(&got, &golden("flatness", "kind", "flatness"), ROUNDED, 0.0);
    }

    #[test]
    fn a_click_is_flat_and_so_is_silence() {
        let mut click = [0.0; 512];
        click[300] = 1.0;
        // Every frequency is equally strong.
        let got = said(&KIND, 16_000.0, PARAMS, &click);
        assert!((got[3] - 1.0).abs() < ROUNDED && got[0] == 1.0, "{got:?}");
    }
}
