//! P4: how old a frame is at the sink of a graph that waits most of the time.
//!
//! 64-sample frames at 1 kHz through eight operators, on one core and cut across two. Age is from
//! the door (`entered`, stamped when the source is released) to the sink, as in the rivals'
//! harnesses. Processor time is that of the whole process, control threads included.

mod support;

use std::time::Duration;

use engine::{RunOptions, Running};
use support::{
    Bench, Spread,
    graph::{Chain, assert_whole, halves, planned, uncut},
    kinds::{bench_ns, seen},
    process, quantile,
};

const OPERATORS: usize = 8;
/// Frames that warm the caches up and are not counted.
const WARM: usize = 200;

fn main() {
    let bench = Bench::start("paced");
    let frames = bench.scale(2_000, 300) + WARM;
    let mut one = Vec::new();
    let mut two = Vec::new();
    for _ in 0..bench.pairs {
        one.push(paced(frames, false));
        two.push(paced(frames, true));
    }
    for (variant, runs) in [("one core", one), ("two cores", two)] {
        let of = |pick: fn(&Paced) -> f64| Spread::of(runs.iter().map(pick).collect());
        let (p50, p99, cpu) = (of(|run| run.p50_us), of(|run| run.p99_us), of(|run| run.cpu_pct));
        bench.report(
            "chain_paced_1khz",
            &[("variant", variant), ("stages", "8")],
            &[
                ("p50_us", p50.median()),
                ("p50_min", p50.min()),
                ("p50_max", p50.max()),
                ("p99_us", p99.median()),
                ("p99_min", p99.min()),
                ("p99_max", p99.max()),
                ("p99_9_us", of(|run| run.p99_9_us).median()),
                ("cpu_pct", cpu.median()),
            ],
        );
    }
}

struct Paced {
    p50_us: f64,
    p99_us: f64,
    p99_9_us: f64,
    cpu_pct: f64,
}

fn paced(frames: usize, across: bool) -> Paced {
    let chain = Chain {
        source: &format!("op = \"bench_ramp\"\nrate_hz = 64e3\nframes = {frames}"),
        node: "op = \"bench_add\"",
        count: OPERATORS,
        sink: "op = \"bench_latency\"",
        stage: if across { halves } else { uncut },
    };
    let cores = if across { 2 } else { 1 };
    let plan = planned(&chain.text(), cores);
    let cpu_before = process::cpu_s("self");
    let began = bench_ns();
    let running = plan
        .start(&RunOptions { speed: Some(1.0), cores, sessions: 1 })
        .expect("bodies can be built");
    let offset = clock_offset(&running);
    // Threads that have ended are not in the sum, so it is taken while they live.
    let _ = running.wait_for(Duration::from_millis(frames as u64 - 50));
    let cpu_s = process::cpu_s("self") - cpu_before;
    let lasted_s = (bench_ns() - began) as f64 / 1e9;
    running.wait_for(Duration::from_secs(60)).expect("the graph ends");
    assert_whole(&running.report());
    let seen = seen();
    assert_eq!(seen.len(), frames);
    let mut ages: Vec<f64> = seen[WARM..]
        .iter()
        .map(|(arrived, entered)| (arrived - entered - offset) as f64 / 1e3)
        .collect();
    ages.sort_by(f64::total_cmp);
    Paced {
        p50_us: quantile(&ages, 0.5),
        p99_us: quantile(&ages, 0.99),
        p99_9_us: quantile(&ages, 0.999),
        cpu_pct: 100.0 * cpu_s / lasted_s,
    }
}

/// What [`bench_ns`] says when the run's clock says zero; known to a clock reading or two.
fn clock_offset(running: &Running) -> i64 {
    let ask = || {
        let (before, there, after) = (bench_ns(), running.clock_now().nanos(), bench_ns());
        (after - before, (before + after) / 2 - there)
    };
    (0..100).map(|_| ask()).min().map_or(0, |(_, offset)| offset)
}
