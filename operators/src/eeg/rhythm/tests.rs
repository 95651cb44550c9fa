use std::f64::consts::TAU;

use engine::testing::{Bench, Seen};

use super::*;
use crate::math::{cfir, random::Random};

const RATE_HZ: f64 = 250.0;

fn port(seen: &[Seen], port: usize) -> Vec<f64> {
    let frames = seen.iter().filter(|seen| seen.port == port);
    frames.flat_map(|seen| seen.frame.samples().iter().map(|&x| f64::from(x))).collect()
}

#[test]
fn a_sinusoid_has_its_amplitude_and_its_ratio() {
    let mut rhythm = Bench::build(&KIND, RATE_HZ, "").expect("valid");
    // In the geometric middles of both bands.
    let wave = |hz: f64, n: usize| (TAU * hz * n as f64 / RATE_HZ).sin();
    let samples: Vec<f32> = (0..2_500)
        .map(|n| (10.0 * wave(104f64.sqrt(), n) + 10.0 * wave(32f64.sqrt(), n) + 4_000.0) as f32)
        .collect();
    rhythm.feed(&samples);
    let seen = rhythm.take();

    // Each filter lets a sixth of the other rhythm through, which beats with its own: the mean of
    // |1 + exp(iφ) / 6| is 1 + 1 / 144, that of the ratio of two such no more than 1 + 6 / 36.
    let mean = |values: &[f64]| values[500..].iter().sum::<f64>() / (values.len() - 500) as f64;
    let (amplitude, ratio) = (mean(&port(&seen, 0)), mean(&port(&seen, 1)));
    assert!((amplitude - 10.0).abs() < 0.3, "{amplitude}");
    assert!((0.98..1.0 + 6.0 / 36.0).contains(&ratio), "{ratio}");
    assert_eq!(rhythm.delay_ns(), 90_000_000);
    assert_eq!(seen[0].time().nanos(), -90_000_000);
}

#[test]
fn it_is_the_formula_with_the_first_sample_as_what_was_before() {
    let mut random = Random::new(5);
    let samples: Vec<f32> = (0..400).map(|_| (10.0 * random.normals().0 + 300.0) as f32).collect();
    let mut rhythm = Bench::build(&KIND, RATE_HZ, "").expect("valid");
    let got = rhythm.feed(&samples);

    let taps = cfir::design(&CfirParameters {
        rate_hz: RATE_HZ,
        low_hz: 8.0,
        high_hz: 13.0,
        lag_s: 0.09,
        taps: 250,
        slope: 1.0,
        alpha: 5.0,
    });
    let taps = taps.expect("possible").taps;
    for (n, got) in got.into_iter().enumerate() {
        let past = |k: usize| f64::from(samples[n.saturating_sub(k)]);
        let part = |part: usize| -> f64 {
            taps.iter().enumerate().map(|(k, tap)| tap[part] * past(k)).sum()
        };
        // 250 products of at most 340 · 0.06 in f32: some ten roundings of partial sums below 64.
        let want = part(0).hypot(part(1));
        assert!((f64::from(got) - want).abs() < 1e-3, "n = {n}: {got} is not {want}");
    }
}

#[test]
fn a_missing_sample_is_missed_as_long_as_the_filter_is() {
    let mut samples = vec![0.0; 500];
    samples[200] = f32::NAN;
    let mut rhythm = Bench::build(&KIND, RATE_HZ, "").expect("valid");
    let output = rhythm.feed(&samples);
    let lost: Vec<usize> = (0..500).filter(|&n| output[n].is_nan()).collect();
    assert_eq!(lost, (200..450).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_is_explained() {
    for (params, told) in [
        ("band = \"alhpa\"", "`band`: \"alhpa\" is no band"),
        ("band = \"alpha beta\"", "names more than one band"),
        ("over = \"high=100-130\"", "`over`: high, 100 to 130 Hz, is not between 0 and 125 Hz"),
        ("lag_ms = 5.0", "`lag_ms`: for alpha such a filter is"),
        ("lag_ms = 20.0", "choose 72 to 499, which suits both bands"),
        ("lag_ms = 60.0", "choose 72 to 499, which suits both bands"),
        ("window_s = 9.0", "`window_s`: 2250 taps are outside 8 to 2048"),
    ] {
        let problem = Bench::build(&KIND, RATE_HZ, params).err().expect("refused").to_string();
        assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
    }
    let quick = Bench::build(&KIND, RATE_HZ, "lag_ms = 73.0").expect("valid");
    assert!(quick.warnings().iter().any(|told| told.contains("theta")), "{:?}", quick.warnings());
}
