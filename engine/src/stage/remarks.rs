//! What bodies have to say at the end.

use super::{Slot, SlotBody, Stage};

impl Stage {
    /// What bodies have to say at the end, by node.
    pub(crate) fn remarks(&self) -> Vec<(usize, String)> {
        let remark = |slot: &Slot| {
            let told = match &slot.body {
                SlotBody::Source(source) => source.remark(),
                SlotBody::Operator(operator) => operator.remark(),
                SlotBody::Block(block) => block.remark(),
                _ => None,
            };
            Some((slot.node, told?))
        };
        self.slots.iter().filter_map(remark).collect()
    }
}
