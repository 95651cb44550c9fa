//! P3: how much of the rate of two bare kernels a graph of two operators keeps.
//!
//! On one core, one graph against one loop over the kernels. On two cores, two sessions of the
//! graph against two loops on two threads that share nothing; the rate is that of both together,
//! from the first to begin to the last to end.

mod support;

use std::{hint::black_box, sync::Barrier, time::Instant};

use engine::RunOptions;
use support::{
    Bench,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::{ends::ran, work::saxpy},
};

fn main() {
    let bench = Bench::start("saxpy");
    for (cores, frame_len, share) in
        [(1, 4_096, 0.9), (1, 16_384, 0.95), (2, 4_096, 0.9), (2, 16_384, 0.9)]
    {
        let frames = bench.scale(1_500_000_000, 50_000) / frame_len;
        let rate = |seconds: f64| (cores * frames * frame_len) as f64 / seconds;
        let name = |what: &str| format!("{what}, {cores} cores, {frame_len}");
        let [graph, kernels] = bench.interleaved([
            (&name("graph"), &mut || rate(graph(cores, frames, frame_len))),
            (&name("kernels"), &mut || rate(kernels(cores, frames, frame_len))),
        ]);
        let [graph, kernels] = [graph, kernels].map(|runs| runs.of(|&rate| rate));
        for (variant, rates) in [("graph", &graph), ("kernels only", &kernels)] {
            bench.report(
                "saxpy2",
                &[
                    ("variant", variant),
                    ("cores", &cores.to_string()),
                    ("frame_len", &frame_len.to_string()),
                ],
                &[("samples_per_s", rates)],
            );
        }
        let promise = format!("P3, share of the kernels, {cores} cores, frames of {frame_len}");
        bench.verdict_least(&promise, &graph.over(&kernels), share);
    }
}

/// A session of the graph per core.
fn graph(cores: usize, frames: usize, frame_len: usize) -> f64 {
    let chain = Chain {
        source: &format!(
            "op = \"bench_same\"\nrate_hz = 1e6\nframes = {frames}\nframe_len = {frame_len}"
        ),
        node: "op = \"bench_saxpy\"",
        count: 2,
        sink: "op = \"bench_final\"",
        stage: uncut,
    };
    let options = RunOptions { sessions: cores as u32, ..at_max(cores) };
    run_to_end(&planned(&chain.text(), cores), &options);
    let ran = ran();
    assert_eq!((ran.frames, ran.last), ((cores * frames) as u64, 0.625));
    ran.seconds
}

/// A loop per core, each on a thread of its own.
fn kernels(cores: usize, frames: usize, frame_len: usize) -> f64 {
    let ready = Barrier::new(cores);
    let work = || {
        let input = vec![1.0; frame_len];
        let (mut one, mut two) = (vec![0.0; frame_len], vec![0.0; frame_len]);
        ready.wait();
        let began = Instant::now();
        for _ in 0..frames {
            saxpy(black_box(&input), &mut one);
            saxpy(black_box(&one), &mut two);
            black_box(&mut two);
        }
        assert_eq!(two[frame_len - 1], 0.625);
        (began, Instant::now())
    };
    let times: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let began = times.iter().map(|times| times.0).min().expect("a core");
    let ended = times.iter().map(|times| times.1).max().expect("a core");
    (ended - began).as_secs_f64()
}
