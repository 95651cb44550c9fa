//! Causal complex filters for the amplitude and phase of a rhythm at a chosen lag.
//!
//! The ideal band-pass filter that also gives the quadrature (`H(f) = 2` from `low_hz` to
//! `high_hz`, 0 elsewhere and at negative frequencies) sees the future. Of all filters with N
//! complex taps this is the one whose output comes nearest, in the mean square, to the ideal one's
//! of `D` seconds ago, for signals with the spectrum `S(f)` of a resting brain: `1 / f^slope`, raised
//! near 10 Hz by its alpha, a drifting offset, and hum. It solves the normal equations of Wiener and Hopf,
//!
//! ```text
//! Σ_j R(k − j) b_j = r(k),   R(k) = ∫ S(f) cos(2πfk) df,   r(k) = ∫ S(f) H(f) exp(2πjf (k − D)) df
//! ```
//!
//! by Levinson's recursion. `|Σ b_k x(n − k)|` is the amplitude, its angle the phase. With few future
//! samples to come the best filter is later than `D`: **its lag** is where its output resembles the
//! ideal one most, the peak of `|∫ S H B exp(2πjfτ) df|` over τ; `D` is sought so that the lag is the
//! one asked for. The square of that peak, scaled to 1 for the ideal filter, is about the correlation
//! of the amplitudes in `1 / f` noise, and says what can be had at that lag.
//!
//! Source: Smetanin, Belinskaya, Lebedev, Ossadtchi 2020, *Digital filters for low-latency
//! quantification of brain rhythms in real time* (the weighted cFIR); Levinson 1947.

use std::{error::Error, f64::consts::TAU, fmt};

use rustfft::{FftPlannerScalar, num_complex::Complex};

/// Most taps: more are a convolution by FFT, and take long to design.
pub const TAPS_MAX: usize = 2_048;

/// What a filter shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CfirParameters {
    /// Samples per second.
    pub rate_hz: f64,
    /// Lower edge of the rhythm.
    pub low_hz: f64,
    /// Upper edge.
    pub high_hz: f64,
    /// How late amplitude and phase may be.
    pub lag_s: f64,
    /// Length of the filter.
    pub taps: usize,
    /// Exponent of the noise that the rhythm stands in: 1 for a resting brain, 0 for white noise.
    pub slope: f64,
    /// How far alpha, a bell of 1 Hz around 10 Hz, stands above that noise: 5 for a resting brain. The
    /// neighbours' filters must keep it out.
    pub alpha: f64,
}

/// A complex filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Cfir {
    /// Real and imaginary part of the taps, the newest sample's first. A steady sinusoid in the
    /// middle of the band has its own amplitude.
    pub taps: Vec<[f64; 2]>,
    /// How late the amplitude is.
    pub lag_s: f64,
    /// Squared correlation with the ideal filter's output, 0 to 1.
    pub likeness: f64,
}

/// A filter that cannot be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CfirError {
    /// The edges do not rise between 0 and half the rate.
    Edges,
    /// Fewer than 8 or more than [`TAPS_MAX`] taps.
    Taps(usize),
    /// No filter of this length has such a lag; the least and the largest there are.
    Lag {
        /// Seconds.
        least_s: f64,
        /// Seconds.
        most_s: f64,
    },
}

impl fmt::Display for CfirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edges => f.write_str("the edges do not rise between 0 and half the sample rate"),
            Self::Taps(taps) => write!(f, "{taps} taps are outside 8 to {TAPS_MAX}"),
            Self::Lag { least_s, most_s } => {
                let (least_ms, most_ms) = (1e3 * least_s, 1e3 * most_s);
                write!(f, "such a filter is {least_ms:.1} to {most_ms:.1} ms late")
            }
        }
    }
}

impl Error for CfirError {}

/// A hold on offsets: this much more power at 0 Hz than in all noise lets 1e-6 of them through.
const DRIFT: f64 = 1e4;
/// Hum of ten times the power of all noise, where it lies outside the band.
const HUM: f64 = 10.0;
const HUMS_HZ: [f64; 2] = [50.0, 60.0];
/// White noise, of an amplifier: keeps the equations well conditioned.
const WHITE: f64 = 1e-4;
/// Where alpha is.
const ALPHA_HZ: f64 = 10.0;
/// Noise of a brain does not rise below.
const FLOOR_HZ: f64 = 0.5;

/// The filter with the lag asked for.
///
/// # Errors
/// What cannot be.
pub fn design(parameters: &CfirParameters) -> Result<Cfir, CfirError> {
    let CfirParameters { rate_hz, low_hz, high_hz, taps, .. } = *parameters;
    if !(0.0 < low_hz && low_hz < high_hz && high_hz < 0.5 * rate_hz) {
        return Err(CfirError::Edges);
    }
    if !(8..=TAPS_MAX).contains(&taps) {
        return Err(CfirError::Taps(taps));
    }
    let mut model = Model::new(parameters);
    // A target in the future costs likeness and gains little; one beyond the middle gains nothing.
    let (mut early, mut late) = (0.0, 0.5 * taps as f64);
    let wanted = parameters.lag_s * rate_hz;
    let mut miss = |delay: f64| {
        let filter = model.filter(delay);
        (filter.lag_s * rate_hz - wanted, filter)
    };
    let (mut too_soon, first) = miss(early);
    let (mut too_late, mut best) = miss(late);
    if too_soon > 0.0 || too_late < 0.0 {
        return Err(CfirError::Lag { least_s: first.lag_s, most_s: best.lag_s });
    }
    if too_soon == 0.0 {
        return Ok(first);
    }
    // The lag grows with the target: regula falsi, with Illinois' halving of the end that stays twice.
    let mut was_late = true;
    for _ in 0..TRIALS {
        if too_late.abs() < LAG_SAMPLES || too_late == too_soon {
            break;
        }
        let delay = (early * too_late - late * too_soon) / (too_late - too_soon);
        let (off, filter) = miss(delay);
        best = filter;
        if off.abs() < LAG_SAMPLES {
            break;
        }
        let is_late = off > 0.0;
        let stays = if is_late == was_late { 0.5 } else { 1.0 };
        if is_late {
            (late, too_late, too_soon) = (delay, off, stays * too_soon);
        } else {
            (early, too_soon, too_late) = (delay, off, stays * too_late);
        }
        was_late = is_late;
    }
    Ok(best)
}

/// The lag is met to so much of a sample, after a few trials.
const LAG_SAMPLES: f64 = 1e-5;
const TRIALS: usize = 40;

/// The model of the signal, and what follows from it for every lag.
struct Model {
    rate_hz: f64,
    centre_hz: f64,
    /// R(k).
    signal: Vec<f64>,
    /// S(f) H(f) on the grid of the transform, and the power of the ideal filter's output.
    ideal: Vec<f64>,
    ideal_power: f64,
    grid: Vec<Complex<f64>>,
    forward: std::sync::Arc<dyn rustfft::Fft<f64>>,
    inverse: std::sync::Arc<dyn rustfft::Fft<f64>>,
}

impl Model {
    fn new(parameters: &CfirParameters) -> Self {
        let CfirParameters { rate_hz, low_hz, high_hz, taps, slope, alpha, .. } = *parameters;
        // Correlations of as many lags as there are taps must not run into their mirror images.
        let len = (16 * taps).next_power_of_two();
        // The same taps on every machine: no instruction set is chosen.
        let mut planner = FftPlannerScalar::new();
        let (forward, inverse) = (planner.plan_fft_forward(len), planner.plan_fft_inverse(len));
        let step_hz = rate_hz / len as f64;
        let floor_hz = FLOOR_HZ.min(0.25 * low_hz);
        let bell = |hz: f64| (-0.5 * (hz.abs() - ALPHA_HZ).powi(2)).exp();
        let noise = |hz: f64| hz.abs().max(floor_hz).powf(-slope) * (1.0 + alpha * bell(hz));
        let hz = |n: usize| step_hz * (if 2 * n > len { n as f64 - len as f64 } else { n as f64 });

        let mut grid: Vec<_> = (0..len).map(|n| Complex::from(noise(hz(n)))).collect();
        inverse.process(&mut grid);
        let power = grid[0].re;
        let hums = HUMS_HZ.iter().filter(|&&hum| !(low_hz..=high_hz).contains(&hum));
        let hums: Vec<f64> = hums.copied().filter(|&hum| hum < 0.5 * rate_hz).collect();
        let mut signal: Vec<f64> = grid[..taps].iter().map(|r| r.re).collect();
        for (k, r) in signal.iter_mut().enumerate() {
            *r += power * DRIFT;
            let turn = TAU * k as f64 / rate_hz;
            *r += hums.iter().map(|hum| power * HUM * (turn * hum).cos()).sum::<f64>();
        }
        signal[0] += power * WHITE;

        // An edge between two lines of the grid takes its share of the nearer one.
        let share = |hz: f64| {
            let upper = (hz + 0.5 * step_hz).min(high_hz);
            (upper - (hz - 0.5 * step_hz).max(low_hz)).max(0.0) / step_hz
        };
        let lines = |n: usize| if 2 * n < len { share(hz(n)) } else { 0.0 };
        let ideal: Vec<f64> = (0..len).map(|n| 2.0 * noise(hz(n)) * lines(n)).collect();
        let ideal_power = 2.0 * ideal.iter().sum::<f64>();
        let centre_hz = (low_hz * high_hz).sqrt();
        Self { rate_hz, centre_hz, signal, ideal, ideal_power, grid, forward, inverse }
    }

    /// The best filter for the target `delay` samples ago.
    fn filter(&mut self, delay: f64) -> Cfir {
        let (len, taps) = (self.grid.len(), self.signal.len());
        for (n, (cell, ideal)) in self.grid.iter_mut().zip(&self.ideal).enumerate() {
            *cell = Complex::from_polar(*ideal, -TAU * delay * n as f64 / len as f64);
        }
        self.inverse.process(&mut self.grid);
        let wanted: Vec<_> = self.grid[..taps].iter().map(|r| [r.re, r.im]).collect();
        let mut filter = toeplitz(&self.signal, &wanted);

        // What its output has in common with the ideal one, and its power in that noise.
        self.grid.fill(Complex::from(0.0));
        for (cell, [re, im]) in self.grid.iter_mut().zip(&filter) {
            *cell = Complex::new(*re, *im);
        }
        self.forward.process(&mut self.grid);
        let power = quadratic(&self.signal, &filter);
        for (cell, ideal) in self.grid.iter_mut().zip(&self.ideal) {
            *cell *= *ideal;
        }
        self.inverse.process(&mut self.grid);
        let common: Vec<f64> = self.grid[..taps].iter().map(|c| c.norm()).collect();
        let (lag, peak) = highest(&common);

        let centre = filter.iter().enumerate().fold(Complex::from(0.0), |sum, (k, [re, im])| {
            let turn = Complex::from_polar(1.0, -TAU * self.centre_hz / self.rate_hz * k as f64);
            sum + Complex::new(*re, *im) * turn
        });
        // The real sinusoid of amplitude 1 is two complex ones of a half.
        let scale = 2.0 / centre.norm();
        filter.iter_mut().flatten().for_each(|part| *part *= scale);
        Cfir {
            taps: filter,
            lag_s: lag / self.rate_hz,
            likeness: peak * peak / (power * self.ideal_power),
        }
    }
}

/// Where a sequence is highest, between its samples, and how high.
fn highest(values: &[f64]) -> (f64, f64) {
    let (at, &peak) =
        values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("there are taps");
    if at == 0 || at + 1 == values.len() {
        return (at as f64, peak);
    }
    let (before, behind) = (values[at - 1], values[at + 1]);
    let bend = before - 2.0 * peak + behind;
    let off = if bend == 0.0 { 0.0 } else { 0.5 * (before - behind) / bend };
    (at as f64 + off, peak - 0.25 * (before - behind) * off)
}

/// The power that a filter lets through: Σ Σ R(k − j) conj(b_k) b_j.
fn quadratic(signal: &[f64], filter: &[[f64; 2]]) -> f64 {
    let row = |k: usize, part: usize| -> f64 {
        filter.iter().enumerate().map(|(j, b)| signal[k.abs_diff(j)] * b[part]).sum()
    };
    (0..filter.len()).map(|k| filter[k][0] * row(k, 0) + filter[k][1] * row(k, 1)).sum()
}

/// Solves `Σ_j first[|k − j|] x_j = wanted_k` for two right-hand sides by Levinson's recursion.
fn toeplitz(first: &[f64], wanted: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut solution = vec![[0.0; 2]; wanted.len()];
    // The forward predictor: row times it is (error, 0, 0, …).
    let mut predictor = vec![0.0; wanted.len()];
    let mut next = predictor.clone();
    predictor[0] = 1.0;
    let mut error = first[0];
    solution[0] = wanted[0].map(|w| w / error);
    for n in 1..wanted.len() {
        let missed: f64 = (0..n).map(|j| first[n - j] * predictor[j]).sum();
        let reflection = -missed / error;
        for j in 0..=n {
            let mirrored = if j == 0 { 0.0 } else { predictor[n - j] };
            next[j] = predictor[j] + reflection * mirrored;
        }
        std::mem::swap(&mut predictor, &mut next);
        error *= 1.0 - reflection * reflection;
        for part in 0..2 {
            let got: f64 = (0..n).map(|j| first[n - j] * solution[j][part]).sum();
            let gain = (wanted[n][part] - got) / error;
            for j in 0..=n {
                solution[j][part] += gain * predictor[n - j];
            }
        }
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::golden;

    const ALPHA: CfirParameters = CfirParameters {
        rate_hz: 250.0,
        low_hz: 8.0,
        high_hz: 13.0,
        lag_s: 0.09,
        taps: 125,
        slope: 1.0,
        alpha: 5.0,
    };

    #[test]
    fn the_taps_are_those_of_scipys_solver() {
        let text = include_str!("../../../tests/golden/cfir.json");
        let mut seen = 0;
        for case in golden::cases(text) {
            let number = |key: &str| golden::numbers(case, key)[0];
            let mut model = Model::new(&CfirParameters {
                rate_hz: number("rate_hz"),
                low_hz: number("low_hz"),
                high_hz: number("high_hz"),
                lag_s: 0.0,
                taps: number("taps") as usize,
                slope: number("slope"),
                alpha: number("alpha"),
            });
            let got = model.filter(number("delay"));
            let (re, im) = (golden::numbers(case, "re"), golden::numbers(case, "im"));
            assert_eq!(got.taps.len(), re.len());
            // The largest eigenvalue of the equations is 1e4 N, the smallest 1e-4 of a power of 1:
            // both solvers lose up to 1e8 N · 1e-16 = 1e-6 of the largest tap.
            for (n, (tap, (re, im))) in got.taps.iter().zip(re.iter().zip(&im)).enumerate() {
                let off = (tap[0] - re).hypot(tap[1] - im);
                assert!(off < 1e-6, "tap {n} is off by {off}");
            }
            assert!((got.lag_s - number("lag_s")).abs() < 1e-6);
            assert!((got.likeness - number("likeness")).abs() < 1e-6);
            seen += 1;
        }
        assert_eq!(seen, 4);
    }

    #[test]
    fn the_lag_is_the_one_asked_for() {
        for lag_s in [0.06, 0.09, 0.15, 0.25] {
            let filter = design(&CfirParameters { lag_s, ..ALPHA }).expect("possible");
            // It is met to 1e-5 of a sample of 4 ms.
            assert!((filter.lag_s - lag_s).abs() < 1e-6, "{} is not {lag_s}", filter.lag_s);
        }
        let likeness = |lag_s| design(&CfirParameters { lag_s, ..ALPHA }).expect("one").likeness;
        assert!(likeness(0.06) < likeness(0.09) && likeness(0.09) < likeness(0.15));
        assert!(likeness(0.15) < 1.0);
    }

    #[test]
    fn a_sinusoid_in_the_middle_keeps_its_amplitude_and_an_offset_vanishes() {
        let filter = design(&ALPHA).expect("possible");
        let at = |hz: f64| {
            let sum = filter.taps.iter().enumerate().fold(Complex::from(0.0), |sum, (k, tap)| {
                let turn = Complex::from_polar(1.0, -TAU * hz / 250.0 * k as f64);
                sum + Complex::new(tap[0], tap[1]) * turn
            });
            sum.norm()
        };
        assert!((at(104f64.sqrt()) - 2.0).abs() < 1e-12);
        // What the negative frequency lets through makes the amplitude ripple at twice the frequency.
        assert!(at(-104f64.sqrt()) < 0.2, "{}", at(-104f64.sqrt()));
        assert!(at(0.0) < 1e-5 && at(50.0) < 0.01 && at(60.0) < 0.01);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |parameters: CfirParameters| design(&parameters).expect_err("refused");
        assert_eq!(told(CfirParameters { high_hz: 125.0, ..ALPHA }), CfirError::Edges);
        assert_eq!(told(CfirParameters { taps: 7, ..ALPHA }), CfirError::Taps(7));
        let early = told(CfirParameters { lag_s: 0.01, ..ALPHA });
        let CfirError::Lag { least_s, most_s } = early else { panic!("{early}") };
        assert!((0.04..0.07).contains(&least_s) && (0.2..0.3).contains(&most_s), "{early}");
    }
}
