//! What the first rows of a table tell: how often rows come, how evenly they are stamped, and which
//! columns count rows instead of measuring something.

use super::cell::real_number;
use super::layout::TimeUnit;
use super::moment::nanoseconds;

/// Rows that are looked at.
pub(super) const ROWS: usize = 2_000;
/// So many rows in a row rise evenly by no accident.
const RISING_ROWS_MIN: usize = 10;

/// The first rows of a table.
#[derive(Debug)]
pub(super) struct Probe {
    /// The time of each row, where there is a column of times.
    pub(super) times: Vec<i64>,
    /// What stands in each column.
    pub(super) columns: Vec<Rise>,
}

/// Whether a column rises from row to row in even steps, as times and row numbers do.
#[derive(Clone, Debug)]
pub(super) struct Rise {
    rows: usize,
    last: f64,
    least: f64,
    greatest: f64,
    is_broken: bool,
}

impl Rise {
    pub(super) const NEW: Self =
        Self { rows: 0, last: 0.0, least: f64::INFINITY, greatest: 0.0, is_broken: false };

    /// Takes note of the next cell.
    pub(super) fn take(&mut self, cell: &[u8], decimal: u8) {
        let date = || nanoseconds(cell, TimeUnit::Seconds, decimal).map(|ns| ns as f64 / 1e9);
        let Some(value) = real_number(cell, decimal).or_else(date) else {
            self.is_broken = true;
            return;
        };
        if self.rows > 0 {
            let step = value - self.last;
            self.least = self.least.min(step);
            self.greatest = self.greatest.max(step);
        }
        (self.last, self.rows) = (value, self.rows + 1);
    }

    /// Whether every step goes up, none by more than thrice another.
    pub(super) fn is_even(&self) -> bool {
        let is_even = self.least > 0.0 && self.greatest <= 3.0 * self.least;
        !self.is_broken && self.rows >= RISING_ROWS_MIN && is_even
    }

    /// Whether it counts rows.
    pub(super) fn counts(&self) -> bool {
        self.is_even() && self.least == 1.0 && self.greatest == 1.0
    }
}

/// How often rows come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    pub(super) rate_hz: f64,
    /// How far stamps lie from even ones, from the earliest to the latest.
    pub(super) spread_ns: f64,
    /// A longer step is a gap.
    pub(super) longest_ns: f64,
}

/// A step so many times as far from the usual one as half of them are is no jitter, nor one so many times
/// as far from the mean as all but one in twenty are: six standard deviations each, if steps are
/// distributed normally. The first is nothing where most stamps are even, the second little where they
/// are merely coarse.
const JITTER: [f64; 2] = [9.0, 3.0];

impl Probe {
    /// How often rows come, by their times; `None` where there are no two. `Err` where times
    /// mostly repeat or run backward.
    pub(super) fn pace(&self) -> Result<Option<Pace>, ()> {
        let steps = self.times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let mut steps: Vec<i64> = steps.collect();
        let by_time = steps.clone();
        steps.sort_unstable();
        let Some(&median_ns) = steps.get(steps.len() / 2) else { return Ok(None) };
        if median_ns <= 0 {
            return Err(());
        }
        // Coarse stamps make the median coarse: 256 per second in whole milliseconds are steps of
        // 4. The mean of the steps that are near it is not, and knows nothing of gaps.
        // Where stamps tremble, a long step is made up for by short ones, and all count.
        let trembles_ns = trembles_ns(&steps, median_ns);
        let median = median_ns as f64;
        let reach_ns = (0.5 * median).max(trembles_ns);
        let is_near = |step: i64| step > 0 && (step as f64 - median).abs() < reach_ns;
        let near = || steps.iter().copied().filter(|&step| is_near(step));
        let count = near().count() as f64;
        let mean_ns = near().map(|step| step as f64).sum::<f64>() / count;
        let longest = |period_ns: f64| period_ns + (0.5 * period_ns).max(trembles_ns);
        let spread_ns = spread_ns(&by_time, mean_ns, longest(mean_ns));
        // Stamps of finite digits put a rate of 360 at 359.998: a whole number within reach of
        // what they leave open is the rate.
        let whole_hz = (1e9 / mean_ns).round();
        let open_ns = (spread_ns + 1.0) / count;
        let is_whole = whole_hz > 0.0 && (1e9 / whole_hz - mean_ns).abs() <= open_ns;
        let rate_hz = if is_whole { whole_hz } else { 1e9 / mean_ns };
        let period_ns = 1e9 / rate_hz;
        let longest_ns = longest(period_ns);
        let spread_ns = self::spread_ns(&by_time, period_ns, longest_ns);
        Ok(Some(Pace { rate_hz, spread_ns, longest_ns }))
    }
}

/// How far steps may be off before they are gaps, where stamps tremble.
fn trembles_ns(steps: &[i64], median_ns: i64) -> f64 {
    let usual = || steps.iter().copied().filter(|&step| step > 0 && step < 3 * median_ns);
    let count = usual().count();
    let mean_ns = usual().map(|step| step as f64).sum::<f64>() / count as f64;
    let mut off: Vec<i64> = usual().map(|step| (step - median_ns).abs()).collect();
    let mut from_mean: Vec<f64> = usual().map(|step| (step as f64 - mean_ns).abs()).collect();
    off.sort_unstable();
    from_mean.sort_unstable_by(f64::total_cmp);
    let [of_half, of_most] = JITTER;
    (of_half * off[count / 2] as f64).min(of_most * from_mean[(count - 1) * 19 / 20])
}

/// How far rows lie from a grid of this period, from the earliest to the latest of those without a
/// gap between them.
fn spread_ns(steps: &[i64], period_ns: f64, longest_ns: f64) -> f64 {
    let (mut off, mut early, mut late, mut widest) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for &step in steps {
        let step = step as f64;
        if step <= 0.0 {
            // It will be skipped.
            continue;
        }
        if step > longest_ns {
            (off, early, late) = (0.0, 0.0, 0.0);
            continue;
        }
        off += step - period_ns;
        (early, late) = (early.min(off), late.max(off));
        widest = widest.max(late - early);
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(times: impl IntoIterator<Item = i64>) -> Pace {
        let probe = Probe { times: times.into_iter().collect(), columns: Vec::new() };
        probe.pace().expect("in order").expect("two rows")
    }

    #[test]
    fn a_whole_rate_is_told_from_one_that_is_nearly_whole() {
        // Exact to the nanosecond: 250.1 per second are not 250, though the difference is small.
        let exact = |hz: f64| (0..1_000).map(move |n| (f64::from(n) * 1e9 / hz).round() as i64);
        assert_eq!(pace(exact(250.0)).rate_hz, 250.0);
        assert_eq!(pace(exact(360.0)).rate_hz, 360.0);
        assert!((pace(exact(250.1)).rate_hz - 250.1).abs() < 1e-6);
        // Whole milliseconds leave more open.
        let coarse = (0..1_000).map(|n| (f64::from(n) * 1e3 / 360.0).round() as i64 * 1_000_000);
        let pace = pace(coarse);
        assert_eq!(pace.rate_hz, 360.0);
        // 25 ms hold nine rows, whose times lie a ninth of a millisecond apart behind the point.
        assert!((pace.spread_ns - 8e6 / 9.0).abs() < 1.0, "{}", pace.spread_ns);
    }

    #[test]
    fn stamps_that_tremble_have_the_rate_of_their_mean_and_no_gaps() {
        use crate::math::random::Random;
        for share in [0.05, 0.15, 0.3, 0.6] {
            let mut random = Random::new(7);
            let mut times: Vec<i64> = (0..2_000)
                .map(|n| ((f64::from(n) + share * random.normals().0) * 4e6).round() as i64)
                .collect();
            times.sort_unstable();
            let pace = pace(times.clone());
            // Two ends off by some deviations each, over 2 000 periods.
            assert!((pace.rate_hz / 250.0 - 1.0).abs() < 5.0 * share / 2e3, "{share}: {pace:?}");
            let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("steps");
            assert!((longest as f64) < pace.longest_ns, "{share}: {longest} {pace:?}");
        }
    }

    #[test]
    fn coarse_stamps_do_not_hide_that_a_row_is_missing() {
        for hz in [60.0, 128.0, 300.0, 360.0, 400.0] {
            let stamp = |n: i32| (f64::from(n) * 1e3 / hz).round() as i64 * 1_000_000;
            let pace = pace((0..2_000).map(stamp));
            // The least that two periods are in whole milliseconds.
            let two_ms = (2e3 / hz).floor();
            assert!(pace.longest_ns < two_ms * 1e6, "{hz} Hz: {pace:?}");
        }
    }

    #[test]
    fn times_and_row_numbers_rise_evenly_and_signals_do_not() {
        let rise = |cells: &[String]| {
            let mut rise = Rise::NEW;
            cells.iter().for_each(|cell| rise.take(cell.as_bytes(), b'.'));
            (rise.is_even(), rise.counts())
        };
        let cells =
            |f: fn(f64) -> f64| (0..20).map(|n| f(f64::from(n)).to_string()).collect::<Vec<_>>();
        assert_eq!(rise(&cells(|n| n)), (true, true));
        assert_eq!(rise(&cells(|n| 0.0028 * n)), (true, false));
        assert_eq!(rise(&cells(|n| n * n)), (false, false));
        assert_eq!(rise(&cells(|n| (0.1 * n).sin())), (false, false));
        assert_eq!(rise(&cells(|n| n)[..9]), (false, false), "too few to tell");
        let dates: Vec<String> = (0..20).map(|n| format!("2019-10-16T12:09:{n:02}")).collect();
        assert_eq!(rise(&dates), (true, true));
    }
}
