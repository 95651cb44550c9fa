//! Frames of which some step is missing are left out, and counted; those that take long are not among them.

use std::sync::Arc;

use crate::{
    Attribution, Timestamp, Wait,
    journey::Collector,
    plan::Plan,
    steps::{Chooser, EVERY_NS, Step, StepKind, Steps, is_followed},
};

use super::{odd::step, planned};

fn chain() -> Arc<Plan> {
    planned(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\n\
         [node.c]\nop = \"works\"\nfrom = \"b\"\n[node.x]\nop = \"ends\"\nfrom = \"c\"\n",
    )
}

/// A step of a frame of that chain.
fn of(kind: StepKind, node: u32, seq: u64, entered: i64) -> Step {
    let now = entered + 10 * i64::from(node);
    let step = step(kind, node, seq, (now, now + 10));
    let entered = Timestamp::from_nanos(entered);
    Step { entered, taken: entered, woke: entered, out_port: 0, out_seq: seq, outs: 1, ..step }
}

fn joined_ns(told: &Attribution) -> f64 {
    let nodes = told.sinks.iter().flat_map(|sink| &sink.nodes);
    nodes.map(|(_, parts)| parts.waiting[Wait::Join as usize]).sum()
}

struct Test {
    steps: Arc<Steps>,
    collector: Collector,
}

impl Test {
    fn new() -> Self {
        let steps = Arc::new(Steps::default());
        steps.follow(Some(0));
        steps.thin_out();
        Self { collector: Collector::new(&chain(), &steps), steps }
    }

    fn note(&mut self, noted: impl IntoIterator<Item = Step>) {
        for step in noted {
            self.steps.put(step);
            self.collector.collect();
        }
    }
}

#[test]
fn what_found_no_room_is_no_join() {
    let mut test = Test::new();
    // Two frames of one moment.
    test.note([of(StepKind::Body, 1, 0, 1), of(StepKind::Body, 2, 0, 1)]);
    test.note([of(StepKind::Body, 1, 1, 1)]);
    while test.steps.lost() == 0 {
        // Nobody takes them, and the step of the other at `c` is the one that is lost.
        let is_full = test.steps.len() == 1 << 14;
        test.steps.put(if is_full {
            of(StepKind::Body, 2, 1, 1)
        } else {
            of(StepKind::Body, 1, 0, 1_000_001)
        });
    }
    test.collector.collect();
    test.note([of(StepKind::Sink, 3, 0, 1), of(StepKind::Sink, 3, 1, 1)]);
    test.note([of(StepKind::Body, 1, 2, 77), of(StepKind::Body, 2, 2, 77)]);
    test.note([of(StepKind::Sink, 3, 2, 77)]);

    let told = test.collector.attribution();
    assert_eq!((told.lost, told.broken, told.known(), told.followed()), (1, 2, 1, 3));
    let sink = told.sink("x").expect("one is known");
    assert_eq!((sink.journeys, sink.broken, sink.is_partial()), (1, 2, true));
    assert_eq!(joined_ns(&told), 0.0);

    // A sink's own step is one that is left out, too; whoever looks next is told of neither.
    for _ in 0..=1 << 14 {
        test.steps.put(of(StepKind::Sink, 3, 3, 99));
    }
    test.collector.collect();
    let told = test.collector.attribution();
    assert_eq!((told.lost, told.followed()), (2, 3 + (1 << 14) + 1));
    let mut next = Collector::new(&chain(), &test.steps);
    next.collect();
    assert_eq!((next.attribution().lost, next.attribution().broken), (0, 0));
}

#[test]
fn what_shares_a_stamp_with_very_many_is_no_join() {
    for (count, is_known) in [(10_000, true), (20_000, false)] {
        let mut test = Test::new();
        for seq in 0..count {
            test.note([of(StepKind::Body, 1, seq, 1), of(StepKind::Body, 2, seq, 1)]);
        }
        test.note((0..count).map(|seq| of(StepKind::Sink, 3, seq, 1)));
        let told = test.collector.attribution();
        let (known, broken) = if is_known { (count, 0) } else { (0, count) };
        assert_eq!((told.known(), told.broken), (known, broken));
        assert_eq!(joined_ns(&told), 0.0);
    }
}

#[test]
fn what_is_not_kept_any_more_is_no_join() {
    let mut test = Test::new();
    test.note([of(StepKind::Body, 1, 0, 1), of(StepKind::Body, 2, 0, 1)]);
    // Twice as much as there is room for, before it goes on.
    for n in 0..20_000_i64 {
        let entered = 1_001 + 1_000 * n;
        test.note([of(StepKind::Body, 1, 1, entered), of(StepKind::Body, 2, 1, entered)]);
    }
    // All at once: what came in so long ago would go again at the next look.
    for step in [of(StepKind::Body, 1, 9, 1), of(StepKind::Body, 2, 9, 1)] {
        test.steps.put(step);
    }
    test.note([of(StepKind::Sink, 3, 0, 1), of(StepKind::Sink, 3, 9, 1)]);
    test.note([of(StepKind::Sink, 3, 1, 1_001 + 1_000 * 19_999)]);
    let told = test.collector.attribution();
    assert_eq!((told.broken, told.known(), joined_ns(&told)), (2, 1, 0.0));
}

#[test]
fn what_takes_long_is_followed_to_its_end() {
    const NODES: u64 = 30;
    const SECOND: i64 = 1_000_000_000;
    let plan = planned(
        "[node.a]\nop = \"ticks\"\n[node.b]\nop = \"works\"\nfrom = \"a\"\n\
         [node.q]\nop = \"asks\"\nfrom = \"b\"\n[node.x]\nop = \"ends\"\nfrom = \"q\"\n\
         [node.y]\nop = \"ends\"\nfrom = \"b\"\n",
    );
    let [b, q, x, y] = ["b", "q", "x", "y"]
        .map(|name| plan.nodes.iter().position(|node| node.name == name).expect("a node") as u32);
    let steps = Arc::new(Steps::default());
    steps.follow(Some(EVERY_NS));
    steps.thin_out();
    let mut collector = Collector::new(&plan, &steps);
    let mut chooser = Chooser::new(3);
    let mut asked = std::collections::VecDeque::new();
    let mut known_at = Vec::new();
    // Ten thousand frames a second, each of many steps, one in ten of them a question; an answer takes 8 s.
    for n in 0..120 * 10_000_i64 {
        let entered = chooser.stamp(Timestamp::from_nanos(n * 100_000), &steps);
        let at = |kind: StepKind, node: u32, entered: Timestamp| {
            let now = (n * 100_000, n * 100_000 + 100);
            let step = step(kind, node, 0, now);
            Step { entered, taken: step.began, woke: step.began, out_port: 0, outs: 1, ..step }
        };
        if is_followed(entered) {
            (0..NODES).for_each(|_| steps.put(at(StepKind::Body, b, entered)));
            steps.put(at(StepKind::Asked, q, entered));
            steps.put(at(StepKind::Sink, y, entered));
            asked.push_back(entered);
        }
        while asked.front().is_some_and(|asked| n * 100_000 - asked.nanos() >= 8 * SECOND) {
            let entered = asked.pop_front().expect("one");
            steps.put(at(StepKind::Answered, q, entered));
            steps.put(at(StepKind::Sink, x, entered));
        }
        if n % 200 == 0 {
            collector.collect();
        }
        if n % 100_000 == 0 {
            let told = collector.attribution();
            known_at.push((told.known(), told.broken, told.lost));
        }
    }
    // By their half, it is known how long answers take.
    let [half, end] = [known_at[6], known_at[11]];
    assert_eq!((end.1 - half.1, end.2), (0, 0), "none is left out: {known_at:?}");
    assert!(end.0 - half.0 > 2_000, "and they are many: {known_at:?}");
    let told = collector.attribution();
    let waits = told.at("x", "q").expect("a node").waiting[Wait::Answer as usize];
    assert!((waits - 8e9).abs() < 1e6, "{waits}");
    assert!(collector.bytes() < 12 << 20, "{}", collector.bytes());
}
