//! `afferent check`: everything that is wrong with a graph, or what would run.

use std::fmt::Write as _;

use engine::Plan;

use crate::{
    arguments::CheckArguments,
    exit::{Exit, Failure, print},
    graph::{Graph, OnHost},
    graph_test, terminal,
};

/// Plans the graph and its tests and prints the plan. Reads headers of recordings, starts nothing.
pub(crate) fn check(asked: &CheckArguments) -> Result<Exit, Failure> {
    let graph = Graph::load_on(&asked.graph, asked.host.as_deref())?;
    // `--set`, or what is different on a host, may fit no test, and tests run without it.
    let (_, problems) = match asked.graph.set.is_empty() && asked.host.is_none() {
        true => graph_test::prepare(&graph),
        false => (Vec::new(), Vec::new()),
    };
    let width = terminal::table_columns();
    let text = match &asked.host {
        None => {
            let plan = graph.plan_everywhere(&asked.graph, problems)?;
            plan.table_within(width) + &homes(&plan)?
        }
        Some(host) => {
            let OnHost { plan, part, .. } = graph.plan_on(host, graph.cores(), problems)?;
            let edges = part.peers.iter().flat_map(|peer| &peer.edges);
            let mut text = plan.table_within(width);
            for edge in edges {
                writeln!(text, "link     {edge}").expect("writing to a String cannot fail");
            }
            if let Some(spool) = &part.here.spool {
                let kept: Vec<&str> = part.kept().map(|edge| &edge.config.name[..]).collect();
                let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
                writeln!(text, "spool    {}: {kept}", spool.folder.display())
                    .expect("writing to a String cannot fail");
            }
            text
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

/// What each host runs, a line each.
fn homes(plan: &Plan) -> Result<String, Failure> {
    if plan.spec().hosts.is_empty() {
        return Ok(String::new());
    }
    let homes = plan.homes().map_err(|problems| Failure::graph(&problems))?;
    let or_there = |node: &String| {
        let on = plan.spec().find(node).map_or(&[][..], |node| &node.options.on);
        match on {
            [_, other] => format!("{node} (or {})", other.value),
            _ => node.clone(),
        }
    };
    let line = |(host, nodes): &(String, Vec<String>)| {
        let nodes: Vec<String> = nodes.iter().map(or_there).collect();
        let nodes = if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(", ") };
        format!("host     {host}: {nodes}\n")
    };
    Ok(homes.iter().map(line).collect())
}
