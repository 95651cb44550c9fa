//! `stft`: the spectrum of a signal as it changes.
//!
//! The short-time Fourier transform, SciPy's `stft(x, fs, window, nperseg, nperseg - hop)` with its
//! zeros around the input: segment m is the N samples around sample m · `hop`,
//!
//! ```text
//! X[m, k] = Σ w[n] · x[m · hop + n − N/2] · exp(−2πi k n / N) / Σ w[n],    k = 0 … N / 2
//! ```
//!
//! | port  | carries                                                                     |
//! |-------|-----------------------------------------------------------------------------|
//! | `in`  | any signal                                                                  |
//! | `out` | a value for every frequency of every channel, once a hop, in the same unit  |
//!
//! **Delay**: half a window less a sample; the runtime subtracts it, so a spectrum lies at the
//! middle of its segment. SciPy says one spectrum more where the input ends on a hop. After a gap
//! segments begin anew at the first sample. **NaN** reaches the segments it is part of and no
//! other. **Cost**: one transform of N real samples in f32 a hop and channel, about a microsecond
//! for 1 024.

use engine::{Body, Kind, Node, Param, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    segments::{Analyse, Segmented, Segments},
};
use crate::math::fourier::{Fourier, as_complex};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "stft",
    summary: "The spectrum of a signal as it changes.",
    doc: "Short-time Fourier transform, SciPy's stft: segment m is the N samples around sample m hop, \
          beyond both ends of the input there are zeros, X[m, k] = sum over n of w[n] x[m hop + n - \
          N/2] exp(-2 pi i k n / N) times a scale: 1 / sum(w) (scaling = \"spectrum\", as SciPy's, in \
          the unit of the signal), 1 / sqrt(rate sum(w^2)) (\"psd\") or 1 (\"none\"). `values` are \
          its magnitude, its power (the square), or real and imaginary part side by side \
          (\"complex\"). Delay: (N - 1) / 2 samples rounded down, subtracted from the times by the \
          runtime: a spectrum lies at the middle of its segment. Where the input ends on a hop SciPy \
          says one spectrum more. NaN: reaches the segments it is part of and no other. Cost: one \
          transform of N real samples in f32 a hop and channel. Source: Oppenheim and Schafer, \
          Discrete-Time Signal Processing, section 10.3.",
    example: "window_samples = 256\nhop_samples = 50",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
        &VALUES,
        &SCALING,
    ],
    plan: |node| {
        let cut = Cut::read(node, "in")?;
        let (mut names, values) = (cut.bin_names(), node.get(&VALUES)?);
        if values == "complex" {
            let both = |name: &String| [format!("{name} re"), format!("{name} im")];
            names = names.iter().flat_map(both).collect();
        }
        let has_unit = values != "power" && node.get(&SCALING)? != "psd";
        cut.outline(node, "in", &names, 0.0, has_unit)
    },
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let values = match node.get(&VALUES)? {
            "complex" => Values::Complex,
            "power" => Values::Power,
            _ => Values::Magnitude,
        };
        // The scale stands in the window: scaling spectra would be one more pass over them.
        let scale = scale(node, &cut)?;
        let window: Vec<f64> = cut.weights.iter().map(|weight| weight * scale).collect();
        let analysis = Stft { fourier: Fourier::new(&window, cut.fft_len), values };
        let channels = node.signal("in").channels.len();
        let segments = Segments::new(channels, cut.len, cut.hop);
        Ok(Body::operator(Segmented::new(segments, 0.0, analysis)))
    },
    ..Kind::BASE
};

const VALUES: Param<&str> =
    Param::with_default("values", "magnitude", "What is said of each frequency.").one_of(&[
        "complex",
        "magnitude",
        "power",
    ]);
const SCALING: Param<&str> =
    Param::with_default("scaling", "spectrum", "SciPy's scaling, or none.")
        .one_of(&["none", "psd", "spectrum"]);

fn scale(node: &Node<'_>, cut: &Cut) -> Result<f64, engine::Diagnostic> {
    let weights = &cut.weights;
    Ok(match node.get(&SCALING)? {
        "none" => 1.0,
        "psd" => 1.0 / (cut.rate_hz * weights.iter().map(|w| w * w).sum::<f64>()).sqrt(),
        _ => 1.0 / weights.iter().sum::<f64>(),
    })
}

#[derive(Clone, Copy)]
enum Values {
    Complex,
    Magnitude,
    Power,
}

struct Stft {
    fourier: Fourier<f32>,
    values: Values,
}

impl Analyse for Stft {
    fn analyse(&mut self, segments: &Segments, values: &mut [f32]) {
        let each = values.len() / segments.channels();
        for (channel, values) in values.chunks_exact_mut(each).enumerate() {
            let samples = segments.of(channel);
            match self.values {
                Values::Complex => self.fourier.transform_into(samples, as_complex(values)),
                Values::Magnitude => {
                    for (to, x) in values.iter_mut().zip(self.fourier.transform(samples)) {
                        *to = x.norm_sqr().sqrt();
                    }
                }
                Values::Power => {
                    for (to, x) in values.iter_mut().zip(self.fourier.transform(samples)) {
                        *to = x.norm_sqr();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{assert_near, golden, names, said, sound, values};

    const PARAMS: &str = "window_samples = 64\nhop_samples = 40\n";

    #[test]
    fn the_spectra_are_scipys() {
        let mut stft =
            Bench::build(&KIND, 250.0, &format!("{PARAMS}values = \"complex\"")).expect("valid");
        stft.feed(&sound(200, 1));
        stft.flush();
        let times: Vec<i64> = stft.seen().iter().map(|seen| seen.time().nanos()).collect();
        assert_eq!(times, [0, 160_000_000, 320_000_000, 480_000_000, 640_000_000]);
        assert_eq!(
            names(stft.output(0))[..4],
            ["0 Hz re", "0 Hz im", "3.906 Hz re", "3.906 Hz im"]
        );

        // Samples of up to 2 under weights whose sum is 1 after scaling; six stages, each rounded
        // twice, and the window.
        let rounded = 2.0 * 13.0 * 2f64.powi(-24);
        assert_near(&values(&mut stft), &golden("stft", "kind", "stft"), 0.0, rounded);
    }

    #[test]
    fn values_and_scaling_follow_from_each_other() {
        let of = |more: &str| said(&KIND, 250.0, &format!("{PARAMS}{more}"), &sound(200, 1));
        let complex = of("values = \"complex\"\nscaling = \"none\"");
        let (magnitude, power) = (of(""), of("values = \"power\"\nscaling = \"psd\""));
        // Of Hann's weights: sum N / 2, sum of squares 3 N / 8. Samples of up to 2; six stages, each rounded
        // twice, and the window, in both that are compared.
        let off = 64.0 * 13.0 * 2f64.powi(-23);
        for (n, pair) in complex.chunks_exact(2).enumerate() {
            let square = pair[0] * pair[0] + pair[1] * pair[1];
            assert!((magnitude[n] - square.sqrt() / 32.0).abs() <= off / 32.0);
            assert!((power[n] - square / (250.0 * 24.0)).abs() <= 2.0 * 64.0 * off / 6e3);
        }
    }

    #[test]
    fn a_sine_has_its_amplitude_over_two() {
        // Eight periods in the window: the bin in the middle, and half of it on each side (Hann).
        let sine: Vec<f32> =
            (0..256).map(|n| (f64::from(n) * std::f64::consts::TAU / 8.0).cos() as f32).collect();
        let got = said(&KIND, 64.0, "window_samples = 64\nhop_samples = 64", &sine);
        for (bin, value) in got[33..66].iter().enumerate() {
            let want = match bin {
                8 => 0.5,
                7 | 9 => 0.25,
                _ => 0.0,
            };
            assert!((value - want).abs() < 1e-6, "{bin}: {value}");
        }
    }

    #[test]
    fn a_hop_longer_than_the_window_passes_samples_over() {
        let ramp: Vec<f32> = (0..100).map(|n| n as f32).collect();
        let params = "window_samples = 4\nhop_samples = 10\nwindow = \"rectangular\"";
        let got = said(&KIND, 100.0, params, &ramp);
        // The mean of the four samples around each tenth.
        let means: Vec<f64> = got.chunks_exact(3).map(|values| values[0]).collect();
        assert_eq!(means[1..], [9.5, 19.5, 29.5, 39.5, 49.5, 59.5, 69.5, 79.5, 89.5]);
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("", "neither `window_s` nor `window_samples` is written"),
            ("window_s = 1.0\nwindow_samples = 64", "say the same thing"),
            ("window_s = 0.001", "`window_s` = 0.001 is 0 samples"),
            ("window_samples = 64\nfft_samples = 63", "`fft_samples` = 63 is less than the 64"),
            ("window_samples = 262144\nvalues = \"complex\"", "values at once"),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
