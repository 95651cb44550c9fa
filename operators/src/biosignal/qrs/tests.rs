use engine::{Frame, testing::Bench};

use super::*;
use crate::math::ecgsyn::{Ecg, EcgParameters};

const RATE_HZ: f64 = 250.0;

/// A synthetic heart as recorded, and when it truly beats.
fn heart(seconds: usize) -> (Vec<f32>, Vec<f64>) {
    let parameters = EcgParameters { noise_mv: 0.02, ..EcgParameters::default() };
    let mut ecg = Ecg::new(parameters, RATE_HZ).expect("valid");
    let mut samples = vec![0.0; seconds * RATE_HZ as usize];
    ecg.fill(&mut samples);
    let truth = std::iter::from_fn(|| ecg.pop_beat());
    let truth = truth.map(|beat| beat.time_ns as f64 / 1e9).collect();
    (samples, truth)
}

fn bench() -> Bench {
    Bench::build(&KIND, RATE_HZ, "input = \"raw\"").expect("valid")
}

fn times(bench: &mut Bench) -> Vec<f64> {
    bench.take().iter().map(|seen| seen.time().secs_f64()).collect()
}

#[test]
fn a_beat_is_stamped_with_its_r_peak() {
    let (samples, truth) = heart(30);
    let mut qrs = bench();
    samples.chunks(5).for_each(|frame| drop(qrs.feed(frame)));
    qrs.flush();

    let beats = times(&mut qrs);
    // The first may lie where the detector does not look yet, the last at the very end.
    assert!(beats.len() + 2 >= truth.len(), "{} of {}", beats.len(), truth.len());
    for beat in beats {
        let nearest = truth.iter().map(|truth| (truth - beat).abs()).fold(1.0, f64::min);
        // White noise of 20 µV on a peak with a curvature of −1 mV / (8 ms)² moves the top of
        // a parabola through three inner samples by 1.5 ms; a sample late would be 4 ms more.
        assert!(nearest < 0.005, "{beat} s is {nearest} s off");
    }
    assert_eq!(qrs.late(), 0);
}

#[test]
fn the_bound_behind_a_beat_lets_a_merge_go_on_at_once() {
    let (samples, _) = heart(20);
    let mut qrs = bench();
    let mut told = 0;
    for frame in samples.chunks(5) {
        qrs.feed(frame);
        for seen in qrs.take() {
            told += 1;
            assert!(qrs.bound(0) > seen.time());
        }
    }
    assert!(told > 15);
}

#[test]
fn beats_come_a_quarter_of_a_second_after_their_peak() {
    let (samples, _) = heart(30);
    let mut qrs = bench();
    let mut latest: f64 = 0.0;
    for (n, frame) in samples.chunks(5).enumerate() {
        qrs.feed(frame);
        let now = (5 * (n + 1)) as f64 / RATE_HZ;
        for seen in qrs.take().iter().filter(|_| now > 4.0) {
            latest = latest.max(now - seen.time().secs_f64());
        }
    }
    // 0.24 s by the detector's design, and a frame of 20 ms.
    assert!(latest < 0.27, "{latest} s");
}

#[test]
fn samples_that_are_missing_make_no_interval() {
    let (samples, _) = heart(40);
    let mut qrs = bench();
    samples[..20 * 250].chunks(5).for_each(|frame| drop(qrs.feed(frame)));
    for (n, frame) in samples[25 * 250..].chunks(5).enumerate() {
        let time = Timestamp::from_nanos((25 * 250 + 5 * n as i64) * 4_000_000);
        qrs.push(0, Frame::signal(time, 1, frame));
        qrs.run();
    }
    qrs.flush();

    let seen = qrs.take();
    assert!(seen.iter().all(|seen| seen.number("rr_ms").is_none_or(|rr_ms| rr_ms < 1_500.0)));
    let behind = seen.iter().find(|seen| seen.time().secs_f64() > 24.9).expect("beats go on");
    assert_eq!(behind.number("rr_ms"), None);
    let before = seen.iter().rfind(|seen| seen.time().secs_f64() < 20.0).expect("beats");
    assert!(before.time().secs_f64() > 18.8, "the last beats before the hole are told");
}

#[test]
fn a_signal_without_a_beat_is_told() {
    let remark = |samples: &[f32]| {
        let mut bench = bench();
        bench.feed(samples);
        bench.flush();
        bench.remark()
    };
    let mut half = vec![0.0; 2_500];
    half[1_000..1_250].fill(f32::NAN);

    assert_eq!(remark(&heart(10).0), None);
    assert_eq!(remark(&half[..1_000]), None, "too short to say");
    assert_eq!(
        remark(&half[..1_250]).as_deref(),
        Some(
            "no heart beat in 5.0 s of signal, of which 1.0 s are no numbers; the lead was off for \
             4.0 s"
        )
    );
}

#[test]
fn a_lead_that_was_off_makes_no_interval_and_is_told() {
    for off_mv in [0.0, 5.0] {
        let (mut ecg, truth) = heart(40);
        // Less than 3 s, so that an interval could be believed.
        let (from, to) = (20 * RATE_HZ as usize, 22 * RATE_HZ as usize);
        ecg[from..to].fill(off_mv);
        let mut qrs = bench();
        qrs.feed(&ecg);
        qrs.flush();

        let seen = qrs.take();
        let after = |seen: &&engine::testing::Seen| seen.time().secs_f64() > 22.0;
        let first = seen.iter().find(after).expect("beats go on");
        assert_eq!(first.number("rr_ms"), None, "off at {off_mv} mV");
        let missing = seen.iter().filter(|seen| seen.number("rr_ms").is_none()).count();
        assert_eq!(missing, 2, "the first of all, and this one");
        let next = truth.iter().find(|beat| **beat > 22.0).expect("a beat");
        assert!((first.time().secs_f64() - next).abs() < 1.0, "found again at once");
        assert_eq!(qrs.remark().as_deref(), Some("the lead was off for 2.0 s"));
    }
}

#[test]
fn six_digits_are_kept() {
    assert_eq!(rounded(72.782_050_792), 72.7821);
    assert_eq!(rounded(-0.000_553_007_49), -0.000_553_007);
    assert_eq!(rounded(0.0), 0.0);
}

#[test]
fn a_rate_too_low_is_explained() {
    let problem = Bench::build(&KIND, 50.0, "").err().expect("refused").to_string();
    assert!(problem.contains("50 samples per second are too few"), "{problem}");
}

#[test]
fn a_lost_electrode_is_a_gap_and_a_few_nan_are_none() {
    for (lost_s, is_gap) in [(0.2, false), (0.4, true), (5.0, true)] {
        let (mut samples, truth) = heart(40);
        let from = 20 * 250;
        samples[from..from + (lost_s * RATE_HZ) as usize].fill(f32::NAN);
        let mut whole = bench();
        whole.feed(&samples);
        whole.flush();
        let mut qrs = bench();
        samples.chunks(7).for_each(|frame| drop(qrs.feed(frame)));
        qrs.flush();

        let (seen, whole) = (qrs.take(), whole.take());
        let both: Vec<_> = seen.iter().zip(&whole).collect();
        assert_eq!(seen.len(), whole.len());
        assert!(both.iter().all(|(a, b)| a.time() == b.time()), "frames leave a trace");
        let behind = seen.iter().find(|seen| seen.time().secs_f64() > 20.0 + lost_s);
        let behind = behind.expect("beats go on");
        assert_eq!(behind.number("rr_ms").is_none(), is_gap, "{lost_s} s");
        let longest = seen.iter().filter_map(|seen| seen.number("rr_ms")).fold(0.0, f64::max);
        assert!(longest < 2_500.0, "{lost_s} s: {longest} ms");
        // The time line goes on where it was.
        for seen in &seen {
            let beat = seen.time().secs_f64();
            let nearest = truth.iter().map(|truth| (truth - beat).abs()).fold(1.0, f64::min);
            assert!(nearest < 0.005, "{lost_s} s: {beat} s is {nearest} s off");
        }
    }
}

#[test]
fn silence_of_more_than_three_seconds_is_no_interval() {
    let (mut samples, _) = heart(40);
    samples[20 * 250..30 * 250].fill(0.0);
    let mut qrs = bench();
    qrs.feed(&samples);
    qrs.flush();
    let seen = qrs.take();
    assert!(seen.iter().all(|seen| seen.number("rr_ms").is_none_or(|rr_ms| rr_ms <= 3_000.0)));
    assert!(seen.iter().any(|seen| seen.time().secs_f64() > 38.0), "beats go on");
}

#[test]
fn the_amplitude_is_that_of_r_in_the_recording() {
    let (samples, _) = heart(30);
    let mut qrs = bench();
    qrs.feed(&samples);
    qrs.flush();
    for seen in qrs.take() {
        let height = seen.number("amplitude").expect("told");
        assert!((height - 1.0).abs() < 0.1, "{height}");
    }
}

#[test]
fn a_rate_too_high_is_explained() {
    let problem = Bench::build(&KIND, 1e6, "").err().expect("refused").to_string();
    assert!(problem.contains("too many") && problem.contains("decimate"), "{problem}");
    assert!(Bench::build(&KIND, 192_000.0, "").is_ok());
}
