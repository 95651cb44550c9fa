use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::ValueParser};

/// What `afferent tap` is asked.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TapArguments {
    /// The output, as it would be written in `from`: a node, or one of its ports
    #[arg(value_name = "NODE[.PORT]")]
    pub(crate) output: String,

    /// The process, or the graph it runs, by name or file [default: the only one]
    #[arg(value_name = "PID|GRAPH")]
    pub(crate) what: Option<String>,

    /// The session, by its number [default: the lowest that is open]
    #[arg(long, value_name = "N")]
    pub(crate) session: Option<u32>,

    /// A line of JSON per frame, as the sink `jsonl` writes them, with all numbers
    #[arg(long, conflicts_with_all = ["csv", "plot"])]
    pub(crate) json: bool,

    /// A table, as the sink `csv` writes it; units stand in its first row
    #[arg(long, conflicts_with = "plot")]
    pub(crate) csv: bool,

    /// Draw it on the terminal as it runs: q leaves, p stops, + and - change the window, ↑ and ↓ go through strips that have no room
    #[arg(long, conflicts_with = "out")]
    pub(crate) plot: bool,

    /// Seconds that a drawing shows, from 0.1 to 600
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = ValueParser::new(window))]
    pub(crate) window: Span,

    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = ValueParser::new(seconds))]
    pub(crate) seconds: Option<Span>,

    /// End after so many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) frames: Option<u64>,

    /// Write to a file; its ending says how: `.csv`, or `.json` and `.jsonl`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span(pub(crate) Duration);

const EXAMPLES: &str = "\
Examples:
  afferent tap beats                       what the node `beats` says, of the graph that runs
  afferent tap clean --plot --window 10s   a signal as a drawing
  afferent tap clean --out clean.csv --seconds 60
  afferent tap net.hard 4711 --json | jq . another port than the first, of process 4711

The graph waits for nobody who looks on: what a tap has no room for is missed, marked where it
was, and counted at the end. Marks of gaps begin with `#` in tables, which `csv` reads past.";

fn seconds(text: &str) -> Result<Span, String> {
    within(text, 0.001, 1e7)
}

fn window(text: &str) -> Result<Span, String> {
    within(text, 0.1, 600.0)
}

fn within(text: &str, least: f64, most: f64) -> Result<Span, String> {
    let number = text.strip_suffix('s').unwrap_or(text).trim_end();
    match number.parse::<f64>() {
        Ok(seconds) if (least..=most).contains(&seconds) => {
            Ok(Span(Duration::from_secs_f64(seconds)))
        }
        _ => Err(format!("write seconds from {least} to {most}, such as `5` or `5s`")),
    }
}
