//! P12: the same bits over runs, core counts and frame lengths.
//!
//! A million samples of noise through filters of every kind that keeps state: they
//! would show a frame border, a lost state or another order of additions in every later bit.

mod support;

use support::{
    Bench, Spread,
    graph::{at_max, planned, run_to_end},
    kinds::work::hashed,
    seconds,
};

const FRAME_LENS: [usize; 4] = [1, 64, 512, 4_096];

fn main() {
    let bench = Bench::start("replay");
    let samples = bench.scale(1 << 20, 1 << 13);
    let mut hashes = Vec::new();
    let mut on = |cores| {
        let took = FRAME_LENS.map(|frame_len| {
            let mut hash = 0;
            let took_s = seconds(|| hash = replay(samples, frame_len, cores));
            hashes.push(hash);
            assert_eq!(hash, hashes[0], "frames of {frame_len}, {cores} cores");
            took_s
        });
        took.iter().sum::<f64>()
    };
    let [runs] = bench.interleaved([("replay", &mut || [on(1), on(2)])]);
    for (at, variant) in ["one core", "two cores"].into_iter().enumerate() {
        bench.report(
            "replay",
            &[("variant", variant), ("frame_lens", "1, 64, 512, 4096")],
            &[("seconds", &runs.of(|seconds| seconds[at]))],
        );
    }
    let equal = Spread::one(hashes.len() as f64);
    bench.report("replay", &[("bits", "equal")], &[("runs", &equal)]);
}

/// The hash of what comes out.
fn replay(samples: usize, frame_len: usize, cores: usize) -> u64 {
    let (first, second) = match cores {
        1 => ("", ""),
        _ => ("stage = \"first\"\ncore = 0", "stage = \"second\"\ncore = 1"),
    };
    let text = format!(
        r#"
        [graph]
        name = "replay"
        [node.noise]
        op = "bench_noise"
        rate_hz = 1e4
        frames = {frames}
        frame_len = {frame_len}
        {first}
        [node.band]
        op = "bandpass"
        from = "noise"
        low_hz = 50.0
        high_hz = 150.0
        {first}
        [node.fir]
        op = "fir"
        from = "band"
        coefficients = [0.3, -0.2, 0.15, 0.1, -0.07, 0.05, 0.03, -0.02, 0.01]
        {first}
        [node.smooth]
        op = "smooth"
        from = "fir"
        cutoff_hz = 200.0
        {second}
        [node.fewer]
        op = "decimate"
        from = "smooth"
        factor = 4
        {second}
        [node.band2]
        op = "bandpass"
        from = "fewer"
        low_hz = 20.0
        high_hz = 300.0
        {second}
        [node.sink]
        op = "bench_hash"
        from = "band2"
        {second}
        "#,
        frames = samples / frame_len,
    );
    run_to_end(&planned(&text, cores), &at_max(cores));
    let hash = hashed();
    assert!(hash != 0 && hash != EMPTY, "something came out");
    hash
}

/// What a sink that took nothing says.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
