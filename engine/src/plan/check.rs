//! x
use super::{RingPlan, draft::{Draft, PlanOptions}};
impl Draft<'_> {
    pub(super) fn check_nodes(&mut self, _options: &PlanOptions) {}
    pub(super) fn check_graph(&mut self, _rings: &mut [Option<RingPlan>]) {}
}
