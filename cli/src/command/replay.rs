//! `afferent replay`: a graph on what was recorded.

mod list;

use std::path::PathBuf;

use clap::Args;

use crate::{
    arguments::{GraphArguments, LiveArguments, SESSIONS_MAX},
    exit::{Exit, Failure, tell},
    graph::Graph,
    replaying::{self, Inside},
};

use super::{live::Live, run::cores};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReplayArguments {
    /// The recording
    #[arg(value_name = "FILE.mcap")]
    recording: PathBuf,

    /// The graph file [default: the one in the recording]
    #[arg(value_name = "GRAPH")]
    graph: Option<PathBuf>,

    /// Change a key of a node, as `afferent run` does; may be given several times
    #[arg(long, value_name = "NODE.KEY=VALUE")]
    set: Vec<String>,

    /// Take every warning for an error: nothing starts, and the exit code is 78
    #[arg(long)]
    deny_warnings: bool,

    /// Tell what is in the recording, and run nothing; with `--json` as JSON
    #[arg(long)]
    list: bool,

    /// Compare what other nodes give now with what they gave then, where that was recorded
    ///
    /// Tells for each output the first difference: when, in which sample. Ends with 1 if there is one.
    #[arg(long)]
    check: bool,

    /// Sessions to replay, from the first [default: as many as were recorded]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=SESSIONS_MAX))]
    sessions: Option<u32>,

    #[command(flatten)]
    live: LiveArguments,
}

const EXAMPLES: &str = "\
Examples:
  afferent replay morning.mcap                          as it was, at its pace
  afferent replay morning.mcap --speed max --json       the same lines, at once
  afferent replay morning.mcap graphs/biofeedback.toml --set clean.high_hz=20 --speed max
  afferent replay all.mcap --check --speed max          is it still the same to the bit?
  afferent replay morning.mcap --list

What was recorded takes the place of the sources; everything behind them may be another. A source of
the graph that was not recorded is refused. Frames come with the times, gaps and borders that they had,
so a graph whose edges drop nothing gives the same bits at any speed and on any number of cores.";

/// Runs a graph on what was recorded.
pub(crate) fn replay(asked: &ReplayArguments) -> Result<Exit, Failure> {
    let recording = replaying::open(&asked.recording)?;
    if asked.list {
        return list::list(&recording, asked.live.json);
    }
    let mut graph = graph(asked, &Inside::of(&recording))?;
    replaying::replace(&mut graph, &recording)?;
    for lack in replaying::lacks(&recording) {
        tell(&format!("note: {lack}\n"));
    }
    let sessions = asked.sessions.unwrap_or_else(|| replaying::sessions(&recording));
    let cores = cores(asked.live.cores, sessions, &graph);
    let plan = graph.plan(cores)?;
    let check = asked.check.then(|| replaying::Check::of(&recording, &plan, sessions));
    let check = check.transpose()?;
    let file = asked.graph.as_deref().unwrap_or(&asked.recording);
    Live {
        plan,
        asked: &asked.live,
        cores,
        tells_session: sessions > 1,
        file,
        set: &asked.set,
        host: None,
        record: None,
        watch: check.as_ref(),
        follows: None,
    }
    .run(sessions, |_, _| Ok(None))
}

/// The graph that is asked for, or the one in the recording.
fn graph(asked: &ReplayArguments, inside: &Inside) -> Result<Graph, Failure> {
    let (file, set) = match (&asked.graph, inside.graph()) {
        (Some(file), _) => (file.clone(), asked.set.clone()),
        (None, Some(file)) => (file.to_owned(), [&inside.set[..], &asked.set[..]].concat()),
        (None, None) => {
            let message = format!("there is no graph in `{}`", asked.recording.display());
            let shown = asked.recording.display();
            let hint = format!("name one: afferent replay {shown} GRAPH");
            return Err(Failure::new(Exit::Usage, &message, &hint));
        }
    };
    let arguments = GraphArguments { file, set, deny_warnings: asked.deny_warnings };
    match asked.graph {
        Some(_) => Graph::load(&arguments),
        None => Graph::load_from(&arguments, inside),
    }
}
