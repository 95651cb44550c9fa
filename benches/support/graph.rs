//! Graph texts and their runs.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use afferent_suite::NoFiles;
use engine::{
    Catalog, GraphSpec, Kind, Plan, PlanOptions, Report, RunOptions, Running, SourceText,
};

use super::kinds::{KINDS, ends::bench_ns};

/// Plans a graph of bench kinds and of the operators' own.
///
/// # Panics
/// If the planner has anything against it.
pub(crate) fn planned(text: &str, cores: usize) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("bench.toml", text))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let mut options = PlanOptions::new(Arc::new(NoFiles));
    options.cores = cores;
    let plan = spec.plan(&Catalog::new(&[KINDS, operators::CATALOG]), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}\n{text}")))
}

/// Name, kind and parameters of a node in a chain.
pub(crate) type Step = (&'static str, &'static Kind, &'static str);

/// A graph that takes so many frames of the bench's sound through a chain.
pub(crate) fn sound_through(
    chain: &[Step],
    rate_hz: f64,
    frames: usize,
    frame_len: usize,
) -> String {
    let mut text = format!(
        "[graph]\nname = \"sound\"\n\n[node.source]\nop = \"bench_sound\"\nrate_hz = {rate_hz:?}\n\
         frames = {frames}\nframe_len = {frame_len}\n"
    );
    let mut from = "source";
    for (name, kind, params) in chain {
        let op = kind.name;
        let _ = write!(text, "\n[node.{name}]\nop = {op:?}\nfrom = {from:?}\n{params}\n");
        from = name;
    }
    let _ = write!(text, "\n[node.sink]\nop = \"bench_final\"\nfrom = {from:?}\n");
    text
}

/// Runs a plan to its end and checks that every edge has delivered everything.
///
/// # Panics
/// If it does not end within ten minutes, or a frame is lost.
pub(crate) fn run_to_end(plan: &Arc<Plan>, options: &RunOptions) -> Report {
    let running = plan.start(options).expect("bodies can be built");
    let outcome = running.wait_for(Duration::from_secs(600)).expect("the graph ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    assert_whole(&report);
    report
}

/// Checks that nothing was dropped and nothing is left inside.
///
/// # Panics
/// If something was.
pub(crate) fn assert_whole(report: &Report) {
    for edge in &report.edges {
        assert_eq!(edge.frames.sent, edge.frames.taken, "{} → {}", edge.from, edge.to);
    }
}

/// What [`bench_ns`] says when the run's clock says zero; known to a clock reading or two.
pub(crate) fn clock_offset(running: &Running) -> i64 {
    let ask = || {
        let (before, there, after) = (bench_ns(), running.clock_now().nanos(), bench_ns());
        (after - before, (before + after) / 2 - there)
    };
    let (_, offset) = (0..64).map(|_| ask()).min().expect("asked");
    offset
}

/// As fast as it goes.
pub(crate) fn at_max(cores: usize) -> RunOptions {
    RunOptions { speed: None, cores, sessions: 1 }
}

/// Writes a chain: `source`, then `count` nodes of `op` called `n0`, `n1`, …, then `sink`.
pub(crate) struct Chain<'a> {
    /// The table of the source, without its name.
    pub(crate) source: &'a str,
    /// `op` and parameters of every node between.
    pub(crate) node: &'a str,
    /// How many of them.
    pub(crate) count: usize,
    /// The table of the sink, without `from`.
    pub(crate) sink: &'a str,
    /// Stage and core of a node by its place, the source at 0, and the number of places; none to
    /// leave the cut to the planner.
    pub(crate) stage: fn(usize, usize) -> Option<(&'static str, usize)>,
}

impl Chain<'_> {
    /// The text of the graph file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("[graph]\nname = \"chain\"\n\n[node.source]\n{}\n", self.source);
        let stage = |text: &mut String, at: usize| {
            if let Some((stage, core)) = (self.stage)(at, self.count + 2) {
                let _ = writeln!(text, "stage = \"{stage}\"\ncore = {core}");
            }
        };
        stage(&mut text, 0);
        for n in 0..self.count {
            let from = if n == 0 { "source".to_owned() } else { format!("n{}", n - 1) };
            let _ = write!(text, "\n[node.n{n}]\nfrom = \"{from}\"\n{}\n", self.node);
            stage(&mut text, n + 1);
        }
        let from =
            if self.count == 0 { "source".to_owned() } else { format!("n{}", self.count - 1) };
        let _ = write!(text, "\n[node.sink]\nfrom = \"{from}\"\n{}\n", self.sink);
        stage(&mut text, self.count + 1);
        text
    }
}

/// Leaves the cut to the planner.
pub(crate) fn uncut(_: usize, _: usize) -> Option<(&'static str, usize)> {
    None
}

/// The first half on core 0, the second on core 1.
pub(crate) fn halves(at: usize, places: usize) -> Option<(&'static str, usize)> {
    Some(if at < places / 2 { ("first", 0) } else { ("second", 1) })
}
