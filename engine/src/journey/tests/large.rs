//! What is kept of large graphs grows with them, not with their square.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use crate::{
    Timestamp,
    journey::Collector,
    plan::Plan,
    steps::{NO_FRAME, Step, StepKind, Steps},
};

use super::{odd::step, planned};

const MEGABYTE: usize = 1 << 20;

/// So many chains of nodes behind one source, a sink at the end of each.
fn chains(count: usize, len: usize) -> (Arc<Plan>, HashMap<String, u32>) {
    let mut text = "[node.a]\nop = \"ticks\"\n".to_owned();
    for chain in 0..count {
        let mut from = "a".to_owned();
        for n in 0..len {
            let name = format!("n{chain}_{n}");
            writeln!(text, "[node.{name}]\nop = \"works\"\nfrom = \"{from}\"").expect("a String");
            from = name;
        }
        writeln!(text, "[node.x{chain}]\nop = \"ends\"\nfrom = \"{from}\"").expect("a String");
    }
    let plan = planned(&text);
    let numbers = plan.nodes.iter().enumerate().map(|(n, node)| (node.name.clone(), n as u32));
    let numbers = numbers.collect();
    (plan, numbers)
}

/// Takes a frame that came in at this moment down a chain.
fn pass(steps: &Steps, numbers: &HashMap<String, u32>, chain: usize, len: usize, entered: i64) {
    let at = |node: &str, kind: StepKind| Step {
        entered: Timestamp::from_nanos(entered),
        ..step(kind, numbers[node], 0, (entered + 10, entered + 20))
    };
    for n in 0..len {
        let body = at(&format!("n{chain}_{n}"), StepKind::Body);
        steps.put(Step { out_port: 0, outs: 1, ..body });
    }
    steps.put(at(&format!("x{chain}"), StepKind::Sink));
}

#[test]
fn a_graph_of_ten_thousand_nodes_that_somebody_looks_at_takes_a_few_megabytes() {
    const CHAINS: usize = 100;
    const LEN: usize = 99;
    let (plan, numbers) = chains(CHAINS, LEN);
    assert_eq!(plan.nodes.len(), 1 + CHAINS * (LEN + 1));
    let steps = Arc::new(Steps::default());
    steps.follow(Some(0));
    let mut collector = Collector::new(&plan, &steps);
    assert_eq!(collector.bytes(), 0, "nothing has been on its way yet");

    let mut entered = 1;
    for _ in 0..30 {
        for chain in 0..CHAINS {
            pass(&steps, &numbers, chain, LEN, entered);
            // A timer at the end of a long way: it may come from any node above.
            let timer = format!("n{chain}_{}", LEN - 1);
            let now = (entered + 20, entered + 20);
            steps.put(Step {
                entered: Timestamp::from_nanos(entered),
                ..step(StepKind::Sink, numbers[&timer], NO_FRAME, now)
            });
            collector.collect();
            entered += 1_000_000;
        }
    }
    let told = collector.attribution();
    assert_eq!((told.lost, told.broken), (0, 0));
    assert_eq!(told.sinks.len(), 2 * CHAINS);
    assert!(told.sinks.iter().all(|sink| sink.journeys == 30 && !sink.recent.is_empty()));
    let bytes = collector.bytes();
    assert!(bytes < 12 * MEGABYTE, "{bytes}: steps of the last frames, and ways");
    // Without the steps, of which as many are kept as there is room for.
    let ways: usize = told.sinks.iter().flat_map(|sink| &sink.recent).map(|w| w.legs.len()).sum();
    assert!(ways * size_of::<crate::Leg>() < 6 * MEGABYTE, "{ways} legs");
    let nodes: usize = told.sinks.iter().map(|sink| sink.nodes.len()).sum();
    assert_eq!(nodes, CHAINS * (LEN + 1 + LEN), "those on the way to each sink");
}

#[test]
fn five_thousand_sinks_keep_some_ways_each() {
    const SINKS: usize = 5_000;
    let (plan, numbers) = chains(SINKS, 1);
    let steps = Arc::new(Steps::default());
    steps.follow(Some(0));
    let mut collector = Collector::new(&plan, &steps);
    for n in 0..40_i64 {
        for sink in 0..SINKS {
            pass(&steps, &numbers, sink, 1, 1 + n * 20_000_000);
        }
        collector.collect();
    }
    let told = collector.attribution();
    assert_eq!((told.lost, told.broken, told.sinks.len()), (0, 0, SINKS));
    assert!(told.sinks.iter().all(|sink| sink.journeys == 40 && !sink.recent.is_empty()));
    let ways: usize = told.sinks.iter().map(|sink| sink.recent.len()).sum();
    assert!(ways < 1 << 16, "{ways}");
}
