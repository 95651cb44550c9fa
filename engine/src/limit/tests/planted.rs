//! Graphs made by chance, with one limit planted.

use std::fmt::Write;

use crate::{Cause, testing::Chance};

use super::kinds::RATE_HZ;

/// A graph, and what limits it.
pub(super) struct Planted {
    pub(super) text: String,
    pub(super) cause: Cause,
    /// Empty where no node is to blame.
    pub(super) node: String,
    pub(super) speed: Option<f64>,
    pub(super) cores: usize,
}

struct Draft {
    op: &'static str,
    from: Vec<String>,
    keys: String,
    cost_us: f64,
    core: usize,
    /// Keys of its first input, whose ring it then has.
    ring: Option<String>,
}

impl Planted {
    /// One or two sources, three to eight nodes on one to three cores, a sink or two; what is not planted
    /// takes a tenth of a core at most.
    pub(super) fn new(seed: u64, cause: Cause) -> Self {
        let mut chance = Chance::new(seed);
        let len = *chance.one(&[10_i64, 20, 40]);
        let period_us = len as f64 * 1e6 / RATE_HZ;
        let cores = match cause {
            Cause::Core => 2 + chance.below(2) as usize,
            _ => 1 + chance.below(3) as usize,
        };
        let is_fast = match cause {
            Cause::Source => true,
            Cause::Compute | Cause::Sink | Cause::Answer => chance.below(3) == 0,
            _ => false,
        };
        let count = 3 + chance.below(6) as usize;
        let mut nodes: Vec<Draft> = Vec::new();
        for number in 0..count {
            // A line with branches: from the node before, or from any.
            let from = match number {
                0 => "a".to_owned(),
                n if chance.below(4) > 0 => format!("n{}", n - 1),
                n => format!("n{}", chance.below(n as u64)),
            };
            let core = chance.below(cores as u64) as usize;
            let ring = (chance.below(4) == 0).then(|| "capacity_ms = 400".to_owned());
            let cost_us = period_us * chance.between(0.001, 0.01);
            nodes.push(Draft {
                op: "works",
                from: vec![from],
                keys: String::new(),
                cost_us,
                core,
                ring,
            });
        }
        let mut this = Self {
            text: String::new(),
            cause,
            node: String::new(),
            speed: (!is_fast).then_some(1.0),
            cores,
        };
        let at = chance.below(count as u64) as usize;
        let (mut source_us, mut at_once, mut other) = (period_us * 0.002, 1, String::new());
        let mut sink_us = period_us * chance.between(0.001, 0.02);
        let mut deadline = String::new();
        match cause {
            Cause::Nothing => {
                if chance.below(2) == 0 {
                    deadline = format!("deadline_ms = {:.3}\n", period_us / 1e3);
                }
            }
            Cause::Compute => {
                nodes[at].cost_us = period_us * chance.between(1.15, 3.0);
                this.node = format!("n{at}");
            }
            Cause::Core => {
                // Everything on one core, more than it can do, and nobody has much of it; rings between,
                // or there would be one stage.
                let share = chance.between(1.2, 1.7) / count as f64;
                for node in &mut nodes {
                    node.core = 0;
                    node.cost_us = period_us * share * chance.between(0.9, 1.1);
                    node.ring = Some("capacity_ms = 400".to_owned());
                }
            }
            Cause::Ring => {
                // No ring holds fewer than 16.
                at_once = 32 + chance.below(24) as i64;
                let holds = 16 + chance.below(5);
                let policy = *chance.one(&["drop_newest", "drop_oldest"]);
                let capacity_ms = (holds * len as u64) as f64 * 1e3 / RATE_HZ;
                // It takes bursts one by one, and has most of its time left.
                nodes[0].cost_us = period_us * chance.between(0.1, 0.4);
                nodes[0].core = cores - 1;
                nodes[0].ring =
                    Some(format!("capacity_ms = {capacity_ms:.1}, on_full = \"{policy}\""));
                this.node = "n0".to_owned();
            }
            Cause::Sink => {
                sink_us = period_us * chance.between(1.15, 3.0);
                this.node = "s0".to_owned();
            }
            Cause::Join => {
                let late = *chance.one(&[8_i64, 12, 20]);
                writeln!(other, "[node.b]\nop = \"makes\"\nlen = {}\ncost_us = 1.0", len * late)
                    .expect("a String");
                nodes[at].op = "joins";
                nodes[at].from.push("b".to_owned());
                nodes[at].ring = None;
                this.node = format!("n{at}");
                deadline = format!("deadline_ms = {:.3}\n", period_us / 1e3);
            }
            Cause::Answer => {
                nodes[at].op = "asks";
                let factor = if is_fast || chance.below(2) == 0 {
                    chance.between(1.2, 3.0)
                } else {
                    deadline = format!("deadline_ms = {:.3}\n", period_us * 0.4 / 1e3);
                    chance.between(0.5, 0.9)
                };
                nodes[at].keys = format!("answer_us = {:.1}\n", period_us * factor);
                this.node = format!("n{at}");
            }
            Cause::Moving | Cause::Machine => {
                unreachable!("simulated cores have all of their time")
            }
            Cause::Source => {
                source_us = period_us * chance.between(0.5, 2.0);
                this.node = "a".to_owned();
            }
        }
        writeln!(this.text, "[graph]\nname = \"planted\"\n{deadline}[node.a]\nop = \"makes\"\nlen = {len}\nat_once = {at_once}\ncost_us = {source_us:.3}\n{other}").expect("a String");
        for (number, node) in nodes.iter().enumerate() {
            this.put(&format!("n{number}"), node);
        }
        let is_end = |number: &usize| {
            let name = format!("n{number}");
            !nodes.iter().any(|node| node.from.contains(&name))
        };
        let ends: Vec<String> =
            (0..count).filter(is_end).map(|number| format!("\"n{number}\"")).collect();
        match cause {
            // What is planted stands alone.
            Cause::Sink if ends.len() > 1 => {
                let others = ends[1..].join(", ");
                writeln!(this.text, "[node.s1]\nop = \"writes\"\nfrom = [{others}]\ncost_us = 1.0")
                    .expect("a String");
                writeln!(
                    this.text,
                    "[node.s0]\nop = \"writes\"\nfrom = {}\ncost_us = {sink_us:.3}",
                    ends[0]
                )
                .expect("a String");
            }
            _ => {
                for (number, end) in ends.iter().enumerate() {
                    writeln!(
                        this.text,
                        "[node.s{number}]\nop = \"writes\"\nfrom = {end}\ncost_us = {sink_us:.3}"
                    )
                    .expect("a String");
                }
            }
        }
        this
    }

    fn put(&mut self, name: &str, node: &Draft) {
        let Draft { op, from, keys, cost_us, core, ring } = node;
        let ring = ring.as_ref().map(|ring| format!(", {ring}")).unwrap_or_default();
        let first = format!("in = {{ node = \"{}\"{ring} }}", from[0]);
        let from = match from.get(1) {
            Some(other) => format!("{{ {first}, other = \"{other}\" }}"),
            None => format!("{{ {first} }}"),
        };
        let core = if *core > 0 { format!("core = {core}\n") } else { String::new() };
        writeln!(
            self.text,
            "[node.{name}]\nop = \"{op}\"\nfrom = {from}\ncost_us = {cost_us:.3}\n{core}{keys}"
        )
        .expect("a String");
    }
}
