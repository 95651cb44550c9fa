use engine::testing::{Bench, Seen};

use super::*;
use crate::math::{
    ecgsyn::{Ecg, EcgParameters},
    random::Random,
};

const RATE_HZ: f64 = 250.0;

fn heart(seconds: f64, noise_mv: f64) -> Vec<f32> {
    let parameters = EcgParameters { seed: 3, noise_mv, ..EcgParameters::REST };
    let mut ecg = Ecg::new(parameters, RATE_HZ).expect("valid");
    let mut samples = vec![0.0; (seconds * RATE_HZ) as usize];
    ecg.fill(&mut samples);
    samples
}

fn judged(ecg: &[f32], params: &str) -> Vec<Seen> {
    let mut bench = Bench::build(&KIND, RATE_HZ, params).unwrap_or_else(|why| panic!("{why}"));
    for part in ecg.chunks(1_000) {
        bench.push_samples(0, part);
        bench.run();
    }
    bench.take()
}

/// Mean quality told from a moment on.
fn quality_from(ecg: &[f32], from_s: f64) -> f64 {
    let seen = judged(ecg, "");
    let told = seen.iter().filter(|seen| seen.port == 0 && seen.time().secs_f64() >= from_s);
    let told: Vec<f64> = told.filter_map(|seen| seen.number("quality")).collect();
    told.iter().sum::<f64>() / told.len() as f64
}

#[test]
fn a_clean_heart_is_believed_and_noise_is_not() {
    let clean = quality_from(&heart(60.0, 0.01), 5.0);
    assert!(clean > 0.95, "{clean}");
    let mut random = Random::new(7);
    let noise: Vec<f32> = (0..15_000).map(|_| random.normals().0 as f32).collect();
    let none = quality_from(&noise, 5.0);
    assert!(none < 0.05, "{none}");
}

#[test]
fn what_is_missing_flat_or_clipped_lowers_it() {
    let ecg = heart(30.0, 0.01);
    let at = |n: usize| n as f64 / RATE_HZ;
    let changed = |change: fn(f64, f32) -> f32| -> Vec<f32> {
        ecg.iter().enumerate().map(|(n, x)| change(at(n), *x)).collect()
    };
    let share = |ecg: &[f32], params: &str, field: &str| {
        let seen = judged(ecg, params);
        let last = seen.iter().rfind(|seen| seen.port == 0).expect("told");
        last.number(field).expect("always there")
    };
    // Of the last 2 s the last one.
    let holes = changed(|t, x| if t >= 29.0 { f32::NAN } else { x });
    assert_eq!(share(&holes, "", "missing_share"), 0.5);
    let flat = changed(|t, x| if t >= 29.0 { 0.5 } else { x });
    assert_eq!(share(&flat, "", "flat_share"), (250.0 - 49.0) / 500.0);
    let clipped = changed(|t, x| if t >= 29.0 { 7.0 } else { x });
    assert_eq!(share(&clipped, "rail_high = 6.0", "clipped_share"), 0.5);
    for ecg in [holes, flat, clipped] {
        assert!(share(&ecg, "", "quality") < 0.65);
    }
}

#[test]
fn a_lead_that_falls_off_is_told_when_it_did() {
    let mut ecg = heart(30.0, 0.01);
    ecg[2_500..3_750].fill(0.25);
    ecg[5_000..6_000].fill(f32::NAN);
    let mut bench = Bench::build(&KIND, RATE_HZ, "").unwrap_or_else(|why| panic!("{why}"));
    bench.feed(&ecg);
    let seen = bench.take();
    let told: Vec<(f64, String)> = seen
        .iter()
        .filter(|seen| seen.port == 2)
        .map(|seen| (seen.time().secs_f64(), seen.text("reason").expect("always").to_owned()))
        .collect();
    let want =
        [(0.0, "moves"), (10.0, "flat"), (15.0, "moves"), (20.0, "missing"), (24.0, "moves")];
    assert_eq!(told, want.map(|(at_s, reason)| (at_s, reason.to_owned())));
    assert_eq!(bench.remark().expect("one"), "the lead was off for 9.0 s");
}
