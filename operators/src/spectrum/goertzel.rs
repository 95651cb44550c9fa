//! `goertzel`: how strong a few single frequencies are.
//!
//! The Fourier sum at a frequency f alone, by Goertzel's recursion over each segment:
//!
//! ```text
//! s[n] = w[n] · x[n] + 2 cos θ · s[n−1] − s[n−2],    θ = 2π f / rate
//! A    = 2 / Σ w · √(s[N−1]² + s[N−2]² − 2 cos θ · s[N−1] · s[N−2])
//! ```
//!
//! A is the amplitude of a sine of that frequency. f need not be a whole number of periods in the window. At 0 and half
//! the rate the factor is 1 instead of 2.
//!
//! | port  | carries                                                      |
//! |-------|--------------------------------------------------------------|
//! | `in`  | any signal                                                   |
//! | `out` | an amplitude for each frequency of every channel, in its unit |
//!
//! **Delay**: half a window less a sample, subtracted by the runtime. Segments overlap by
//! half unless the hop says otherwise; beyond both ends of the input there are zeros.
//! **NaN** reaches the segments it is part of and no other. **Cost**: three operations a sample,
//! frequency and channel; from about a dozen frequencies on `stft` is cheaper.

use std::f64::consts::TAU;

use engine::{Body, Diagnostic, Kind, Node, Param, Port};

use super::{
    cut::{Cut, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    segments::{Analyse, Segmented, Segments},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "goertzel",
    summary: "How strong a few single frequencies are.",
    doc: "The amplitude of a sine of each of `frequencies_hz` in a segment of N samples, by Goertzel's \
          recursion in f64: s[n] = w[n] x[n] + 2 cos(theta) s[n-1] - s[n-2], theta = 2 pi f / rate; \
          A = 2 / sum(w) sqrt(s[N-1]^2 + s[N-2]^2 - 2 cos(theta) s[N-1] s[N-2]), with 1 instead of 2 \
          at 0 and half the rate. Frequencies need not fit the window. Delay: (N - 1) / 2 samples \
          rounded down, subtracted from the times by the runtime; beyond both ends of the input there \
          are zeros. NaN: reaches the segments it is part of and no other. Cost: three operations a \
          sample, frequency and channel. Source: Goertzel 1958, Amer. Math. Monthly 65, 34-35.",
    example: "frequencies_hz = [10.0, 50.0]\nwindow_s = 0.4\nhop_s = 0.2",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&FREQUENCIES_HZ, &WINDOW_S, &WINDOW_SAMPLES, &HOP_S, &HOP_SAMPLES, &WINDOW],
    plan: |node| {
        let names: Vec<String> =
            frequencies(node)?.into_iter().map(|hz| format!("{hz} Hz")).collect();
        Cut::read(node, "in")?.outline(node, "in", &names, 0.0, true)
    },
    build: |node| {
        let cut = Cut::read(node, "in")?;
        let sum: f64 = cut.weights.iter().sum();
        let tone = |hz: f64| Tone {
            turn: 2.0 * (TAU * hz / cut.rate_hz).cos(),
            scale: if hz == 0.0 || 2.0 * hz == cut.rate_hz { 1.0 } else { 2.0 } / sum,
        };
        let tones = frequencies(node)?.into_iter().map(tone).collect();
        let analysis = Goertzel { tones, windowed: vec![0.0; cut.len], weights: cut.weights };
        let channels = node.signal("in").channels.len();
        Ok(Body::operator(Segmented::new(Segments::new(channels, cut.len, cut.hop), 0.0, analysis)))
    },
    ..Kind::BASE
};

const FREQUENCIES_HZ: Param<&[f64]> =
    Param::required("frequencies_hz", "The frequencies, such as [50.0].").within(0.0, 1e6);

fn frequencies(node: &Node<'_>) -> Result<Vec<f64>, Diagnostic> {
    let frequencies = node.get(&FREQUENCIES_HZ)?;
    let (rate_hz, name) = (node.rate_hz("in"), FREQUENCIES_HZ.name());
    if frequencies.is_empty() {
        let problem = node.problem(engine::Code::OutOfRange, name, format!("`{name}` is empty"));
        return Err(problem.hint("write one frequency or more"));
    }
    if let Some(hz) = frequencies.iter().find(|hz| **hz > 0.5 * rate_hz) {
        let message = format!("`{name}`: {hz:?} is above half the sample rate");
        let problem = node.problem(engine::Code::AboveNyquist, name, message);
        return Err(problem.hint(format!("choose at most {:?}", 0.5 * rate_hz)));
    }
    Ok(frequencies)
}

/// One frequency: twice the cosine of its step, and what makes an amplitude of its sum.
struct Tone {
    turn: f64,
    scale: f64,
}

struct Goertzel {
    tones: Vec<Tone>,
    weights: Vec<f64>,
    windowed: Vec<f64>,
}

impl Analyse for Goertzel {
    fn analyse(&mut self, segments: &Segments, values: &mut [f32]) {
        for (channel, values) in values.chunks_exact_mut(self.tones.len()).enumerate() {
            let samples = segments.of(channel).iter().zip(&self.weights);
            for (to, (&x, weight)) in self.windowed.iter_mut().zip(samples) {
                *to = f64::from(x) * weight;
            }
            for (value, tone) in values.iter_mut().zip(&self.tones) {
                *value = (tone.scale * length(tone.turn, &self.windowed)) as f32;
            }
        }
    }
}

/// The length of the Fourier sum of `samples` at the frequency of `turn`.
fn length(turn: f64, samples: &[f64]) -> f64 {
    let (mut last, mut before) = (0.0, 0.0);
    for x in samples {
        (last, before) = (x + turn * last - before, last);
    }
    // Where it is 0, rounding may leave a little less.
    (last * last + before * before - turn * last * before).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{assert_near, golden, said, sound};

    const PARAMS: &str = "frequencies_hz = [10.0, 17.3]\nwindow_samples = 64\nhop_samples = 40";

    #[test]
    fn the_sums_are_numpys() {
        let got = said(&KIND, 250.0, PARAMS, &sound(200, 1));
        // 64 steps, each rounded in f64 and grown by the recursion up to 64 times; then 24 bits.
        assert_near(&got[2..8], &golden("goertzel", "kind", "goertzel"), 6e-8, 64.0 * 64.0 * 1e-16);
    }

    #[test]
    fn a_sine_has_its_amplitude_wherever_it_begins() {
        let sine: Vec<f32> = (0..1_000)
            .map(|n| (3.0 * (TAU * 10.0 * f64::from(n) / 250.0 + 1.0).sin()) as f32)
            .collect();
        // 25 samples are a period: two fill a window, and Hann's sidebands are whole bins away.
        let params = "frequencies_hz = [10.0, 0.0]\nwindow_samples = 100\nwindow = \"hann\"";
        let got = said(&KIND, 250.0, params, &sine);
        for pair in got.chunks_exact(2).skip(1) {
            // Samples are rounded to 24 bits of 3, the amplitude again.
            assert!((pair[0] - 3.0).abs() < 1e-6 && pair[1].abs() < 1e-6, "{pair:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("frequencies_hz = []\nwindow_s = 1.0", "`frequencies_hz` is empty"),
            ("frequencies_hz = [126.0]\nwindow_s = 1.0", "126.0 is above half the sample rate"),
            ("frequencies_hz = [10.0]", "neither `window_s` nor `window_samples` is written"),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
