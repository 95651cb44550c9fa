//! `afferent draw`: the graph as a picture.

use crate::{
    arguments::GraphArguments,
    exit::{Exit, Failure, print},
    graph::Graph,
};

/// Prints a Mermaid flowchart: for a README, or <https://mermaid.live>.
pub(crate) fn draw(asked: &GraphArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(asked)?;
    let plan = graph.plan(graph.cores())?;
    print(&plan.mermaid())?;
    Ok(Exit::Done)
}
