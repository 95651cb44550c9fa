//! Parameters of calls that change while they run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use afferent_suite::kinds::tally;
use engine::{ControlError, EventFormat, EventReader, Field, FieldValue, RunOptions, Running};
use model::backend::mock::{Behaviour, Cost, Mock};

use crate::{LIMIT, cold, edge, model, plan_with, server::wait};

/// A run at the pace of its content, far longer than any of these tests.
fn start(name: &str, node: &str, cost: Cost) -> Running {
    let text = crate::graph(name, "", &format!("model = \"m\"\n{node}"));
    let text = text.replace("samples = 400", "samples = 1_000_000");
    let asked = model(Mock::new(10, cost, Behaviour::Doubles), 1, &cold(1));
    let plan = plan_with(&text, &asked).unwrap_or_else(|problems| panic!("{problems}"));
    plan.start(&RunOptions { speed: Some(1.0), ..RunOptions::default() }).expect("bodies")
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "it never came");
        wait(Duration::from_millis(2));
    }
}

fn finish(running: &Running) {
    running.stop();
    assert_eq!(running.wait_for(LIMIT).expect("ends").fault, None);
}

#[test]
fn a_threshold_can_be_turned() {
    let running = start("turned", "op = \"classify\"", Cost::default());
    let fields = Arc::new(EventFormat { fields: vec![Field::text("label", 128)], rate_max: 1.0 });
    let says = |label: &str| {
        tally("turned").iter().any(|(_, frame)| {
            EventReader::new(&fields, frame).field(0) == Some(FieldValue::Text(label))
        })
    };
    until(|| says("9"));
    running.set(0, "ask", "min_score", 0.999).expect("a live parameter");
    until(|| says("unknown"));
    let refused = running.set(0, "ask", "min_score", 1.5);
    assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
    running.set(0, "ask", "min_score", 0.0).expect("a live parameter");
    tally("turned");
    until(|| says("9"));
    let refused = running.set(0, "ask", "model", "other");
    assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
    finish(&running);
}

#[test]
fn patience_can_be_turned() {
    let cost = Cost { first: Duration::from_millis(20), more: Duration::ZERO };
    let running = start("patient", "op = \"infer\"\nhop_s = 0.1\nin_flight = 1", cost);
    until(|| !tally("patient").is_empty());
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 0);
    running.set(0, "ask", "within_ms", 1.0).expect("a live parameter");
    until(|| edge(&running, "count", "ask").frames.dropped[1] > 0);
    running.set(0, "ask", "in_flight", 4_i64).expect("a live parameter");
    running.set(0, "ask", "within_ms", 10_000.0).expect("a live parameter");
    tally("patient");
    until(|| !tally("patient").is_empty());
    finish(&running);
}
