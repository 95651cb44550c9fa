//! What the benches share: interleaved repetitions, medians, one line per measurement.
//!
//! Every repetition of every case checks its own result, and a first round that is not counted
//! does so before anything is measured. `--test` runs each case once and briefly (for CI), `--json`
//! prints the peers' one JSON line per measurement, `--pairs N` changes the number of
//! repetitions from nine, and `--case WORDS` runs only the cases whose name has these words in it.

#![allow(dead_code, reason = "every bench uses its own part of this")]

pub(crate) mod batching;
pub(crate) mod graph;
pub(crate) mod kinds;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod throughput;
pub(crate) mod variants;

use std::{
    fmt::{Display, Formatter, Write as _},
    time::{Duration, Instant},
};

use process::Usage;

/// Repetitions that a figure rests on unless `--pairs` says otherwise.
const PAIRS: usize = 9;
/// A bench that is only tested takes seconds, even on a busy machine; one that hangs must not take
/// all others with it.
const TEST_MOST: Duration = Duration::from_secs(600);

/// Ends the process once a test of a bench takes too long.
fn end_what_hangs(name: &'static str) {
    let ends = move || {
        #[expect(clippy::disallowed_methods, reason = "there is nothing to wait for")]
        std::thread::sleep(TEST_MOST);
        eprintln!("{name}: hangs: not through after {} s", TEST_MOST.as_secs());
        std::process::exit(124);
    };
    drop(std::thread::spawn(ends));
}

/// How a bench was called.
pub(crate) struct Bench {
    name: &'static str,
    /// Run everything once and briefly.
    pub(crate) test: bool,
    json: bool,
    /// Repetitions of each measurement.
    pub(crate) pairs: usize,
    /// Words in the names of the only cases to run.
    only: Option<String>,
    began: Usage,
}

impl Bench {
    /// Reads the command line and says on what machine this runs.
    pub(crate) fn start(name: &'static str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let after = |word: &str| {
            let at = words.iter().position(|given| given == word)?;
            words.get(at + 1).cloned()
        };
        let has = |word: &str| words.iter().any(|given| given == word);
        let test = has("--test");
        let asked = after("--pairs").and_then(|number| number.parse().ok()).unwrap_or(PAIRS);
        let pairs = if test { 1 } else { asked.max(1) };
        let (json, only) = (has("--json"), after("--case"));
        if !json {
            println!("{name}: {}; {pairs} interleaved repetitions", process::machine());
        }
        if test {
            end_what_hangs(name);
        }
        Self { name, test, json, pairs, only, began: Usage::now() }
    }

    /// `whole` for a measurement, a small part of it for a test.
    pub(crate) fn scale(&self, whole: usize, tested: usize) -> usize {
        if self.test { tested } else { whole }
    }

    /// Whether a case of this name is to be run.
    pub(crate) fn runs(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(only.as_str()))
    }

    /// Runs the cases A B C, A B C, … and gives what each returned, in that order. A round before
    /// them only checks.
    pub(crate) fn interleaved<T, const N: usize>(
        &self,
        mut cases: [(&str, &mut dyn FnMut() -> T); N],
    ) -> [Runs<T>; N] {
        let mut runs = std::array::from_fn(|_| Runs(Vec::with_capacity(self.pairs)));
        let unmeasured = usize::from(!self.test);
        for round in 0..unmeasured + self.pairs {
            for ((name, case), runs) in cases.iter_mut().zip(&mut runs) {
                if self.runs(name) {
                    let result = case();
                    if round >= unmeasured {
                        runs.0.push(result);
                    }
                }
            }
        }
        runs
    }

    /// One line per measurement: words for a person, or the peers' JSON. Silent about cases that
    /// did not run.
    pub(crate) fn report(&self, case: &str, params: &[(&str, &str)], metrics: &[(&str, &Spread)]) {
        if metrics.iter().any(|(_, spread)| spread.0.is_empty()) {
            return;
        }
        if self.json {
            println!("{}", json(case, params, metrics));
            return;
        }
        let mut line = format!("  {case}");
        for (key, value) in params {
            let _ = write!(line, ", {key} {value}");
        }
        line.push(':');
        for (key, spread) in metrics {
            let _ = write!(line, "  {key} {spread}");
        }
        println!("{line}");
    }

    /// Says whether a promise is kept; never fails, since machines differ.
    pub(crate) fn verdict(&self, promise: &str, got: &Spread, at_most: f64) {
        self.judge(promise, got, "at_most", at_most, got.median() <= at_most);
    }

    /// As [`Bench::verdict`], where more is better.
    pub(crate) fn verdict_least(&self, promise: &str, got: &Spread, at_least: f64) {
        self.judge(promise, got, "at_least", at_least, got.median() >= at_least);
    }

    fn judge(&self, promise: &str, got: &Spread, word: &str, target: f64, reached: bool) {
        if self.test || got.0.is_empty() {
            return;
        }
        if self.json {
            let metrics = [("got", got), (word, &Spread::one(target))];
            println!("{}", json("promise", &[("promise", promise)], &metrics));
        } else {
            let is = if reached { "reached" } else { "NOT reached" };
            println!("  → {promise}: {got}, {} {}: {is}", word.replace('_', " "), short(target));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let (foreign_pct, steal_pct) = self.began.others_pct();
        if self.json {
            let figures = [process::load(), foreign_pct, steal_pct].map(Spread::one);
            let names = ["load", "foreign_cpu_pct", "steal_pct"];
            let metrics: Vec<_> = names.into_iter().zip(&figures).collect();
            println!("{}", json("machine", &[("program", self.name)], &metrics));
        } else {
            println!(
                "{}: done; load {}; others had {foreign_pct:.1} % of the cores, the hypervisor \
                 {steal_pct:.1} %",
                self.name,
                process::load(),
            );
        }
    }
}

fn json(case: &str, params: &[(&str, &str)], metrics: &[(&str, &Spread)]) -> String {
    let mut line = format!(
        r#"{{"peer":"afferent","version":"{}","bench":"{case}","params":{{"#,
        env!("CARGO_PKG_VERSION")
    );
    for (n, (key, value)) in params.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(line, r#"{comma}"{key}":"{value}""#);
    }
    line += r#"},"metrics":{"#;
    for (n, (key, spread)) in metrics.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(line, r#"{comma}"{key}":{:.4}"#, spread.median());
        if spread.varies() {
            let (min, max) = (spread.min(), spread.max());
            let _ = write!(line, r#","{key}_min":{min:.4},"{key}_max":{max:.4}"#);
        }
    }
    line + "}}"
}

/// What the repetitions of one case returned, in the order they ran.
#[derive(Clone, Debug)]
pub(crate) struct Runs<T>(pub(crate) Vec<T>);

impl<T> Runs<T> {
    /// One figure of each.
    pub(crate) fn of(&self, figure: impl Fn(&T) -> f64) -> Spread {
        Spread(self.0.iter().map(figure).collect())
    }
}

/// A figure of every repetition, in the order they ran.
#[derive(Clone, Debug)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// A figure that was taken once.
    pub(crate) fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The smallest.
    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest.
    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Each through the one that ran beside it.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    /// Each and the one that ran beside it.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a + b).collect())
    }

    /// Each less the one that ran beside it.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }

    /// Each times `factor`.
    pub(crate) fn times(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }

    /// One over each.
    pub(crate) fn inverse(&self) -> Self {
        Self(self.0.iter().map(|value| value.recip()).collect())
    }

    fn varies(&self) -> bool {
        self.min() < self.max()
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&short(self.median()))?;
        if self.varies() {
            write!(f, " [{} .. {}]", short(self.min()), short(self.max()))?;
        }
        Ok(())
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
