//! P11: from spawn to the first datum of a live graph, and what it costs while it waits.
//!
//! Spawns the `afferent` program (`AFFERENT`, else the one built beside this bench) on a synthetic
//! 250 Hz source of frames of one sample, as the rivals' harness does.

mod support;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use support::{Bench, Spread, process};

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

fn main() {
    let bench = Bench::start("startup");
    let Some(program) = program().filter(|program| program.exists()) else {
        println!("  SKIPPED: build the program first: cargo build --release");
        return;
    };
    let folder = std::env::temp_dir().join(format!("afferent-startup-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the graph");
    let graph = folder.join("startup.toml");
    std::fs::write(&graph, GRAPH).expect("the graph can be written");
    let (mut starts, mut rss, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.pairs {
        let began = Instant::now();
        let mut child = spawn(&program, &graph);
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        lines.read_line(&mut line).expect("a line");
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        // Somebody has to read, or the program would wait for room in the pipe.
        let reader = std::thread::spawn(move || lines.lines().count());
        let id = child.id().to_string();
        process::let_run(Duration::from_millis(bench.scale(1_000, 50) as u64));
        let (before, since) = (process::cpu_s(&id), Instant::now());
        process::let_run(Duration::from_millis(bench.scale(2_000, 50) as u64));
        cpu.push(100.0 * (process::cpu_s(&id) - before) / since.elapsed().as_secs_f64());
        rss.push(process::rss_bytes(&id) / 1e6);
        child.kill().expect("it was running");
        child.wait().expect("it has ended");
        reader.join().expect("no panic");
        assert!(!line.trim().is_empty(), "the first datum is a line");
    }
    let of = Spread::of;
    let (starts, rss, cpu) = (of(starts), of(rss), of(cpu));
    bench.report(
        "startup_idle",
        &[("source", "250 Hz x 8 channels")],
        &[
            ("start_ms", starts.median()),
            ("start_min", starts.min()),
            ("start_max", starts.max()),
            ("rss_mb", rss.median()),
            ("cpu_pct", cpu.median()),
        ],
    );
    let _ = std::fs::remove_dir_all(folder);
}

fn spawn(program: &PathBuf, graph: &PathBuf) -> Child {
    Command::new(program)
        .arg("run")
        .arg(graph)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be run")
}

fn program() -> Option<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("afferent"));
    std::env::var_os("AFFERENT").map(PathBuf::from).or_else(beside)
}
