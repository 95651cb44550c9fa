//! `afferent record`: a run, and beside it a file of what passes.

use std::path::PathBuf;

use clap::Args;

use crate::{
    arguments::{GraphArguments, LiveArguments, SESSIONS_MAX},
    exit::{Exit, Failure},
    graph::Graph,
    recording::{About, Wanted},
};

use super::{live::Live, run::cores};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    graph: GraphArguments,

    /// The file, in MCAP
    #[arg(long, value_name = "FILE.mcap")]
    out: PathBuf,

    /// Outputs to record, `node` or `node.port` [default: those of all sources, from which all else follows]
    #[arg(long, value_name = "NODE[.PORT],…", value_delimiter = ',', conflicts_with = "all")]
    edges: Vec<String>,

    /// Record every output
    #[arg(long)]
    all: bool,

    /// Write even where there is such a file already
    #[arg(long)]
    force: bool,

    /// Open so many sessions of the graph at once, all of which are recorded
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=SESSIONS_MAX))]
    sessions: u32,

    #[command(flatten)]
    live: LiveArguments,
}

const EXAMPLES: &str = "\
Examples:
  afferent record graphs/biofeedback.toml --out morning.mcap
  afferent record graphs/biofeedback.toml --out all.mcap --all --speed max --set ecg.seconds=60
  afferent record graphs/biofeedback.toml --out two.mcap --edges ecg,beats
  afferent replay morning.mcap

The file holds frames, bounds and gaps as they pass, the graph, and the schemas by which Foxglove and
Lichtblick open it. What a disk that is slow or full keeps from it is missing, and told: in the file at
that place, on the screen, at the end. The graph never waits for the disk, but at `--speed max` without
a device, where nothing can be late. A file that is cut short is read up to there.

Ends as `afferent run` does; with 74 where the run went well and the recording is not complete.";

/// Runs a graph and records it.
pub(crate) fn record(asked: &RecordArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(&asked.graph)?;
    let cores = cores(asked.live.cores, asked.sessions, &graph);
    let plan = graph.plan(cores)?;
    if graph.has_door() {
        let message =
            "sessions of this graph come and go, and a recording holds those of its beginning";
        return Err(Failure::new(Exit::Usage, message, "record a graph without such a source"));
    }
    if asked.live.allow_control {
        let message =
            "`--allow-control` lets viewers turn knobs, of which the recording would know nothing";
        return Err(Failure::new(
            Exit::Usage,
            message,
            "record without it; `--web` shows the run all the same",
        ));
    }
    let about = About::new(&graph, &asked.graph.set, cores);
    let RecordArguments { out, edges, all, force, sessions, .. } = asked;
    let wanted = Wanted { path: out.clone(), edges: edges.clone(), all: *all, force: *force };
    Live {
        plan,
        asked: &asked.live,
        cores,
        tells_session: *sessions > 1,
        file: &asked.graph.file,
        set: &asked.graph.set,
        host: None,
        record: Some((&wanted, &about)),
        watch: None,
        follows: None,
    }
    .run(*sessions, |_, _| Ok(None))
}
