//! What a stage promises where event time, faults and limits meet: joins that wait, timers, bodies
//! that die beside their frames, successors.
//!
//! Most run on manual time; what needs a watchdog or control runs live.

mod control;
mod deaths;
mod flushes;
mod joins;
mod kinds;
mod limits;
mod pauses;
mod remarks;
mod timers;
mod verdicts;
mod wedges;

use std::{sync::Arc, time::Duration};

use afferent_suite::{NoFiles, kinds::tally, waiting};
use engine::{
    Catalog, Gap, GraphSpec, ManualRun, Plan, PlanOptions, RunOptions, Running, SourceText,
    Timestamp,
};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// More turns than any of these needs before it sleeps.
const TURNS: usize = 1_000_000;

fn planned(text: &str) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("stage.toml", text));
    let spec = spec.unwrap_or_else(|problems| panic!("{problems}"));
    let mut options = PlanOptions::new(Arc::new(NoFiles));
    options.cores = 2;
    let catalog = Catalog::new(&[
        afferent_suite::kinds::KINDS,
        kinds::KINDS,
        &[&waiting::DEVICE, &operators::audio::barge_in::KIND],
    ]);
    Arc::new(spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}")))
}

fn manual(text: &str, speed: Option<f64>) -> ManualRun {
    ManualRun::new(&planned(text), 2, speed).expect("bodies can be built")
}

/// Runs to the end; every frame must be accounted for, and none be left inside.
fn end(run: &mut ManualRun) {
    assert!(run.run_until(Timestamp::from_nanos(i64::MAX - 1)), "the graph waits for ever");
    for (from, to, frames) in run.edges() {
        assert!(frames.is_balanced(), "{from} → {to}: {frames:?}");
        assert_eq!(frames.in_flight, 0, "{from} → {to}: {frames:?}");
    }
}

/// Runs a graph to its end on manual time, as fast as it goes.
fn run(text: &str) -> ManualRun {
    let mut run = manual(text, None);
    end(&mut run);
    run
}

/// Sets the clock and lets the graph go on until it sleeps.
fn rest(run: &mut ManualRun, at_ms: i64) {
    run.clock().set(Timestamp::from_nanos(at_ms * 1_000_000));
    assert!((0..TURNS).any(|_| !run.step()), "it never sleeps");
}

/// Starts a graph live, all sessions on one core.
fn start(text: &str, sessions: u32, speed: Option<f64>) -> Running {
    let options = RunOptions { sessions, speed, ..RunOptions::default() };
    planned(text).start(&options).expect("bodies can be built")
}

/// Waits for the end of a live run, as [`end`].
fn finish(running: &Running) {
    let outcome = running.wait_for(LIMIT).expect("ends");
    assert_eq!(outcome.fault, None);
    for edge in &running.report().edges {
        assert!(edge.frames.is_balanced(), "{edge:?}");
        assert_eq!(edge.frames.in_flight, 0, "{edge:?}");
    }
}

/// Milliseconds of every frame a tally took, and what event it was.
fn events(key: &str) -> Vec<(i64, i64)> {
    let what = |bytes: &[u8]| i64::from_le_bytes(bytes[16..24].try_into().expect("a field"));
    let frames = tally(key).into_iter();
    frames.map(|(_, f)| (f.header.time.nanos() / 1_000_000, what(f.buffer().bytes()))).collect()
}

/// Milliseconds and reason of every gap a tally was told of.
fn gaps(headers: &[(i64, Option<Gap>)]) -> Vec<(i64, Gap)> {
    headers.iter().filter_map(|(time, gap)| Some((time / 1_000_000, (*gap)?))).collect()
}
