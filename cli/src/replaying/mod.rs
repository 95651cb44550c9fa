//! A recording in the place of the sources of a graph.
//!
//! ```text
//! graph ── sources become (replay NODE) ──▶ plan ──▶ run
//!                            │
//!                            └── Replay: the node's frames and bounds, as they were told
//! ```
//!
//! Frames keep their times, gaps, tags and borders, and no bound is told that was not told when they were recorded;
//! so what the graph makes of them is the same to the bit (as far as its edges drop nothing), however fast it goes
//! and on however many cores.

mod check;
mod feed;
mod inside;
mod source;

use std::{path::Path, sync::Arc};

use engine::{Kind, NodeOptions, NodeSpec, counted};
use operators::files::mcap::{
    End, Recording,
    read::{ReadError, Recorded},
};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure},
    graph::Graph,
};

pub(crate) use check::Check;
pub(crate) use inside::Inside;

/// Looks through a recording.
pub(crate) fn open(path: &Path) -> Result<Arc<Recording>, Failure> {
    Recording::open(path).map(Arc::new).map_err(|error| {
        let hint = match &error {
            ReadError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "check the name and the folder"
            }
            ReadError::Compressed(_) => "unpack it: mcap decompress IN.mcap -o OUT.mcap",
            ReadError::NotMcap | ReadError::NotOurs => {
                "record one: afferent record GRAPH --out FILE.mcap"
            }
            _ => "",
        };
        Failure::new(Exit::Io, &format!("cannot replay `{}`: {error}", path.display()), hint)
    })
}

/// What is not as it should be, in sentences for a person.
pub(crate) fn lacks(recording: &Recording) -> Vec<String> {
    let mut said = Vec::new();
    match &recording.end {
        End::Whole => {}
        End::Cut => said.push("the recording was cut short; what is there is replayed".to_owned()),
        End::Damaged(why) => {
            said.push(format!(
                "the recording is damaged ({why}); what is there before is replayed"
            ));
        }
    }
    let lacking = |output: &&Recorded| output.is_source && output.counts.missed > 0;
    for output in recording.outputs.iter().filter(lacking) {
        let missed = output.counts.missed;
        let are = if missed == 1 { "is" } else { "are" };
        said.push(format!(
            "{} of `{}` {are} missing in the recording; a gap is told in {} place",
            counted(missed, "frame"),
            output.label,
            if missed == 1 { "its" } else { "their" }
        ));
    }
    said
}

/// How many sessions were recorded.
pub(crate) fn sessions(recording: &Recording) -> u32 {
    recording.outputs.iter().map(|output| output.session + 1).max().unwrap_or(1)
}

/// Puts what was recorded in the place of every source.
pub(crate) fn replace(graph: &mut Graph, recording: &Arc<Recording>) -> Result<(), Failure> {
    let catalog = catalog();
    let is_source = |node: &NodeSpec| {
        let kind = catalog.find(&node.op.value).filter(|_| node.from.is_empty());
        let is_enabled = node.options.enabled.as_ref().is_none_or(|enabled| enabled.value);
        kind.filter(|kind| kind.is_source() && is_enabled && !node.is_broken())
    };
    let sources: Vec<(String, &'static Kind)> = graph
        .spec
        .nodes
        .iter()
        .filter_map(|node| Some((node.name.value.clone(), is_source(node)?)))
        .collect();
    let mut problems = Vec::new();
    for (name, kind) in &sources {
        if kind.answers || kind.door.is_some() {
            problems.push(format!(
                "`{name}` ({}) answers whoever asks, and nobody asks now",
                kind.name
            ));
            continue;
        }
        let taken = taken_ports(graph, name, kind);
        match feed::kind(recording, name, kind, &taken) {
            Ok(kind) => {
                graph.add_kind(kind);
                put(graph, name, kind);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let mut recorded: Vec<&str> = recording.outputs.iter().map(|output| &*output.label).collect();
    recorded.dedup();
    let message = format!("the recording does not fit the graph: {}", problems.join("; "));
    let hint = format!(
        "it holds {}; `afferent record` without `--edges` holds every source",
        list(&recorded)
    );
    Err(Failure::new(Exit::Graph, &message, &hint))
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn put(graph: &mut Graph, name: &str, kind: &'static Kind) {
    let mut nodes = graph.spec.nodes.iter_mut();
    let Some(node) = nodes.find(|node| node.name.value == name) else { return };
    node.op.value = kind.name.to_owned();
    node.params.clear();
    let options = std::mem::take(&mut node.options);
    // What is about devices and about making frames has no meaning any more.
    node.options = NodeOptions {
        on: options.on,
        stage: options.stage,
        core: options.core,
        doc: options.doc,
        ..NodeOptions::default()
    };
}

/// Names of the outputs of a node that somebody takes.
fn taken_ports(graph: &Graph, name: &str, kind: &Kind) -> Vec<String> {
    let edges = graph.spec.nodes.iter().flat_map(|node| &node.from);
    let ours = edges.map(|input| &input.source.value).filter(|source| source.node() == name);
    let first = kind.outputs.first().map_or("", |port| port.name);
    ours.map(|source| source.port.as_ref().map_or(first, |port| &port.value).to_owned()).collect()
}
