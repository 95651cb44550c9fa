use engine::{
    EventReader, FieldValue, Frame, Timestamp,
    testing::{Bench, Seen},
};

use super::*;
use crate::{biosignal::hrv, source::ppg};

/// Infrared, and when it truly peaks.
fn ppg(params: &str) -> (Vec<f32>, Vec<f64>) {
    let params = format!("seconds = 60.0\n{params}");
    let mut source = Bench::build(&ppg::KIND, 0.0, &params).expect("valid");
    while !source.pull(1_000) {}
    let (mut samples, mut truth) = (Vec::new(), Vec::new());
    for seen in source.take() {
        match seen.port {
            0 => samples.extend_from_slice(seen.frame.channel(0)),
            _ => truth.push(seen.time().secs_f64()),
        }
    }
    (samples, truth)
}

fn bench() -> Bench {
    Bench::build(&KIND, 100.0, "").expect("valid")
}

fn seen(bench: &mut Bench, samples: &[f32]) -> Vec<Seen> {
    bench.feed(samples);
    bench.flush();
    bench.take()
}

fn is_beat(seen: &Seen) -> bool {
    let event = EventReader::new(seen.format.as_event().expect("events"), &seen.frame);
    event.field(event.index("is_beat").expect("a field")) == Some(FieldValue::Bool(true))
}

fn off(time: Timestamp, truth: &[f64]) -> f64 {
    truth.iter().map(|truth| (truth - time.secs_f64()).abs()).fold(1.0, f64::min)
}

#[test]
fn a_pulse_is_stamped_with_its_peak_and_says_what_it_is_like() {
    let (samples, truth) = ppg("noise_share = 0.01");
    let mut pulse = bench();
    let seen = seen(&mut pulse, &samples);
    assert!(seen.len() + 2 >= truth.len(), "{} of {}", seen.len(), truth.len());
    for seen in &seen[3..] {
        // White noise of 0.01 of the pulse on a top with a bend of 1 / (0.1 s)², averaged over 40
        // ms.
        assert!(off(seen.time(), &truth) < 0.012, "{} s", seen.time().secs_f64());
        assert!(is_beat(seen) && seen.number("quality").expect("told") > 0.95);
        // 2 % of 1; the averages take a bend of 1 / (0.1 s)² off, 3 %, and the foot is not below
        // all.
        let amplitude = seen.number("amplitude").expect("told");
        assert!((amplitude / 0.02 - 1.0).abs() < 0.12, "{amplitude}");
        assert!(seen.number("skewness").expect("told") > 0.0);
    }
    assert_eq!(pulse.late(), 0);
}

#[test]
fn hrv_takes_pulses_as_beats() {
    let (samples, truth) = ppg("hrv_sdnn_ms = 40.0");
    let mut pulse = bench();
    let format = pulse.output(0).clone();
    let seen = seen(&mut pulse, &samples);
    let mut hrv = Bench::with(&hrv::KIND, &[("in", format)], "window_s = 60.0\nevery_s = 60.0")
        .expect("fits");
    for seen in seen {
        hrv.push(0, seen.frame);
        hrv.run();
    }
    hrv.flush();
    let values = hrv.take();
    let told = values.first().expect("a minute");
    let mean = told.number("mean_nn_ms").expect("told");
    let rr: Vec<f64> = truth.windows(2).map(|pair| 1e3 * (pair[1] - pair[0])).collect();
    let want = rr.iter().sum::<f64>() / rr.len() as f64;
    // The first two pulses are no beats: three intervals of some 70 are missing, each within three
    // deviations of 40 ms.
    assert!((mean - want).abs() < 6.0, "{mean} is not {want}");
    assert!(told.number("intervals").expect("told") as usize + 5 >= rr.len());
}

#[test]
fn a_sensor_that_fell_off_is_a_gap() {
    for lost in [f32::NAN, 0.0, 1.02] {
        let (mut samples, truth) = ppg("");
        samples[2_000..3_000].fill(lost);
        let mut whole = bench();
        let whole = seen(&mut whole, &samples);
        let mut pulse = bench();
        samples.chunks(7).for_each(|frame| drop(pulse.feed(frame)));
        pulse.flush();
        let parts = pulse.take();
        assert_eq!(parts.len(), whole.len(), "frames leave a trace");
        assert!(parts.iter().zip(&whole).all(|(a, b)| a.time() == b.time()), "{lost}");
        for seen in &parts {
            let time = seen.time().secs_f64();
            let is_near = !(19.7..30.5).contains(&time);
            assert!(!is_near || off(seen.time(), &truth) < 0.02, "{lost}: {time} s");
            assert!(!(20.9..30.0).contains(&time), "{lost}: a pulse at {time} s");
            assert!(seen.number("rr_ms").is_none_or(|rr_ms| rr_ms < 1_500.0), "{lost}");
        }
        let behind: Vec<&Seen> = parts.iter().filter(|s| s.time().secs_f64() > 30.0).collect();
        assert!(!is_beat(behind[0]) && !is_beat(behind[1]), "the form is learnt anew");
        assert!(behind.len() > 25 && is_beat(behind[3]));
    }
}

#[test]
fn a_few_nan_are_none() {
    let (mut samples, _) = ppg("");
    let want = seen(&mut bench(), &samples).len();
    samples[2_010..2_025].fill(f32::NAN);
    let got = seen(&mut bench(), &samples);
    assert!(got.len().abs_diff(want) <= 1);
    assert!(got.iter().skip(4).filter(|seen| !is_beat(seen)).count() <= 2);
}

#[test]
fn samples_that_are_missing_make_no_interval() {
    let (samples, _) = ppg("");
    let mut pulse = bench();
    samples[..2_000].chunks(20).for_each(|frame| drop(pulse.feed(frame)));
    for (n, frame) in samples[2_500..].chunks(20).enumerate() {
        let time = Timestamp::from_nanos((2_500 + 20 * n as i64) * 10_000_000);
        pulse.push(0, Frame::signal(time, 1, frame));
        pulse.run();
    }
    pulse.flush();
    let seen = pulse.take();
    assert!(seen.iter().all(|seen| seen.number("rr_ms").is_none_or(|rr_ms| rr_ms < 1_500.0)));
    let before = seen.iter().rfind(|seen| seen.time().secs_f64() < 20.0).expect("pulses");
    assert!(before.time().secs_f64() > 18.8, "the last pulses before the hole are told");
    assert_eq!(pulse.late(), 0);
}

#[test]
fn light_that_comes_back_is_turned_over() {
    let (samples, truth) = ppg("");
    let down: Vec<f32> = samples.iter().map(|sample| -sample).collect();
    let mut pulse = Bench::build(&KIND, 100.0, "polarity = \"down\"").expect("valid");
    let seen = seen(&mut pulse, &down);
    assert!(seen.len() + 2 >= truth.len());
    assert!(seen.iter().all(|seen| off(seen.time(), &truth) < 0.01));
}

#[test]
fn a_merge_waits_no_longer_than_for_the_next_pulse() {
    let (samples, _) = ppg("");
    let mut pulse = bench();
    for (n, frame) in samples.chunks(5).enumerate() {
        pulse.feed(frame);
        let now_s = (5 * (n + 1)) as f64 / 100.0;
        let behind_s = now_s - pulse.bound(0).secs_f64();
        // Half of 0.667 s and the filters when nothing is under way; a wave is 0.3 s, its form 0.4
        // s.
        assert!(n < 200 || behind_s < 1.0, "{behind_s} s behind at {now_s} s");
    }
}

#[test]
fn a_signal_without_a_pulse_is_told() {
    let mut pulse = bench();
    pulse.feed(&[1.0; 1_000]);
    assert_eq!(pulse.remark().as_deref(), Some("no pulse in 10.0 s of signal"));
}

#[test]
fn a_rate_too_low_or_too_high_is_explained() {
    let problem = |rate_hz| Bench::build(&KIND, rate_hz, "").err().expect("refused").to_string();
    let low = problem(20.0);
    assert!(low.contains("20 samples per second are too few to find pulses in"), "{low}");
    assert!(low.contains("bring a signal of at least 25 Hz"), "{low}");
    let high = problem(48_000.0);
    assert!(high.contains("too many") && high.contains("decimate"), "{high}");
}
