//! Who hears of frames that were dropped: a source that set their tag and waits for what they cause.
//!
//! Only drops on the way to a sink that answers (see [`Kind::answers`](crate::Kind::answers)) are told:
//! what a recorder beside it misses is no reason to give a question up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    frame::{Gap, Header},
    plan::Plan,
};

/// Told the tag of a frame that was dropped, and why. Called on data cores: it must not wait.
pub(crate) type Heard = dyn Fn(u64, Gap) + Send + Sync;

/// The listeners of one session, by the number of their source.
#[derive(Default)]
pub(crate) struct Losses(Mutex<BTreeMap<u32, Arc<Heard>>>);

impl Losses {
    /// Lets a source hear of what becomes of its frames; it hears in place of its predecessor.
    pub(crate) fn listen(&self, source: u32, heard: Arc<Heard>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source, heard);
    }

    pub(crate) fn tell(&self, header: &Header, reason: Gap) {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = heard.get(&header.source).cloned() {
            heard(header.tag, reason);
        }
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Losses")
    }
}

/// By edge, whether it leads to a sink that answers.
pub(crate) fn lead_to_answers(plan: &Plan) -> Vec<bool> {
    let mut nodes: Vec<bool> =
        plan.nodes.iter().map(|node| node.kind.is_sink() && node.kind.answers).collect();
    // Producers come before consumers.
    for number in (0..nodes.len()).rev() {
        let mut edges = plan.nodes[number].out_edges.iter().flatten();
        nodes[number] |= edges.any(|&edge| nodes[plan.edges[edge].to.0]);
    }
    plan.edges.iter().map(|edge| nodes[edge.to.0]).collect()
}
