use engine::{EventReader, EventWriter, Frame, Header, testing::Bench};

use super::*;

const RATE_HZ: f64 = 250.0;

fn beats() -> Format {
    Format::event(vec![Field::f64("rr_ms")], 10.0)
}

/// A millivolt of R at each of the beats, and a little of noise.
fn ecg(beats_s: &[f64], seconds: f64) -> Vec<f32> {
    let sample = |n: usize| {
        let now_s = n as f64 / RATE_HZ;
        let bell = |beat_s: &f64| (-0.5 * ((now_s - beat_s) / 0.012).powi(2)).exp();
        let noise = ((n * 7_919 + n * n * 13) % 1_009) as f64 / 1_009.0 - 0.5;
        (beats_s.iter().map(bell).sum::<f64>() + 0.05 * noise) as f32
    };
    (0..(seconds * RATE_HZ) as usize).map(sample).collect()
}

/// What is told of beats that come 0.22 s behind R, with the ECG in frames of `frame_ms`.
fn told(beats_s: &[f64], ecg: &[f32], frame_ms: usize) -> Vec<engine::testing::Seen> {
    let inputs = [("beats", beats()), ("ecg", Bench::channels(1, RATE_HZ))];
    let mut bench = Bench::with(&KIND, &inputs, "").expect("valid");
    let mut next = beats_s.iter().copied().peekable();
    let mut last = None;
    let mut samples = 0;
    for part in ecg.chunks(frame_ms * RATE_HZ as usize / 1_000) {
        bench.push_samples(1, part);
        samples += part.len();
        let now_s = samples as f64 / RATE_HZ;
        while let Some(beat_s) = next.next_if(|beat_s| beat_s + 0.22 < now_s) {
            let rr_ms = last.replace(beat_s).map(|last| (beat_s - last) * 1e3);
            let format = beats();
            let event = EventWriter::new(format.as_event().expect("events"));
            let time = Timestamp::from_nanos((beat_s * 1e9).round() as i64);
            let event = event.f64_or_absent(0, rr_ms.filter(|rr_ms| *rr_ms < 3_000.0)).finish();
            bench.push(0, Frame::new(Header::at(time), event));
        }
        bench.promise(0, Timestamp::from_nanos(((now_s - 0.22) * 1e9) as i64));
        bench.run();
    }
    bench.flush();
    bench.take()
}

fn every(interval_s: f64, beats: usize) -> Vec<f64> {
    (0..beats).map(|n| 0.5 + interval_s * n as f64).collect()
}

#[test]
fn a_beat_is_told_at_its_time_however_the_ecg_is_cut() {
    let mut beats_s = every(0.8, 30);
    beats_s[20] -= 0.3;
    let ecg = ecg(&beats_s, 25.0);
    let want = told(&beats_s, &ecg, 20);
    assert_eq!(want.len(), 30);
    for (seen, beat_s) in want.iter().zip(&beats_s) {
        assert_eq!(seen.time().nanos(), (beat_s * 1e9).round() as i64);
    }
    let letters: String = want.iter().filter_map(|seen| seen.text("class")).collect();
    assert_eq!(&letters[1..], format!("{}S{}", "N".repeat(19), "N".repeat(9)));
    for frame_ms in [4, 100, 3_000, 25_000] {
        let got = told(&beats_s, &ecg, frame_ms);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got.frame.buffer().bytes(), want.frame.buffer().bytes(), "{frame_ms} ms");
        }
    }
}

#[test]
fn a_long_interval_is_a_pause_unless_the_ecg_was_lost() {
    let is_pause = |lost: fn(f64, f32) -> f32| -> Vec<bool> {
        let mut beats_s = every(0.8, 10);
        beats_s.extend(every(0.8, 10).iter().map(|beat_s| beat_s + 7.2 + 3.4));
        let mut ecg = ecg(&beats_s, 20.0);
        for (n, x) in ecg.iter_mut().enumerate() {
            *x = lost(n as f64 / RATE_HZ, *x);
        }
        let seen = told(&beats_s, &ecg, 40);
        let read = |seen: &engine::testing::Seen| {
            let event = EventReader::new(seen.format.as_event().expect("events"), &seen.frame);
            event.field(4) == Some(FieldValue::Bool(true))
        };
        seen.iter().map(read).collect()
    };
    let mut want = vec![false; 20];
    assert_eq!(is_pause(|t, x| if (9.0..10.5).contains(&t) { f32::NAN } else { x }), want);
    assert_eq!(is_pause(|t, x| if (8.4..10.6).contains(&t) { 0.7 } else { x }), want);
    want[10] = true;
    assert_eq!(is_pause(|_, x| x), want);
    assert_eq!(is_pause(|t, x| if (9.0..9.2).contains(&t) { f32::NAN } else { x }), want);
}

#[test]
fn what_is_no_beat_is_passed_over() {
    let format = Format::event(vec![Field::bool("is_beat")], 10.0);
    let inputs = [("beats", format.clone()), ("ecg", Bench::channels(1, RATE_HZ))];
    let mut bench = Bench::with(&KIND, &inputs, "").expect("valid");
    for (ms, is_beat) in [(500, true), (900, false), (1_300, true)] {
        let event = EventWriter::new(format.as_event().expect("events")).bool(0, is_beat);
        let time = Timestamp::from_nanos(ms * 1_000_000);
        bench.push(0, Frame::new(Header::at(time), event.finish()));
    }
    bench.push_samples(1, &ecg(&[0.5, 0.9, 1.3], 2.0));
    bench.flush();
    let seen = bench.take();
    let rr: Vec<Option<f64>> = seen.iter().map(|seen| seen.number("rr_ms")).collect();
    assert_eq!(rr, [None, Some(800.0)]);
}
