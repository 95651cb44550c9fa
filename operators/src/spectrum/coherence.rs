//! `coherence`: how much of two signals goes together, frequency by frequency.
//!
//! The magnitude-squared coherence of Welch's estimates over the last `average` segments, SciPy's
//! `coherence(x, y, fs, window, nperseg, nperseg - hop)` as it changes:
//!
//! ```text
//! C[k] = |Σ X[m, k]* · Y[m, k]|² / (Σ |X[m, k]|² · Σ |Y[m, k]|²)
//! ```
//!
//! 1 where one is the other through a filter, near 1 / `average` where they have nothing to do with
//! each other, 0 where one of them is silent (SciPy says NaN there). With `time_constant_s` older
//! segments fade instead.
//!
//! | port  | carries                                                              |
//! |-------|----------------------------------------------------------------------|
//! | `x`   | a signal                                                             |
//! | `y`   | a signal of the same rate with as many channels                      |
//! | `out` | the coherence at every frequency of each pair of channels, a hop     |
//!
//! Samples of one moment meet. **Delay**: as that of [`power`](super::power), to the middle of what
//! is averaged. **NaN**, also where a sample of one input has no partner, reaches the segments it is
//! part of and the averages of these; where segments fade, such a segment is left out of what
//! follows. **Cost**: two transforms of N real samples in f64 a hop and pair.

use engine::{Body, Code, Diagnostic, Kind, Node, Param, Policy, Port};

use super::{
    cut::{Cut, FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{Averaging, DETREND, Memory, TIME_CONSTANT_S},
    segments::{Analyse, Segmented, Segments},
};
use crate::math::{
    fourier::Fourier,
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "coherence",
    summary: "How much of two signals goes together, frequency by frequency.",
    doc: "Magnitude-squared coherence, SciPy's: |Sxy|^2 / (Sxx Syy) of spectra summed over the last \
          `average` segments of N samples. 1 where one signal is the other through a filter, near 1 / \
          average where they are strangers, 0 where one is silent (SciPy: NaN). With time_constant_s \
          older segments fade instead. The first channel of x meets the first of y and so on. Delay: \
          (N - 1) / 2 samples rounded down, and half the way from the first to the last segment, or \
          their mean age; subtracted from the times by the runtime. NaN: also where a sample has no \
          partner, reaches the segments it is part of and averages of these; where segments fade such \
          a one is left out of what follows. Cost: two transforms of N real samples in f64 a hop and \
          pair. Source: Carter, Knapp and Nuttall 1973, IEEE Trans. Audio Electroacoust. 21, 337-344.",
    example: "window_s = 1.0\nhop_s = 0.2\naverage = 9",
    inputs: &[
        Port::signal("x").fed_by(&["ppg[red]"]),
        Port::signal("y").fed_by(&["ppg[infrared]"]),
    ],
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
    ],
    policy: Policy::Exact,
    plan: |node| {
        let [x, y] = ["x", "y"].map(|port| node.signal(port).channels.len());
        if x != y {
            let message = format!("`x` has {x} channels and `y` has {y}");
            let place = &node.inputs()[1].place;
            let problem = Diagnostic::error(Code::FormatMismatch, message).at(place);
            return Err(problem.of_node(node.name()).hint("pick as many of both").into());
        }
        let cut = Cut::read(node, "x")?;
        let shift = averaging(node, &cut)?.shift(cut.hop);
        cut.outline(node, "x", &cut.bin_names(), shift, false)
    },
    build: |node| {
        let cut = Cut::read(node, "x")?;
        let averaging = averaging(node, &cut)?;
        let (pairs, bins) = (node.signal("x").channels.len(), cut.bins());
        let analysis = Coherence {
            is_centred: node.get(&DETREND)? != "none",
            fourier: Fourier::new(&cut.weights, cut.fft_len),
            memories: (0..pairs).map(|_| averaging.memory(4 * bins)).collect(),
            row: vec![0.0; 4 * bins],
        };
        let segments = Segments::new(2 * pairs, cut.len, cut.hop);
        Ok(Body::operator(Segmented::new(segments, averaging.shift(cut.hop), analysis)))
    },
    ..Kind::BASE
};

const AVERAGE_DEFAULT: usize = 8;
const AVERAGE: Param<i64> =
    Param::optional("average", "Segments that are summed up; 8 unless written.")
        .within(2.0, 4_096.0);

fn averaging(node: &Node<'_>, cut: &Cut) -> Result<Averaging, Diagnostic> {
    Averaging::read_or(node, cut, (&AVERAGE, AVERAGE_DEFAULT), 4 * cut.bins())
}

struct Coherence {
    is_centred: bool,
    fourier: Fourier<f64>,
    memories: Vec<Memory>,
    /// Of a pair: |X|², |Y|², and real and imaginary part of X* · Y.
    row: Vec<f64>,
}

impl Analyse for Coherence {
    fn analyse(&mut self, segments: &Segments, values: &mut [f32]) {
        let bins = self.fourier.bins();
        let pairs = segments.channels() / 2;
        for (pair, values) in values.chunks_exact_mut(bins).enumerate() {
            let [xx, yy, re, im] = self
                .row
                .get_disjoint_mut([0..bins, bins..2 * bins, 2 * bins..3 * bins, 3 * bins..4 * bins])
                .expect("four parts of a row");
            // X is kept where its product with Y will be.
            let (fourier, inside) = (&mut self.fourier, segments.inside());
            let x = fourier.transform_inside(segments.of(pair), inside.clone(), self.is_centred);
            for (k, x) in x.iter().enumerate() {
                (xx[k], re[k], im[k]) = (x.norm_sqr(), x.re, x.im);
            }
            let y = fourier.transform_inside(segments.of(pairs + pair), inside, self.is_centred);
            for (k, y) in y.iter().enumerate() {
                yy[k] = y.norm_sqr();
                (re[k], im[k]) = (re[k] * y.re + im[k] * y.im, re[k] * y.im - im[k] * y.re);
            }
            self.memories[pair].push(&mut self.row);
            for (k, value) in values.iter_mut().enumerate() {
                let [xx, yy, re, im] = [0, 1, 2, 3].map(|part| self.row[part * bins + k]);
                let both = xx * yy;
                // Rounding may leave a little more than 1.
                let share = ((re * re + im * im) / both).min(1.0);
                *value = match both {
                    0.0 => 0.0,
                    both if both.is_nan() => f32::NAN,
                    _ => share as f32,
                };
            }
        }
    }

    fn reset(&mut self) {
        self.memories.iter_mut().for_each(Memory::reset);
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.memories.iter().for_each(|memory| memory.save(into));
    }

    fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.memories.iter_mut().try_for_each(|memory| memory.load(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::spectrum::testing::{assert_near, golden, sound, values};

    fn said(params: &str, x: &[f32], y: &[f32]) -> Vec<f64> {
        let inputs = [("x", Bench::channels(1, 250.0)), ("y", Bench::channels(1, 250.0))];
        let mut bench = Bench::with(&KIND, &inputs, params).expect("valid");
        bench.push_samples(0, x);
        bench.push_samples(1, y);
        bench.run();
        values(&mut bench)
    }

    const PARAMS: &str = "window_samples = 64\nhop_samples = 40\naverage = 4";

    #[test]
    fn it_is_scipys() {
        let x = sound(200, 1);
        let y: Vec<f32> = x.iter().zip(sound(200, 2)).map(|(x, z)| 0.5 * x + z).collect();
        let got = said(PARAMS, &x, &y);
        // Segments 1 to 4: two averages begin before the signal.
        let want = golden("coherence", "kind", "coherence");
        // Sums of some hundred products in f64, then 24 bits.
        assert_near(&got[2 * want.len()..][..want.len()], &want, 6e-8, 1e-12);
    }

    #[test]
    fn a_signal_and_itself_turned_round_are_one_and_silence_is_none() {
        let x = sound(400, 1);
        let y: Vec<f32> = x.iter().map(|x| -3.0 * x).collect();
        for value in said(PARAMS, &x, &y) {
            // Every factor of 3 is rounded to 24 bits.
            assert!((value - 1.0).abs() < 1e-6, "{value}");
        }
        assert!(said(PARAMS, &x, &[0.0; 400]).iter().all(|value| *value == 0.0));
    }
}
