//! P1: what a fused operator costs beyond its arithmetic.
//!
//! The work of the Copper harness: frames of 64 samples, a source, 17 operators that add one, a
//! sink that looks at the result. Ours is planned from a graph file's text, and counts every edge.
//! The control is the same arithmetic as 17 boxed operators in a loop over two
//! buffers. Both are told in processor time of their thread, as Copper's `cpu_ns_per_cycle` is.

mod support;

use support::{
    Bench,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::{ends::ran, work::Boxed},
    process::thread_cpu_s,
};

const OPERATORS: usize = 17;
const SAMPLES: usize = 64;

fn main() {
    let bench = Bench::start("chain");
    let frames = bench.scale(1_000_000, 1_000);
    let [engine, boxed] = bench.interleaved([
        ("from a graph file", &mut || engine(frames)),
        ("control", &mut || boxed(frames)),
    ]);
    let [engine, boxed] = [engine, boxed].map(|runs| runs.of(|cpu_s| cpu_s / frames as f64 * 1e9));
    for (variant, cycle) in [
        ("from a graph file, counters on", &engine),
        ("control: 17 boxed operators, same arithmetic", &boxed),
    ] {
        bench.report(
            "fused_chain",
            &[("variant", variant), ("stages", "17")],
            &[
                ("ns_per_operator", &cycle.times(1.0 / OPERATORS as f64)),
                ("ns_per_task", &cycle.times(1.0 / (OPERATORS + 2) as f64)),
                ("cpu_ns_per_cycle", cycle),
            ],
        );
    }
    let beyond = engine.minus(&boxed).times(1.0 / OPERATORS as f64);
    bench.verdict("P1, ns an operator beyond the arithmetic", &beyond, 12.0);
}

fn engine(frames: usize) -> f64 {
    let chain = Chain {
        source: &format!("op = \"bench_ramp\"\nrate_hz = 1e6\nframes = {frames}"),
        node: "op = \"bench_add\"",
        count: OPERATORS,
        sink: "op = \"bench_final\"",
        stage: uncut,
    };
    run_to_end(&planned(&chain.text(), 1), &at_max(1));
    let ran = ran();
    assert_eq!(ran.frames, frames as u64);
    assert_eq!(ran.last, (frames - 1 + OPERATORS) as f32);
    ran.cpu_s
}

fn boxed(frames: usize) -> f64 {
    let mut boxed = Boxed::new(OPERATORS, SAMPLES);
    let mut last = 0.0;
    let began = thread_cpu_s();
    for n in 0..frames {
        last = boxed.run(n as f32);
    }
    let cpu_s = thread_cpu_s() - began;
    assert_eq!(last, (frames - 1 + OPERATORS) as f32);
    cpu_s
}
