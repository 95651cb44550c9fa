//! `afferent bench`: how fast a graph is here, how late, and where the time goes.

mod latency;
mod made;
mod memory;
mod rounds;
mod told;

use std::io::{IsTerminal, stderr};

use clap::Args;

use crate::{
    arguments::{CORES_MAX, GraphArguments},
    exit::{Exit, Failure, print, tell},
    graph::Graph,
    terminal::{self, Ink},
    wrapping::wrapped,
};

use super::run::cores;

use self::{
    latency::{Paced, paced},
    memory::Memory,
    rounds::{Round, Settings, limited, round},
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    graph: GraphArguments,

    /// Rounds at full speed, each a run of its own
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// Seconds that are measured in each round
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,

    /// Seconds before that, which do not count
    #[arg(long, value_name = "S", default_value_t = 0.3, value_parser = seconds)]
    warm_up: f64,

    /// Seconds of content per second of clock while latency is measured; 0 leaves that out
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = pace)]
    pace: f64,

    /// Seconds that latency is measured for
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pace_seconds: f64,

    /// Data cores, each a thread [default: 1, or what `core` in the graph asks for]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=CORES_MAX))]
    cores: Option<u16>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent bench graphs/biofeedback.toml
  afferent bench graphs/biofeedback.toml --set ecg.rate_hz=1000 --rounds 9
  afferent bench graphs/biofeedback.toml --json > before.json

Throughput is that of rounds at full speed: the median, and the least and the most beside it, as any
machine does other things as well. Latency is that of a run at the pace of life. Sinks are left out, so
nothing is written, and what writing costs is not told; built-in sources play on for a day, recordings
to their end. Measure a release build on a machine that does nothing else.";

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    match number {
        number if (0.01..=3_600.0).contains(&number) => Ok(number),
        _ => Err("choose 0.01 to 3600 seconds".to_owned()),
    }
}

fn pace(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    match number {
        number if number == 0.0 || (1e-3..=1e6).contains(&number) => Ok(number),
        _ => Err("choose 0.001 to 1000000, or 0".to_owned()),
    }
}

/// What was measured.
struct Measured {
    graph: String,
    cores: usize,
    settings: Settings,
    rounds: Vec<Round>,
    paced: Option<Paced>,
    /// What limits it at full speed, and what to change.
    limit: Vec<String>,
    memory: Memory,
    remarks: Vec<String>,
}

/// Measures, and tells.
pub(crate) fn bench(asked: &BenchArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(&asked.graph)?;
    let cores = cores(asked.cores, 1, &graph);
    // Whatever is wrong with the graph itself is told first.
    let name = graph.plan(cores)?.name().to_owned();
    let made::Made { plan, remarks } = made::ready(&graph, cores)?;
    let settings = Settings { seconds: asked.seconds, warm_up: asked.warm_up, cores };
    let progress = Progress::new(asked.json);
    let mut rounds = Vec::new();
    for number in 1..=asked.rounds {
        progress.show(&format!("throughput, round {number} of {}", asked.rounds));
        rounds.push(round(&plan, &settings)?);
    }
    let paced = (asked.pace > 0.0).then(|| {
        progress.show("latency");
        paced(&plan, &settings, asked.pace, asked.pace_seconds)
    });
    let paced = paced.transpose()?;
    progress.show("what limits it");
    let limit = limited(&plan, &settings)?;
    progress.show("memory");
    let memory = memory::measured(&plan, cores)?;
    progress.clear();
    let measured = Measured { graph: name, cores, settings, rounds, paced, limit, memory, remarks };
    match asked.json {
        true => print(&format!("{}\n", told::json(&measured)))?,
        false => {
            print(&wrapped(&told::text(&measured, Ink::of_stdout()), terminal::table_columns()))?
        }
    }
    Ok(Exit::Done)
}

/// What is being done, on a terminal.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn new(is_json: bool) -> Self {
        Self { is_shown: stderr().is_terminal() && !terminal::is_dumb() && !is_json }
    }

    fn show(&self, what: &str) {
        if self.is_shown {
            tell(&format!("\r\x1b[Kmeasuring {what} …"));
        }
    }

    fn clear(&self) {
        if self.is_shown {
            tell("\r\x1b[K");
        }
    }
}
