use engine::{
    Rate,
    testing::{Bench, Seen},
};

use super::*;

const RATE_HZ: f64 = 250.0;

fn bench(channels: usize, unit: &str, params: &str) -> Bench {
    let rate = Rate::new(RATE_HZ).expect("a rate");
    let format = Format::signal(channels, Unit::named(unit), rate, 4_096);
    Bench::with(&KIND, &[("in", format)], params).unwrap_or_else(|told| panic!("{told}"))
}

/// A wave of 10 µV peak to peak on every channel.
fn quiet(channels: usize, len: usize) -> Vec<f32> {
    let wave = |n: usize| 5.0 * (std::f32::consts::TAU * 0.04 * n as f32).sin();
    (0..channels).flat_map(|_| (0..len).map(wave)).collect()
}

fn port(seen: &[Seen], port: usize, channel: usize) -> Vec<f32> {
    let frames = seen.iter().filter(|seen| seen.port == port);
    frames.flat_map(|seen| seen.frame.channel(channel).to_vec()).collect()
}

/// Milliseconds, what, channel, reason and length of every event.
fn events(seen: &[Seen]) -> Vec<(f64, String, String, String, Option<f64>)> {
    let text = |seen: &Seen, field| seen.text(field).expect("present").to_owned();
    let event = |seen: &Seen| {
        let ms = seen.time().nanos() as f64 / 1e6;
        let words = ["what", "channel", "reason"].map(|field| text(seen, field));
        let [what, channel, reason] = words;
        (ms, what, channel, reason, seen.number("for_ms"))
    };
    seen.iter().filter(|seen| seen.port == 2).map(event).collect()
}

#[test]
fn a_pop_is_taken_out_from_before_until_after() {
    let mut samples = quiet(2, 1_000);
    samples[500] = 400.0;
    let params = "before_ms = 40.0\nafter_ms = 100.0\nwindow_s = 0.1\nmuscle_uv = 0.0";
    let mut reject = bench(2, "uV", params);
    reject.feed(&samples);
    reject.flush();
    let seen = reject.take();

    // Steep at 500 and 501, and within the window of 25 samples until 524; blinks ring on.
    let (first, other) = (port(&seen, 0, 0), port(&seen, 0, 1));
    assert_eq!((seen[0].time().nanos(), first.len()), (0, 1_000));
    let lost: Vec<usize> = (0..1_000).filter(|&n| first[n].is_nan()).collect();
    assert_eq!(lost[0], 490, "40 ms are 10 samples");
    let last = *lost.last().expect("some");
    assert!((524 + 25..600).contains(&last) && lost.len() == last - 490 + 1, "{lost:?}");
    assert_eq!(other, samples[1_000..], "the other channel is as it was");
    assert!((0..1_000).all(|n| lost.contains(&n) || first[n] == samples[n]));

    let marks = port(&seen, 1, 0);
    assert_eq!(marks[490], 12.0, "swing and gradient");
    assert!((0..1_000).all(|n| (marks[n] > 0.0) == lost.contains(&n)));
    let events = events(&seen);
    assert_eq!(events.len(), 2);
    let (began, ended) = (&events[0], &events[1]);
    assert_eq!((began.0, began.1.as_str(), began.2.as_str()), (1_960.0, "begin", "0"));
    assert_eq!((began.3.as_str(), began.4), ("swing gradient", None));
    assert_eq!(ended.0, began.0 + 4.0 * lost.len() as f64);
    assert_eq!(ended.4, Some(4.0 * lost.len() as f64));
    assert!(ended.1 == "end" && ended.3.starts_with("swing gradient"), "{ended:?}");
}

#[test]
fn together_one_bad_channel_rejects_all_and_holding_keeps_the_last_good() {
    let mut samples = quiet(2, 1_000);
    samples[1_500] = 400.0;
    let mut reject = bench(2, "uV", "scope = \"all\"\naction = \"hold\"\nblink_uv = 0.0");
    reject.feed(&samples);
    reject.flush();
    let seen = reject.take();

    // 0.5 s of swing and 0.3 s after it, from sample 500 on.
    let held = port(&seen, 0, 0);
    assert!((500..700).all(|n| held[n] == samples[499]), "{:?}", &held[498..510]);
    assert_eq!(held[700..], samples[700..1_000]);
    let events = events(&seen);
    assert!(events.iter().all(|event| event.2 == "all") && events.len() == 2);
}

#[test]
fn millivolts_are_a_thousand_microvolts_and_metres_are_none() {
    let samples: Vec<f32> = quiet(1, 1_000).into_iter().map(|x| x / 1e3).collect();
    let mut reject = bench(1, "mV", "");
    let output = reject.feed(&samples);
    assert_eq!(output, samples);
    // In microvolts it would be flat: 0.01 of them peak to peak.
    assert!(bench(1, "uV", "").feed(&samples).iter().any(|x| x.is_nan()));

    let format = Format::signal(1, Unit::named("g"), Rate::new(RATE_HZ).expect("one"), 64);
    let problem = Bench::with(&KIND, &[("in", format)], "").err().expect("refused").to_string();
    assert!(problem.contains("`0` is in g, not in volts"), "{problem}");
}

#[test]
fn what_is_missing_is_rejected_and_a_mark_changes_nothing() {
    let mut samples = quiet(1, 600);
    samples[300] = f32::NAN;
    let mut reject = bench(1, "uV", "action = \"mark\"\nafter_ms = 20.0");
    let output = reject.feed(&samples);
    assert!(output[300].is_nan() && output.iter().filter(|x| x.is_nan()).count() == 1);
    let marks = port(&reject.take(), 1, 0);
    let marked: Vec<usize> = (0..600).filter(|&n| marks[n] == 128.0).collect();
    assert_eq!(marked, (300..306).collect::<Vec<_>>());
}

#[test]
fn less_than_the_delay_comes_out_all_the_same() {
    let samples = quiet(1, 7);
    let mut reject = bench(1, "uV", "before_ms = 100.0");
    reject.feed(&samples);
    assert_eq!(reject.flush(), samples);
}
