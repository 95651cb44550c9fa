use engine::testing::{Bench, Seen};

use super::*;
use crate::source::respiration;

/// Breathing, and where each breath truly ends.
fn breathing(params: &str) -> (Vec<f32>, Vec<Seen>) {
    let params = format!("seconds = 120.0\n{params}");
    let mut source = Bench::build(&respiration::KIND, 0.0, &params).expect("valid");
    while !source.pull(1_000) {}
    let (samples, truth): (Vec<Seen>, Vec<Seen>) =
        source.take().into_iter().partition(|seen| seen.port == 0);
    (samples.iter().flat_map(|seen| seen.frame.samples().to_vec()).collect(), truth)
}

fn bench() -> Bench {
    Bench::build(&KIND, 25.0, "").expect("valid")
}

#[test]
fn a_breath_is_told_as_the_truth_tells_it() {
    let (samples, truth) = breathing("noise_share = 0.01");
    let mut breath = bench();
    samples.chunks(3).for_each(|frame| drop(breath.feed(frame)));
    breath.flush();
    let seen = breath.take();
    // The breath that had begun before the signal has no low, and the last is not behind yet.
    assert!(seen.len() + 2 >= truth.len(), "{} of {}", seen.len(), truth.len());
    for seen in &seen {
        let distance = |truth: &&Seen| truth.time().since(seen.time()).abs();
        let truth = truth.iter().min_by_key(distance).expect("some");
        // A low is flat: noise of 0.01 moves it by √(2 · 0.01 / 5) of a breathing in of 1.6 s,
        // which is 1 rad of its cosine a half second: 0.1 s.
        assert!(distance(&truth) < 120_000_000, "{} s", seen.time().secs_f64());
        let near = |field: &str, part: f64| {
            let (got, want) =
                (seen.number(field).expect("told"), truth.number(field).expect("told"));
            assert!((got / want - 1.0).abs() < part, "{field}: {got} is not {want}");
        };
        near("rate_bpm", 0.08);
        near("inspiration_s", 0.2);
        near("expiration_s", 0.2);
        near("depth", 0.06);
    }
    assert_eq!(breath.late(), 0);
}

#[test]
fn what_is_missing_makes_no_breath() {
    let (mut samples, _) = breathing("");
    samples[1_000..1_250].fill(f32::NAN);
    let mut breath = bench();
    breath.feed(&samples);
    breath.flush();
    let seen = breath.take();
    assert!(seen.iter().all(|seen| seen.number("rate_bpm").expect("told") > 9.0));
    assert!(seen.iter().any(|seen| seen.time().secs_f64() > 110.0), "it goes on");
    let far = seen.iter().find(|seen| seen.time().secs_f64() > 50.0).expect("behind the gap");
    let length_s = 60.0 / far.number("rate_bpm").expect("told");
    assert!(far.time().secs_f64() - length_s > 49.9, "a breath begins behind the gap");
}

#[test]
fn the_bound_follows_breathing_in() {
    let (samples, _) = breathing("");
    let mut breath = bench();
    let mut worst: f64 = 0.0;
    for (n, frame) in samples.chunks(5).enumerate() {
        breath.feed(frame);
        let now_s = (5 * (n + 1)) as f64 / 25.0;
        if now_s > 20.0 {
            worst = worst.max(now_s - breath.bound(0).secs_f64());
        }
    }
    // Breathing in, the next low lies behind the high; breathing out, where the signal is. Between,
    // a high is told after 0.3 of the way out.
    assert!(worst < 2.5, "{worst} s behind");
}

#[test]
fn the_depth_carries_the_unit() {
    let rate = engine::Rate::new(25.0).expect("a rate");
    let input = engine::Format::signal(1, engine::Unit::MILLIVOLT, rate, 100);
    let breath = Bench::with(&KIND, &[("in", input)], "").expect("valid");
    let fields = &breath.output(0).as_event().expect("events").fields;
    assert!(fields.iter().any(|field| field.name == "depth_mv"), "{fields:?}");
}

#[test]
fn a_rate_too_low_is_explained() {
    let problem = Bench::build(&KIND, 1.0, "").err().expect("refused").to_string();
    assert!(problem.contains("1 samples per second are too few to find breaths in"), "{problem}");
}
