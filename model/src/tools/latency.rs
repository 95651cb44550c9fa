//! How long runs take: alone, several at once, and two models in turn.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use engine::Fault;
use serde::{Deserialize, Serialize};

use crate::backend::{Array, Loaded};

use super::{
    subject::{Careful, as_served},
    trouble::Trouble,
    watch::Watch,
};

/// Runs before any is counted: buffers are made, caches are warm.
const WARM_UP: usize = 3;
/// Fewest runs that are counted.
const RUNS_MIN: usize = 5;
/// Most runs that are counted; more tell nothing new and take memory.
const RUNS_MAX: usize = 1 << 20;
/// Shortest measurement of a pair: the clock's own steps are a thousandth of it.
const MEASURE_NS_MIN: f64 = 50_000.0;
/// Most pairs.
const PAIRS_MAX: usize = 2_000;

/// What runs of one size took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Runs that were counted, of all workers.
    pub runs: usize,
    /// Median of a run, microseconds.
    pub p50_us: f64,
    /// What 99 of 100 runs stay below, microseconds.
    pub p99_us: f64,
    /// Questions answered per second by all workers together.
    pub per_s: f64,
}

/// Runs on so many workers at once for this long, at least a few times each.
pub(super) fn latency(
    loaded: &dyn Loaded,
    inputs: &[Array],
    rows: usize,
    workers: usize,
    spend: Duration,
    watch: &Watch<'_>,
) -> Result<Latency, Fault> {
    let (ready, spans) = (Barrier::new(workers), Instant::now());
    let worker = || {
        as_served(|| {
            let made = warmed(loaded, inputs);
            ready.wait();
            let mut careful = made?;
            let (began, mut took) = (spans.elapsed(), Vec::new());
            while took.len() < RUNS_MIN || spans.elapsed() - began < spend {
                if watch.is_over() || took.len() >= RUNS_MAX {
                    break;
                }
                let start = Instant::now();
                careful.run(inputs)?;
                took.push(start.elapsed().as_nanos() as f64);
            }
            Ok((took, began, spans.elapsed()))
        })
    };
    let all: Vec<Result<_, Fault>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().expect("panics are caught inside")).collect()
    });
    let all: Vec<(Vec<f64>, Duration, Duration)> = all.into_iter().collect::<Result<_, _>>()?;
    let began = all.iter().map(|(_, began, _)| *began).min().unwrap_or_default();
    let ended = all.iter().map(|(.., ended)| *ended).max().unwrap_or_default();
    let mut took: Vec<f64> = all.into_iter().flat_map(|(took, ..)| took).collect();
    took.sort_by(f64::total_cmp);
    let span_s = (ended - began).as_secs_f64().max(1e-9);
    Ok(Latency {
        runs: took.len(),
        p50_us: quantile(&took, 0.5) / 1e3,
        p99_us: quantile(&took, 0.99) / 1e3,
        per_s: (took.len() * rows) as f64 / span_s,
    })
}

fn warmed(loaded: &dyn Loaded, inputs: &[Array]) -> Result<Careful, Fault> {
    let mut careful = Careful::new(loaded)?;
    for _ in 0..WARM_UP {
        careful.run(inputs)?;
    }
    Ok(careful)
}

/// The value at or above which so much of what is sorted lies, without interpolation.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// A span of so many microseconds as people read it: `2.1 µs`, `234 µs`, `3.21 ms`, `43.2 ms`, `2.00 s`.
pub fn span(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.2} s", us / 1e6),
        us if us >= 1e4 => format!("{:.1} ms", us / 1e3),
        us if us >= 1e3 => format!("{:.2} ms", us / 1e3),
        us if us >= 100.0 => format!("{us:.0} µs"),
        us => format!("{us:.1} µs"),
    }
}

/// How long one model takes beside another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Questions in a run.
    pub batch: usize,
    /// Pairs measured.
    pub pairs: usize,
    /// Median run of the old and of the new model, microseconds.
    pub old_us: f64,
    /// See `old_us`.
    pub new_us: f64,
    /// Median of new by old, pair by pair: below one is faster.
    pub median: f64,
    /// The interval that holds the true median 95 times in 100, whatever the noise looks like.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

impl Ratio {
    /// Whether the new model is slower beyond the noise of the measurement.
    pub fn is_slower(&self) -> bool {
        self.low > 1.0
    }

    /// Whether it is faster beyond the noise.
    pub fn is_faster(&self) -> bool {
        self.high < 1.0
    }
}

/// Runs both in turn, first one first, then the other, so that what disturbs one disturbs both.
pub(super) fn pairs(
    old: (&dyn Loaded, &[Array]),
    new: (&dyn Loaded, &[Array]),
    batch: usize,
    spend: Duration,
    watch: &Watch<'_>,
) -> Result<Ratio, Trouble> {
    let fault = |fault: Fault| Trouble::file(format!("a run of {batch}: {fault}"), "");
    as_served(|| {
        let mut models = [old, new].map(|(loaded, inputs)| (warmed(loaded, inputs), inputs));
        let mut run = |which: usize, times: usize| -> Result<f64, Fault> {
            let (careful, inputs) = &mut models[which];
            let careful = match careful {
                Ok(careful) => careful,
                Err(error) => return Err(Fault::new(error.to_string())),
            };
            let start = Instant::now();
            for _ in 0..times {
                careful.run(inputs)?;
            }
            Ok(start.elapsed().as_nanos() as f64 / times as f64)
        };
        let alone = [0, 1].map(|which| run(which, 1));
        let [old_ns, new_ns] = alone;
        let shortest = old_ns.map_err(fault)?.min(new_ns.map_err(fault)?).max(1.0);
        let times = (MEASURE_NS_MIN / shortest).ceil() as usize;
        let (began, mut took) = (Instant::now(), Vec::new());
        while took.len() < 2 * RUNS_MIN || began.elapsed() < spend {
            watch.goes_on()?;
            if took.len() >= PAIRS_MAX {
                break;
            }
            let first = took.len() % 2;
            let one = run(first, times).map_err(fault)?;
            let other = run(1 - first, times).map_err(fault)?;
            took.push(if first == 0 { [one, other] } else { [other, one] });
        }
        Ok(ratio(batch, &took))
    })
}

fn ratio(batch: usize, took: &[[f64; 2]]) -> Ratio {
    let sorted = |each: &dyn Fn(&[f64; 2]) -> f64| {
        let mut values: Vec<f64> = took.iter().map(each).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let ratios = sorted(&|pair| pair[1] / pair[0]);
    // Order statistics around the median, from the normal approximation of the binomial distribution of
    // how many pairs lie below it: n/2 ± 1.96·√n/2, one further out for safety.
    let n = ratios.len() as f64;
    let reach = 0.98 * n.sqrt() + 1.0;
    let at = |place: f64| ratios[(place.max(0.0) as usize).min(ratios.len() - 1)];
    Ratio {
        batch,
        pairs: ratios.len(),
        old_us: quantile(&sorted(&|pair| pair[0]), 0.5) / 1e3,
        new_us: quantile(&sorted(&|pair| pair[1]), 0.5) / 1e3,
        median: quantile(&ratios, 0.5),
        low: at((n / 2.0 - reach).floor()),
        high: at((n / 2.0 + reach).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_about_three_digits() {
        assert_eq!([span(1.23), span(234.5), span(3_210.0)], ["1.2 µs", "234 µs", "3.21 ms"]);
        assert_eq!([span(43_210.0), span(2e6)], ["43.2 ms", "2.00 s"]);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([quantile(&sorted, 0.5), quantile(&sorted, 0.99)], [50.0, 99.0]);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn what_differs_less_than_the_noise_is_neither_slower_nor_faster() {
        let noisy = |factor: f64| {
            let pair = |n: usize| [1_000.0, factor * [800.0, 1_000.0, 1_250.0][n % 3]];
            ratio(1, &(0..99).map(pair).collect::<Vec<_>>())
        };

        let (same, slower, faster) = (noisy(1.0), noisy(1.5), noisy(0.6));

        assert!(!same.is_slower() && !same.is_faster(), "{same:?}");
        assert!(slower.is_slower() && !slower.is_faster(), "{slower:?}");
        assert!(faster.is_faster() && !faster.is_slower(), "{faster:?}");
        assert!((slower.median - 1.5).abs() < 1e-9);
    }

    #[test]
    fn few_pairs_say_no_more_than_their_extremes() {
        let ratio = ratio(1, &[[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]);
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 3.0, 4.0));
    }
}
