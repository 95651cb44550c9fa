//! The spectrum of intervals put on an even grid, after Welch: neurokit2's `psd_method="welch"`.
//!
//! Through the intervals NN at the ends t of theirs goes a quadratic spline (SciPy's `interp1d` of that
//! kind: its pieces meet half-way between beats); its values 4 times a second from the first end on, less
//! their mean, are cut into segments as long as half of them, one beginning every half of that, and
//!
//! ```text
//! density = 2 / (4 Hz · Σ w²) · mean over segments |Σ w[m] x[m] exp(−iπ k m / n)|²    k = 0 … : f = 2 k / n Hz
//! ```
//!
//! with Hann's weights w over n samples and as many zeros behind them. Only frequencies below 0.5 Hz are
//! found, by Bluestein's chirp: transforms of one length serve segments of any.
//!
//! **Cost.** Segments move with the window, so the spectrum is found when it is asked for: some
//! 150 µs of five minutes. An interval that enters or leaves costs nothing else.

use std::{collections::VecDeque, f64::consts::PI, sync::Arc};

use rustfft::{Fft, FftPlanner, num_complex::Complex};

use super::{BandPowers, Interval, Measures, bands::BANDS_HZ};

/// Samples per second of the grid: neurokit2's `interpolation_rate=4`.
const RATE_HZ: f64 = 4.0;
/// Fewer intervals have no spectrum.
const INTERVALS_MIN: usize = 16;

/// The intervals of a window, and all memory that their spectrum takes.
#[derive(Clone)]
pub struct Welch {
    /// When each ended, and how many milliseconds it was long.
    intervals: VecDeque<(i64, f64)>,
    /// Of the spline: seconds, milliseconds, coefficients, and what elimination leaves above them.
    t: Vec<f64>,
    y: Vec<f64>,
    coefficients: Vec<f64>,
    above: Vec<f64>,
    grid: Vec<f64>,
    chirp: Vec<Complex<f64>>,
    kernel: Vec<Complex<f64>>,
    work: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    transform: Arc<dyn Fft<f64>>,
    density: Vec<f64>,
}

impl std::fmt::Debug for Welch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Welch").field("intervals", &self.intervals).finish_non_exhaustive()
    }
}

impl Welch {
    /// For so many intervals at most in a window of this length.
    pub fn new(capacity: usize, window_s: f64) -> Self {
        let room = (window_s * RATE_HZ).ceil() as usize + 2;
        let (segment, frequencies) = (room / 2 + 1, room / 8 + 2);
        let len = (segment + frequencies).next_power_of_two();
        let transform = FftPlanner::new().plan_fft_forward(len);
        let zeros = |len: usize| vec![Complex::default(); len];
        Self {
            intervals: VecDeque::with_capacity(capacity),
            t: Vec::with_capacity(capacity),
            y: Vec::with_capacity(capacity),
            coefficients: Vec::with_capacity(capacity),
            above: Vec::with_capacity(capacity),
            grid: Vec::with_capacity(room),
            chirp: Vec::with_capacity(segment.max(frequencies)),
            kernel: zeros(len),
            work: zeros(len),
            scratch: zeros(transform.get_inplace_scratch_len()),
            transform,
            density: Vec::with_capacity(frequencies),
        }
    }

    /// The power in each band; `None` of fewer than 16 intervals.
    pub fn bands(&mut self) -> Option<BandPowers> {
        let step_hz = self.find_density()?;
        Some(BandPowers::under(&self.density, 0, step_hz, 0.0))
    }

    /// Finds the density below 0.5 Hz, and says how far apart its frequencies are.
    fn find_density(&mut self) -> Option<f64> {
        if self.intervals.len() < INTERVALS_MIN {
            return None;
        }
        self.put_on_grid();
        let len = self.grid.len() / 2;
        let step_hz = RATE_HZ / (2 * len) as f64;
        let highest_hz = BANDS_HZ[BANDS_HZ.len() - 1].2;
        let frequencies = (highest_hz / step_hz - 1e-9).ceil() as usize;
        self.set_chirp(len, frequencies);
        self.density.clear();
        self.density.resize(frequencies, 0.0);

        let hann = |m: usize| 0.5 - 0.5 * (2.0 * PI * m as f64 / len as f64).cos();
        let energy: f64 = (0..len).map(|m| hann(m) * hann(m)).sum();
        let overlap = len / 2;
        let segments = (self.grid.len() - overlap) / (len - overlap);
        for segment in 0..segments {
            let samples = &self.grid[segment * (len - overlap)..][..len];
            for (m, (to, x)) in self.work.iter_mut().zip(samples).enumerate() {
                *to = self.chirp[m] * (x * hann(m));
            }
            self.work[len..].fill(Complex::default());
            self.convolve();
            // The chirp in front of a sum turns it, which no power tells.
            for (sum, x) in self.density.iter_mut().zip(&self.work) {
                *sum += x.norm_sqr();
            }
        }
        let scale = 1.0 / (RATE_HZ * energy * segments as f64);
        for (k, density) in self.density.iter_mut().enumerate() {
            *density *= if k == 0 { scale } else { 2.0 * scale };
        }
        Some(step_hz)
    }

    /// exp(−iπ j² / 2n), and the transform of what sums are convolved with.
    fn set_chirp(&mut self, len: usize, frequencies: usize) {
        let turn = |j: usize| {
            // Whole turns are taken off in whole numbers.
            let part = (j * j) % (4 * len);
            Complex::cis(-PI * part as f64 / (2 * len) as f64)
        };
        self.chirp.clear();
        self.chirp.extend((0..len.max(frequencies)).map(turn));
        self.kernel.fill(Complex::default());
        let end = self.kernel.len();
        for (j, turned) in self.chirp.iter().enumerate() {
            if j < frequencies {
                self.kernel[j] = turned.conj();
            }
            if (1..len).contains(&j) {
                self.kernel[end - j] = turned.conj();
            }
        }
        self.transform.process_with_scratch(&mut self.kernel, &mut self.scratch);
    }

    /// Convolves `work` with the kernel, around its end.
    fn convolve(&mut self) {
        self.transform.process_with_scratch(&mut self.work, &mut self.scratch);
        let scale = 1.0 / self.work.len() as f64;
        for (x, kernel) in self.work.iter_mut().zip(&self.kernel) {
            // Back by a transform forward, of the conjugate.
            *x = (*x * kernel * scale).conj();
        }
        self.transform.process_with_scratch(&mut self.work, &mut self.scratch);
    }

    /// Fills the grid with the spline less its mean.
    fn put_on_grid(&mut self) {
        let (front_ns, _) = self.intervals[0];
        self.t.clear();
        self.t.extend(self.intervals.iter().map(|(ns, _)| (ns - front_ns) as f64 * 1e-9));
        self.y.clear();
        self.y.extend(self.intervals.iter().map(|(_, ms)| *ms));
        self.fit();

        let (last, last_s) = (self.t.len() - 1, self.t[self.t.len() - 1]);
        // As many as NumPy's `arange` up to one behind the last has; beyond the last it holds.
        let count = (last_s * RATE_HZ + 1.0 - 1e-9).ceil() as usize;
        self.grid.clear();
        let mut piece = 1;
        for k in 0..count.min(self.grid.capacity()) {
            let at = k as f64 / RATE_HZ;
            while piece + 1 < last && at >= self.knot(piece + 2) {
                piece += 1;
            }
            let value = match at <= last_s {
                true => {
                    let weights = self.basis(piece, at);
                    let three = &self.coefficients[piece - 1..=piece + 1];
                    three.iter().zip(weights).map(|(c, w)| c * w).sum()
                }
                false => self.y[last],
            };
            self.grid.push(value);
        }
        let mean = self.grid.iter().sum::<f64>() / self.grid.len() as f64;
        self.grid.iter_mut().for_each(|x| *x -= mean);
    }

    /// Knots of the spline: the ends three times, and between them what lies half-way between points,
    /// but for the first and the last of these.
    fn knot(&self, number: usize) -> f64 {
        let last = self.t.len() - 1;
        match number {
            0..=2 => self.t[0],
            _ if number > last => self.t[last],
            _ => 0.5 * (self.t[number - 2] + self.t[number - 1]),
        }
    }

    /// The three B-splines that are not 0 at `at`, between knots `piece + 1` and `piece + 2`: those with
    /// numbers `piece − 1` to `piece + 1` (de Boor 1972).
    fn basis(&self, piece: usize, at: f64) -> [f64; 3] {
        let [a, b, c, d] = [0, 1, 2, 3].map(|n| self.knot(piece + n));
        let rise = (at - b) / (c - b);
        let left = (1.0 - rise) * (c - at) / (c - a);
        let right = rise * (at - b) / (d - b);
        [left, 1.0 - left - right, right]
    }

    /// Finds the coefficients with which the spline passes through all points: three unknowns in a row.
    fn fit(&mut self) {
        let last = self.t.len() - 1;
        self.coefficients.clear();
        self.above.clear();
        self.coefficients.push(self.y[0]);
        self.above.push(0.0);
        for i in 1..last {
            // The first and the last piece hold two points.
            let [left, middle, right] = self.basis(i, self.t[i]);
            let pivot = middle - left * self.above[i - 1];
            self.coefficients.push((self.y[i] - left * self.coefficients[i - 1]) / pivot);
            self.above.push(right / pivot);
        }
        self.coefficients.push(self.y[last]);
        for i in (1..last).rev() {
            self.coefficients[i] -= self.above[i] * self.coefficients[i + 1];
        }
    }
}

impl Measures for Welch {
    fn add(&mut self, interval: &Interval) {
        self.intervals.push_back((interval.time_ns, interval.rr_ns as f64 * 1e-6));
    }

    fn remove(&mut self, _: &Interval) {
        self.intervals.pop_front();
    }

    fn remove_difference(&mut self, _: &Interval, _: i64) {}

    fn clear(&mut self) {
        self.intervals.clear();
    }
}
