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
                SlotBody::Call(call) => call.remark(),
                SlotBody::Sink(sink) => sink.remark(),
                _ => None,
            };
            Some((slot.node, told?))
        };
        let answers = self
            .asking
            .iter()
            .filter_map(|asking| Some((self.slots[asking.slot()].node, asking.remark()?)));
        self.slots.iter().filter_map(remark).chain(answers).collect()
    }
}
