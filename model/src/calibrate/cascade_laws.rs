//! What cascades keep, on models whose every answer is known: seeded, with confidences that are wrong on purpose.

use super::{
    cascade::{Cascaded, Hopeless, calibrate_cascade, cascade_groups_needed},
    heard::{Answer, Gate, Heard, Sure},
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

    /// Samples each by itself.
    fn heard(&self, count: usize, seed: u64) -> Vec<Heard> {
        self.grouped(count, 1, seed)
    }

    /// Samples in groups of so many, of which the first of four is hard for the smaller models, the others easy: by as much as
    /// leaves all together what one by one would be.
    fn grouped(&self, count: usize, size: usize, seed: u64) -> Vec<Heard> {
        let mut random = Random(seed);
        let mut hard = false;
        let one = |at: usize| {
            if at.is_multiple_of(size) {
                hard = random.share() < 0.25;
            }
            let mut answers = Vec::new();
            // The last one makes mistakes, too.
            let alone = usize::from(random.share() < 0.3);
            let length = 0.5 + random.share();
            for (model, worth) in self.worth.iter().enumerate() {
                let confidence = random.share();
                let bad = 1.0 - worth.of(confidence);
                let bad = if size == 1 { bad } else { bad * if hard { 2.5 } else { 0.5 } };
                let errors = alone + usize::from(random.share() < bad);
                let sure = match random.share() {
                    share if share < 0.02 => Sure::Never,
                    _ => Sure::Of(confidence),
                };
                answers.push(vec![answer(sure, errors, self.costs[model] * length)]);
            }
            let last = answer(Sure::Of(0.9), alone, self.costs[self.worth.len()] * length);
            answers.push(vec![last]);
            Heard { group: at / size, answers, alone, of: 10 }
        };
        (0..count).map(one).collect()
    }

    fn risk_of(&self, gates: &[Gate]) -> f64 {
        lost(&self.heard(20_000, 999), gates)
    }
}

fn answer(sure: Sure, errors: usize, cost: f64) -> Answer {
    Answer { sure, errors, cost, told: None, tells: None }
}

fn lost(samples: &[Heard], gates: &[Gate]) -> f64 {
    samples.iter().filter(|sample| sample.loses(gates)).count() as f64 / samples.len() as f64
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
                saved += found.expected.saved;
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
fn of_groups_whose_samples_resemble_each_other_no_more_is_lost_either() {
    let (world, [risk, delta]) = (World::usual(), [0.12, 0.1]);
    let truth = world.grouped(80_000, 8, 998);
    let (mut exceeded, mut kept, mut singly) = (0, 0, 0);
    for seed in 0..200 {
        let samples = world.grouped(1_600, 8, seed);
        match calibrate_cascade(&samples, [risk, delta], seed) {
            Ok(found) => {
                kept += 1;
                exceeded += usize::from(lost(&truth, &found.gates) > risk);
            }
            Err(Hopeless::Promise(..)) => {}
            Err(other) => panic!("{other:?}"),
        }
        // The same as if each were a group of its own.
        let alone = |(at, sample): (usize, Heard)| Heard { group: at, ..sample };
        let each: Vec<Heard> = samples.into_iter().enumerate().map(alone).collect();
        let found = calibrate_cascade(&each, [risk, delta], seed);
        singly += usize::from(found.is_ok_and(|found| lost(&truth, &found.gates) > risk));
    }
    // 10 % of 200 and two standard deviations of such a count.
    let most = 20.0 + 2.0 * 18.0_f64.sqrt();
    assert!(exceeded as f64 <= most, "{exceeded} of {kept}");
    assert!(kept > 150, "{kept}: a promise that is hardly ever made is kept easily");
    assert!(singly > exceeded, "{singly}: this law could not fail");
}

#[test]
fn what_says_nothing_has_a_worth_of_its_own() {
    let world = World::usual();
    let mut samples = world.heard(4_000, 12);
    let mut random = Random(13);
    for sample in &mut samples {
        // A third are noise, of which the first model rightly says nothing, but for one in fifty.
        if random.share() < 1.0 / 3.0 {
            sample.answers[0][0].sure = Sure::Silent;
            sample.answers[0][0].errors = sample.alone + usize::from(random.share() < 0.02);
        }
    }
    let found = calibrate_cascade(&samples, [0.1, 0.05], 3).expect("there is enough");
    let gate = found.gates[0];
    assert!((gate.silent - 0.98).abs() < 0.02, "{gate:?}");
    assert!(gate.takes(Sure::Silent) && !gate.takes(Sure::Never));
    // What its words are worth is what it was without.
    let (worth, truth) = (gate.worth.expect("it is asked"), world.worth[0]);
    assert!((worth.slope - truth.slope).abs() < 0.4, "{worth:?}");
    assert!((worth.offset - truth.offset).abs() < 0.4, "{worth:?}");
    // Where it is wrong to say nothing, that is never taken.
    let world = World { costs: vec![0.2, 2.0, 8.0], ..world };
    let mut samples = world.heard(4_000, 12);
    for sample in samples.iter_mut().step_by(10) {
        sample.answers[0][0].sure = Sure::Silent;
        sample.answers[0][0].errors = sample.alone + 1;
    }
    let found = calibrate_cascade(&samples, [0.1, 0.05], 3).expect("there is enough");
    assert!(!found.gates[0].is_shut() && !found.gates[0].takes(Sure::Silent), "{:?}", found.gates);
}

#[test]
fn what_one_tells_the_next_counts_only_where_it_is_asked() {
    let told = |told, errors, cost| Answer { told, ..answer(Sure::Of(0.1), errors, cost) };
    let first = Answer { tells: Some(7), ..answer(Sure::Of(0.2), 9, 1.0) };
    let second = vec![told(None, 2, 3.0), told(Some(7), 5, 2.0)];
    let third = vec![told(None, 1, 8.0), told(Some(7), 4, 6.0)];
    let sample = Heard { group: 0, answers: vec![vec![first], second, third], alone: 1, of: 10 };
    let goes = |gates: [Gate; 2]| {
        let goes = sample.goes(&gates);
        (goes.model, goes.errors, goes.cost)
    };
    let never = Gate::by_hand(0.9);
    assert_eq!(goes([never, never]), (2, 4, 9.0), "told by the first");
    assert_eq!(goes([Gate::SHUT, never]), (2, 1, 11.0), "it was not asked");
    assert_eq!(goes([never, Gate::by_hand(0.0)]), (1, 5, 3.0));
    assert_eq!(goes([Gate::SHUT, Gate::SHUT]), (2, 1, 8.0), "the last one alone");
    assert!(!sample.loses(&[Gate::SHUT; 2]) && sample.loses(&[never, never]));
}

#[test]
fn what_is_lost_even_by_the_last_one_counts() {
    let world = World::usual();
    let mut samples = world.heard(4_000, 12);
    let mut random = Random(14);
    for sample in &mut samples {
        // What was told before is wrong in one of seven, whoever is asked in the end.
        if random.share() < 1.0 / 7.0 {
            sample.answers.iter_mut().for_each(|all| all[0].errors = sample.alone + 1);
        }
    }
    let none = calibrate_cascade(&samples, [0.1, 0.05], 3);
    assert!(matches!(none, Err(Hopeless::Promise(_, lost)) if lost > 0.1), "{none:?}");
}

#[test]
fn thresholds_that_were_not_certified_lose_more_than_promised_far_too_often() {
    let (world, risk) = (World::usual(), 0.1);
    let guess = |threshold| {
        let gate = Gate::by_hand(threshold);
        world.risk_of(&[gate, Gate::SHUT])
    };
    // By its own word: rather too careful, or far too bold.
    assert!(guess(1.0 - risk) < 0.5 * risk && guess(0.4) > 1.5 * risk);
    // The last step whose loss on the samples themselves was no more than allowed.
    let mut exceeded = 0;
    for seed in 0..100 {
        let samples = world.heard(100, seed);
        let lost = |threshold: f64| {
            super::cascade_laws::lost(&samples, &[Gate::by_hand(threshold), Gate::SHUT])
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
    let share = |model| {
        many.iter().filter(|it| it.goes(&found.gates).model == model).count() as f64 / 20_000.0
    };
    for (model, told) in expected.shares.iter().enumerate() {
        // Three standard deviations of a share of the 1 200 that told it.
        assert!((share(model) - told).abs() < 0.045, "{model}: {} {told}", share(model));
    }
    let ([least, most], saved) = (expected.saved_between.expect("many"), expected.saved);
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
    let mut sample = world.heard(1, 1).remove(0);
    sample.answers[1][0].sure = Sure::Never;
    let [second, last] = [1, 2].map(|model: usize| sample.answers[model][0].cost);
    assert!((sample.goes(&found.gates).cost / (second + last) - 1.0).abs() < 1e-9);
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
    let [needed, of_many] = cascade_groups_needed(promise);
    assert_eq!(needed, 119, "0.95^59 < 0.05, and 59 are half of 118");
    assert!((119..140).contains(&of_many), "{of_many}: hardly more, of many samples each");
    // So many do where nothing is lost, and one group less in what certifies does not.
    let perfect =
        World { worth: vec![Logistic { slope: 0.0, offset: 60.0 }], costs: vec![1.0, 8.0] };
    for (size, needed) in [(1, needed), (3, of_many)] {
        let found =
            |groups: usize| calibrate_cascade(&perfect.grouped(size * groups, size, 1), promise, 1);
        assert!(found(needed).is_ok(), "{needed} groups of {size}: {:?}", found(needed));
        assert!(matches!(found(needed - 4), Err(Hopeless::Promise(..))), "groups of {size}");
    }
    assert_eq!(found(&world, 2, promise, 1), Err(Hopeless::Groups(2)));
    let found = found(&world, 12, [0.9, 0.9], 1);
    assert!(found.is_ok() || matches!(found, Err(Hopeless::Promise(..))), "{found:?}");
}

#[test]
fn groups_are_in_one_part_alone_and_the_seed_says_which() {
    let world = World::usual();
    let found = |seed| calibrate_cascade(&world.grouped(2_000, 4, 3), [0.15, 0.05], seed).unwrap();
    let [tuned, certified, told] = found(1).samples;
    assert_eq!(tuned + certified + told, 2_000);
    assert_eq!(found(1).groups.iter().sum::<usize>(), 500);
    assert!([tuned, certified, told].iter().all(|count| count % 4 == 0), "groups of four");
    assert_eq!((tuned, certified), (600, 1_000));
    assert_eq!(found(1), found(1), "no chance");
    assert_ne!(found(1).gates, found(2).gates);
}
