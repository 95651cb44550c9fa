//! What one plan changes of another that runs, and whether that can be had while it runs.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    graph::{Code, Diagnostic, Diagnostics, SectionSpec},
    kind::Placement,
};

use super::{Home, Plan, PlanEdge, PlanNode};

/// What becomes of a plan that runs.
pub(crate) struct Change {
    /// What runs then; nodes, edges and stages have the numbers they have now.
    pub(crate) plan: Arc<Plan>,
    /// What becomes of each node, by number.
    pub(crate) nodes: Vec<Becomes>,
}

/// What becomes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It goes on as it is.
    Kept,
    /// Its body goes on and is told of these parameters, or the runtime treats it otherwise.
    Tuned(Vec<String>),
    /// It gets a new body, which takes up what the old one knew if it is of the same kind.
    Rebuilt {
        /// Of the same kind.
        is_alike: bool,
    },
}

impl Change {
    /// Whether a node gets a new body.
    pub(crate) fn rebuilds(&self, node: usize) -> bool {
        matches!(self.nodes[node], Becomes::Rebuilt { .. })
    }
}

impl Plan {
    /// What `wanted` changes of this plan, which runs.
    ///
    /// # Errors
    /// Everything that cannot change while it runs.
    pub(crate) fn change_to(&self, wanted: &Self) -> Result<Change, Diagnostics> {
        let mut comparison = Comparison { now: self, then: wanted, problems: Vec::new() };
        comparison.of_whole();
        let Some(numbers) = comparison.of_names() else {
            return Err(comparison.problems.into());
        };
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (number, &other) in numbers.iter().enumerate() {
            comparison.of_edges(number, other);
            nodes.push(comparison.of_node(number, other));
        }
        if comparison.problems.is_empty() {
            comparison.of_stages();
        }
        if !comparison.problems.is_empty() {
            return Err(comparison.problems.into());
        }
        let plan = Arc::new(self.changed(wanted, &numbers, &nodes));
        Ok(Change { plan, nodes })
    }

    /// This plan with what is different in `wanted`, whose numbers of nodes are others.
    fn changed(&self, wanted: &Self, numbers: &[usize], nodes: &[Becomes]) -> Self {
        let mut plan = self.clone();
        let back: BTreeMap<usize, usize> = numbers.iter().copied().zip(0..).collect();
        for (number, &other) in numbers.iter().enumerate() {
            let (old, new) = (&self.nodes[number], &wanted.nodes[other]);
            let keeps_body = !matches!(nodes[number], Becomes::Rebuilt { .. });
            plan.nodes[number] = PlanNode {
                in_edges: old.in_edges.clone(),
                out_edges: old.out_edges.clone(),
                home: old.home,
                source: old.source,
                roots: old.roots,
                settling: (new.settling.0, back[&new.settling.1]),
                // As the body has them that goes on.
                delay_ns: if keeps_body { old.delay_ns } else { new.delay_ns },
                look_back_ns: if keeps_body { old.look_back_ns } else { new.look_back_ns },
                ..new.clone()
            };
        }
        Self {
            deadline_ns: wanted.deadline_ns,
            files: wanted.files.clone(),
            graph_file: wanted.graph_file.clone(),
            taken: wanted.taken.clone(),
            spec: wanted.spec.clone(),
            warnings: wanted.warnings.clone(),
            // What bodies that go on share with new ones, and what the threads of the cores are in.
            common: self.common.clone(),
            services: self.services.clone(),
            ..plan
        }
    }
}

/// Two plans beside each other.
struct Comparison<'a> {
    now: &'a Plan,
    then: &'a Plan,
    problems: Vec<Diagnostic>,
}

impl Comparison<'_> {
    /// What belongs to no node.
    fn of_whole(&mut self) {
        let (now, then) = (self.now, self.then);
        if now.name != then.name {
            let place = &then.spec.name.place;
            let message = format!("the graph is called `{}` now, and was `{}`", then.name, now.name);
            self.problems.push(cannot(message).at(place));
        }
        if !now.placed.is_empty() || !then.placed.is_empty() {
            let message = "a graph that is joined to other hosts runs the same file on all of them";
            self.problems.push(cannot(message));
        }
        self.of_sections("model", &now.spec.models, &then.spec.models);
        self.of_sections("cache", &now.spec.caches, &then.spec.caches);
        self.of_sections("host", &now.spec.hosts, &then.spec.hosts);
    }

    fn of_sections(&mut self, what: &str, now: &[SectionSpec], then: &[SectionSpec]) {
        let named = |all: &[SectionSpec], name: &str| {
            all.iter().find(|section| section.name.value == name).cloned()
        };
        for section in then {
            let name = &section.name.value;
            let message = match named(now, name) {
                Some(before) if before == *section => continue,
                Some(_) => format!("`[{what}.{name}]` has changed"),
                None => format!("`[{what}.{name}]` is new"),
            };
            self.problems.push(cannot(message).at(&section.name.place));
        }
        for section in now {
            let name = &section.name.value;
            if named(then, name).is_none() {
                self.problems.push(cannot(format!("`[{what}.{name}]` is gone")));
            }
        }
    }

    /// The number of every node in the other plan, if there are the same.
    fn of_names(&mut self) -> Option<Vec<usize>> {
        let (now, then) = (self.now, self.then);
        let before = self.problems.len();
        for node in &then.nodes {
            if !now.nodes.iter().any(|known| known.name == node.name) {
                let message = format!("`{}` is new", node.name);
                self.problems.push(cannot(message).at(&node.op_place).of_node(&node.name));
            }
        }
        let find = |node: &PlanNode| then.nodes.iter().position(|other| other.name == node.name);
        let numbers: Vec<_> = now.nodes.iter().map(find).collect();
        for (node, number) in now.nodes.iter().zip(&numbers) {
            if number.is_none() {
                self.problems.push(cannot(format!("`{}` is gone", node.name)));
            }
        }
        (self.problems.len() == before).then(|| numbers.into_iter().flatten().collect())
    }

    /// What enters a node.
    fn of_edges(&mut self, number: usize, other: usize) {
        let (now, then) = (self.now, self.then);
        let (old, new) = (&now.nodes[number], &then.nodes[other]);
        let edges = |plan: &'_ Plan, node: &PlanNode| -> Vec<PlanEdge> {
            node.in_edges.iter().map(|&edge| plan.edges[edge].clone()).collect()
        };
        let (before, after) = (edges(now, old), edges(then, new));
        let ports = |node: &PlanNode| node.inputs.iter().map(|i| i.port).collect::<Vec<_>>();
        let origin = |plan: &Plan, edge: &PlanEdge| (plan.nodes[edge.from.0].name.clone(), edge.from.1);
        let is_same_way = before.len() == after.len()
            && ports(old) == ports(new)
            && before.iter().zip(&after).all(|(a, b)| {
                origin(now, a) == origin(then, b) && a.pick == b.pick
            });
        let carries_same = || before.iter().zip(&after).all(|(a, b)| a.format == b.format);
        let has_same_room = || before.iter().zip(&after).all(|(a, b)| a.ring == b.ring);
        let name = &new.name;
        let message = if !is_same_way {
            format!("`{name}` takes from others than before")
        } else if !carries_same() {
            format!("`{name}` gets another format than before")
        } else if !has_same_room() {
            format!("`{name}` has another room on its inputs than before")
        } else {
            return;
        };
        self.problems.push(cannot(message).at(&new.op_place).of_node(name));
    }

    fn of_node(&mut self, number: usize, other: usize) -> Becomes {
        let (old, new) = (&self.now.nodes[number], &self.then.nodes[other]);
        let is_alike = old.kind.name == new.kind.name;
        let keys = changed_keys(old, new);
        let is_live = |key: &String| new.kind.param(key).is_some_and(|param| param.is_live());
        let tells = is_alike
            && keys.iter().all(is_live)
            && old.outputs == new.outputs
            && old.frame_ms == new.frame_ms
            && old.align == new.align;
        let treated = treated_otherwise(old, new);
        if tells && old.home != Home::Io {
            let keys: Vec<String> = keys.into_iter().chain(treated).collect();
            return if keys.is_empty() { Becomes::Kept } else { Becomes::Tuned(keys) };
        }
        if tells && keys.is_empty() && treated.is_empty() {
            return Becomes::Kept;
        }
        self.of_new_body(old, new);
        Becomes::Rebuilt { is_alike }
    }

    /// What stands against another body.
    fn of_new_body(&mut self, old: &PlanNode, new: &PlanNode) {
        let name = &new.name;
        let mut refuse = |message: String, hint: &str| {
            let problem = Diagnostic::error(Code::NotWhileRunning, message).at(&new.op_place);
            self.problems.push(problem.of_node(name).hint(hint));
        };
        let asks = |node: &PlanNode| node.kind.placement == Placement::Asks;
        let sort = |node: &PlanNode| {
            let kind = node.kind;
            (kind.is_source(), kind.is_sink(), kind.live, kind.flushes_on.is_some(), asks(node))
        };
        if old.kind.outputs.len() != new.kind.outputs.len() || old.outputs != new.outputs {
            refuse(format!("`{name}` delivers another format than before"), RESTART);
        } else if sort(old) != sort(new) || old.align.is_some() != new.align.is_some() {
            let (before, after) = (old.kind.name, new.kind.name);
            refuse(format!("`{name}` was `{before}`, whose place `{after}` cannot take"), RESTART);
        } else if old.home == Home::Io && (old.align != new.align || old.idle_ns != new.idle_ns) {
            let key = if old.idle_ns == new.idle_ns { "max_wait_ms" } else { "idle_ms" };
            refuse(format!("`{key}` of `{name}`, which waits for the world, has changed"), RESTART);
        } else if [old, new].iter().any(|n| n.kind.door.is_some() || n.kind.answers) {
            refuse(format!("somebody may be waiting for an answer at `{name}`"), RESTART);
        } else if written_by(self.now, name).any(|id| written_by(self.then, name).any(|other| other == id)) {
            refuse(
                format!("`{name}` would begin its file anew, and what it has written would be lost"),
                "let it write to another file, or end the run and start it again",
            );
        }
    }

    /// Which nodes run together.
    fn of_stages(&mut self) {
        let named = |plan: &Plan| -> Vec<(Vec<String>, Option<u32>)> {
            let names = |stage: &super::PlanStage| {
                let mut names: Vec<_> =
                    stage.nodes.iter().map(|&node| plan.nodes[node].name.clone()).collect();
                names.sort();
                (names, stage.core)
            };
            let mut all: Vec<_> = plan.stages.iter().map(names).collect();
            all.sort();
            all
        };
        if named(self.now) != named(self.then) {
            self.problems.push(cannot("other nodes run together than before, or on other cores"));
        }
    }
}

/// What can always be done.
const RESTART: &str = "end the run and start it again; nothing has changed so far";

fn cannot(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::NotWhileRunning, message).hint(RESTART)
}

/// The parameters that are written differently.
fn changed_keys(old: &PlanNode, new: &PlanNode) -> Vec<String> {
    let mut keys: Vec<String> = old
        .params
        .names()
        .chain(new.params.names())
        .filter(|key| old.params.written(key) != new.params.written(key))
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The keys by which the runtime treats a node otherwise whose body need not know.
fn treated_otherwise(old: &PlanNode, new: &PlanNode) -> Vec<String> {
    let keys = [
        ("on_fault", old.on_fault != new.on_fault),
        ("retries", old.retries != new.retries),
        ("wedge_ms", old.wedge_ns != new.wedge_ns),
        ("deadline_ms", old.deadline_ns != new.deadline_ns),
        ("idle_ms", old.idle_ns != new.idle_ns),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

/// The files that a node writes, by identity.
fn written_by<'a>(plan: &'a Plan, name: &str) -> impl Iterator<Item = &'a String> {
    let by = format!("`{name}` writes");
    plan.taken.iter().filter(move |(_, what)| what.starts_with(&by)).map(|(id, _)| id)
}
