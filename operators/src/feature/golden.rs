//! Compares kinds with `tests/golden/features.json`, which the script beside it writes.

use engine::{Kind, testing::Bench};

use crate::math::golden::{cases, numbers, word};

/// The signal of the script: whole numbers over 64, which f32 holds exactly.
pub(crate) fn signal(len: usize) -> Vec<f32> {
    let value = |n: usize| ((n * 7_919 + n * n * 13) % 1_009) as f32 - 400.0;
    (0..len).map(|n| value(n) / 64.0).collect()
}

/// Every case called `name`: off by at most `tolerance` times the largest value of the case.
pub(crate) fn check(kind: &'static Kind, name: &str, tolerance: f64) {
    let text = include_str!("../../../tests/golden/features.json");
    let mut checked = 0;
    for case in cases(text).filter(|case| word(case, "name") == name) {
        let params = word(case, "params").replace("; ", "\n").replace('\'', "\"");
        let port = numbers(case, "port")[0] as usize;
        let want = numbers(case, "want");
        let mut bench = Bench::build(kind, 1_000.0, &params).expect("valid");
        bench.feed(&signal(200));
        let seen = bench.take();
        let frames = seen.iter().filter(|seen| seen.port == port);
        let got: Vec<f32> = frames.flat_map(|seen| seen.frame.samples().to_vec()).collect();
        let scale = want.iter().fold(0.0f64, |most, want| most.max(want.abs()));
        for (n, want) in numbers(case, "at").into_iter().zip(&want) {
            let got = f64::from(got[n as usize]);
            let place = format!("{name} {params:?} port {port} at {n}");
            assert!((got - want).abs() <= tolerance * scale, "{place}: {got} is not {want}");
        }
        checked += 1;
    }
    assert!(checked > 0, "the script writes cases of {name}");
}
