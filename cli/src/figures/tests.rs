use super::*;
use crate::local::message::{
    EdgeLook, EdgeShape, EnteredLook, NodeLook, NodeShape, SinkLook, StageLook, WorkLook,
};

fn shape() -> Shape {
    let node = |name: &str, is_source, rate_hz| NodeShape {
        name: name.to_owned(),
        is_source,
        rate_hz,
        stage: Some(0),
        ..NodeShape::default()
    };
    let edge = EdgeShape {
        from: "ecg".to_owned(),
        consumer: "out".to_owned(),
        capacity: Some(16),
        ..EdgeShape::default()
    };
    Shape {
        speed: Some(1.0),
        nodes: vec![node("ecg", true, Some(250.0)), node("out", false, None)],
        edges: vec![edge],
        reasons: vec!["full".to_owned(), "late".to_owned()],
        states: ["running", "paused", "done"].map(str::to_owned).to_vec(),
        ..Shape::default()
    }
}

/// At 250 samples a second in frames of five, or `hz` of them.
fn look(at_s: f64, samples: u64, steps: &[(u64, u64)]) -> Look {
    let frames = samples / 5;
    let entered = EnteredLook { frames, samples, gaps: 0 };
    let taken = frames - frames / 10;
    // A timer for each frame, and a hundredth of both was timed: a millisecond each.
    let work = WorkLook {
        frames: taken,
        timed: taken / 50,
        timed_ns: taken / 50 * 1_000_000,
        timed_frames: taken / 100,
    };
    let latency =
        LatencyLook { p50_ns: Some(1), p99_ns: Some(1), max_ns: Some(900), steps: steps.to_vec() };
    Look {
        at_s,
        sessions_open: 1,
        sessions_opened: 1,
        nodes: vec![
            NodeLook { entered: Some(entered), ..NodeLook::default() },
            NodeLook { mean_ns: Some(1e6), work: Some(work), ..NodeLook::default() },
        ],
        edges: vec![EdgeLook { sent: frames, taken, in_flight: 1, dropped: vec![frames / 10, 0] }],
        sinks: vec![SinkLook { node: "out".to_owned(), latency, ..SinkLook::default() }],
        ..Look::default()
    }
}

fn figures(looks: Vec<Look>) -> Figures {
    let mut history = History::default();
    looks.into_iter().for_each(|look| history.add(look));
    history.figures(&shape()).expect("there are looks")
}

#[test]
fn rates_are_those_of_the_last_seconds() {
    let looks = vec![look(10.0, 2_500, &[]), look(20.0, 2_500, &[]), look(26.0, 4_000, &[])];
    let now = figures(looks);
    assert_eq!(now.span_s, 6.0);
    assert_eq!(now.sources[0].measured_hz, Some(250.0));
    assert_eq!((now.sources[0].health, now.pace), ("well", Some(1.0)));
    assert_eq!(now.edges[0].frames_per_s, 50.0);
    assert_eq!((now.edges[0].dropped, now.edges[0].dropped_per_s), (80, 5.0));
    assert_eq!(now.edges[0].reasons, [("full".to_owned(), 80)]);
    assert_eq!(now.edges[0].capacity, Some(16));
    let node = &now.nodes[1];
    assert_eq!((node.frames_per_s, node.mean_us), (45.0, Some(1_000.0)));
    assert!((node.calls_per_s - 90.0).abs() < 1.5, "{node:?}");
    let share = node.core_share.expect("timed");
    assert!((share - 0.09).abs() < 1.5e-3, "{share}: timers take as long as frames");
    assert_eq!(now.nodes[0].frames_per_s, 50.0, "of a program that counts no calls");
}

#[test]
fn a_source_that_stops_or_drifts_is_seen() {
    let health = |looks| figures(looks).sources[0].health;
    assert_eq!(health(vec![look(1.0, 250, &[]), look(6.0, 250, &[])]), "silent");
    assert_eq!(health(vec![look(1.0, 250, &[]), look(1.5, 250, &[])]), "well", "not yet");
    assert_eq!(health(vec![look(1.0, 250, &[]), look(6.0, 1_250, &[])]), "slow");
    assert_eq!(health(vec![look(1.0, 250, &[]), look(6.0, 2_250, &[])]), "fast");
    let mut gappy = look(6.0, 1_500, &[]);
    gappy.nodes[0].entered.as_mut().expect("a source").gaps = 1;
    assert_eq!(health(vec![look(1.0, 250, &[]), gappy]), "gaps");
    let mut over = look(6.0, 1_500, &[]);
    over.sessions_open = 0;
    assert_eq!(health(vec![look(1.0, 250, &[]), over]), "ended");
}

#[test]
fn a_source_that_stands_still_because_it_was_asked_to_is_not_silent() {
    let health = |looks| figures(looks).sources[0].health;
    let paused = |mut look: Look| {
        look.stages = vec![StageLook { states: vec![0, 1, 0], ..StageLook::default() }];
        look
    };
    let still = paused(look(6.0, 250, &[]));
    assert_eq!(health(vec![look(1.0, 250, &[]), still.clone()]), "paused");
    // And goes on: the pause is a part of these seconds.
    assert_eq!(health(vec![still, look(12.0, 1_250, &[])]), "paused");
    assert_eq!(health(vec![look(1.0, 250, &[]), look(6.0, 250, &[])]), "silent");
}

#[test]
fn latency_of_late_is_that_of_what_was_counted_since() {
    let old = [(100, 1_000), (400, 1)];
    let new = [(100, 1_000), (200, 97), (400, 2), (800, 2)];
    let now = figures(vec![look(10.0, 2_500, &old), look(16.0, 4_000, &new)]);
    let lately = now.sinks[0].lately.expect("something came");
    assert_eq!(lately, Latency { p50_ns: 200, p99_ns: 800, max_ns: 800 });
    let idle = figures(vec![look(10.0, 2_500, &old), look(16.0, 2_500, &old)]);
    assert_eq!(idle.sinks[0].lately, None);
}
