//! What the benches share: interleaved repetitions, medians, one line per measurement.
//!
//! A bench checks its result first and measures then. `--test` runs each case once and
//! briefly (for CI), `--json` prints the peers' one JSON line per measurement,
//! `--pairs N` changes the number of repetitions from nine, and `--case N` runs one
//! case only, for a profiler.

#![allow(dead_code, reason = "every bench uses its own part of this")]

pub(crate) mod graph;
pub(crate) mod kinds;
pub(crate) mod process;

use std::{fmt::Write as _, time::Instant};

/// Repetitions that a figure rests on unless `--pairs` says otherwise.
const PAIRS: usize = 9;

/// How a bench was called.
pub(crate) struct Bench {
    name: &'static str,
    /// Run everything once and briefly.
    pub(crate) test: bool,
    json: bool,
    /// Repetitions of each measurement.
    pub(crate) pairs: usize,
    /// The only case to run, for a profiler.
    only: Option<usize>,
}

impl Bench {
    /// Reads the command line and says on what machine this runs.
    pub(crate) fn start(name: &'static str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let has = |word: &str| words.iter().any(|given| given == word);
        let number = |word: &str| -> Option<usize> {
            let at = words.iter().position(|given| given == word)?;
            words.get(at + 1)?.parse().ok()
        };
        let test = has("--test");
        let pairs = if test { 1 } else { number("--pairs").unwrap_or(PAIRS).max(1) };
        let bench = Self { name, test, json: has("--json"), pairs, only: number("--case") };
        if !bench.json {
            println!("{name}: {}; {pairs} interleaved repetitions", process::machine());
        }
        bench
    }

    /// `whole` for a measurement, a small part of it for a test.
    pub(crate) fn scale(&self, whole: usize, tested: usize) -> usize {
        if self.test { tested } else { whole }
    }

    /// Runs the cases A B C, A B C, … and gives what each returned, sorted.
    pub(crate) fn interleaved<const N: usize>(
        &self,
        mut cases: [&mut dyn FnMut() -> f64; N],
    ) -> [Spread; N] {
        let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(self.pairs));
        for _ in 0..self.pairs {
            for (number, (case, values)) in cases.iter_mut().zip(&mut values).enumerate() {
                let runs = self.only.is_none_or(|only| only == number);
                values.push(if runs { case() } else { f64::NAN });
            }
        }
        values.map(Spread::of)
    }

    /// One line per measurement: words for a person, or the peers' JSON.
    pub(crate) fn report(&self, case: &str, params: &[(&str, &str)], metrics: &[(&str, f64)]) {
        if self.json {
            let mut line = format!(
                r#"{{"peer":"afferent","version":"{}","bench":"{case}","params":{{"#,
                env!("CARGO_PKG_VERSION")
            );
            for (n, (key, value)) in params.iter().enumerate() {
                let comma = if n > 0 { "," } else { "" };
                let _ = write!(line, r#"{comma}"{key}":"{value}""#);
            }
            line += r#"},"metrics":{"#;
            for (n, (key, value)) in metrics.iter().enumerate() {
                let comma = if n > 0 { "," } else { "" };
                let _ = write!(line, r#"{comma}"{key}":{value:.3}"#);
            }
            println!("{line}}}}}");
        } else {
            let mut line = format!("  {case}");
            for (key, value) in params {
                let _ = write!(line, ", {key} {value}");
            }
            line.push(':');
            for (key, value) in metrics {
                let _ = write!(line, "  {key} {}", short(*value));
            }
            println!("{line}");
        }
    }

    /// Says whether a promise is kept; never fails, since machines differ.
    pub(crate) fn verdict(&self, promise: &str, got: f64, at_most: f64) {
        if !self.json && !self.test {
            let word = if got <= at_most { "reached" } else { "NOT reached" };
            println!("  → {promise}: {} against {}: {word}", short(got), short(at_most));
        }
    }

    /// As [`Bench::verdict`], where more is better.
    pub(crate) fn verdict_least(&self, promise: &str, got: f64, at_least: f64) {
        if !self.json && !self.test {
            let word = if got >= at_least { "reached" } else { "NOT reached" };
            println!("  → {promise}: {} against {}: {word}", short(got), short(at_least));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !self.json {
            println!("{}: done; {}", self.name, process::load());
        }
    }
}

/// What repetitions of one case returned.
#[derive(Clone, Debug)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// Sorts the values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The smallest.
    pub(crate) fn min(&self) -> f64 {
        self.0[0]
    }

    /// The largest.
    pub(crate) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// The value below which `share` of the sorted ones lie (nearest rank).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// Seconds that `work` takes.
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// Four figures are more than a shared machine can stand for.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{:.3} G", value / 1e9),
        size if size >= 1e6 => format!("{:.3} M", value / 1e6),
        size if size >= 1e4 => format!("{:.1} k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}
