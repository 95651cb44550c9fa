//! `afferent check`: everything that is wrong with a graph, or what would run.

use crate::{
    arguments::GraphArguments,
    exit::{Exit, Failure, print},
    graph::Graph,
    graph_test, terminal,
};

/// Plans the graph and its tests and prints the plan. Reads headers of recordings, starts nothing.
pub(crate) fn check(asked: &GraphArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(asked)?;
    // `--set` may fit no test, and tests run without it.
    let (_, problems) = match asked.set.is_empty() {
        true => graph_test::prepare(&graph),
        false => (Vec::new(), Vec::new()),
    };
    let plan = graph.plan_with(graph.cores(), problems)?;
    print(&plan.table_within(terminal::table_columns()))?;
    Ok(Exit::Done)
}
