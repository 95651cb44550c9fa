use super::*;
use crate::math::{
    ecgsyn::EcgParameters,
    golden,
    synthetic::{Model, Ppg, PpgParameters},
};

fn ppg(rate_hz: f64, heart_rate_bpm: f64, noise_share: f64) -> (Vec<f32>, Vec<f64>) {
    let heart = EcgParameters { heart_rate_bpm, hrv_sdnn_ms: 20.0, ..EcgParameters::default() };
    let parameters = PpgParameters {
        heart,
        perfusion_pct: 2.0,
        spo2_pct: 97.0,
        wander_share: 0.3,
        motion_share: 0.0,
        noise_share,
    };
    let mut ppg = Ppg::new(parameters, rate_hz);
    let len = (60.0 * rate_hz) as usize;
    let mut samples = vec![0.0; 2 * len];
    ppg.fill(&mut samples);
    samples.truncate(len);
    let truth = std::iter::from_fn(|| ppg.pop());
    (samples, truth.map(|(ns, _)| ns as f64 / 1e9).collect())
}

fn beats(pulse: &mut Pulse, samples: &[f32]) -> Vec<Beat> {
    let mut beats: Vec<Beat> = samples.iter().filter_map(|x| pulse.push(*x)).collect();
    beats.extend(std::iter::from_fn(|| pulse.flush()));
    beats
}

#[test]
fn every_pulse_is_found_where_it_is() {
    for (rate_hz, per_minute) in
        [(25.0, 70.0), (64.0, 40.0), (64.0, 70.0), (100.0, 120.0), (100.0, 180.0), (1_000.0, 75.0)]
    {
        let (samples, truth) = ppg(rate_hz, per_minute, 0.0);
        let found = beats(&mut Pulse::new(rate_hz, 0.8), &samples);
        let times: Vec<f64> =
            found.iter().map(|b| (b.sample as f64 + b.offset_samples) / rate_hz).collect();
        // The first may lie where no wave is seen whole, and so may the last.
        let missed = truth.iter().filter(|t| !times.iter().any(|s| (*t - s).abs() < 0.1)).count();
        println!(
            "{per_minute} at {rate_hz} Hz: {missed} of {} missed, {}",
            truth.len(),
            found.len()
        );
        assert!(missed <= 2 + truth.len() / 50, "{per_minute} at {rate_hz} Hz");
        for time in &times {
            let off = truth.iter().map(|truth| (truth - time).abs()).fold(1.0, f64::min);
            // A parabola errs by a sixth of a sample on a curved top; averages of 40 ms move the
            // top of two unequal sides, and breathing of 0.3 the height shifts it: 0.3 · 2π · 0.25
            // Hz · σ² = 5 ms.
            assert!(
                off < 0.006 + 0.17 / rate_hz,
                "{off} s at {time} s, {per_minute} at {rate_hz} Hz"
            );
        }
        let good = found.iter().filter(|beat| beat.is_beat).count();
        assert!(good + 3 + found.len() / 50 >= found.len(), "{good} of {}", found.len());
    }
}

#[test]
fn what_has_not_the_form_of_those_before_is_no_beat() {
    let (mut samples, _) = ppg(100.0, 60.0, 0.02);
    // Five seconds of a hand that waves.
    for (n, sample) in samples[3_000..3_500].iter_mut().enumerate() {
        *sample += 0.1 * (n as f32 * 0.19).sin() * (n as f32 * 0.031).cos();
    }
    let found = beats(&mut Pulse::new(100.0, 0.8), &samples);
    let of = |from: u64, to: u64| {
        let there = found.iter().filter(move |beat| (from..to).contains(&beat.sample));
        let good = there.clone().filter(|beat| beat.is_beat).count();
        (good, there.count())
    };
    let (good, all) = of(600, 2_900);
    assert!(all >= 20 && good == all, "{good} of {all}");
    let (good, all) = of(3_050, 3_450);
    assert!(good <= all / 2, "{good} of {all} in motion");
    let (good, all) = of(4_000, 5_900);
    assert!(all >= 17 && good == all, "{good} of {all}");
}

#[test]
fn intervals_are_between_beats_alone() {
    let (samples, _) = ppg(100.0, 60.0, 0.0);
    let found = beats(&mut Pulse::new(100.0, 0.8), &samples);
    for pair in found.windows(2) {
        let samples = (pair[1].sample - pair[0].sample) as f64 + pair[1].offset_samples
            - pair[0].offset_samples;
        let both = pair[0].is_beat && pair[1].is_beat;
        assert_eq!(pair[1].interval_samples, both.then_some(samples));
    }
}

#[test]
fn nothing_is_told_before_the_earliest_or_too_late() {
    for per_minute in [40.0, 90.0, 180.0] {
        let (samples, _) = ppg(100.0, per_minute, 0.1);
        let mut pulse = Pulse::new(100.0, 0.8);
        let mut bound = 0;
        for (n, sample) in samples.iter().enumerate() {
            let beat = pulse.push(*sample);
            assert!(beat.is_none_or(|beat| beat.sample >= bound), "{beat:?} {bound}");
            assert!(beat.is_none_or(|beat| n as f64 - beat.sample as f64 <= LOOK_BACK_S * 100.0));
            bound = bound.max(pulse.earliest());
        }
        assert!(bound > 5_900, "{bound}");
    }
}

#[test]
fn skewness_is_that_of_scipy() {
    let cases = golden::cases(include_str!("../../../../tests/golden/physiology.json"));
    let mut compared = 0;
    for case in cases.filter(|case| golden::word(case, "case") == "skewness") {
        let number = |key| golden::numbers(case, key)[0];
        let mut window = Steps::new(7, 200);
        for n in 0..number("count") as u64 {
            let part = ((7_919 * n + 13 * n * n) % 1_009) as f64 / 1_024.0;
            window.push(Skewness::of(part.powi(3)));
        }
        // Sums of 300 numbers below 1, of which cubes cancel to a tenth.
        let got = window.all().skewness();
        assert!((got - number("skewness")).abs() < 1e-12, "{case}: {got}");
        compared += 1;
    }
    assert_eq!(compared, 2);
}
