use engine::testing::{Bench, Seen};

use super::*;
use engine::Header;

fn beats() -> Format {
    Format::event(vec![Field::f64("rr_ms"), Field::text("class", 4)], 10.0)
}

fn beat(ms: i64, rr_ms: f64, class: &str) -> Frame {
    let format = beats();
    let event = EventWriter::new(format.as_event().expect("events")).f64(0, rr_ms).text(1, class);
    Frame::new(Header::at(Timestamp::from_nanos(ms * 1_000_000)), event.finish())
}

fn bench(with: Format, params: &str) -> Bench {
    let ports = [("in", beats()), ("with", with)];
    Bench::with(&KIND, &ports, params).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Moment in milliseconds, own number, that of the partner, and its offset.
type Row = (i64, Option<f64>, Option<f64>, Option<f64>);

fn rows(seen: &[Seen], other: &str) -> Vec<Row> {
    let row = |seen: &Seen| {
        let ms = seen.time().nanos() / 1_000_000;
        (ms, seen.number("rr_ms"), seen.number(other), seen.number("offset_ms"))
    };
    seen.iter().map(row).collect()
}

fn joined(params: &str, ins: &[(i64, &str)], withs: &[(i64, &str)]) -> Vec<Row> {
    let mut bench = bench(beats(), params);
    ins.iter().for_each(|(ms, class)| bench.push(0, beat(*ms, *ms as f64, class)));
    withs.iter().for_each(|(ms, class)| bench.push(1, beat(*ms, *ms as f64 + 0.5, class)));
    bench.flush();
    assert_eq!(bench.late(), 0);
    rows(&bench.take(), "with_rr_ms")
}

#[test]
fn the_nearest_within_reach_belongs_to_an_event() {
    let ins = [(100, "N"), (900, "N"), (1_800, "N")];
    let withs = [(130, "N"), (160, "N"), (850, "N"), (950, "N"), (1_700, "N")];
    let got = joined("tolerance_ms = 60.0", &ins, &withs);
    let want = [
        (100, Some(100.0), Some(130.5), Some(30.0)),
        // Both are as near: the earlier.
        (900, Some(900.0), Some(850.5), Some(-50.0)),
        (1_800, Some(1_800.0), None, None),
    ];
    assert_eq!(got, want);
    assert_eq!(joined("tolerance_ms = 60.0\nalone = \"drop\"", &ins, &withs), want[..2]);
}

#[test]
fn a_response_lies_behind_its_stimulus() {
    let withs = [(90, "N"), (150, "N"), (1_000, "N"), (1_850, "N")];
    let ins = [(100, "N"), (1_000, "N"), (1_900, "N")];
    let offsets = |side: &str| {
        let rows = joined(&format!("tolerance_ms = 60.0\nside = {side:?}"), &ins, &withs);
        rows.iter().map(|row| row.3).collect::<Vec<_>>()
    };
    assert_eq!(offsets("after"), [Some(50.0), Some(0.0), None]);
    assert_eq!(offsets("before"), [Some(-10.0), Some(0.0), Some(-50.0)]);
    assert_eq!(offsets("both"), [Some(-10.0), Some(0.0), Some(-50.0)]);
}

#[test]
fn a_key_must_be_the_same() {
    let withs = [(110, "V"), (150, "N")];
    let got = joined("tolerance_ms = 60.0\nkey = \"class\"", &[(100, "N")], &withs);
    assert_eq!(got, [(100, Some(100.0), Some(150.5), Some(50.0))]);
}

#[test]
fn an_event_waits_until_nothing_nearer_can_come_and_no_longer() {
    let mut bench = bench(beats(), "tolerance_ms = 60.0");
    bench.push(0, beat(100, 1.0, "N"));
    bench.push(1, beat(90, 2.0, "N"));
    bench.promise(0, Timestamp::from_nanos(1_000_000_000));
    bench.promise(1, Timestamp::from_nanos(160_000_000));
    bench.run();
    assert_eq!(bench.take().len(), 0, "one at 160 ms would be 60 ms away");
    bench.promise(1, Timestamp::from_nanos(160_000_001));
    bench.run();
    assert_eq!(rows(&bench.take(), "with_rr_ms"), [(100, Some(1.0), Some(2.0), Some(-10.0))]);
}

#[test]
fn a_signal_is_taken_at_the_moment_of_the_event() {
    let signal = Bench::channels(2, 100.0);
    // Channels 0 and 1 at 0, 10, 20, 30 ms.
    let samples = [0.0, 10.0, 20.0, 30.0, 5.0, 5.0, f32::NAN, 9.0];
    for (policy, want, offset_ms) in [("linear", 22.0, -2.0), ("nearest", 20.0, -2.0)] {
        let params = format!("tolerance_ms = 50.0\npolicy = \"{policy}\"");
        let mut bench = bench(signal.clone(), &params);
        bench.push(0, beat(2, 1.0, "N"));
        bench.push(0, beat(22, 2.0, "N"));
        let fine = samples.map(|sample| if sample.is_nan() { 7.0 } else { sample });
        bench.push_samples(1, &fine);
        bench.flush();
        let seen = bench.take();
        assert_eq!(seen[1].number("0"), Some(want), "{policy}");
        assert_eq!(seen[1].number("offset_ms"), Some(offset_ms));
        assert_eq!(seen[0].number("1"), Some(5.0));
    }
    let mut bench = bench(signal, "tolerance_ms = 50.0");
    bench.push(0, beat(20, 1.0, "N"));
    bench.push_samples(1, &samples);
    bench.flush();
    // At 20 ms one channel is no number: a line from 10 to 30 ms.
    let seen = bench.take();
    assert_eq!((seen[0].number("0"), seen[0].number("1")), (Some(20.0), Some(7.0)));
}

#[test]
fn frames_of_the_signal_leave_no_trace() {
    let of = |len: usize| {
        let mut bench = bench(Bench::channels(1, 130.0), "tolerance_ms = 30.0");
        let samples: Vec<f32> = (0..1_300).map(|n| (n as f32 * 0.1).sin()).collect();
        let mut next = 0;
        for (n, part) in samples.chunks(len).enumerate() {
            while next * 333 < (n * len * 1_000 / 130) as i64 {
                bench.push(0, beat(next * 333, 0.0, "N"));
                next += 1;
            }
            bench.push_samples(1, part);
            bench.run();
        }
        bench.flush();
        bench.take().iter().map(|seen| seen.number("0").map(f64::to_bits)).collect::<Vec<_>>()
    };
    let (one, other) = (of(7), of(100));
    assert_eq!(one[..25], other[..25]);
    assert!(one[..25].iter().all(Option::is_some));
}

#[test]
fn what_cannot_be_joined_is_told() {
    let refused = |with: Format, params: &str| {
        let ports = [("in", beats()), ("with", with)];
        Bench::with(&KIND, &ports, params).err().expect("refused").to_string()
    };
    let problem = refused(beats(), "tolerance_ms = 1.0\nkey = \"id\"");
    assert!(problem.contains("not both streams have a field `id`"), "{problem}");
    let problem = refused(Bench::channels(1, 1.0), "tolerance_ms = 1.0\nkey = \"class\"");
    assert!(problem.contains("a signal has no key"), "{problem}");
    let problem = refused(Bench::channels(70, 1.0), "tolerance_ms = 1.0");
    assert!(problem.contains("an event would have 73 fields"), "{problem}");
}
