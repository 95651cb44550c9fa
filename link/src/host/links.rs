//! [`Links`]: how all links of a process are.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use engine::{Gap, Timestamp};

use crate::{
    carrier::LinkCarrier,
    driver::{EdgeStatus, Handle, Status},
    offload::{CallFigures, Register},
    trust::{Door, Refused},
};

/// Links that were, whose figures are kept one by one; the counts of others are added up.
const KEPT_MAX: usize = 64;

/// The links of a process, for whoever tells how they are. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    calls: Register,
    open: BTreeMap<u64, Entry>,
    next: u64,
    /// The last that ended, oldest first, and what was dropped since.
    ended: Vec<Over>,
    ended_in_all: u64,
    refused: Option<String>,
    /// Where others come in, if they can.
    door: Option<Door>,
}

/// A link that is over. Frames may still come for it.
#[derive(Debug)]
struct Over {
    figures: LinkFigures,
    dropped: Vec<Arc<AtomicU64>>,
}

impl Over {
    fn figures(&self) -> LinkFigures {
        let mut figures = self.figures.clone();
        for (edge, dropped) in figures.edges.iter_mut().zip(&self.dropped) {
            edge.dropped = dropped.load(Ordering::Relaxed);
        }
        figures
    }
}

#[derive(Debug)]
struct Entry {
    session: u32,
    peer: String,
    handle: Handle,
    dropped: Vec<Arc<AtomicU64>>,
}

/// One link as it was a moment ago.
#[derive(Clone, Debug)]
pub struct LinkFigures {
    /// The session of the engine.
    pub session: u32,
    /// The other host.
    pub peer: String,
    /// How the driver is; its edges stand in [`LinkFigures::edges`].
    pub status: Status,
    /// The edges.
    pub edges: Vec<EdgeFigures>,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// One edge of a link.
#[derive(Clone, Debug)]
pub struct EdgeFigures {
    /// What the driver says.
    pub status: EdgeStatus,
    /// Frames that found no room on their way from the graph to the driver; of an edge that comes in those that were
    /// taken back on their way to the graph.
    pub dropped: u64,
}

impl Entry {
    fn figures(&self, has_ended: bool) -> LinkFigures {
        let mut status = self.handle.status();
        let edges = std::mem::take(&mut status.edges).into_iter();
        let dropped = self.dropped.iter().map(|dropped| dropped.load(Ordering::Relaxed));
        let edges = edges.zip(dropped).map(|(status, dropped)| EdgeFigures { status, dropped });
        let (session, peer) = (self.session, self.peer.clone());
        LinkFigures { session, peer, edges: edges.collect(), status, has_ended }
    }
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The links of a process whose bodies find their ends at `carrier`.
    pub(super) fn of(carrier: &LinkCarrier) -> Self {
        let this = Self::default();
        this.lock().calls = carrier.register();
        this
    }

    /// How the calls are that may move, by node.
    pub fn calls(&self) -> Vec<CallFigures> {
        let calls = self.lock().calls.clone();
        calls.figures()
    }

    /// Adds a link until [`Links::remove`].
    pub(super) fn add(
        &self,
        session: u32,
        peer: &str,
        handle: Handle,
        dropped: Vec<Arc<AtomicU64>>,
    ) -> u64 {
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Entry { session, peer: peer.to_owned(), handle, dropped });
        number
    }

    pub(super) fn remove(&self, number: u64) {
        let mut table = self.lock();
        let Some(entry) = table.open.remove(&number) else { return };
        if table.ended.len() == KEPT_MAX {
            table.ended.remove(0);
        }
        table.ended_in_all += 1;
        let mut figures = entry.figures(true);
        figures.status.is_up = false;
        table.ended.push(Over { figures, dropped: entry.dropped });
    }

    /// Ends all links without waiting for what lies in them.
    pub(super) fn stop(&self) {
        self.lock().open.values().for_each(|entry| entry.handle.stop());
    }

    pub(super) fn refuse(&self, why: String) {
        self.lock().refused.get_or_insert(why);
    }

    /// Why a host that was called cannot work with this one, if one said so and there was never a link
    /// to it.
    pub fn refused(&self) -> Option<String> {
        self.lock().refused.clone()
    }

    pub(super) fn come_in_by(&self, door: Door) {
        self.lock().door = Some(door);
    }

    /// How often somebody who called was turned away; none where nobody can call.
    pub fn turned_away(&self) -> Option<Refused> {
        self.lock().door.as_ref().map(Door::refused)
    }

    /// All links that are open, in the order they were made.
    pub fn open(&self) -> Vec<LinkFigures> {
        self.lock().open.values().map(|entry| entry.figures(false)).collect()
    }

    /// Links that have ended: the last of them, and how many there were.
    pub fn ended(&self) -> (Vec<LinkFigures>, u64) {
        let table = self.lock();
        (table.ended.iter().map(Over::figures).collect(), table.ended_in_all)
    }
}

impl LinkFigures {
    /// Nanoseconds since it is up, or down.
    pub const fn for_ns(&self) -> i64 {
        self.status.at.since(self.status.since)
    }

    /// Whether there was a connection at any time.
    pub const fn was_up(&self) -> bool {
        self.status.totals.connections > 0
    }

    /// Share of packets taken for lost, 0 to 1.
    pub fn loss(&self) -> f64 {
        let figures = &self.status.figures;
        figures.lost as f64 / figures.packets.max(1) as f64
    }

    /// Frames on this side that are on their way to the other: in rings, in queues, not acknowledged.
    pub fn queued(&self) -> u64 {
        let of = |edge: &EdgeFigures| edge.status.sent.map_or(0, |sent| sent.inside);
        self.edges.iter().map(|edge| of(edge) + edge.status.waiting as u64).sum()
    }

    /// Frames that the other side has consumed, or that were handed to the connection.
    pub fn sent(&self) -> u64 {
        self.edges.iter().filter_map(|edge| edge.status.sent).map(|sent| sent.sent).sum()
    }

    /// Frames that came and went into the graph.
    pub fn received(&self) -> u64 {
        self.edges.iter().map(EdgeFigures::received).sum()
    }

    /// Frames lost on this link: dropped on this side, or missing from the other.
    pub fn lost(&self) -> u64 {
        self.edges.iter().map(EdgeFigures::lost).sum()
    }

    /// When it was looked at.
    pub const fn at(&self) -> Timestamp {
        self.status.at
    }
}

impl EdgeFigures {
    /// Frames dropped on this side because they could not arrive in time.
    pub fn late(&self) -> u64 {
        self.status.sent.map_or(0, |sent| sent.dropped_for(Gap::Late))
    }

    /// Frames that came and went into the graph.
    pub fn received(&self) -> u64 {
        self.status.received.map_or(0, |received| received.delivered.saturating_sub(self.dropped))
    }

    /// Frames dropped on this side, or missing from the other, but for those that the graph took back.
    pub fn lost(&self) -> u64 {
        let flush = Gap::Flush as usize - 1;
        let sent = self.status.sent.map_or(0, |sent| {
            self.dropped + sent.dropped.iter().sum::<u64>() - sent.dropped[flush]
        });
        let received = self.status.received.map_or(0, |received| received.lost - received.flushed);
        sent + received + self.status.overflown
    }

    /// Frames that the graph took back: before they were sent, or, of an edge that comes in, on the way.
    pub fn taken_back(&self) -> u64 {
        let sent = self.status.sent.map_or(0, |sent| sent.dropped_for(Gap::Flush));
        let received = self.status.received.map_or(0, |received| received.void + self.dropped);
        sent + received
    }
}
