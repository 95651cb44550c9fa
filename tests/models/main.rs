//! Kinds that ask: models and services of others, in whole graphs and on real threads.

mod http_call;
mod server;

use std::{sync::Arc, time::Duration};

use afferent_suite::kinds;
use engine::{
    Catalog, Diagnostics, Disk, EdgeReport, GraphSpec, Outcome, Plan, PlanOptions, RunOptions,
    Running, SourceText,
};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn try_plan(text: &str) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("models.toml", text))?;
    let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, kinds::KINDS]);
    spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk))).map(Arc::new)
}

/// Runs to the end and checks that every frame is accounted for.
fn run(text: &str) -> (Running, Outcome) {
    let plan = try_plan(text).unwrap_or_else(|problems| panic!("{problems}"));
    let options = RunOptions { speed: None, ..RunOptions::default() };
    let running = plan.start(&options).expect("bodies can be built");
    let outcome = running.wait_for(LIMIT).expect("ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    assert!(report.is_balanced(), "{:?}", report.edges);
    let inside: u64 = report.edges.iter().map(|edge| edge.frames.in_flight).sum();
    assert_eq!(inside, 0, "{:?}", report.edges);
    (running, outcome)
}

fn edge(running: &Running, from: &str, to: &str) -> EdgeReport {
    running.report().edge(from, to).unwrap_or_else(|| panic!("no edge {from} → {to}")).clone()
}
