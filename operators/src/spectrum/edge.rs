//! `edge`: below which frequency most of the power lies.
//!
//! The spectral edge frequency: that E for which
//!
//! ```text
//! ∫ P(f) df from low_hz to E  =  share_pct / 100 · ∫ P(f) df from low_hz to high_hz
//! ```
//!
//! 95 % is the SEF95 of anaesthesia, 50 % the median frequency of electromyography. Every frequency
//! stands for the rate / N around it, over which its power is spread evenly, so the edge moves
//! smoothly and not from bin to bin. In silence it is 0.
//!
//! | port  | carries                                       |
//! |-------|-----------------------------------------------|
//! | `in`  | any signal                                    |
//! | `out` | the edge of every channel in Hz, a hop        |
//!
//! Delay, ends, NaN and cost are those of [`power`](super::power).

use engine::{Kind, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, AVERAGE, Averaging, DETREND, Reduce, Scaling, TIME_CONSTANT_S},
    range::{self, HIGH_HZ, LOW_HZ, Range},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "edge",
    summary: "Below which frequency most of the power lies.",
    doc: "The spectral edge frequency in Hz: up to it lie `share_pct` per cent of the power between low_hz \
          and high_hz (95: SEF95; 50: the median frequency). Every frequency stands for the rate / N \
          around it, over which its power is spread evenly. Several segments may be averaged before, as \
          in `power`. 0 where there is nothing. Delay and ends: as `power`. NaN: as `power`. Cost: a \
          transform a hop and channel. Source: Rampil 1998, Anesthesiology 89, 980-1002.",
    example: "window_s = 1.0\nhop_s = 0.2",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &SHARE_PCT,
        &LOW_HZ,
        &HIGH_HZ,
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
    plan: |node| range::outline(node, "edge"),
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        let range = Range::read(node, &cut)?;
        let reduce = Edge { range, share: 0.01 * node.get(&SHARE_PCT)? };
        estimate::body(node, cut, averaging, Scaling::Density, reduce)
    },
    ..Kind::BASE
};

const SHARE_PCT: Param<f64> =
    Param::with_default("share_pct", 95.0, "How much of the power lies below the edge.")
        .within(0.1, 99.9);

struct Edge {
    range: Range,
    share: f64,
}

impl Reduce for Edge {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        let powers = self.range.of(spectrum);
        let whole: f64 = powers.iter().sum();
        let wanted = self.share * whole;
        let (mut below, mut edge) = (0.0, 0.0);
        for (n, &power) in powers.iter().enumerate() {
            if below + power >= wanted && power > 0.0 {
                // From half a bin below it to half a bin above.
                edge = n as f64 - 0.5 + (wanted - below) / power;
                break;
            }
            below += power;
        }
        values[0] = match whole {
            0.0 => 0.0,
            whole if whole.is_nan() => f32::NAN,
            _ => self.range.hz(edge).max(0.0) as f32,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::testing::{ROUNDED, assert_near, golden, said, sound};

    #[test]
    fn it_is_where_the_integral_of_scipys_welch_is_nine_tenths() {
        let params = "share_pct = 90.0\nlow_hz = 10.0\nhigh_hz = 90.0\nwindow_samples = 64\n\
                      hop_samples = 40\naverage = 4";
        let got = said(&KIND, 250.0, params, &sound(200, 1));
        assert_near(&got[2..], &golden("edge", "kind", "edge"), ROUNDED, 0.0);
    }

    #[test]
    fn a_sine_is_its_own_edge_and_silence_has_none() {
        let sine: Vec<f32> =
            (0..500).map(|n| (std::f64::consts::TAU * 0.08 * f64::from(n)).sin() as f32).collect();
        let params = "share_pct = 50.0\nwindow_s = 1.0\nhop_s = 1.0\n";
        // 20 Hz, and symmetric around it.
        assert!((said(&KIND, 250.0, params, &sine)[1] - 20.0).abs() < 1e-5);
        assert!(said(&KIND, 250.0, params, &[0.0; 500]).iter().all(|edge| *edge == 0.0));
    }

    #[test]
    fn a_range_of_nothing_is_refused() {
        let params = "low_hz = 20.0\nhigh_hz = 22.0\nwindow_samples = 64";
        let problem = engine::testing::Bench::build(&KIND, 250.0, params).err().expect("refused");
        assert!(problem.to_string().contains("leaves fewer than two frequencies"), "{problem}");
    }
}
