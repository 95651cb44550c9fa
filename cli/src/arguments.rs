//! What can be asked on the command line, and the help that says so.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Command, CommandFactory, Parser, Subcommand, builder::ValueParser};

use crate::command::{
    BenchArguments, CalibrateArguments, CompletionsArguments, DevicesArguments, DoctorArguments,
    DrawArguments, FmtArguments, ManArguments, ModelArguments, NewArguments, PairArguments,
    PeersArguments, RecordArguments, ReplayArguments, SchemaArguments, SpoolArguments,
    TapArguments, TopArguments, TryArguments,
};

/// Real-time streaming dataflow: one graph file from sensor to feedback
#[derive(Debug, Parser)]
#[command(name = "afferent", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) mode: Mode,
}

const EXAMPLES: &str = "\
Examples:
  afferent run graphs/biofeedback.toml                 heart rate and HRV from a built-in ECG
  afferent run graphs/biofeedback.toml --json | jq .   the same, as JSON lines
  afferent check graphs/biofeedback.toml               what would run, or all that is wrong
  afferent record graphs/biofeedback.toml --out a.mcap a run and a recording; `afferent replay a.mcap`
  afferent new heart                                   a graph to start from
  afferent try 'ecg ! bandpass low_hz=5 high_hz=15 ! qrs ! print'   a graph in one line
  afferent bench graphs/biofeedback.toml               how fast it is, and where the time goes
  afferent list                                        what nodes can be
  afferent explain qrs                                 one of them in full
  afferent explain node                                the keys that every node has

Exit codes:
  0 done · 1 fault while running, a test or a pairing failed, or a model refused · 2 usage ·
  70 defect in afferent · 74 file, device or pipe · 78 wrong graph";

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Run a graph
    Run(RunArguments),
    /// Run one host's part of a graph for all hosts that call it
    Serve(ServeArguments),
    /// Run a graph and record what passes, in MCAP
    Record(RecordArguments),
    /// Run a graph on what was recorded, to the bit
    Replay(ReplayArguments),
    /// Tell everything that is wrong with a graph, or what would run
    Check(CheckArguments),
    /// Run the `[[test]]` blocks of graph files, on manual time
    Test(TestArguments),
    /// Look at a running graph: rates, rings, drops, latency, faults
    Top(TopArguments),
    /// Show, draw or write what passes at an output of a running graph
    Tap(TapArguments),
    /// List the kinds that nodes can be of
    List,
    /// List microphones and loudspeakers, as `device` of the kinds `microphone` and `speaker` names them
    Devices(DevicesArguments),
    /// Look whether this machine can do what graphs ask of it, and say what would help
    Doctor(DoctorArguments),
    /// Explain a kind of node, a key of graph files, or the code of a diagnostic
    Explain(ExplainArguments),
    /// Draw a graph: as a Mermaid flowchart, for Graphviz, or as a picture
    Draw(DrawArguments),
    /// Write a graph to start from
    New(NewArguments),
    /// Measure a graph: throughput, latency, memory, and where the time goes
    Bench(BenchArguments),
    /// Run a graph that is one line: kinds with `!` between them
    Try(TryArguments),
    /// Lay graph files out: equals signs and comments in columns, a blank line between tables
    Fmt(FmtArguments),
    /// Print a JSON Schema of graph files, by which editors complete and check them
    Schema(SchemaArguments),
    /// Print what a shell needs to complete commands, files and kinds
    Completions(CompletionsArguments),
    /// Print a page for `man`: of the program, or of one command
    Man(ManArguments),
    /// Measure a model, or make a smaller one of it
    #[command(arg_required_else_help = true)]
    Model(ModelArguments),
    /// Find when questions may leave a model in segments early, or which of several models of speech answers
    #[command(arg_required_else_help = true)]
    Calibrate(CalibrateArguments),
    /// Make this host and another one know each other, by a code that is read out once
    Pair(PairArguments),
    /// List the hosts that this one trusts; add, remove and rename them; show our own key
    Peers(PeersArguments),
    /// Look at what waits on disk for another host, repair it, or take it out
    #[command(arg_required_else_help = true)]
    Spool(SpoolArguments),
}

/// A graph file, and what is changed in it.
#[derive(Clone, Debug, Args)]
pub(crate) struct GraphArguments {
    /// The graph file
    #[arg(value_name = "GRAPH")]
    pub(crate) file: PathBuf,

    /// Change a key of a node; may be given several times
    ///
    /// `--set ecg.rate_hz=500` changes a parameter, `--set graph.deadline_ms=20` a key of the
    /// graph. `--set ecg.op=wfdb` makes the node another kind and forgets the parameters that
    /// were written for the old one; stderr says which. A path given here starts from the
    /// current folder, one in the file from the folder of the file.
    #[arg(long, value_name = "NODE.KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Take every warning for an error: nothing starts, and the exit code is 78
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = RUN_EXAMPLES)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) graph: GraphArguments,

    /// Run the nodes of this host alone, and call the other hosts of the graph
    ///
    /// Without it all nodes run here. `[host.NAME]` says where the others are; while one does not
    /// answer, this one goes on without it.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Open so many sessions of the graph at once; lines then say which they are from
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=SESSIONS_MAX))]
    pub(crate) sessions: u32,

    /// Follow the graph file: what changes in it, or in what it includes, changes in the running graph
    ///
    /// Between two frames, and nothing is lost: nodes that did not change go on untouched, live
    /// parameters are told, other nodes get a new body that takes up what the old one knew, if it can;
    /// sinks and branches come and go. A file that is wrong, or changes what cannot change while it runs
    /// (formats, sources that come or go, models), changes nothing, and stderr says why. A new body that
    /// fails within a second is taken out again. What was `--set` stays.
    #[arg(long, conflicts_with = "host")]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) live: LiveArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) graph: GraphArguments,

    /// The host of the graph that this is
    #[arg(long, value_name = "NAME")]
    pub(crate) host: String,

    /// Where to listen [default: this machine alone, at the port of the host's first address]
    ///
    /// `127.0.0.1:24433`, or a port alone, stays on this machine, where every process of this user
    /// may call. Elsewhere only hosts that were paired get in: `0.0.0.0` is every network of this
    /// machine, at the port of the host's first address unless another is written.
    #[arg(long, value_name = "ADDRESS", value_parser = ValueParser::new(listen))]
    pub(crate) listen: Option<Listen>,

    /// Sessions at the same time, one for everybody who calls
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=SESSIONS_MAX))]
    pub(crate) sessions_max: u32,

    #[command(flatten)]
    pub(crate) live: LiveArguments,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  afferent serve graphs/hybrid_biofeedback.toml --host cloud
  afferent serve graphs/hybrid_biofeedback.toml --host cloud --listen 0.0.0.0:24433
  afferent run   graphs/hybrid_biofeedback.toml --host edge

Every host that calls has a session of its own; lines say which. One that is gone for a while goes
on where it was. Ctrl-C finishes what is inside; a second one stops at once.";

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) graph: GraphArguments,

    /// Check the part of this host, and tell how edges travel to the others
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
}

/// How a graph is run, wherever.
#[derive(Debug, Args)]
pub(crate) struct LiveArguments {
    /// Seconds of content per second of clock: a number, or `max`
    ///
    /// Holds for files and built-in signals, which only generate; devices keep their own time.
    #[arg(long, default_value = "1", value_parser = ValueParser::new(speed), allow_negative_numbers = true)]
    pub(crate) speed: Speed,

    /// Print JSON lines to stdout even if that is a terminal
    ///
    /// Otherwise a terminal shows one status line that lives, on stderr.
    #[arg(long)]
    pub(crate) json: bool,

    /// Data cores, each a thread [default: 1 for one session, all for many; at least what `core`
    /// in the graph asks for]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=CORES_MAX))]
    pub(crate) cores: Option<u16>,

    /// Show the run on the whole terminal: signals with beats, heart rate, when to breathe, what is told
    ///
    /// `q` ends the sources and finishes what is inside; pressed again it stops at once. Lines are not
    /// shown; those of sinks with a `file` are written as ever.
    #[arg(long, conflicts_with = "json")]
    pub(crate) view: bool,

    /// Write a picture of the run when it is over: signals with beats, tachogram, Poincaré plot, latencies
    ///
    /// SVG, which every browser shows. Of several sessions the first is drawn, and of a long run the
    /// whole coarsely and its first and last seconds finely; nothing is kept on disk before.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) report: Option<PathBuf>,

    /// Follow some frames through the graph, and say where the time goes and what limits the run
    ///
    /// Written as a picture when it is over: a flame graph of what cores, stages and nodes computed, and for
    /// each sink what its latency was spent on, waiting, computing and moving. stderr has it in words. SVG, which
    /// every browser shows. About one frame in a millisecond is followed, which costs less than a hundredth.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) profile: Option<PathBuf>,

    /// Tell calls of nodes on data cores that take longer than this, with the time of the frame
    ///
    /// Turns of a stage that take so long by many short calls are told of the node that took most. Of a node in a session
    /// at most once a second, the longest since it was told of last and in how many turns there were some; at the
    /// end all of it. Every call is timed then.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) slow_ms: Option<f64>,

    /// Serve figures for Prometheus at `http://ADDRESS/metrics`
    ///
    /// Whoever reaches the address can read them: they name nodes and count frames, and hold no
    /// content. Nothing is encrypted. `127.0.0.1:9100`, or `9100` alone, stays on this machine;
    /// port 0 takes a free one and stderr says which.
    #[arg(long, value_name = "ADDRESS", value_parser = ValueParser::new(address))]
    pub(crate) metrics: Option<String>,

    /// Do not let `afferent top` and `afferent tap` look in
    ///
    /// Otherwise there is a socket for them that this user alone can open, in
    /// `$AFFERENT_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/afferent`, else `/tmp/afferent-UID`.
    #[arg(long)]
    pub(crate) no_attach: bool,

    /// Serve a page at `http://ADDRESS/` that shows the run in a browser: graph, waveforms, latency, drops
    ///
    /// stderr says where, with a token that is made up and that the page asks for. `127.0.0.1:8080`, or `8080`
    /// alone, stays on this machine; port 0 takes a free one. Other machines are let in with a token of yours
    /// alone. Nothing is encrypted: from elsewhere, reach it through a tunnel, such as that of `ssh -L`.
    #[arg(long, value_name = "ADDRESS", value_parser = ValueParser::new(address))]
    pub(crate) web: Option<String>,

    /// The token that the page of `--web` asks for
    ///
    /// Who lists processes sees it here; AFFERENT_WEB_TOKEN in the environment says it unseen.
    #[arg(long, value_name = "TOKEN", requires = "web")]
    pub(crate) web_token: Option<String>,

    /// Let the page of `--web` set live parameters, pause, finish and stop the run; else it only shows
    #[arg(long, requires = "web")]
    pub(crate) allow_control: bool,
}

/// Ten times as many as a host is meant to serve; a mistyped number takes no memory.
pub(crate) const SESSIONS_MAX: i64 = 100_000;

/// More threads than any machine has processors for a graph; a mistyped number starts none.
pub(crate) const CORES_MAX: i64 = 256;

const RUN_EXAMPLES: &str = "\
Examples:
  afferent run graphs/biofeedback.toml
  afferent run graphs/biofeedback.toml --set ecg.op=wfdb --set ecg.file=100.hea
  afferent run graphs/biofeedback.toml --set ecg.op=csv --set ecg.file=mine.csv --speed max
  afferent run graphs/biofeedback.toml --watch
  afferent run graphs/biofeedback.toml --web 127.0.0.1:8080
  afferent run graphs/biofeedback.toml --sessions 1000 --metrics 127.0.0.1:9100 > lines.jsonl
  afferent run graphs/hybrid_biofeedback.toml --host edge

Ctrl-C ends the sources and finishes what is inside; a second one stops at once.
NO_COLOR=1 in the environment turns colours off.";

#[derive(Debug, Args)]
#[command(after_long_help = TEST_EXAMPLE)]
pub(crate) struct TestArguments {
    /// The graph files, or folders of them
    #[arg(value_name = "GRAPH", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

const TEST_EXAMPLE: &str = "\
A test in a graph file:
  [[test]]
  name    = \"a slow heart\"
  seconds = 30.0
  set     = { \"ecg.heart_rate_bpm\" = 45 }

  [[test.expect]]
  from   = \"beats\"
  field  = \"rr_ms\"
  at     = \"last\"
  near   = 1333.0
  within = 5.0

Sinks of the graph are left out, so a test writes no file. `[test.input.NODE]` puts inline
`samples` or `events`, or another `op`, in the place of a node. `afferent explain test`,
`afferent explain test.expect` and `afferent explain test.input` list all keys.

Ends with 0 if all pass, 1 if one fails, 78 if one asks for what there is not.";

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A kind, such as `bandpass`; `graph`, `node` or `test`, or one of their keys, such as
    /// `on_full`; or the code of a diagnostic, such as `above-nyquist`
    #[arg(value_name = "KIND|KEY|CODE")]
    pub(crate) what: String,
}

/// Seconds of content per second of clock; `None` is as fast as it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed(pub(crate) Option<f64>);

fn milliseconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ms) if (1e-3..=1e6).contains(&ms) => Ok(ms),
        _ => Err("write milliseconds, from 0.001 to 1000000".to_owned()),
    }
}

/// A port alone means this machine alone.
fn address(text: &str) -> Result<String, String> {
    Ok(match text.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => text.to_owned(),
    })
}

/// Where a host listens: an IP whose port is that of its own address stays without one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Listen {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

fn listen(text: &str) -> Result<Listen, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(Listen { ip, port: None });
    }
    let address: Result<SocketAddr, _> = address(text)?.parse();
    let address =
        address.map_err(|_| "write IP or IP and port, such as 0.0.0.0 or [::]:24433".to_owned())?;
    Ok(Listen { ip: address.ip(), port: Some(address.port()) })
}

/// A second of content in a quarter of an hour; slower is a mistyped number.
const SPEED_MIN: f64 = 0.001;

/// Faster than any machine.
const SPEED_MAX: f64 = 1e6;

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed(None));
    }
    match text.parse::<f64>() {
        Ok(speed) if (SPEED_MIN..=SPEED_MAX).contains(&speed) => Ok(Speed(Some(speed))),
        _ => Err(format!("write `max`, or a number from {SPEED_MIN} to {SPEED_MAX}")),
    }
}

/// All that can be asked, with examples and notes that are wrapped where this terminal ends. They are written in lines
/// of the source; those of a paragraph are one, but for what is indented.
pub(crate) fn command() -> Command {
    fn flowing(command: Command) -> Command {
        let long = command.get_after_long_help().map(|text| flow(&text.to_string()));
        let command = match long {
            Some(text) => command.after_long_help(text),
            None => command,
        };
        command.mut_subcommands(flowing)
    }
    flowing(Arguments::command())
}

/// Joins the lines of every paragraph.
fn flow(text: &str) -> String {
    let mut flowing = String::with_capacity(text.len());
    for line in text.lines() {
        let goes_on = !(line.is_empty() || line.starts_with(' ') || flowing.is_empty());
        let before = flowing.rsplit('\n').next().unwrap_or_default();
        let is_text = !(before.is_empty() || before.starts_with(' ') || before.ends_with(':'));
        match goes_on && is_text {
            true => flowing.push(' '),
            false if flowing.is_empty() => {}
            false => flowing.push('\n'),
        }
        flowing.push_str(line);
    }
    flowing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_flow_and_what_is_set_out_stays() {
        let text = "Examples:\n  afferent a   one\n               more\n\nA line\nand another\n\nKeys:\nmore";
        let flowing = "Examples:\n  afferent a   one\n               more\n\nA line and another\n\nKeys:\nmore";
        assert_eq!(flow(text), flowing);
    }

    #[test]
    fn the_definitions_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_port_alone_is_open_to_this_machine_alone() {
        assert_eq!(address("9100"), Ok("127.0.0.1:9100".to_owned()));
        assert_eq!(address("localhost:9100"), Ok("localhost:9100".to_owned()));
    }

    #[test]
    fn a_host_listens_at_an_ip_with_or_without_a_port() {
        let at = |text| listen(text).map(|at| (at.ip.to_string(), at.port));
        assert_eq!(at("0.0.0.0"), Ok(("0.0.0.0".to_owned(), None)));
        assert_eq!(at("::"), Ok(("::".to_owned(), None)));
        assert_eq!(at("[::1]"), Ok(("::1".to_owned(), None)));
        assert_eq!(at("[::]:7"), Ok(("::".to_owned(), Some(7))));
        assert_eq!(at("7"), Ok(("127.0.0.1".to_owned(), Some(7))));
        for text in ["", "box.local:7", "0.0.0.0:", "0.0.0.0:70000"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn speeds_are_above_zero_or_max() {
        assert_eq!(speed("max"), Ok(Speed(None)));
        assert_eq!(speed("0.5"), Ok(Speed(Some(0.5))));
        for text in ["0", "-1", "nan", "inf", "fast", "", "1e-300", "1e300"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
