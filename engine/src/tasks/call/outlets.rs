//! The way of answers out of a call.

use std::sync::Arc;

use crate::{
    buffer::Buffer,
    frame::{Frame, Gap, Header, MaybeGap},
    plan::PlanNode,
    ring::Sender,
    stats::EdgeCounts,
    tasks::TaskWake,
    time::Timestamp,
};

/// The edges behind a call.
pub(super) struct Outlets {
    edges: Vec<(Sender, Arc<EdgeCounts>)>,
    wake: Arc<TaskWake>,
    delay_ns: i64,
    look_back_ns: i64,
    seq: u64,
    /// Why the next answer follows missing ones.
    gap: Option<Gap>,
}

impl Outlets {
    pub(super) fn new(
        planned: &PlanNode,
        edges: Vec<(Sender, Arc<EdgeCounts>)>,
        wake: &Arc<TaskWake>,
    ) -> Self {
        Self {
            edges,
            wake: wake.clone(),
            delay_ns: planned.delay_ns,
            look_back_ns: planned.look_back_ns,
            seq: 0,
            gap: None,
        }
    }

    /// An answer is missing.
    pub(super) fn miss(&mut self, reason: Gap) {
        self.gap.get_or_insert(reason);
    }

    pub(super) async fn send(&mut self, question: Header, buffer: Buffer) {
        let gap = MaybeGap::from(self.gap.take()).or(question.gap);
        let time = question.time.plus_nanos(-self.delay_ns);
        let header = Header { seq: self.seq, gap, time, ..question };
        self.seq += 1;
        let bound = self.behind(question.time);
        for (sender, counts) in &mut self.edges {
            counts.sent.add(1);
            let mut frame = Frame::new(header, buffer.clone());
            while let Err(back) = sender.push(frame) {
                frame = back;
                sender.publish(bound);
                if !sender.wait_for_room() {
                    self.wake.0.notified().await;
                }
            }
            sender.publish(bound);
        }
    }

    /// Nothing older than `bound` will be asked any more.
    pub(super) fn publish(&mut self, bound: Timestamp) {
        let bound = self.behind(bound);
        for (sender, _) in &mut self.edges {
            sender.publish(bound);
        }
    }

    fn behind(&self, bound: Timestamp) -> Timestamp {
        match bound {
            Timestamp::MAX => bound,
            _ => bound.plus_nanos(-self.delay_ns).plus_nanos(-self.look_back_ns),
        }
    }
}
