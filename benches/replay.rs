//! P12: the same bits over runs, core counts and frame lengths.

mod support;

use support::{
    Bench,
    graph::{Chain, at_max, halves, planned, run_to_end, uncut},
    kinds::hashed,
};

const SAMPLES: usize = 1 << 18;

fn main() {
    let bench = Bench::start("replay");
    let mut first = None;
    let mut runs = 0;
    for _ in 0..bench.scale(9, 1) {
        for frame_len in [1, 64, 512, 4_096] {
            for cores in [1, 2] {
                let hash = hash(bench.scale(SAMPLES, 1 << 13), frame_len, cores);
                assert_eq!(*first.get_or_insert(hash), hash, "{frame_len} samples, {cores} cores");
                runs += 1;
            }
        }
    }
    bench.report("replay", &[("bits", "equal")], &[("runs", f64::from(runs))]);
}

/// A signal of ones filtered six times: the filters' transients make every sample differ.
fn hash(samples: usize, frame_len: usize, cores: usize) -> u64 {
    let chain = Chain {
        source: &format!(
            "op = \"bench_same\"\nrate_hz = 1e4\nframes = {}\nframe_len = {frame_len}",
            samples / frame_len
        ),
        node: "op = \"bandpass\"\nlow_hz = 50.0\nhigh_hz = 150.0",
        count: 6,
        sink: "op = \"bench_hash\"",
        stage: if cores == 1 { uncut } else { halves },
    };
    run_to_end(&planned(&chain.text(), cores), &at_max(cores));
    hashed()
}
