//! G10c: variants of a model chosen by what waits, against each of them alone, in simulated time.
//!
//! One executor, bursts of Poisson arrivals, three or four variants with assumed costs and published accuracies; each answer
//! is due after a few runs of the largest. Every variant is batched as it is served. `auto` is what
//! serves: `Choice`, on the queues and costs it would see, and what is too late for one variant goes to the next
//! cheaper. The same seeds always: no two runs differ. At the end what a choice costs, on the clock.

mod support;

use std::{sync::Arc, time::Duration};

use engine::{Answer, Fault};
use model::{
    backend::mock::{Behaviour, Cost, Mock},
    batch::Window,
    host::{Model, ModelService, Quality, Row, Rowwise, Terms, Way, Workers, variants::Choice},
};
use support::{
    Bench, Spread,
    batching::Arrivals,
    quantile,
    variants::{Plays, Served, Variant},
};

/// Name, variants from the cheapest (milliseconds of the first question of a run and of each further one,
/// accuracy), and within how many runs of the largest an answer is due.
type Front = (&'static str, &'static [Variant], f64);

const FRONTS: [Front; 2] = [
    // Convolutions on a processor: batches gain little. Accuracies on ImageNet of torchvision's
    // MobileNetV3-small, MobileNetV3-large and EfficientNet-B0.
    (
        "conv",
        &[
            Variant { first_ms: 2.0, more_ms: 1.8, accuracy: 0.677 },
            Variant { first_ms: 6.0, more_ms: 5.5, accuracy: 0.752 },
            Variant { first_ms: 14.0, more_ms: 13.0, accuracy: 0.777 },
        ],
        3.0,
    ),
    // Matrix-bound: a further question costs a tenth or less of the first. Accuracies of subnets of SuperServe's
    // once-for-all net.
    (
        "dense",
        &[
            Variant { first_ms: 1.0, more_ms: 0.05, accuracy: 0.738 },
            Variant { first_ms: 2.0, more_ms: 0.12, accuracy: 0.766 },
            Variant { first_ms: 4.0, more_ms: 0.3, accuracy: 0.785 },
            Variant { first_ms: 8.0, more_ms: 0.7, accuracy: 0.802 },
        ],
        3.0,
    ),
];
/// Of what the cheapest variant can answer at most; in bursts three times as much comes.
const LOADS: [f64; 4] = [0.1, 0.2, 0.5, 0.8];
const SEEDS: [u64; 3] = [1, 2, 3];
const BATCH_MAX: usize = 32;
/// As `dwell_ms` unless written.
const DWELL_NS: i64 = 100_000_000;

/// Reads nothing.
struct Mute;

impl Rowwise for Mute {
    fn read(&self, _: &Row<'_>) -> Result<Answer, Fault> {
        Ok(Answer::nothing())
    }
}

/// Nanoseconds of a choice among three variants, the workers' lock included, as a cached question has it.
fn choice_ns(times: u32) -> f64 {
    let workers = Workers::new(1);
    let models = (0..3).map(|_| {
        let mock = Mock::new(1, Cost::default(), Behaviour::Doubles);
        Model::new("m", Arc::new(mock), BATCH_MAX, &workers)
    });
    let dwell = Duration::from_nanos(DWELL_NS as u64);
    let service = ModelService::of_variants(models.collect(), Vec::new(), Quality::Auto, dwell);
    let way = Way::new(service.model.signature(), 0, vec![1], &[], Box::new(Mute));
    let door = service.door(way.expect("a way"), Terms::default(), None, "0").expect("a door");
    let began = std::time::Instant::now();
    for _ in 0..times {
        assert_eq!(door.choose(Some(Duration::from_millis(50))), 2, "nothing waits");
    }
    began.elapsed().as_nanos() as f64 / f64::from(times)
}

fn main() {
    let bench = Bench::start("variants");
    let count = bench.scale(60_000, 3_000);
    let (mut to_largest, mut to_same, mut worst) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for (name, variants, runs) in &FRONTS {
        let last = variants.len() - 1;
        let limit = (runs * variants[last].first_ms * 1e6) as i64;
        for load in LOADS {
            let rate = load * variants[0].most_per_ns(BATCH_MAX);
            let play = |only: Option<usize>| -> Served {
                let mut all = Served::default();
                for seed in SEEDS {
                    let trace = Arrivals::Bursts.of(count, rate, seed);
                    let policies = variants.iter().map(|_| Window::new(BATCH_MAX)).collect();
                    let choice = Choice::new(variants.len(), DWELL_NS);
                    all.add(&Plays::new(variants, policies, choice, only).play(&trace, limit));
                }
                all
            };
            let auto = play(None);
            let alone: Vec<Served> = (0..=last).map(|at| play(Some(at))).collect();
            // The most accurate of those that answer as much in time, but for one in a thousand.
            let same = alone.iter().rev().find(|it| it.attained() >= auto.attained() - 1e-3);
            let gain = same.map_or(f64::NAN, |same| 100.0 * (auto.accuracy() - same.accuracy()));
            let best = alone.iter().map(Served::attained).fold(0.0, f64::max);
            worst = worst.min(auto.attained() / best);
            if gain.is_finite() {
                to_same = to_same.min(gain);
            }
            if load == 0.8 {
                to_largest = to_largest.min(auto.attained() / alone[last].attained());
            }
            let shown = |of: fn(&Served) -> f64| {
                let all: Vec<String> =
                    alone.iter().map(|it| format!("{:.1}", 100.0 * of(it))).collect();
                all.join(" ")
            };
            bench.report(
                "variants",
                &[
                    ("front", name),
                    ("load", &load.to_string()),
                    ("alone, in time %", &shown(Served::attained)),
                    ("alone, accuracy %", &shown(Served::accuracy)),
                ],
                &[
                    ("auto_in_time_pct", &Spread::one(100.0 * auto.attained())),
                    ("auto_accuracy_pct", &Spread::one(100.0 * auto.accuracy())),
                    ("points_above_same", &Spread::one(gain)),
                    ("times_largest", &Spread::one(auto.attained() / alone[last].attained())),
                    ("changes_per_s", &Spread::one(auto.changes_per_s())),
                    ("missed", &Spread::one(auto.missed as f64)),
                ],
            );
        }
    }
    bench.verdict_least(
        "G10c, in time at load 0.8, times the largest alone",
        &Spread::one(to_largest),
        2.0,
    );
    bench.verdict_least(
        "G10c, points of accuracy above the variant that is as punctual",
        &Spread::one(to_same),
        0.0,
    );
    bench.verdict_least(
        "in time, share of the most punctual variant alone",
        &Spread::one(worst),
        0.99,
    );
    let times = bench.scale(1_000_000, 1_000) as u32;
    let mut took: Vec<f64> = (0..bench.pairs).map(|_| choice_ns(times)).collect();
    took.sort_by(f64::total_cmp);
    let took = Spread::one(quantile(&took, 0.5));
    bench.report("choice", &[("variants", "3")], &[("ns", &took)]);
    bench.verdict("a choice among three variants, ns", &took, 300.0);
}
