use std::time::Duration;

use clap::{Args, builder::ValueParser};

/// What `afferent top` is asked.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TopArguments {
    /// The process, or the graph it runs, by name or file [default: the only one, or a list]
    #[arg(value_name = "PID|GRAPH")]
    pub(crate) what: Option<String>,

    /// Seconds between two looks, from 0.1 to 60
    #[arg(long, value_name = "SECONDS", value_parser = ValueParser::new(every))]
    pub(crate) every: Option<Every>,

    /// Print one look as text and end; so does a stdout that is no terminal
    #[arg(long, conflicts_with = "json")]
    pub(crate) once: bool,

    /// Print one look as an object of JSON and end; with `--every` one a line, until the graph ends
    #[arg(long)]
    pub(crate) json: bool,
}

/// A span between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Every(pub(crate) Duration);

const EXAMPLES: &str = "\
Examples:
  afferent top                       the graph that runs, or a list of those that do
  afferent top biofeedback           by its name
  afferent top 4711 --every 0.5      by its process, two looks a second
  afferent top --once                one look as text
  afferent top --json | jq .figures  one look for a program
  afferent top --json | jq .time     what limits it, and what its latency is made of

Rates and latencies that are called `now` are those of the last 5 seconds, as is what limits the
run and where its time goes (page 8, `.time` in JSON); all other counts are since the start, over
all sessions. While somebody looks, about one frame in five milliseconds is followed through the graph. It
pays for a look when somebody takes one, and for nothing otherwise. Keys: `?` on the screen tells them.
NO_COLOR=1 in the environment turns colours off.";

fn every(text: &str) -> Result<Every, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => {
            Ok(Every(Duration::from_secs_f64(seconds)))
        }
        _ => Err("write a number from 0.1 to 60".to_owned()),
    }
}
