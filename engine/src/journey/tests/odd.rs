//! What is out of the ordinary: frames that few reach, bodies that die, nodes that nobody knows yet.

use std::{sync::Arc, time::Duration};

use crate::{
    Looking, ManualRun, RunOptions, Timestamp, Wait,
    journey::Collector,
    plan::Plan,
    steps::{Step, StepKind, Steps},
};

use super::{kinds::Hand, planned, run};

#[test]
fn what_a_sink_gets_now_and_then_is_seen_in_a_short_run() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nframes = 1000\n[node.s]\nop = \"some\"\nfrom = \"a\"\n\
         [node.x]\nop = \"ends\"\nfrom = \"s\"\n",
    );
    let options = RunOptions { speed: None, cores: 1, sessions: 1 };
    let looking = Looking { follow: Some(Duration::from_millis(1)), ..Looking::default() };
    let running = plan.start_looking(&options, looking).expect("bodies can be built");
    assert_eq!(running.wait().fault, None);

    let told = running.attribution();
    let sink = told.sink("x").unwrap_or_else(|| panic!("twenty frames came: {told:?}"));
    // A step for each frame at `s`, and one at `x`: there is room for all of them.
    assert_eq!((sink.journeys, told.broken, told.lost), (20, 0, 0));
}

#[test]
fn a_node_that_is_passed_by_is_still_on_the_way() {
    for (on_fault, least) in [("bypass", 90), ("hold_last", 90)] {
        let (_, told) = run(
            &format!(
                "[node.a]\nop = \"ticks\"\n[node.d]\nop = \"dies\"\nfrom = \"a\"\nretries = 0\n\
                 on_fault = \"{on_fault}\"\n[node.b]\nop = \"works\"\nfrom = \"d\"\ncost_us = 2.0\n\
                 [node.x]\nop = \"ends\"\nfrom = \"b\"\n"
            ),
            1,
        );
        let sink = told.sink("x").expect("it got something");
        assert!(sink.journeys >= least, "{on_fault}: {}", sink.journeys);
        assert!((sink.covered() - 1.0).abs() < 0.01, "{on_fault}: {}", sink.covered());
    }
}

#[test]
fn nobody_follows_any_more_and_what_is_known_stays() {
    let plan = planned("[node.a]\nop = \"ticks\"\n[node.x]\nop = \"ends\"\nfrom = \"a\"\n");
    let looking = Looking { follow: Some(Duration::from_millis(1)), ..Looking::default() };
    let running = plan.start_looking(&RunOptions::default(), looking).expect("it starts");
    running.wait_for(Duration::from_millis(300));
    running.follow(None);
    let [one, two] = [(); 2].map(|()| {
        running.wait_for(Duration::from_millis(50));
        running.workload().expect("somebody followed")
    });
    assert_eq!((one.lasted_ns, one.edges[0].frames), (two.lasted_ns, two.edges[0].frames));
    running.follow(Some(Duration::from_millis(1)));
    running.wait_for(Duration::from_millis(1));
    let three = running.workload().expect("somebody follows");
    assert!(three.lasted_ns < two.lasted_ns, "it begins anew");
}

#[test]
fn of_late_is_told_what_came_lately_alone() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nframes = 1000000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 50.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"b\"\n",
    );
    let running = plan.start(&RunOptions::default()).expect("it starts");
    assert!(!running.is_followed() && running.lately(Duration::ZERO).is_none(), "nobody asked");
    running.follow(Some(Duration::from_millis(1)));
    assert!(running.is_followed());
    let span = Duration::from_millis(100);
    let (load, whole) = loop {
        let load = running.lately(span).expect("somebody follows");
        let whole = running.workload().expect("somebody follows");
        // Moments are kept a tenth of the span apart, and somebody may come between two of these calls.
        if whole.lasted_ns > 4 * load.lasted_ns
            && load.time.sink("x").is_some_and(|x| x.journeys > 2)
        {
            break (load, whole);
        }
        running.wait_for(Duration::from_millis(5));
    };
    assert!(load.lasted_ns >= 100_000_000, "all of the span: {}", load.lasted_ns);
    let [lately, ever] = [&load, &whole].map(|load| load.time.sink("x").expect("it got something"));
    assert!(lately.journeys < ever.journeys, "{} of {}", lately.journeys, ever.journeys);
    assert!(lately.recent.len() as u64 <= lately.journeys, "the ways of the span, and no older");
    for sink in [lately, ever] {
        // Two clocks, of the system and of the processor's ticks, differ by some nanoseconds.
        let covered = sink.covered();
        assert!((0.99..1.01).contains(&covered), "{covered}");
    }
    assert!(load.edges[0].frames.sent < whole.edges[0].frames.sent);
    assert!(load.nodes[1].calls < whole.nodes[1].calls && load.nodes[1].mean_ns > 0.0);
    running.follow(None);
    assert!(!running.is_followed() && running.lately(span).is_none());
}

#[test]
fn what_came_before_anybody_asked_is_not_of_late() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nframes = 1000000\n[node.x]\nop = \"ends\"\nfrom = \"a\"\n",
    );
    let running = plan.start(&RunOptions::default()).expect("it starts");
    running.follow(Some(Duration::from_millis(1)));
    let span = Duration::from_millis(40);
    for _ in 0..2 {
        // Whoever asks has not asked for long.
        running.wait_for(Duration::from_millis(160));
        let load = running.lately(span).expect("somebody follows");
        let whole = running.workload().expect("somebody follows");
        assert!(load.lasted_ns < whole.lasted_ns / 2, "{} of {}", load.lasted_ns, whole.lasted_ns);
    }
    // And from then on it is as long as asked.
    let load = loop {
        running.wait_for(Duration::from_millis(10));
        let load = running.lately(span).expect("somebody follows");
        if load.lasted_ns >= 40_000_000 {
            break load;
        }
    };
    assert!(load.edges[0].frames.sent > 0);
}

#[test]
fn calls_of_a_join_are_those_of_its_first_input() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nlen = 40\nframes = 50\n[node.b]\nop = \"ticks\"\nframes = 200\n\
         [node.m]\nop = \"holds\"\nfrom = { in = \"a\", other = \"b\" }\n\
         [node.x]\nop = \"ends\"\nfrom = \"m\"\n",
    );
    let options = RunOptions { speed: None, cores: 1, sessions: 1 };
    let running = plan.start(&options).expect("bodies can be built");
    assert_eq!(running.wait().fault, None);
    let report = running.report();
    let calls = |name: &str| report.node(name).expect("a node").calls;
    assert_eq!([calls("a"), calls("b"), calls("m"), calls("x")], [50, 200, 50, 50]);
}

#[test]
fn sinks_are_timed_one_by_one_as_fast_as_it_goes() {
    let plan =
        planned("[node.a]\nop = \"ticks\"\n[node.x]\nop = \"ends\"\nfrom = \"a\"\ncost_us = 0.1\n");
    let mut run = ManualRun::new(&plan, 1, None).expect("bodies can be built");
    plan.common::<Hand>().hold(run.clock());
    assert!(run.run_until(Timestamp::from_secs_f64(100.0)), "it ends");
    // Where eight frames wait for one look at the clock, seven would take no time.
    let counts = &run.counts().nodes[1];
    assert!(counts.timed.value() > 16, "{counts:?}");
    assert_eq!(counts.timed_ns.value(), 100 * counts.timed.value(), "{counts:?}");
}

pub(super) fn step(kind: StepKind, node: u32, in_seq: u64, (began, ended): (i64, i64)) -> Step {
    let [began, ended] = [began, ended].map(Timestamp::from_nanos);
    Step {
        kind,
        session: 0,
        node,
        line: 0,
        out_port: u16::MAX,
        outs: 0,
        in_seq,
        out_seq: 0,
        entered: Timestamp::from_nanos(1),
        taken: Timestamp::from_nanos(1),
        woke: Timestamp::from_nanos(1),
        began,
        ended,
    }
}

fn joined(plan: &Arc<Plan>, noted: &[Step]) -> crate::Attribution {
    let steps = Arc::new(Steps::default());
    steps.follow(Some(0));
    let mut collector = Collector::new(plan, &steps);
    noted.iter().for_each(|&step| steps.put(step));
    collector.collect();
    collector.attribution()
}

#[test]
fn a_step_of_a_node_that_is_not_known_yet_harms_nobody() {
    let plan = planned("[node.a]\nop = \"ticks\"\n[node.x]\nop = \"ends\"\nfrom = \"a\"\n");
    let known = step(StepKind::Sink, 1, 0, (3, 5));
    let told = joined(&plan, &[step(StepKind::Sink, 7, 0, (3, 5)), known]);
    assert_eq!((told.broken, told.sink("x").map(|sink| sink.journeys)), (1, Some(1)));
}

#[test]
fn an_answer_is_that_to_its_own_question() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\n[node.q]\nop = \"asks\"\nfrom = \"a\"\n\
         [node.x]\nop = \"ends\"\nfrom = \"q\"\n",
    );
    let mut answered = step(StepKind::Answered, 1, 4, (1_000, 1_000));
    (answered.out_port, answered.outs) = (0, 1);
    // Two questions of what came in at one moment: the first has waited longer.
    let told = joined(
        &plan,
        &[
            step(StepKind::Asked, 1, 4, (1, 101)),
            step(StepKind::Asked, 1, 5, (101, 701)),
            answered,
            step(StepKind::Sink, 2, 0, (1_000, 1_001)),
        ],
    );
    let q = told.at("x", "q").expect("a node");
    assert_eq!((q.computing, q.waiting[Wait::Answer as usize]), (100.0, 899.0));
}
