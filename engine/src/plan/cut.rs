//! Stages: what runs together.
//!
//! A stage is a set of nodes on data cores between which no edge must have a ring. No path may
//! leave it and come back, not even through other stages: of two stages that feed each other,
//! each could wait for room in the other for ever.
//!
//! Nodes get a depth: how many cut edges lie above them at most. Connected nodes of one depth are
//! a stage; an edge between stages leads to a greater depth, so nothing comes back. Then stages
//! with an uncut edge between them are joined where no other path leads from one to the other.

use std::collections::HashMap;

use crate::{
    graph::{Code, Diagnostic},
    kind::Placement,
};

use super::{
    Home, PlanStage,
    draft::{Draft, Homes},
    merging::Merging,
    order::{Ends, Sorted},
};

impl Draft<'_> {
    /// Cuts the graph into stages. `None` if it is not known well enough, or if what is written
    /// about stages cannot be; that is told.
    pub(super) fn cut(&mut self) -> Option<Homes> {
        if !self.nodes.iter().all(|node| node.connected) {
            return None;
        }
        let atoms = self.atoms();
        let before = self.problems.len();
        self.check_named(&atoms);
        let (ends, cuts) = self.between(&atoms);
        let sorted = Sorted::new(atoms.members.len(), &ends);
        for circle in sorted.circles(&ends) {
            let problem = self.not_convex(&atoms, &ends, &circle);
            self.problems.push(problem);
        }
        if self.problems[before..].iter().any(|p| p.level == crate::graph::Level::Error) {
            return None;
        }
        let stages = Merging::new(&sorted.order, &ends, &cuts);
        Some(self.homes(&atoms, &ends, stages))
    }

    fn waits(&self, node: usize) -> bool {
        self.nodes[node].kind.is_some_and(|kind| kind.placement == Placement::Waits)
    }

    fn flushes(&self, node: usize) -> bool {
        self.nodes[node].kind.is_some_and(|kind| kind.flushes_on.is_some())
    }

    fn stage_name(&self, node: usize) -> Option<&str> {
        // What waits is in no stage, and what flushes is alone in its own.
        let is_apart = self.waits(node) || self.flushes(node);
        let name = self.nodes[node].spec.options.stage.as_ref().filter(|_| !is_apart);
        name.map(|name| name.value.as_str())
    }

    fn core(&self, node: usize) -> Option<u32> {
        let core = self.nodes[node].spec.options.core.as_ref().filter(|_| !self.waits(node));
        core.map(|core| core.value)
    }

    /// Nodes of one stage name are one atom, each other node is one by itself.
    fn atoms(&self) -> Atoms {
        let mut named: HashMap<&str, usize> = HashMap::new();
        let mut atoms = Atoms { of_node: Vec::new(), members: Vec::new() };
        for node in 0..self.nodes.len() {
            let next = atoms.members.len();
            let atom = match self.stage_name(node) {
                Some(name) => *named.entry(name).or_insert(next),
                None => next,
            };
            if atom == next {
                atoms.members.push(Vec::new());
            }
            atoms.members[atom].push(node);
            atoms.of_node.push(atom);
        }
        atoms
    }

    /// The edges between atoms, and which of them are cut whatever comes.
    fn between(&self, atoms: &Atoms) -> (Vec<Ends>, Vec<bool>) {
        let between = self.edges.iter().enumerate().filter_map(|(number, edge)| {
            let ends = (atoms.of_node[edge.from.0], atoms.of_node[edge.to.0]);
            (ends.0 != ends.1).then(|| (ends, self.is_cut(number)))
        });
        between.unzip()
    }

    fn is_cut(&self, edge: usize) -> bool {
        let edge = &self.edges[edge];
        let (producer, consumer) = (edge.from.0, edge.to.0);
        let options = &self.nodes[consumer].spec.options;
        let apart = |node: usize| {
            let kind = self.nodes[node].kind;
            kind.is_none_or(|kind| kind.placement != Placement::Fused) || self.flushes(node)
        };
        apart(producer)
            || apart(consumer)
            || edge.written.on_full.is_some()
            || edge.written.capacity_ms.is_some()
            || options.on_full.is_some()
            || options.capacity_ms.is_some()
            || self.stage_name(producer) != self.stage_name(consumer)
            || self.core(producer) != self.core(consumer)
    }

    /// Nodes of one stage name must be able to run together.
    fn check_named(&mut self, atoms: &Atoms) {
        let mut problems = Vec::new();
        for members in &atoms.members {
            let Some(stage) = members.first().and_then(|&node| self.stage_name(node)) else {
                continue;
            };
            let mut cores = members.iter().filter_map(|&node| {
                let spec = self.nodes[node].spec;
                spec.options.core.as_ref().map(|core| (spec, core))
            });
            let Some((first, core)) = cores.next() else { continue };
            for (node, other) in cores.filter(|(_, other)| other.value != core.value) {
                let message = format!(
                    "stage `{stage}` is asked to run on core {} and on core {}",
                    core.value, other.value
                );
                let problem = Diagnostic::error(Code::StageConflict, message).at(&other.place);
                let problem = problem.of_node(&node.name.value).hint("choose one core");
                problems.push(problem.see(
                    format!("`{}` asks for core {}", first.name.value, core.value),
                    &core.place,
                ));
            }
        }
        for edge in &self.edges {
            let (node, written) = (self.nodes[edge.to.0].spec, edge.written);
            let within = atoms.of_node[edge.from.0] == atoms.of_node[edge.to.0];
            let place = match (&written.on_full, &written.capacity_ms) {
                (Some(on_full), _) => &on_full.place,
                (None, Some(capacity_ms)) => &capacity_ms.place,
                (None, None) => continue,
            };
            if let (true, Some(stage)) = (within, self.stage_name(edge.to.0)) {
                let message = format!("an edge within stage `{stage}` has no room to be given");
                let problem = Diagnostic::error(Code::StageConflict, message).at(place);
                let hint = "leave `on_full` and `capacity_ms` out, or put its ends into two stages";
                problems.push(problem.of_node(&node.name.value).hint(hint));
            }
        }
        self.problems.extend(problems);
    }

    /// A circle of atoms, of which at least one must be a named stage.
    fn not_convex(&self, atoms: &Atoms, step_ends: &[Ends], circle: &[usize]) -> Diagnostic {
        // For each step some edge of the draft that takes it.
        let steps = circle.iter().map(|&step| {
            let takes =
                |ends: Ends| (atoms.of_node[ends.0], atoms.of_node[ends.1]) == step_ends[step];
            let mut edges = self.edges.iter().map(|edge| (edge.from.0, edge.to.0));
            edges.find(|&ends| takes(ends)).expect("atoms are joined by edges of their nodes")
        });
        let mut steps: Vec<Ends> = steps.collect();
        let first = steps.iter().position(|&(from, _)| self.stage_name(from).is_some());
        steps.rotate_left(first.expect("without named stages there are no circles"));
        let name = |node: usize| format!("`{}`", self.nodes[node].spec.name.value);
        let mut path = String::new();
        let mut at = None;
        for &(from, to) in &steps {
            if at != Some(from) {
                path += &format!("{}{}", if at.is_some() { ", " } else { "" }, name(from));
            }
            path += &format!(" → {}", name(to));
            at = Some(to);
        }
        let (out, back) = (steps[0].1, at.expect("circles are not empty"));
        let stage = self.stage_name(back).expect("it begins and ends in a named stage");
        let spec = self.nodes[back].spec;
        let place = spec.options.stage.as_ref().and_then(|stage| stage.place.clone());
        let message = format!("stage `{stage}` is left and entered again: {path}");
        let hint = match self.waits(out) {
            true => {
                format!("put {} into another stage: {} waits, so in none", name(back), name(out))
            }
            false => {
                format!(
                    "put {} into stage `{stage}` too, or {} into another",
                    name(out),
                    name(back)
                )
            }
        };
        let problem = Diagnostic::error(Code::StageNotConvex, message).at(&place);
        problem.of_node(&spec.name.value).hint(hint)
    }

    fn homes(&self, atoms: &Atoms, ends: &[Ends], mut merging: Merging) -> Homes {
        let groups: Vec<usize> = (0..atoms.members.len()).map(|atom| merging.find(atom)).collect();
        let between: Vec<Ends> = ends
            .iter()
            .map(|&(from, to)| (groups[from], groups[to]))
            .filter(|(from, to)| from != to)
            .collect();
        let mut members = vec![Vec::new(); atoms.members.len()];
        for (node, &atom) in atoms.of_node.iter().enumerate() {
            members[groups[atom]].push(node);
        }
        let mut homes = Homes { of_node: vec![Home::Io; self.nodes.len()], stages: Vec::new() };
        for group in Sorted::new(atoms.members.len(), &between).order {
            let nodes = std::mem::take(&mut members[group]);
            if nodes.first().is_none_or(|&node| self.waits(node)) {
                continue;
            }
            for &node in &nodes {
                homes.of_node[node] = Home::Stage(homes.stages.len());
            }
            let core = nodes.iter().find_map(|&node| self.core(node));
            homes.stages.push(PlanStage { nodes, core });
        }
        homes
    }
}

/// What must run together, whatever else does.
struct Atoms {
    of_node: Vec<usize>,
    /// Never empty.
    members: Vec<Vec<usize>>,
}
