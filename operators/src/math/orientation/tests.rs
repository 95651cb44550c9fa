use std::f64::consts::{FRAC_PI_2, TAU};

use super::*;
use crate::math::golden;

const RATE_HZ: f64 = 100.0;
const SAMPLES: usize = 1_500;

/// The readings of `tests/golden/orientation.py`.
fn readings() -> impl Iterator<Item = Reading> {
    let wave = |n: usize, axis: usize, hz: f64, phase: f64| {
        (TAU * hz * n as f64 / RATE_HZ + phase + 0.7 * axis as f64).sin()
    };
    (0..SAMPLES).map(move |n| {
        let gyroscope = std::array::from_fn(|axis| {
            let swing = wave(n, axis, 0.31, 0.2) - wave(0, axis, 0.31, 0.2);
            (60.0 * swing + 5.0 * (axis + 1) as f64).to_radians()
        });
        let (mut acceleration, mut magnetic) = ([0.0, 0.0, 1.0], [20.0, 0.0, -40.0]);
        if n > 0 {
            let blow = if (1_000..1_050).contains(&n) { 2.0 } else { 0.0 };
            acceleration = [
                0.6 * wave(n, 0, 0.13, 0.1) + blow,
                0.5 * wave(n, 1, 0.17, 0.4),
                1.0 + 0.3 * wave(n, 2, 0.07, 0.9),
            ];
            let magnet = if (1_200..1_260).contains(&n) { 90.0 } else { 0.0 };
            magnetic = [
                20.0 + 8.0 * wave(n, 0, 0.11, 0.3),
                15.0 * wave(n, 1, 0.05, 0.0) + magnet,
                -40.0 + 6.0 * wave(n, 2, 0.19, 0.5),
            ];
        }
        Reading { gyroscope_rad_s: gyroscope, acceleration, magnetic }
    })
}

/// The angle between two orientations.
fn apart_deg(a: Quaternion, b: Quaternion) -> f64 {
    let [w, x, y, z] = product([a[0], -a[1], -a[2], -a[3]], b);
    (2.0 * [x, y, z].iter().map(|part| part * part).sum::<f64>().sqrt().atan2(w.abs())).to_degrees()
}

fn fusion_of(case: &str) -> Tracker {
    let number = |key: &str| golden::numbers(case, key)[0];
    let reject = number("reject");
    Tracker::Fusion(Fusion::new(FusionParameters {
        rate_hz: RATE_HZ,
        convention: match golden::word(case, "convention") {
            "enu" => Convention::Enu,
            "ned" => Convention::Ned,
            _ => Convention::Nwu,
        },
        gain: number("gain"),
        gyroscope_range_rad_s: number("range_dps").to_radians(),
        acceleration_rejection_rad: reject.to_radians(),
        magnetic_rejection_rad: reject.to_radians(),
        rejection_timeout_s: if reject > 0.0 { 2.0 } else { 0.0 },
    }))
}

/// The farthest that a filter is from the golden one of its case.
fn farthest_deg(case: &str, mut tracker: Tracker) -> f64 {
    let is_magnetic = golden::numbers(case, "magnetic") == [1.0];
    let every = golden::numbers(case, "every")[0] as usize;
    let golden = golden::numbers(case, "quaternions");
    assert_eq!(golden.len(), SAMPLES / every * 4);
    let mut golden = golden.chunks_exact(4).map(|q| q.try_into().expect("four"));
    let mut farthest: f64 = 0.0;
    for (n, mut reading) in readings().enumerate() {
        if !is_magnetic {
            reading.magnetic = [0.0; 3];
        }
        let q = tracker.push(&reading);
        if (n + 1) % every == 0 {
            farthest = farthest.max(apart_deg(q, golden.next().expect("as many")));
        }
    }
    farthest
}

#[test]
fn fusion_is_that_of_imufusion() {
    let text = include_str!("../../../../tests/golden/orientation.json");
    let cases = golden::cases(text).filter(|case| golden::word(case, "method") == "fusion");
    let mut seen = 0;
    for case in cases {
        // A tenth is promised. imufusion counts in f32: 1 500 steps of some roundings of 6e-8 add up to
        // less than 1e-4 rad, and one sample more or less is off by 0.2°.
        let off = farthest_deg(case, fusion_of(case));
        assert!(off < 0.006, "{off}° in {}", &case[..90]);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn madgwick_and_mahony_are_those_of_ahrs() {
    let text = include_str!("../../../../tests/golden/orientation.json");
    for case in golden::cases(text) {
        let tracker = match golden::word(case, "method") {
            "madgwick" => Tracker::Madgwick(Madgwick::new(RATE_HZ, 0.1)),
            "mahony" => Tracker::Mahony(Mahony::new(RATE_HZ, 1.0, 0.3)),
            _ => continue,
        };
        let off = farthest_deg(case, tracker);
        // Both in f64: 1 500 steps of a few roundings of 1e-16, which the feedback does not amplify,
        // and 1e-13 from the series for the length. One sample late is off by 0.3°.
        assert!(off < 1e-9, "{off}° in {}", &case[..60]);
    }
}

#[test]
fn all_find_a_body_that_lies_still_whichever_way() {
    for turn in [[0.0, 0.0, 0.0], [0.5, -0.3, 2.0], [3.0, 0.2, -1.0], [-1.5, 1.4, 0.7]] {
        let truth = from_euler_rad(turn);
        let reading = Reading {
            gyroscope_rad_s: [0.0; 3],
            acceleration: to_body(truth, [0.0, 0.0, 9.81]),
            magnetic: to_body(truth, [20.0, 0.0, -45.0]),
        };
        for mut tracker in [
            fusion(0.5),
            Tracker::Madgwick(Madgwick::new(RATE_HZ, 0.1)),
            Tracker::Mahony(Mahony::new(RATE_HZ, 1.0, 0.0)),
        ] {
            let found = (0..6_000).map(|_| tracker.push(&reading)).last().expect("some");
            // Fusion starts anywhere and corrects with a gain of 10 falling to 0.5: its error shrinks
            // by exp(-3 s · 5) and exp(-57 s · 0.5). Madgwick walks steps of 0.1 · T around the truth.
            let allowed = if let Tracker::Madgwick(_) = tracker { 0.12 } else { 1e-6 };
            let off = apart_deg(found, truth);
            assert!(off < allowed, "{off}° of {turn:?} by {tracker:?}");
        }
    }
}

fn fusion(gain: f64) -> Tracker {
    Tracker::Fusion(Fusion::new(FusionParameters {
        rate_hz: RATE_HZ,
        convention: Convention::Nwu,
        gain,
        gyroscope_range_rad_s: 0.0,
        acceleration_rejection_rad: 0.0,
        magnetic_rejection_rad: 0.0,
        rejection_timeout_s: 0.0,
    }))
}

#[test]
fn a_turn_of_the_gyroscope_alone_is_that_turn() {
    // A quarter turn about each axis in a second; without gravity nothing corrects.
    for axis in 0..3 {
        let mut reading = Reading::default();
        reading.gyroscope_rad_s[axis] = FRAC_PI_2;
        let mut turn = [0.0; 3];
        turn[axis] = FRAC_PI_2;
        let mut tracker = fusion(0.5);
        // Without a magnetometer the heading is held at 0 for the first three seconds.
        for _ in 0..300 {
            tracker.push(&Reading::default());
        }
        let found = (0..100).map(|_| tracker.push(&reading)).last().expect("some");
        // A step is a straight line as long as the arc's: its angle is atan(h), h = π / 400, short by
        // h³ / 3 of 100 steps: 3.2e-5 rad of the half angle.
        let want_deg = 90.0 - 2.0 * (100.0 * (FRAC_PI_2 / 200.0).powi(3) / 3.0).to_degrees();
        let q = from_euler_rad(turn);
        assert!((apart_deg(found, [1.0, 0.0, 0.0, 0.0]) - want_deg).abs() < 1e-5);
        assert!(apart_deg(found, q) < 0.004, "axis {axis}: {found:?}");
    }
}

#[test]
fn a_field_that_is_off_is_ignored_until_it_stays() {
    let parameters = FusionParameters {
        rate_hz: RATE_HZ,
        convention: Convention::Nwu,
        gain: 1.0,
        gyroscope_range_rad_s: 0.0,
        acceleration_rejection_rad: 0.0,
        magnetic_rejection_rad: 10f64.to_radians(),
        rejection_timeout_s: 2.0,
    };
    let mut fusion = Fusion::new(parameters);
    let field = |yaw: f64| Reading {
        acceleration: [0.0, 0.0, 1.0],
        magnetic: to_body(from_euler_rad([0.0, 0.0, yaw]), [20.0, 0.0, -45.0]),
        ..Reading::default()
    };
    let mut yaw_after = |yaw: f64, samples: usize| {
        let q = (0..samples).map(|_| fusion.push(&field(yaw))).last().expect("some");
        euler_rad(q)[2].to_degrees()
    };
    assert!(yaw_after(0.0, 1_000).abs() < 1e-6);
    // The two seconds have 200 samples; from the 201st on the field is believed.
    assert!(yaw_after(1.0, 200).abs() < 1e-6, "for two seconds it is ignored");
    // exp(-7) of 57° are 0.05°.
    assert!((yaw_after(1.0, 700) - 57.3).abs() < 0.1, "then it is believed");
}
