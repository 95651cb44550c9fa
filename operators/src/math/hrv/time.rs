//! The rest of the time domain: statistics by rank, of differences, of segments, and geometry.
//!
//! Besides what [`super::HrvValues`] holds, over the intervals NN of a window and the differences d
//! of neighbours that share a beat, by the names of neurokit2's `hrv_time`:
//!
//! ```text
//! SDSD    √( Σ (d − mean)² / (m − 1) )       pNN20  as pNN50, above 20 ms
//! CVNN    SDNN / mean     CVSD  RMSSD / mean     SDRMSSD  SDNN / RMSSD
//! median, MAD = 1.4826 · median |NN − median|, MCVNN = MAD / median
//! IQR, 20th and 80th percentile: straight lines between ranks
//! HTI     n / the highest bin of the histogram, bins of 1/128 s
//! TINN    width of the triangle fitted to the histogram by least squares
//! SDANNk  standard deviation of the means of segments of k minutes; at least three of them
//! SDNNIk  mean of their standard deviations
//! ```
//!
//! Segments begin with the first interval of the window; an interval belongs to that in which it
//! ends, and there are as many as the window's length rounds to. neurokit2 leaves out the last
//! interval of each segment; of triangles it tries those that begin with the shortest interval, and
//! takes none with a sum of squares above 2¹⁴. Here the best of all is taken.
//!
//! **Cost.** An interval is sorted in and out (O(log n) and a short move of memory); the values cost
//! O(log n) and a pass over the bins in use.

use std::collections::VecDeque;

use super::{Interval, Measures, sums::TIE_NS};
use crate::math::sorted::{Sorted, median_distance, quantile};

/// 1/128 s.
const BIN_NS: i64 = 7_812_500;
/// As for the tie at 50 ms.
const TIE_20_NS: i64 = TIE_NS - 30_000_000;
/// Standard deviation of a normal distribution over its median distance.
const MAD_SCALE: f64 = 1.4826;
/// Lengths of segments, in minutes.
const SEGMENTS_MIN: [i64; 3] = [1, 2, 5];

/// What is kept for [`TimeValues`].
#[derive(Clone, Debug)]
pub struct TimeDomain {
    sorted: Sorted<i64>,
    bins: Vec<u32>,
    /// Σd, and how many are above 20 ms.
    difference_ns: i128,
    above_20_ms: i64,
    /// Per interval when it ended, and the sums over those before it since the window was empty.
    ends: VecDeque<(i64, Total)>,
    /// The sums over all.
    total: Total,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    intervals: i128,
    rr_ns: i128,
    rr_squared: i128,
}

/// Values of one window; those that need more intervals than there are, are absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeValues {
    /// Standard deviation of the differences; needs two.
    pub sdsd_ms: Option<f64>,
    /// Share of differences above 20 ms, in per cent; needs one.
    pub pnn20_pct: Option<f64>,
    /// Middle interval.
    pub median_ms: f64,
    /// Median distance from it, scaled to a standard deviation.
    pub mad_ms: f64,
    /// Interquartile range.
    pub iqr_ms: f64,
    /// 20th percentile.
    pub prc20_ms: f64,
    /// 80th percentile.
    pub prc80_ms: f64,
    /// Shortest interval.
    pub min_ms: f64,
    /// Longest interval.
    pub max_ms: f64,
    /// Triangular index.
    pub hti: f64,
    /// Base of the triangle fitted to the histogram; 0 where there are too few bins for one.
    pub tinn_ms: f64,
    /// Standard deviation of the means of segments of 1, 2 and 5 minutes.
    pub sdann_ms: [Option<f64>; 3],
    /// Mean of the standard deviations within them.
    pub sdnni_ms: [Option<f64>; 3],
}

impl TimeDomain {
    /// For so many intervals at most, none longer than this.
    pub fn new(capacity: usize, rr_max_ms: f64) -> Self {
        let bins = (rr_max_ms * 1e6 / BIN_NS as f64) as usize + 2;
        Self {
            sorted: Sorted::with_capacity(capacity),
            bins: vec![0; bins],
            difference_ns: 0,
            above_20_ms: 0,
            ends: VecDeque::with_capacity(capacity),
            total: Total::default(),
        }
    }

    /// The values; `None` while there is no interval. Σd² and m are those of the window.
    pub(super) fn values(&self, difference_squared: i128, differences: i128) -> Option<TimeValues> {
        let sorted = self.sorted.as_slice();
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let ms = |share| quantile(sorted, share).map(|ns| ns / 1e6);
        let middle = sorted.len() / 2;
        let twice_median = sorted[middle] + sorted[(sorted.len() - 1) / 2];
        let (m, sum) = (differences, self.difference_ns);
        let has = |enough: bool, value: f64| enough.then_some(value);
        let spread = (m * difference_squared - sum * sum) as f64;
        let histogram = Histogram::new(&self.bins, first, last);
        let segments = SEGMENTS_MIN.map(|minutes| self.segments(minutes * 60_000_000_000));
        Some(TimeValues {
            sdsd_ms: has(m > 1, (spread / (m as f64 * (m - 1) as f64)).sqrt() / 1e6),
            pnn20_pct: has(m > 0, 100.0 * self.above_20_ms as f64 / m as f64),
            median_ms: twice_median as f64 / 2e6,
            mad_ms: MAD_SCALE * median_distance(sorted, twice_median)? / 1e6,
            iqr_ms: ms(0.75)? - ms(0.25)?,
            prc20_ms: ms(0.2)?,
            prc80_ms: ms(0.8)?,
            min_ms: first as f64 / 1e6,
            max_ms: last as f64 / 1e6,
            hti: sorted.len() as f64 / f64::from(histogram.highest()),
            tinn_ms: histogram.tinn_bins() as f64 * BIN_NS as f64 / 1e6,
            sdann_ms: segments.map(|segments| segments.0),
            sdnni_ms: segments.map(|segments| segments.1),
        })
    }

    /// Standard deviation of the segments' means, mean of their standard deviations.
    fn segments(&self, length_ns: i64) -> (Option<f64>, Option<f64>) {
        let Some(((first_ns, first), (last_ns, _))) = self.ends.front().zip(self.ends.back())
        else {
            return (None, None);
        };
        let after_first = self.ends.get(1).map_or(self.total, |(_, total)| *total);
        let start_ns = first_ns.saturating_sub((after_first.rr_ns - first.rr_ns) as i64);
        let covered_ns = last_ns.saturating_sub(start_ns);
        let count = (covered_ns as f64 / length_ns as f64).round_ties_even() as i64;
        if count < 3 {
            return (None, None);
        }
        let (mut means, mut spreads) = (Moments::default(), Moments::default());
        let mut from = *first;
        for n in 1..=count {
            let end_ns = start_ns.saturating_add(n.saturating_mul(length_ns));
            let at = self.ends.partition_point(|(time_ns, _)| *time_ns < end_ns);
            let to = self.ends.get(at).map_or(self.total, |(_, total)| *total);
            let (k, rr_ns) = (to.intervals - from.intervals, to.rr_ns - from.rr_ns);
            let spread = k * (to.rr_squared - from.rr_squared) - rr_ns * rr_ns;
            let k = k as f64;
            if k > 0.0 {
                means.add(rr_ns as f64 / k / 1e6);
            }
            if k > 1.0 {
                spreads.add((spread as f64 / (k * (k - 1.0))).sqrt() / 1e6);
            }
            from = to;
        }
        (means.deviation(), spreads.mean())
    }
}

impl Measures for TimeDomain {
    fn add(&mut self, interval: &Interval) {
        let rr_ns = interval.rr_ns;
        self.sorted.insert(rr_ns);
        self.bins[(rr_ns / BIN_NS) as usize] += 1;
        self.ends.push_back((interval.time_ns, self.total));
        self.total.intervals += 1;
        self.total.rr_ns += i128::from(rr_ns);
        self.total.rr_squared += i128::from(rr_ns) * i128::from(rr_ns);
        if let Some(difference_ns) = interval.difference_ns {
            self.change_difference(difference_ns, 1);
        }
    }

    fn remove(&mut self, interval: &Interval) {
        self.sorted.remove(interval.rr_ns);
        self.bins[(interval.rr_ns / BIN_NS) as usize] -= 1;
        self.ends.pop_front();
        if let Some(difference_ns) = interval.difference_ns {
            self.change_difference(difference_ns, -1);
        }
    }

    fn remove_difference(&mut self, _: &Interval, difference_ns: i64) {
        self.change_difference(difference_ns, -1);
    }

    fn clear(&mut self) {
        self.sorted.clear();
        self.bins.fill(0);
        self.ends.clear();
        (self.difference_ns, self.above_20_ms, self.total) = Default::default();
    }
}

impl TimeDomain {
    fn change_difference(&mut self, difference_ns: i64, sign: i64) {
        self.difference_ns += i128::from(sign * difference_ns);
        self.above_20_ms += sign * i64::from(difference_ns.abs() > TIE_20_NS);
    }
}

/// Sums of a few numbers of like size.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squared: f64,
}

impl Moments {
    /// Welford's update.
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squared += off * (value - self.mean);
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.mean)
    }

    fn deviation(&self) -> Option<f64> {
        (self.count > 1.0).then(|| (self.squared / (self.count - 1.0)).sqrt())
    }
}

/// How many intervals are how long, between the shortest and the longest.
struct Histogram<'a> {
    bins: &'a [u32],
    first: usize,
    /// The last bin; as NumPy has it, its upper edge is inside: what is exactly there is counted
    /// below.
    last: usize,
    on_edge: u32,
}

impl<'a> Histogram<'a> {
    fn new(bins: &'a [u32], min_ns: i64, max_ns: i64) -> Self {
        let (first, top) = ((min_ns / BIN_NS) as usize, (max_ns / BIN_NS) as usize);
        let is_on_edge = max_ns % BIN_NS == 0 && top > 0;
        let (last, on_edge) = if is_on_edge { (top - 1, bins[top]) } else { (top, 0) };
        Self { bins, first: first.min(last), last, on_edge }
    }

    fn height(&self, bin: usize) -> u32 {
        self.bins[bin] + if bin == self.last { self.on_edge } else { 0 }
    }

    fn highest(&self) -> u32 {
        (self.first..=self.last).map(|bin| self.height(bin)).max().unwrap_or(0)
    }

    /// Bins under the triangle that fits best: from N, strictly above the shortest interval, over the
    /// first of the highest bins, to M, below the longest. Both sides fit for themselves.
    fn tinn_bins(&self) -> usize {
        let highest = self.highest();
        let height = |bin: usize| f64::from(self.height(bin));
        let peak = (self.first..=self.last).find(|&bin| self.height(bin) == highest);
        let peak = peak.unwrap_or(self.first);
        let (left_max, right_max) = (peak.saturating_sub(self.first + 1), self.last - peak);
        if left_max == 0 || right_max == 0 {
            return 0;
        }
        let left = best_side(left_max, true, |bins| height(peak - bins), height(peak));
        let right = best_side(right_max, false, |bins| height(peak + bins), height(peak));
        left + right
    }
}

/// How many bins beside the peak a line that falls to zero fits best by least squares: the sum of
/// (hⱼ − Y·(1 − j/K))² over j up to K, from three sums that grow with K.
fn best_side(bins_max: usize, wider: bool, height: impl Fn(usize) -> f64, peak: f64) -> usize {
    let (mut squares, mut slopes, mut indices) = (0.0, 0.0, 0.0);
    let (mut best, mut least) = (0, f64::INFINITY);
    for bins in 1..=bins_max {
        let j = bins as f64;
        let below = height(bins) - peak;
        squares += below * below;
        slopes += j * below;
        indices += j * j;
        let error = squares + 2.0 * peak / j * slopes + peak * peak / (j * j) * indices;
        if error < least || (wider && error == least) {
            (best, least) = (bins, error);
        }
    }
    best
}
