use super::*;
use crate::math::random::Random;

const PARAMETERS: DejitterParameters =
    DejitterParameters { rate_hz: 250.0, drift_max_ppm: 300.0, step_s: 5.0, delay_max_s: 2.0 };
/// Samples in a frame.
const LEN: u64 = 10;

/// Feeds frames of a device whose clock is too slow by `drift_ppm`, delayed by `delay_s(random, when
/// its last sample was taken)`; gives, for each, how far its first sample is off the truth, its
/// uncertainty, and when it was, in seconds.
fn play(
    dejitter: &mut Dejitter,
    seconds: f64,
    drift_ppm: f64,
    mut delay_s: impl FnMut(&mut Random, f64) -> f64,
) -> Vec<(f64, f64, f64)> {
    let mut random = Random::new(7);
    let period_s = (1.0 + drift_ppm * 1e-6) / PARAMETERS.rate_hz;
    let frames = (seconds * PARAMETERS.rate_hz) as u64 / LEN;
    (0..frames)
        .map(|frame| {
            let taken_s = |n: u64| 1_000.0 + (frame * LEN + n) as f64 * period_s;
            let last_s = taken_s(LEN - 1);
            let arrival_s = last_s + delay_s(&mut random, last_s);
            let stamp_s = arrival_s - (LEN - 1) as f64 / PARAMETERS.rate_hz;
            let moment = dejitter.push((stamp_s * 1e9).round() as i64, LEN);
            let off_s = moment.time_ns as f64 / 1e9 - taken_s(0);
            (off_s, moment.uncertainty_ns / 1e9, taken_s(0) - 1_000.0)
        })
        .collect()
}

fn rms(frames: &[(f64, f64, f64)], from_s: f64) -> f64 {
    let late: Vec<f64> = frames.iter().filter(|f| f.2 >= from_s).map(|f| f.0 * f.0).collect();
    (late.iter().sum::<f64>() / late.len() as f64).sqrt()
}

fn exponential(random: &mut Random, mean_s: f64) -> f64 {
    -mean_s * (1.0 - random.uniform()).ln()
}

#[test]
fn what_does_not_jitter_stays_to_the_nanosecond() {
    for rate_hz in [250.0, 130.0, 999.9] {
        let mut dejitter = Dejitter::new(DejitterParameters { rate_hz, ..PARAMETERS });
        for frame in 0..20_000_u64 {
            let stamp_ns = 77 + ((frame * LEN) as f64 * 1e9 / rate_hz).round() as i64;
            let moment = dejitter.push(stamp_ns, LEN);
            assert_eq!(moment.time_ns, stamp_ns, "{rate_hz} Hz, frame {frame}");
        }
    }
}

#[test]
fn delays_of_one_side_are_removed_to_their_edge() {
    for drift_ppm in [-200.0, 0.0, 180.0] {
        let mut dejitter = Dejitter::new(PARAMETERS);
        let frames = play(&mut dejitter, 300.0, drift_ppm, |random, _| exponential(random, 0.01));

        assert!(dejitter.is_edge(), "exponential delays have one");
        // The least of 25 delays of 10 ms in a second is 0.4 ms, of 128 seconds 3 µs; a line through
        // two of them, extrapolated by half its length, is off by a few times as much.
        let late = rms(&frames, 150.0);
        assert!(late < 60e-6, "{drift_ppm} ppm: {late} s");
        // 60 µs in a minute are 1 ppm.
        assert!((dejitter.drift_ppm() - drift_ppm).abs() < 2.0, "{}", dejitter.drift_ppm());
    }
}

#[test]
fn a_bell_is_met_in_its_middle() {
    let mut dejitter = Dejitter::new(PARAMETERS);
    let frames = play(&mut dejitter, 300.0, 120.0, |random, _| 0.01 * random.normals().0);

    assert!(!dejitter.is_edge());
    // The end of a fading line is 1.25 ln 2 / (120 s · 25 / s) of the variance, so 170 µs; four times.
    let late = rms(&frames, 150.0);
    assert!(late < 0.7e-3, "{late} s");
}

#[test]
fn stalls_do_not_move_the_line() {
    let mut dejitter = Dejitter::new(PARAMETERS);
    let mut until_s = 0.0;
    let frames = play(&mut dejitter, 300.0, -60.0, |random, now_s| {
        if now_s > until_s && random.uniform() < 0.02 {
            until_s = now_s + 0.1 + 0.4 * random.uniform();
        }
        // Everything that waited comes at once.
        f64::max(until_s - now_s, 0.0) + exponential(random, 0.001)
    });
    let late = rms(&frames, 30.0);
    assert!(late < 30e-6, "{late} s");
}

#[test]
fn uncertainty_covers_the_error() {
    let shapes: [fn(&mut Random) -> f64; 4] = [
        |random| exponential(random, 0.01),
        |random| 0.03 * random.uniform(),
        |random| exponential(random, 0.01) + exponential(random, 0.01),
        |random| 0.01 * random.normals().0,
    ];
    for (n, shape) in shapes.into_iter().enumerate() {
        let mut dejitter = Dejitter::new(PARAMETERS);
        let frames = play(&mut dejitter, 300.0, 100.0, |random, _| shape(random));
        let covered = frames.iter().filter(|(off, within, _)| off.abs() <= *within).count();
        assert!(covered * 100 >= frames.len() * 95, "{n}: {covered} of {}", frames.len());
    }
}

#[test]
fn a_step_back_is_believed_at_the_third_frame_and_one_on_after_its_time() {
    for (step_s, settled_s) in [(-0.2, 1.0), (0.2, 6.0)] {
        let mut dejitter = Dejitter::new(PARAMETERS);
        let frames = play(&mut dejitter, 120.0, 50.0, |random, now_s| {
            exponential(random, 0.005) + if now_s > 1_060.0 { step_s } else { 0.0 }
        });
        assert_eq!(dejitter.steps(), 1);
        let off = frames.iter().filter(|f| f.2 > 60.0 + settled_s).map(|f| (f.0 - step_s).abs());
        // Of 25 frames or more the least delay is above 5 ms once in exp(25).
        let most = off.fold(0.0, f64::max);
        assert!(most < 0.005, "{step_s}: {most} s");
    }
}

#[test]
fn a_gap_keeps_the_drift() {
    let mut dejitter = Dejitter::new(PARAMETERS);
    play(&mut dejitter, 200.0, 150.0, |random, _| exponential(random, 0.005));
    let before = dejitter.drift_ppm();
    dejitter.gap();
    let frames = play(&mut dejitter, 60.0, 150.0, |random, _| exponential(random, 0.005));

    assert_eq!(dejitter.steps(), 0);
    assert!((dejitter.drift_ppm() - before).abs() < 5.0, "{}", dejitter.drift_ppm());
    // The least of 25 delays a second.
    let late = rms(&frames, 10.0);
    assert!(late < 0.1e-3, "{late} s");
}

#[test]
fn times_never_go_back_and_no_sample_is_lost() {
    let mut random = Random::new(11);
    let mut dejitter = Dejitter::new(PARAMETERS);
    let (mut stamp_ns, mut last_ns, mut told) = (0, i64::MIN, 0);
    for frame in 0..5_000 {
        // Whatever comes: steps of up to a second either way, gaps, frames of any length.
        stamp_ns += 40_000_000 + ((random.uniform() - 0.5) * 1e8) as i64;
        if random.uniform() < 0.01 {
            stamp_ns += ((random.uniform() - 0.5) * 2e9) as i64;
        }
        if random.uniform() < 0.003 {
            dejitter.gap();
        }
        let mut left = random.below(30);
        let mut due_ns = dejitter.push(stamp_ns, left).time_ns;
        while left > 0 {
            let (time_ns, len) = dejitter.place(due_ns, left);
            assert!(time_ns > last_ns, "frame {frame}");
            last_ns = time_ns + (len as i64 - 1) * 4_000_000;
            due_ns += len as i64 * 4_000_000;
            left -= len;
            told += len;
        }
    }
    assert!(told > 0);
}

#[test]
fn a_saved_state_goes_on_bit_for_bit() {
    let mut one = Dejitter::new(PARAMETERS);
    play(&mut one, 100.0, 30.0, |random, _| exponential(random, 0.02));
    let mut state = Vec::new();
    one.save(&mut state);
    let mut other = Dejitter::new(PARAMETERS);
    other.load(&state).expect("its own");
    let mut again = Vec::new();
    other.save(&mut again);
    assert_eq!(state, again);

    for stamp_ns in (0..200).map(|n| 1_100_000_000_000 + n * 41_000_000) {
        assert_eq!(one.push(stamp_ns, LEN), other.push(stamp_ns, LEN));
    }
    assert!(other.load(&state[1..]).is_err() && other.load(&state[..100]).is_err());
}
