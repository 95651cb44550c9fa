//! A question that runs, and all who wait for its answer.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{Answer, Fault, Relay, Reply};

use crate::host::Moment;

use super::{Key, counts::Counts, memory::Kept, shared::Cache};

/// Parts of the table, each with a lock of its own.
const PARTS: usize = 16;

/// The questions that run.
#[derive(Default)]
pub(super) struct Flights([Mutex<HashMap<Key, Arc<Flight>>>; PARTS]);

type Cost = fn(&Answer) -> Option<Duration>;

/// A question that runs.
pub(super) struct Flight {
    cache: Arc<Cache>,
    key: Key,
    pub(super) began: Instant,
    /// How long the first who asked waits from then on.
    left: Option<Duration>,
    /// Bytes of the question.
    bytes: u64,
    /// The version that it is put to.
    serves: Option<Moment>,
    /// What an answer says that it has cost.
    cost: Option<Cost>,
    /// Another gives the answer.
    by_another: AtomicBool,
    /// Who waits; none once it is answered, or nobody waits any more.
    waiting: Mutex<Option<Vec<Reply>>>,
}

/// What became of somebody who asks.
pub(super) enum Joined {
    /// The question runs; its answer will be theirs.
    Waits,
    /// It has just been answered.
    Answered(Reply, Kept),
    /// It does not run: this is to be asked.
    First(Arc<Flight>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flights {
    /// Lets somebody wait for the question, which begins with the first. One that has run for longer
    /// than `patience` is waited for no more: whoever has it may never answer. Nor does anybody wait with one who
    /// is in much more of a hurry: what is too late for that one is given up, and may be in time for this.
    pub(super) fn join(
        &self,
        cache: &Arc<Cache>,
        (key, bytes, serves, cost): (Key, u64, Option<&Moment>, Option<Cost>),
        reply: Reply,
        patience: Duration,
        answered: impl Fn() -> Option<Kept>,
    ) -> Joined {
        let now = Instant::now();
        let mut table = lock(&self.0[key.part(PARTS)]);
        if let Some(flight) = table.get(&key)
            && now.duration_since(flight.began) < patience
            && flight.is_for(reply.left())
            && let Some(waiting) = &mut *lock(&flight.waiting)
        {
            waiting.push(reply);
            return Joined::Waits;
        }
        // An answer is in memory before its flight is over.
        if let Some(kept) = answered() {
            return Joined::Answered(reply, kept);
        }
        let (left, cache) = (reply.left(), cache.clone());
        let waiting = Mutex::new(Some(vec![reply]));
        let serves = serves.cloned();
        let flight = Arc::new(Flight {
            cache,
            key,
            began: now,
            left,
            bytes,
            serves,
            cost,
            waiting,
            by_another: false.into(),
        });
        table.insert(key, flight.clone());
        Joined::First(flight)
    }

    /// Takes a question out that runs no more, unless another has taken its place.
    fn remove(&self, flight: &Flight) {
        let mut table = lock(&self.0[flight.key.part(PARTS)]);
        if let Entry::Occupied(entry) = table.entry(flight.key)
            && std::ptr::eq(Arc::as_ptr(entry.get()), flight)
        {
            entry.remove();
        }
    }
}

impl Flight {
    /// How long whoever is asked has. It is due when the first who asked is: those who came later may have some
    /// time left then.
    pub(super) fn left(&self) -> Option<Duration> {
        self.left.map(|left| left.saturating_sub(self.began.elapsed()))
    }

    /// Whether whoever has so long may wait for it: it has at least half of that left itself.
    fn is_for(&self, left: Option<Duration>) -> bool {
        match (self.left(), left) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(left)) => own >= left / 2,
        }
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.cache.counts
    }

    /// Gives all who wait an answer that was found elsewhere.
    pub(super) fn found(&self, kept: &Kept) {
        self.cache.memory.put(self.key, kept.clone());
        let Some(waiting) = self.land() else { return };
        let counts = &self.cache.counts;
        counts.redis_hits.add(1);
        // Those who waited with the first were counted when they came.
        self.cache.count_spared(waiting.len() as u64, kept, self.bytes);
        waiting.into_iter().for_each(|reply| reply.answer(kept.answer.clone()));
    }

    /// Ends it: nobody can join from now on.
    fn land(&self) -> Option<Vec<Reply>> {
        let waiting = lock(&self.waiting).take();
        if waiting.is_some() {
            self.cache.flights.remove(self);
        }
        waiting
    }
}

impl Relay for Flight {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        match answer {
            Ok(answer) => {
                let is_sure = self.serves.as_ref().is_none_or(|serves| !serves.is_over())
                    && !self.by_another.load(Ordering::Relaxed);
                let told = self.cost.and_then(|cost| cost(&answer));
                let cost = told.unwrap_or_else(|| self.began.elapsed());
                let kept = self.cache.keep(&self.key, &answer, cost, is_sure);
                let Some(waiting) = self.land() else { return };
                let others = waiting.len().saturating_sub(1) as u64;
                self.cache.count_spared(others, &kept, self.bytes);
                waiting.into_iter().for_each(|reply| reply.answer(answer.clone()));
            }
            Err(fault) => {
                let Some(waiting) = self.land() else { return };
                self.cache.counts.failed.add(waiting.len() as u64);
                waiting.into_iter().for_each(|reply| reply.fail(fault.again()));
            }
        }
    }

    fn by_another(&self) {
        // Told before the answer, by whoever gives it or hands the question on under a lock.
        self.by_another.store(true, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.as_ref().is_some_and(|all| all.iter().any(Reply::is_wanted)) {
            return true;
        }
        // Whoever asks from now on asks anew: this one may be dropped on the strength of the no.
        let nobody = waiting.take();
        drop(waiting);
        if nobody.is_some() {
            self.cache.flights.remove(self);
        }
        false
    }
}
