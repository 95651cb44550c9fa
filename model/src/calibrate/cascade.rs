//! [`calibrate_cascade`]: whole models from small to large, of which the next one is asked where one is not sure.
//!
//! Unlike the exits of a chain each of them may be left out, costs what it costs for itself, and what counts is
//! whether its answer is worse than the largest one's. Samples come in groups, such as the pieces of one recording, which
//! resemble each other: a group is in one part alone.
//!
//! 1. Three tenths tune: a [`Logistic`] for each model says what its confidence is worth; for every choice of models a
//!    [`path`] of thresholds is laid, and the choice that is cheapest at the risk that is allowed is taken.
//! 2. Half of them certify: that path is walked as far as the promise can be kept (*Learn then Test*).
//! 3. The rest did neither: what is told of them is what is to be expected.

use super::{
    bound::clopper_pearson,
    choose::{Promise, certify},
    logistic::Logistic,
    path::{Table, path},
    split::{Random, shuffled},
    temperature::expected_calibration_error,
};

/// Shares of the samples that tune, and that certify.
const PARTS: [f64; 2] = [0.3, 0.5];
/// Thresholds tried for each model.
const GRID: usize = 50;
/// Choices of models that are tried: all of them up to so many early ones.
const EARLY_MAX: usize = 8;
/// How often groups are drawn again for an interval.
const DRAWS: usize = 1_000;

/// What every model said of a sample, from small to large.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Samples of one group resemble each other.
    pub group: usize,
    /// How sure each was; none where its answer must not count, whatever it says.
    pub confidence: Vec<Option<f64>>,
    /// What was wrong with each answer, in any count.
    pub errors: Vec<usize>,
    /// Of how many that is.
    pub of: usize,
    /// What each has cost, for itself.
    pub costs: Vec<f64>,
}

/// When an answer of one model is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// What its confidence is worth; nothing where it is compared as it is.
    pub worth: Option<Logistic>,
    /// At least so much; above 1 it is never asked.
    pub threshold: f64,
}

impl Gate {
    /// It is never asked.
    pub const SHUT: Self = Self { worth: None, threshold: f64::INFINITY };

    /// Whether the model is never asked.
    pub fn is_shut(&self) -> bool {
        self.threshold > 1.0
    }

    /// Whether an answer of such confidence is taken.
    pub fn takes(&self, confidence: f64) -> bool {
        self.worth.map_or(confidence, |worth| worth.of(confidence)) >= self.threshold
    }
}

/// What was found of a cascade.
#[derive(Clone, Debug, PartialEq)]
pub struct Cascaded {
    /// By model but the last.
    pub gates: Vec<Gate>,
    /// Expected calibration error of each of them on the samples that did not tune: of its confidence as it is, and of what that
    /// is worth.
    pub errors: Vec<[f64; 2]>,
    /// By model, the last one among them: share of all samples for which it is as good as the last one.
    pub alone: Vec<f64>,
    /// Samples that tuned, that certified, and that did neither; and their groups.
    pub samples: [usize; 3],
    /// See `samples`.
    pub groups: [usize; 3],
    /// Risk on the samples that certified.
    pub risk: f64,
    /// What it comes to on the samples that did neither.
    pub expected: Expected,
}

/// What a cascade comes to on samples that chose nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// By model: share of the samples that it answers.
    pub shares: Vec<f64>,
    /// Share whose answer is worse than the last model's, and between which bounds it lies with the promised confidence.
    pub lost: [f64; 3],
    /// Mean cost of the cascade, and of the last model alone.
    pub cost: [f64; 2],
    /// Share of the cost that is saved, and between which bounds it lies with the promised confidence.
    pub saved: [f64; 3],
    /// Errors of the cascade, of the last model, and of how many.
    pub errors: [usize; 3],
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hopeless {
    /// So many groups cannot be in three parts.
    Groups(usize),
    /// Nothing can be promised: the least share that the surest few answers of a model have lost, of so many samples.
    Promise(usize, f64),
    /// Whatever is left out, it is no cheaper than the last model alone: its mean cost, and that one's.
    Cost([f64; 2]),
}

/// Finds when the answers of the smaller models are taken, so that with probability `1 − delta` at most the share `risk` of
/// answers is worse than the last model's. `seed` says which groups do what.
///
/// # Errors
/// If there is nothing to be found.
///
/// # Panics
/// If samples have not as many of everything as the first one has models, two at least, or the promise is not between 0 and 1.
pub fn calibrate_cascade(
    samples: &[Heard],
    [risk, delta]: [f64; 2],
    seed: u64,
) -> Result<Cascaded, Hopeless> {
    let models = samples.first().map_or(2, |first| first.errors.len());
    assert!(models >= 2, "a cascade has two models");
    let parts = parts(samples, seed)?;
    let [tuning, certifying, rest] = &parts.each_ref().map(|part| &part.0[..]);
    let worth: Vec<Logistic> = (0..models - 1).map(|model| worth(tuning, model)).collect();
    let (early, steps) = choice(tuning, &worth, risk)?;
    let table = table(certifying, &early, &worth);
    let promise = Promise::Confident { risk, delta };
    let found = certify(&table, steps, promise).expect("the promise is between 0 and 1");
    if found.step == 0 {
        let first = found.curve.get(1).map_or(1.0, |point| point.risk);
        return Err(Hopeless::Promise(certifying.len(), first));
    }
    let mut gates = vec![Gate::SHUT; models - 1];
    for (&model, &threshold) in early.iter().zip(&found.thresholds) {
        gates[model] = Gate { worth: Some(worth[model]), threshold };
    }
    let expected = expected(rest, &gates, delta, seed);
    if expected.saved[0] <= 0.0 {
        return Err(Hopeless::Cost(expected.cost));
    }
    let unseen: Vec<&Heard> = certifying.iter().chain(*rest).copied().collect();
    Ok(Cascaded {
        errors: (0..models - 1).map(|model| calibration(&unseen, model, &worth[model])).collect(),
        alone: (0..models).map(|model| share(samples, |it| !it.is_worse(model))).collect(),
        samples: parts.each_ref().map(|part| part.0.len()),
        groups: parts.each_ref().map(|part| part.1),
        risk: found.risk,
        gates,
        expected,
    })
}

impl Heard {
    /// Whether the answer of a model is worse than the last one's.
    pub fn is_worse(&self, model: usize) -> bool {
        self.errors[model] > self.errors[self.errors.len() - 1]
    }

    /// Whose answer is taken, and what that costs.
    pub fn goes(&self, gates: &[Gate]) -> (usize, f64) {
        let mut cost = 0.0;
        for (model, gate) in gates.iter().enumerate().filter(|(_, gate)| !gate.is_shut()) {
            cost += self.costs[model];
            if self.confidence[model].is_some_and(|sure| gate.takes(sure)) {
                return (model, cost);
            }
        }
        (gates.len(), cost + self.costs[gates.len()])
    }
}

/// Samples, and how many groups they are of.
type Part<'a> = (Vec<&'a Heard>, usize);

/// The samples in three parts, group by group.
fn parts(samples: &[Heard], seed: u64) -> Result<[Part<'_>; 3], Hopeless> {
    let mut groups: Vec<usize> = samples.iter().map(|sample| sample.group).collect();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() < 3 {
        return Err(Hopeless::Groups(groups.len()));
    }
    let mut parts: [Part<'_>; 3] = Default::default();
    let limits = [PARTS[0], PARTS[0] + PARTS[1], 2.0].map(|share| share * samples.len() as f64);
    let order = shuffled(groups.len(), seed);
    let mut taken = 0;
    for (at, &group) in order.iter().map(|&at| &groups[at]).enumerate() {
        // Every part has a group, however long they are.
        let left = groups.len() - at;
        let empty = parts.iter().filter(|part| part.1 == 0).count();
        let by_share = limits.iter().position(|&limit| (taken as f64) < limit).unwrap_or(2);
        let into = match parts.iter().position(|part| part.1 == 0) {
            Some(first) if left <= empty || by_share > first => first,
            _ => by_share,
        };
        let of_group = samples.iter().filter(|sample| sample.group == group);
        let before = parts[into].0.len();
        parts[into].0.extend(of_group);
        parts[into].1 += 1;
        taken += parts[into].0.len() - before;
    }
    Ok(parts)
}

fn share(samples: &[Heard], is: impl Fn(&Heard) -> bool) -> f64 {
    samples.iter().filter(|sample| is(sample)).count() as f64 / samples.len().max(1) as f64
}

fn judged<'a>(samples: &'a [&Heard], model: usize) -> impl Iterator<Item = (f64, bool)> + use<'a> {
    samples.iter().filter_map(move |it| Some((it.confidence[model]?, !it.is_worse(model))))
}

fn worth(samples: &[&Heard], model: usize) -> Logistic {
    Logistic::fit(&judged(samples, model).collect::<Vec<_>>())
}

fn calibration(samples: &[&Heard], model: usize, worth: &Logistic) -> [f64; 2] {
    let by = |worth: &Logistic| {
        expected_calibration_error(judged(samples, model).map(|(sure, is)| (worth.of(sure), is)))
    };
    [&Logistic::SAME, worth].map(by)
}

/// Which of the models but the last are asked at all, and the path of their thresholds: the choice that is cheapest where as
/// much is lost as may be.
fn choice(
    tuning: &[&Heard],
    worth: &[Logistic],
    risk: f64,
) -> Result<(Vec<usize>, Vec<Vec<f64>>), Hopeless> {
    let early = worth.len().min(EARLY_MAX);
    let alone = mean(tuning, |it| it.costs[worth.len()]);
    let mut best: Option<(f64, Vec<usize>, Vec<Vec<f64>>)> = None;
    let mut least_lost = 1.0_f64;
    for mask in 1_u32..1 << early {
        let chosen: Vec<usize> = (0..early).filter(|model| mask >> model & 1 == 1).collect();
        let table = table(tuning, &chosen, worth);
        let mut steps = path(&table, GRID);
        // What is not whole has no confidence, and leaves at no threshold.
        steps.iter_mut().flatten().for_each(|threshold| *threshold = threshold.max(0.0));
        let known = |thresholds: &Vec<f64>| {
            let mut gates = vec![Gate::SHUT; worth.len()];
            for (&model, &threshold) in chosen.iter().zip(thresholds) {
                gates[model] = Gate { worth: Some(worth[model]), threshold };
            }
            let lost = mean(tuning, |it| f64::from(it.is_worse(it.goes(&gates).0)));
            least_lost = least_lost.min(lost);
            (lost <= risk).then(|| mean(tuning, |it| it.goes(&gates).1))
        };
        let Some(cost) = steps.iter().skip(1).filter_map(known).reduce(f64::min) else { continue };
        let is_best = best.as_ref().is_none_or(|(least, known, _)| {
            cost < *least || (cost <= *least && chosen.len() < known.len())
        });
        if is_best {
            best = Some((cost, chosen, steps));
        }
    }
    match best {
        Some((cost, chosen, steps)) if cost < alone => Ok((chosen, steps)),
        Some((cost, ..)) => Err(Hopeless::Cost([cost, alone])),
        None => Err(Hopeless::Promise(tuning.len(), least_lost)),
    }
}

fn mean(samples: &[&Heard], of: impl Fn(&Heard) -> f64) -> f64 {
    samples.iter().map(|sample| of(sample)).sum::<f64>() / samples.len().max(1) as f64
}

/// What these models and the last one did with each sample.
fn table(samples: &[&Heard], early: &[usize], worth: &[Logistic]) -> Table {
    let last = worth.len();
    let mut sum = 0.0;
    let costs_to = early.iter().copied().chain([last]).map(|model| {
        sum += mean(samples, |it| it.costs[model]);
        sum
    });
    let costs_to: Vec<f64> = costs_to.collect();
    let (mut confidence, mut loss) = (Vec::new(), Vec::new());
    for sample in samples {
        for &model in early {
            // Below all thresholds.
            let sure = sample.confidence[model].map_or(-1.0, |sure| worth[model].of(sure));
            confidence.push(sure);
            loss.push(f64::from(sample.is_worse(model)));
        }
        confidence.push(1.0);
        loss.push(0.0);
    }
    Table::new(costs_to, confidence, loss, None)
}

fn expected(samples: &[&Heard], gates: &[Gate], delta: f64, seed: u64) -> Expected {
    let last = gates.len();
    let gone: Vec<(usize, f64)> = samples.iter().map(|sample| sample.goes(gates)).collect();
    let count = samples.len();
    let lost = samples.iter().zip(&gone).filter(|(it, (at, _))| it.is_worse(*at)).count();
    let sides = [
        1.0 - clopper_pearson(count - lost, count, delta / 2.0),
        clopper_pearson(lost, count, delta / 2.0),
    ];
    let mut shares = vec![0.0; last + 1];
    for (at, _) in &gone {
        shares[*at] += 1.0 / count as f64;
    }
    let costs: Vec<(usize, [f64; 2])> = samples
        .iter()
        .zip(&gone)
        .map(|(sample, (_, cost))| (sample.group, [*cost, sample.costs[last]]))
        .collect();
    let [cost, alone] = [0, 1].map(|n| costs.iter().map(|(_, both)| both[n]).sum::<f64>());
    let [least, most] = saved_between(&costs, delta, seed);
    let errors = samples.iter().zip(&gone).fold([0; 3], |[ours, theirs, of], (it, (at, _))| {
        [ours + it.errors[*at], theirs + it.errors[last], of + it.of]
    });
    Expected {
        shares,
        lost: [lost as f64 / count as f64, sides[0], sides[1]],
        cost: [cost, alone].map(|sum| sum / count as f64),
        saved: [1.0 - cost / alone, least, most],
        errors,
    }
}

/// Between which bounds the share of the cost lies that is saved: groups drawn again (bootstrap percentiles).
fn saved_between(costs: &[(usize, [f64; 2])], delta: f64, seed: u64) -> [f64; 2] {
    let mut by_group = std::collections::BTreeMap::<usize, [f64; 2]>::new();
    for (group, [ours, theirs]) in costs {
        let sums = by_group.entry(*group).or_default();
        *sums = [sums[0] + ours, sums[1] + theirs];
    }
    let groups: Vec<[f64; 2]> = by_group.into_values().collect();
    let mut random = Random(seed);
    let mut draw = || {
        let drawn = (0..groups.len()).map(|_| groups[random.below(groups.len())]);
        let [ours, theirs] = drawn.fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
        1.0 - ours / theirs
    };
    let mut all: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((share * DRAWS as f64) as usize).min(DRAWS - 1)];
    [at(delta / 2.0), at(1.0 - delta / 2.0)]
}

/// Samples that are needed for any promise: that nothing is lost in all that certify must be less likely than the promise may fail,
/// were the risk above the promised one.
pub fn cascade_samples_needed([risk, delta]: [f64; 2]) -> usize {
    let certifying = (delta.ln() / (-risk).ln_1p()).ceil();
    // One more for what rounding takes from the share.
    (certifying / PARTS[1]).ceil() as usize + 1
}
