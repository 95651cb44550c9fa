//! The rules one by one, on loads that are made up.

use std::sync::Arc;

use crate::{
    Attribution, Cause, EdgeLoad, Gap, Journey, Leg, Load, NodeLoad, OnFull, Parts, RingLoad, Role,
    SinkLoad, SinkTime, Timestamp, session::EdgeTotals,
};

fn node(name: &str, role: Role, core: usize, busy: f64) -> NodeLoad {
    let on_core = !matches!(role, Role::WaitingSink);
    NodeLoad {
        name: name.to_owned(),
        role,
        stage: on_core.then_some(core),
        core: on_core.then_some(core),
        model: None,
        is_written: true,
        is_in_named_stage: false,
        keys: Vec::new(),
        joins: false,
        calls: 1_000,
        mean_ns: busy * 1e6,
        pace: None,
        is_gone: false,
    }
}

fn ring(full: f64, empty: f64) -> RingLoad {
    let on_full = OnFull::Block;
    RingLoad { capacity: 20, on_full, looks: 100, full, empty, most: 20 }
}

fn edge(from: usize, to: usize, ring: Option<RingLoad>) -> EdgeLoad {
    let frames = EdgeTotals { sent: 1_000, taken: 1_000, ..EdgeTotals::default() };
    EdgeLoad { from, to, frames, is_written: false, frames_per_s: 100.0, delay_ns: 0, ring }
}

/// A source, a light body, a body on another core with a share of its time, and a sink; a second long.
fn load(busy: f64, measured: f64, ring: RingLoad) -> Load {
    Load {
        lasted_ns: 1_000_000_000,
        is_fast: true,
        sessions: 1,
        nodes: vec![
            node("a", Role::Source, 0, 0.01),
            node("b", Role::Operator, 0, 0.01),
            node("c", Role::Operator, 1, busy),
            node("x", Role::Sink, 1, 0.001),
        ],
        edges: vec![edge(0, 1, None), edge(1, 2, Some(ring)), edge(2, 3, None)],
        cores: vec![0.3, measured],
        ..Load::default()
    }
}

fn found(load: &Load) -> (Cause, Option<&str>) {
    let limit = load.limit();
    (limit.cause, limit.node.map(|node| &*load.nodes[node].name))
}

#[test]
fn a_ring_that_is_never_empty_has_a_slow_consumer_however_busy_that_seems() {
    assert_eq!(found(&load(0.5, 0.5, ring(0.9, 0.0))), (Cause::Compute, Some("c")));
    let paced = Load { is_fast: false, ..load(0.5, 0.5, ring(0.9, 0.0)) };
    assert_eq!(found(&paced), (Cause::Compute, Some("c")));
}

#[test]
fn where_cores_share_a_processor_who_has_it_counts_not_the_ring_that_is_full() {
    let mut load = load(0.6, 0.9, ring(0.9, 0.0));
    // `x` does next to nothing, on the core of `a` and `b`, which waits while `c` is at work.
    load.nodes[3].core = Some(0);
    load.edges[2].ring = Some(ring(0.9, 0.0));
    load.cores = vec![0.9, 0.9];
    load.waited = vec![0.8, 0.3];
    assert_eq!(found(&load), (Cause::Compute, Some("c")));
    load.waited = vec![0.0, 0.0];
    assert_ne!(found(&load).1, Some("c"), "a core that has a processor is to blame itself");
}

#[test]
fn as_fast_as_it_goes_whoever_is_fed_and_keeps_up_is_not_the_limit_however_awake() {
    let mut load = load(0.02, 0.99, ring(0.01, 0.1));
    load.nodes[0] = node("a", Role::Source, 0, 0.9);
    load.cores[0] = 0.95;
    assert_eq!(found(&load), (Cause::Source, Some("a")));
    // A ring that is full now and then, or that nobody has looked at, says nothing of the kind.
    let unseen = RingLoad { looks: 0, ..ring(0.0, 0.0) };
    for ring in [ring(0.15, 0.0), unseen] {
        let edges = vec![edge(0, 1, None), edge(1, 2, Some(ring)), edge(2, 3, None)];
        assert_eq!(found(&Load { edges, ..load.clone() }), (Cause::Compute, Some("c")));
    }
    // The clock says less of a short run.
    load.cores[0] = 0.7;
    load.nodes[0] = node("a", Role::Source, 0, 0.6);
    assert_eq!(found(&load), (Cause::Source, Some("a")));
}

#[test]
fn a_ring_that_is_full_and_empty_is_too_small_where_something_has_a_pace() {
    let paced = Load { is_fast: false, ..load(0.5, 0.5, ring(0.4, 0.5)) };
    assert_eq!(found(&paced), (Cause::Ring, Some("c")));
    // As fast as it goes any ring becomes full whose consumer is away for a moment.
    assert_eq!(found(&load(0.5, 0.5, ring(0.4, 0.5))), (Cause::Compute, Some("c")));
    // But one that drops makes nobody wait.
    let drops = RingLoad { on_full: OnFull::DropOldest, ..ring(0.4, 0.5) };
    assert_eq!(found(&load(0.5, 0.5, drops)), (Cause::Ring, Some("c")));
}

#[test]
fn a_ring_before_a_core_that_has_no_time_left_is_not_too_small() {
    let paced = Load { is_fast: false, ..load(0.5, 0.99, ring(0.4, 0.5)) };
    assert_eq!(found(&paced), (Cause::Compute, Some("c")));
    // Unless it loses what comes at once.
    let mut drops = paced;
    drops.edges[1].ring = Some(RingLoad { on_full: OnFull::DropOldest, ..ring(0.4, 0.5) });
    assert_eq!(found(&drops), (Cause::Ring, Some("c")));
}

#[test]
fn where_the_newest_counts_others_may_be_lost() {
    let latest = RingLoad { on_full: OnFull::Latest, ..ring(1.0, 0.0) };
    let mut load = Load { is_fast: false, ..load(0.3, 0.3, latest) };
    load.edges[1].frames.dropped[Gap::Full.index()] = 500;
    assert_eq!(found(&load), (Cause::Nothing, None));
}

#[test]
fn of_rings_as_full_as_each_other_the_furthest_down_counts() {
    let mut load = load(0.9, 0.95, ring(0.9, 0.0));
    load.edges[2].ring = Some(ring(0.6, 0.0));
    assert_eq!(load.limit().edge, Some(2));
    load.edges[2].ring = Some(ring(0.3, 0.5));
    assert_eq!(load.limit().edge, Some(1), "the other is full now and then only");
}

#[test]
fn frames_that_are_late_though_cores_rest_are_late_on_their_way() {
    let mut load = Load { is_fast: false, ..load(0.1, 0.1, ring(0.0, 1.0)) };
    let parts = Parts { moving: 8e6, computing: 1e6, ..Parts::default() };
    let legs = vec![Leg { node: 2, parts, late: None }];
    let journey = Journey { latency_ns: 9_000_000, arrived: Timestamp::ZERO, legs };
    let sink = SinkTime {
        node: 3,
        name: "x".to_owned(),
        journeys: 1,
        latency_ns: 9_000_000,
        recent: [Arc::new(journey.clone())].into(),
        ..SinkTime::default()
    };
    load.time = Attribution { sinks: vec![sink], ..Attribution::default() };
    load.sinks = vec![SinkLoad { node: 3, p99_ns: 9_000_000, deadline_ns: Some(5_000_000) }];
    assert_eq!(found(&load), (Cause::Moving, Some("c")));
    assert!(!load.limit().change.is_empty());

    // It is the way between cores even where others have the processor; on one core it is them alone.
    (load.cores, load.waited) = (vec![0.02, 0.11], vec![0.0, 0.1]);
    assert_eq!(found(&load), (Cause::Moving, Some("c")));
    load.nodes[1].core = Some(1);
    assert_eq!(found(&load), (Cause::Machine, None));
    load.nodes[1].core = Some(0);
    (load.cores, load.waited) = (vec![0.3, 0.1], Vec::new());

    // The same time in a ring, while its core has nothing to do.
    let waiting = [8e6, 0.0, 0.0, 0.0];
    let mut journey = journey;
    journey.legs[0].parts = Parts { waiting, computing: 1e6, moving: 0.0 };
    load.time.sinks[0].recent = [Arc::new(journey)].into();
    assert_eq!(found(&load), (Cause::Moving, Some("c")));
    load.cores[1] = 0.95;
    load.nodes[2].mean_ns = 0.9e6;
    assert_eq!(found(&load), (Cause::Compute, Some("c")));
}

#[test]
fn a_sink_that_is_not_timed_has_no_rate() {
    let mut load = Load { is_fast: false, ..load(0.1, 0.1, ring(0.9, 0.0)) };
    load.nodes[2] = node("c", Role::WaitingSink, 0, 0.0);
    let limit = load.limit();
    assert_eq!(limit.cause, Cause::Sink);
    assert!(!limit.change.contains("a second"), "{}", limit.change);
}

#[test]
fn who_answers_is_asked_more_at_once_by_keys_that_there_are() {
    let mut load = Load { is_fast: false, ..load(0.1, 0.1, ring(0.9, 0.0)) };
    load.nodes[2].role = Role::Call;
    let waits = Parts { waiting: [0.0, 0.0, 0.0, 9e6], ..Parts::default() };
    let nodes = [(2, waits)].into();
    let sink =
        SinkTime { node: 3, journeys: 1, latency_ns: 9_000_000, nodes, ..SinkTime::default() };
    load.time.sinks = vec![sink];
    let change = |keys: &[(&'static str, Option<String>)], load: &mut Load| {
        load.nodes[2].keys = keys.to_vec();
        assert_eq!(found(load), (Cause::Answer, Some("c")));
        load.limit().change
    };
    let told = change(&[("in_flight", Some("4".to_owned())), ("within_ms", None)], &mut load);
    assert!(told.contains("`in_flight = 8` in `[node.c]`"), "{told}");
    assert!(told.contains("within_ms") && !told.contains("fallback"), "{told}");
    let told = change(&[], &mut load);
    assert!(!told.contains('='), "{told}");
    load.nodes[2].is_written = false;
    let told = change(&[("in_flight", None)], &mut load);
    assert!(!told.contains("[node."), "a link stands in no file: {told}");
}

/// A chain of bodies of the same size on the first of two cores, in one stage.
fn even(bodies: usize, each: f64) -> Load {
    let mut nodes = vec![node("a", Role::Source, 0, 0.01)];
    nodes.extend((0..bodies).map(|n| node(&format!("n{n}"), Role::Operator, 0, each)));
    nodes.push(node("x", Role::Sink, 0, 0.001));
    Load {
        lasted_ns: 1_000_000_000,
        sessions: 1,
        processors: 2,
        edges: (1..nodes.len()).map(|to| edge(to - 1, to, None)).collect(),
        nodes,
        cores: vec![0.99, 0.01],
        waited: vec![0.0, 0.0],
        ..Load::default()
    }
}

#[test]
fn of_many_on_one_core_those_furthest_down_go_to_the_other() {
    let mut load = even(6, 0.16);
    let limit = load.limit();
    assert_eq!(limit.cause, Cause::Core);
    let half = "`core = 1` in `[node.n3]`, `[node.n4]`, `[node.n5]` and `[node.x]`";
    assert_eq!(limit.change, half);
    // What shares a named stage moves together.
    load.nodes.iter_mut().skip(3).for_each(|node| node.is_in_named_stage = true);
    assert!(load.limit().change.contains("[node.n2]"), "{}", load.limit().change);
    // There may be another core that is not asked for yet.
    let one = Load { cores: vec![0.99], ..even(6, 0.16) };
    assert_eq!(one.limit().cause, Cause::Core);
    assert!(one.limit().change.starts_with("`--cores 2` and `core = 1` in `[node.n3]`"));
    let alone = Load { processors: 1, ..one };
    assert_eq!(alone.limit().cause, Cause::Compute, "there is none");
}

#[test]
fn one_that_stands_out_is_what_its_core_is_short_of_though_it_has_less_than_half() {
    let mut load = even(6, 0.1);
    load.nodes[2].mean_ns = 0.42e6;
    assert_eq!(found(&load), (Cause::Compute, Some("n1")));
}

#[test]
fn a_core_that_would_have_time_left_alone_is_short_of_the_machine() {
    let mut load = even(2, 0.25);
    load.waited = vec![0.45, 0.0];
    load.nodes[0].pace = Some(0.9);
    let limit = load.limit();
    assert_eq!((limit.cause, limit.node), (Cause::Machine, None), "{}", limit.why);
    assert!(limit.change.contains("`[node.n"), "{}", limit.change);
    // At half of its pace it has half of what it needs: there is too much to do for any processor.
    load.nodes[0].pace = Some(0.5);
    assert_eq!(load.limit().cause, Cause::Core);
    let fast = Load { is_fast: true, ..load };
    assert_eq!(fast.limit().cause, Cause::Core, "whoever takes most of what there is");

    // A source that is behind, and whose core had hardly anything to do but wait.
    let mut behind = even(2, 0.01);
    (behind.cores, behind.waited) = (vec![0.1, 0.0], vec![0.08, 0.0]);
    behind.nodes[0].pace = Some(0.9);
    assert_eq!(behind.limit().cause, Cause::Machine);
    behind.waited = vec![0.01, 0.0];
    assert_eq!(found(&behind), (Cause::Source, Some("a")));
}

#[test]
fn a_run_that_is_over_before_anybody_was_busy_tells_nothing() {
    let mut load = Load { lasted_ns: 9_000_000, ..even(1, 0.001) };
    (load.is_fast, load.cores) = (true, vec![0.4, 0.0]);
    load.nodes.iter_mut().for_each(|node| node.calls = 3);
    assert_eq!(found(&load), (Cause::Nothing, None));
    assert!(load.limit().why.contains("too short"), "{}", load.limit().why);
    load.lasted_ns = 900_000_000;
    assert_ne!(found(&load).0, Cause::Nothing);
}

#[test]
fn a_join_that_waits_for_what_is_behind_by_construction_does_what_was_asked_for() {
    let mut load = even(1, 0.01);
    (load.cores, load.nodes[1].joins) = (vec![0.02, 0.0], true);
    let waiting = [0.0, 490e6, 0.0, 0.0];
    let legs = vec![Leg { node: 1, parts: Parts { waiting, ..Parts::default() }, late: Some(0) }];
    let journey = Journey { latency_ns: 490_000_000, arrived: crate::Timestamp::ZERO, legs };
    let time = SinkTime {
        node: 2,
        journeys: 1,
        latency_ns: 490_000_000,
        recent: [Arc::new(journey)].into(),
        ..SinkTime::default()
    };
    load.time.sinks = vec![time];
    load.time.late = vec![(1, 0, 490e6)];
    load.sinks = vec![SinkLoad { node: 2, p99_ns: 490_000_000, deadline_ns: None }];
    load.edges.insert(1, edge(0, 1, None));
    assert_eq!(found(&load), (Cause::Join, Some("n0")));

    load.edges[0].delay_ns = 500_000_000;
    assert_eq!(found(&load), (Cause::Nothing, None));
    load.sinks[0].deadline_ns = Some(100_000_000);
    assert_eq!(found(&load), (Cause::Join, Some("n0")));
    assert!(load.limit().change.contains("by construction"), "{}", load.limit().change);
}

#[test]
fn frames_before_a_call_wait_for_the_answers_that_those_before_them_wait_for() {
    let mut load = Load { is_fast: true, ..even(1, 0.001) };
    (load.cores, load.nodes[1].role) = (vec![0.03, 0.0], Role::Call);
    let waits = Parts { waiting: [0.0, 0.0, 0.0, 4e6], moving: 96e6, computing: 0.0 };
    let nodes = [(1, waits)].into();
    let time =
        SinkTime { node: 2, journeys: 1, latency_ns: 100_000_000, nodes, ..SinkTime::default() };
    load.time.sinks = vec![time];
    assert_eq!(found(&load), (Cause::Answer, Some("n0")));
}
