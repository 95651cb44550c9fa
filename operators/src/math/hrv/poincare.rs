//! The ellipse of the Poincaré plot: each interval over the one before it.
//!
//! With the pairs (x, y) of neighbouring intervals that share a beat (Brennan 2001, IEEE Trans
//! Biomed Eng 48:1342; Toichi 1997):
//!
//! ```text
//! SD1 = std((x − y)/√2)     SD2 = std((x + y)/√2)     S = π · SD1 · SD2
//! CSI = SD2 / SD1           CVI = log₁₀(16 · SD1 · SD2)   CSI modified = 4 · SD2² / SD1
//! ```
//!
//! Standard deviations divide by m − 1, as neurokit2's do. Sums are whole nanoseconds: exact.

use std::f64::consts::PI;

use super::Interval;

/// Sums over the pairs of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pairs {
    count: i128,
    difference: i128,
    difference_squared: i128,
    sum: i128,
    sum_squared: i128,
}

/// The ellipse; needs two pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Poincare {
    /// Short axis.
    pub sd1_ms: f64,
    /// Long axis.
    pub sd2_ms: f64,
}

impl Poincare {
    /// SD1 / SD2.
    pub fn ratio(&self) -> f64 {
        self.sd1_ms / self.sd2_ms
    }

    /// Area of the ellipse, in ms².
    pub fn area_ms2(&self) -> f64 {
        PI * self.sd1_ms * self.sd2_ms
    }

    /// Cardiac sympathetic index.
    pub fn csi(&self) -> f64 {
        self.sd2_ms / self.sd1_ms
    }

    /// Cardiac vagal index.
    pub fn cvi(&self) -> f64 {
        (16.0 * self.sd1_ms * self.sd2_ms).log10()
    }

    /// The modified sympathetic index, in ms.
    pub fn csi_modified_ms(&self) -> f64 {
        4.0 * self.sd2_ms * self.sd2_ms / self.sd1_ms
    }
}

impl Pairs {
    /// A pair enters (1) or leaves (−1): an interval and its difference from the one before it.
    pub(super) fn change(&mut self, interval: &Interval, difference_ns: i64, sign: i128) {
        let difference = i128::from(difference_ns);
        let sum = 2 * i128::from(interval.rr_ns) - difference;
        self.count += sign;
        self.difference += sign * difference;
        self.difference_squared += sign * difference * difference;
        self.sum += sign * sum;
        self.sum_squared += sign * sum * sum;
    }

    pub(super) fn values(&self) -> Option<Poincare> {
        let (m, count) = (self.count, self.count as f64);
        // (x ± y)/√2 has half the variance of x ± y.
        let deviation = |squared: i128, sum: i128| {
            let spread = (m * squared - sum * sum) as f64;
            (spread / (2.0 * count * (count - 1.0))).sqrt() / 1e6
        };
        (m > 1).then(|| Poincare {
            sd1_ms: deviation(self.difference_squared, self.difference),
            sd2_ms: deviation(self.sum_squared, self.sum),
        })
    }
}
