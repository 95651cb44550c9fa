//! What the bodies of one plan share: who waits for which answer, and where the plan is served.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use engine::{Entrance, Format, Frame, Gap, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{hall::Door, visit::Porch};

/// Where a node that takes questions is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The node.
    pub node: String,
    /// Such as `http://127.0.0.1:8080/ask`.
    pub url: String,
}

/// See the module; one per plan.
#[derive(Default)]
pub(crate) struct House {
    rooms: Mutex<BTreeMap<u32, Weak<Room>>>,
    /// Listeners, by the address that was asked for.
    pub(super) doors: Mutex<BTreeMap<std::net::SocketAddr, Weak<Door>>>,
    served: Mutex<Vec<Served>>,
    /// What answering nodes give, by name.
    gives: Mutex<BTreeMap<String, Format>>,
    tags: AtomicU64,
    connections: Arc<Connections>,
    /// Those who wait for a session.
    pub(super) porch: Porch,
    pub(super) tally: Tally,
}

/// What became of questions and visits.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) answered: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) visits: AtomicU64,
    pub(super) slow: AtomicU64,
}

impl Tally {
    pub(super) fn count(&self, what: &AtomicU64) {
        what.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn describe(&self) -> serde_json::Value {
        let of = |what: &AtomicU64| what.load(Ordering::Relaxed);
        serde_json::json!({
            "answered": of(&self.answered), "refused": of(&self.refused), "late": of(&self.late),
            "lost": of(&self.lost), "visits": of(&self.visits), "slow_readers": of(&self.slow),
        })
    }
}

/// Connections that are open.
#[derive(Default)]
pub(super) struct Connections(Mutex<usize>, Condvar);

/// One of them.
pub(super) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        *guard(&self.0.0) -= 1;
        self.0.1.notify_all();
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    /// What the bodies of one session share.
    pub(super) fn room(&self, session: u32) -> Arc<Room> {
        let mut rooms = guard(&self.rooms);
        if let Some(room) = rooms.get(&session).and_then(Weak::upgrade) {
            return room;
        }
        rooms.retain(|_, room| room.strong_count() > 0);
        let room = Arc::<Room>::default();
        rooms.insert(session, Arc::downgrade(&room));
        room
    }

    /// A tag that no other question of the plan has.
    pub(super) fn tag(&self) -> u64 {
        self.tags.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes where a node is served.
    pub(super) fn serve(&self, node: &str, url: String) {
        let served = Served { node: node.to_owned(), url };
        let mut all = guard(&self.served);
        all.retain(|other| other.node != served.node);
        all.push(served);
    }

    pub(super) fn served(&self) -> Vec<Served> {
        guard(&self.served).clone()
    }

    pub(super) fn give(&self, node: &str, format: &Format) {
        guard(&self.gives).insert(node.to_owned(), format.clone());
    }

    pub(super) fn gives(&self) -> BTreeMap<String, Format> {
        guard(&self.gives).clone()
    }

    /// Counts a connection as open until what is given is dropped.
    pub(super) fn connection(&self) -> Open {
        *guard(&self.connections.0) += 1;
        Open(self.connections.clone())
    }

    pub(super) fn settle(&self, limit: Duration) -> bool {
        let Connections(open, changed) = &*self.connections;
        let open = changed.wait_timeout_while(guard(open), limit, |open| *open > 0);
        *open.unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

/// What became of a question.
pub(super) enum Outcome {
    /// What reached the answering sink, of this format.
    Answer(Arc<Format>, Frame),
    /// It was dropped inside.
    Lost(Gap),
    /// The session ended before.
    Ended,
}

/// How the frames of an edge are sent to a visitor.
pub(super) struct Speech {
    pub(super) format: Format,
    pub(super) is_raw: bool,
}

/// A frame on its way to a visitor.
pub(super) struct Said {
    pub(super) speech: Arc<Speech>,
    pub(super) frame: Frame,
}

/// What the bodies of one session share.
#[derive(Default)]
pub(super) struct Room {
    /// Who waits for what is caused by which tag.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
    /// Sinks that may still answer.
    answerers: Mutex<usize>,
    /// The ways in of all nodes that take questions.
    ways: Mutex<Vec<(usize, Entrance)>>,
    /// Where the answers of a visit go.
    outbox: Mutex<Option<mpsc::Sender<Said>>>,
    /// The visitor was too slow.
    pub(super) is_slow: AtomicBool,
    /// Told when it was found to be.
    pub(super) slowed: Notify,
}

impl Room {
    /// Waits for what `tag` causes, until what is given is dropped.
    pub(super) fn wait(self: &Arc<Self>, tag: u64) -> (Waiting, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        guard(&self.waiting).insert(tag, sender);
        (Waiting { room: self.clone(), tag }, receiver)
    }

    /// Tells whoever waits for `tag` what became of it; the first word counts.
    pub(super) fn settle(&self, tag: u64, outcome: Outcome) {
        let waits = guard(&self.waiting).remove(&tag);
        if let Some(waits) = waits {
            // Whoever gave up just now is not told.
            let _ = waits.send(outcome);
        }
    }

    /// One more sink answers, until what is given is dropped.
    pub(super) fn answerer(self: &Arc<Self>) -> Answerer {
        *guard(&self.answerers) += 1;
        Answerer(self.clone())
    }

    /// Lets answers go to a visitor.
    pub(super) fn speak_to(&self, outbox: mpsc::Sender<Said>) {
        *guard(&self.outbox) = Some(outbox);
    }

    pub(super) fn outbox(&self) -> Option<mpsc::Sender<Said>> {
        guard(&self.outbox).clone()
    }

    /// Nothing more is sent to the visitor.
    pub(super) fn be_silent(&self) {
        *guard(&self.outbox) = None;
    }

    /// Notes a way in, by a number that is given back with it.
    pub(super) fn enter_by(&self, way: Entrance) -> usize {
        let mut ways = guard(&self.ways);
        let number = ways.last().map_or(0, |(number, _)| number + 1);
        ways.push((number, way));
        number
    }

    pub(super) fn leave_by(&self, number: usize) {
        guard(&self.ways).retain(|(other, _)| *other != number);
    }

    /// Says at all other ways in that nothing older than `bound` will come there: what joins them with
    /// the one that was just entered need not wait for them.
    pub(super) fn promise_at_others(&self, number: usize, bound: Timestamp) {
        let ways = guard(&self.ways);
        if ways.len() > 1 {
            for (_, way) in ways.iter().filter(|(other, _)| *other != number) {
                way.promise(0, bound);
            }
        }
    }
}

/// Somebody waits for the answer to a question.
pub(super) struct Waiting {
    room: Arc<Room>,
    tag: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        guard(&self.room.waiting).remove(&self.tag);
    }
}

/// A sink that may still answer. With the last of them every question that is open has ended.
pub(super) struct Answerer(Arc<Room>);

impl Drop for Answerer {
    fn drop(&mut self) {
        let mut left = guard(&self.0.answerers);
        *left -= 1;
        if *left > 0 {
            return;
        }
        drop(left);
        for (_, waits) in guard(&self.0.waiting).drain() {
            let _ = waits.send(Outcome::Ended);
        }
        *guard(&self.0.outbox) = None;
    }
}
