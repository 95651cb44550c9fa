//! [`Mel`]: the spectrogram that Whisper hears, in pieces that can be stopped between.
//!
//! | step | what |
//! |---|---|
//! | frames | 400 samples every 160; 200 are mirrored in front, zeros stand behind |
//! | spectrum | power of the Fourier transform under a Hann window |
//! | bands | the model's own filters; logarithm to base 10, of at least 1e-10 |
//! | range | nothing lies more than 8 below the highest; then (x + 4) / 4 |
//!
//! As `log_mel_spectrogram` of openai-whisper (`whisper/audio.py`) has it, and whisper.cpp after it, which takes ten times
//! as long, as its Fourier transform is a plain one, and cannot be stopped.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

/// Samples of a frame.
const FRAME: usize = 400;
/// Samples from one frame to the next.
pub(super) const HOP: usize = 160;
/// Frames between two looks at whether to stop: a tenth of a millisecond.
const FRAMES_AT_ONCE: usize = 32;
/// The power of nothing, as a logarithm.
const FLOOR: f32 = 1e-10;

/// What a model hears with: its filters.
pub(super) struct Filters {
    /// Of each band the first bin that counts, and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl Filters {
    /// Of each band 201 weights.
    pub(super) fn new(bands: usize, weights: &[f32]) -> Self {
        let bins = FRAME / 2 + 1;
        let of = |all: &[f32]| {
            let first = all.iter().position(|weight| *weight != 0.0).unwrap_or(0);
            let last = all.iter().rposition(|weight| *weight != 0.0).map_or(first, |at| at + 1);
            (first, all[first..last].to_vec())
        };
        Self { bands: weights.chunks_exact(bins).take(bands).map(of).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.bands.len()
    }
}

/// A worker's spectrogram.
pub(super) struct Mel {
    filters: Arc<Filters>,
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    /// Band by band, each of `len` frames.
    data: Vec<f32>,
    len: usize,
}

impl Mel {
    pub(super) fn new(filters: Arc<Filters>) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FRAME);
        let turn = std::f64::consts::TAU / FRAME as f64;
        let window = (0..FRAME).map(|n| (0.5 - 0.5 * (turn * n as f64).cos()) as f32).collect();
        let (frame, spectrum) = (fft.make_input_vec(), fft.make_output_vec());
        let (scratch, power) = (fft.make_scratch_vec(), vec![0.0; FRAME / 2 + 1]);
        let (data, len) = (Vec::new(), 0);
        Self { filters, fft, window, frame, spectrum, scratch, power, data, len }
    }

    /// How many frames audio of so many samples has, of whole ones and those that it ends in.
    pub(super) const fn frames(samples: usize) -> usize {
        // Half a frame stands in front.
        (samples + FRAME / 2).saturating_sub(FRAME) / HOP + 1
    }

    /// Of this audio, with `silent` frames behind it; nothing if `stops` said so meanwhile. 3 µs a frame.
    pub(super) fn of(
        &mut self,
        audio: &[f32],
        silent: usize,
        stops: impl Fn() -> bool,
    ) -> Option<&[f32]> {
        let bands = self.filters.len();
        // Frames that hold some of the audio, those that it ends in, too.
        let sounding = (audio.len() + FRAME / 2) / HOP + 1;
        self.len = Self::frames(audio.len()) + silent;
        let sounding = sounding.min(self.len);
        self.data.clear();
        self.data.resize(bands * self.len, FLOOR.log10());
        let mut most = FLOOR.log10();
        for at in 0..sounding {
            if at % FRAMES_AT_ONCE == 0 && stops() {
                return None;
            }
            self.cut(audio, at);
            self.fft
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect("the lengths are the transform's own");
            for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
                *power = bin.norm_sqr();
            }
            for (band, (first, weights)) in self.filters.bands.iter().enumerate() {
                let sum: f32 = self.power[*first..].iter().zip(weights).map(|(p, w)| p * w).sum();
                let level = sum.max(FLOOR).log10();
                most = most.max(level);
                self.data[band * self.len + at] = level;
            }
        }
        let least = most - 8.0;
        for level in &mut self.data {
            *level = (level.max(least) + 4.0) / 4.0;
        }
        (!stops()).then_some(&self.data)
    }

    /// Puts a frame under the window.
    fn cut(&mut self, audio: &[f32], at: usize) {
        let from = (at * HOP) as isize - (FRAME / 2) as isize;
        let whole = usize::try_from(from).ok().and_then(|from| audio.get(from..from + FRAME));
        if let Some(whole) = whole {
            for ((to, x), weight) in self.frame.iter_mut().zip(whole).zip(&self.window) {
                *to = x * weight;
            }
            return;
        }
        for (n, (to, weight)) in self.frame.iter_mut().zip(&self.window).enumerate() {
            // What lies in front is mirrored at the first sample.
            let sample = (from + n as isize).unsigned_abs();
            *to = audio.get(sample).map_or(0.0, |x| x * weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio() -> Vec<f32> {
        let tone = |n: usize, hz: f64| (std::f64::consts::TAU * hz * n as f64 / 16e3).sin();
        (0..4_000).map(|n| (0.3 * tone(n, 440.0) + 0.01 * tone(n, 3_100.0)) as f32).collect()
    }

    /// Triangles, as mel filters are.
    fn filters() -> (usize, Vec<f32>) {
        let mut weights = vec![0.0; 5 * 201];
        for band in 0..5 {
            for n in 0..21 {
                weights[201 * band + 30 * band + n] = 0.01 * (11 - n.abs_diff(10)) as f32;
            }
        }
        (5, weights)
    }

    #[test]
    fn a_spectrogram_is_what_its_formula_says() {
        let (bands, weights) = filters();
        let audio = audio();
        let mut mel = Mel::new(Arc::new(Filters::new(bands, &weights)));
        let got = mel.of(&audio, 10, || false).unwrap().to_vec();
        let len = mel.len;
        assert_eq!((len, Mel::frames(4_000)), (Mel::frames(4_000) + 10, 24));
        // In f64, from its definition.
        let at = |n: isize| audio.get(n.unsigned_abs()).map_or(0.0, |x| f64::from(*x));
        let mut want = vec![0.0_f64; bands * len];
        for frame in 0..len {
            let mut power = [0.0; 201];
            for (bin, power) in power.iter_mut().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for n in 0..400 {
                    let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / 400.0).cos();
                    let x = hann * at(160 * frame as isize - 200 + n as isize);
                    let angle = std::f64::consts::TAU * (bin * n) as f64 / 400.0;
                    re += x * angle.cos();
                    im -= x * angle.sin();
                }
                *power = re * re + im * im;
            }
            for band in 0..bands {
                let sum: f64 =
                    (0..201).map(|k| power[k] * f64::from(weights[201 * band + k])).sum();
                want[band * len + frame] = sum.max(1e-10).log10();
            }
        }
        let most = want.iter().copied().fold(f64::MIN, f64::max);
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            let want = (want.max(most - 8.0) + 4.0) / 4.0;
            // What lies 80 dB below the loudest is rounding of f32: a tenth of its digits there.
            assert!((f64::from(*got) - want).abs() < 2e-3, "{at}: {got} is not {want}");
        }
    }

    #[test]
    fn it_can_be_stopped_and_leaves_nothing() {
        let (bands, weights) = filters();
        let mut mel = Mel::new(Arc::new(Filters::new(bands, &weights)));
        let long = vec![0.1; 16_000 * 30];
        let asked = std::cell::Cell::new(0);
        let stops = || {
            asked.set(asked.get() + 1);
            asked.get() == 3
        };
        assert!(mel.of(&long, 0, stops).is_none());
        assert_eq!(asked.get(), 3, "asked every few frames");
        let first = mel.of(&audio(), 0, || false).unwrap().to_vec();
        let fresh = Mel::new(Arc::new(Filters::new(bands, &weights)))
            .of(&audio(), 0, || false)
            .unwrap()
            .to_vec();
        assert_eq!(first, fresh);
        // Nothing, and next to nothing.
        for len in [0, 1, 200, 201, 400] {
            let len = mel.of(&vec![0.5; len], 4, || false).unwrap().len();
            assert_eq!(len, bands * mel.len);
        }
    }
}
