//! Builds that panic, or take their time.

use afferent_suite::kinds::{tallied, tally};
use engine::{ManualRun, OpenError, RunOptions, Timestamp};

use crate::{ENDLESS, chain, finish, kinds, planned, start};

#[test]
fn a_build_that_panics_is_an_error_at_the_start() {
    let plan = planned(&chain("born_dead", "brittle", 200, "first = 1\nlast = 1"));
    match plan.start(&RunOptions::default()) {
        Err(OpenError::Build { node, error }) => {
            assert_eq!(
                (node.as_str(), error.to_string()),
                ("born_dead", "panicked: build 1 dies".into())
            );
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it cannot be built"),
    }
}

#[test]
fn a_build_that_panics_is_tried_again_like_any_other_fault() {
    // The body dies on its sixth frame; two of three builds after the first die too.
    let running = start(&chain("reborn", "brittle", 200, "at = 50\nfirst = 2\nlast = 3"), 1);

    assert_eq!(finish(&running), None);
    assert_eq!(running.report().node("reborn").expect("a node").restarts, 1);
    let (samples, _) = tallied("reborn_out");
    let want: Vec<f32> = (0..200).filter(|n| !(50..60).contains(n)).map(|n| n as f32).collect();
    assert_eq!(samples, want);
}

#[test]
fn a_run_driven_by_hand_builds_again_like_any_other() {
    let plan = planned(&chain("by_hand", "brittle", 200, "at = 50\nfirst = 2\nlast = 3"));
    let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");

    assert!(run.run_until(Timestamp::from_nanos(10_000_000_000)));
    let faults: Vec<_> = run.faults.iter().map(|(_, what)| what.as_str()).collect();
    let unbuilt = |n| format!("cannot be built again: panicked: build {n} dies");
    assert_eq!(faults, ["panicked: on purpose", &unbuilt(2), &unbuilt(3)]);
    assert_eq!(run.restarts("by_hand"), 1);
    let (samples, _) = tallied("by_hand_out");
    let want: Vec<f32> = (0..200).filter(|n| !(50..60).contains(n)).map(|n| n as f32).collect();
    assert_eq!(samples, want);
}

#[test]
fn a_body_that_cannot_be_built_again_ends_its_session_within_its_budget() {
    let params = "at = 50\nfirst = 2\nlast = 1_000\nretries = 2\non_fault = \"stop\"";
    let running = start(&chain("gone", "brittle", 200, params), 1);

    let (node, what) = finish(&running).expect("ends with a fault");
    assert_eq!(node, "gone");
    // One fault of the body and two of builds: the last says what is wrong.
    assert_eq!(what, "cannot be built again: panicked: build 3 dies");
    tally("gone_out");
}

#[test]
fn a_build_that_takes_its_time_holds_up_nobody() {
    // The first session is open; the build of the second hangs.
    let running = start(&chain("slow_build", "slow", 200, ""), 1);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| running.open());
        kinds::wait_for_one_at("slow_build");
        running.pause(0).expect("answers");
        running.resume(0).expect("answers");
        running.save(0).expect("answers");
        kinds::open("slow_build");
        assert_eq!(second.join().expect("no panic").expect("open"), 1);
    });

    assert_eq!(finish(&running), None);
    assert_eq!(running.report().sessions, (2, 0));
    assert_eq!(tallied("slow_build_out").0.len(), 400);
}

#[test]
fn what_all_sessions_were_asked_meanwhile_holds_for_one_that_is_built_slowly() {
    for (name, halts) in [("built_drained", false), ("built_halted", true)] {
        let running = start(&chain(name, "slow", ENDLESS, ""), 1);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| running.open());
            kinds::wait_for_one_at(name);
            if halts {
                running.stop()
            } else {
                running.drain()
            }
            // In order: the answer says that the supervisor has come to it.
            let _ = running.pause(1);
            kinds::open(name);
            assert_eq!(second.join().expect("no panic").is_err(), halts);
        });
        assert_eq!(finish(&running), None);
        tally(&format!("{name}_out"));
    }
}
