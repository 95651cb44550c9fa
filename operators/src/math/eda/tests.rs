use super::*;
use crate::math::{
    golden,
    synthetic::{Model, Skin, SkinParameters},
};

const SKIN: EdaParameters =
    EdaParameters { cutoff_hz: 0.05, amplitude_min: 0.05, range: [0.05, 60.0], slope_max: 10.0 };

fn eda(rate_hz: f64) -> Eda {
    Eda::new(rate_hz, SKIN).expect("valid")
}

fn responses(eda: &mut Eda, samples: &[f32]) -> Vec<Response> {
    let mut found: Vec<Response> = samples.iter().filter_map(|x| eda.push(*x, true).1).collect();
    found.extend(std::iter::from_fn(|| eda.flush()));
    found
}

/// A level, and responses of these onsets (s) and heights, at 20 Hz: a straight rise of one second,
/// and a straight fall to the level in four.
fn straight(seconds: usize, level: f32, of: &[(f64, f64)]) -> Vec<f32> {
    let at = |n: usize| {
        let time_s = n as f64 / 20.0;
        let of = of.iter().map(|(onset_s, height)| {
            let since_s = time_s - onset_s;
            height * since_s.min(1.0 - (since_s - 1.0) / 4.0).max(0.0)
        });
        level + of.sum::<f64>() as f32
    };
    (0..20 * seconds).map(at).collect()
}

#[test]
fn the_split_is_that_of_scipy() {
    let cases = golden::cases(include_str!("../../../../tests/golden/physiology.json"));
    let mut compared = 0;
    for case in cases.filter(|case| golden::word(case, "case") == "split") {
        let number = |key| golden::numbers(case, key)[0];
        let parameters = EdaParameters { cutoff_hz: number("cutoff_hz"), ..SKIN };
        let mut eda = Eda::new(number("rate_hz"), parameters).expect("valid");
        let sample = |n: u64| 3.0 + ((7_919 * n + 13 * n * n) % 1_009) as f32 / 1_024.0;
        let parts: Vec<Parts> = (0..4_000).map(|n| eda.push(sample(n), true).0).collect();
        let at = golden::numbers(case, "at");
        for (n, want) in at.iter().zip(golden::numbers(case, "phasic")) {
            let got = parts[*n as usize];
            // A double pole within 1e-4 of 1 (0.05 Hz of 1 kHz: 2π · 0.05 / 1000 = 3e-4) makes of a
            // rounding of 3 · 1.1e-16 some 1 / (3e-4)² of it; both sides round differently.
            assert!((got.phasic - want).abs() < 1e-8, "{case}: {n}: {got:?} is not {want}");
            let sum = got.tonic + got.phasic;
            assert!((sum - f64::from(sample(*n as u64))).abs() < 1e-15 * 8.0, "they add up");
            compared += 1;
        }
    }
    assert_eq!(compared, 50);
}

#[test]
fn a_response_has_the_onset_height_and_times_of_its_shape() {
    let found = responses(&mut eda(20.0), &straight(60, 5.0, &[(20.0, 0.5), (40.0, 1.0)]));
    assert_eq!(found.len(), 2, "{found:?}");
    for (found, (onset_s, height)) in found.iter().zip([(20.0, 0.5), (40.0, 1.0)]) {
        // A mean over 0.25 s rounds the peak off by a quarter of what the steeper side loses in
        // 0.125 s: 1/32 of it at most; and moves where the slope is a tenth by half its width.
        assert!((found.onset as f64 / 20.0 - onset_s).abs() <= 0.25, "{found:?}");
        assert!((found.amplitude / height - 1.0).abs() < 0.06, "{found:?}");
        assert!((found.rise_s - 1.0).abs() <= 0.35, "{found:?}");
        // Half is lost two seconds after the peak.
        assert!((found.recovery_s.expect("seen") - 2.0).abs() <= 0.2, "{found:?}");
        assert!(found.is_valid);
    }
}

#[test]
fn what_rises_again_before_half_is_lost_has_no_recovery() {
    let found = responses(&mut eda(20.0), &straight(60, 5.0, &[(20.0, 0.5), (22.2, 0.8)]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].recovery_s, None);
    assert!(found[1].recovery_s.is_some());
}

#[test]
fn small_and_slow_rises_are_no_responses() {
    let small = straight(60, 5.0, &[(20.0, 0.04)]);
    assert_eq!(responses(&mut eda(20.0), &small), []);
    // Up by 1 µS in 50 s and down again.
    let slow: Vec<f32> =
        (0..2_000).map(|n| 5.0 + (1_000 - (n - 1_000_i32).abs()) as f32 * 1e-3).collect();
    let found = responses(&mut eda(20.0), &slow);
    // Its last ten seconds look like a rise, of 0.2 µS: but the onset is never more than 10 s away.
    assert!(found.iter().all(|found| found.rise_s <= 10.0 && found.amplitude < 0.21), "{found:?}");
}

#[test]
fn synthetic_skin_is_read() {
    let parameters = SkinParameters {
        level_microsiemens: 5.0,
        drift_microsiemens: 0.2,
        responses_per_min: 5.0,
        amplitude_microsiemens: 0.5,
        noise_microsiemens: 0.002,
        seed: 3,
    };
    let mut skin = Skin::new(parameters, 20.0);
    let mut samples = vec![0.0; 20 * 1_200];
    skin.fill(&mut samples);
    let truth: Vec<f64> =
        std::iter::from_fn(|| skin.pop()).map(|(ns, _)| ns as f64 / 1e9).collect();
    let found = responses(&mut eda(20.0), &samples);

    let near = |a: f64, of: &[f64]| of.iter().any(|b| (a - b).abs() < 0.5);
    let onsets: Vec<f64> = found.iter().map(|found| found.onset as f64 / 20.0).collect();
    let hit = truth.iter().filter(|truth| near(**truth, &onsets)).count();
    let invented = onsets.iter().filter(|onset| !near(**onset, &truth)).count();
    println!("{hit} of {} found, {invented} invented", truth.len());
    // Two seconds apart, a small one may not stand out on the slope of a large one before it.
    assert!(hit * 20 >= truth.len() * 19 && invented * 20 <= truth.len(), "{hit}, {invented}");
}

#[test]
fn what_changes_too_fast_is_invalid_for_five_seconds() {
    let mut samples = straight(60, 5.0, &[(20.0, 0.5), (40.0, 0.5)]);
    // A step of 5 µS, which a mean of 0.25 s spreads to 20 µS a second.
    samples[400 + 80..].iter_mut().for_each(|sample| *sample += 5.0);
    let mut eda = eda(20.0);
    let valid: Vec<bool> = samples.iter().map(|x| eda.push(*x, true).0.is_valid).collect();
    let invalid: Vec<usize> = (0..valid.len()).filter(|n| !valid[*n]).collect();
    assert!((480..486).contains(&invalid[0]), "{invalid:?}");
    let last = *invalid.last().expect("some");
    assert!((580..592).contains(&last), "{last}");
    assert_eq!(invalid.len(), last + 1 - invalid[0], "without a hole");
}

#[test]
fn nothing_is_told_before_the_earliest() {
    let samples = straight(120, 5.0, &[(20.0, 0.5), (23.0, 0.3), (60.0, 1.0), (90.0, 0.2)]);
    let mut eda = eda(20.0);
    let mut bound = 0;
    for sample in samples {
        let response = eda.push(sample, true).1;
        assert!(response.is_none_or(|response| response.onset >= bound), "{response:?} {bound}");
        bound = bound.max(eda.earliest());
    }
    assert!(bound > 20 * 109, "{bound}");
}
