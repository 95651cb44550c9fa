//! What comes to a session with another plan: bodies for what waits, and what was not there before.

use std::sync::{Arc, PoisonError};

use kameo::{actor::Spawn, mailbox};
use tokio::runtime::Handle;

use crate::{
    body::Body,
    plan::{Change, Plan},
};

use super::{
    super::{
        actors::{SinkActor, SucceedSink},
        opened::{OpenSession, stage_actor},
        reload::Grown,
        runtimes::{SINK_RUNTIMES_MAX, runtime},
    },
    Supervisor,
};

impl Supervisor {
    /// Starts what has come to a session.
    pub(super) fn grow(&mut self, session: u32, grown: Grown) {
        let Grown { counts, wakes, cells, commands, sinks } = grown;
        let handles: Vec<_> = sinks.iter().map(|sink| self.sink_handle(sink.node)).collect();
        let Some(open) = self.sessions.get_mut(&session) else { return };
        (open.counts, open.wakes) = (counts, wakes);
        open.left += cells.len() + sinks.len();
        open.versions.extend(cells.iter().map(|_| 0));
        open.stages.extend(commands.into_iter().map(stage_actor));
        open.cells.extend(cells.iter().cloned());
        {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.regrow(session, &open.cells, &open.counts);
        }
        for (sink, handle) in sinks.into_iter().zip(handles) {
            let _here = handle.enter();
            let (node, args) = (sink.node, (sink, session, self.shared.events.clone()));
            open.sinks.push((node, SinkActor::spawn_with_mailbox(args, mailbox::unbounded())));
        }
        for cell in &cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
    }

    /// Where a sink waits that was not there from the start: by itself, unless there are many.
    fn sink_handle(&mut self, node: usize) -> Handle {
        if let Some(handle) = self.sinks.get(&node) {
            return handle.clone();
        }
        // Where one has waited that is gone there is room.
        let gone = self.sinks.keys().copied().find(|&other| self.plan.nodes[other].gone);
        let left = gone.and_then(|other| self.sinks.remove(&other));
        let are_many = self.sinks.len() >= SINK_RUNTIMES_MAX;
        let shared = self.sinks.values().next().filter(|_| are_many).cloned();
        let handle = left.or(shared).unwrap_or_else(|| {
            let own = runtime("afferent-sink");
            let handle = own.handle().clone();
            self.shared.runtimes.lock().unwrap_or_else(PoisonError::into_inner).push(own);
            handle
        });
        self.sinks.insert(node, handle.clone());
        handle
    }
}

impl OpenSession {
    /// Gives a sink or source that waits another body.
    pub(super) fn succeed_waiting(&mut self, plan: &Arc<Plan>, node: usize, body: Body) {
        match body {
            Body::Sink(sink) => {
                if let Some((_, actor)) = self.sinks.iter().find(|(number, _)| *number == node) {
                    let plan = plan.clone();
                    let _ = actor.tell(SucceedSink { sink, plan }).try_send();
                }
            }
            Body::Live(body) => {
                if let Some(live) = self.lives.iter().find(|live| live.node == node) {
                    live.successor.bring(body, plan);
                }
            }
            _ => unreachable!("checked when it was built"),
        }
    }

    /// What was meant for bodies that were there before is nothing to those that are there now.
    pub(super) fn renew(&mut self, change: &Change) {
        for stage in (0..self.cells.len()).filter(|&stage| change.concerns(stage)) {
            self.versions[stage] += 1;
        }
    }
}
