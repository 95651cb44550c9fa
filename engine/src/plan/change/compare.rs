//! Two plans beside each other: what is different, and what cannot be.

use crate::{
    graph::{Code, Diagnostic, Place, SectionSpec},
    kind::Placement,
};

use super::{
    super::{Home, Plan, PlanEdge, PlanNode, PlanStage},
    Becomes,
};

/// Two plans beside each other.
pub(super) struct Comparison<'a> {
    now: &'a Plan,
    then: &'a Plan,
    /// By number of a node that runs: its number in the other plan, if it stays.
    pub(super) twins: Vec<Option<usize>>,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(now: &'a Plan, then: &'a Plan) -> Self {
        let is_same = |node: &PlanNode, other: &PlanNode| !other.gone && node.name == other.name;
        let twin = |node: &PlanNode| {
            let twin = then.nodes.iter().position(|other| is_same(node, other));
            twin.filter(|_| !node.gone)
        };
        Self { now, then, twins: now.nodes.iter().map(twin).collect(), problems: Vec::new() }
    }

    /// What becomes of every node that is there.
    pub(super) fn of_nodes(&mut self) -> Vec<Becomes> {
        let mut nodes = Vec::with_capacity(self.now.nodes.len());
        for (number, node) in self.now.nodes.iter().enumerate() {
            let Some(other) = self.twins[number] else {
                if !node.gone {
                    self.of_coming_and_going(node, "is gone", &None);
                }
                nodes.push(if node.gone { Becomes::Gone } else { Becomes::Removed });
                continue;
            };
            nodes.push(if self.gets_another_format(number, other) {
                // That is told of the first whose format is another.
                Becomes::Kept
            } else if self.of_edges(number, other) {
                self.of_node(number, other)
            } else {
                // What took from others is finished; another takes its place.
                self.twins[number] = None;
                Becomes::Removed
            });
        }
        for (number, node) in self.then.nodes.iter().enumerate() {
            if !node.gone && !self.twins.contains(&Some(number)) {
                self.of_coming_and_going(node, "is new", &node.op_place);
                let problem = begins_anew(node);
                if self.rewrites(&node.name) && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
            }
        }
        nodes
    }

    /// Whether a new body would write over a file that the run has written.
    fn rewrites(&self, name: &str) -> bool {
        let written =
            |id: &String| self.now.taken.get(id).is_some_and(|by| by.ends_with(" writes"));
        let by = format!("`{name}` writes");
        self.then.taken.iter().any(|(id, what)| *what == by && written(id))
    }

    /// What can neither come nor go while a graph runs.
    fn of_coming_and_going(&mut self, node: &PlanNode, what: &str, place: &Option<Place>) {
        let kind = node.kind;
        let why = if kind.is_source() {
            "a source"
        } else if kind.flushes_on.is_some() {
            "what takes back what others have passed on"
        } else if kind.answers {
            "somebody may be waiting for its answer"
        } else {
            return;
        };
        let message = format!("`{}` {what}: {why}", node.name);
        self.problems.push(cannot(message).at(place).of_node(&node.name));
    }

    /// What belongs to no node.
    pub(super) fn of_whole(&mut self) {
        let (now, then) = (self.now, self.then);
        if now.name != then.name {
            let place = &then.spec.name.place;
            let message =
                format!("the graph is called `{}` now, and was `{}`", then.name, now.name);
            self.problems.push(cannot(message).at(place));
        }
        if !now.placed.is_empty() || !then.placed.is_empty() {
            let message = "a graph that is joined to other hosts runs the same file on all of them";
            self.problems.push(cannot(message));
        }
        self.problems.extend(now.sections_against(&then.spec).0);
    }

    fn gets_another_format(&self, number: usize, other: usize) -> bool {
        let (old, new) = (&self.now.nodes[number], &self.then.nodes[other]);
        let edges = old.in_edges.iter().zip(&new.in_edges);
        let ends = edges.map(|(&a, &b)| (&self.now.edges[a], &self.then.edges[b]));
        old.in_edges.len() == new.in_edges.len()
            && ends.clone().all(|(a, b)| self.origin(self.now, a) == self.origin(self.then, b))
            && ends.clone().any(|(a, b)| a.format != b.format && a.pick == b.pick)
    }

    /// The node and the port at which an edge begins.
    fn origin<'p>(&self, plan: &'p Plan, edge: &PlanEdge) -> (&'p str, usize) {
        (&plan.nodes[edge.from.0].name, edge.from.1)
    }

    /// Whether what enters a node is what entered it before. If not, and it is no sink that waits, that is a
    /// problem.
    fn of_edges(&mut self, number: usize, other: usize) -> bool {
        let (now, then) = (self.now, self.then);
        let (old, new) = (&now.nodes[number], &then.nodes[other]);
        let edges = |plan: &'_ Plan, node: &PlanNode| -> Vec<PlanEdge> {
            node.in_edges.iter().map(|&edge| plan.edges[edge].clone()).collect()
        };
        let (before, after) = (edges(now, old), edges(then, new));
        let ports = |node: &PlanNode| node.inputs.iter().map(|i| i.port).collect::<Vec<_>>();
        let origin = |plan: &Plan, edge: &PlanEdge| {
            let (name, port) = self.origin(plan, edge);
            (name.to_owned(), port)
        };
        let is_same_way = before.len() == after.len()
            && ports(old) == ports(new)
            && before
                .iter()
                .zip(&after)
                .all(|(a, b)| origin(now, a) == origin(then, b) && a.pick == b.pick);
        // What was added runs apart from what it might be fused with.
        let has_same_room = || {
            let rings = before.iter().zip(&after);
            rings.into_iter().all(|(a, b)| a.ring == b.ring || now.is_apart(a) && b.ring.is_none())
        };
        let name = &new.name;
        let message = if !is_same_way {
            format!("`{name}` takes from others than before")
        } else if !has_same_room() {
            format!("`{name}` has another room on its inputs than before")
        } else {
            return true;
        };
        // A sink that waits is finished, and another takes its place.
        if !(old.home == Home::Io && old.kind.is_sink() && new.kind.is_sink()) {
            self.problems.push(cannot(message).at(&new.op_place).of_node(name));
        }
        false
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
        let written = |key: &String| new.params.written(key).and_then(|value| value.place.clone());
        let edited = changed_keys(old, new).iter().find_map(written);
        let place = edited.or_else(|| new.op_place.clone());
        let mut refuse = |message: String| {
            let problem = Diagnostic::error(Code::NotWhileRunning, message).at(&place);
            self.problems.push(problem.of_node(name).hint(RESTART));
        };
        let asks = |node: &PlanNode| node.kind.placement == Placement::Asks;
        let sort = |node: &PlanNode| {
            let kind = node.kind;
            (kind.is_source(), kind.is_sink(), kind.live, kind.flushes_on.is_some(), asks(node))
        };
        if old.kind.outputs.len() != new.kind.outputs.len() || old.outputs != new.outputs {
            refuse(another_format(old, new));
        } else if sort(old) != sort(new) || old.align.is_some() != new.align.is_some() {
            let (before, after) = (old.kind.name, new.kind.name);
            refuse(format!("`{name}` was `{before}`, whose place `{after}` cannot take"));
        } else if old.home == Home::Io && (old.align != new.align || old.idle_ns != new.idle_ns) {
            let key = if old.idle_ns == new.idle_ns { "max_wait_ms" } else { "idle_ms" };
            refuse(format!("`{key}` of `{name}`, which waits for the world, has changed"));
        } else if [old, new].iter().any(|n| n.kind.door.is_some() || n.kind.answers) {
            refuse(format!("somebody may be waiting for an answer at `{name}`"));
        } else if self.rewrites(name) {
            self.problems.push(begins_anew(new));
        }
    }

    /// Which nodes run together.
    pub(super) fn of_stages(&mut self) {
        let (now, then) = (self.now, self.then);
        // What was added runs apart, and whatever it might be fused with without it.
        let twins = now.nodes.iter().zip(&self.twins).filter(|(node, _)| !node.is_apart);
        let stay: Vec<&str> =
            twins.filter(|(_, twin)| twin.is_some()).map(|(node, _)| node.name.as_str()).collect();
        let named = |plan: &Plan| -> Vec<(Vec<String>, Option<u32>)> {
            let names = |stage: &PlanStage| {
                let names = stage.nodes.iter().map(|&node| plan.nodes[node].name.clone());
                let mut names: Vec<_> =
                    names.filter(|name| stay.contains(&name.as_str())).collect();
                names.sort();
                (names, stage.core)
            };
            let all = plan.stages.iter().map(names);
            let mut all: Vec<_> = all.filter(|(names, _)| !names.is_empty()).collect();
            all.sort();
            all
        };
        if named(now) != named(then) {
            self.problems.push(cannot("other nodes run together than before, or on other cores"));
        }
    }
}

/// What can always be done.
const RESTART: &str = "end the run and start it again; nothing has changed so far";

fn cannot(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::NotWhileRunning, message).hint(RESTART)
}

pub(super) fn of_sections(
    what: &str,
    now: &[SectionSpec],
    then: &[SectionSpec],
    problems: &mut Vec<Diagnostic>,
) {
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
        problems.push(cannot(message).at(&section.name.place));
    }
    for section in now {
        let name = &section.name.value;
        if named(then, name).is_none() {
            problems.push(cannot(format!("`[{what}.{name}]` is gone")));
        }
    }
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

/// Which format a node delivers now, and which before.
fn another_format(old: &PlanNode, new: &PlanNode) -> String {
    let name = &new.name;
    let differ = old.outputs.iter().zip(&new.outputs).find(|(old, new)| old != new);
    let told = differ.map(|(old, new)| (old.to_string(), new.to_string()));
    match told.filter(|(old, new)| old != new) {
        Some((old, new)) => {
            format!("`{name}` delivers another format than before: {new}, not {old}")
        }
        None => format!("`{name}` delivers another format than before"),
    }
}

fn begins_anew(node: &PlanNode) -> Diagnostic {
    let name = &node.name;
    let message = format!(
        "`{name}` would begin a file anew, and what the run has written there would be lost"
    );
    let problem = Diagnostic::error(Code::NotWhileRunning, message).at(&node.op_place);
    problem.of_node(name).hint("let it write to another file, or end the run and start it again")
}
