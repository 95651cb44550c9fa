//! What one plan changes of another that runs, and whether that can be had while it runs.
//!
//! Nodes, edges and stages keep their numbers, so that whatever counts or waits by a number goes on. What
//! is new is numbered behind them; what is gone keeps its place and its counts.

mod compare;
mod merge;

use std::sync::Arc;

use crate::graph::{Diagnostics, GraphSpec};

use super::Plan;

use compare::{Comparison, of_sections};

/// What becomes of a plan that runs.
pub(crate) struct Change {
    /// What runs then.
    pub(crate) plan: Arc<Plan>,
    /// What becomes of each node of it, by number.
    pub(crate) nodes: Vec<Becomes>,
    /// Edges that begin: they lead to nodes that are added.
    pub(crate) begun: Vec<usize>,
    /// Edges that end: they lead from nodes that stay to nodes that are removed.
    pub(crate) ended: Vec<usize>,
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
    /// It is new.
    Added,
    /// What is inside goes through it to the end; nothing more comes.
    Removed,
    /// It was removed before.
    Gone,
}

impl Change {
    /// Whether a node gets a body that was not there before.
    pub(crate) fn renews(&self, node: usize) -> bool {
        matches!(self.nodes[node], Becomes::Rebuilt { .. } | Becomes::Added)
    }

    /// Whether something comes or goes.
    pub(crate) fn is_of_shape(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Becomes::Added | Becomes::Removed))
    }

    /// Stages and slots of the nodes that leave: should a body have failed there, it gets no successor.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.nodes.iter().enumerate();
        let leaving = nodes.filter(|(_, becomes)| **becomes == Becomes::Removed);
        leaving.filter_map(|(node, _)| self.plan.place_of(node))
    }

    /// Whether a stage that is there must be held.
    pub(crate) fn concerns(&self, stage: usize) -> bool {
        let plan = &self.plan;
        let touched =
            |becomes: &Becomes| matches!(becomes, Becomes::Tuned(_) | Becomes::Rebuilt { .. });
        let is_here =
            |edge: &usize| plan.nodes[plan.edges[*edge].from.0].home == super::Home::Stage(stage);
        plan.stages[stage].nodes.iter().any(|&node| touched(&self.nodes[node]))
            || self.begun.iter().chain(&self.ended).any(is_here)
    }
}

impl Plan {
    /// What of a graph that belongs to no node, and differs from this plan's, cannot change while that runs:
    /// models, caches and hosts. Whoever plans another graph for a run asks this first, and uses the
    /// services that are there.
    pub fn sections_against(&self, wanted: &GraphSpec) -> Diagnostics {
        let mut problems = Vec::new();
        let now = &*self.spec;
        of_sections("model", &now.models, &wanted.models, &mut problems);
        of_sections("cache", &now.caches, &wanted.caches, &mut problems);
        of_sections("host", &now.hosts, &wanted.hosts, &mut problems);
        problems.into()
    }

    /// What `wanted` changes of this plan, which runs.
    ///
    /// # Errors
    /// Everything that cannot change while it runs.
    pub(crate) fn change_to(&self, wanted: &Self) -> Result<Change, Diagnostics> {
        let mut comparison = Comparison::new(self, wanted);
        comparison.of_whole();
        let nodes = comparison.of_nodes();
        if comparison.problems.is_empty() {
            comparison.of_stages();
        }
        if !comparison.problems.is_empty() {
            return Err(comparison.problems.into());
        }
        Ok(merge::merged(self, wanted, &comparison.twins, nodes))
    }
}
