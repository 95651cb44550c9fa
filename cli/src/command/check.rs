//! `afferent check`: everything that is wrong with a graph, or what would run.

use crate::{
    arguments::GraphArguments,
    exit::{Exit, Failure, print},
    graph::Graph,
};

/// Plans the graph and prints the plan. Reads headers of recordings, starts nothing.
pub(crate) fn check(asked: &GraphArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(asked)?;
    let plan = graph.plan(graph.cores())?;
    print(&plan.table())?;
    Ok(Exit::Done)
}
