//! Calls: order, bound, deadline, fallback, failure.

use afferent_suite::kinds::{tallied, tally};
use engine::{
    Gap, Services,
    testing::{MockService, MockServiceKind},
};

use crate::{edge, finish, plan_with, spec, start};

/// Forty frames of ten samples through a call with these parameters.
fn ask(name: &str, params: &str) -> (engine::Running, MockService) {
    let text = format!(
        r#"
        [graph]
        name = "calls"
        [model.m]
        file = "{name}"
        [node.count]
        op = "count"
        samples = 400
        [node.ask]
        op = "mock_call"
        from = "count"
        service = "m"
        gain = 2.0
        {params}
        [node.{name}]
        op = "tally"
        from = "ask"
        "#
    );
    let services = Services::open(&MockServiceKind::default(), &spec(&text).models);
    let services = services.expect("valid sections");
    let service = services.find::<MockService>("m").expect("open").clone();
    let running = start(&plan_with(&text, services), 1);
    finish(&running);
    (running, service)
}

#[test]
fn answers_keep_the_order_of_the_questions() {
    // The first of every four comes last.
    let (running, service) = ask("order", "after_ms = [8.0, 0.0, 4.0, 0.0]\nin_flight = 4");

    let (samples, headers) = tallied("order");
    assert_eq!(samples, (0..400).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    let times: Vec<i64> = headers.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (0..40).map(|n| n * 10_000_000).collect::<Vec<i64>>());
    assert!(headers.iter().all(|(_, gap)| gap.is_none()));
    assert_eq!(edge(&running, "count", "ask").frames.taken, 40);
    assert_eq!(service.asked(), 40);
}

#[test]
fn no_more_questions_are_open_than_allowed() {
    for in_flight in [1, 3] {
        let name = format!("open_{in_flight}");
        let params = format!("after_ms = [1.0, 3.0]\nin_flight = {in_flight}");
        let (_, service) = ask(&name, &params);

        assert_eq!(service.open_max(), in_flight);
        assert_eq!(tally(&name).len(), 40);
    }
}

#[test]
fn what_does_not_come_in_time_gets_the_fallback() {
    let params = "after_ms = [0.0, -1.0]\nwithin_ms = 20.0\nin_flight = 40\nfallback = -1.0";
    let (running, _) = ask("fallback", params);

    let (samples, headers) = tallied("fallback");
    let want = (0..400).map(|n| if n / 10 % 2 == 0 { 2.0 * n as f32 } else { -1.0 });
    assert_eq!(samples, want.collect::<Vec<_>>());
    assert!(headers.iter().all(|(_, gap)| gap.is_none()));
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 0);
}

#[test]
fn a_deadline_counts_from_the_question() {
    let params = "after_ms = [-1.0]\nwithin_ms = 100.0\nin_flight = 40\nfallback = 0.0";
    let (running, _) = ask("together", params);

    // One after the other they would take four seconds.
    assert!(running.report().lasted_ns < 2_000_000_000);
    assert_eq!(tally("together").len(), 40);
}

#[test]
fn a_failure_without_fallback_is_dropped_and_counted_and_told() {
    let (running, _) = ask("failure", "fails_every = 4\nin_flight = 3");

    let frames = edge(&running, "count", "ask").frames;
    assert_eq!((frames.sent, frames.taken, frames.dropped[1]), (40, 30, 10));
    assert_eq!(Gap::ALL[1], Gap::Late);
    let (samples, headers) = tallied("failure");
    let there = (0..400).filter(|n| n / 10 % 4 != 3);
    assert_eq!(samples, there.map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    // Each of the ten is followed by an answer that says so, but for the last.
    let gaps = headers.iter().filter(|(_, gap)| *gap == Some(Gap::Late)).count();
    assert_eq!(gaps, 9);
}

#[test]
fn a_call_gets_the_channels_it_picks() {
    let text = r#"
        [graph]
        name = "picks"
        [node.sine]
        op = "sine"
        seconds = 0.2
        channels = 2
        offset = 3.0
        [node.ask]
        op = "mock_call"
        from = "sine[1]"
        [node.picks]
        op = "tally"
        from = ["ask", "sine[1]"]
        "#;
    let running = start(&plan_with(text, Services::default()), 1);
    finish(&running);

    let frames = tally("picks");
    let line = |wanted: usize| {
        let frames = frames.iter().filter(move |(line, _)| *line == wanted);
        frames.flat_map(|(_, frame)| frame.samples().to_vec()).collect::<Vec<f32>>()
    };
    assert_eq!(line(0).len(), 50);
    assert_eq!(line(0), line(1));
}
