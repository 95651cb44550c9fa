//! Parameters and states of a running graph.

use afferent_suite::kinds::{tallied, tally};
use engine::{ControlError, RunOptions};

use crate::{edge, finish, planned, start, until};

fn graph(name: &str, samples: u32, params: &str) -> String {
    format!(
        r#"
        [graph]
        name = "knobs"
        [node.count]
        op = "count"
        samples = {samples}
        [node.{name}]
        op = "gain"
        from = "count"
        {params}
        [node.{name}_out]
        op = "tally"
        from = "{name}"
        "#
    )
}

#[test]
fn a_saved_state_is_taken_up_by_a_fresh_run() {
    // As fast as it goes, to a count that the second run cannot come to by itself.
    let plan = planned(&graph("carried", 1_000_000_000, ""));
    let fast = RunOptions { speed: None, ..RunOptions::default() };
    let first = plan.start(&fast).expect("bodies can be built");
    until(&first, |report| edge(report, "count", "carried").taken > 1_000);
    let snapshot = first.save(0).expect("answers");
    first.stop();
    finish(&first);
    drop(first);
    tally("carried_out");
    assert_eq!(snapshot.keys().collect::<Vec<_>>(), ["carried"]);
    let saved = i64::from_le_bytes(snapshot["carried"][1..].try_into().expect("a count"));
    assert!(saved > 10_000, "{saved}");

    let second = start(&graph("carried", 500, ""), 1);
    second.load(0, snapshot.clone()).expect("a state of this kind");
    assert_eq!(finish(&second), None);
    let (samples, _) = tallied("carried_out");
    let counts: Vec<i64> = samples.iter().step_by(10).map(|&count| count as i64).collect();
    // What came before counted from nothing, what came after from where the first run was.
    let before = counts.iter().filter(|&&count| count <= 500).count();
    let own = (1..=before).map(|n| 10 * n as i64);
    let taken_up = (1..=50 - before).map(|n| (saved + 10 * n as i64) as f32 as i64);
    assert!(before < 50);
    assert_eq!(counts, own.chain(taken_up).collect::<Vec<_>>());

    let refused = second.load(0, snapshot);
    assert!(matches!(refused, Err(ControlError::UnknownSession(0))), "{refused:?}");
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let running = start(&graph("unfit", 1_000_000, ""), 1);
    let load = |node: &str, state: &[u8]| {
        running.load(0, [(node.to_owned(), state.to_vec())].into_iter().collect())
    };
    assert!(matches!(load("unfit", &[9]), Err(ControlError::Refused(_))));
    assert!(matches!(load("nobody", &[1]), Err(ControlError::UnknownNode(_))));
    running.stop();
    finish(&running);
    tally("unfit_out");
}

#[test]
fn a_knob_stays_where_it_was_turned_when_its_body_is_built_again() {
    let running = start(&graph("turned", 1_500, "at = 1_000"), 1);
    running.set(0, "turned", "factor", 2.0).expect("in range");
    running.set(0, "turned", "factor", 3.0).expect("in range");
    let refused = [
        running.set(0, "turned", "factor", 101.0),
        running.set(0, "turned", "at", 7_i64),
        running.set(0, "turned", "nothing", 1.0),
    ];
    for outcome in refused {
        assert!(matches!(outcome, Err(ControlError::Refused(_))), "{outcome:?}");
    }
    let unknown = running.set(0, "nobody", "factor", 1.0);
    assert!(matches!(unknown, Err(ControlError::UnknownNode(_))), "{unknown:?}");
    assert!(matches!(
        running.set(7, "turned", "factor", 1.0),
        Err(ControlError::UnknownSession(7))
    ));

    assert_eq!(finish(&running), None);
    assert_eq!(running.report().node("turned").expect("a node").restarts, 1);
    let (samples, headers) = tallied("turned_out");
    let died = headers.iter().position(|(_, gap)| gap.is_some()).expect("a restart");
    assert_eq!(died, 100);
    // The second body counts from what was saved of the first, once a second at most.
    let steps = samples.iter().step_by(10).copied().collect::<Vec<_>>();
    assert!(steps[died..].windows(2).all(|pair| pair[1] - pair[0] == 30.0), "{:?}", &steps[died..]);
    assert_eq!(steps[died - 1], 3_000.0);
}
