//! Kinds that ask: models and services of others, in whole graphs and on real threads.

mod accuracy;
mod backends;
mod cache;
mod detect;
mod drift;
mod early;
mod figures;
mod host;
mod http_call;
mod kinds;
mod live;
mod redis;
mod rows;
mod sections;
mod serve;
mod server;
mod shipped;
mod short;
mod speech;
mod stand_ins;
mod troubles;
mod unchanged;
mod variants;

use std::{sync::Arc, time::Duration};

use afferent_suite::kinds as suite;
use engine::{
    Catalog, Diagnostics, Disk, EdgeReport, GraphSpec, Outcome, Plan, PlanOptions, RunOptions,
    Running, Service, Services, SourceText,
};
use model::{
    backend::Loaded,
    host::{Manner, Model, ModelService, Workers},
    section,
};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Forty frames of ten samples, a node `ask` behind them, and a tally of what it says under `name`.
fn graph(name: &str, sections: &str, ask: &str) -> String {
    format!(
        r#"
        [graph]
        name = "asks"
        {sections}
        [node.count]
        op = "count"
        samples = 400
        [node.ask]
        from = "count"
        {ask}
        [node.{name}]
        op = "tally"
        from = "ask"
        "#
    )
}

/// Plans with the models that the graph's sections describe.
fn try_plan(text: &str) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("models.toml", text))?;
    let (services, problems) = section::services(&spec, Arc::new(Disk), None, |_| ());
    let planned = plan_of(&spec, services);
    match planned {
        Ok(plan) if problems.0.is_empty() => Ok(plan),
        Ok(_) => Err(problems),
        Err(others) => Err(Diagnostics([problems.0, others.0].concat())),
    }
}

fn plan_of(spec: &GraphSpec, services: Services) -> Result<Arc<Plan>, Diagnostics> {
    let own: &[&'static engine::Kind] = &[&detect::PICTURE];
    let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, suite::KINDS, own]);
    let options = PlanOptions { services, ..PlanOptions::new(Arc::new(Disk)) };
    spec.plan(&catalog, &options).map(Arc::new)
}

/// Plans with one model, called `m`.
fn plan_with(text: &str, model: &Arc<Model>) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("models.toml", text))?;
    let service: Arc<dyn Service> = Arc::new(ModelService::new(model.clone(), Vec::new()));
    plan_of(&spec, Services::new([("m".to_owned(), service)]))
}

/// Threads that run models when they are asked, and not before.
fn cold(threads: usize) -> Workers {
    Workers::with(Manner { threads, warms_up: false, ..Manner::default() })
}

/// A model on threads of its own.
fn model(loaded: impl Loaded + 'static, batch_max: usize, workers: &Workers) -> Arc<Model> {
    Model::new("m", Arc::new(loaded), batch_max, workers)
}

/// Runs to the end and checks that every frame is accounted for.
fn run(text: &str) -> (Running, Outcome) {
    run_plan(&try_plan(text).unwrap_or_else(|problems| panic!("{problems}")), 1)
}

fn run_plan(plan: &Arc<Plan>, sessions: u32) -> (Running, Outcome) {
    let options = RunOptions { speed: None, sessions, ..RunOptions::default() };
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
