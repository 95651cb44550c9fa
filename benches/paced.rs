//! P4: how old a frame is at the sink of a graph that waits most of the time.
//!
//! 64-sample frames at 1 kHz through eight operators, on one core and cut across two. Age is from
//! the door (`entered`, stamped when the source is released) to the sink, as in the rivals'
//! harnesses. Processor time is that of the whole process, control threads included.
//!
//! Beside them what takes part of the time whatever is built on it: a bare thread that sleeps until a
//! frame is due and takes it through eight boxed operators; and the least that a frame can do which
//! crosses cores: one thread sleeps until it is due and hands it on by a bare ring, the other parks.

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use engine::RunOptions;
use support::{
    Bench,
    graph::{Chain, assert_whole, clock_offset, halves, planned, uncut},
    kinds::{
        ends::{bench_ns, seen},
        work::Boxed,
    },
    process, quantile,
};

const OPERATORS: usize = 8;
const SAMPLES: usize = 64;
/// Frames that warm the caches up and are not counted.
const WARM: usize = 200;

fn main() {
    let bench = Bench::start("paced");
    let frames = bench.scale(2_000, 300) + WARM;
    let names = [
        "one core",
        "two cores",
        "a bare thread and boxed operators",
        "two bare threads that park",
    ];
    let runs = bench.interleaved([
        (names[0], &mut || paced(frames, false)),
        (names[1], &mut || paced(frames, true)),
        (names[2], &mut || alone(frames)),
        (names[3], &mut || bare(frames)),
    ]);
    for (variant, runs) in names.into_iter().zip(runs) {
        let operators = if variant.contains("two bare") { 0 } else { OPERATORS };
        bench.report(
            "chain_paced_1khz",
            &[("variant", variant), ("stages", &operators.to_string())],
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
    let ages = seen.iter().map(|frame| frame.arrived - frame.entered - offset);
    Paced::of(ages.collect(), cpu_s / lasted_s)
}

impl Paced {
    /// From the ages in nanoseconds and the share of a processor that was used.
    fn of(ages: Vec<i64>, cpu: f64) -> Self {
        let mut ages: Vec<f64> = ages[WARM..].iter().map(|&age| age as f64 / 1e3).collect();
        ages.sort_by(f64::total_cmp);
        Self {
            p50_us: quantile(&ages, 0.5),
            p99_us: quantile(&ages, 0.99),
            p99_9_us: quantile(&ages, 0.999),
            cpu_pct: 100.0 * cpu,
        }
    }
}

/// A thread that sleeps until each moment is due and does what the graph on one core does, without
/// a graph.
fn alone(frames: usize) -> Paced {
    let mut boxed = Boxed::new(OPERATORS, SAMPLES);
    let mut ages = Vec::with_capacity(frames);
    let (began, cpu_before) = (bench_ns(), process::cpu_s("self"));
    for n in 1..=frames as i64 {
        sleep_until(began + n * 1_000_000);
        let entered = bench_ns();
        assert_eq!(boxed.run(n as f32), (n + OPERATORS as i64) as f32);
        ages.push(bench_ns() - entered);
    }
    let lasted_s = (bench_ns() - began) as f64 / 1e9;
    Paced::of(ages, (process::cpu_s("self") - cpu_before) / lasted_s)
}

fn sleep_until(due: i64) {
    loop {
        let wait = due - bench_ns();
        if wait <= 0 {
            return;
        }
        std::thread::park_timeout(Duration::from_nanos(wait as u64));
    }
}

/// A thread that sleeps until each moment is due, a ring, and a thread that parks, on two
/// processors if the system leaves them there.
fn bare(frames: usize) -> Paced {
    // Room for all: where the machine stands still for a while, frames are late, none is in the way.
    let (mut into, mut out) = rtrb::RingBuffer::new(frames);
    let over = AtomicBool::new(false);
    let (began, cpu_before) = (bench_ns(), process::cpu_s("self"));
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut ages = Vec::with_capacity(frames);
            while ages.len() < frames {
                match out.pop() {
                    Ok(entered) => ages.push(bench_ns() - entered),
                    Err(_) => std::thread::park(),
                }
            }
            // What threads that have ended took is not in the sum.
            let cpu_s = process::cpu_s("self") - cpu_before;
            over.store(true, Ordering::Release);
            (ages, cpu_s)
        });
        for n in 1..=frames as i64 {
            sleep_until(began + n * 1_000_000);
            into.push(bench_ns()).expect("there is room");
            consumer.thread().unpark();
        }
        while !over.load(Ordering::Acquire) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let lasted_s = (bench_ns() - began) as f64 / 1e9;
        let (ages, cpu_s) = consumer.join().expect("no panic");
        Paced::of(ages, cpu_s / lasted_s)
    })
}
