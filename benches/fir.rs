//! P2: samples per second through six filters of 64 taps.

mod support;

use support::throughput::Throughput;

const FILTERS: i32 = 6;

fn main() {
    let chain = Throughput {
        name: "fir",
        measurement: "fir6x64",
        node: format!("op = \"fir\"\ncoefficients = {:?}", taps()),
        count: FILTERS as usize,
        samples: 50_000_000,
        check,
    };
    chain.measure();
}

/// The rivals' taps.
fn taps() -> Vec<f32> {
    (0..64).map(|n| 1.0 / (1 + n) as f32).collect()
}

/// Ones in, the sixth power of the sum of the taps out.
fn check(last: f32) {
    let sum: f64 = taps().iter().map(|&tap| f64::from(tap)).sum();
    let want = sum.powi(FILTERS);
    // Six sums of 64 products in f32: 6 · 64 roundings of 6e-8 each at most.
    assert!((f64::from(last) / want - 1.0).abs() < 3e-5, "{last} is not {want}");
}
