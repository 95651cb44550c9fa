//! `[[test]]` blocks: a graph, what it is given, and whether it answers as expected.
//!
//! ```text
//! GraphSpec ──rewrite──▶ GraphSpec with feeds for sources, collectors for   ──plan──▶ ManualRun
//!                        expectations, and sinks that swallow                            │
//!                                                     Unmet ◀──judge── frames collected ◀┘
//! ```
//!
//! The kinds for that are made per test and leaked: a test run is short, its tests few.

mod collect;
mod feed;
mod judge;
mod rewrite;

use std::sync::Arc;

use engine::{Diagnostics, ManualRun, Place, TestSpec, Timestamp};

use crate::graph::Graph;

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

/// Event time after which a test without `seconds` is given up, where no source says how long it
/// lasts.
const NO_END_S: f64 = 3_600.0;

/// Runs one test; says what was not as expected.
pub(crate) fn run(graph: &Graph, test: &TestSpec) -> Result<Vec<Unmet>, Diagnostics> {
    let rewritten = rewrite::rewrite(&graph.spec, test)?;
    let plan = Arc::new(graph.plan_instead(&rewritten.spec, &rewritten.catalog)?);
    let mut run = match ManualRun::new(&plan, graph.cores(), Some(1.0)) {
        Ok(run) => run,
        Err(error) => return Ok(vec![Unmet::new(error.to_string())]),
    };
    let limit = match (&test.seconds, plan.duration()) {
        (Some(seconds), _) => Timestamp::from_secs_f64(seconds.value),
        (None, Some(_)) => Timestamp::MAX,
        (None, None) => Timestamp::from_secs_f64(NO_END_S),
    };
    let mut unmet = Vec::new();
    if !run.run_until(limit) {
        if test.seconds.is_none() && run.faults.is_empty() {
            let text = "the sources have not ended after an hour; write `seconds`".to_owned();
            return Ok(vec![Unmet::new(text)]);
        }
        finish(&mut run);
    }
    unmet.extend(
        run.faults.iter().map(|(node, fault)| Unmet::new(format!("node `{node}`: {fault}"))),
    );
    for (expectation, collected) in test.expect.iter().zip(&rewritten.collectors) {
        if let Err(text) = judge::judge(expectation, collected) {
            unmet.push(Unmet { text, place: expectation.check.place.clone() });
        }
    }
    Ok(unmet)
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
