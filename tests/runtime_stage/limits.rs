//! Joins of inputs that are far apart: how much waits, who sleeps, and how much a turn releases.

use afferent_suite::kinds::{tallied, tally};
use engine::ManualRun;

use crate::{end, finish, manual, rest, run, start};

/// Frames a join keeps of one line.
const HELD: u64 = 4_096;
/// Frames a turn takes in, joins or fires.
const PER_TURN: u64 = 256;
/// Room on the edges between stages.
const ROOM: u64 = 64;

/// A line with frames of 1 ms joined with one whose frames come every 10 s; in one stage or in three.
fn apart(name: &str, cut: bool) -> String {
    let stage = |name: &str| if cut { format!("stage = \"{name}\"") } else { String::new() };
    let room = if cut { format!(", capacity_ms = {ROOM}") } else { String::new() };
    format!(
        r#"
        [graph]
        name = "apart"
        [node.ahead]
        op = "count"
        samples = 20_000
        frame_ms = 1.0
        {}
        [node.behind]
        op = "count"
        samples = 20_000
        frame_ms = 10_000.0
        {}
        [node.sum]
        op = "sum"
        from = {{ in = {{ node = "ahead"{room} }}, other = "behind" }}
        {}
        [node.{name}]
        op = "tally"
        from = "sum"
        {}
        "#,
        stage("a"),
        stage("b"),
        stage("c"),
        stage("c"),
    )
}

fn inside(run: &ManualRun) -> u64 {
    run.edge("ahead", "sum").expect("an edge").in_flight
}

#[test]
fn a_join_keeps_so_many_frames_and_sleeps_until_the_other_input_comes() {
    for cut in [false, true] {
        let name = format!("apart_{cut}");
        let mut run = manual(&apart(&name, cut), Some(1.0));
        rest(&mut run, 9_000);
        // What found no room behind a full ring waits with its source's turn.
        let most = if cut { HELD + 2 * ROOM } else { HELD + 1 };
        assert!((HELD..=most).contains(&inside(&run)), "{} frames wait", inside(&run));

        rest(&mut run, 10_000);
        assert!(inside(&run) <= 1, "{} frames wait", inside(&run));
        rest(&mut run, 19_000);
        assert!((HELD..=most).contains(&inside(&run)), "{} frames wait", inside(&run));
        end(&mut run);
        let (samples, headers) = tallied(&name);
        assert_eq!(samples, (0..20_000).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
        assert!(headers.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

#[test]
fn lines_of_one_source_that_are_far_apart_do_not_wait_for_each_other_for_ever() {
    run(r#"
        [graph]
        name = "far"
        [node.count]
        op = "count"
        samples = 30_000
        frame_ms = 1.0
        [node.span]
        op = "span"
        from = "count"
        samples = 6_000
        [node.far_sum]
        op = "sum"
        from = { in = "count", other = "span" }
        [node.far_out]
        op = "tally"
        from = "far_sum"
        "#);

    let want = (0..30_000).map(|n| (n + n / 6_000 * 6_000) as f32);
    assert_eq!(tallied("far_out").0, want.collect::<Vec<_>>());
}

#[test]
fn what_a_join_releases_at_once_is_spread_over_turns() {
    let mut run = manual(&apart("spread", false), Some(1.0));
    rest(&mut run, 9_000);
    let taken = |run: &ManualRun| run.edge("ahead", "sum").expect("an edge").taken;
    let (mut before, mut turns) = (taken(&run), 0);
    assert_eq!(before, 0);
    run.clock().set(engine::Timestamp::from_nanos(10_000_000_000));
    loop {
        let more = run.step();
        let now = taken(&run);
        assert!(now - before <= PER_TURN, "{} in one turn", now - before);
        turns += u64::from(now > before);
        before = now;
        if !more {
            break;
        }
    }
    assert!(before >= 9_999 && turns >= before / PER_TURN, "{before} in {turns} turns");
    end(&mut run);
    assert_eq!(run.late("sum"), 0);
    assert_eq!(tallied("spread").0.len(), 20_000);
}

#[test]
fn timers_that_are_due_at_once_are_spread_over_turns_and_keep_their_order() {
    let mut run = manual(
        r#"
        [graph]
        name = "pulses"
        [node.script]
        op = "script"
        times = "0 10000t 10001"
        [node.pulses]
        op = "pulses"
        from = "script.out"
        every_ms = 1.0
        [node.pulses_out]
        op = "tally"
        from = ["pulses", "script.tick"]
        "#,
        None,
    );
    let fired = |run: &ManualRun| run.edge("pulses", "pulses_out").expect("an edge").sent;
    let mut before = 0;
    loop {
        let more = run.step();
        assert!(fired(&run) - before <= PER_TURN + 1, "{} in one turn", fired(&run) - before);
        before = fired(&run);
        if !more {
            break;
        }
    }
    end(&mut run);
    assert_eq!((run.late("pulses"), run.late("script")), (0, 0));
    let frames = tally("pulses_out");
    let got: Vec<_> = frames.iter().map(|(l, f)| (f.header.time.nanos() / 1_000_000, *l)).collect();
    let mut want: Vec<_> = (0..=10_001).map(|ms| (ms, 0)).collect();
    want.insert(10_001, (10_000, 1));
    want.push((10_001, 0));
    assert_eq!(got, want);
}

#[test]
fn a_join_that_moves_is_slow_and_not_wedged() {
    // As fast as it goes: 400 frames of 5 ms each are released by one.
    let running = start(
        r#"
        [graph]
        name = "moves"
        [node.ahead]
        op = "count"
        samples = 400
        frame_ms = 1.0
        [node.behind]
        op = "count"
        samples = 400
        frame_ms = 400.0
        [node.moves]
        op = "sum"
        from = { in = "ahead", other = "behind" }
        wedge_ms = 500
        [node.dawdle]
        op = "dawdle"
        from = "moves"
        wedge_ms = 500
        [node.moves_out]
        op = "tally"
        from = "dawdle"
        "#,
        1,
        None,
    );
    finish(&running);
    let report = running.report();
    assert!(report.nodes.iter().all(|node| node.restarts == 0), "{:?}", report.nodes);
    assert_eq!(tallied("moves_out").0, (0..400).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
}
