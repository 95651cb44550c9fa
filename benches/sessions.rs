//! P5: thousands of people on two cores.
//!
//! Each session: eight channels at 250 Hz in frames of ten samples, replayed from one buffer that
//! all share, every channel band-passed, beats found on one. Age is from the moment a frame's last
//! sample was there, known to the punctuality of the session's most punctual frame. Memory is the
//! growth of the process while the sessions open.

mod support;

use std::time::Duration;

use engine::RunOptions;
use support::{
    Bench,
    graph::planned,
    kinds::{AGES, bench_ns},
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

fn main() {
    let bench = Bench::start("sessions");
    let sessions = bench.scale(10_000, 50);
    let plan = planned(GRAPH, 2);
    let (rss, began) = (process::rss_bytes("self"), bench_ns());
    let running = plan
        .start(&RunOptions { speed: Some(1.0), cores: 2, sessions: sessions as u32 })
        .expect("bodies can be built");
    let opened_s = (bench_ns() - began) as f64 / 1e9;
    let kib = (process::rss_bytes("self") - rss) / sessions as f64 / 1_024.0;
    let (cpu, waited) = (process::cpu_s("self"), bench_ns());
    let _ = running.wait_for(Duration::from_secs(bench.scale(20, 2) as u64));
    let cpu = (process::cpu_s("self") - cpu) / ((bench_ns() - waited) as f64 / 1e9);
    let report = running.report();
    for edge in &report.edges {
        assert!(edge.frames.is_balanced(), "{} → {}", edge.from, edge.to);
        assert_eq!(edge.frames.dropped_in_all(), 0, "{} → {}", edge.from, edge.to);
    }
    let ms = |share: f64| AGES.quantile(share).unwrap_or(0) as f64 / 1e6;
    let rate = AGES.count() as f64 / (sessions as f64 * 25.0);
    bench.report(
        "sessions",
        &[("sessions", &sessions.to_string()), ("cores", "2")],
        &[
            ("age_p50_ms", ms(0.5)),
            ("age_p99_ms", ms(0.99)),
            ("age_max_ms", AGES.max().unwrap_or(0) as f64 / 1e6),
            ("kib_per_session", kib),
            ("opened_s", opened_s),
            ("cpu_cores", cpu),
            ("seconds_counted_each", rate),
            ("beats", report.edge("beats", "told").map_or(0, |edge| edge.frames.taken) as f64),
        ],
    );
    assert!(
        bench.test
            || report.edge("beats", "told").map_or(0, |edge| edge.frames.taken) > sessions as u64,
        "beats are found"
    );
    bench.verdict("P5, p99 age in ms", ms(0.99), 100.0);
    bench.verdict("P5, KiB per session", kib, 64.0);
}
