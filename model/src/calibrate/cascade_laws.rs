//! What cascades keep, on models whose every answer is known: seeded, with confidences that are wrong on purpose.

use super::{
    cascade::{Cascaded, Gate, Heard, Hopeless, calibrate_cascade, cascade_samples_needed},
    logistic::Logistic,
    split::Random,
};

/// Models that are worse than the last one as their confidence does not say: what it is worth, and what they cost.
struct World {
    worth: Vec<Logistic>,
    costs: Vec<f64>,
}

impl World {
    /// Like tiny, base and small: the first boasts, the second is too modest.
    fn usual() -> Self {
        let worth =
            vec![Logistic { slope: 1.5, offset: -1.0 }, Logistic { slope: 1.2, offset: 2.0 }];
        Self { worth, costs: vec![1.0, 2.0, 8.0] }
    }

    /// Samples in groups of four.
    fn heard(&self, count: usize, seed: u64) -> Vec<Heard> {
        let mut random = Random(seed);
        let one = |at: usize| {
            let (mut confidence, mut errors) = (Vec::new(), Vec::new());
            // The last one makes mistakes, too.
            let own = usize::from(random.share() < 0.3);
            for worth in &self.worth {
                let sure = random.share();
                let is_good = random.share() < worth.of(sure);
                confidence.push((random.share() > 0.02).then_some(sure));
                errors.push(own + usize::from(!is_good));
            }
            confidence.push(Some(0.9));
            errors.push(own);
            let length = 0.5 + random.share();
            let costs = self.costs.iter().map(|cost| cost * length).collect();
            Heard { group: at / 4, confidence, errors, of: 10, costs }
        };
        (0..count).map(one).collect()
    }

    fn risk_of(&self, gates: &[Gate]) -> f64 {
        let many = self.heard(20_000, 999);
        let lost = many.iter().filter(|sample| sample.is_worse(sample.goes(gates).0)).count();
        lost as f64 / many.len() as f64
    }
}

fn found(world: &World, count: usize, promise: [f64; 2], seed: u64) -> Result<Cascaded, Hopeless> {
    calibrate_cascade(&world.heard(count, seed), promise, seed)
}

#[test]
fn no_more_is_lost_than_promised_as_often_as_promised() {
    let (world, [risk, delta]) = (World::usual(), [0.1, 0.1]);
    let (mut exceeded, mut kept, mut saved) = (0, 0, 0.0);
    for seed in 0..200 {
        match found(&world, 400, [risk, delta], seed) {
            Ok(found) => {
                kept += 1;
                saved += found.expected.saved[0];
                exceeded += usize::from(world.risk_of(&found.gates) > risk);
            }
            Err(Hopeless::Promise(..)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    // 10 % of 200 and two standard deviations of such a count.
    assert!(exceeded as f64 <= 20.0 + 2.0 * 18.0_f64.sqrt(), "{exceeded} of {kept}");
    // And something is gained: else the law could not fail.
    assert!(kept > 190 && saved / f64::from(kept) > 0.3, "{kept}, {saved}");
}

#[test]
fn thresholds_that_were_not_certified_lose_more_than_promised_far_too_often() {
    let (world, risk) = (World::usual(), 0.1);
    let guess = |threshold| {
        let gate = Gate { worth: None, threshold };
        world.risk_of(&[gate, Gate::SHUT])
    };
    // By its own word: rather too careful, or far too bold.
    assert!(guess(1.0 - risk) < 0.5 * risk && guess(0.4) > 1.5 * risk);
    // The last step whose loss on the samples themselves was no more than allowed.
    let mut exceeded = 0;
    for seed in 0..100 {
        let samples = world.heard(100, seed);
        let lost = |threshold: f64| {
            let gates = [Gate { worth: None, threshold }, Gate::SHUT];
            samples.iter().filter(|it| it.is_worse(it.goes(&gates).0)).count() as f64 / 100.0
        };
        let naive = (0..=100).map(|n| f64::from(n) / 100.0).find(|at| lost(*at) <= risk);
        exceeded += usize::from(guess(naive.expect("nobody is so sure")) > risk);
    }
    assert!(exceeded > 30, "{exceeded} of 100: the law above could not fail");
}

#[test]
fn what_confidences_are_worth_is_found() {
    for truth in World::usual().worth {
        let world = World { worth: vec![truth], costs: vec![1.0, 8.0] };
        let found = found(&world, 20_000, [0.1, 0.05], 5).expect("there is enough");
        let worth = found.gates[0].worth.expect("it is asked");
        // Standard errors for the 6 000 that tune are about 0.04.
        assert!((worth.slope - truth.slope).abs() < 0.2, "{worth:?} is not {truth:?}");
        assert!((worth.offset - truth.offset).abs() < 0.2, "{worth:?} is not {truth:?}");
        let [before, after] = found.errors[0];
        assert!(after < 0.02 && before > 0.1, "{before} {after}");
    }
}

#[test]
fn what_is_expected_comes_true() {
    let world = World::usual();
    let mut missed = 0;
    for seed in 0..100 {
        let found = found(&world, 1_500, [0.1, 0.05], seed).expect("there is enough");
        let risk = world.risk_of(&found.gates);
        let [seen, least, most] = found.expected.lost;
        assert!(least < seen && seen < most, "{:?}", found.expected);
        missed += usize::from(!(least..=most).contains(&risk));
    }
    // 5 % of 100 and two standard deviations of such a count.
    assert!(missed <= 9, "{missed} of 100 intervals");

    let found = found(&world, 6_000, [0.1, 0.05], 6).expect("there is enough");
    let expected = &found.expected;
    let many = world.heard(20_000, 7);
    let share =
        |model| many.iter().filter(|it| it.goes(&found.gates).0 == model).count() as f64 / 20_000.0;
    for (model, told) in expected.shares.iter().enumerate() {
        // Three standard deviations of a share of the 1 200 that told it.
        assert!((share(model) - told).abs() < 0.045, "{model}: {} {told}", share(model));
    }
    let [saved, least, most] = expected.saved;
    assert!(least < saved && saved < most && saved > 0.3, "{expected:?}");
    let [ours, theirs, of] = expected.errors;
    assert!(ours > theirs && of == 10 * found.samples[2], "{expected:?}");
}

#[test]
fn a_model_that_is_never_right_is_never_asked() {
    let mut world = World::usual();
    world.worth[0] = Logistic { slope: 0.0, offset: -50.0 };
    let found = found(&world, 4_000, [0.1, 0.05], 8).expect("the second one is of use");
    assert!(found.gates[0].is_shut() && !found.gates[1].is_shut(), "{:?}", found.gates);
    assert_eq!(found.expected.shares[0], 0.0);
    // Nor is it paid for: what goes to the end costs 2 and 8.
    let sample = &world.heard(1, 1)[0];
    let shut = Heard { confidence: vec![Some(0.9), None, None], ..sample.clone() };
    assert!((shut.goes(&found.gates).1 / (sample.costs[1] + sample.costs[2]) - 1.0).abs() < 1e-9);
}

#[test]
fn a_model_that_costs_more_than_it_saves_is_left_out() {
    let mut world = World::usual();
    world.costs[0] = 7.5;
    let found = found(&world, 4_000, [0.1, 0.05], 9).expect("the second one is of use");
    assert!(found.gates[0].is_shut() && !found.gates[1].is_shut(), "{:?}", found.gates);
    world.costs = vec![9.0, 9.0, 8.0];
    let none = self::found(&world, 4_000, [0.1, 0.05], 9).expect_err("nothing is saved");
    assert!(matches!(none, Hopeless::Cost([ours, alone]) if ours >= alone), "{none:?}");
}

#[test]
fn too_little_promises_nothing_and_says_how_much_would() {
    let world = World::usual();
    let promise = [0.05, 0.05];
    let few = cascade_samples_needed(promise) - 20;
    assert!(matches!(found(&world, few, promise, 1), Err(Hopeless::Promise(..))));
    assert_eq!(cascade_samples_needed(promise), 119, "0.95^59 < 0.05, and 59 are half of 118");
    assert_eq!(found(&world, 8, promise, 1), Err(Hopeless::Groups(2)));
    let found = found(&world, 12, [0.9, 0.9], 1);
    assert!(found.is_ok() || matches!(found, Err(Hopeless::Promise(..))), "{found:?}");
}

#[test]
fn groups_are_in_one_part_alone_and_the_seed_says_which() {
    let world = World::usual();
    let found = |seed| calibrate_cascade(&world.heard(2_000, 3), [0.1, 0.05], seed).unwrap();
    let [tuned, certified, told] = found(1).samples;
    assert_eq!(tuned + certified + told, 2_000);
    assert_eq!(found(1).groups.iter().sum::<usize>(), 500);
    assert!([tuned, certified, told].iter().all(|count| count % 4 == 0), "groups of four");
    assert!(tuned.abs_diff(600) <= 4 && certified.abs_diff(1_000) <= 4, "{tuned} {certified}");
    assert_eq!(found(1), found(1), "no chance");
    assert_ne!(found(1).gates, found(2).gates);
}
