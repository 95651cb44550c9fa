//! The plan that runs then, by the numbers of the one that runs now.

use std::{collections::BTreeMap, sync::Arc};

use crate::flush::Roots;

use super::{
    super::{Home, Plan, PlanEdge, PlanNode, PlanStage, rings},
    Becomes, Change,
};

/// `wanted` by the numbers of `now`, whose nodes become `nodes`; `twins` are their numbers in `wanted`.
pub(super) fn merged(
    now: &Plan,
    wanted: &Plan,
    twins: &[Option<usize>],
    nodes: Vec<Becomes>,
) -> Change {
    let mut merging = Merging {
        plan: Plan {
            deadline_ns: wanted.deadline_ns,
            files: wanted.files.clone(),
            graph_file: wanted.graph_file.clone(),
            // What the run has written before may not be begun anew.
            taken: Arc::new(
                now.taken
                    .iter()
                    .chain(&*wanted.taken)
                    .map(|(id, by)| (id.clone(), by.clone()))
                    .collect(),
            ),
            spec: wanted.spec.clone(),
            warnings: wanted.warnings.clone(),
            // What bodies that go on share with new ones, and what the threads of the cores are in.
            ..now.clone()
        },
        wanted,
        numbers: BTreeMap::new(),
        stages: BTreeMap::new(),
        nodes,
        begun: Vec::new(),
        ended: Vec::new(),
    };
    merging.numbers = twins.iter().zip(0..).filter_map(|(twin, n)| Some(((*twin)?, n))).collect();
    merging.remove();
    for other in 0..wanted.nodes.len() {
        if !wanted.nodes[other].gone && !merging.numbers.contains_key(&other) {
            merging.add(other);
        }
    }
    merging.update(now, twins);
    let Merging { plan, nodes, begun, ended, .. } = merging;
    Change { plan: Arc::new(plan), nodes, begun, ended }
}

struct Merging<'a> {
    plan: Plan,
    wanted: &'a Plan,
    /// By number of `wanted`.
    numbers: BTreeMap<usize, usize>,
    /// New stages, by number of `wanted`.
    stages: BTreeMap<usize, usize>,
    nodes: Vec<Becomes>,
    begun: Vec<usize>,
    ended: Vec<usize>,
}

impl Merging<'_> {
    /// Nothing leads to what is removed any more.
    fn remove(&mut self) {
        for number in 0..self.nodes.len() {
            if self.nodes[number] != Becomes::Removed {
                continue;
            }
            self.plan.nodes[number].gone = true;
            for edge in self.plan.nodes[number].in_edges.clone() {
                let (from, port) = self.plan.edges[edge].from;
                if self.nodes[from] != Becomes::Removed {
                    self.plan.nodes[from].out_edges[port].retain(|&other| other != edge);
                    self.ended.push(edge);
                }
            }
        }
    }

    /// A node behind what is there, in a stage apart.
    fn add(&mut self, other: usize) {
        let node = &self.wanted.nodes[other];
        let number = self.plan.nodes.len();
        // Names are the key of whoever asks: what had this one is told apart.
        let before = self.plan.nodes.iter_mut().zip(0..).find(|(known, _)| known.name == node.name);
        if let Some((before, number)) = before {
            before.name = format!("{}~{number}", before.name);
        }
        let home = match node.home {
            Home::Io => Home::Io,
            Home::Stage(stage) => Home::Stage(self.stage_of(stage)),
        };
        if let Home::Stage(stage) = home {
            self.plan.stages[stage].nodes.push(number);
        }
        let mut planned = PlanNode {
            in_edges: Vec::new(),
            out_edges: node.out_edges.iter().map(|_| Vec::new()).collect(),
            home,
            roots: Roots::NONE,
            is_apart: true,
            ..node.clone()
        };
        for &edge in &node.in_edges {
            let edge = &self.wanted.edges[edge];
            let from = (self.numbers[&edge.from.0], edge.from.1);
            let is_inside = home != Home::Io && self.plan.nodes[from.0].home == home;
            let begun = self.plan.edges.len();
            self.plan.edges.push(PlanEdge {
                from,
                to: (number, planned.in_edges.len()),
                ring: edge.ring.or_else(|| (!is_inside).then(|| rings::usual(&edge.format))),
                ..edge.clone()
            });
            planned.in_edges.push(begun);
            planned.roots = planned.roots.and(self.plan.nodes[from.0].roots);
            self.plan.nodes[from.0].out_edges[from.1].push(begun);
            self.begun.push(begun);
        }
        self.plan.nodes.push(planned);
        self.nodes.push(Becomes::Added);
        self.numbers.insert(other, number);
    }

    /// The new stage for what is added of a stage of `wanted`.
    fn stage_of(&mut self, stage: usize) -> usize {
        *self.stages.entry(stage).or_insert_with(|| {
            let core = self.wanted.stages[stage].core;
            self.plan.stages.push(PlanStage { nodes: Vec::new(), core });
            self.plan.stages.len() - 1
        })
    }

    /// What is different of the nodes that stay.
    fn update(&mut self, now: &Plan, twins: &[Option<usize>]) {
        for (number, twin) in twins.iter().enumerate() {
            let Some(twin) = *twin else { continue };
            let (old, new) = (&now.nodes[number], &self.wanted.nodes[twin]);
            let keeps_body = !matches!(self.nodes[number], Becomes::Rebuilt { .. });
            let here = &mut self.plan.nodes[number];
            *here = PlanNode {
                in_edges: std::mem::take(&mut here.in_edges),
                out_edges: std::mem::take(&mut here.out_edges),
                home: old.home,
                source: old.source,
                roots: old.roots,
                is_apart: old.is_apart,
                // As the body has them that goes on.
                delay_ns: if keeps_body { old.delay_ns } else { new.delay_ns },
                look_back_ns: if keeps_body { old.look_back_ns } else { new.look_back_ns },
                ..new.clone()
            };
            if self.nodes[number] == Becomes::Kept && old.watched != new.watched {
                // Somebody who is new asks for its bounds, or nobody does any more.
                self.nodes[number] = Becomes::Tuned(Vec::new());
            }
        }
        for (&other, &number) in &self.numbers {
            let (settling_ns, due_to) = self.wanted.nodes[other].settling;
            self.plan.nodes[number].settling = (settling_ns, self.numbers[&due_to]);
        }
    }
}
