//! Large graphs are planned at once.

use std::time::Instant;

use crate::graph::GraphSpec;

use super::{check, kinds, options};

/// Half a second is what a person waits without wondering; planning takes a tenth of it, so
/// that a machine under load does not fail the test.
const LIMIT_S: f64 = 0.5;

fn measured(what: &str, spec: &GraphSpec) -> super::Plan {
    let began = Instant::now();
    let plan = spec.plan(&kinds::catalog(), &options());
    let took_s = began.elapsed().as_secs_f64();
    println!("{what}: {:.1} ms", took_s * 1e3);
    assert!(took_s < LIMIT_S || cfg!(debug_assertions), "{what} took {took_s} s");
    plan.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn ten_thousand_nodes_in_a_chain() {
    let mut spec = GraphSpec::new("chain").node("n0", "sine", |n| n);
    for n in 1..9_999 {
        spec = spec.node(&format!("n{n}"), "copy", |node| node.from(format!("n{}", n - 1)));
    }
    spec = spec.node("out", "eat", |n| n.from("n9998"));

    let plan = measured("chain", &spec);

    check(&plan);
    assert_eq!((plan.nodes.len(), plan.stage_count()), (10_000, 1));
}

#[test]
fn ten_thousand_nodes_in_a_fan() {
    let mut spec = GraphSpec::new("fan").node("n0", "sine", |n| n);
    let names: Vec<String> = (1..9_999).map(|n| format!("n{n}")).collect();
    for name in &names {
        spec = spec.node(name, "copy", |n| n.from("n0"));
    }
    spec = spec.node("out", "eat", |n| n.from(names.clone()));

    let plan = measured("fan", &spec);

    check(&plan);
    assert_eq!(plan.stage_count(), 1);
    assert_eq!(super::node(&plan, "out").inputs.len(), 9_998);
}

#[test]
fn ten_thousand_stages_in_a_fan() {
    let mut spec = GraphSpec::new("fan").node("n0", "sine", |n| n);
    let names: Vec<String> = (1..9_999).map(|n| format!("n{n}")).collect();
    for name in &names {
        spec = spec.node(name, "heavy", |n| n.from("n0"));
    }
    spec = spec.node("out", "eat", |n| n.from(names.clone()));

    let plan = measured("heavy fan", &spec);

    assert_eq!(plan.stage_count(), 10_000);
}

/// Every node but the first skips over the heavy one before it, so that each stage is tried
/// with its neighbour and refused.
#[test]
fn ten_thousand_nodes_whose_stages_cannot_be_joined() {
    let mut spec = GraphSpec::new("ladder").node("a0", "sine", |n| n);
    for n in 1..3_333 {
        let above = format!("a{}", n - 1);
        spec = spec
            .node(&format!("h{n}"), "heavy", |node| node.from(above.clone()))
            .node(&format!("a{n}"), "merge", |node| node.from([above.clone(), format!("h{n}")]))
            .node(&format!("s{n}"), "eat", |node| node.from(format!("a{n}")));
    }

    let plan = measured("ladder", &spec);

    assert_eq!(plan.stage_count(), 3_333 + 3_332);
}

#[test]
fn ten_thousand_mistakes_are_told_at_once() {
    let mut spec = GraphSpec::new("wrong").node("n0", "sine", |n| n);
    for n in 1..10_000 {
        let (name, from) = (format!("node_{n}"), format!("nod_{}", n - 1));
        spec = spec.node(&name, "copi", |node| node.from(from).set("rate", 1.0));
    }

    let began = Instant::now();
    let problems = spec.plan(&kinds::catalog(), &options()).err().expect("all wrong");

    let took_s = began.elapsed().as_secs_f64();
    println!("mistakes: {:.1} ms", took_s * 1e3);
    assert!(took_s < 1.0 || cfg!(debug_assertions), "took {took_s} s");
    assert!(problems.0.len() >= 19_998);
}
