//! P2: samples per second through six filters of 64 taps.

mod support;

use engine::RunOptions;
use support::{
    Bench,
    graph::{Chain, at_max, halves, planned, run_to_end, uncut},
    kinds::ends::ran,
};

const NODES: usize = 6;

fn main() {
    let bench = Bench::start("fir");
    for frame_len in [1_024, 2_048, 4_096, 16_384] {
        let frames = bench.scale(50_000_000, 50_000) / frame_len + 1;
        let rate = |options| (frames * frame_len) as f64 / chain(frames, frame_len, &options);
        let name = |cores: &str| format!("{cores}, {frame_len}");
        let [one, two] = bench.interleaved([
            (&name("one core"), &mut || rate(at_max(1))),
            (&name("two cores"), &mut || rate(at_max(2))),
        ]);
        for (variant, rates) in [("one core", one), ("two cores", two)] {
            bench.report(
                "fir6x64",
                &[
                    ("variant", variant),
                    ("stages", &NODES.to_string()),
                    ("frame_len", &frame_len.to_string()),
                ],
                &[("samples_per_s", &rates.of(|&rate| rate))],
            );
        }
    }
}

fn chain(frames: usize, frame_len: usize, options: &RunOptions) -> f64 {
    let chain = Chain {
        source: &format!(
            "op = \"bench_same\"\nrate_hz = 1e6\nframes = {frames}\nframe_len = {frame_len}"
        ),
        node: &format!("op = \"fir\"\ncoefficients = {:?}", taps()),
        count: NODES,
        sink: "op = \"bench_final\"",
        stage: if options.cores == 1 { uncut } else { halves },
    };
    run_to_end(&planned(&chain.text(), options.cores), options);
    let ran = ran();
    assert_eq!(ran.samples, (frames * frame_len) as u64);
    check(ran.last);
    ran.seconds
}

/// The rivals' taps.
fn taps() -> Vec<f32> {
    (0..64).map(|n| 1.0 / (1 + n) as f32).collect()
}

/// Ones in, the sixth power of the sum of the taps out.
fn check(last: f32) {
    let sum: f64 = taps().iter().map(|&tap| f64::from(tap)).sum();
    let want = sum.powi(6);
    // Six sums of 64 products in f32: 6 · 64 roundings of 6e-8 each at most.
    assert!((f64::from(last) / want - 1.0).abs() < 3e-5, "{last} is not {want}");
}
