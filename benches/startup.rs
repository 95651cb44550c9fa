//! P11: from spawn to the first datum of a live graph, and what it costs while it runs.
//!
//! Spawns the `afferent` program (`AFFERENT`, else the one built beside this bench) on a synthetic
//! 250 Hz source of frames of one sample in eight channels. As in the rivals' harness, the start is
//! the middle one of three, timed on a graph that prints, and memory and processor time are those
//! of one that does not (GStreamer's runs verbose for the start and quiet for the rest as well).

mod support;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use support::{Bench, process, quantile};

const GRAPH: &str = r#"
[graph]
name = "startup"
[node.ecg]
op = "sine"
rate_hz = 250.0
channels = 8
frame_ms = 4.0
[node.copy]
op = "copy"
from = "ecg"
[node.out]
op = "print"
from = "copy"
"#;

const MIB: f64 = 1_048_576.0;

fn main() {
    let bench = Bench::start("startup");
    let Some(program) = program().filter(|program| program.exists()) else {
        eprintln!("  SKIPPED: build the program first: cargo build --release");
        return;
    };
    let folder = std::env::temp_dir().join(format!("afferent-startup-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the graph");
    let graph = folder.join("startup.toml");
    std::fs::write(&graph, GRAPH).expect("the graph can be written");
    let settle = Duration::from_millis(bench.scale(1_500, 100) as u64);
    let watch = Duration::from_millis(bench.scale(2_000, 50) as u64);
    let [runs] = bench.interleaved([("startup", &mut || {
        let mut starts = [0; 3].map(|_| start_ms(&program, &graph));
        starts.sort_by(f64::total_cmp);
        Run { start_ms: quantile(&starts, 0.5), ..idle(&program, &graph, settle, watch) }
    })]);
    let _ = std::fs::remove_dir_all(folder);
    bench.report(
        "startup_idle",
        &[("source", "250 Hz x 8 channels")],
        &[
            ("start_ms", &runs.of(|run| run.start_ms)),
            ("rss_mb", &runs.of(|run| run.rss_mb)),
            ("pss_mb", &runs.of(|run| run.pss_mb)),
            ("cpu_pct", &runs.of(|run| run.cpu_pct)),
            ("threads", &runs.of(|run| run.threads)),
        ],
    );
}

#[derive(Default)]
struct Run {
    start_ms: f64,
    rss_mb: f64,
    pss_mb: f64,
    cpu_pct: f64,
    threads: f64,
}

/// Milliseconds from spawn to the first line.
fn start_ms(program: &Path, graph: &Path) -> f64 {
    let began = Instant::now();
    let mut child = spawn(program, graph, &[], Stdio::piped());
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    lines.read_line(&mut line).expect("a line");
    let start_ms = began.elapsed().as_secs_f64() * 1e3;
    end(child);
    assert!(line.contains(" s  ") && line.contains("copy"), "the first datum: {line:?}");
    start_ms
}

/// What the graph costs once it runs, without printing.
fn idle(program: &Path, graph: &Path, settle: Duration, watch: Duration) -> Run {
    let mut child = spawn(program, graph, &["--set", "out.op=null"], Stdio::null());
    let id = child.id().to_string();
    process::let_run(settle);
    let (before, since) = (process::cpu_s(&id), Instant::now());
    process::let_run(watch);
    let cpu_s = process::cpu_s(&id) - before;
    let run = Run {
        start_ms: 0.0,
        rss_mb: process::rss_bytes(&id) / MIB,
        pss_mb: process::pss_bytes(&id) / MIB,
        cpu_pct: 100.0 * cpu_s / since.elapsed().as_secs_f64(),
        threads: process::threads(&id) as f64,
    };
    assert!(child.try_wait().expect("a child").is_none(), "the graph runs");
    end(child);
    run
}

fn end(mut child: Child) {
    child.kill().expect("it was running");
    child.wait().expect("it has ended");
}

fn spawn(program: &Path, graph: &Path, more: &[&str], stdout: Stdio) -> Child {
    Command::new(program)
        .arg("run")
        .arg(graph)
        .args(more)
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be run")
}

fn program() -> Option<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("afferent"));
    std::env::var_os("AFFERENT").map(PathBuf::from).or_else(beside)
}
