use super::*;
use crate::math::{
    golden,
    synthetic::{Contraction, Model, Muscle, MuscleParameters},
};

const MUSCLE: EmgParameters =
    EmgParameters { low_hz: 20.0, envelope_hz: 8.0, deviations: 5.0, work_s: 0.05, rest_s: 0.1 };

#[test]
fn the_envelope_is_that_of_scipy() {
    let cases = golden::cases(include_str!("../../../../tests/golden/physiology.json"));
    let mut compared = 0;
    for case in cases.filter(|case| golden::word(case, "case") == "envelope") {
        let number = |key| golden::numbers(case, key)[0];
        let (low_hz, envelope_hz) = (number("low_hz"), number("envelope_hz"));
        let parameters = EmgParameters { low_hz, envelope_hz, ..MUSCLE };
        let mut emg = Emg::new(number("rate_hz"), parameters).expect("valid");
        let sample = |n: u64| 2_048.0 + ((7_919 * n + 13 * n * n) % 1_009) as f32 - 504.0;
        let envelope: Vec<f64> = (0..4_000).map(|n| emg.push(sample(n)).0).collect();
        for (n, want) in golden::numbers(case, "at").iter().zip(golden::numbers(case, "envelope")) {
            let got = envelope[*n as usize];
            // Roundings of 2 000 · 1.1e-16, times the gain of four poles within 0.1 of 1: 1e4.
            assert!((got - want).abs() < 1e-8, "{case}: {n}: {got} is not {want}");
            compared += 1;
        }
    }
    assert_eq!(compared, 30);
}

/// Seconds at which work begins (true) or ends.
type Changes = Vec<(f64, bool)>;

fn work(amplitude_mv: f64, seed: u64) -> (Changes, Changes) {
    let parameters =
        MuscleParameters { amplitude_mv, noise_mv: 0.01, work_s: 1.0, rest_s: 2.0, seed };
    let mut muscle = Muscle::new(parameters, 1_000.0);
    let mut samples = vec![0.0; 120_000];
    muscle.fill(&mut samples);
    let truth = std::iter::from_fn(|| muscle.pop());
    let truth = truth.map(|(ns, what)| (ns as f64 / 1e9, what == Contraction::Onset)).collect();
    let mut emg = Emg::new(1_000.0, MUSCLE).expect("valid");
    let mut changes: Vec<Change> = samples.iter().filter_map(|x| emg.push(*x).1).collect();
    changes.extend(std::iter::from_fn(|| emg.flush()));
    let at = |change: &Change| change.sample as f64 / 1e3 - emg.delay_s();
    (truth, changes.iter().map(|change| (at(change), change.ended.is_none())).collect())
}

#[test]
fn work_begins_and_ends_where_it_does() {
    for (amplitude_mv, seed) in [(0.5, 1), (0.1, 2), (0.05, 3), (0.03, 4)] {
        let (truth, found) = work(amplitude_mv, seed);
        // Rest is known after a fifth of a second and one more.
        let truth: Vec<_> = truth.into_iter().filter(|(at, _)| *at > 1.3).collect();
        let missed = truth.iter().filter(|(at, is_onset)| {
            !found.iter().any(|(found, onset)| onset == is_onset && (found - at).abs() < 0.1)
        });
        let missed = missed.count();
        println!("{amplitude_mv} mV: {missed} of {} missed, {} found", truth.len(), found.len());
        // 100 ms are the ramp of 50, of which half lies before its middle, and what a low-pass of
        // 8 Hz takes from a fiftieth of the height to the threshold. Noise may split one or two.
        assert!(missed <= 1 && found.len() <= truth.len() + 4, "{amplitude_mv} mV");
    }
}

#[test]
fn rest_has_no_work_in_it() {
    let (_, found) = work(0.0, 5);
    // The threshold lies five deviations above the quietest second: in two minutes of noise a few
    // of 120 s · 8 Hz chances lie above it for 50 ms.
    assert!(found.len() <= 4, "{found:?}");
}

#[test]
fn work_that_lasts_becomes_rest() {
    let mut emg = Emg::new(1_000.0, MUSCLE).expect("valid");
    let noise = |n: u64| ((7_919 * n + 13 * n * n) % 1_009) as f32 - 504.0;
    let mut changes = Vec::new();
    for n in 0..60_000 {
        let gain = if n < 5_000 { 0.01 } else { 1.0 };
        changes.extend(emg.push(gain * noise(n)).1);
    }
    assert_eq!(changes[0].ended, None);
    assert!(changes[0].sample.abs_diff(5_000) < 50, "{changes:?}");
    let ended = changes[1].ended.expect("it ended");
    // The last quiet second leaves the 16 some 15 to 16 s after work began.
    assert!((15.0..=17.0).contains(&ended.duration_s), "{changes:?}");
}

#[test]
fn a_flat_line_is_no_rest() {
    let mut emg = Emg::new(1_000.0, MUSCLE).expect("valid");
    (0..20_000).for_each(|_| assert_eq!(emg.push(0.0).1, None));
    assert_eq!(emg.threshold(), None);
}
