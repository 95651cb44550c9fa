//! Attribution on a clock that bodies move on by what they cost, so that every part is known beforehand.

mod kinds;
mod large;
mod left_out;
mod odd;
mod random;

use std::{sync::Arc, time::Duration};

use crate::{
    Attribution, Catalog, Cause, GraphSpec, Looking, ManualRun, Plan, PlanOptions, RunOptions,
    SourceText, Timestamp, Wait, testing::MemoryFiles,
};

use kinds::{CATALOG, Hand};

fn planned(nodes: &str) -> Arc<Plan> {
    let text = format!("[graph]\nname = \"way\"\n{nodes}");
    let spec = GraphSpec::parse(&SourceText::new("way.toml", text.clone()))
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let options = PlanOptions { cores: 2, ..PlanOptions::new(Arc::new(MemoryFiles::new())) };
    let plan = spec.plan(&Catalog::new(&[CATALOG]), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}\n{text}")))
}

/// Runs a graph to its end, following every frame.
fn run(nodes: &str, cores: usize) -> (ManualRun, Attribution) {
    let plan = planned(nodes);
    let mut run = ManualRun::new(&plan, cores, Some(1.0)).expect("bodies can be built");
    plan.common::<Hand>().hold(run.clock());
    run.follow(Duration::ZERO);
    assert!(run.run_until(Timestamp::from_secs_f64(100.0)), "it ends");
    let attribution = run.attribution();
    assert_eq!((attribution.lost, attribution.broken), (0, 0));
    (run, attribution)
}

#[test]
fn bodies_of_a_chain_compute_and_nothing_else_takes_time() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 3.0\n\
         [node.c]\nop = \"blocks\"\nfrom = \"b\"\n[node.d]\nop = \"works\"\nfrom = \"c\"\ncost_us = 5.0\n\
         [node.e]\nop = \"ends\"\nfrom = \"d\"\ncost_us = 2.0\n",
        1,
    );

    let sink = told.sink("e").expect("it got something");
    assert_eq!(sink.journeys, 100);
    let computing = |node: &str| told.at("e", node).expect("a node").computing;
    assert_eq!(["b", "c", "d", "e"].map(computing), [3_000.0, 0.0, 5_000.0, 2_000.0]);
    // The mark is a nanosecond, the first.
    assert_eq!(sink.latency_ns, 100 * (10_000 - 1));
    let others: f64 = sink.nodes.iter().map(|(_, parts)| parts.all() - parts.computing).sum();
    assert_eq!(others, 0.0);
}

#[test]
fn one_branch_waits_while_the_other_computes() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 7.0\n\
         [node.c]\nop = \"works\"\nfrom = \"a\"\ncost_us = 2.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"b\"\n[node.y]\nop = \"ends\"\nfrom = \"c\"\n",
        1,
    );

    let [b, c] = [("x", "b"), ("y", "c")].map(|(sink, node)| told.at(sink, node).expect("a node"));
    let turn = |parts: &crate::Parts| parts.waiting[Wait::Turn as usize];
    // Work is a stack: what was sent first, or last, goes first; the other waits for all of it.
    let (waits, other) = if turn(&b) > 0.0 { (b, c) } else { (c, b) };
    // The mark is a nanosecond of it.
    assert_eq!((turn(&waits), turn(&other)), (other.computing - 1.0, 0.0));
    assert_eq!(waits.computing + other.computing, 9_000.0);
}

#[test]
fn a_frame_waits_in_a_ring_while_its_core_is_at_work() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 4.0\n\
         [node.c]\nop = \"works\"\nfrom = { in = { node = \"b\", capacity_ms = 100 } }\ncost_us = 1.0\n\
         [node.d]\nop = \"ends\"\nfrom = \"c\"\n\
         [node.e]\nop = \"works\"\nfrom = { in = { node = \"a\", capacity_ms = 100 } }\ncost_us = 9.0\n\
         [node.f]\nop = \"ends\"\nfrom = \"e\"\n",
        1,
    );

    let ring =
        |sink: &str, node: &str| told.at(sink, node).expect("a node").waiting[Wait::Ring as usize];
    let computing = |sink: &str, node: &str| told.at(sink, node).expect("a node").computing;
    assert_eq!((computing("d", "c"), computing("f", "e")), (1_000.0, 9_000.0));
    // All on one core: what stands behind a ring waits for what has its turn before.
    assert!(ring("d", "c") + ring("f", "e") >= 4_000.0, "{} {}", ring("d", "c"), ring("f", "e"));
}

#[test]
fn a_join_waits_for_the_input_that_is_late() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"ticks\"\nlen = 40\n\
         [node.m]\nop = \"holds\"\nfrom = { in = \"a\", other = \"b\" }\ncost_us = 1.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"m\"\n",
        1,
    );

    let m = told.at("x", "m").expect("a node");
    // Frames of `b` come every 40 ms and those of `a` every ten: they wait 30, 20, 10 and no milliseconds.
    let join = m.waiting[Wait::Join as usize];
    assert!((join - 15e6).abs() < 1e6, "{join}");
    assert_eq!(m.computing, 1_000.0);
}

#[test]
fn a_body_that_keeps_frames_lets_the_last_one_out() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.k]\nop = \"keeps\"\nfrom = \"a\"\n\
         [node.x]\nop = \"ends\"\nfrom = \"k\"\ncost_us = 1.0\n",
        1,
    );

    let sink = told.sink("x").expect("it got something");
    assert_eq!(sink.journeys, 100);
    let join = told.at("x", "k").map(|_| told.at("x", "x").expect("a node"));
    let join = join.expect("a node").waiting[Wait::Join as usize];
    // It holds each frame until the next has come, ten milliseconds later; the last at the end.
    assert!((9e6..10.1e6).contains(&join), "{join}");
    assert!((sink.covered() - 1.0).abs() < 1e-3, "{}", sink.covered());
}

#[test]
fn who_asks_waits_for_the_answer() {
    let (_, told) = run(
        "[node.a]\nop = \"ticks\"\n[node.q]\nop = \"asks\"\nfrom = \"a\"\ncost_us = 2.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"q\"\ncost_us = 1.0\n",
        1,
    );

    let q = told.at("x", "q").expect("a node");
    // The answer is there when the question has been put, which takes as long as it costs.
    assert_eq!((q.computing, q.waiting[Wait::Answer as usize]), (2_000.0, 0.0));
    assert_eq!(told.sink("x").expect("it got something").journeys, 100);
}

#[test]
fn on_the_clock_of_the_machine_the_parts_are_the_latency_too() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nframes = 20000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 1.0\n\
         [node.c]\nop = \"works\"\nfrom = \"b\"\ncore = 1\ncost_us = 2.0\n\
         [node.m]\nop = \"merges\"\nfrom = [\"b\", \"c\"]\ncost_us = 1.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"m\"\n[node.y]\nop = \"waits\"\nfrom = \"c\"\n",
    );
    let options = RunOptions { speed: None, cores: 2, sessions: 1 };
    let running = plan.start(&options).expect("bodies can be built");
    running.follow(Some(Duration::from_micros(20)));
    assert_eq!(running.wait().fault, None);

    let told = running.attribution();
    // Frames that came in before anybody was followed may look as if they were.
    let known: u64 = told.sinks.iter().map(|sink| sink.journeys).sum();
    assert!(known > 0 && told.broken <= 20 + known / 10, "{known} known, {} broken", told.broken);
    for sink in &told.sinks {
        // Two clocks, of the system and of the processor's ticks, differ by some nanoseconds.
        let covered = sink.covered();
        assert!((0.99..1.01).contains(&covered), "`{}`: {covered}", sink.name);
        let computing: f64 = sink.mean().iter().map(|(_, parts)| parts.computing).sum();
        assert!(computing > 0.0);
    }
    let load = running.workload().expect("somebody follows");
    assert_ne!(load.limit().cause, Cause::Nothing, "as fast as it goes something limits");
}

/// What limits a graph on the clock of the machine, where bodies have the cores to themselves or share them.
fn limited(nodes: &str) -> (Cause, String, String) {
    let plan = planned(nodes);
    let options = RunOptions { speed: None, cores: 2, sessions: 1 };
    let follow = Some(Duration::from_micros(100));
    let looking = Looking { follow, ..Looking::default() };
    let running = plan.start_looking(&options, looking).expect("bodies can be built");
    assert_eq!(running.wait().fault, None);
    let load = running.workload().expect("somebody follows");
    let limit = load.limit();
    let name = limit.node.map(|node| load.nodes[node].name.clone()).unwrap_or_default();
    let cores = format!("{:?}, of that {:?} waiting", load.cores, load.waited);
    let nodes: Vec<_> = load.nodes.iter().map(|n| (&n.name, n.calls, n.mean_ns)).collect();
    (limit.cause, name, format!("{}: {cores}; {nodes:?}; {:?}", limit.why, load.edges))
}

#[test]
fn on_the_clock_of_the_machine_the_heaviest_body_limits() {
    let (cause, node, why) = limited(
        "[node.a]\nop = \"ticks\"\nframes = 4000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 0.1\n\
         [node.c]\nop = \"works\"\nfrom = \"b\"\ncore = 1\ncost_us = 10.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"c\"\n",
    );
    assert_eq!((cause, &*node), (Cause::Compute, "c"), "{why}");
    let (cause, node, why) = limited(
        "[node.a]\nop = \"ticks\"\nframes = 4000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 10.0\n\
         [node.x]\nop = \"ends\"\nfrom = \"b\"\n",
    );
    assert_eq!((cause, &*node), (Cause::Compute, "b"), "{why}");
    let (cause, node, why) = limited(
        "[node.a]\nop = \"ticks\"\nframes = 4000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 0.1\n\
         [node.x]\nop = \"waits\"\nfrom = \"b\"\ncost_us = 20.0\n",
    );
    assert_eq!((cause, &*node), (Cause::Sink, "x"), "{why}");
}

#[test]
fn slow_calls_are_told_once_a_second_and_at_the_end_with_the_longest() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 900.0\n\
         [node.c]\nop = \"works\"\nfrom = \"b\"\ncost_us = 1200.0\n[node.x]\nop = \"ends\"\nfrom = \"c\"\n",
    );
    let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");
    plan.common::<Hand>().hold(run.clock());
    run.tell_slow(Duration::from_millis(1));
    assert!(run.run_until(Timestamp::from_secs_f64(100.0)), "it ends");

    let told = run.slow_calls();
    // A hundred in a second, all of `c`: the first at once, and the others when the run is over.
    let name = |call: &crate::SlowCall| plan.nodes[call.node].name.clone();
    assert!(told.iter().all(|call| name(call) == "c" && call.took_ns == 1_200_000), "{told:?}");
    assert_eq!((told[0].time, told[0].calls, told[0].more), (Some(Timestamp::ZERO), 1, 0));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told.iter().map(|call| 1 + call.more).sum::<u64>(), 100);
}

#[test]
fn a_turn_that_many_calls_make_long_is_told_of_the_node_that_took_most() {
    let plan = planned(
        "[node.a]\nop = \"ticks\"\nframes = 1000\n[node.b]\nop = \"works\"\nfrom = \"a\"\ncost_us = 5.0\n\
         [node.c]\nop = \"works\"\nfrom = \"b\"\ncost_us = 20.0\n[node.x]\nop = \"ends\"\nfrom = \"c\"\n",
    );
    for (limit, is_slow) in [(1, true), (100, false)] {
        let mut run = ManualRun::new(&plan, 1, None).expect("bodies can be built");
        plan.common::<Hand>().hold(run.clock());
        run.tell_slow(Duration::from_millis(limit));
        assert!(run.run_until(Timestamp::from_secs_f64(100.0)), "it ends");
        let told = run.slow_calls();
        assert_eq!(!told.is_empty(), is_slow, "{told:?}");
        let of_c = |call: &crate::SlowCall| {
            plan.nodes[call.node].name == "c"
                && call.calls > 50
                && call.took_ns == 20_000 * call.calls as i64
        };
        assert!(told.iter().all(of_c), "{told:?}");
    }
}

#[test]
fn who_follows_nobody_any_more_notes_nothing() {
    let plan =
        planned("[node.a]\nop = \"ticks\"\nframes = 2000\n[node.x]\nop = \"ends\"\nfrom = \"a\"\n");
    for follows in [true, false] {
        let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");
        plan.common::<Hand>().hold(run.clock());
        // There is a queue, and whoever noted something would find room in it.
        run.counts().steps.follow(Some(0));
        assert!(!run.run_until(Timestamp::from_secs_f64(5.0)), "some turns with a follower");
        assert!(run.counts().steps.take().is_some());
        while run.counts().steps.take().is_some() {}
        run.counts().steps.follow(follows.then_some(0));
        // Each call is timed, as one turn in 256 is anyhow.
        run.tell_slow(Duration::from_secs(1));
        assert!(run.run_until(Timestamp::from_secs_f64(1_000.0)));
        assert_eq!(run.counts().steps.take().is_some(), follows);
    }
}
