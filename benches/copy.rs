//! P2: samples per second through a chain of 32 copies, each really copied.

mod support;

use engine::RunOptions;
use support::{
    Bench,
    graph::{Chain, at_max, halves, planned, run_to_end, uncut},
    kinds::ends::ran,
};

const NODES: usize = 32;

fn main() {
    let bench = Bench::start("copy");
    for frame_len in [1_024, 2_048, 4_096, 16_384] {
        let frames = bench.scale(200_000_000, 50_000) / frame_len + 1;
        let rate = |options| (frames * frame_len) as f64 / chain(frames, frame_len, &options);
        let name = |cores: &str| format!("{cores}, {frame_len}");
        let [one, two] = bench.interleaved([
            (&name("one core"), &mut || rate(at_max(1))),
            (&name("two cores"), &mut || rate(at_max(2))),
        ]);
        for (variant, rates) in [("one core", one), ("two cores", two)] {
            bench.report(
                "copy_chain",
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
        node: "op = \"copy\"",
        count: NODES,
        sink: "op = \"bench_final\"",
        stage: if options.cores == 1 { uncut } else { halves },
    };
    run_to_end(&planned(&chain.text(), options.cores), options);
    let ran = ran();
    assert_eq!(ran.frames, frames as u64);
    check(ran.last);
    ran.seconds
}

fn check(last: f32) {
    assert_eq!(last, 1.0);
}
