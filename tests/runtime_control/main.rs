//! Control of a running graph when something in it hangs or dies: a body, a build, a sink.
//!
//! Nothing here measures time; where something must have happened first, it is waited for.

mod builds;
mod closing;
mod kinds;
mod knobs;
mod spinning;
mod wedges;

use std::{sync::Arc, time::Duration};

use afferent_suite::{NoFiles, waiting};
use engine::{
    Catalog, EdgeTotals, GraphSpec, Plan, PlanOptions, Report, RunOptions, Running, SourceText,
};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn planned(text: &str) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("control.toml", text));
    let spec = spec.unwrap_or_else(|problems| panic!("{problems}"));
    let lists = [afferent_suite::kinds::KINDS, kinds::KINDS, &[&waiting::DEVICE]];
    let options = PlanOptions { cores: 2, ..PlanOptions::new(Arc::new(NoFiles)) };
    let plan = spec.plan(&Catalog::new(&lists), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

/// A source of so many samples, a node, and a sink that remembers what came out of it.
fn chain(name: &str, op: &str, samples: u32, params: &str) -> String {
    format!(
        r#"
        [graph]
        name = "chain"
        [node.count]
        op = "count"
        samples = {samples}
        [node.{name}]
        op = "{op}"
        from = "count"
        {params}
        [node.{name}_out]
        op = "tally"
        from = "{name}"
        "#
    )
}

/// Samples of a source that is drained or stopped before its end.
const ENDLESS: u32 = 1_000_000_000;

/// Starts a graph at the pace of its content, all sessions on one core.
fn start(text: &str, sessions: u32) -> Running {
    let options = RunOptions { sessions, ..RunOptions::default() };
    planned(text).start(&options).expect("bodies can be built")
}

fn edge(report: &Report, from: &str, to: &str) -> EdgeTotals {
    report.edge(from, to).unwrap_or_else(|| panic!("no edge {from} → {to}")).frames
}

/// Waits until the report shows something.
fn until(running: &Running, happened: impl Fn(&Report) -> bool) {
    let step = Duration::from_millis(5);
    for _ in 0..LIMIT.as_millis() / step.as_millis() {
        if happened(&running.report()) {
            return;
        }
        assert_eq!(running.wait_for(step), None, "ended too soon: {:?}", running.report().edges);
    }
    panic!("did not happen: {:?}", running.report().edges);
}

/// Waits for the end; every frame must be accounted for, and none be left inside.
fn finish(running: &Running) -> Option<(String, String)> {
    let outcome = running.wait_for(LIMIT).expect("ends");
    let report = running.report();
    for edge in &report.edges {
        assert!(edge.frames.is_balanced(), "{edge:?}");
        assert_eq!(edge.frames.in_flight, 0, "{edge:?}");
    }
    outcome.fault.map(|(node, what, _)| (node, what))
}
