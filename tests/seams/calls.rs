//! Calls: order, bound, deadline, fallback, failure.

use afferent_suite::kinds::{tallied, tally};
use engine::{
    Answer, Body, Call, Fault, FaultClass, Frame, Gap, Kind, Outline, Placement, Port, Reply,
    Running, Services,
    testing::{Bench, MockService, MockServiceKind},
};

use crate::{edge, failing::SOON, finish, plan_with, spec, start};

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

/// Answers each question at once, with what was asked half a frame before its moment and once more at it.
struct Back;

impl Call for Back {
    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let half = question.header.time.plus_nanos(-5_000_000);
        let buffer = || question.buffer().clone();
        reply.answer(Answer::nothing().and_at(0, half, buffer()).and(0, buffer()));
        Ok(())
    }
}

#[test]
fn an_answer_may_be_about_another_moment_than_its_question() {
    let mut bench = Bench::build(&BACK, 1_000.0, "").unwrap_or_else(|problem| panic!("{problem}"));
    for n in 0..5 {
        bench.push_samples(0, &[n as f32; 10]);
        bench.run();
    }
    bench.flush();

    let ms: Vec<i64> = bench.seen().iter().map(|seen| seen.time().nanos() / 1_000_000).collect();
    assert_eq!(ms, [-5, 0, 5, 10, 15, 20, 25, 30, 35, 40]);
    assert_eq!(bench.late(), 0);
}

static BACK: Kind = Kind {
    name: "back",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    placement: Placement::Asks,
    plan: |node| Ok(Outline::of([node.input("in").clone()]).looking_back(5_000_000)),
    build: |_| Ok(Body::call(Back)),
    ..Kind::BASE
};

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
    assert_eq!((frames.sent, frames.taken, frames.dropped[2]), (40, 30, 10));
    assert_eq!(Gap::ALL[2], Gap::Poison);
    let (samples, headers) = tallied("failure");
    let there = (0..400).filter(|n| n / 10 % 4 != 3);
    assert_eq!(samples, there.map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    // Each of the ten is followed by an answer that says so, but for the last.
    let gaps = headers.iter().filter(|(_, gap)| *gap == Some(Gap::Poison)).count();
    assert_eq!(gaps, 9);
    assert_eq!(running.report().node("ask").expect("a node").restarts, 0);
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

#[test]
fn what_comes_too_late_without_fallback_is_dropped_as_late() {
    let (running, _) = ask("too_late", "after_ms = [0.0, -1.0]\nwithin_ms = 5.0\nin_flight = 40");

    let frames = edge(&running, "count", "ask").frames;
    assert_eq!((frames.sent, frames.taken, frames.dropped[1]), (40, 20, 20));
    assert_eq!(Gap::ALL[1], Gap::Late);
}

/// Forty frames of ten samples through a call that fails from sample 100 on.
fn failing(name: &str, from: &str, params: &str) -> Running {
    let text = format!(
        r#"
        [graph]
        name = "failing"
        [node.count]
        {from}
        [node.ask_{name}]
        op = "failing_call"
        from = "count"
        at = 100
        {params}
        [node.{name}]
        op = "tally"
        from = "ask_{name}"
        "#
    );
    start(&plan_with(&text, Services::default()), 1)
}

const COUNT: &str = "op = \"count\"\nsamples = 400";

/// The first sample of every frame, and the gaps with their place.
fn heard(name: &str) -> (Vec<i64>, Vec<(usize, Gap)>) {
    let frames = tally(name);
    let gaps =
        frames.iter().enumerate().filter_map(|(n, (_, frame))| Some((n, frame.header.gap.get()?)));
    let firsts = frames.iter().map(|(_, frame)| frame.samples()[0] as i64).collect();
    (firsts, gaps.collect())
}

#[test]
fn a_call_that_dies_loses_the_question_it_died_on() {
    for place in ["ask", "refuses", "fallback"] {
        let name = format!("dies_{place}");
        let running = failing(&name, COUNT, &format!("place = \"{place}\"\nin_flight = 3"));
        finish(&running);

        let (firsts, gaps) = heard(&name);
        let want = (0..40).filter(|&n| n != 10).map(|n| 10 * n);
        assert_eq!(firsts, want.collect::<Vec<_>>(), "{place}");
        assert_eq!(gaps, [(10, Gap::Restart)], "{place}");
        let node = running.report().node(&format!("ask_{name}")).expect("a node").clone();
        assert_eq!((node.restarts, node.poison), (1, 1), "{place}");
    }
}

#[test]
fn a_call_that_does_not_know_its_bound_is_put_in_anew() {
    let running = failing("no_bound", COUNT, "place = \"in_flight\"");
    finish(&running);

    assert_eq!(heard("no_bound").0.len(), 39);
    assert_eq!(running.report().node("ask_no_bound").expect("a node").restarts, 1);
}

#[test]
fn a_call_that_cannot_be_built_for_a_while_is_built_later() {
    let running = failing("later", COUNT, "place = \"ask\"\nunbuilt = 2");
    finish(&running);

    let (firsts, gaps) = heard("later");
    let want = (0..40).filter(|&n| n != 10).map(|n| 10 * n);
    assert_eq!(firsts, want.collect::<Vec<_>>());
    assert_eq!(gaps, [(10, Gap::Restart)]);
    let node = running.report().node("ask_later").expect("a node").clone();
    assert_eq!((node.restarts, node.poison), (1, 1));
}

#[test]
fn a_call_that_cannot_be_built_does_what_its_node_says() {
    let unbuilt = |policy: &str| {
        let name = format!("unbuilt_{policy}");
        let never = "place = \"ask\"\nunbuilt = 1_000\nretries = 1";
        let running = failing(&name, COUNT, &format!("{never}\non_fault = \"{policy}\""));
        (running, name)
    };

    let (running, name) = unbuilt("stop");
    let (node, what, _) = running.wait_for(SOON).expect("ends").fault.expect("a fault");
    assert_eq!(node, "ask_unbuilt_stop");
    assert_eq!(what, "cannot be built again: there is no model");
    assert_eq!(heard(&name).0, (0..10).map(|n| 10 * n).collect::<Vec<_>>());

    let (running, name) = unbuilt("bypass");
    finish(&running);
    // The question that the body died on, and none for the build.
    assert_eq!(heard(&name).0, (0..40).filter(|&n| n != 10).map(|n| 10 * n).collect::<Vec<_>>());
    let node = running.report().node("ask_unbuilt_bypass").expect("a node").clone();
    assert_eq!((node.restarts, node.poison), (0, 1));
}

#[test]
fn a_call_that_keeps_dying_does_what_its_node_says() {
    let dies = |policy: &str| {
        let often = "place = \"ask\"\ntimes = 1_000\nretries = 1";
        failing(policy, COUNT, &format!("{often}\non_fault = \"{policy}\""))
    };

    let running = dies("stop");
    let (node, _, class) = running.wait_for(SOON).expect("ends").fault.expect("a fault");
    assert_eq!((node.as_str(), class), ("ask_stop", FaultClass::Panic));
    assert_eq!(heard("stop").0, (0..10).map(|n| 10 * n).collect::<Vec<_>>());

    finish(&dies("hold_last"));
    let (firsts, gaps) = heard("hold_last");
    // Ten answers, two questions lost, then the tenth again and again.
    assert_eq!(firsts, (0..38).map(|n| 10 * n.min(9)).collect::<Vec<_>>());
    assert_eq!(gaps, [(10, Gap::Restart)]);

    finish(&dies("bypass"));
    let (firsts, gaps) = heard("bypass");
    let want = (0..40).filter(|&n| n != 10 && n != 11).map(|n| 10 * n);
    assert_eq!(firsts, want.collect::<Vec<_>>());
    assert_eq!(gaps, [(10, Gap::Restart)]);
}

#[test]
fn a_question_whose_answer_fails_is_asked_again() {
    for (retries, lost) in [(2, 0), (1, 1)] {
        let name = format!("again_{retries}");
        let params = format!("place = \"answer\"\ntimes = 2\nretries = {retries}");
        let running = failing(&name, COUNT, &params);
        finish(&running);

        assert_eq!(heard(&name).0.len(), 40 - lost);
        let ask = format!("ask_{name}");
        assert_eq!(edge(&running, "count", &ask).frames.dropped[2], lost as u64);
        assert_eq!(running.report().node(&ask).expect("a node").restarts, 0);
    }
}

#[test]
fn a_question_need_not_wait_for_the_answer_to_another() {
    // Each answer waits for the next question, which the device asks later.
    let running =
        failing("pipelined", "op = \"device\"\nframes = 10", "place = \"waits\"\nin_flight = 2");
    finish(&running);

    assert_eq!(heard("pipelined").0, (0..10).map(|n| 10 * n).collect::<Vec<_>>());
}

#[test]
fn the_delay_of_a_call_is_subtracted() {
    finish(&failing("delayed", COUNT, "delay_ms = 5.0"));

    let (_, headers) = tallied("delayed");
    let times: Vec<i64> = headers.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (0..40).map(|n| n * 10_000_000 - 5_000_000).collect::<Vec<i64>>());
}
