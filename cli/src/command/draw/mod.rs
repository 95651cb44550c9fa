//! `afferent draw`: the graph as a picture.

mod dot;
mod layout;
mod svg;

use clap::{Args, ValueEnum};

use crate::{
    arguments::GraphArguments,
    exit::{Exit, Failure, print},
    graph::Graph,
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DrawArguments {
    #[command(flatten)]
    graph: GraphArguments,

    /// What to draw it as
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A flowchart for a README, or for <https://mermaid.live>
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture as it is
    Svg,
}

const EXAMPLES: &str = "\
Examples:
  afferent draw graphs/biofeedback.toml
  afferent draw graphs/biofeedback.toml --format svg > biofeedback.svg
  afferent draw graphs/biofeedback.toml --format dot | dot -Tpng -o biofeedback.png

Boxes are stages: what runs together. In a graph on several hosts they are hosts, in one that includes
others they are includes. Thick arrows are rings, or lead to another host; dotted ones may drop.
Each output says what it carries and how often.";

/// Prints the graph as a picture.
pub(crate) fn draw(asked: &DrawArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(&asked.graph)?;
    let plan = graph.plan(graph.cores())?;
    let text = match asked.format {
        Format::Mermaid => plan.mermaid(),
        Format::Dot => dot::written(plan.name(), &plan.picture()),
        Format::Svg => svg::drawn(plan.name(), &plan.picture()),
    };
    print(&text)?;
    Ok(Exit::Done)
}

/// What an edge carries, in a few words: of events as many fields as fit.
fn short(format: &str) -> String {
    const CHARS_MAX: usize = 36;
    if format.chars().count() <= CHARS_MAX {
        return format.to_owned();
    }
    let start: String = format.chars().take(CHARS_MAX - 3).collect();
    match (start.rsplit_once(", "), format.ends_with('}')) {
        (Some((fields, _)), true) => format!("{fields}, …}}"),
        _ => start + "…",
    }
}
