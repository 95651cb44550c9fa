//! `afferent try`: a graph in one line.

mod read;
mod save;

use std::path::{Path, PathBuf};

use clap::Args;
use engine::{GraphSpec, SourceText};

use crate::{
    arguments::LiveArguments,
    catalog::catalog,
    exit::{Exit, Failure, tell},
    graph::Graph,
};

use super::{live::Live, run::cores};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TryArguments {
    /// Kinds with their parameters, `!` between them
    #[arg(value_name = "LINE", required = true, num_args = 1..)]
    line: Vec<String>,

    /// Write it as a graph file in place of running it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    #[command(flatten)]
    live: LiveArguments,
}

const EXAMPLES: &str = "\
Examples:
  afferent try 'ecg ! bandpass low_hz=5 high_hz=15 ! qrs ! print'
  afferent try --speed max 'seconds=60 ecg ! bandpass low_hz=5 high_hz=15 ! qrs name=beats ! hrv ! print
                            beats. ! jsonl file=beats.jsonl'
  afferent try 'ecg ! print  ecg.truth ! print'
  afferent try --save heart.toml 'wfdb file=100.hea ! bandpass low_hz=5 high_hz=15 ! qrs ! jsonl'

  KIND key=value …   a node; `afferent list` has the kinds, `afferent explain KIND` their keys
  A ! B              what A delivers goes to B
  name=beats         what the node is called; else as its kind, a second one with `_2`
  beats. ! B         a branch from a node; `beats.port`, `eeg.[Fz,Cz]` for one output, some channels
  A ! join.other     into a port of a node that stands elsewhere in the line
  seconds=10 …       at the very beginning: how much of the sources to run

Values are as of `--set`. Where nothing takes what the last node of a chain delivers, it is printed. A
model is named by its file: `classify model=beats.onnx`. Quotes keep the shell away from `!` and `[`.";

/// Reads the line, and runs or writes the graph that it is.
pub(crate) fn try_line(asked: &TryArguments) -> Result<Exit, Failure> {
    let text = SourceText::new("try", asked.line.join(" "));
    let mut spec = read::graph(&text).map_err(|all| Failure::usage(&all))?;
    ended_by_sinks(&mut spec);
    if let Some(path) = &asked.save {
        return save::save(spec, path);
    }
    let graph = Graph::of_spec(spec);
    let cores = cores(asked.live.cores, 1, &graph);
    let plan = graph.plan(cores)?;
    let file = Path::new("try");
    let live = Live {
        plan,
        asked: &asked.live,
        cores,
        tells_session: false,
        file,
        set: &asked.line,
        host: None,
        record: None,
        watch: None,
        follows: None,
    };
    live.run(1, |_, _| Ok(None))
}

/// What nobody takes is printed.
fn ended_by_sinks(spec: &mut GraphSpec) {
    let catalog = catalog();
    let taken: Vec<String> = spec
        .nodes
        .iter()
        .flat_map(|node| &node.from)
        .map(|input| input.source.value.node())
        .collect();
    let ends = spec.nodes.iter().filter(|node| {
        let kind = catalog.find(&node.op.value);
        let kind = kind.map(|kind| kind.when_fed.filter(|_| !node.from.is_empty()).unwrap_or(kind));
        kind.is_some_and(|kind| !kind.is_sink()) && !taken.contains(&node.name.value)
    });
    let ends: Vec<String> = ends.map(|node| node.name.value.clone()).collect();
    for end in ends {
        let mut name = format!("print_{end}");
        while spec.find(&name).is_some() {
            name.push('_');
        }
        tell(&format!("note: nothing takes what `{end}` delivers, so it is printed\n"));
        *spec = std::mem::replace(spec, GraphSpec::new("try"))
            .node(&name, "print", |node| node.from(end.as_str()));
    }
}
