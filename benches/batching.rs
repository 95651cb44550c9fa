//! P7: how many questions are answered in time, policy against policy, in simulated time.
//!
//! Traces of Poisson arrivals, bursts and a day, for four models with the costs measured for them, at loads
//! from 0.3 to 1.2 of the most that a full executor can answer; each answer is due ten times what one question alone
//! costs after it was asked. Every rival runs with its published settings and a grid around them, the best of which
//! counts. The same seeds always: no two runs differ. Beside them what somebody who knows the future could
//! answer, of the first questions of each trace.

mod support;

use model::batch::{Policy, Window};
use support::{
    Bench, Spread,
    batching::{Arrivals, Played, oracle, play, rivals},
    quantile,
};

/// Name, and microseconds of a run with 1, 2, 4, 8, 16, 32 questions: ONNX Runtime 1.31, one thread.
const MODELS: [(&str, [f64; 6]); 4] = [
    ("MLP", [533.0, 535.0, 540.0, 679.0, 913.0, 1677.0]),
    ("MLP int8", [152.0, 155.0, 160.0, 187.0, 201.0, 280.0]),
    ("conv", [157.0, 306.0, 604.0, 1251.0, 2515.0, 5155.0]),
    ("VAD-like", [119.0, 156.0, 242.0, 420.0, 769.0, 1580.0]),
];
const LOADS: [f64; 4] = [0.3, 0.6, 0.9, 1.2];
const SEEDS: [u64; 3] = [1, 2, 3];

/// Costs of every size in nanoseconds, on straight lines between those measured.
fn costs(measured: &[f64; 6]) -> Vec<i64> {
    let at = |rows: usize| {
        let place = (rows as f64).log2();
        let below = (place.floor() as usize).min(4);
        let (low, high) = (1_usize << below, 2_usize << below);
        let part = (rows - low) as f64 / (high - low) as f64;
        1e3 * (measured[below] + part * (measured[below + 1] - measured[below]))
    };
    (1..=32).map(|rows| at(rows) as i64).collect()
}

/// Questions a nanosecond that a busy executor answers at most.
fn most_per_ns(costs: &[i64]) -> f64 {
    let rates = costs.iter().enumerate().map(|(n, &cost)| (n + 1) as f64 / cost as f64);
    rates.fold(0.0, f64::max)
}

/// The median time to an answer of the convolutional net at half of what it can answer.
fn conv_p50(policy: &mut dyn Policy, count: usize) -> f64 {
    let costs = costs(&MODELS[2].1);
    let trace = Arrivals::Poisson.of(count, 0.5 * most_per_ns(&costs), SEEDS[0]);
    let played = play(policy, &trace, &costs, 10 * costs[0]);
    let mut latencies: Vec<f64> = played.latencies.iter().map(|&ns| ns as f64).collect();
    latencies.sort_by(f64::total_cmp);
    quantile(&latencies, 0.5)
}

fn main() {
    let bench = Bench::start("batching");
    let count = bench.scale(40_000, 2_000);
    let rivals = rivals();
    let known = bench.scale(3_000, 200);
    let (mut worst, mut worst_overloaded, mut to_median) =
        (f64::INFINITY, f64::INFINITY, Vec::new());
    let mut to_oracle = f64::INFINITY;
    for (model, measured) in &MODELS {
        let costs = costs(measured);
        let limit = 10 * costs[0];
        for arrivals in Arrivals::ALL {
            for load in LOADS {
                let rate = load * most_per_ns(&costs);
                let traces = SEEDS.map(|seed| arrivals.of(count, rate, seed));
                let goodput = |make: &dyn Fn() -> Box<dyn Policy>| -> (f64, Vec<Played>) {
                    let played =
                        traces.iter().map(|trace| play(make().as_mut(), trace, &costs, limit));
                    let played: Vec<Played> = played.collect();
                    let good: usize = played.iter().map(|played| played.good).sum();
                    let asked: usize = played.iter().map(|played| played.asked).sum();
                    (good as f64 / asked as f64, played)
                };
                let (ours, played) = goodput(&|| Box::new(Window::new(32)));
                // Of each system its best setting.
                let mut best: Vec<(f64, &str, &str)> = Vec::new();
                for (name, setting, make) in &rivals {
                    let (good, _) = goodput(&|| make(32, costs[0]));
                    match best.iter_mut().find(|(_, known, _)| known == name) {
                        Some(known) if known.0 < good => *known = (good, name, setting),
                        Some(_) => {}
                        None => best.push((good, name, setting)),
                    }
                }
                best.sort_by(|one, other| other.0.total_cmp(&one.0));
                let (first, middle) = (best[0], best[best.len() / 2]);
                let share = ours / first.0;
                let foreseen = (first.0 < 0.95).then(|| {
                    let of = |trace: &Vec<i64>| {
                        let beginning = &trace[..known.min(trace.len())];
                        let ours = play(&mut Window::new(32), beginning, &costs, limit).good;
                        (ours, oracle(beginning, &costs, limit))
                    };
                    let [one, two, three] = traces.each_ref().map(of);
                    let ours = (one.0 + two.0 + three.0) as f64;
                    ours / (one.1 + two.1 + three.1) as f64
                });
                to_oracle = to_oracle.min(foreseen.unwrap_or(f64::INFINITY));
                to_median.push(ours / middle.0);
                worst = worst.min(share);
                if load > 1.0 {
                    worst_overloaded = worst_overloaded.min(share);
                }
                let mut latencies: Vec<f64> = played
                    .iter()
                    .flat_map(|played| {
                        played.latencies.iter().map(|&ns| ns as f64 / costs[0] as f64)
                    })
                    .collect();
                latencies.sort_by(f64::total_cmp);
                let missed: usize = played.iter().map(|played| played.missed).sum();
                bench.report(
                    "batching",
                    &[
                        ("model", model),
                        ("arrivals", &format!("{arrivals:?}")),
                        ("load", &load.to_string()),
                        ("best rival", &format!("{} {}", first.1, first.2)),
                        ("median rival", middle.1),
                    ],
                    &[
                        ("good_pct", &Spread::one(100.0 * ours)),
                        ("best_rival_pct", &Spread::one(100.0 * first.0)),
                        ("share_of_best", &Spread::one(share)),
                        ("share_of_oracle", &Spread::one(foreseen.unwrap_or(f64::NAN))),
                        ("p50_of_one", &Spread::one(quantile(&latencies, 0.5))),
                        ("missed_admitted", &Spread::one(missed as f64)),
                    ],
                );
            }
        }
    }
    to_median.sort_by(f64::total_cmp);
    bench.verdict_least("P7, worst share of the best rival", &Spread::one(worst), 0.98);
    bench.verdict_least("P7, the same at load 1.2", &Spread::one(worst_overloaded), 0.98);
    bench.verdict_least(
        "P7, worst share of the oracle where the best answers < 95 %",
        &Spread::one(to_oracle),
        0.95,
    );
    let (_, _, alone) = rivals.iter().find(|(name, ..)| *name == "none").expect("it is there");
    let mut unbatched = alone(32, costs(&MODELS[2].1)[0]);
    bench.verdict(
        "conv at load 0.5: p50, times unbatched",
        &Spread::one(conv_p50(&mut Window::new(32), count) / conv_p50(unbatched.as_mut(), count)),
        1.05,
    );
    bench.verdict_least(
        "P7, median share of the median rival",
        &Spread::one(quantile(&to_median, 0.5)),
        1.0,
    );
}
