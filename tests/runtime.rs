//! Promises of the runtime, on whole graphs: order, bounds, faults, conservation.
//!
//! Most run on manual time; those that need threads use the live runtime with
//! sources as fast as they go.

use std::{sync::Arc, time::Duration};

use afferent_suite::{
    kinds::{LET_GO, SLOWNESS_NS, tallied, tally},
    plan,
};
use engine::{Gap, ManualRun, Plan, RunOptions, Timestamp};

fn planned(text: &str) -> Arc<Plan> {
    plan(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Runs a graph to its end on manual time, as fast as it goes.
fn run(text: &str, cores: usize) -> ManualRun {
    let mut run = ManualRun::new(&planned(text), cores, None).expect("bodies can be built");
    assert!(run.run_until(Timestamp::from_nanos(i64::MAX - 1)), "the graph waits for ever");
    for (from, to, frames) in run.edges() {
        assert!(frames.is_balanced(), "{from} → {to}: {frames:?}");
        assert_eq!(frames.in_flight, 0, "{from} → {to}: {frames:?}");
    }
    run
}

#[test]
fn a_chain_delivers_everything_in_order() {
    let run = run(
        r#"
        [graph]
        name = "chain"
        [node.count]
        op = "count"
        samples = 1_003
        [node.pass]
        op = "pass"
        from = "count"
        [node.again]
        op = "pass"
        from = "pass"
        [node.chain_out]
        op = "tally"
        from = "again"
        "#,
        1,
    );

    let (samples, headers) = tallied("chain_out");
    assert_eq!(samples, (0..1_003).map(|n| n as f32 + 2.0).collect::<Vec<_>>());
    assert_eq!(headers.len(), 101);
    assert!(headers.iter().all(|(_, gap)| gap.is_none()));
    assert_eq!(run.edge("count", "pass").expect("an edge").taken, 101);
}

/// A diamond with a window on one side, cut into as many stages as `cuts` says.
fn diamond(name: &str, frame_ms: f64, stages: [&str; 4]) -> String {
    let stage = |n: usize| match stages[n] {
        "" => String::new(),
        stage => format!("stage = \"{stage}\"\n        core = {}", n % 2),
    };
    format!(
        r#"
        [graph]
        name = "diamond"
        [node.count]
        op = "count"
        samples = 2_000
        frame_ms = {frame_ms}
        {}
        [node.window]
        op = "window"
        from = "count"
        {}
        [node.pass]
        op = "pass"
        from = "count"
        {}
        [node.sum]
        op = "sum"
        from = {{ in = "pass", other = "window" }}
        {}
        [node.{name}]
        op = "tally"
        from = "sum"
        "#,
        stage(0),
        stage(1),
        stage(2),
        stage(3),
    )
}

fn diamond_samples(name: &str, frame_ms: f64, stages: [&str; 4], cores: usize) -> Vec<u32> {
    run(&diamond(name, frame_ms, stages), cores);
    tallied(name).0.iter().map(|sample| sample.to_bits()).collect()
}

#[test]
fn a_join_gives_the_same_bits_over_cores_cuts_and_frame_lengths() {
    let want = diamond_samples("diamond_a", 10.0, [""; 4], 1);

    assert_eq!(want.len(), 2_000);
    // Sample n is n + 1 plus the sum of the ten samples of the window that holds n.
    let expected = |n: usize| (n + 1 + (n / 10 * 10..n / 10 * 10 + 10).sum::<usize>()) as f32;
    let exact: Vec<u32> = (0..2_000).map(|n| expected(n).to_bits()).collect();
    assert_eq!(want, exact);
    for (n, frame_ms) in [1.0, 3.0, 7.0, 10.0, 64.0, 500.0].into_iter().enumerate() {
        let name = format!("diamond_b{n}");
        assert_eq!(diamond_samples(&name, frame_ms, [""; 4], 1), want, "{frame_ms} ms");
        let name = format!("diamond_c{n}");
        let cut = diamond_samples(&name, frame_ms, ["a", "b", "c", "d"], 2);
        assert_eq!(cut, want, "{frame_ms} ms, four stages, two cores");
    }
}

#[test]
fn event_time_timers_see_the_same_samples_however_frames_are_cut() {
    let ticks = |name: &str, frame_ms: f64| {
        run(
            &format!(
                r#"
                [graph]
                name = "ticks"
                [node.count]
                op = "count"
                samples = 1_000
                frame_ms = {frame_ms}
                [node.ticks]
                op = "ticks"
                from = "count"
                [node.{name}]
                op = "tally"
                from = "ticks"
                "#
            ),
            1,
        );
        tallied(name)
    };
    let (want, times) = ticks("ticks_a", 10.0);

    // One every 25 samples, the last one only after the stream's end is in sight.
    assert_eq!(want[..3], [25.0, 50.0, 75.0]);
    assert_eq!(times[0].0, 25_000_000);
    for frame_ms in [1.0, 7.0, 33.0, 1_000.0] {
        assert_eq!(ticks("ticks_b", frame_ms).0, want, "{frame_ms} ms");
    }
}

#[test]
fn a_panic_loses_its_frame_and_nothing_else() {
    for kind in ["panics", "faults"] {
        let run = run(
            &format!(
                r#"
                [graph]
                name = "poison"
                [node.count]
                op = "count"
                [node.pass]
                op = "pass"
                from = "count"
                [node.bad_{kind}]
                op = "{kind}"
                from = "pass"
                at = 501
                [node.{kind}_out]
                op = "tally"
                from = "bad_{kind}"
                "#
            ),
            1,
        );

        let (samples, headers) = tallied(&format!("{kind}_out"));
        let want: Vec<f32> =
            (1..=1_000).filter(|n| !(501..511).contains(n)).map(|n| n as f32).collect();
        assert_eq!(samples, want);
        let gaps: Vec<_> =
            headers.iter().enumerate().filter(|(_, (_, gap))| gap.is_some()).collect();
        assert_eq!(gaps, [(50, &(510_000_000, Some(Gap::Restart)))]);
        let edge = run.edge("pass", &format!("bad_{kind}")).expect("an edge");
        assert_eq!((edge.sent, edge.taken, edge.dropped[2]), (100, 99, 1));
        assert_eq!(run.restarts(&format!("bad_{kind}")), 1);
        let (node, frame) = run.last_poison().expect("kept");
        assert_eq!((node, frame.samples()[0]), (format!("bad_{kind}"), 501.0));
    }
}

fn budget(name: &str, on_fault: &str) -> (ManualRun, Vec<f32>) {
    let text = format!(
        r#"
        [graph]
        name = "budget"
        [node.count]
        op = "count"
        samples = 100
        frame_ms = 1.0
        [node.{name}]
        op = "panics_always"
        from = "count"
        on_fault = "{on_fault}"
        retries = 2
        [node.{name}_out]
        op = "tally"
        from = "{name}"
        "#
    );
    let mut run = ManualRun::new(&planned(&text), 1, None).expect("bodies can be built");
    run.run_until(Timestamp::from_nanos(60_000_000_000));
    let samples = tallied(&format!("{name}_out")).0;
    (run, samples)
}

#[test]
fn a_node_over_its_budget_is_passed_by() {
    let (run, samples) = budget("budget_bypass", "bypass");

    // Three frames die: two restarts, then the verdict.
    assert_eq!(samples, (3..100).map(|n| n as f32).collect::<Vec<_>>());
    assert_eq!(run.faults.len(), 3);
}

#[test]
fn a_node_over_its_budget_ends_the_session_if_it_says_so() {
    let (run, samples) = budget("budget_stop", "stop");

    assert_eq!(samples, [0.0; 0]);
    assert!(run.has_ended());
    assert_eq!(run.faults.len(), 3);
}

#[test]
fn every_policy_accounts_for_every_frame_of_a_burst() {
    SLOWNESS_NS.store(2_000, std::sync::atomic::Ordering::Relaxed);
    for on_full in ["block", "drop_newest", "drop_oldest", "latest"] {
        let plan = planned(&format!(
            r#"
            [graph]
            name = "burst"
            [node.count]
            op = "count"
            samples = 20_000
            frame_ms = 1.0
            [node.burst_{on_full}]
            op = "waiting_tally"
            from = {{ in = {{ node = "count", on_full = "{on_full}", capacity_ms = 64 }} }}
            "#
        ));
        let running = plan
            .start(&RunOptions { speed: None, ..RunOptions::default() })
            .expect("bodies can be built");
        let outcome = running.wait_for(Duration::from_secs(60)).expect("ends");
        assert_eq!(outcome.fault, None);

        let report = running.report();
        let edge = report.edge("count", &format!("burst_{on_full}")).expect("an edge").frames;
        let frames = tally(&format!("burst_{on_full}"));
        assert_eq!(edge.sent, 20_000, "{on_full}");
        assert_eq!(edge.taken, frames.len() as u64, "{on_full}");
        assert_eq!(edge.in_flight, 0, "{on_full}");
        assert!(edge.is_balanced(), "{on_full}: {edge:?}");
        if on_full == "block" {
            assert_eq!(edge.dropped_in_all(), 0);
        }
        // Every jump in the numbers is announced as a gap, and nothing else is.
        let mut expected = 0;
        for (_, frame) in &frames {
            let jumped = frame.header.seq != expected;
            assert_eq!(frame.header.gap, jumped.then_some(Gap::Full), "{on_full}");
            expected = frame.header.seq + 1;
        }
        // The last frame always comes through where the newest are kept.
        if matches!(on_full, "drop_oldest" | "latest") {
            assert_eq!(frames.last().expect("some").1.header.seq, 19_999, "{on_full}");
        }
    }
}

#[test]
fn a_body_that_never_returns_is_left_behind_and_its_session_goes_on() {
    let plan = planned(
        r#"
        [graph]
        name = "wedge"
        [node.count]
        op = "count"
        samples = 4_000
        [node.spins]
        op = "spins"
        from = "count"
        at = 500
        wedge_ms = 300
        [node.wedge_out]
        op = "waiting_tally"
        from = "spins"
        "#,
    );
    let running = plan.start(&RunOptions::default()).expect("bodies can be built");
    let outcome = running.wait_for(Duration::from_secs(30)).expect("ends");
    assert_eq!(outcome.fault, None);

    let report = running.report();
    assert!(report.is_balanced());
    let (samples, headers) = tallied("wedge_out");
    let lost: u64 = report.edges.iter().map(|edge| edge.frames.dropped[4]).sum();
    assert!(lost >= 1, "{:?}", report.edges);
    // Nothing twice, nothing out of order; what is missing is what was inside.
    assert!(samples.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(samples.len() as u64 + 10 * lost, 4_000, "{:?}", report.edges);
    assert_eq!(headers.iter().filter(|(_, gap)| *gap == Some(Gap::Wedged)).count(), 1);
    assert_eq!(report.node("spins").expect("a node").restarts, 1);
    LET_GO.store(true, std::sync::atomic::Ordering::Relaxed);
}

#[test]
fn sessions_open_and_close_while_others_run() {
    let plan = planned(
        r#"
        [graph]
        name = "sessions"
        [node.count]
        op = "count"
        samples = 300
        frame_ms = 10.0
        [node.pass]
        op = "pass"
        from = "count"
        [node.sessions_out]
        op = "tally"
        from = "pass"
        "#,
    );
    let options = RunOptions { cores: 2, sessions: 20, ..RunOptions::default() };
    let running = plan.start(&options).expect("bodies can be built");
    let late = running.open().expect("one more");
    running.close(3).expect("open");
    assert!(running.close(3).is_err(), "closed already");
    running.pause(late).expect("open");
    running.resume(late).expect("open");

    let outcome = running.wait_for(Duration::from_secs(30)).expect("ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    assert_eq!(report.sessions, (21, 0));
    assert!(report.is_balanced());
    let taken = report.edge("pass", "sessions_out").expect("an edge").frames.taken;
    assert!((20 * 30..=21 * 30).contains(&taken), "{taken}");
    drop(running);
    tally("sessions_out");
}

#[test]
fn a_pause_delays_and_loses_nothing() {
    let text = r#"
        [graph]
        name = "pause"
        [node.count]
        op = "count"
        samples = 100
        [node.pause_out]
        op = "tally"
        from = "count"
        "#;
    let mut run = ManualRun::new(&planned(text), 1, Some(1.0)).expect("bodies can be built");
    let at_ms = |ms: i64| Timestamp::from_nanos(ms * 1_000_000);
    assert!(!run.run_until(at_ms(45)));
    run.pause(true);
    run.settle();
    run.clock().set(at_ms(1_000));
    assert_eq!(run.settle(), None, "nothing is due while it stands still");
    run.pause(false);

    assert!(run.run_until(at_ms(5_000)));
    let (samples, headers) = tallied("pause_out");
    assert_eq!(samples.len(), 100);
    assert!(headers.iter().all(|(_, gap)| gap.is_none()));
    // It stopped 40 ms into its 100 ms, the last moment the clock had been at.
    assert_eq!(run.clock().now(), at_ms(1_060));
}

#[test]
fn a_saved_state_is_taken_up_by_another_run() {
    let text = r#"
        [graph]
        name = "save"
        [node.count]
        op = "count"
        samples = 100
        [node.bad_save]
        op = "panics"
        from = "count"
        at = 100_000
        [node.save_out]
        op = "tally"
        from = "bad_save"
        "#;
    let counted = |frames: i64| [&[1][..], &frames.to_le_bytes()].concat();
    let state = run(text, 1).save("bad_save");
    assert_eq!(state, counted(10));

    let mut second = ManualRun::new(&planned(text), 1, None).expect("bodies can be built");
    assert!(second.load("bad_save", &[9]).is_err());
    assert!(second.load("bad_save", &state).is_ok());
    assert!(second.run_until(Timestamp::from_nanos(i64::MAX - 1)));
    assert_eq!(second.save("bad_save"), counted(20));
    tally("save_out");
}

#[test]
fn a_crowd_of_short_sessions_all_begin_and_all_end() {
    let plan = planned(
        r#"
        [graph]
        name = "crowd"
        [node.count]
        op = "count"
        samples = 20
        [node.pass]
        op = "pass"
        from = "count"
        [node.crowd_out]
        op = "waiting_tally"
        from = "pass"
        "#,
    );
    // They come and go while others are opened, so that numbers of cells are used again.
    let options = RunOptions { speed: None, cores: 2, sessions: 1_500 };
    let running = plan.start(&options).expect("bodies can be built");
    running.wait_for(Duration::from_secs(60)).expect("ends");

    let report = running.report();
    let edge = report.edge("pass", "crowd_out").expect("an edge").frames;
    assert_eq!((edge.sent, edge.taken), (3_000, 3_000));
    assert_eq!(report.sessions, (1_500, 0));
    tally("crowd_out");
}
