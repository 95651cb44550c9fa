//! How a run ends.

use std::{task::Context, time::Duration};

use engine::Timestamp;

use super::{
    drive::{Driver, Ended},
    transport::Connection,
};
use crate::wire::ByeReason;

/// How long holes are waited for when the other side has left.
const HOLES_NS: i64 = 2_000_000_000;
/// Connections that still say farewell; of more the oldest is cut off.
const PARTING_MAX: usize = 4;

/// Connections that are given up, and our own leaving.
#[derive(Default)]
pub(super) struct Parting {
    connections: Vec<(Box<dyn Connection>, Timestamp)>,
    /// Why we leave, and until when we wait for our farewell to be heard.
    leaves: Option<(ByeReason, &'static str, Timestamp)>,
    /// Since when the other side has left for good.
    left_at: Option<Timestamp>,
    /// Frames acknowledged so far, and when that was seen.
    progress: Option<(u64, Timestamp)>,
}

impl Parting {
    /// Lets what was written on a connection arrive, then closes it.
    pub(super) fn add(&mut self, connection: Box<dyn Connection>, until: Timestamp) {
        if self.connections.len() == PARTING_MAX {
            self.connections.remove(0).0.close();
        }
        self.connections.push((connection, until));
    }

    fn poll(&mut self, now: Timestamp, context: &mut Context<'_>) {
        self.connections.retain_mut(|(connection, until)| {
            let stays = now < *until && connection.poll_flushed(context).is_pending();
            if !stays {
                connection.close();
            }
            stays
        });
    }
}

impl Driver {
    /// Whether the run is over, and how.
    pub(super) fn look_for_end(
        &mut self,
        now: Timestamp,
        context: &mut Context<'_>,
    ) -> Option<Ended> {
        self.parting.poll(now, context);
        if let Some((reason, text)) = self.refused.as_ref().filter(|(reason, _)| reason.is_final())
        {
            let (reason, text) = (*reason, text.clone());
            let left_at = *self.parting.left_at.get_or_insert(now);
            let is_through = self.session.has_received_all() || reason != ByeReason::Done;
            let is_parted = self.parting.connections.is_empty();
            let is_late = now.since(left_at) >= HOLES_NS;
            return ((is_through && is_parted) || is_late).then(|| self.ended(reason, text));
        }
        if let Some((reason, text, until)) = self.parting.leaves {
            let is_heard = match &mut self.connection {
                // What was put out just now includes our farewell.
                Some(connection) => connection.poll_flushed(context).is_ready(),
                None => self.parting.connections.is_empty(),
            };
            if !is_heard && now < until {
                return None;
            }
            if let Some(mut connection) = self.connection.take() {
                connection.close();
            }
            return Some(self.ended(reason, text.to_owned()));
        }
        if self.ends.handle.stops.load(std::sync::atomic::Ordering::Acquire) {
            self.leave(now, ByeReason::Stopped, "it was stopped");
        } else if self.session.is_finished() {
            self.leave(now, ByeReason::Done, "all edges have ended");
        } else if self.gives_up(now) {
            self.leave(
                now,
                ByeReason::Stopped,
                "the other side did not take the last frames in time",
            );
        }
        None
    }

    fn leave(&mut self, now: Timestamp, reason: ByeReason, text: &'static str) {
        self.session.close(reason, text);
        self.parting.leaves = Some((reason, text, now + self.settings.farewell));
        self.ends.bell.ring();
    }

    fn ended(&self, reason: ByeReason, text: String) -> Ended {
        Ended { reason, text, left: self.left() }
    }

    /// Whether waiting for the last acknowledgements has taken too long.
    fn gives_up(&mut self, now: Timestamp) -> bool {
        let sends = self.session.config().edges.iter().any(|edge| !edge.receives);
        let waits = sends && self.emptied.iter().all(|is| *is);
        let still = self.connection.is_some() && !self.session.has_received_all();
        if !waits || still {
            self.parting.progress = None;
            return false;
        }
        let left = self.left();
        let (before, since) = *self.parting.progress.get_or_insert((left, now));
        if left != before {
            self.parting.progress = Some((left, now));
            return false;
        }
        now >= since + self.patience(left)
    }

    /// How long what is left is worth waiting for a connection.
    fn patience(&self, left: u64) -> Duration {
        // Nothing is lost but our farewell: the other side does without after a while. Frames that may be
        // lost still have until their deadline, and how many there were is said behind the last of them.
        let edges = 0..self.session.config().edges.len() as u16;
        let inside = |edge| self.session.sent(edge).map_or(0, |sent| sent.inside);
        let is_empty = left == 0 && edges.map(inside).sum::<u64>() == 0;
        let is_all_safe = is_empty && self.session.has_received_all_durable();
        if is_all_safe { self.settings.farewell } else { self.settings.flush }
    }

    /// When to look again.
    pub(super) fn wake_for_end(&self) -> Option<Timestamp> {
        let parting = &self.parting;
        let connections = parting.connections.iter().map(|(_, until)| *until);
        let leaves = parting.leaves.map(|(_, _, until)| until);
        let holes = parting.left_at.map(|at| at.plus_nanos(HOLES_NS));
        let flush = parting.progress.map(|(left, since)| since + self.patience(left));
        connections.chain(leaves).chain(holes).chain(flush).min()
    }
}
