//! Sums over the intervals of a window, and the measures that follow from them.

use super::Interval;

/// Values of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HrvValues {
    /// Accepted intervals in the window.
    pub intervals: usize,
    /// Intervals in the window that were left out.
    pub left_out: usize,
    /// Length of the accepted intervals together.
    pub span_s: f64,
    /// Differences of neighbouring accepted intervals in the window.
    pub differences: usize,
    /// Mean interval.
    pub mean_ms: f64,
    /// 60 000 / `mean_ms`.
    pub heart_rate_bpm: f64,
    /// Standard deviation of the intervals; needs two.
    pub sdnn_ms: Option<f64>,
    /// Root mean square of the differences; needs one.
    pub rmssd_ms: Option<f64>,
    /// Share of differences above 50 ms, in per cent; needs one.
    pub pnn50_pct: Option<f64>,
}

/// Exact sums over a window. 60 s squared, times the 864 002 intervals a window can hold, times
/// their number again, is below 2^112.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) intervals: i128,
    pub(super) rr_ns: i128,
    pub(super) rr_squared: i128,
    pub(super) differences: i128,
    pub(super) difference_squared: i128,
    above_50_ms: i128,
}

/// 50 ms, and what rounding three time stamps to whole nanoseconds can add to a difference of two
/// intervals (0.5 + 2 · 0.5 + 0.5). At 360 Hz one tie in ten would else count or not by chance; a
/// true difference is a sample longer, at least 10 ns at any rate up to 100 MHz.
pub(super) const TIE_NS: i64 = 50_000_002;

impl Sums {
    pub(super) fn add(&mut self, interval: &Interval) {
        self.change(interval, 1);
    }

    pub(super) fn remove(&mut self, interval: &Interval) {
        self.change(interval, -1);
    }

    pub(super) fn remove_difference(&mut self, difference_ns: i64) {
        self.change_difference(difference_ns, -1);
    }

    fn change(&mut self, interval: &Interval, sign: i128) {
        let rr_ns = i128::from(interval.rr_ns);
        self.intervals += sign;
        self.rr_ns += sign * rr_ns;
        self.rr_squared += sign * rr_ns * rr_ns;
        if let Some(difference_ns) = interval.difference_ns {
            self.change_difference(difference_ns, sign);
        }
    }

    fn change_difference(&mut self, difference_ns: i64, sign: i128) {
        self.differences += sign;
        self.difference_squared += sign * i128::from(difference_ns) * i128::from(difference_ns);
        self.above_50_ms += sign * i128::from(difference_ns.abs() > TIE_NS);
    }

    pub(super) fn values(&self) -> Option<HrvValues> {
        if self.intervals == 0 {
            return None;
        }
        let (n, m) = (self.intervals as f64, self.differences as f64);
        let mean_ms = self.rr_ns as f64 / n / 1e6;
        // n Σx² − (Σx)² is exact here, so nothing cancels.
        let spread = (self.intervals * self.rr_squared - self.rr_ns * self.rr_ns) as f64;
        let has_spread = self.intervals > 1;
        let has_differences = self.differences > 0;
        Some(HrvValues {
            intervals: self.intervals as usize,
            left_out: 0,
            span_s: self.rr_ns as f64 / 1e9,
            differences: self.differences as usize,
            mean_ms,
            heart_rate_bpm: 60_000.0 / mean_ms,
            sdnn_ms: has_spread.then(|| (spread / (n * (n - 1.0))).sqrt() / 1e6),
            rmssd_ms: has_differences.then(|| (self.difference_squared as f64 / m).sqrt() / 1e6),
            pnn50_pct: has_differences.then(|| 100.0 * self.above_50_ms as f64 / m),
        })
    }
}
