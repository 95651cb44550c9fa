//! P5: thousands of people on two cores.
//!
//! Each session: eight channels at 250 Hz in frames of ten samples, replayed from one buffer that
//! all share, every channel band-passed, beats found on one. Age is from the moment a frame's last
//! sample was there, known to the punctuality of the session's most punctual frame. Memory is what
//! the process has grown by when the sessions have run, so each repetition is a process of its own:
//! this program calls itself with `once`.

mod support;

use std::{process::Command, sync::atomic::Ordering, time::Duration};

use engine::RunOptions;
use support::{
    Bench,
    graph::planned,
    kinds::{
        ends::bench_ns,
        sessions::{AGES, SEEN_LEAST},
    },
    process,
};

// Two sinks: one that merged the two by event time would hold each frame until the beats' bound
// has passed it, for most of a heart beat, and the age would be that of the merge.
const GRAPH: &str = r#"
[graph]
name = "sessions"
[node.ecg]
op = "bench_replay"
[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0
[node.beats]
op = "qrs"
from = "clean[0]"
[node.out]
op = "bench_age"
from = "clean"
[node.told]
op = "null"
from = "beats"
"#;

/// What one repetition finds, by the names of its figures.
const FIGURES: [&str; 8] = [
    "age_p50_ms",
    "age_p99_ms",
    "age_max_ms",
    "kib_per_session",
    "opened_s",
    "cpu_cores",
    "frames_of_slowest_pct",
    "beats",
];

fn main() {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == "once") {
        let numbers = words.map(|word| word.parse().expect("this program says numbers"));
        let [sessions, seconds] = numbers.collect::<Vec<u64>>()[..] else { panic!("two numbers") };
        let figures = once(sessions as u32, seconds).map(|figure| figure.to_string());
        println!("{}", figures.join(" "));
        return;
    }
    let bench = Bench::start("sessions");
    let sessions = bench.scale(10_000, 50).to_string();
    let seconds = bench.scale(20, 2).to_string();
    let mut runs = support::Runs(Vec::new());
    for _ in 0..bench.pairs {
        if bench.runs("sessions") {
            runs.0.push(in_a_process(&sessions, &seconds));
        }
    }
    let figures: Vec<_> = (0..FIGURES.len()).map(|at| runs.of(|run| run[at])).collect();
    let metrics: Vec<_> = FIGURES.into_iter().zip(&figures).collect();
    bench.report("sessions", &[("sessions", &sessions), ("cores", "2")], &metrics);
    bench.verdict("P5, p99 age in ms", &figures[1], 100.0);
    bench.verdict("P5, KiB per session", &figures[3], 64.0);
}

fn in_a_process(sessions: &str, seconds: &str) -> [f64; FIGURES.len()] {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).args(["once", sessions, seconds]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a repetition failed: {said}");
    let figures = String::from_utf8_lossy(&output.stdout);
    let figures = figures.split_whitespace().map(|word| word.parse().expect("a number"));
    figures.collect::<Vec<f64>>().try_into().expect("all figures")
}

fn once(sessions: u32, seconds: u64) -> [f64; FIGURES.len()] {
    let plan = planned(GRAPH, 2);
    let (rss, began) = (process::rss_bytes("self"), bench_ns());
    let running = plan
        .start(&RunOptions { speed: Some(1.0), cores: 2, sessions })
        .expect("bodies can be built");
    let opened_s = (bench_ns() - began) as f64 / 1e9;
    let (cpu, waited) = (process::cpu_s("self"), bench_ns());
    let _ = running.wait_for(Duration::from_secs(seconds));
    let cpu = (process::cpu_s("self") - cpu) / ((bench_ns() - waited) as f64 / 1e9);
    // Not before: rings and pools take their pages when they are used first.
    let kib = (process::rss_bytes("self") - rss) / f64::from(sessions) / 1_024.0;
    // The ages so far; those of the end, when all sessions finish at once, are not the promise.
    let ms = |share: f64| AGES.quantile(share).unwrap_or(0) as f64 / 1e6;
    let ages = [ms(0.5), ms(0.99), AGES.max().unwrap_or(0) as f64 / 1e6];
    running.drain();
    let outcome = running.wait_for(Duration::from_secs(60)).expect("a drained run ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    for edge in &report.edges {
        assert_eq!(edge.frames.dropped_in_all(), 0, "{} → {}", edge.from, edge.to);
        assert_eq!(edge.frames.sent, edge.frames.taken, "{} → {}", edge.from, edge.to);
    }
    // 25 frames a second are due; a session that was starved would have no ages to tell.
    let due = (seconds * 25) as f64;
    let slowest_pct = 100.0 * f64::from(SEEN_LEAST.load(Ordering::Relaxed)) / due;
    let beats = report.edge("beats", "told").map_or(0, |edge| edge.frames.taken);
    // At 72 beats a minute the detector has learnt for two seconds and found some in five.
    assert!(seconds < 5 || beats > u64::from(sessions) * seconds / 2, "beats are found");
    assert!(
        seconds < 5 || slowest_pct > 95.0,
        "every session gets all its frames: {slowest_pct:.0} %"
    );
    let [p50, p99, max] = ages;
    [p50, p99, max, kib, opened_s, cpu, slowest_pct, beats as f64]
}
