use std::f64::consts::{PI, TAU};

use super::wave::EVENTS;
use super::*;

fn ecg(parameters: EcgParameters, rate_hz: f64) -> Ecg {
    Ecg::new(parameters, rate_hz).expect("valid")
}

fn everything() -> EcgParameters {
    EcgParameters {
        ectopic_per_min: 8.0,
        supraventricular_per_min: 4.0,
        irregular_share: 0.05,
        variety_share: 1.0,
        wander_mv: 0.3,
        mains_mv: 0.1,
        noise_mv: 0.05,
        electrode_mv: 0.2,
        muscle_mv: 0.1,
        jumps_per_min: 12.0,
        jump_mv: 0.3,
        seed: 11,
        ..EcgParameters::default()
    }
}

fn take(ecg: &mut Ecg, count: usize) -> (Vec<f32>, Vec<EcgBeat>) {
    let mut out = vec![0.0; count];
    ecg.fill(&mut out);
    (out, std::iter::from_fn(|| ecg.pop_beat()).collect())
}

/// The three equations of the module's documentation, by the method of Runge and Kutta.
struct Equations {
    omega: f64,
    restoring: f64,
    /// From the model's a to millivolts.
    scale: f64,
}

impl Equations {
    fn slope(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let alpha = 1.0 - x.hypot(y);
        let theta = y.atan2(x);
        let pull: f64 = EVENTS
            .iter()
            .map(|&(degrees, a, b)| {
                let delta = (theta - degrees.to_radians() + PI).rem_euclid(TAU) - PI;
                -a * delta * (-delta * delta / (2.0 * b * b)).exp()
            })
            .sum();
        let z_slope = self.scale * pull - self.restoring * z;
        [alpha * x - self.omega * y, alpha * y + self.omega * x, z_slope]
    }

    fn step(&self, at: [f64; 3], h: f64) -> [f64; 3] {
        let ahead = |slope: [f64; 3], h: f64| [0, 1, 2].map(|i| at[i] + h * slope[i]);
        let k1 = self.slope(at);
        let k2 = self.slope(ahead(k1, h / 2.0));
        let k3 = self.slope(ahead(k2, h / 2.0));
        let k4 = self.slope(ahead(k3, h));
        [0, 1, 2].map(|i| at[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
    }
}

/// Ten regular beats a second apart: rate, signal, and the time of the first R wave's middle.
fn regular() -> (f64, Vec<f32>, f64) {
    let steady =
        EcgParameters { heart_rate_bpm: 60.0, hrv_sdnn_ms: 0.0, ..EcgParameters::default() };
    let rate_hz = 2_000.0;
    let mut ecg = ecg(steady, rate_hz);
    let middle_s = ecg.beats[0].time_ns as f64 * 1e-9;
    (rate_hz, take(&mut ecg, 20_000).0, middle_s)
}

#[test]
fn the_closed_form_is_the_solution_of_the_three_equations() {
    let (rate_hz, signal, middle_s) = regular();
    // Height of R in the model is a b² / ω.
    let (_, a, b) = EVENTS[2];
    let equations =
        Equations { omega: TAU, restoring: 0.0, scale: TAU / (a * b * b) / wave::normal_peak() };
    // Where the second beat is half an interval away, from z = 0; the tail of T is 3.5 widths off.
    let from = ((middle_s + 1.5) * rate_hz).round() as usize;
    let theta = TAU * (from as f64 / rate_hz - middle_s);
    let mut at = [theta.cos(), theta.sin(), f64::from(signal[from])];
    for (n, &sample) in signal.iter().enumerate().skip(from).take(12_000) {
        // RK4 with a step of h/σ = 0.5/16 of the narrowest wave: some 3 (h/σ)⁴/120 = 2e-8 per wave
        // and beat; f32 resolves 6e-8 and the waves are cut at 1.5e-8. Wrapping Δθ at half a turn
        // cuts T's pull at e^-(80°/b)²/2, seven widths on: nothing. A tenth of a microvolt is 1e-4.
        assert!((f64::from(sample) - at[2]).abs() < 1e-6, "sample {n}: {sample} is not {}", at[2]);
        at = equations.step(at, 1.0 / rate_hz);
    }
}

#[test]
fn the_restoring_term_that_is_left_out_is_a_high_pass_of_one_second() {
    let (rate_hz, signal, middle_s) = regular();
    let (_, a, b) = EVENTS[2];
    let equations =
        Equations { omega: TAU, restoring: 1.0, scale: TAU / (a * b * b) / wave::normal_peak() };
    let from = ((middle_s + 0.5) * rate_hz).round() as usize;
    let theta = TAU * (from as f64 / rate_hz - middle_s);
    let mut at = [theta.cos(), theta.sin(), f64::from(signal[from])];
    let mut mean = 0.0;
    let kept = (-1.0 / rate_hz).exp();
    for pair in signal[from..].windows(2) {
        // z = G − w with w' = G − w: exact but for the trapezoid, whose error is h²/12 · G' ≤
        // 2.5e-7/12 · 40 = 8e-7 while a wave passes, and nothing behind it.
        assert!((f64::from(pair[0]) - mean - at[2]).abs() < 2e-6);
        at = equations.step(at, 1.0 / rate_hz);
        mean = kept * mean + 0.5 / rate_hz * (kept * f64::from(pair[0]) + f64::from(pair[1]));
    }
}

#[test]
fn blocks_of_any_size_give_the_same_samples_and_beats() {
    let (whole, beats) = take(&mut ecg(everything(), 250.0), 30_000);
    for size in [1, 7, 256, 1_000] {
        let mut ecg = ecg(everything(), 250.0);
        let (mut samples, mut told) = (Vec::new(), Vec::new());
        while samples.len() < whole.len() {
            let (block, beats) = take(&mut ecg, size.min(whole.len() - samples.len()));
            let end_ns = (samples.len() + block.len()) as i64 * 4_000_000;
            let start_ns = samples.len() as i64 * 4_000_000;
            assert!(beats.iter().all(|beat| (start_ns..end_ns).contains(&beat.time_ns)));
            samples.extend(block);
            told.extend(beats);
        }
        assert_eq!(samples, whole, "blocks of {size}");
        assert_eq!(told, beats);
    }
}

#[test]
fn the_truth_is_where_the_clean_signal_is_highest() {
    let clean = EcgParameters { ectopic_per_min: 10.0, ..EcgParameters::default() };
    for (rate_hz, seed) in [(10_000.0, 1), (1_000.0, 2), (250.0, 3)] {
        let (signal, beats) = take(&mut ecg(EcgParameters { seed, ..clean }, rate_hz), 600_000);
        for beat in &beats {
            let near = (beat.time_ns as f64 * 1e-9 * rate_hz).round() as usize;
            let reach = (0.05 * rate_hz) as usize;
            if near < reach || near + reach > signal.len() {
                continue;
            }
            let value = |n: &usize| signal[*n];
            let top = (near - reach..near + reach)
                .max_by(|a, b| value(a).total_cmp(&value(b)))
                .expect("samples");
            // The highest sample is the one nearest to the peak, or the other neighbour where both
            // are equally near; f32 then may not tell samples apart over √(2 · 6e-8) of a width.
            let distance_s = (top as f64 / rate_hz - beat.time_ns as f64 * 1e-9).abs();
            assert!(distance_s < 0.5 / rate_hz + 4e-4 * 0.032, "{beat:?}: {distance_s} s");
        }
        assert!(beats.iter().any(|beat| beat.class == BeatClass::Ventricular));
        let seconds = signal.len() as f64 / rate_hz;
        assert!((beats.len() as f64 - seconds * 70.0 / 60.0).abs() < 0.05 * seconds + 2.0);
    }
}

#[test]
fn a_beat_is_the_same_at_every_rate() {
    let (slow, beats) = take(&mut ecg(everything(), 100.0), 6_000);
    let (fast, again) = take(&mut ecg(EcgParameters { ..everything() }, 10_000.0), 600_000);
    // White noise belongs to the sample; all else to the instant.
    let silent = EcgParameters { noise_mv: 0.0, muscle_mv: 0.0, ..everything() };
    let (slow_silent, _) = take(&mut ecg(EcgParameters { mains_hz: 40.0, ..silent }, 100.0), 6_000);
    let (fast_silent, _) =
        take(&mut ecg(EcgParameters { mains_hz: 40.0, ..silent }, 10_000.0), 600_000);

    assert_eq!(beats, again[..beats.len()]);
    assert!(slow.len() * 100 == fast.len());
    for (n, sample) in slow_silent.iter().enumerate() {
        // Waves are cut at 1.5e-8 of 1.3 mV at a sample of each rate; f32 resolves 1.2e-7 below 2.
        assert!((sample - fast_silent[n * 100]).abs() < 4e-7, "sample {n}");
    }
}

#[test]
fn intervals_are_those_between_the_peaks() {
    let (_, beats) = take(&mut ecg(everything(), 250.0), 100_000);
    assert_eq!(beats[0].rr_ns, None);
    for pair in beats.windows(2) {
        assert_eq!(pair[1].rr_ns, Some(pair[1].time_ns - pair[0].time_ns));
    }
}

#[test]
fn a_normal_r_peak_is_as_high_as_asked() {
    let tall = EcgParameters { amplitude_mv: 2.5, ..EcgParameters::default() };
    let (signal, beats) = take(&mut ecg(tall, 1_000.0), 60_000);
    for beat in beats {
        let value = signal[(beat.time_ns as f64 * 1e-6).round() as usize];
        // Half a sample beside the peak: (0.5/16)²/2 = 5e-4; the tails of T and P: 1e-3.
        assert!((value / 2.5 - 1.0).abs() < 2e-3, "{value}");
    }
}

/// The heart of a seed, as far from the textbook's as hearts are, without anything in its way.
fn stranger(seed: u64) -> EcgParameters {
    EcgParameters { variety_share: 1.0, seed, ..EcgParameters::default() }
}

#[test]
fn the_truth_about_strangers_is_where_their_main_wave_turns() {
    let rate_hz = 2_000.0;
    let (mut downwards, mut beats_of_all) = (0, 0);
    for seed in 0..40 {
        let parameters =
            EcgParameters { ectopic_per_min: 6.0, supraventricular_per_min: 6.0, ..stranger(seed) };
        let (signal, beats) = take(&mut ecg(parameters, rate_hz), 60_000);
        for beat in &beats {
            let near = (beat.time_ns as f64 * 1e-9 * rate_hz).round() as usize;
            // Half the width of the narrowest main wave there is, 4 ms.
            let Some(around) = signal.get(near.saturating_sub(8)..near + 9) else { continue };
            let here = signal[near];
            let most = around.iter().copied().fold(f32::MIN, f32::max);
            let least = around.iter().copied().fold(f32::MAX, f32::min);
            // A sample is at most half of one beside the turn: (0.25 ms / 8.7 ms)² / 2 = 4e-4 of a wave
            // that is at most 2.2 · 1.4 mV high, and its neighbours may pull the turn of a notched one.
            let slack = 2e-3 * here.abs();
            assert!(here >= most - slack || here <= least + slack, "seed {seed}: {beat:?}");
            downwards += u32::from(here < 0.0);
            beats_of_all += 1;
        }
    }
    // Three in ten leads see the main wave downwards; a binomial of 40 hearts is within 0.09 to 0.52.
    let share = f64::from(downwards) / f64::from(beats_of_all);
    assert!((0.09..0.52).contains(&share), "{share}");
}

#[test]
fn every_seed_is_a_heart_of_its_own_and_stays_one() {
    let beat_of = |parameters: EcgParameters| {
        let still = EcgParameters { hrv_sdnn_ms: 0.0, ..parameters };
        let (signal, beats) = take(&mut ecg(still, 1_000.0), 10_000);
        let at = (beats[4].time_ns as f64 * 1e-6).round() as usize;
        signal[at - 250..at + 400].to_vec()
    };
    let off = |a: &[f32], b: &[f32]| {
        let square: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        (square / a.iter().map(|a| a * a).sum::<f32>()).sqrt()
    };
    let hearts: Vec<_> = (0..20).map(|seed| beat_of(stranger(seed))).collect();
    let mut nearest = f32::MAX;
    for (n, heart) in hearts.iter().enumerate() {
        assert_eq!(*heart, beat_of(stranger(n as u64)));
        nearest = hearts[..n].iter().map(|other| off(heart, other)).fold(nearest, f32::min);
    }
    // Beats of one heart are within 0.1 of each other's height; the nearest two of twenty hearts are not.
    assert!(nearest > 0.1, "{nearest}");
    // The nearer to the textbook, the nearer to each other.
    let mild = |seed| beat_of(EcgParameters { variety_share: 0.05, ..stranger(seed) });
    assert!(off(&mild(1), &mild(2)) < 0.5 * off(&hearts[1], &hearts[2]));
}

#[test]
fn beats_of_the_atria_come_as_often_as_asked_and_reset_the_rhythm() {
    let parameters = EcgParameters {
        supraventricular_per_min: 6.0,
        ectopic_per_min: 3.0,
        hrv_sdnn_ms: 0.0,
        heart_rate_bpm: 60.0,
        ..EcgParameters::default()
    };
    let (_, beats) = take(&mut ecg(parameters, 100.0), 6_000_000);
    let count = |class| beats.iter().filter(|beat| beat.class == class).count() as f64;
    // 60 000 s: 6 000 and 3 000 of some 58 000 beats, less for the pauses that are none. Binomial
    // standard errors are below 76 and 54: four of each, and 3 % for the resets.
    let (atrial, ventricular) = (count(BeatClass::Supraventricular), count(BeatClass::Ventricular));
    assert!((atrial - 6_000.0).abs() < 304.0 + 180.0, "{atrial}");
    assert!((ventricular - 3_000.0).abs() < 216.0 + 90.0, "{ventricular}");
    for three in beats.windows(2).filter(|pair| pair[0].class == BeatClass::Supraventricular) {
        let [early_s, next_s] = [0, 1].map(|n| three[n].rr_ns.unwrap_or(0) as f64 * 1e-9);
        // Tops differ from middles by the neighbours' tails, some milliseconds.
        assert!((0.54..0.86).contains(&early_s) && (0.94..1.16).contains(&next_s), "{three:?}");
    }
}

#[test]
fn irregular_intervals_do_not_hang_together() {
    let regular = EcgParameters { hrv_sdnn_ms: 10.0, ..EcgParameters::default() };
    let fibrillating = EcgParameters { irregular_share: 0.2, ..regular };
    let swing = |parameters| {
        let (_, beats) = take(&mut ecg(parameters, 100.0), 400_000);
        let intervals: Vec<f64> =
            beats.iter().filter_map(|beat| Some(beat.rr_ns? as f64 * 1e-9)).collect();
        let n = intervals.len() as f64;
        let mean = intervals.iter().sum::<f64>() / n;
        let variance = intervals.iter().map(|rr| (rr - mean) * (rr - mean)).sum::<f64>() / n;
        let of_pair = |pair: &[f64]| (pair[0] - mean) * (pair[1] - mean);
        let with_next = intervals.windows(2).map(of_pair).sum::<f64>() / n / variance;
        (variance.sqrt() / mean, with_next)
    };
    // 4 600 beats: standard errors of 1 % of the deviation and of 0.015 of the correlation; four of each.
    let (share, with_next) = swing(fibrillating);
    assert!((share / 0.2 - 1.0).abs() < 0.05 && with_next.abs() < 0.06, "{share} {with_next}");
    assert!(swing(regular).1 > 0.3);
}

#[test]
fn a_reset_begins_again() {
    let mut heart = ecg(everything(), 250.0);
    let first = take(&mut heart, 5_001);
    heart.reset();
    assert_eq!(take(&mut heart, 5_001), first);
}

#[test]
fn new_parameters_change_the_rate_without_a_jump() {
    let clean = EcgParameters { wander_mv: 0.5, ..EcgParameters::default() };
    let mut ecg = ecg(clean, 1_000.0);
    let (mut signal, _) = take(&mut ecg, 20_500);
    let faster = EcgParameters { heart_rate_bpm: 140.0, respiration_hz: 0.4, ..clean };
    ecg.retune(faster).expect("valid");
    let (rest, beats) = take(&mut ecg, 60_000);
    signal.extend(rest);

    // The steepest of all is the rise from Q to R: (0.61 + 0.07)/σ = 43 mV/s, divided by 0.5 in the
    // shortest interval the rhythm allows, 0.26 s. A jump of wander would be 0.3 mV.
    assert!(signal.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.09));
    assert!((beats.len() as f64 - 140.0).abs() < 8.0, "{}", beats.len());
    assert!(ecg.retune(EcgParameters { heart_rate_bpm: 500.0, ..clean }).is_err());
}

#[test]
fn parameters_outside_their_range_are_named() {
    for (parameters, rate_hz, text) in [
        (EcgParameters::default(), 0.0, "`rate_hz` = 0 is not within 50 and 1000000"),
        (
            EcgParameters { heart_rate_bpm: 0.0, ..EcgParameters::default() },
            250.0,
            "`heart_rate_bpm` = 0 is not within 20 and 220",
        ),
        (
            EcgParameters { mains_mv: 0.1, mains_hz: 60.0, ..EcgParameters::default() },
            100.0,
            "`mains_hz` = 60 is not within 1 and 50",
        ),
        (
            EcgParameters { noise_mv: f64::NAN, ..EcgParameters::default() },
            250.0,
            "`noise_mv` = NaN is not within 0 and 1000",
        ),
    ] {
        assert_eq!(Ecg::new(parameters, rate_hz).expect_err("refused").to_string(), text);
    }
}
