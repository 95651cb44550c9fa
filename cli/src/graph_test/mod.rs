//! `[[test]]` blocks: a graph, what it is given, and whether it answers as expected.
//!
//! ```text
//! GraphSpec ──rewrite──▶ GraphSpec with feeds for sources, collectors for   ──plan──▶ ManualRun
//!                        expectations, and sinks that swallow                            │
//!                                                              Unmet ◀──judge── frames ◀─┘
//! ```
//!
//! The kinds for that are made per test and leaked: a test run is short, its tests few.

mod collect;
mod feed;
mod judge;
mod rewrite;

use std::sync::Arc;

pub(crate) use rewrite::without_sinks;

use engine::{Diagnostic, Diagnostics, Level, ManualRun, Place, Plan, TestSpec, Timestamp};

use crate::graph::Graph;

use self::collect::Collected;

/// Why a test did not pass.
pub(crate) struct Unmet {
    /// What was wanted and what came.
    pub(crate) text: String,
    /// The expectation.
    pub(crate) place: Option<Place>,
}

impl Unmet {
    fn new(text: String) -> Self {
        Self { text, place: None }
    }
}

/// A test of which all is there that it asks for.
pub(crate) struct Prepared {
    test: TestSpec,
    plan: Arc<Plan>,
    cores: usize,
    collectors: Vec<&'static Collected>,
}

/// Makes every test of a graph ready, in the order of the file: ready, or not because of one of
/// the problems. Each problem is told once, whatever number of tests have it.
pub(crate) fn prepare(graph: &Graph) -> (Vec<Option<Prepared>>, Vec<Diagnostic>) {
    let (mut prepared, mut problems) = (Vec::new(), Vec::new());
    for number in 0..graph.spec.tests.len() {
        match prepare_one(graph, number) {
            Ok(ready) => prepared.push(Some(ready)),
            Err(found) => {
                add(found.0, &mut problems);
                prepared.push(None);
            }
        }
    }
    (prepared, problems)
}

/// Adds the errors that are not there yet.
pub(crate) fn add(found: Vec<Diagnostic>, problems: &mut Vec<Diagnostic>) {
    for problem in found {
        if problem.level == Level::Error && !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

fn prepare_one(graph: &Graph, number: usize) -> Result<Prepared, Diagnostics> {
    let set = &graph.spec.tests[number].set;
    // What is set may be a parameter of the file, or of what it includes: then what is looked at may come from
    // another node, too.
    let mut spec = match set.is_empty() {
        true => graph.spec.clone(),
        false => graph.spec_with(set)?,
    };
    let test = spec.tests.swap_remove(number);
    let rewritten = rewrite::rewrite(spec, &test)?;
    let plan = Arc::new(graph.plan_instead(&rewritten.spec, &rewritten.catalog)?);
    Ok(Prepared { test, plan, cores: graph.cores(), collectors: rewritten.collectors })
}

/// Event time after which a test without `seconds` is given up, where no source says how long it
/// lasts.
const NO_END_S: f64 = 3_600.0;

/// Event time that no test without `seconds` outlasts, whatever its sources say: a day.
const LONGEST_S: f64 = 86_400.0;

impl Prepared {
    /// Runs it; says what was not as expected.
    pub(crate) fn run(&self) -> Vec<Unmet> {
        let mut run = match ManualRun::new(&self.plan, self.cores, Some(1.0)) {
            Ok(run) => run,
            Err(error) => return vec![Unmet::new(error.to_string())],
        };
        let limit_s = match (&self.test.seconds, self.plan.duration()) {
            (Some(seconds), _) => seconds.value,
            (None, Some(_)) => LONGEST_S,
            (None, None) => NO_END_S,
        };
        if !run.run_until(Timestamp::from_secs_f64(limit_s)) {
            if self.test.seconds.is_none() && run.faults.is_empty() {
                let hours = limit_s / 3_600.0;
                return vec![Unmet::new(format!(
                    "the sources have not ended after {hours} h of event time; write `seconds`"
                ))];
            }
            finish(&mut run);
        }
        let faults = run.faults.iter();
        let faults = faults.map(|(node, fault)| Unmet::new(format!("node `{node}`: {fault}")));
        let mut unmet: Vec<Unmet> = faults.collect();
        for (expectation, collected) in self.test.expect.iter().zip(&self.collectors) {
            if let Err(text) = collected.verdict() {
                unmet.push(Unmet { text, place: expectation.check.place.clone() });
            }
        }
        unmet
    }
}

/// Restarts that may still be due when the time is over.
const WAITS_MAX: usize = 100;

/// Ends the sources where they are and lets everything inside come out.
fn finish(run: &mut ManualRun) {
    run.drain();
    for _ in 0..WAITS_MAX {
        match run.settle() {
            Some(next) => run.clock().set(next),
            None => return,
        }
    }
}
