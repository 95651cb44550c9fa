//! The promises kept over a thousand splits, against a risk that is known; and a choice without a promise that breaks
//! it.

use super::{
    chain::{Chain, Loss},
    choose::{Calibrated, Options, Promise, calibrate, certify},
    path::{Table, path},
    split::Random,
};

const SPLITS: usize = 1_000;
/// What leaving at each of three exits costs.
const COSTS: [f64; 3] = [1.0, 4.0, 16.0];

/// Samples whose early exits have confidences `u` and `v`, even from 0 to 1, and lose with probability `(1 − u)²/2` and
/// `(1 − v)²/4`.
fn drawn(rows: usize, random: &mut Random) -> Table {
    let (mut confidence, mut loss) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let (u, v) = (random.share(), random.share());
        confidence.extend([u, v, 1.0]);
        let lost = |p: f64, random: &mut Random| f64::from(random.share() < p);
        loss.extend([
            lost((1.0 - u).powi(2) / 2.0, random),
            lost((1.0 - v).powi(2) / 4.0, random),
            0.0,
        ]);
    }
    Table::new(COSTS.to_vec(), confidence, loss, None)
}

/// The risk of thresholds for such samples: ∫ from s to 1 of (1 − u)²/2 is (1 − s)³/6, and those below s meet
/// the second exit.
fn risk_of(thresholds: &[f64]) -> f64 {
    let [s, t] = [thresholds[0].clamp(0.0, 1.0), thresholds[1].clamp(0.0, 1.0)];
    (1.0 - s).powi(3) / 6.0 + s * (1.0 - t).powi(3) / 12.0
}

/// Calibrations on fresh samples, as many as there are splits.
fn many(rows: usize, promise: Promise) -> impl Iterator<Item = Calibrated> {
    (0..SPLITS).map(move |split| {
        let mut random = Random(split as u64);
        let (tuning, certifying) = (drawn(rows / 2, &mut random), drawn(rows, &mut random));
        certify(&certifying, path(&tuning, 20), promise).expect("a promise")
    })
}

#[test]
fn the_promised_risk_is_exceeded_no_more_often_than_promised() {
    for (risk, delta, rows) in
        [(0.01, 0.05, 1_500), (0.01, 0.1, 1_500), (0.05, 0.05, 400), (0.05, 0.1, 400)]
    {
        let found: Vec<Calibrated> = many(rows, Promise::Confident { risk, delta }).collect();

        let exceeded = found.iter().filter(|one| risk_of(&one.thresholds) > risk).count();
        let allowed = SPLITS as f64 * delta + 2.0 * (SPLITS as f64 * delta * (1.0 - delta)).sqrt();
        assert!(exceeded as f64 <= allowed, "{exceeded} of {SPLITS} exceed {risk} at {delta}");
        // A promise that is kept by never leaving early would be worth nothing.
        let cost = found.iter().map(|one| one.cost[0]).sum::<f64>() / SPLITS as f64;
        assert!(cost < 0.75 * COSTS[2], "the mean cost is {cost} at {risk} and {delta}");
        // The bound that is told beside them lies below what is promised, whenever anything leaves early.
        let early = found.iter().filter(|one| one.step > 0);
        assert!(early.filter_map(|one| one.risk_below).all(|below| below <= risk + 1e-9));
    }
}

#[test]
fn a_threshold_chosen_by_the_risk_that_was_seen_exceeds_it_far_too_often() {
    let (risk, rows) = (0.05, 400);
    let mut exceeded = 0;
    for split in 0..SPLITS {
        let mut random = Random(split as u64);
        let (tuning, certifying) = (drawn(rows / 2, &mut random), drawn(rows, &mut random));
        // The same path, and the last step whose mean loss is no more than what is allowed.
        let promise = Promise::Confident { risk, delta: 0.1 };
        let all = certify(&certifying, path(&tuning, 20), promise).expect("a promise");
        let naive = all.curve.iter().rfind(|point| point.risk <= risk).expect("never early");
        exceeded += usize::from(risk_of(&naive.thresholds) > risk);
    }
    assert!(exceeded > SPLITS * 3 / 10, "{exceeded}: this law could not fail");
}

#[test]
fn the_mean_risk_is_no_more_than_promised_and_near_it() {
    let (risk, rows) = (0.05, 200);
    let risks: Vec<f64> =
        many(rows, Promise::Mean { risk }).map(|one| risk_of(&one.thresholds)).collect();

    let mean = risks.iter().sum::<f64>() / SPLITS as f64;
    let variance = risks.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / SPLITS as f64;
    let error = (variance / SPLITS as f64).sqrt();
    assert!(mean <= risk + 2.0 * error, "{mean} ± {error}");
    assert!(mean > 0.6 * risk, "{mean}: nearly nothing is gained");
}

#[test]
fn losses_between_nothing_and_all_are_certified_too() {
    let (risk, delta) = (0.05, 0.1);
    let mut exceeded = 0;
    for split in 0..SPLITS {
        let mut random = Random(split as u64);
        let mut table = |rows: usize| {
            let (mut confidence, mut loss) = (Vec::new(), Vec::new());
            for _ in 0..rows {
                let u = random.share();
                confidence.extend([u, 1.0]);
                loss.extend([(1.0 - u) * random.share(), 0.0]);
            }
            Table::new(vec![1.0, 8.0], confidence, loss, None)
        };
        let (tuning, certifying) = (table(200), table(400));
        let promise = Promise::Confident { risk, delta };
        let found = certify(&certifying, path(&tuning, 20), promise).expect("a promise");
        // ∫ from s to 1 of (1 − u)/2.
        let s = found.thresholds[0].clamp(0.0, 1.0);
        exceeded += usize::from((1.0 - s).powi(2) / 4.0 > risk);
        assert!(found.risk_below.is_none());
    }
    assert!(exceeded as f64 <= SPLITS as f64 * delta, "{exceeded}");
}

/// Scores of three classes: the deeper the exit, the larger the right one.
fn chain(rows: usize, seed: u64) -> Chain {
    let mut random = Random(seed);
    let (mut logits, mut labels) = (vec![Vec::new(); 3], Vec::new());
    for _ in 0..rows {
        let label = (3.0 * random.share()) as usize;
        let ease = 6.0 * random.share();
        for (exit, logits) in logits.iter_mut().enumerate() {
            for class in 0..3 {
                let right = if class == label { ease * (1.0 + exit as f64) } else { 0.0 };
                // Twice too sure: a temperature is wanted.
                logits.push((2.0 * (right + 4.0 * random.share())) as f32);
            }
        }
        labels.push(label);
    }
    Chain::new(3, logits, Some(labels), COSTS.to_vec()).expect("fits")
}

#[test]
fn scores_become_temperatures_thresholds_and_a_curve() {
    let chain = chain(6_000, 3);
    let promise = Promise::Confident { risk: 0.01, delta: 0.05 };

    let found = calibrate(&chain, &Options::new(promise, Loss::Wrong)).expect("fits");

    assert_eq!(found.samples, [1_800, 4_200]);
    assert!(found.temperatures.iter().all(|t| t.loss[1] <= t.loss[0]), "{:?}", found.temperatures);
    assert!((found.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let [cost, full] = found.cost;
    assert!(cost < 0.6 * full && full == COSTS.iter().sum::<f64>(), "{cost} of {full}");
    let [early, end] = found.accuracy.expect("labels are known");
    // The risk bounds what is lost, and luck may win some.
    assert!(
        end - early <= found.risk + 1e-12 && found.risk <= 0.01,
        "{early} {end} {}",
        found.risk
    );
    assert!(found.curve.windows(2).all(|pair| pair[1].cost <= pair[0].cost));
    assert_eq!(found.curve[found.step].thresholds, found.thresholds);
    assert_eq!(calibrate(&chain, &Options::new(promise, Loss::Wrong)), Ok(found), "no chance");
}

#[test]
fn too_few_samples_promise_nothing_and_leave_nowhere_early() {
    let chain = chain(30, 4);
    let promise = Promise::Confident { risk: 0.01, delta: 0.05 };

    let found = calibrate(&chain, &Options::new(promise, Loss::Differs)).expect("fits");

    assert_eq!(found.thresholds, [f64::INFINITY; 2]);
    assert_eq!((found.step, found.risk, found.cost[0]), (0, 0.0, found.cost[1]));
    assert_eq!(found.risk_below, Some(0.0));
}

#[test]
fn a_promise_is_a_share_and_labels_are_wanted_where_they_count() {
    let chain = chain(30, 4);
    for promise in [
        Promise::Mean { risk: 0.0 },
        Promise::Mean { risk: f64::NAN },
        Promise::Confident { risk: 0.1, delta: 1.0 },
    ] {
        assert!(calibrate(&chain, &Options::new(promise, Loss::Wrong)).is_err(), "{promise:?}");
    }
    let unlabelled = Chain::new(2, vec![vec![0.0; 4]; 2], None, vec![1.0; 2]).expect("fits");
    let promise = Promise::Mean { risk: 0.1 };
    assert!(calibrate(&unlabelled, &Options::new(promise, Loss::Wrong)).is_err());
    assert!(calibrate(&unlabelled, &Options::new(promise, Loss::Differs)).is_ok());
}

#[test]
fn the_path_is_nearly_as_cheap_as_the_best_thresholds_there_are() {
    // The cheapest thresholds by the known risk, on a fine grid.
    let mut best = f64::INFINITY;
    for s in 0..=200 {
        for t in 0..=200 {
            let (s, t) = (f64::from(s) / 200.0, f64::from(t) / 200.0);
            if risk_of(&[s, t]) <= 0.05 {
                best = best.min(cost_of(&[s, t]));
            }
        }
    }
    let mut random = Random(8);
    let (tuning, certifying) = (drawn(2_000, &mut random), drawn(8_000, &mut random));
    let promise = Promise::Confident { risk: 0.05, delta: 0.1 };

    let found = certify(&certifying, path(&tuning, 50), promise).expect("a promise");

    let cost = cost_of(&found.thresholds);
    assert!(cost <= 1.15 * best, "{cost} beside {best}");
}

fn cost_of(thresholds: &[f64]) -> f64 {
    let [s, t] = [thresholds[0].clamp(0.0, 1.0), thresholds[1].clamp(0.0, 1.0)];
    COSTS[0] * (1.0 - s) + s * (COSTS[1] * (1.0 - t) + COSTS[2] * t)
}
