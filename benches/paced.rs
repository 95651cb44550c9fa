//! P4: how old a frame is at the sink of a graph that waits most of the time.
//!
//! 64-sample frames at 1 kHz through eight operators, on one core and cut across two. Age is from
//! the door (`entered`, stamped when the source is released) to the sink, as in the rivals'
//! harnesses. Processor time is that of the whole process, control threads included.

mod support;

use std::time::Duration;

use engine::RunOptions;
use support::{
    Bench,
    graph::{Chain, assert_whole, clock_offset, halves, planned, uncut},
    kinds::ends::{bench_ns, seen},
    process, quantile,
};

const OPERATORS: usize = 8;
/// Frames that warm the caches up and are not counted.
const WARM: usize = 200;

fn main() {
    let bench = Bench::start("paced");
    let frames = bench.scale(2_000, 300) + WARM;
    let [one, two] = bench.interleaved([
        ("one core", &mut || paced(frames, false)),
        ("two cores", &mut || paced(frames, true)),
    ]);
    for (variant, runs) in [("one core", one), ("two cores", two)] {
        bench.report(
            "chain_paced_1khz",
            &[("variant", variant), ("stages", &OPERATORS.to_string())],
            &[
                ("p50_us", &runs.of(|run| run.p50_us)),
                ("p99_us", &runs.of(|run| run.p99_us)),
                ("p99_9_us", &runs.of(|run| run.p99_9_us)),
                ("cpu_pct", &runs.of(|run| run.cpu_pct)),
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
    let seen = seen(0);
    assert_eq!(seen.len(), frames);
    let ages = seen[WARM..].iter().map(|frame| frame.arrived - frame.entered - offset);
    let mut ages: Vec<f64> = ages.map(|age| age as f64 / 1e3).collect();
    ages.sort_by(f64::total_cmp);
    Paced {
        p50_us: quantile(&ages, 0.5),
        p99_us: quantile(&ages, 0.99),
        p99_9_us: quantile(&ages, 0.999),
        cpu_pct: 100.0 * cpu_s / lasted_s,
    }
}
