//! What is seen of a graph whose time is simulated, and of sources that have no pace to keep.

use crate::{
    Cause, Plan, Timestamp, Wait,
    limit::{Load, Looks, Seen, Tally},
    session::{Counts, latencies},
    stats::StageState,
};

use super::{
    planted::Planted,
    simulated::{planned, run},
};

fn graph(nodes: &str) -> Planted {
    let text = format!("[graph]\nname = \"seen\"\n{nodes}");
    let (cause, node, speed, cores) = (Cause::Nothing, String::new(), Some(1.0), 1);
    Planted { text, cause, node, speed, cores }
}

#[test]
fn a_question_waits_as_long_as_its_answer_takes() {
    let load = run(&graph(
        "[node.a]\nop = \"makes\"\n[node.q]\nop = \"asks\"\nfrom = \"a\"\nanswer_us = 2000.0\n\
         [node.x]\nop = \"writes\"\nfrom = \"q\"\ncost_us = 1.0\n",
    ));
    let waits = load.time.at("x", "q").expect("a node").waiting[Wait::Answer as usize];
    // Frames come every five milliseconds: none waits for the question before.
    assert!((1.99e6..2.1e6).contains(&waits), "{waits}");
}

#[test]
fn calls_of_a_source_are_what_it_was_asked_for() {
    let load = run(&graph(
        "[node.a]\nop = \"makes\"\nat_once = 4\n[node.x]\nop = \"writes\"\nfrom = \"a\"\ncost_us = 1.0\n",
    ));
    let (calls, frames) = (load.nodes[0].calls, load.edges[0].frames.sent);
    assert!(frames > 500 && calls.abs_diff(frames / 4) <= 2, "{calls} calls, {frames} frames");
}

/// The pace of a source that makes a fifth of its samples, where from some look on something else happens.
fn pace(then: impl Fn(&Counts)) -> Option<f64> {
    let plan =
        planned(&graph("[node.a]\nop = \"makes\"\n[node.x]\nop = \"writes\"\nfrom = \"a\"\n"));
    let counts = Counts::new(&plan, &latencies(&plan));
    let mut looks = Looks::default();
    for look in 0..200_i64 {
        // 2000 samples a second are 40 between two looks.
        let is_first = look < 100;
        counts.nodes[0].samples.add(if is_first { 40 } else { 8 });
        if look == 100 {
            then(&counts);
        }
        looks.begin(&plan, Timestamp::from_nanos(look * 20_000_000));
        looks.look(&plan, 0, &counts);
    }
    pace_of(&plan, &looks)
}

fn pace_of(plan: &Plan, looks: &Looks) -> Option<f64> {
    load_of(plan, looks).nodes[0].pace
}

fn load_of(plan: &Plan, looks: &Looks) -> Load {
    looks.tally().load(seen(plan))
}

/// Of a core that has most of its time left.
fn seen(plan: &Plan) -> Seen<'_> {
    Seen {
        plan,
        lasted_ns: 4_000_000_000,
        speed: Some(1.0),
        sessions: 1,
        opened: 1,
        processors: 1,
        cores: vec![0.1],
        waited: Vec::new(),
        calls: vec![(1_000, 10.0); plan.nodes.len()],
        edges: vec![crate::session::EdgeTotals::default(); plan.edges.len()],
        sinks: Vec::new(),
        time: crate::Attribution::default(),
    }
}

#[test]
fn what_was_seen_since_some_moment_is_told_without_what_was_before() {
    let plan = planned(&graph(
        "[node.a]\nop = \"makes\"\n[node.x]\nop = \"writes\"\nfrom = \"a\"\nstage = \"apart\"\n",
    ));
    let counts = Counts::new(&plan, &latencies(&plan));
    let mut looks = Looks::default();
    let mut at = 0_i64;
    // Fifty looks at so many frames in the ring, each after so many samples.
    let mut fifty = |looks: &mut Looks, inside: u64, samples: u64| {
        let now = counts.edges[0].sent.value() - counts.edges[0].out.value();
        counts.edges[0].sent.add(inside.saturating_sub(now));
        counts.edges[0].out.add(now.saturating_sub(inside));
        counts.edges[0].taken.add(now.saturating_sub(inside));
        for _ in 0..50 {
            counts.nodes[0].samples.add(samples);
            looks.begin(&plan, Timestamp::from_nanos(at * 20_000_000));
            looks.look(&plan, 0, &counts);
            at += 1;
        }
    };
    let load = |tally: &Tally| {
        let ring = tally.load(seen(&plan)).edges[0].ring.expect("`x` has a stage of its own");
        (tally.load(seen(&plan)).nodes[0].pace.expect("it is paced"), ring.empty, ring.most)
    };
    fifty(&mut looks, 9, 40);
    let first = looks.take_tally();
    fifty(&mut looks, 5, 8);
    let second = looks.take_tally();
    fifty(&mut looks, 0, 8);

    let (pace, empty, most) = load(looks.tally());
    assert!(pace > 0.4 && (0.3..0.4).contains(&empty), "{pace} {empty}");
    assert_eq!(most, 9);
    let (pace, empty, most) = load(&looks.tally().since(&first, [&second].into_iter()));
    // A fifth of its pace, and the frame that is on its way.
    assert!((0.2015..0.21).contains(&pace) && (0.45..0.55).contains(&empty), "{pace} {empty}");
    assert_eq!(most, 5, "the nine were before");
    assert_eq!(load(&looks.tally().since(&second, [].into_iter())).2, 0);
}

#[test]
fn a_source_that_ended_or_was_paused_has_kept_its_pace() {
    assert!(pace(|_| ()).is_some_and(|pace| pace < 0.7), "it is behind");
    let ended = pace(|counts| counts.nodes[0].reached.raise(Timestamp::MAX));
    assert!(ended.is_some_and(|pace| pace > 0.99), "{ended:?}");
    let paused = pace(|counts| counts.stages[0].set_state(StageState::Paused));
    assert!(paused.is_some_and(|pace| pace > 0.99), "{paused:?}");
}

#[test]
fn each_of_many_sessions_may_have_begun_a_frame_before_it_was_looked_at() {
    let plan = planned(&graph(
        "[node.a]\nop = \"makes\"\nlen = 200\n[node.x]\nop = \"writes\"\nfrom = \"a\"\n",
    ));
    let sessions: Vec<Counts> = (0..50).map(|_| Counts::new(&plan, &latencies(&plan))).collect();
    let mut looks = Looks::default();
    for look in 0..20_i64 {
        looks.begin(&plan, Timestamp::from_nanos(look * 20_000_000));
        for (session, counts) in sessions.iter().enumerate() {
            // A frame every fifth look, and the last is still being made.
            counts.nodes[0].samples.add(if look % 5 == 4 && look < 19 { 200 } else { 0 });
            looks.look(&plan, session as u32, counts);
        }
    }
    let pace = pace_of(&plan, &looks);
    assert!(pace.is_some_and(|pace| pace > 0.97), "{pace:?}");
}

#[test]
fn few_looks_tell_nothing_of_a_ring() {
    let plan =
        planned(&graph("[node.a]\nop = \"makes\"\n[node.x]\nop = \"writes\"\nfrom = \"a\"\n"));
    let counts = Counts::new(&plan, &latencies(&plan));
    counts.edges[0].sent.add(1_000);
    let mut looks = Looks::default();
    let full = |looks: &Looks| load_of(&plan, looks).edges[0].ring.map(|ring| ring.full);
    for look in 0..8_i64 {
        assert_eq!(full(&looks), Some(0.0), "{look} looks");
        looks.begin(&plan, Timestamp::from_nanos(look * 1_000_000));
        looks.look(&plan, 0, &counts);
    }
    assert_eq!(full(&looks), Some(1.0));
}
