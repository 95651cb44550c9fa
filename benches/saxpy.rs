//! P3: how much of the rate of two bare kernels a graph of two operators keeps.

mod support;

use std::hint::black_box;

use support::{
    Bench,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::{ran, saxpy},
    seconds,
};

fn main() {
    let bench = Bench::start("saxpy");
    for (frame_len, share) in [(4_096, 0.9), (16_384, 0.95)] {
        let frames = bench.scale(1_500_000_000, 50_000) / frame_len;
        let rate = |seconds: f64| (frames * frame_len) as f64 / seconds;
        let [graph, bare] = bench
            .interleaved([&mut || rate(graph(frames, frame_len)), &mut || {
                rate(bare(frames, frame_len))
            }]);
        for (variant, rates) in [("graph", &graph), ("kernels only", &bare)] {
            bench.report(
                "saxpy2",
                &[("variant", variant), ("frame_len", &frame_len.to_string())],
                &[("samples_per_s", rates.median()), ("min", rates.min()), ("max", rates.max())],
            );
        }
        bench.verdict_least("P3, share of the kernels", graph.median() / bare.median(), share);
    }
}

fn graph(frames: usize, frame_len: usize) -> f64 {
    let chain = Chain {
        source: &format!(
            "op = \"bench_same\"\nrate_hz = 1e6\nframes = {frames}\nframe_len = {frame_len}"
        ),
        node: "op = \"bench_saxpy\"",
        count: 2,
        sink: "op = \"bench_final\"",
        stage: uncut,
    };
    run_to_end(&planned(&chain.text(), 1), &at_max(1));
    let ran = ran();
    assert_eq!((ran.frames, ran.last), (frames as u64, 0.625));
    ran.seconds
}

fn bare(frames: usize, frame_len: usize) -> f64 {
    let input = vec![1.0; frame_len];
    let (mut one, mut two) = (vec![0.0; frame_len], vec![0.0; frame_len]);
    let seconds = seconds(|| {
        for _ in 0..frames {
            saxpy(black_box(&input), &mut one);
            saxpy(black_box(&one), &mut two);
            black_box(&mut two);
        }
    });
    assert_eq!(two[frame_len - 1], 0.625);
    seconds
}
