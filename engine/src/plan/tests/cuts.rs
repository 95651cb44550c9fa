//! Where stages end.

use crate::graph::{Code, GraphSpec, Level};

use super::{Home, check, kinds, options, planned, stages};

fn cut(graph: &str) -> Vec<Vec<String>> {
    let plan = planned(graph);
    check(&plan);
    stages(&plan).iter().map(|names| names.iter().map(|&name| name.to_owned()).collect()).collect()
}

/// `name op from keys` per line, as TOML.
fn graph(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(4, ' ');
        let (name, op) = (words.next().expect("a name"), words.next().expect("an op"));
        text += &format!("[node.{name}]\nop = \"{op}\"\n");
        if let Some(from) = words.next().filter(|from| *from != "-") {
            let from: Vec<String> = from.split(',').map(|from| format!("{from:?}")).collect();
            text += &format!("from = [{}]\n", from.join(", "));
        }
        if let Some(keys) = words.next() {
            text += &keys.replace("; ", "\n");
            text.push('\n');
        }
    }
    text
}

#[test]
fn what_is_connected_runs_together() {
    let cut = cut(&graph(
        "a sine
         b copy a
         c copy a
         d merge b,c
         out eat d
         x sine
         y eat x",
    ));

    assert_eq!(cut, [vec!["a", "b", "c", "d", "out"], vec!["x", "y"]]);
}

#[test]
fn what_waits_is_in_no_stage() {
    let plan = planned(&graph(
        "mic mic
         a copy mic
         out file a file = \"x\"",
    ));

    check(&plan);
    assert_eq!(stages(&plan), [["a"]]);
    assert_eq!(super::node(&plan, "mic").home, Home::Io);
    assert_eq!(super::node(&plan, "out").home, Home::Io);
}

#[test]
fn a_diamond_around_a_heavy_node_is_cut_where_it_must_be() {
    let cut = cut(&graph(
        "a sine
         pre copy a
         net heavy pre
         side copy pre
         both merge side,net
         out eat both",
    ));

    assert_eq!(cut, [vec!["a", "pre", "side"], vec!["net"], vec!["both", "out"]]);
}

#[test]
fn a_diamond_around_a_call_is_cut_where_it_must_be() {
    let cut = cut(&graph(
        "a sine
         ask ask a
         post copy ask
         both merge a,post
         out eat both",
    ));

    assert_eq!(cut, [vec!["a"], vec!["post", "both", "out"]]);
}

#[test]
fn a_source_below_a_ring_joins_the_stage_it_feeds() {
    let cut = cut(&graph(
        "mic mic
         f copy mic
         s sine
         g copy s
         both merge f,g
         out eat both",
    ));

    assert_eq!(cut, [["f", "s", "g", "both", "out"]]);
}

#[test]
fn room_on_an_edge_cuts_it() {
    for key in ["on_full = \"block\"", "capacity_ms = 50"] {
        let cut = cut(&graph(&format!(
            "a sine
             b copy a
             c copy b {key}
             out eat c"
        )));

        assert_eq!(cut, [["a", "b"], ["c", "out"]], "{key}");
    }
}

#[test]
fn two_cut_branches_do_not_meet_again_upstream() {
    let cut = cut(&graph(
        "a sine
         b copy a on_full = \"block\"
         c copy a on_full = \"block\"
         d merge b,c
         out eat d",
    ));

    assert_eq!(cut, [vec!["a"], vec!["b", "c", "d", "out"]]);
}

#[test]
fn a_pinned_node_takes_nobody_with_it() {
    let plan = planned(&graph(
        "a sine
         b copy a core = 1
         c copy b core = 1
         d copy c
         out eat d",
    ));

    check(&plan);
    assert_eq!(stages(&plan), [vec!["a"], vec!["b", "c"], vec!["d", "out"]]);
    let cores: Vec<_> = plan.stages.iter().map(|stage| stage.core).collect();
    assert_eq!(cores, [None, Some(1), None]);
}

#[test]
fn nodes_of_one_name_run_together_and_apart_from_others() {
    let plan = planned(&graph(
        "a sine
         b copy a stage = \"x\"
         c heavy a stage = \"x\"; core = 1
         d copy b
         out eat d,c",
    ));

    check(&plan);
    assert_eq!(stages(&plan), [vec!["a"], vec!["b", "c"], vec!["d", "out"]]);
    assert_eq!(plan.stages[1].core, Some(1));
}

/// A multiplicative generator (Lehmer, modulus 2³¹ − 1): the same graphs on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 as usize % sides
    }
}

#[test]
fn every_random_graph_is_cut_into_stages_that_nothing_leaves_and_enters_again() {
    for seed in 1..=400 {
        let mut dice = Dice(seed);
        let count = 2 + dice.below(60);
        let mut spec = GraphSpec::new("random").node("n0", "sine", |n| n);
        for n in 1..count {
            let op = ["merge", "merge", "merge", "merge", "heavy", "ask", "sine"][dice.below(7)];
            let inputs = if op == "merge" { 1 + dice.below(3) } else { 1 };
            let near = n.min(8);
            let from: Vec<String> =
                (0..inputs).map(|_| format!("n{}", n - 1 - dice.below(near))).collect();
            let (cut, core, name) = (dice.below(8), dice.below(12), dice.below(10));
            spec = spec.node(&format!("n{n}"), op, |mut node| {
                if op == "sine" {
                    return node;
                }
                node = node.from(from);
                if cut == 0 {
                    node = node.set("on_full", "block");
                }
                if core < 2 && op != "ask" {
                    node = node.set("core", core as i64);
                }
                // A name for a node alone is always convex.
                if name == 0 && op != "ask" {
                    node = node.set("stage", format!("s{n}"));
                }
                node
            });
        }

        let plan = spec.plan(&kinds::catalog(), &options());
        let plan = plan.unwrap_or_else(|problems| panic!("seed {seed}: {problems}"));
        check(&plan);
        for (number, stage) in plan.stages.iter().enumerate() {
            assert!(is_connected(&plan, number), "seed {seed}: stage {:?}", stage.nodes);
        }
    }
}

#[test]
fn stages_of_a_name_are_convex_or_refused() {
    let (mut cut, mut refused) = (0, 0);
    for seed in 1..=300 {
        let mut dice = Dice(seed * 7_919);
        let count = 3 + dice.below(12);
        let mut spec = GraphSpec::new("random").node("n0", "sine", |n| n);
        for n in 1..count {
            let from: Vec<String> = (0..2).map(|_| format!("n{}", dice.below(n))).collect();
            let name = dice.below(6);
            spec = spec.node(&format!("n{n}"), "merge", |node| {
                let node = node.from(from);
                if name < 2 { node.set("stage", format!("s{name}")) } else { node }
            });
        }

        match spec.plan(&kinds::catalog(), &options()) {
            Ok(plan) => {
                check(&plan);
                cut += 1;
            }
            Err(problems) => {
                let mut errors = problems.0.iter().filter(|p| p.level == Level::Error);
                assert!(errors.all(|error| error.code == Code::StageNotConvex), "{problems}");
                refused += 1;
            }
        }
    }

    assert!(cut > 30 && refused > 30, "{cut} cut, {refused} refused: both must be seen");
}

fn is_connected(plan: &super::Plan, stage: usize) -> bool {
    let nodes = &plan.stages[stage].nodes;
    let mut met = vec![nodes[0]];
    let mut at = 0;
    while at < met.len() {
        for edge in plan.edges.iter().filter(|edge| edge.ring.is_none()) {
            for (here, there) in [(edge.from.0, edge.to.0), (edge.to.0, edge.from.0)] {
                if here == met[at] && !met.contains(&there) {
                    met.push(there);
                }
            }
        }
        at += 1;
    }
    met.len() == nodes.len()
}
