use std::f64::consts::TAU;

use super::*;
use crate::math::synthetic::{Model, Respiration, RespirationParameters};

const RATE_HZ: f64 = 25.0;

fn found(samples: impl IntoIterator<Item = f64>) -> Vec<Breath> {
    let mut breaths = Breaths::new(RATE_HZ);
    samples.into_iter().filter_map(|sample| breaths.push(sample as f32)).collect()
}

fn seconds(count: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..count * RATE_HZ as usize).map(|n| of(n as f64 / RATE_HZ)).collect()
}

#[test]
fn a_sine_is_breaths_of_its_period_and_height() {
    let breaths = found(seconds(62, |s| -2.0 * (TAU * s / 4.0).cos()));
    assert_eq!(breaths.len(), 15, "the first low is where the signal begins, the last after 60 s");
    for (n, breath) in breaths.iter().enumerate() {
        let at_s = breath.sample as f64 / RATE_HZ;
        // A low lies between two samples; an average over 0.2 s lowers a sine of 4 s by 0.4 %,
        // twice.
        assert!((at_s - 4.0 * (n + 1) as f64).abs() <= 0.04, "{breath:?}");
        assert!((breath.inspiration_s - 2.0).abs() <= 0.08, "{breath:?}");
        assert!((breath.expiration_s - 2.0).abs() <= 0.08, "{breath:?}");
        assert!((breath.depth / 4.0 - 1.0).abs() < 0.01, "{breath:?}");
    }
}

#[test]
fn synthetic_breaths_are_found_in_noise_and_drift() {
    for (rate_bpm, inhale_share) in [(6.0, 0.4), (15.0, 0.4), (15.0, 0.7), (30.0, 0.5)] {
        let parameters = RespirationParameters {
            rate_bpm,
            variation_share: 0.15,
            inhale_share,
            depth: 1.0,
            wander_share: 0.5,
            noise_share: 0.05,
            seed: 1,
        };
        let mut respiration = Respiration::new(parameters, RATE_HZ);
        let mut samples = vec![0.0; 600 * RATE_HZ as usize];
        respiration.fill(&mut samples);
        let truth = std::iter::from_fn(|| respiration.pop());
        let truth: Vec<f64> = truth.map(|(ns, _)| ns as f64 / 1e9).collect();
        let breaths = found(samples.into_iter().map(f64::from));
        let ends: Vec<f64> = breaths.iter().map(|b| b.sample as f64 / RATE_HZ).collect();
        let near = |a: f64, of: &[f64]| of.iter().any(|b| (a - b).abs() < 0.15 * 60.0 / rate_bpm);
        let missed = truth.iter().filter(|truth| !near(**truth, &ends)).count();
        let invented = ends.iter().filter(|end| !near(**end, &truth)).count();
        println!("{rate_bpm} a minute: {missed} of {} missed, {invented} invented", truth.len());
        // The first low has no breath before it, and the last is not behind yet; besides one in a
        // hundred may be shallower than 0.3 of the usual, or noise move a low on a slow turn.
        assert!(missed <= 3 + truth.len() / 50 && invented <= 1 + truth.len() / 50);
    }
}

#[test]
fn shallow_breathing_behind_deep_is_found() {
    let breaths = found(seconds(120, |s| {
        let depth = if s < 40.0 { 10.0 } else { 0.5 };
        -depth * (TAU * s / 4.0).cos()
    }));
    let shallow: Vec<&Breath> = breaths.iter().filter(|breath| breath.sample > 80 * 25).collect();
    // 30 s after the last deep one at the latest.
    assert!(shallow.len() >= 8, "{breaths:?}");
    assert!(shallow.iter().skip(1).all(|breath| (breath.depth - 1.0).abs() < 0.02), "{shallow:?}");
}

#[test]
fn a_pause_belongs_to_the_breath_before_it() {
    // Five breaths, 6 s without one, and on.
    let breaths = found(seconds(60, |s| match s {
        20.0..26.0 => -1.0,
        _ => -(TAU * (if s < 20.0 { s } else { s - 26.0 }) / 4.0).cos(),
    }));
    let over = breaths.iter().find(|breath| breath.expiration_s > 5.0).expect("the long one");
    // The smoothed floor ends 0.2 s before the signal rises.
    assert!((over.sample as f64 / RATE_HZ - 26.0).abs() <= 0.25, "{over:?}");
    assert!((over.inspiration_s + over.expiration_s - 10.0).abs() <= 0.3, "{over:?}");
}

#[test]
fn rounding_is_no_breath() {
    // A third, whose means round differently at every place of a block.
    assert_eq!(found(seconds(60, |_| 100.0 / 3.0)), []);
}

#[test]
fn nothing_is_told_before_the_earliest() {
    let mut breaths = Breaths::new(RATE_HZ);
    let mut bound = 0;
    for (n, value) in
        seconds(300, |s| (s * 1.3).sin() * (1.0 + (s * 0.11).sin())).iter().enumerate()
    {
        let breath = breaths.push(*value as f32);
        assert!(breath.is_none_or(|breath| breath.sample >= bound), "{breath:?} {bound} at {n}");
        bound = bound.max(breaths.earliest());
    }
    assert!(bound > 285 * 25, "{bound}");
}
