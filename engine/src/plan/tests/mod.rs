//! What the planner makes of graphs over a catalogue of small kinds that are never built.

mod cuts;
mod diagnostics;
mod includes;
mod kinds;
mod resolved;
mod sizes;
mod tables;

use std::sync::Arc;

use crate::{
    files::{Files, ReadSeek},
    graph::{Diagnostics, GraphSpec, Override, SourceText},
};

use super::{Home, Plan, PlanNode, PlanOptions};

/// A world without files.
struct NoFiles;

impl Files for NoFiles {
    fn open(&self, _path: &str) -> std::io::Result<Box<dyn ReadSeek>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn create(&self, _path: &str) -> std::io::Result<Box<dyn std::io::Write + Send>> {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }
}

fn options() -> PlanOptions {
    PlanOptions { cores: 2, ..PlanOptions::new(Arc::new(NoFiles)) }
}

/// Plans a graph file; lines `#! --set …` in it are applied.
fn plan(graph: &str) -> Result<Plan, Diagnostics> {
    let mut spec = GraphSpec::parse(&SourceText::new("g.toml", graph))?;
    let sets = graph.lines().filter_map(|line| line.strip_prefix("#! --set "));
    let sets: Vec<Override> = sets.map(|set| Override::parse(set).expect("a `--set`")).collect();
    spec.apply(&sets);
    spec.plan(&kinds::catalog(), &options())
}

fn planned(graph: &str) -> Plan {
    plan(graph).unwrap_or_else(|problems| panic!("{problems}"))
}

fn node<'p>(plan: &'p Plan, name: &str) -> &'p PlanNode {
    plan.nodes.iter().find(|node| node.name == name).expect("a node of the graph")
}

/// Names of the nodes of each stage.
fn stages(plan: &Plan) -> Vec<Vec<&str>> {
    let names = |nodes: &[usize]| nodes.iter().map(|&n| plan.nodes[n].name.as_str()).collect();
    plan.stages.iter().map(|stage| names(&stage.nodes)).collect()
}

/// What every plan must be, however it was cut.
fn check(plan: &Plan) {
    for edge in &plan.edges {
        let (from, to) = (edge.from.0, edge.to.0);
        assert!(from < to, "nodes are in topological order");
        let (producer, consumer) = (plan.nodes[from].home, plan.nodes[to].home);
        let within = producer == consumer && producer != Home::Io;
        assert_eq!(edge.ring.is_none(), within, "a ring exactly where stages differ");
        if let (Home::Stage(producer), Home::Stage(consumer)) = (producer, consumer) {
            assert!(producer <= consumer, "stages are in topological order");
        }
    }
    for (number, stage) in plan.stages.iter().enumerate() {
        assert!(stage.nodes.is_sorted() && !stage.nodes.is_empty());
        assert!(stage.nodes.iter().all(|&node| plan.nodes[node].home == Home::Stage(number)));
        assert!(is_convex(plan, &stage.nodes), "{:?} is left and entered again", stage.nodes);
    }
}

/// Follows every way out of a set of nodes.
fn is_convex(plan: &Plan, members: &[usize]) -> bool {
    let mut inside = vec![false; plan.nodes.len()];
    members.iter().for_each(|&node| inside[node] = true);
    let mut outside = vec![false; plan.nodes.len()];
    for edge in &plan.edges {
        // Edges are in the order of their consumers, so one walk follows all paths.
        let (from, to) = (edge.from.0, edge.to.0);
        if outside[from] && inside[to] {
            return false;
        }
        outside[to] |= !inside[to] && (inside[from] || outside[from]);
    }
    true
}
