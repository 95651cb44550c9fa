//! Hearts and wires that no recording at hand has: what holds there is no luck of the recordings.

use super::*;
use crate::math::ecgsyn::{Ecg, EcgParameters};
use crate::math::random::Random;

/// A synthetic heart and when it truly beats, in seconds.
fn heart(parameters: EcgParameters, rate_hz: f64, seconds: f64) -> (Vec<f32>, Vec<f64>) {
    let mut ecg = Ecg::new(parameters, rate_hz).expect("valid");
    let mut samples = vec![0.0; (seconds * rate_hz) as usize];
    ecg.fill(&mut samples);
    let truth = std::iter::from_fn(|| ecg.pop_beat()).map(|beat| beat.time_ns as f64 / 1e9);
    (samples, truth.collect())
}

fn found(ecg: &[f32], rate_hz: f64) -> Vec<f64> {
    let mut qrs = Qrs::raw(rate_hz);
    let mut beats: Vec<Beat> = ecg.iter().filter_map(|sample| qrs.push(*sample)).collect();
    beats.extend(std::iter::from_fn(|| qrs.flush()));
    let at = |beat: &Beat| (beat.sample as f64 + f64::from(beat.offset_samples)) / rate_hz;
    beats.iter().map(at).collect()
}

/// Beats missed and invented from `from_s` to `to_s`.
fn errors(truth: &[f64], beats: &[f64], within_s: f64, from_s: f64, to_s: f64) -> (usize, usize) {
    let without = |these: &[f64], those: &[f64]| {
        let alone = |at: &&f64| !those.iter().any(|other| (other - **at).abs() <= within_s);
        these.iter().filter(|at| (from_s..to_s).contains(*at)).filter(alone).count()
    };
    (without(truth, beats), without(beats, truth))
}

const PLAIN: EcgParameters = EcgParameters { seed: 3, ..EcgParameters::REST };

#[test]
fn any_rate_scale_and_trouble_leaves_the_beats() {
    let troubles = [
        ("none", PLAIN),
        ("ectopic", EcgParameters { ectopic_per_min: 6.0, ..PLAIN }),
        ("white", EcgParameters { noise_mv: 0.05, ..PLAIN }),
        ("wander", EcgParameters { wander_mv: 2.0, ..PLAIN }),
        ("hum", EcgParameters { mains_mv: 0.5, mains_hz: 49.0, ..PLAIN }),
        ("electrode", EcgParameters { electrode_mv: 0.15, ..PLAIN }),
    ];
    for rate_hz in [100.0, 128.0, 360.0, 1_000.0] {
        for (name, trouble) in troubles {
            for (heart_rate_bpm, scale) in
                [(30.0, 1.0), (60.0, -1.0), (90.0, 0.05), (120.0, -20.0), (150.0, 1e3)]
            {
                let parameters = EcgParameters { heart_rate_bpm, hrv_sdnn_ms: 20.0, ..trouble };
                let (mut ecg, truth) = heart(parameters, rate_hz, 60.0);
                ecg.iter_mut().for_each(|sample| *sample *= scale);
                let (missed, invented) = errors(&truth, &found(&ecg, rate_hz), 0.05, 0.3, 59.7);
                let what = format!("{rate_hz} Hz, {heart_rate_bpm} a minute, {name}, {scale}");
                // Measured 2 at most, of 30 and more: an ectopic beat in the time of a T wave, two
                // bursts of movement that are like slow beats.
                assert!(missed + invented <= 2, "{what}: {missed} missed, {invented} invented");
            }
        }
    }
}

/// At each beat bells of these heights, times from it and widths.
fn drawn(bells: &[(f64, f64, f64)], rate_hz: f64, beats: &[f64], seconds: f64) -> Vec<f32> {
    let sample = |n: usize| {
        let now_s = n as f64 / rate_hz;
        let near = beats.iter().filter(|beat| (now_s - **beat).abs() < 1.0);
        let bell = |from_s: f64| {
            let one = |(height, at_s, width_s): &(f64, f64, f64)| {
                height * (-0.5 * ((from_s - at_s) / width_s).powi(2)).exp()
            };
            bells.iter().map(one).sum::<f64>()
        };
        near.map(|beat| bell(now_s - beat)).sum::<f64>() as f32
    };
    (0..(seconds * rate_hz) as usize).map(sample).collect()
}

fn every(interval_s: f64, seconds: f64) -> Vec<f64> {
    (0..).map(|k| 0.6 + interval_s * f64::from(k)).take_while(|at| *at < seconds - 0.3).collect()
}

#[test]
fn a_p_wave_as_sharp_as_r_is_no_beat() {
    for (height, pr_s) in [(0.3, 0.16), (0.5, 0.16), (0.5, 0.2), (0.5, 0.24), (0.7, 0.2)] {
        for sign in [1.0, -1.0] {
            let beats = every(0.9, 60.0);
            let bells = [(height, -pr_s, 0.010), (1.0, 0.0, 0.010), (0.25, 0.27, 0.045)];
            let mut ecg = drawn(&bells, 250.0, &beats, 60.0);
            let mut random = Random::new(5);
            ecg.iter_mut().for_each(|x| *x = sign * *x + 0.02 * random.normals().0 as f32);
            let errors = errors(&beats, &found(&ecg, 250.0), 0.05, 0.3, 59.7);
            assert_eq!(errors, (0, 0), "{height} high, {pr_s} s before, sign {sign}");
        }
    }
}

/// Beats of which every fourth is small and blunt, but has no larger one after it, and those.
fn every_fourth_small() -> (Vec<f32>, Vec<f64>) {
    let beats = every(0.8, 60.0);
    let small: Vec<f64> = beats.iter().copied().skip(3).step_by(4).collect();
    let usual: Vec<f64> = beats.iter().copied().filter(|beat| !small.contains(beat)).collect();
    let mut ecg = drawn(&[(1.0, 0.0, 0.010)], 250.0, &usual, 60.0);
    let blunt = drawn(&[(1.0, 0.0, 0.025)], 250.0, &small, 60.0);
    ecg.iter_mut().zip(blunt).for_each(|(x, y)| *x += y);
    (ecg, small)
}

#[test]
fn a_save_in_doubt_goes_on_bit_for_bit() {
    let (ecg, _) = every_fourth_small();
    let mut whole = Qrs::raw(250.0);
    let all: Vec<Beat> = ecg.iter().filter_map(|sample| whole.push(*sample)).collect();
    // A cut every 40 ms over the 3.2 s of four beats.
    for cut in (7_500..8_300).step_by(10) {
        let mut before = Qrs::raw(250.0);
        let mut beats: Vec<Beat> =
            ecg[..cut].iter().filter_map(|sample| before.push(*sample)).collect();
        let mut saved = Vec::new();
        before.save(&mut saved);
        let mut after = Qrs::raw(250.0);
        after.load(&saved).expect("the state of an equal detector");
        beats.extend(ecg[cut..].iter().filter_map(|sample| after.push(*sample)));
        assert_eq!(beats, all, "cut at {cut}");
    }
}

#[test]
fn a_small_beat_is_told_within_half_a_second_and_a_bit() {
    let (ecg, small) = every_fourth_small();
    let mut qrs = Qrs::raw(250.0);
    let told: Vec<Beat> = ecg.iter().filter_map(|sample| qrs.push(*sample)).collect();

    let times: Vec<f64> = told.iter().map(|beat| beat.sample as f64 / 250.0).collect();
    let (missed, invented) = errors(&small, &times, 0.05, 10.0, 59.0);
    assert_eq!(missed, 0);
    assert!(invented > 0, "the others are beats too");
    let late = told.iter().filter(|beat| beat.sample > 2_500 && !beat.searched_back);
    let late_s: Vec<f64> = late.map(|beat| (beat.decided - beat.sample) as f64 / 250.0).collect();
    let latest_s = late_s.iter().copied().fold(0.0, f64::max);
    // 0.26 s for a larger one to come, 0.23 s to know it, and where R lies in a blunt complex.
    assert!((0.4..0.56).contains(&latest_s), "{latest_s} s");
    let quick = late_s.iter().filter(|late_s| **late_s < 0.25).count();
    assert!(4 * quick >= 3 * late_s.len() - 8, "{quick} of {}", late_s.len());
}

#[test]
fn of_two_like_swings_r_is_the_first() {
    let beats = every(0.9, 60.0);
    for (apart_s, height, width_s) in
        [(0.035, 1.05, 0.010), (0.05, 1.0, 0.014), (0.06, 1.05, 0.014)]
    {
        let bells = [(1.0, 0.0, width_s), (height, apart_s, width_s), (-0.3, 0.25, 0.05)];
        let ecg = drawn(&bells, 250.0, &beats, 60.0);
        let errors = errors(&beats, &found(&ecg, 250.0), 0.012, 0.3, 59.7);
        assert_eq!(errors, (0, 0), "{apart_s} s apart, {height} high");
    }
}

#[test]
fn what_wires_do_costs_beats_only_while_they_do_it() {
    let rate_hz = 250.0;
    let (ecg, truth) = heart(EcgParameters { noise_mv: 0.01, ..PLAIN }, rate_hz, 60.0);
    type Change = fn(f64, f32) -> f32;
    // Name, from time and sample to sample, and until when it lasts or changes.
    let troubles: [(&str, Change, f64); 6] = [
        ("off for 5 s", |t, x| if (20.0..25.0).contains(&t) { 0.0 } else { x }, 25.0),
        ("at the rail for 5 s", |t, x| if (20.0..25.0).contains(&t) { 5.0 } else { x }, 25.0),
        ("clipped", |_, x| x.clamp(-0.1, 0.4), 20.0),
        ("three times as high", |t, x| if t > 20.0 { 3.0 * x } else { x }, 20.0),
        ("a third as high", |t, x| if t > 20.0 { 0.33 * x } else { x }, 20.0),
        ("an offset of 300", |_, x| x + 300.0, 20.0),
    ];
    for (name, trouble, until_s) in troubles {
        let change = |(n, x): (usize, &f32)| trouble(n as f64 / rate_hz, *x);
        let changed: Vec<f32> = ecg.iter().enumerate().map(change).collect();
        let beats = found(&changed, rate_hz);
        let before = errors(&truth, &beats, 0.05, 0.3, 19.7);
        let after = errors(&truth, &beats, 0.05, until_s + 0.5, 59.7);
        println!("{name}: {before:?} {after:?}");
        assert_eq!((before, after), ((0, 0), (0, 0)), "{name}");
    }
}

#[test]
fn a_pacemakers_spike_is_no_second_beat() {
    let beats = every(0.85, 60.0);
    for (height, before_s) in [(1.0, 0.06), (3.0, 0.04), (1.0, 0.16)] {
        let bells = [(height, -before_s, 0.001), (1.0, 0.0, 0.020), (-0.4, 0.28, 0.05)];
        let ecg = drawn(&bells, 1_000.0, &beats, 60.0);
        let (missed, invented) = errors(&beats, &found(&ecg, 1_000.0), 0.15, 0.3, 59.7);
        println!("{height} high, {before_s} s before: {missed} {invented}");
        assert_eq!((missed, invented), (0, 0), "{height} high, {before_s} s before");
    }
}
