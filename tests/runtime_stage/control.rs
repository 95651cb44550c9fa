//! A body that dies when control asks it something, or because of what a source sends.

use afferent_suite::kinds::{tallied, tally};
use engine::{Gap, Snapshot};

use crate::{finish, kinds, run, start};

const FRAMES: usize = 150;

/// Two sessions on one core, the first of which has a body that dies in `call`.
fn two_sessions(call: &str, ask: impl FnOnce(&engine::Running, &str)) {
    let name = format!("frail_{call}");
    let running = start(
        &format!(
            r#"
            [graph]
            name = "control"
            [node.count]
            op = "count"
            samples = 1_500
            [node.{name}]
            op = "frail"
            from = "count"
            dies_in = "{call}"
            [node.{name}_out]
            op = "tally"
            from = "{name}"
            "#
        ),
        2,
        Some(1.0),
    );
    ask(&running, &name);
    finish(&running);

    // No frame was at the body: none is lost, and the other session lives.
    let report = running.report();
    assert_eq!(report.node(&name).expect("a node").restarts, 1, "{call}");
    assert_eq!(report.node(&name).expect("a node").poison, 0, "{call}");
    let frames = tally(&format!("{name}_out"));
    assert_eq!(frames.len(), 2 * FRAMES, "{call}");
    let restarted = frames.iter().filter(|(_, frame)| frame.header.gap == Some(Gap::Restart));
    assert_eq!(restarted.count(), 1, "{call}");
    kinds::told(&name);
}

#[test]
fn a_body_that_dies_when_it_is_tuned_is_put_in_anew() {
    two_sessions("retune", |running, name| {
        assert!(running.set(0, name, "knob", 1.0).is_err());
        assert!(running.set(1, name, "knob", 1.0).is_ok());
        assert!(running.set(0, name, "knob", 2.0).is_ok(), "the core still answers");
    });
}

#[test]
fn a_body_that_dies_when_it_is_saved_is_put_in_anew() {
    two_sessions("save", |running, name| {
        let _ = running.save(0);
        assert!(running.save(1).expect("answers").contains_key(name));
    });
}

#[test]
fn a_body_that_dies_when_it_is_loaded_is_put_in_anew() {
    two_sessions("load", |running, name| {
        let state = || Snapshot::from([(name.to_owned(), vec![1])]);
        assert!(running.load(0, state()).is_err());
        assert!(running.load(1, state()).is_ok());
    });
}

#[test]
fn a_frame_of_fewer_channels_than_declared_is_the_fault_of_who_picks_from_it() {
    let run = run(r#"
        [graph]
        name = "short"
        [node.short]
        op = "short"
        at = 500
        [node.picks]
        op = "pass"
        from = "short[1]"
        [node.picks_out]
        op = "tally"
        from = "picks"
        [node.short_out]
        op = "tally"
        from = "short"
        "#);

    assert_eq!(run.faults.len(), 1, "{:?}", run.faults);
    assert_eq!((run.faults[0].0.as_str(), run.restarts("picks")), ("picks", 1));
    assert_eq!(run.edge("short", "picks").expect("an edge").dropped[Gap::Poison as usize - 1], 1);
    let want = (0..1_000).filter(|n| !(500..510).contains(n)).map(|n| n as f32 + 1.0);
    assert_eq!(tallied("picks_out").0, want.collect::<Vec<_>>());
    assert_eq!(tally("short_out").len(), 100);
}
