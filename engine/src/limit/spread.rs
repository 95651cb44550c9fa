//! Which nodes to move to another core.

use super::{Load, cores::share_of};

/// What has less of what is to be moved does not matter, and stays where its input is.
const LITTLE: f64 = 0.01;

/// What moves as one: a stage that is named, or one node.
struct Unit {
    nodes: Vec<usize>,
    share: f64,
}

impl Load {
    /// The nodes on a core, without which it has about as much to do as another then: those furthest down, so that
    /// everything still goes one way. Where one node has most, it is moved with what is behind it, or before.
    pub(super) fn to_move(&self, from: usize, gap: f64) -> Vec<usize> {
        let units = self.units(from);
        let half = gap / 2.0;
        let mut moved = Vec::new();
        let mut sum = 0.0;
        // What is furthest up stays: a core that everything leaves is only another core.
        for unit in units.iter().skip(1).rev() {
            // As near to half as can be, but not nothing.
            if sum > 0.0 && (sum + unit.share - half).abs() > (half - sum).abs() {
                break;
            }
            sum += unit.share;
            moved.extend(&unit.nodes);
        }
        moved.sort_unstable();
        self.without_trifles(moved, sum)
    }

    /// Producers before consumers.
    fn units(&self, core: usize) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut stages: Vec<(usize, usize)> = Vec::new();
        for node in self.on_core(core) {
            let stage = self.nodes[node].stage.expect("it runs on a core");
            let share = share_of(self, node);
            let known = stages.iter().find(|(known, _)| *known == stage).map(|(_, unit)| *unit);
            match known.filter(|_| self.nodes[node].is_in_named_stage) {
                Some(unit) => {
                    units[unit].nodes.push(node);
                    units[unit].share += share;
                }
                None => {
                    stages.retain(|(known, _)| *known != stage);
                    stages.push((stage, units.len()));
                    units.push(Unit { nodes: vec![node], share });
                }
            }
        }
        units
    }

    /// What takes next to nothing and gets nothing from what moves stays: each way between cores costs.
    fn without_trifles(&self, moved: Vec<usize>, sum: f64) -> Vec<usize> {
        let mut kept: Vec<usize> = Vec::new();
        for node in moved {
            let is_trifle =
                share_of(self, node) < LITTLE * sum && !self.nodes[node].is_in_named_stage;
            let mut inputs = self.edges.iter().filter(|edge| edge.to == node);
            if !is_trifle || inputs.any(|edge| kept.contains(&edge.from)) {
                kept.push(node);
            }
        }
        kept
    }
}
