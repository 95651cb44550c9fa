//! [`CallFigures`]: where the calls of a process are answered.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Side;

/// A call that may move, in all sessions of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// Its node.
    pub node: String,
    /// Its home, and the other host that may answer.
    pub hosts: [String; 2],
    /// Sessions that ask each of them now.
    pub sessions: [u64; 2],
    /// What has become of its questions so far.
    pub counts: Counts,
}

/// What became of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers that counted, from home and from the other host.
    pub answers: [u64; 2],
    /// How often the side that is asked has changed.
    pub changes: u64,
    /// Questions that were asked on the other side as well, as the one that was asked was late or failed.
    pub hedged: u64,
    /// Questions that were asked over there as well, as the answer from home was doubtful.
    pub doubted: u64,
    /// Questions that a side had not answered when that was expected, home and the other host.
    pub missed: [u64; 2],
    /// What came over the link and could not be read, or was answered before.
    pub strange: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        for n in [0, 1] {
            self.answers[n] += other.answers[n];
            self.missed[n] += other.missed[n];
        }
        self.changes += other.changes;
        self.hedged += other.hedged;
        self.doubted += other.doubted;
        self.strange += other.strange;
    }
}

/// The counts of one session's call, for whoever looks.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) answers: [AtomicU64; 2],
    pub(super) changes: AtomicU64,
    pub(super) hedged: AtomicU64,
    pub(super) doubted: AtomicU64,
    pub(super) missed: [AtomicU64; 2],
    pub(super) strange: AtomicU64,
    /// Whether the other host is asked.
    pub(super) is_there: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_side(&self, side: Side, changes: u64) {
        self.is_there.store(u64::from(side == Side::There), Ordering::Relaxed);
        self.changes.store(changes, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            answers: [of(&self.answers[0]), of(&self.answers[1])],
            changes: of(&self.changes),
            hedged: of(&self.hedged),
            doubted: of(&self.doubted),
            missed: [of(&self.missed[0]), of(&self.missed[1])],
            strange: of(&self.strange),
        }
    }
}

/// The moving calls of a process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Register(Arc<Mutex<BTreeMap<String, Known>>>);

#[derive(Debug, Default)]
struct Known {
    hosts: [String; 2],
    open: Vec<Weak<Counters>>,
    ended: Counts,
}

impl Register {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call of one more session.
    pub(super) fn open(&self, node: &str, hosts: &[String; 2]) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        let mut known = self.lock();
        let known = known.entry(node.to_owned()).or_default();
        known.hosts.clone_from(hosts);
        known.open.retain(|open| open.strong_count() > 0);
        known.open.push(Arc::downgrade(&counters));
        counters
    }

    /// The call of a session is over.
    pub(super) fn close(&self, node: &str, counters: &Arc<Counters>) {
        if let Some(known) = self.lock().get_mut(node) {
            known.open.retain(|open| !std::ptr::eq(open.as_ptr(), Arc::as_ptr(counters)));
            known.ended += counters.counts();
        }
    }

    /// How all calls are, by node.
    pub(crate) fn figures(&self) -> Vec<CallFigures> {
        let known = self.lock();
        let of = |(node, known): (&String, &Known)| {
            let (mut sessions, mut counts) = ([0, 0], known.ended);
            for counters in known.open.iter().filter_map(Weak::upgrade) {
                sessions[counters.is_there.load(Ordering::Relaxed).min(1) as usize] += 1;
                counts += counters.counts();
            }
            CallFigures { node: node.clone(), hosts: known.hosts.clone(), sessions, counts }
        };
        known.iter().map(of).collect()
    }
}
