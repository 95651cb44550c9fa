//! Sinks that wait and fail: at the end, for good, because their reader went away.

use engine::{FaultClass, Gap, Report, Running, Services};

use crate::{edge, failing::SOON, plan_with, start};

/// Forty frames of ten samples into a sink that fails.
fn run(name: &str, params: &str) -> Running {
    let text = format!(
        r#"
        [graph]
        name = "sinks"
        [node.count]
        op = "count"
        samples = 400
        [node.{name}]
        op = "failing_sink"
        from = "count"
        {params}
        "#
    );
    start(&plan_with(&text, Services::default()), 1)
}

fn ended(running: &Running) -> (Option<(String, FaultClass)>, Report) {
    let outcome = running.wait_for(SOON).expect("ends");
    let report = running.report();
    assert!(report.is_balanced(), "{:?}", report.edges);
    (outcome.fault.map(|(node, _, class)| (node, class)), report)
}

#[test]
fn an_end_that_cannot_be_written_is_a_failure() {
    let wanted = [("finish", FaultClass::Body), ("panic", FaultClass::Panic)];
    for (place, class) in wanted {
        let name = format!("end_{place}");
        let running = run(&name, &format!("place = \"{place}\""));

        let (fault, report) = ended(&running);
        assert_eq!(fault, Some((name.clone(), class)));
        assert_eq!(report.node(&name).expect("a node").restarts, 0);
    }
}

#[test]
fn what_a_reader_that_went_away_did_not_take_is_called_closed() {
    let running = run("closed", "place = \"closed\"\nat = 100");

    let (fault, _) = ended(&running);
    assert_eq!(fault, None);
    let frames = edge(&running, "count", "closed").frames;
    let dropped = |gap: Gap| {
        let at = Gap::ALL.iter().position(|&known| known == gap).expect("known");
        frames.dropped[at]
    };
    assert_eq!(frames.taken, 10);
    assert!(dropped(Gap::Closed) > 0, "{frames:?}");
    assert_eq!(dropped(Gap::Poison), 0, "{frames:?}");
}

#[test]
fn a_sink_that_holds_last_is_done_without() {
    let params = "place = \"take\"\nat = 100\ntimes = 1_000\nretries = 1\non_fault = \"hold_last\"";
    let running = run("without", params);

    let (fault, report) = ended(&running);
    assert_eq!(fault, None);
    assert_eq!(report.node("without").expect("a node").restarts, 1);
    assert_eq!(report.node("without").expect("a node").poison, 2);
    let frames = edge(&running, "count", "without").frames;
    assert_eq!((frames.taken, frames.dropped[2], frames.in_flight), (10, 30, 0));
    assert_eq!(Gap::ALL[2], Gap::Poison);
}
