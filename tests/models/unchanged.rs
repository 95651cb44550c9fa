//! `skip_unchanged`: what has hardly changed is not asked about again.

use std::time::Duration;

use afferent_suite::kinds::{tallied, tally};
use engine::Gap;
use model::backend::mock::{Behaviour, Cost, Mock};

use crate::{cold, edge, model, plan_with, run_plan};

/// Windows of ten samples; each begins ten later than the one before.
fn graph(name: &str, params: &str) -> String {
    crate::graph(name, "", &format!("op = \"infer\"\nmodel = \"m\"\nin_flight = 1\n{params}"))
}

fn mock(behaviour: Behaviour) -> Mock {
    Mock::new(10, Cost::default(), behaviour)
}

/// What is answered to windows of which each third is asked about.
fn of_thirds(windows: std::ops::Range<usize>) -> Vec<f32> {
    windows.flat_map(|n| (0..10).map(move |k| 2.0 * (30 * (n / 3) + k) as f32)).collect()
}

#[test]
fn the_last_answer_is_repeated_until_something_has_changed() {
    let mock = mock(Behaviour::Doubles);
    let asked = model(mock.clone(), 1, &cold(1));
    let text = graph("repeated", "skip_unchanged = 25.0");
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

    // The one before moves on with each that is asked: it drifts no further away unnoticed.
    assert_eq!(mock.questions(), 14);
    let (numbers, headers) = tallied("repeated");
    assert_eq!(numbers, of_thirds(0..40));
    let times: Vec<i64> = headers.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (0..40).map(|n| n * 10_000_000).collect::<Vec<i64>>());
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("26 questions were not asked, as nothing had changed"), "{told}");
    assert_eq!(edge(&running, "count", "ask").frames.taken, 40);
}

#[test]
fn or_nothing_is_said() {
    let mock = mock(Behaviour::Doubles);
    let asked = model(mock.clone(), 1, &cold(1));
    let text = graph("silent", "skip_unchanged = 25.0\nunchanged = \"nothing\"");
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

    assert_eq!(mock.questions(), 14);
    let times: Vec<i64> = tally("silent").iter().map(|(_, f)| f.header.time.nanos()).collect();
    assert_eq!(times, (0..14).map(|n| n * 30_000_000).collect::<Vec<i64>>());
    let frames = edge(&running, "count", "ask").frames;
    assert_eq!((frames.taken, frames.dropped_in_all()), (40, 0));
}

#[test]
fn questions_that_are_open_answer_those_behind_them() {
    let cost = Cost { first: Duration::from_millis(5), more: Duration::ZERO };
    let mock = Mock::new(10, cost, Behaviour::Doubles);
    let asked = model(mock.clone(), 8, &cold(1));
    let text = graph("open", "skip_unchanged = 25.0").replace("in_flight = 1", "in_flight = 40");
    run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

    assert_eq!(mock.questions(), 14);
    assert_eq!(tallied("open").0, of_thirds(0..40));
}

#[test]
fn what_failed_is_asked_again_however_little_has_changed() {
    let mock = mock(Behaviour::FailsEvery(2));
    let asked = model(mock.clone(), 1, &cold(1));
    // Everything is near everything.
    let text = graph("failing", "skip_unchanged = 1e6");
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);
    assert_eq!(mock.questions(), 1);
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 0);
    assert_eq!(tallied("failing").0.len(), 400);

    let mock = Mock::new(10, Cost::default(), Behaviour::FailsEvery(1));
    let asked = model(mock.clone(), 1, &cold(1));
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);
    assert_eq!(edge(&running, "count", "ask").frames.dropped[2], 40);
    assert_eq!(Gap::ALL[2], Gap::Poison);
    // Until it was left alone, each was asked.
    assert!(mock.questions() >= 8, "{}", mock.questions());
}
