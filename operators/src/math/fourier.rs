//! The spectrum of a stretch of samples under a window.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use realfft::{RealFftPlanner, RealToComplex};
use rustfft::{FftNum, num_complex::Complex};

/// A number that spectra are computed in.
pub(crate) trait Real: FftNum {
    /// The nearest such number.
    fn nearest(value: f64) -> Self;
    /// A sample.
    fn sample(value: f32) -> Self;
    /// Where plans are kept: all sessions share those of one length.
    fn planner() -> &'static Mutex<RealFftPlanner<Self>>;
}

impl Real for f32 {
    fn nearest(value: f64) -> Self {
        value as Self
    }

    fn sample(value: f32) -> Self {
        value
    }

    fn planner() -> &'static Mutex<RealFftPlanner<Self>> {
        static PLANNER: LazyLock<Mutex<RealFftPlanner<f32>>> = LazyLock::new(Mutex::default);
        &PLANNER
    }
}

impl Real for f64 {
    fn nearest(value: f64) -> Self {
        value
    }

    fn sample(value: f32) -> Self {
        value.into()
    }

    fn planner() -> &'static Mutex<RealFftPlanner<Self>> {
        static PLANNER: LazyLock<Mutex<RealFftPlanner<f64>>> = LazyLock::new(Mutex::default);
        &PLANNER
    }
}

/// The discrete Fourier transform of windowed real samples, with all the memory it needs:
///
/// ```text
/// X[k] = Σ w[n] · (x[n] − offset) · exp(−2πi k n / N),    k = 0 … N / 2
/// ```
#[derive(Clone)]
pub(crate) struct Fourier<T> {
    plan: Arc<dyn RealToComplex<T>>,
    window: Arc<[T]>,
    input: Vec<T>,
    spectrum: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

impl<T: Real> Fourier<T> {
    /// For stretches as long as `window`, with zeros behind them up to `len`.
    ///
    /// # Panics
    /// If `len` is shorter than the window, or 0.
    pub(crate) fn new(window: &[f64], len: usize) -> Self {
        assert!(len >= window.len() && len > 0, "a stretch fits into its transform");
        let mut planner = T::planner().lock().unwrap_or_else(PoisonError::into_inner);
        let plan = planner.plan_fft_forward(len);
        Self {
            window: window.iter().map(|&weight| T::nearest(weight)).collect(),
            input: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            plan,
        }
    }

    /// Frequencies from 0 to half the rate.
    pub(crate) fn bins(&self) -> usize {
        self.spectrum.len()
    }

    /// The spectrum of `samples`, as many as the window has weights.
    #[inline]
    pub(crate) fn transform(&mut self, samples: &[f32]) -> &[Complex<T>] {
        self.weigh(samples);
        self.run()
    }

    /// The same, put into `spectrum`, which has room for it and nothing else.
    #[inline]
    pub(crate) fn transform_into(&mut self, samples: &[f32], spectrum: &mut [Complex<T>]) {
        self.weigh(samples);
        self.plan
            .process_with_scratch(&mut self.input, spectrum, &mut self.scratch)
            .expect("the plan made the other buffers");
    }

    fn weigh(&mut self, samples: &[f32]) {
        let (head, tail) = self.input.split_at_mut(self.window.len());
        for ((to, &x), &weight) in head.iter_mut().zip(samples).zip(&*self.window) {
            *to = T::sample(x) * weight;
        }
        tail.fill(T::zero());
    }

    /// As [`Fourier::transform`], of the samples of `inside`, less their mean where `is_centred`; the
    /// others are 0.
    pub(crate) fn transform_inside(
        &mut self,
        samples: &[f32],
        inside: std::ops::Range<usize>,
        is_centred: bool,
    ) -> &[Complex<T>] {
        if !is_centred {
            return self.transform(samples);
        }
        let count = T::nearest(inside.len().max(1) as f64);
        let sum = |sum: T, &x: &f32| sum + T::sample(x);
        let mean = samples[inside.clone()].iter().fold(T::zero(), sum) / count;
        self.input.fill(T::zero());
        let weights = &self.window[inside.clone()];
        let input = &mut self.input[inside.clone()];
        for ((to, &x), &weight) in input.iter_mut().zip(&samples[inside]).zip(weights) {
            *to = (T::sample(x) - mean) * weight;
        }
        self.run()
    }

    fn run(&mut self) -> &[Complex<T>] {
        self.plan
            .process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch)
            .expect("the plan made these buffers");
        &self.spectrum
    }
}

/// Real and imaginary parts side by side as the numbers that they are; an odd one is left out.
#[expect(unsafe_code, reason = "no safe conversion knows what `Complex` is made of")]
pub(crate) fn as_complex(parts: &mut [f32]) -> &mut [Complex<f32>] {
    let pairs = parts.as_chunks_mut::<2>().0;
    // SAFETY: `Complex` is `repr(C)` with the fields `re` and `im`, so it lies in memory as `[f32; 2]`
    // does; any bits are numbers, and the slice goes on borrowing `parts`.
    unsafe { std::slice::from_raw_parts_mut(pairs.as_mut_ptr().cast(), pairs.len()) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn it_is_the_sum_of_its_formula() {
        let samples: Vec<f32> = (0..9).map(|n| (n * n % 7) as f32 - 2.5).collect();
        let window: Vec<f64> = (0..9).map(|n| 1.0 + 0.1 * n as f64).collect();
        let mut fourier = Fourier::<f64>::new(&window, 12);
        assert_eq!(fourier.bins(), 7);

        let mean = samples[2..].iter().map(|&x| f64::from(x)).sum::<f64>() / 7.0;
        for (first, mean) in [(0, 0.0), (2, mean)] {
            let got = match first {
                0 => fourier.transform(&samples).to_vec(),
                _ => fourier.transform_inside(&samples, 2..9, true).to_vec(),
            };
            for (k, got) in got.into_iter().enumerate() {
                let want: Complex<f64> = (first..9)
                    .map(|n| {
                        let turn = Complex::cis(-TAU * (k * n) as f64 / 12.0);
                        turn * (window[n] * (f64::from(samples[n]) - mean))
                    })
                    .sum();
                // Nine products of up to 7, each rounded some five times.
                assert!((got - want).norm() < 9.0 * 7.0 * 5.0 * f64::EPSILON, "{k}: {got} {want}");
            }
        }
    }
}
