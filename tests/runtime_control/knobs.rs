//! Parameters and states of a running graph.

use afferent_suite::kinds::{tallied, tally};
use engine::{ControlError, Gap, ManualRun, RunOptions, Timestamp};

use crate::{ENDLESS, chain, edge, finish, kinds, planned, start, until};

#[test]
fn a_saved_state_is_taken_up_by_a_fresh_run() {
    // As fast as it goes, to a count that the second run cannot come to by itself.
    let plan = planned(&chain("carried", "gain", ENDLESS, ""));
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

    let second = start(&chain("carried", "gain", 500, ""), 1);
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
    let running = start(&chain("unfit", "gain", 1_000_000, ""), 1);
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
    let running = start(&chain("turned", "gain", 1_500, "at = 1_000"), 1);
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

#[test]
fn a_knob_that_is_turned_while_its_body_is_being_built_turns_that_body() {
    let running = start(&chain("meanwhile", "gain", 400, "at = 200\nbuilds = \"slowly\""), 1);
    kinds::wait_for_one_at("meanwhile");
    // The new body was told what the knobs were before.
    running.set(0, "meanwhile", "factor", 3.0).expect("in range");
    kinds::open("meanwhile");

    assert_eq!(finish(&running), None);
    let (samples, headers) = tallied("meanwhile_out");
    let (steps, again) = (frames(&samples), headers.iter().position(|(_, gap)| gap.is_some()));
    assert_eq!(again, Some(20));
    assert_eq!(steps[20..], (1..20).map(|n| 30.0 * n as f32).collect::<Vec<_>>());
}

#[test]
fn knobs_stay_where_they_were_turned_when_a_stage_is_replaced() {
    let text = chain("behind", "stuck", ENDLESS, "at = 2_005\nwedge_ms = 300");
    let gain = "[node.replaced]\nop = \"gain\"\nfrom = \"count\"\n[node.behind]";
    let text = text.replace("from = \"count\"", "from = \"replaced\"");
    let running = start(&text.replace("[node.behind]", gain), 1);
    running.set(0, "replaced", "factor", 2.0).expect("in range");
    running.set(0, "replaced", "offset", 5.0).expect("in range");
    let heard = |report: &_| edge(report, "behind", "behind_out").taken;
    until(&running, |report| report.node("replaced").expect("a node").restarts == 1);
    // The successor has to say something before it is asked to end.
    let before = heard(&running.report());
    until(&running, |report| heard(report) > before + 20);
    running.drain();
    assert_eq!(finish(&running), None);
    kinds::open("behind");

    let (samples, headers) = tallied("behind_out");
    let again = headers.iter().position(|(_, gap)| gap.is_some()).expect("a gap");
    // The successor counts on from what was saved, or from nothing.
    let steps = frames(&samples)[again..].to_vec();
    assert!(steps.len() > 10);
    assert!(steps.windows(2).all(|pair| pair[1] - pair[0] == 20.0), "{steps:?}");
    assert!(steps.iter().all(|step| (step - 5.0) % 20.0 == 0.0), "{steps:?}");
}

#[test]
fn by_hand_too_knobs_stay_where_they_were_turned() {
    let plan = planned(&chain("by_hand", "gain", 400, "at = 200\nretries = 0"));
    let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");
    run.set("by_hand", "factor", 2.0).expect("in range");
    run.set("by_hand", "offset", 5.0).expect("in range");
    assert!(run.set("by_hand", "factor", 101.0).is_err());
    // The body has died and rests: its successor hears of it.
    assert!(!run.run_until(Timestamp::from_nanos(300_000_000)));
    assert_eq!(run.faults.len(), 1);
    run.set("by_hand", "factor", 3.0).expect("in range");
    assert!(run.run_until(Timestamp::from_nanos(10_000_000_000)));

    let (samples, headers) = tallied("by_hand_out");
    assert_eq!(headers.iter().filter(|(_, gap)| *gap == Some(Gap::Restart)).count(), 1);
    let before = (1..=20).map(|n| 20.0 * n as f32 + 5.0);
    let after = (1..20).map(|n| 30.0 * n as f32 + 5.0);
    assert_eq!(frames(&samples), before.chain(after).collect::<Vec<_>>());
}

/// One sample of every frame of ten.
fn frames(samples: &[f32]) -> Vec<f32> {
    samples.iter().step_by(10).copied().collect()
}
