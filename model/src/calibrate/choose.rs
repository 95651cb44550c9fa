//! [`calibrate`]: temperatures, a path of thresholds, and how far along it the promise holds.

use super::{
    bound::{binomial_tail, clopper_pearson, hoeffding_bentkus},
    chain::{Chain, Loss, Unfit},
    path::{Table, path},
    signal::Signal,
    split::split,
    temperature::Temperature,
};

/// What is promised of the risk for samples to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Promise {
    /// With probability `1 − delta` over the samples that certify, the risk is at most `risk`.
    Confident {
        /// Largest risk, from 0 to 1.
        risk: f64,
        /// How often the promise may fail.
        delta: f64,
    },
    /// The risk is at most `risk` on the average over samples that could have certified: less to promise, more to
    /// gain from few samples.
    Mean {
        /// Largest mean risk, from 0 to 1.
        risk: f64,
    },
}

/// How a chain is calibrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// What is promised.
    pub promise: Promise,
    /// What counts as lost.
    pub loss: Loss,
    /// How sure an exit is.
    pub signal: Signal,
    /// Thresholds tried at each exit.
    pub grid: usize,
    /// Share of the samples that tune, from 0 to 1; the others certify.
    pub tune: f64,
    /// Which samples do which.
    pub seed: u64,
}

impl Options {
    /// With the promise, and otherwise what suits most chains.
    pub const fn new(promise: Promise, loss: Loss) -> Self {
        Self { promise, loss, signal: Signal::Top, grid: 50, tune: 0.3, seed: 1 }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    /// By exit, the last one among them.
    pub temperatures: Vec<Temperature>,
    /// By early exit: leave where the confidence is at least this; infinite for never.
    pub thresholds: Vec<f64>,
    /// What holds for them.
    pub promise: Promise,
    /// Risk on the samples that certified.
    pub risk: f64,
    /// Upper bound of the risk at the promised confidence (Clopper–Pearson), as if these thresholds had been chosen without
    /// looking: a figure to read, no further promise. None where the promise is of the mean, or losses lie between 0 and 1.
    pub risk_below: Option<f64>,
    /// Samples that tuned and that certified.
    pub samples: [usize; 2],
    /// Answers that are others than at the end, as a share of all: on the samples that certified, and at most, with the promised
    /// confidence (Clopper–Pearson for all steps at once). None where the promise is of the mean.
    pub differs: Option<[f64; 2]>,
    /// Mean cost on the samples that certified, and that of going to the end.
    pub cost: [f64; 2],
    /// By exit: share of samples that leave there.
    pub shares: Vec<f64>,
    /// Share of right answers with these thresholds and at the end, where labels are known.
    pub accuracy: Option<[f64; 2]>,
    /// Every step that was laid, on the samples that certified: for a plot, not for choosing another one.
    pub curve: Vec<CurvePoint>,
    /// Which step of the curve was chosen; 0 is *never early*.
    pub step: usize,
}

/// One step of the path.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// By early exit.
    pub thresholds: Vec<f64>,
    /// Mean cost.
    pub cost: f64,
    /// Mean loss.
    pub risk: f64,
    /// Share of right answers, where labels are known.
    pub accuracy: Option<f64>,
}

/// Calibrates a chain. Where the promise cannot be kept by leaving early at all, because samples are too few or the early
/// exits too poor, thresholds are infinite: nothing leaves early, and nothing is risked.
///
/// # Errors
/// If labels are wanted and missing, or a promise is not between 0 and 1.
pub fn calibrate(chain: &Chain, options: &Options) -> Result<Calibrated, Unfit> {
    if options.loss == Loss::Wrong && !chain.has_labels() {
        return Err(Unfit::NoLabels);
    }
    let (tuning, rest) = split(chain.rows(), options.tune.clamp(0.0, 1.0), options.seed);
    let temperatures: Vec<Temperature> =
        (0..chain.exits()).map(|exit| temperature(chain, exit, &tuning)).collect();
    let [tuning, certifying] =
        [&tuning, &rest].map(|rows| table(chain, rows, &temperatures, options));
    let steps = path(&tuning, options.grid);
    let found = certify(&certifying, steps, options.promise)?;
    let differs = differs(chain, &rest, &certifying, &found, options);
    Ok(Calibrated { temperatures, samples: [tuning.rows(), certifying.rows()], differs, ..found })
}

/// See [`Calibrated::differs`]. Where that is the very loss, the promise bounds it.
fn differs(
    chain: &Chain,
    rows: &[usize],
    table: &Table,
    found: &Calibrated,
    options: &Options,
) -> Option<[f64; 2]> {
    let Promise::Confident { risk, delta } = options.promise else { return None };
    let is_other = |&(at, &row): &(usize, &usize)| {
        chain.loses(Loss::Differs, table.leaves(at, &found.thresholds), row)
    };
    let count = rows.iter().enumerate().filter(is_other).count();
    let seen = count as f64 / rows.len().max(1) as f64;
    let most = match options.loss {
        Loss::Differs => risk,
        // The step was chosen on these samples, by another loss: so the bound is to hold for every one.
        Loss::Wrong => clopper_pearson(count, rows.len(), delta / found.curve.len() as f64),
    };
    Some([seen, most])
}

/// One that fits an exit to what is right or, where nobody knows, to what the last exit answers; that itself is then
/// left as it is.
fn temperature(chain: &Chain, exit: usize, rows: &[usize]) -> Temperature {
    let last = chain.exits() - 1;
    if rows.is_empty() || (exit == last && !chain.has_labels()) {
        return Temperature::ONE;
    }
    let label = |&row: &usize| chain.label(row).unwrap_or_else(|| chain.answer(last, row));
    let labels: Vec<usize> = rows.iter().map(label).collect();
    let logits: Vec<f32> = rows.iter().flat_map(|&row| chain.scores(exit, row)).copied().collect();
    Temperature::fit(&logits, chain.classes(), &labels)
}

fn table(chain: &Chain, rows: &[usize], temperatures: &[Temperature], options: &Options) -> Table {
    let each = || rows.iter().flat_map(|&row| (0..chain.exits()).map(move |exit| (row, exit)));
    let confidence = each()
        .map(|(row, exit)| options.signal.of(chain.scores(exit, row), temperatures[exit].value));
    let loss = each().map(|(row, exit)| f64::from(chain.loses(options.loss, exit, row)));
    let right = chain.has_labels().then(|| {
        each().map(|(row, exit)| chain.label(row) == Some(chain.answer(exit, row))).collect()
    });
    Table::new(chain.costs_to(), confidence.collect(), loss.collect(), right)
}

/// Walks a path of thresholds, laid without looking at these samples, as far as the promise holds. Temperatures are left
/// empty.
///
/// [`Promise::Confident`] tests step after step whether its risk could be above the promised one and ends before the first
/// for which that cannot be excluded at level `delta`; as steps are in a fixed order, no test costs the others anything (*Learn
/// then Test*, section 3.2). Losses of 0 and 1 are tested by the binomial distribution itself, others by Hoeffding–Bentkus.
///
/// [`Promise::Mean`] takes the last step with `(n·mean + 1)/(n + 1) ≤ risk` (*Conformal Risk Control*, theorem 1), where each sample's
/// loss is its largest so far: that makes it monotone, as the theorem asks.
///
/// # Errors
/// If a promise is not between 0 and 1.
pub fn certify(table: &Table, steps: Vec<Vec<f64>>, promise: Promise) -> Result<Calibrated, Unfit> {
    let is_share = |share: f64| share > 0.0 && share < 1.0;
    match promise {
        Promise::Confident { risk, delta } if is_share(risk) && is_share(delta) => {}
        Promise::Mean { risk } if is_share(risk) => {}
        _ => return Err(Unfit::NoPromise),
    }
    let (rows, is_binary) = (table.rows(), table.is_binary());
    let mut worst = vec![0.0_f64; rows];
    let (mut chosen, mut holds) = (0, true);
    let mut curve = Vec::with_capacity(steps.len());
    for (step, thresholds) in steps.into_iter().enumerate() {
        let point = point(table, thresholds, &mut worst);
        // The first step leaves nowhere early and risks nothing; there is nothing to test.
        holds = step == 0
            || holds
                && match promise {
                    Promise::Confident { risk, delta } => {
                        let p = if is_binary {
                            let lost = (point.risk * rows as f64).round() as usize;
                            if rows == 0 { 1.0 } else { binomial_tail(lost, rows, risk) }
                        } else {
                            hoeffding_bentkus(point.risk, rows, risk)
                        };
                        p <= delta
                    }
                    Promise::Mean { risk } => {
                        (worst.iter().sum::<f64>() + 1.0) / (rows as f64 + 1.0) <= risk
                    }
                };
        if holds {
            chosen = step;
        }
        curve.push(point);
    }
    let CurvePoint { thresholds, cost, risk, accuracy } = curve[chosen].clone();
    let mut shares = vec![0.0; table.exits()];
    for row in 0..rows {
        shares[table.leaves(row, &thresholds)] += 1.0 / rows as f64;
    }
    let risk_below = match promise {
        Promise::Confident { delta, .. } if is_binary && rows > 0 => {
            let lost = (risk * rows as f64).round() as usize;
            Some(if chosen == 0 { 0.0 } else { clopper_pearson(lost, rows, delta) })
        }
        _ => None,
    };
    let at_end = curve[0].accuracy;
    Ok(Calibrated {
        temperatures: Vec::new(),
        thresholds,
        promise,
        risk,
        risk_below,
        differs: None,
        samples: [0, rows],
        cost: [cost, table.cost_full()],
        shares,
        accuracy: accuracy.zip(at_end).map(|(early, end)| [early, end]),
        curve,
        step: chosen,
    })
}

/// What one step comes to; `worst` is each sample's largest loss so far.
fn point(table: &Table, thresholds: Vec<f64>, worst: &mut [f64]) -> CurvePoint {
    let (mut cost, mut risk, mut right) = (0.0, 0.0, Some(0_usize));
    for (row, worst) in worst.iter_mut().enumerate() {
        let exit = table.leaves(row, &thresholds);
        let loss = table.loss(row, exit);
        cost += table.cost(exit);
        risk += loss;
        *worst = worst.max(loss);
        right = right.zip(table.is_right(row, exit)).map(|(sum, is)| sum + usize::from(is));
    }
    let rows = table.rows().max(1) as f64;
    let accuracy = right.map(|right| right as f64 / rows);
    CurvePoint { thresholds, cost: cost / rows, risk: risk / rows, accuracy }
}
