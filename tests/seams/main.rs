//! The three seams of the engine and sources that wait, in whole graphs and on real threads.
//!
//! Nothing here measures time; where something must have happened first, it is waited for.

mod calls;
mod cards;
mod carrier;
mod failing;
mod live;
mod services;
mod sinks;
mod sound;
mod taps;

use std::{sync::Arc, time::Duration};

use afferent_suite::{kinds, waiting};
use engine::{
    Catalog, Diagnostics, Disk, EdgeReport, GraphSpec, Plan, PlanOptions, RunOptions, Running,
    Services, SourceText, testing::MOCK_CALL,
};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn options() -> PlanOptions {
    PlanOptions::new(Arc::new(Disk))
}

fn spec(text: &str) -> GraphSpec {
    GraphSpec::parse(&SourceText::new("seams.toml", text)).unwrap_or_else(|why| panic!("{why}"))
}

fn try_plan(text: &str, options: &PlanOptions) -> Result<Arc<Plan>, Diagnostics> {
    let doubles = [&MOCK_CALL, &waiting::DEVICE, &taps::QUIET];
    let catalog = Catalog::new(&[operators::CATALOG, kinds::KINDS, &doubles, failing::KINDS]);
    spec(text).plan(&catalog, options).map(Arc::new)
}

fn plan_with(text: &str, services: Services) -> Arc<Plan> {
    let options = PlanOptions { services, ..options() };
    try_plan(text, &options).unwrap_or_else(|problems| panic!("{problems}"))
}

fn start(plan: &Arc<Plan>, sessions: u32) -> Running {
    let options = RunOptions { speed: None, sessions, ..RunOptions::default() };
    plan.start(&options).expect("bodies can be built")
}

/// Runs to the end and checks that every frame is accounted for.
fn finish(running: &Running) {
    let outcome = running.wait_for(LIMIT).expect("ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    assert!(report.is_balanced(), "{:?}", report.edges);
    let inside: u64 = report.edges.iter().map(|edge| edge.frames.in_flight).sum();
    assert_eq!(inside, 0, "{:?}", report.edges);
}

fn edge(running: &Running, from: &str, to: &str) -> EdgeReport {
    running.report().edge(from, to).unwrap_or_else(|| panic!("no edge {from} → {to}")).clone()
}

/// Waits until something has happened.
fn until(running: &Running, mut happened: impl FnMut(&Running) -> bool) {
    let step = Duration::from_millis(5);
    for _ in 0..LIMIT.as_millis() / step.as_millis() {
        if happened(running) {
            return;
        }
        assert_eq!(running.wait_for(step), None, "ended too soon: {:?}", running.report().edges);
    }
    panic!("did not happen: {:?}", running.report().edges);
}
