//! The spectrum of unevenly spaced intervals, after Lomb and Scargle.
//!
//! At each frequency the sine of any phase, with a mean of its own, that fits the intervals NN best
//! at the ends t of theirs (Zechmeister and Kürster 2009, Astron Astrophys 496:577; astropy's
//! `LombScargle` with `fit_mean`). With averages ⟨…⟩ over the n intervals of the window,
//!
//! ```text
//! C = ⟨cos ωt⟩    S = ⟨sin ωt⟩    C₂ = ⟨cos 2ωt⟩    S₂ = ⟨sin 2ωt⟩
//! YC = ⟨NN cos ωt⟩ − ⟨NN⟩ C       YS likewise
//! CC = (1 + C₂)/2 − C²    SS = (1 − C₂)/2 − S²    CS = S₂/2 − C S
//! p  = (SS·YC² + CC·YS² − 2 CS·YC·YS) / (CC·SS − CS²)
//! density = p · T          T: from the first end to the last; p · n/2 is astropy's `psd`
//! ```
//!
//! over f = k / (5 · window), from four cycles a window up to 0.5 Hz.
//!
//! **Update.** Frequencies do not move with the window and all are multiples of one, so the sums are
//! brought up to date with the cosines of the interval that enters or leaves: O(frequencies) a beat,
//! where computing afresh is that times the intervals. Cosines are rounded to 28 bits (4e-9) and
//! intervals to microseconds, so that sums are whole numbers: they never drift, and are what they
//! would be afresh.

use std::f64::consts::TAU;

use super::{BandPowers, Interval, Measures, bands::BANDS_HZ};

/// Frequencies per 1 / window: astropy's `samples_per_peak`.
const PER_PEAK: i64 = 5;
/// Cycles in the window below which nothing is told: two in half of it, as neurokit2 has it.
const CYCLES_MIN: usize = 4;
/// Cosines in 1/2²⁸. With intervals in microseconds that add up to at most two hours and a minute,
/// sums stay below 2⁶¹.
const ONE: f64 = (1_u64 << 28) as f64;
/// The longest window for which that holds.
pub const WINDOW_S_MAX: f64 = 7_200.0;
/// What a full window may lack at its edges.
const EDGES_S: f64 = 3.0;
/// Fewer intervals have no spectrum.
const INTERVALS_MIN: i64 = 16;

/// Sums over the intervals of a window at one frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    cos: i64,
    sin: i64,
    cos_twice: i64,
    sin_twice: i64,
    rr_cos: i64,
    rr_sin: i64,
}

/// The sums of every frequency.
#[derive(Clone, Debug)]
pub struct LombScargle {
    /// All frequencies are multiples of one with this period.
    period_ns: i64,
    sums: Vec<Sums>,
    count: i64,
    rr_us: i64,
    ends_ns: std::collections::VecDeque<i64>,
    density: Vec<f64>,
}

impl LombScargle {
    /// For so many intervals at most in a window of this length.
    pub fn new(capacity: usize, window_s: f64) -> Self {
        let period_ns = PER_PEAK * (window_s * 1e9).round() as i64;
        let highest_hz = BANDS_HZ[BANDS_HZ.len() - 1].2;
        let last = (highest_hz * period_ns as f64 / 1e9 + 1e-9) as usize;
        let len = (last + 1).saturating_sub(Self::FIRST);
        Self {
            period_ns,
            sums: vec![Sums::default(); len],
            count: 0,
            rr_us: 0,
            ends_ns: std::collections::VecDeque::with_capacity(capacity),
            density: vec![0.0; len],
        }
    }

    const FIRST: usize = CYCLES_MIN * PER_PEAK as usize;

    /// Frequencies are this far apart.
    pub fn step_hz(&self) -> f64 {
        1e9 / self.period_ns as f64
    }

    /// The first frequency.
    pub fn first_hz(&self) -> f64 {
        Self::FIRST as f64 * self.step_hz()
    }

    /// Power density in ms²/Hz at every frequency; `None` of fewer than 16 intervals.
    pub fn density(&mut self) -> Option<&[f64]> {
        let (first, last) = self.ends_ns.front().zip(self.ends_ns.back())?;
        if self.count < INTERVALS_MIN {
            return None;
        }
        let span_s = last.saturating_sub(*first) as f64 / 1e9;
        let scale = 1.0 / (self.count as f64 * ONE);
        let mean_us = self.rr_us as f64 / self.count as f64;
        for (density, sums) in self.density.iter_mut().zip(&self.sums) {
            *density = power_us2(sums, scale, mean_us) * span_s / 1e6;
        }
        Some(&self.density)
    }

    /// Power per band.
    pub fn bands(&mut self) -> Option<BandPowers> {
        let step_hz = self.step_hz();
        let (Some(first), Some(last)) = (self.ends_ns.front(), self.ends_ns.back()) else {
            return None;
        };
        // While the window fills, what is there does not reach down as far as the window will. A beat
        // or two are always missing at its edges.
        let span_s = last.saturating_sub(*first) as f64 / 1e9 + EDGES_S;
        let lowest_hz = CYCLES_MIN as f64 / span_s;
        self.density().map(|density| BandPowers::under(density, Self::FIRST, step_hz, lowest_hz))
    }

    fn change(&mut self, interval: &Interval, sign: i64) {
        let rr_us = sign * ((interval.rr_ns + 500) / 1_000);
        self.count += sign;
        self.rr_us += rr_us;
        let turn = interval.time_ns.rem_euclid(self.period_ns) as f64 / self.period_ns as f64;
        // Four rows of frequencies, each turned on by four steps at a time: they do not wait for each
        // other.
        let at = |k: usize| {
            let (sin, cos) = (TAU * (k as f64 * turn).fract()).sin_cos();
            [cos, sin]
        };
        let mut rows = [0, 1, 2, 3].map(|row| at(Self::FIRST + row));
        let step = at(4);
        for four in self.sums.chunks_mut(4) {
            for (sums, z) in four.iter_mut().zip(&mut rows) {
                turn_in(sums, *z, sign, rr_us);
                *z = [z[0] * step[0] - z[1] * step[1], z[0] * step[1] + z[1] * step[0]];
            }
        }
    }
}

/// Adds what an interval has at one frequency, or takes it away.
fn turn_in(sums: &mut Sums, [cos, sin]: [f64; 2], sign: i64, rr_us: i64) {
    // Half away from zero or half up does not matter; the same both ways does.
    let fixed = |value: f64| i64::from((value * ONE) as i32);
    let (c, s) = (fixed(cos), fixed(sin));
    sums.cos += sign * c;
    sums.sin += sign * s;
    sums.cos_twice += sign * fixed(cos * cos - sin * sin);
    sums.sin_twice += sign * fixed(2.0 * cos * sin);
    sums.rr_cos += rr_us * c;
    sums.rr_sin += rr_us * s;
}

/// How much a sine lowers the mean square, in µs².
fn power_us2(sums: &Sums, scale: f64, mean_us: f64) -> f64 {
    let [c, s] = [sums.cos, sums.sin].map(|sum| sum as f64 * scale);
    let [c2, s2] = [sums.cos_twice, sums.sin_twice].map(|sum| sum as f64 * scale);
    let yc = sums.rr_cos as f64 * scale - mean_us * c;
    let ys = sums.rr_sin as f64 * scale - mean_us * s;
    let (cc, ss, cs) = (0.5 * (1.0 + c2) - c * c, 0.5 * (1.0 - c2) - s * s, 0.5 * s2 - c * s);
    let determinant = cc * ss - cs * cs;
    // With one phase all intervals lie at, as many sines fit as there are.
    if determinant < 1e-6 {
        return 0.0;
    }
    (ss * yc * yc + cc * ys * ys - 2.0 * cs * yc * ys) / determinant
}

impl Measures for LombScargle {
    fn add(&mut self, interval: &Interval) {
        self.ends_ns.push_back(interval.time_ns);
        self.change(interval, 1);
    }

    fn remove(&mut self, interval: &Interval) {
        self.ends_ns.pop_front();
        self.change(interval, -1);
    }

    fn remove_difference(&mut self, _: &Interval, _: i64) {}

    fn clear(&mut self) {
        self.sums.fill(Sums::default());
        self.ends_ns.clear();
        (self.count, self.rr_us) = (0, 0);
    }
}
