//! What the tests of this group share: the signal of `tests/golden/spectra.py` and its results.

use engine::{Format, Kind, testing::Bench};

use crate::math::golden;

/// The script's signal, from the same whole numbers.
pub(super) fn sound(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |n: usize| {
        state = (75 * state + 74) % 65_537;
        state as f32 / 32_768.0 - 1.0 + (7 * n % 32) as f32 / 16.0 - 1.0
    };
    (0..count).map(next).collect()
}

/// What the script says of a kind, where `key` is `word`.
pub(super) fn golden(kind: &str, key: &str, word: &str) -> Vec<f64> {
    let text = include_str!("../../../tests/golden/spectra.json");
    let is_it = |case: &&str| golden::word(case, "kind") == kind && golden::word(case, key) == word;
    golden::numbers(golden::cases(text).find(is_it).expect("the script says it"), "values")
}

/// What a kind says of a signal before it ends, value after value.
pub(super) fn said(kind: &'static Kind, rate_hz: f64, params: &str, samples: &[f32]) -> Vec<f64> {
    let inputs = [(kind.inputs[0].name, Bench::channels(1, rate_hz))];
    let mut bench = Bench::with(kind, &inputs, params).expect("valid");
    bench.feed(samples);
    values(&mut bench)
}

/// Everything that came out, value after value.
pub(super) fn values(bench: &mut Bench) -> Vec<f64> {
    let seen = bench.take();
    let samples = seen.iter().flat_map(|seen| seen.frame.samples());
    samples.map(|&sample| f64::from(sample)).collect()
}

/// The names of an output's channels.
pub(super) fn names(format: &Format) -> Vec<&str> {
    let signal = format.as_signal().expect("a signal");
    signal.channels.iter().map(|channel| channel.name.as_str()).collect()
}

/// Checks that values agree, each to `relative` of itself or `absolute`.
pub(super) fn assert_near(got: &[f64], want: &[f64], relative: f64, absolute: f64) {
    assert_eq!(got.len(), want.len());
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= relative * want.abs() + absolute, "{n}: {got} is not {want}");
    }
}

/// Values are rounded to 24 bits; the script's have twelve digits and its sums other orders.
pub(super) const ROUNDED: f64 = 1.0 / (1 << 24) as f64 + 1e-10;
