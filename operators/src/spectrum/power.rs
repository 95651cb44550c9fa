//! `power`: how the power of a signal is spread over frequencies.
//!
//! Welch's estimate, as it changes: the mean of the periodograms of the last `average` segments,
//!
//! ```text
//! P[k] = c / (rate · Σ w²) · mean |Σ w[n] · (x[n] − mean x) · exp(−2πi k n / N)|²
//! ```
//!
//! with c = 2, but 1 at 0 and at half the rate. With as many segments as fit a stretch of signal it
//! is SciPy's `welch(x, fs, window, nperseg, nperseg - hop)`. With `time_constant_s` older segments
//! fade instead: `P += a · (new − P)`, `a = 1 − exp(−hop / (rate · time constant))`.
//!
//! | port  | carries                                                        |
//! |-------|----------------------------------------------------------------|
//! | `in`  | any signal                                                     |
//! | `out` | the power at every frequency of every channel, once a hop      |
//!
//! **Delay**: to the middle of what is averaged; where segments fade to their mean age. The runtime
//! subtracts it. Segments that lie in part beyond an end of the input count for their part inside,
//! so the estimate is not too small there. **NaN** reaches the segments it is part of and the averages these
//! are part of; where segments fade, such a segment is left out of what follows. **Cost**: one
//! transform of N real samples in f64 a hop and channel, and four additions a frequency.

use engine::{Kind, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, AVERAGE, Averaging, DETREND, Reduce, Scaling, TIME_CONSTANT_S},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "power",
    summary: "How the power of a signal is spread over frequencies.",
    doc: "Welch's estimate as it changes: P[k] = c / (rate sum(w^2)) times the mean of |sum over n of \
          w[n] (x[n] - mean) exp(-2 pi i k n / N)|^2 over the last `average` segments, c = 2 but 1 at \
          0 and at half the rate: the square of the signal's unit per hertz (scaling = \"spectrum\" \
          divides by (sum w)^2 instead: the power of a sine in its bin). Over as many segments as fit \
          a stretch, it is SciPy's welch. With time_constant_s older segments fade instead: P += a \
          (new - P), a = 1 - exp(-hop / (rate time_constant)). Delay: (N - 1) / 2 samples rounded \
          down, and half the way from the first to the last segment averaged, or (1 - a) / a hops; \
          subtracted from the times by the runtime. Segments beyond an end of the input count for \
          their part inside. NaN: reaches the segments it is part of and averages of these; where \
          segments fade such a one is left out of what follows. Cost: one transform of N real samples \
          in f64 a hop and channel. Source: Welch 1967, IEEE Trans. Audio Electroacoust. 15, 70-73.",
    example: "window_s = 1.0\nhop_s = 0.2\naverage = 5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
        &DETREND,
        &AVERAGE,
        &TIME_CONSTANT_S,
        &SCALING,
    ],
    plan: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        estimate::outline(node, &cut, averaging, &cut.bin_names())
    },
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let averaging = Averaging::read(node, &cut)?;
        let scaling = match node.get(&SCALING)? {
            "spectrum" => Scaling::Spectrum,
            _ => Scaling::Density,
        };
        estimate::body(node, cut, averaging, scaling, Whole)
    },
    ..Kind::BASE
};

const SCALING: Param<&str> =
    Param::with_default("scaling", "density", "Power per hertz, or of a sine in its bin.")
        .one_of(&["density", "spectrum"]);

/// The spectrum itself.
struct Whole;

impl Reduce for Whole {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        for (value, power) in values.iter_mut().zip(spectrum) {
            *value = *power as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{ROUNDED, assert_near, golden, said, sound};

    const PARAMS: &str = "window_samples = 64\nhop_samples = 40\n";
    /// Where the mean is taken off, next to nothing is left at 0: rounding of the mean squared.
    const NOTHING: f64 = 1e-15;

    #[test]
    fn the_estimate_is_scipys_welch() {
        for scaling in ["density", "spectrum"] {
            let params = format!("{PARAMS}average = 4\nscaling = {scaling:?}");
            let got = said(&KIND, 250.0, &params, &sound(200, 1));
            // Two averages begin before the signal; the third is of segments 1 to 4.
            let want = golden("power", "scaling", scaling);
            assert_near(&got[2 * 33..], &want, ROUNDED, NOTHING);
        }
    }

    #[test]
    fn what_lies_before_the_signal_does_not_count() {
        let got = said(&KIND, 250.0, PARAMS, &sound(200, 1));
        assert_near(&got[..33], &golden("power", "scaling", "begin"), ROUNDED, NOTHING);
    }

    #[test]
    fn averages_are_about_their_middle() {
        let ns = |more: &str| {
            let params = format!("{PARAMS}{more}");
            Bench::build(&KIND, 250.0, &params).expect("valid").delay_ns()
        };
        // 31 samples from the middle to the last; 1.5 hops; and at a time constant of ten hops
        // 1 / (e^0.1 − 1) of them.
        assert_eq!(ns(""), 31 * 4_000_000);
        assert_eq!(ns("average = 4"), (31 + 60) * 4_000_000);
        let fading = 31.0 + 40.0 / 0.1f64.exp_m1();
        assert_eq!(ns("time_constant_s = 1.6"), (fading * 4e6).round() as i64);
    }

    #[test]
    fn fading_segments_weigh_less_by_a_factor() {
        let single = said(&KIND, 250.0, PARAMS, &sound(2_000, 1));
        let faded =
            said(&KIND, 250.0, &format!("{PARAMS}time_constant_s = 0.16"), &sound(2_000, 1));
        // One hop is one time constant. What is about times before the signal is left out: the
        // mean age is 0.58 hops.
        let share = 1.0 - (-1f64).exp();
        let (mut sums, mut weight) = (vec![0.0; 33], 0.0);
        for (n, powers) in single.chunks_exact(33).enumerate() {
            // The first segment lies half before the signal and has half of the energy.
            let energy = if n == 0 { half_energy() } else { 1.0 };
            weight += share * (energy - weight);
            for (sum, power) in sums.iter_mut().zip(powers) {
                *sum += share * (power * energy - *sum);
            }
            if n > 0 {
                let want: Vec<f64> = sums.iter().map(|sum| sum / weight).collect();
                assert_near(&faded[(n - 1) * 33..][..33], &want, 3.0 * ROUNDED, NOTHING);
            }
        }
    }

    /// The second half of Hann's window has a little more than half of the energy: its middle.
    fn half_energy() -> f64 {
        let weights = crate::math::window::Window::Hann.periodic(64);
        let energy = |weights: &[f64]| weights.iter().map(|w| w * w).sum::<f64>();
        energy(&weights[32..]) / energy(&weights)
    }

    #[test]
    fn nan_is_left_out_of_what_fades() {
        let mut samples = sound(2_000, 1);
        samples[1_000] = f32::NAN;
        let got = said(&KIND, 250.0, &format!("{PARAMS}time_constant_s = 1.0"), &samples);
        let lost: Vec<usize> = (0..got.len()).filter(|&n| got[n].is_nan()).collect();
        // Segments m with |1000 − 40 m| < 32 or so: only the 25th; the mean age is 5.8 hops.
        assert_eq!(lost, (19 * 33..20 * 33).collect::<Vec<_>>());
    }

    #[test]
    fn two_ways_to_average_are_refused() {
        let params = format!("{PARAMS}average = 4\ntime_constant_s = 1.0");
        let problem = Bench::build(&KIND, 250.0, &params).err().expect("refused").to_string();
        assert!(problem.contains("`average` and `time_constant_s`"), "{problem}");
        let params = "window_samples = 262144\nhop_samples = 1\naverage = 4096";
        let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
        assert!(problem.contains("numbers to keep"), "{problem}");
    }
}
