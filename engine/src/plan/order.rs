//! Topological order, and what stands in its way: circles.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::graph::{Code, Diagnostic};

use super::draft::Draft;

impl Draft<'_> {
    /// Puts nodes in topological order, the order of the file where that leaves a choice, and
    /// edges in the order of their consumers. Nodes in a circle and all below them come last.
    pub(super) fn sort(&mut self) {
        let ends: Vec<Ends> = self.edges.iter().map(|edge| (edge.from.0, edge.to.0)).collect();
        let sorted = Sorted::new(self.nodes.len(), &ends);
        for circle in sorted.circles(&ends) {
            let problem = self.circle(&circle);
            self.problems.push(problem);
        }
        let mut order = sorted.order;
        for node in (0..self.nodes.len()).filter(|&node| sorted.missing[node] > 0) {
            (self.nodes[node].sound, self.nodes[node].connected) = (false, false);
            order.push(node);
        }
        self.renumber(&order);
    }

    fn renumber(&mut self, order: &[usize]) {
        let mut number_of = vec![0; order.len()];
        for (number, &node) in order.iter().enumerate() {
            number_of[node] = number;
        }
        let mut nodes: Vec<_> = std::mem::take(&mut self.nodes).into_iter().map(Some).collect();
        let mut edges: Vec<_> = std::mem::take(&mut self.edges).into_iter().map(Some).collect();
        for &old in order {
            let mut node = nodes[old].take().expect("each node once");
            let mut lines = std::mem::take(&mut node.in_edges);
            // Kinds count lines in the order of their ports, whatever the order in the file.
            lines.sort_by_key(|&edge| edges[edge].as_ref().expect("not moved yet").to.1);
            for line in lines {
                let mut edge = edges[line].take().expect("each edge has one consumer");
                edge.from.0 = number_of[edge.from.0];
                edge.to.0 = number_of[old];
                node.in_edges.push(self.edges.len());
                self.edges.push(edge);
            }
            self.nodes.push(node);
        }
        for (number, edge) in self.edges.iter().enumerate() {
            self.nodes[edge.from.0].out_edges.push(number);
        }
    }

    fn circle(&self, circle: &[usize]) -> Diagnostic {
        let consumer = |at: usize| self.edges[circle[at]].to.0;
        let last = (0..circle.len()).min_by_key(|&at| consumer(at)).expect("not empty");
        let first = consumer(last);
        let name = |node: usize| format!("`{}`", self.nodes[node].spec.name.value);
        let onward = (last + 1..last + 1 + circle.len()).map(|at| consumer(at % circle.len()));
        let mut names: Vec<String> = std::iter::once(first).chain(onward).map(name).collect();
        if names.len() > NAMES_MAX {
            names.drain(NAMES_MAX - 2..names.len() - 1);
            names.insert(NAMES_MAX - 2, "…".to_owned());
        }
        let message = match circle {
            [_] => format!("{} feeds itself", name(first)),
            _ => format!("nodes feed each other in a circle: {}", names.join(" → ")),
        };
        let place = &self.edges[circle[last]].written.source.place;
        let problem = Diagnostic::error(Code::Cycle, message).at(place);
        let problem = problem.of_node(&self.nodes[first].spec.name.value);
        problem.hint("leave one of these edges out; none of the nodes could ever begin")
    }
}

/// Longer circles are shortened.
const NAMES_MAX: usize = 12;

/// Producer and consumer.
pub(super) type Ends = (usize, usize);

/// What can be sorted, sorted.
pub(super) struct Sorted {
    /// Producers before consumers, the lower number first where that leaves a choice. What
    /// stands in a circle or below one is not there.
    pub(super) order: Vec<usize>,
    /// Producers that each one still waits for; 0 for all that were sorted.
    pub(super) missing: Vec<usize>,
}

impl Sorted {
    /// Kahn's algorithm, with a heap for the order of numbers.
    pub(super) fn new(count: usize, edges: &[Ends]) -> Self {
        let mut consumers = vec![Vec::new(); count];
        let mut missing = vec![0; count];
        for &(producer, consumer) in edges {
            consumers[producer].push(consumer);
            missing[consumer] += 1;
        }
        let mut ready: BinaryHeap<_> =
            (0..count).filter(|&number| missing[number] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(number)) = ready.pop() {
            order.push(number);
            for &consumer in &consumers[number] {
                missing[consumer] -= 1;
                if missing[consumer] == 0 {
                    ready.push(Reverse(consumer));
                }
            }
        }
        Self { order, missing }
    }

    /// Circles that share nothing, each as its edges in the direction of the frames. There may
    /// be more; they come to light when these are gone.
    pub(super) fn circles(&self, edges: &[Ends]) -> Vec<Vec<usize>> {
        // What is not sorted has a producer that is not, so walking up always meets itself.
        let mut entry = vec![usize::MAX; self.missing.len()];
        for (number, &(producer, consumer)) in edges.iter().enumerate().rev() {
            if self.missing[producer] > 0 {
                entry[consumer] = number;
            }
        }
        let mut circles = Vec::new();
        let mut met = vec![usize::MAX; self.missing.len()];
        for start in (0..self.missing.len()).filter(|&start| self.missing[start] > 0) {
            let mut at = start;
            while met[at] == usize::MAX {
                met[at] = start;
                at = edges[entry[at]].0;
            }
            if met[at] == start {
                let mut circle = vec![entry[at]];
                while edges[circle[circle.len() - 1]].0 != at {
                    circle.push(entry[edges[circle[circle.len() - 1]].0]);
                }
                circle.reverse();
                circles.push(circle);
            }
        }
        circles
    }
}
