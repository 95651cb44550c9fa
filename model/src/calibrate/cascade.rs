//! [`calibrate_cascade`]: whole models from small to large, of which the next one is asked where one is not sure.
//!
//! Unlike the exits of a chain each of them may be left out, costs what it costs for itself, and what counts is
//! whether its answer is worse than the largest one's. Samples come in groups, such as the pieces of one recording, which
//! resemble each other: a group is in one part alone, and what is promised is of the mean share that a group to come loses.
//!
//! 1. Three tenths of the groups tune: a [`Logistic`] for each model says what its confidence is worth; for every choice of models a
//!    [`path`] of thresholds is laid, and the choice that is cheapest at the risk that is allowed is taken.
//! 2. Half of them certify: that path is walked as far as the promise can be kept (*Learn then Test*).
//! 3. The rest did neither: what is told of them is what is to be expected.

use super::{
    betting::{least_and_most, not_below, wins},
    bound::{binomial_tail, clopper_pearson},
    heard::{Gate, Goes, Heard, Sure},
    logistic::Logistic,
    path::{Table, path},
    split::{Random, shuffled},
    temperature::expected_calibration_error,
};

/// Shares of the groups that tune, and that certify.
const PARTS: [f64; 2] = [0.3, 0.5];
/// Thresholds tried for each model.
const GRID: usize = 50;
/// Choices of models that are tried: all of them up to so many early ones.
const EARLY_MAX: usize = 8;
/// How often groups are drawn again for an interval.
const DRAWS: usize = 1_000;
/// Of fewer groups than this nothing is known of how they differ.
const GROUPS_FEW: usize = 5;

/// What was found of a cascade.
#[derive(Clone, Debug, PartialEq)]
pub struct Cascaded {
    /// By model but the last.
    pub gates: Vec<Gate>,
    /// Expected calibration error of each of them on the samples that did not tune: of its confidence as it is, and of what that
    /// is worth.
    pub errors: Vec<[f64; 2]>,
    /// By model, the last one behind the others among them: share of all samples for which it is as good as the last one alone.
    pub alone: Vec<f64>,
    /// Samples that tuned, that certified, and that did neither; and their groups.
    pub samples: [usize; 3],
    /// See `samples`.
    pub groups: [usize; 3],
    /// Risk on the groups that certified.
    pub risk: f64,
    /// What it comes to on the samples that did neither.
    pub expected: Expected,
}

/// What a cascade comes to on samples that chose nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// By model: share of the samples that it answers.
    pub shares: Vec<f64>,
    /// Mean share that a group loses: of answers that are worse than those of the last model alone; and between which bounds that of
    /// groups to come lies with the promised confidence.
    pub lost: [f64; 3],
    /// Mean cost of the cascade, and of the last model alone.
    pub cost: [f64; 2],
    /// Share of the cost that is saved.
    pub saved: f64,
    /// Between which bounds that lies with the promised confidence; nothing where groups are too few to say so.
    pub saved_between: Option<[f64; 2]>,
    /// Errors of the cascade, of the last model alone, and of how many.
    pub errors: [usize; 3],
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hopeless {
    /// So many groups cannot be in three parts.
    Groups(usize),
    /// Nothing can be promised: the least share that the surest few answers of a model have lost, of so many groups.
    Promise(usize, f64),
    /// Whatever is left out, it is no cheaper than the last model alone: its mean cost, and that one's.
    Cost([f64; 2]),
}

/// Finds when the answers of the smaller models are taken, so that with probability `1 − delta` groups to come lose at most the
/// share `risk` of their answers on the average: answers that are worse than those of the last model alone. `seed` says which
/// groups do what.
///
/// # Errors
/// If there is nothing to be found.
///
/// # Panics
/// If samples have not as many models as the first one, two at least, or the promise is not between 0 and 1.
pub fn calibrate_cascade(
    samples: &[Heard],
    [risk, delta]: [f64; 2],
    seed: u64,
) -> Result<Cascaded, Hopeless> {
    let models = samples.first().map_or(2, |first| first.answers.len());
    assert!(models >= 2, "a cascade has two models");
    let is_share = |share: f64| share > 0.0 && share < 1.0;
    assert!(is_share(risk) && is_share(delta), "the promise is between 0 and 1");
    let parts = parts(samples, seed)?;
    let [tuning, certifying, rest] = &parts;
    let worth: Vec<Gate> = (0..models - 1).map(|model| worth(&flat(tuning), model)).collect();
    let (early, steps) = choice(tuning, &worth, risk)?;
    let steps = steps.iter().skip(1).map(|thresholds| gates(&worth, &early, thresholds));
    let is_single = parts.iter().flatten().all(|group| group.len() == 1);
    let (gates, found) = certify(certifying, steps, [risk, delta], is_single)
        .map_err(|least| Hopeless::Promise(certifying.len(), least))?;
    // What it saves is judged by what does not tell how much that is.
    let certified = flat(certifying);
    let [ours, theirs] = [mean(&certified, |it| it.goes(&gates).cost), mean(&certified, last_cost)];
    if ours >= theirs {
        return Err(Hopeless::Cost([ours, theirs]));
    }
    let unseen: Vec<&Heard> = certified.iter().copied().chain(flat(rest)).collect();
    Ok(Cascaded {
        errors: (0..models - 1).map(|model| calibration(&unseen, model, &worth[model])).collect(),
        alone: (0..models).map(|model| share(samples, |it| !it.is_worse(model))).collect(),
        samples: parts.each_ref().map(|part| flat(part).len()),
        groups: parts.each_ref().map(Vec::len),
        risk: found,
        expected: expected(rest, &gates, (delta, seed), is_single),
        gates,
    })
}

/// Groups of samples.
type Part<'a> = Vec<Vec<&'a Heard>>;

/// The groups in three parts.
fn parts(samples: &[Heard], seed: u64) -> Result<[Part<'_>; 3], Hopeless> {
    let mut by_group = std::collections::BTreeMap::<usize, Vec<&Heard>>::new();
    for sample in samples {
        by_group.entry(sample.group).or_default().push(sample);
    }
    let groups: Vec<Vec<&Heard>> = by_group.into_values().collect();
    let count = groups.len();
    if count < 3 {
        return Err(Hopeless::Groups(count));
    }
    // Every part has a group.
    let tuning = ((PARTS[0] * count as f64).round() as usize).clamp(1, count - 2);
    let certifying = ((PARTS[1] * count as f64).round() as usize).clamp(1, count - tuning - 1);
    let mut all = shuffled(count, seed).into_iter().map(|at| groups[at].clone());
    let mut take = |count: usize| all.by_ref().take(count).collect::<Part<'_>>();
    Ok([take(tuning), take(certifying), take(count)])
}

fn flat<'a>(part: &Part<'a>) -> Vec<&'a Heard> {
    part.iter().flatten().copied().collect()
}

fn share(samples: &[Heard], is: impl Fn(&Heard) -> bool) -> f64 {
    samples.iter().filter(|sample| is(sample)).count() as f64 / samples.len().max(1) as f64
}

/// How sure a model was of the samples as they are, and whether its answers are as good as the last one's alone.
fn judged<'a>(samples: &'a [&Heard], model: usize) -> impl Iterator<Item = (Sure, bool)> + use<'a> {
    samples.iter().map(move |it| (it.answers[model][0].sure, !it.is_worse(model)))
}

/// What the confidence of a model is worth: that of its words, and that it says none.
fn worth(samples: &[&Heard], model: usize) -> Gate {
    let (mut words, mut silent) = (Vec::new(), [0.0_f64; 2]);
    for (sure, is_good) in judged(samples, model) {
        match sure {
            Sure::Of(confidence) => words.push((confidence, is_good)),
            Sure::Silent => silent[usize::from(is_good)] += 1.0,
            Sure::Never => {}
        }
    }
    let [bad, good] = silent;
    // Where it was never silent nobody knows what that is worth. Else as after one more of both (Laplace).
    let silent = if bad + good == 0.0 { 0.0 } else { (good + 1.0) / (bad + good + 2.0) };
    Gate { worth: Some(Logistic::fit(&words)), silent, threshold: f64::INFINITY }
}

fn calibration(samples: &[&Heard], model: usize, worth: &Gate) -> [f64; 2] {
    let by = |gate: &Gate| {
        let all = judged(samples, model);
        expected_calibration_error(all.filter_map(|(sure, is)| Some((gate.worth_of(sure)?, is))))
    };
    [&Gate::SHUT, worth].map(by)
}

/// What these models, and no others but the last, are worth from such thresholds on.
fn gates(worth: &[Gate], early: &[usize], thresholds: &[f64]) -> Vec<Gate> {
    let mut gates = vec![Gate::SHUT; worth.len()];
    for (&model, &threshold) in early.iter().zip(thresholds) {
        // What must not count has no worth, and leaves at no threshold.
        gates[model] = Gate { threshold: threshold.max(0.0), ..worth[model] };
    }
    gates
}

/// Which of the models but the last are asked at all, and the path of their thresholds: the choice that is cheapest where as
/// much is lost as may be.
fn choice(
    groups: &Part<'_>,
    worth: &[Gate],
    risk: f64,
) -> Result<(Vec<usize>, Vec<Vec<f64>>), Hopeless> {
    let tuning = &flat(groups)[..];
    let early = worth.len().min(EARLY_MAX);
    let alone = mean(tuning, last_cost);
    let mut best: Option<(f64, Vec<usize>, Vec<Vec<f64>>)> = None;
    let mut least_lost = 1.0_f64;
    for mask in 1_u32..1 << early {
        let chosen: Vec<usize> = (0..early).filter(|model| mask >> model & 1 == 1).collect();
        let steps = path(&table(tuning, &chosen, worth), GRID);
        let known = |thresholds: &Vec<f64>| {
            let gates = gates(worth, &chosen, thresholds);
            let lost = losses(groups, &gates).iter().sum::<f64>() / groups.len() as f64;
            least_lost = least_lost.min(lost);
            (lost <= risk).then(|| mean(tuning, |it| it.goes(&gates).cost))
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
        None => Err(Hopeless::Promise(groups.len(), least_lost)),
    }
}

fn mean(samples: &[&Heard], of: impl Fn(&Heard) -> f64) -> f64 {
    samples.iter().map(|sample| of(sample)).sum::<f64>() / samples.len().max(1) as f64
}

/// What the last model costs alone.
fn last_cost(sample: &Heard) -> f64 {
    sample.answers.last().map_or(0.0, |answers| answers[0].cost)
}

/// What these models and the last one did with each sample.
fn table(samples: &[&Heard], early: &[usize], worth: &[Gate]) -> Table {
    let asked = || early.iter().copied().chain([worth.len()]);
    let (mut costs_to, mut confidence, mut loss) =
        (vec![0.0; early.len() + 1], Vec::new(), Vec::new());
    for sample in samples {
        let mut cost = 0.0;
        for (at, (model, answer)) in sample.asks(asked()).enumerate() {
            cost += answer.cost;
            costs_to[at] += cost / samples.len() as f64;
            // What must not count lies below all thresholds.
            let sure = worth.get(model).map_or(Some(1.0), |gate| gate.worth_of(answer.sure));
            confidence.push(sure.unwrap_or(-1.0));
            loss.push(f64::from(answer.errors > sample.alone));
        }
    }
    Table::new(costs_to, confidence, loss, None)
}

/// The share of its answers that each group loses.
fn losses(groups: &Part<'_>, gates: &[Gate]) -> Vec<f64> {
    let of = |group: &Vec<&Heard>| mean(group, |it| f64::from(it.loses(gates)));
    groups.iter().map(of).collect()
}

/// The last of these steps, in this order, before the first of which the mean loss of groups to come might be above `risk` (*Learn
/// then Test*, section 3.2), and what these groups lose of it; else what they lose of the first. Groups of one sample are tested
/// by the binomial distribution itself, others by a bet.
fn certify(
    groups: &Part<'_>,
    steps: impl Iterator<Item = Vec<Gate>>,
    [risk, delta]: [f64; 2],
    is_single: bool,
) -> Result<(Vec<Gate>, f64), f64> {
    let mut held = Err(1.0);
    for (step, gates) in steps.enumerate() {
        let losses = losses(groups, &gates);
        let lost = losses.iter().sum::<f64>();
        let holds = if is_single {
            binomial_tail(lost.round() as usize, losses.len(), risk) <= delta
        } else {
            wins(&losses, risk, delta)
        };
        let mean = lost / losses.len() as f64;
        match holds {
            true => held = Ok((gates, mean)),
            false if step == 0 => return Err(mean),
            false => break,
        }
    }
    held
}

fn expected(
    groups: &Part<'_>,
    gates: &[Gate],
    (delta, seed): (f64, u64),
    is_single: bool,
) -> Expected {
    let samples = flat(groups);
    let gone: Vec<Goes> = samples.iter().map(|sample| sample.goes(gates)).collect();
    let count = samples.len() as f64;
    let mut shares = vec![0.0; gates.len() + 1];
    for goes in &gone {
        shares[goes.model] += 1.0 / count;
    }
    let lost = losses(groups, gates);
    let mean_lost = lost.iter().sum::<f64>() / lost.len() as f64;
    let [least, most] = if is_single {
        let (all, lost) = (lost.len(), lost.iter().sum::<f64>().round() as usize);
        let above = clopper_pearson(all - lost, all, delta / 2.0);
        [1.0 - above, clopper_pearson(lost, all, delta / 2.0)]
    } else {
        least_and_most(&lost, delta)
    };
    let costs: Vec<[f64; 2]> = groups
        .iter()
        .map(|group| {
            let sum = |of: &dyn Fn(&Heard) -> f64| group.iter().map(|sample| of(sample)).sum();
            [sum(&|it| it.goes(gates).cost), sum(&last_cost)]
        })
        .collect();
    let [cost, alone] = [0, 1].map(|n| costs.iter().map(|both| both[n]).sum::<f64>());
    let errors = samples.iter().zip(&gone).fold([0; 3], |[ours, theirs, of], (it, goes)| {
        [ours + goes.errors, theirs + it.alone, of + it.of]
    });
    Expected {
        shares,
        lost: [mean_lost, least, most],
        cost: [cost, alone].map(|sum| sum / count),
        saved: 1.0 - cost / alone,
        saved_between: saved_between(&costs, delta, seed),
        errors,
    }
}

/// Between which bounds the share of the cost lies that is saved: groups drawn again (bootstrap percentiles).
fn saved_between(groups: &[[f64; 2]], delta: f64, seed: u64) -> Option<[f64; 2]> {
    if groups.len() < GROUPS_FEW {
        return None;
    }
    let mut random = Random(seed);
    let mut draw = || {
        let drawn = (0..groups.len()).map(|_| groups[random.below(groups.len())]);
        let [ours, theirs] = drawn.fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
        1.0 - ours / theirs
    };
    let mut all: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((share * DRAWS as f64) as usize).min(DRAWS - 1)];
    Some([at(delta / 2.0), at(1.0 - delta / 2.0)])
}

/// Groups that are needed for any promise: that nothing is lost in all that certify must speak enough against a risk above the
/// promised one. Of groups of one sample, and of larger ones.
pub fn cascade_groups_needed([risk, delta]: [f64; 2]) -> [usize; 2] {
    let single = (delta.ln() / (-risk).ln_1p()).ceil() as usize;
    // One more for what rounding takes from the share.
    [single, not_below(risk, delta)]
        .map(|certifying| (certifying as f64 / PARTS[1]).ceil() as usize + 1)
}
