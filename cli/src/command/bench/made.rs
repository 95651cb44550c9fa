//! A graph made ready for measuring: it writes nothing and does not end too soon.

use std::sync::Arc;

use engine::{Diagnostics, Kind, Plan};

use crate::{
    exit::{Exit, Failure},
    graph::Graph,
    graph_test,
};

/// How long built-in sources play: longer than anybody measures.
const DAY_S: f64 = 86_400.0;

pub(super) struct Made {
    pub(super) plan: Arc<Plan>,
    /// What was changed, for whoever reads the figures.
    pub(super) remarks: Vec<String>,
}

pub(super) fn ready(graph: &Graph, cores: usize) -> Result<Made, Failure> {
    let (mut spec, catalog) = graph_test::without_sinks(&graph.spec);
    let mut remarks = vec!["sinks are left out: what writing costs is not told".to_owned()];
    let mut played = Vec::new();
    for node in &mut spec.nodes {
        let is_enabled = node.options.enabled.as_ref().is_none_or(|enabled| enabled.value);
        refuse_what_asks(&node.name.value, catalog.find(&node.op.value).filter(|_| is_enabled))?;
        let kind = catalog.find(&node.op.value).filter(|_| node.from.is_empty() && is_enabled);
        let Some(kind) = kind else { continue };
        refuse_what_waits(&node.name.value, kind)?;
        if kind.param("seconds").is_some() && kind.param("file").is_none() {
            let name = node.name.value.clone();
            *node = node.clone().set("seconds", DAY_S);
            played.push(format!("`{name}`"));
        }
    }
    if !played.is_empty() {
        remarks.push(format!("{} played on for as long as it took", played.join(", ")));
    }
    let planned = graph.plan_for(&spec, &catalog, cores);
    let plan = planned.map_err(|problems: Diagnostics| Failure::graph(&problems))?;
    Ok(Made { plan: Arc::new(plan), remarks })
}

/// Nobody else's machine is asked for the sake of a figure.
fn refuse_what_asks(name: &str, kind: Option<&Kind>) -> Result<(), Failure> {
    let Some(kind) = kind.filter(|kind| kind.param("url").is_some()) else { return Ok(()) };
    let message = format!("`{name}` ({}) asks another machine, as often as it can", kind.name);
    let hint = format!("leave it out: `--set {name}.enabled=false`");
    Err(Failure::new(Exit::Graph, &message, &hint))
}

/// What keeps its own time is as fast as the world is.
fn refuse_what_waits(name: &str, kind: &Kind) -> Result<(), Failure> {
    if !kind.live && kind.door.is_none() {
        return Ok(());
    }
    let message = format!(
        "`{name}` ({}) waits for the world, whose pace is all there is to measure",
        kind.name
    );
    let hint = format!("put a recording or a built-in source in its place: `--set {name}.op=…`");
    Err(Failure::new(Exit::Graph, &message, &hint))
}
