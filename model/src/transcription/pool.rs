//! [`Pool`]: the threads that understand audio, as many as the machine has processors, shared by all models of
//! speech of a host. Each keeps its own state of every model it was asked with.
//!
//! What panics, be it the model or whoever hears of the outcome, costs that piece alone: it is counted, whoever waits
//! is told that it has failed, and the thread goes on. What nobody waits for any more is not begun, and stopped where
//! it runs.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Instant,
};

use engine::{Answer, Fault, Relay, Reply};

use crate::cache::{Cache, Fit, Identity, Key, Question};

use super::{
    cascade::Cascade,
    decoder::{Decoding, Task},
    hypothesis::Hypothesis,
    queue::{Class, Queue, Urgency},
};

/// What became of a piece.
#[derive(Debug)]
pub enum Outcome {
    /// It was understood.
    Said(Hypothesis),
    /// It will not be.
    Failed(Fault),
    /// It gave way to something more urgent.
    Dropped,
}

/// Threads that understand audio; they start when there is something to do, and end with the last handle.
#[derive(Clone)]
pub struct Pool(Arc<House>);

struct House {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    count: usize,
    /// Whoever submits waits for what becomes of it.
    is_awaited: bool,
    /// For tests, where none can be started.
    #[cfg(test)]
    stack_bytes: Option<usize>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    /// A piece is done.
    ends: Condvar,
    figures: Counters,
    /// What is asked through a cache and not answered yet. Held while no other lock is taken.
    lanes: Mutex<HashMap<Key, Weak<Lane>>>,
    /// What the last piece that was not understood has failed of.
    failed_last: Mutex<Option<String>>,
}

/// A question that several may wait for, and how urgent it is to the most urgent of them.
struct Lane {
    key: Key,
    urgency: Urgency,
    /// The table that it stands in; pieces that wait belong to the same.
    shared: Weak<Shared>,
}

struct State {
    queue: Queue<Job>,
    numbers: u64,
    /// What runs: its number, and how it is told to give way.
    running: Vec<(u64, Arc<AtomicBool>)>,
    /// Partials, and windows, that gave way and were not told yet: by a worker, as whoever submits may hold a lock.
    shed: Vec<Job>,
    idle: usize,
    ended: bool,
}

/// A piece on its way.
struct Job {
    cascade: Arc<Cascade>,
    task: Task,
    asked: Instant,
    urgency: Urgency,
    /// Who else asks the same shares the urgency as long as this is here.
    _lane: Option<Arc<Lane>>,
    reply: Reply,
}

impl Job {
    fn new(
        cascade: Arc<Cascade>,
        task: Task,
        urgency: Urgency,
        lane: Option<Arc<Lane>>,
        reply: Reply,
    ) -> Self {
        Self { cascade, task, asked: Instant::now(), urgency, _lane: lane, reply }
    }
}

/// What a pool has done so far.
#[derive(Debug, Default)]
pub struct Counters {
    decodes: AtomicU64,
    stopped: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    busy_ns: AtomicU64,
    stopped_ns: AtomicU64,
}

/// What a pool has done so far, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Pieces that were understood.
    pub decodes: u64,
    /// Pieces that were begun and not finished.
    pub stopped: u64,
    /// Partials, and windows, that gave way while they waited.
    pub dropped: u64,
    /// Pieces that the model has failed at.
    pub failed: u64,
    /// Of these, and of those who were told, how many have panicked.
    pub panicked: u64,
    /// Nanoseconds of work.
    pub busy_ns: u64,
    /// Of these, on pieces that were not finished.
    pub stopped_ns: u64,
}

impl Pool {
    /// So many threads, at least one.
    pub fn new(threads: usize) -> Self {
        let count = threads.max(1);
        let state = State {
            queue: Queue::new(count),
            numbers: 0,
            running: Vec::new(),
            shed: Vec::new(),
            idle: 0,
            ended: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            ends: Condvar::new(),
            figures: Counters::default(),
            lanes: Mutex::default(),
            failed_last: Mutex::default(),
        };
        Self(Arc::new(House {
            shared: Arc::new(shared),
            threads: Mutex::default(),
            count,
            is_awaited: false,
            #[cfg(test)]
            stack_bytes: None,
        }))
    }

    /// As many threads as the machine has processors.
    pub fn of_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// One thread, for which whoever submits a piece waits: as on a machine that has time for everything, however fast audio comes.
    pub fn awaited() -> Self {
        let mut pool = Self::new(1);
        Arc::get_mut(&mut pool.0).expect("the only handle").is_awaited = true;
        pool
    }

    /// How many threads there are at most.
    pub fn threads(&self) -> usize {
        self.0.count
    }

    /// Has a piece understood; `done` hears what became of it, on a worker's thread or, where the answer is known,
    /// before this returns, as where no thread can be started: then all that wait hear so, here. What is cancelled it does
    /// not hear of.
    pub fn submit(
        &self,
        cascade: &Arc<Cascade>,
        cache: Option<&Arc<Cache>>,
        task: Task,
        class: Class,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Ticket {
        self.submit_while(cascade, cache, (task, class), || true, done)
    }

    /// The same, as long as it is `wanted`, which is asked every few milliseconds on a worker's thread and must not
    /// wait: where it says no the piece is not begun, or stopped.
    pub fn submit_while(
        &self,
        cascade: &Arc<Cascade>,
        cache: Option<&Arc<Cache>>,
        (task, class): (Task, Class),
        wanted: impl Fn() -> bool + Send + Sync + 'static,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Ticket {
        // Of partials the next one is heard anew anyway, and by the first model alone.
        let cache = cache.filter(|_| class != Class::Partial);
        let asked = cache.map(|cache| {
            let key = Key::of(identity(cascade, &task), &as_bytes(&task.audio));
            (cache, key, self.lane(key, class))
        });
        let urgency = match &asked {
            Some((.., lane)) => lane.urgency.clone(),
            None => Urgency::new(class),
        };
        let again = Again {
            pool: Arc::downgrade(&self.0),
            cascade: cascade.clone(),
            task: task.clone(),
            urgency: urgency.clone(),
        };
        let inner = Arc::new_cyclic(|own| Inner {
            own: own.clone(),
            done: Mutex::new(Some(Box::new(done))),
            wanted: Box::new(wanted),
            cancelled: AtomicBool::new(false),
            again: (asked.is_some() && !class.gives_way()).then_some(again),
        });
        let reply = Reply::through(inner.clone());
        let ticket = |urgency| Ticket { inner, urgency, pool: self.clone() };
        let Some((cache, key, lane)) = asked else {
            self.queue(Job::new(cascade.clone(), task, urgency.clone(), None, reply));
            return ticket(urgency);
        };
        let question = Question {
            key,
            bytes: 4 * task.audio.len(),
            patience: std::time::Duration::from_secs(60),
            fit: fit(),
            serves: None,
            // Without what it has waited for a thread.
            cost: Some(Hypothesis::cost_of),
        };
        // Whoever asks the same waits with the others: as urgent as the most urgent of them.
        cache.ask(question, reply, || {
            let (pool, cascade, urgency) = (self.clone(), cascade.clone(), urgency.clone());
            let asked = Instant::now();
            move |reply| {
                let job = Job::new(cascade, task, urgency, Some(lane), reply);
                pool.queue(Job { asked, ..job });
            }
        });
        if class == Class::Final {
            self.0.shared.lock().make_room();
        }
        ticket(urgency)
    }

    /// What asks that question, of at least that class from now on.
    fn lane(&self, key: Key, class: Class) -> Arc<Lane> {
        let shared = &self.0.shared;
        let mut lanes = shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&key).and_then(Weak::upgrade) {
            lane.urgency.raise(class);
            return lane;
        }
        let urgency = Urgency::new(class);
        let lane = Arc::new(Lane { key, urgency, shared: Arc::downgrade(shared) });
        lanes.insert(key, Arc::downgrade(&lane));
        lane
    }

    fn queue(&self, job: Job) {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        state.numbers += 1;
        let number = state.numbers;
        if let Some(job) = state.queue.push(number, job.urgency.clone(), job) {
            shared.figures.dropped.fetch_add(1, Ordering::Relaxed);
            state.shed.push(job);
        }
        state.make_room();
        // Those who are idle may have been woken for others.
        let starts = state.queue.len() > state.idle;
        drop(state);
        shared.work.notify_one();
        if starts {
            self.start();
        }
        if self.0.is_awaited {
            let is_open = |state: &mut State| !state.ended && state.queue.has(number);
            drop(shared.ends.wait_while(shared.lock(), is_open));
        }
    }

    /// Starts one more thread, if there may be one.
    fn start(&self) {
        let mut threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.len() >= self.0.count {
            return;
        }
        let shared = self.0.shared.clone();
        let thread = Builder::new().name(format!("afferent-speech-{}", threads.len()));
        #[cfg(test)]
        let thread = self.0.stack_bytes.into_iter().fold(thread, Builder::stack_size);
        match thread.spawn(move || work(&shared)) {
            Ok(thread) => threads.push(thread),
            // Those that are there do it.
            Err(_) if !threads.is_empty() => {}
            Err(error) => {
                drop(threads);
                // Whoever is told may want any lock.
                let all = self.0.shared.lock().queue.prune(|_| false);
                for job in all {
                    let error = std::io::Error::new(error.kind(), error.to_string());
                    job.reply.fail(Fault::io("there is no thread to understand speech", error));
                }
            }
        }
    }

    /// What it has done so far.
    pub fn done(&self) -> Done {
        let Counters { decodes, stopped, dropped, failed, panicked, busy_ns, stopped_ns } =
            &self.0.shared.figures;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Done {
            decodes: of(decodes),
            stopped: of(stopped),
            dropped: of(dropped),
            failed: of(failed),
            panicked: of(panicked),
            busy_ns: of(busy_ns),
            stopped_ns: of(stopped_ns),
        }
    }
}

impl Pool {
    /// What the last piece that was not understood has failed of.
    pub fn failed_last(&self) -> Option<String> {
        self.0.shared.failed_last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut lanes = shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have taken its place.
        if lanes.get(&self.key).is_some_and(|lane| lane.strong_count() == 0) {
            lanes.remove(&self.key);
        }
    }
}

impl Drop for House {
    /// Whatever runs stops within milliseconds; none is inside a library that the program's end takes apart.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        for (_, leaves) in &state.running {
            leaves.store(true, Ordering::Relaxed);
        }
        drop(state);
        self.shared.work.notify_all();
        let own = std::thread::current().id();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // The last handle may be dropped by a worker.
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != own) {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has partials give way to finals that wait.
    fn make_room(&mut self) {
        while let Some(number) = self.queue.gives_way() {
            if let Some((_, leaves)) = self.running.iter().find(|(it, _)| *it == number) {
                leaves.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// A piece that was submitted.
#[derive(Clone)]
pub struct Ticket {
    inner: Arc<Inner>,
    urgency: Urgency,
    pool: Pool,
}

impl Ticket {
    /// Nobody wants it any more: it is not begun, or stopped within milliseconds, and nobody hears of it.
    pub fn cancel(&self) {
        self.inner.cancelled.store(true, Ordering::Relaxed);
        drop(self.inner.take());
    }

    /// It is a final now.
    pub fn promote(&self) {
        self.urgency.raise(Class::Final);
        self.pool.0.shared.lock().make_room();
    }
}

/// Hears what becomes of a piece.
type Hears = Box<dyn FnOnce(Outcome) + Send>;

struct Inner {
    own: Weak<Self>,
    done: Mutex<Option<Hears>>,
    /// Whether somebody still waits.
    wanted: Box<dyn Fn() -> bool + Send + Sync>,
    cancelled: AtomicBool,
    /// Of what gives way to nothing and may wait with others.
    again: Option<Again>,
}

/// How a piece is asked anew, where it has waited with one that gave way meanwhile.
struct Again {
    pool: Weak<House>,
    cascade: Arc<Cascade>,
    task: Task,
    urgency: Urgency,
}

impl Inner {
    /// Asks it anew, by itself, if it may be: then it cannot give way again.
    fn ask_again(&self) -> bool {
        let Some(Again { pool, cascade, task, urgency }) = &self.again else { return false };
        let (Some(house), Some(own)) = (pool.upgrade(), self.own.upgrade()) else { return false };
        let reply = Reply::through(own);
        Pool(house).queue(Job::new(cascade.clone(), task.clone(), urgency.clone(), None, reply));
        true
    }

    fn take(&self) -> Option<Hears> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Relay for Inner {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        let outcome = match answer.and_then(|answer| Hypothesis::of_answer(&answer)) {
            Ok(said) => Outcome::Said(said),
            Err(fault) if fault.class() == engine::FaultClass::Late => {
                if self.is_wanted() && self.ask_again() {
                    return;
                }
                Outcome::Dropped
            }
            Err(fault) => Outcome::Failed(fault),
        };
        let Some(done) = self.take() else { return };
        done(outcome);
    }

    fn is_wanted(&self) -> bool {
        !self.cancelled.load(Ordering::Relaxed) && (self.wanted)()
    }
}

/// Everything that decides what is understood, besides the audio.
fn identity(cascade: &Cascade, task: &Task) -> Identity {
    let Task { prompt, way, .. } = task;
    let way = format!("{way:?} {}", cascade.identity());
    Identity::of(&[b"speech", way.as_bytes(), prompt.as_bytes()])
}

fn fit() -> &'static Arc<Fit> {
    static FIT: std::sync::OnceLock<Arc<Fit>> = std::sync::OnceLock::new();
    FIT.get_or_init(|| Arc::new(Fit::of(vec![Hypothesis::format()])))
}

/// The bytes of samples, as a hash takes them.
fn as_bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A worker's states, by the content of the model.
pub(super) type States = HashMap<(String, u64), Box<dyn Decoding>>;

fn work(shared: &Arc<Shared>) {
    let mut states = States::new();
    let mut state = shared.lock();
    loop {
        // Who waits for these has gone.
        let gone = state.queue.prune(|job| job.reply.is_wanted());
        let shed = std::mem::take(&mut state.shed);
        if !gone.is_empty() {
            shared.ends.notify_all();
        }
        let next = if state.ended { None } else { state.queue.take() };
        let Some((number, job)) = next else {
            if !gone.is_empty() || !shed.is_empty() {
                drop(state);
                guarded(shared, || drop(gone));
                tell(shared, shed);
                state = shared.lock();
                continue;
            }
            if state.ended {
                return;
            }
            state.idle += 1;
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            continue;
        };
        let leaves = Arc::new(AtomicBool::new(false));
        state.running.push((number, leaves.clone()));
        drop(state);
        guarded(shared, || drop(gone));
        tell(shared, shed);
        run(shared, &mut states, job, &leaves);
        state = shared.lock();
        state.running.retain(|(it, _)| *it != number);
        state.queue.finished(number);
        shared.ends.notify_all();
    }
}

/// Says that these gave way.
fn tell(shared: &Shared, shed: Vec<Job>) {
    shed.into_iter().for_each(|job| guarded(shared, || job.reply.give_up(MORE_URGENT)));
}

/// Does what tells others, who may panic: a reply that was on its way fails with it.
fn guarded(shared: &Shared, tells: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(tells)).is_err() {
        shared.figures.panicked.fetch_add(1, Ordering::Relaxed);
    }
}

const MORE_URGENT: &str = "something more urgent came";

fn run(shared: &Shared, states: &mut States, job: Job, leaves: &AtomicBool) {
    let Job { cascade, task, asked, urgency, _lane, reply } = job;
    let figures = &shared.figures;
    let began = Instant::now();
    let stops = || {
        // A partial that became a final meanwhile stays.
        let gives_way = leaves.load(Ordering::Relaxed) && urgency.class() != Class::Final;
        gives_way || !reply.is_wanted() || (leaves.load(Ordering::Relaxed) && shared.is_over())
    };
    let is_partial = urgency.class() == Class::Partial;
    let decode = AssertUnwindSafe(|| cascade.decode(states, &task, is_partial, &stops));
    let said = catch_unwind(decode).unwrap_or_else(|_| {
        // Whatever it has left of its states is in doubt.
        states.clear();
        figures.panicked.fetch_add(1, Ordering::Relaxed);
        Err(Fault::new("the model has panicked"))
    });
    let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    figures.busy_ns.fetch_add(spent, Ordering::Relaxed);
    // From here on whoever asks the same asks anew, or is answered with these.
    drop(_lane);
    match said {
        Ok(Some(said)) => {
            figures.decodes.fetch_add(1, Ordering::Relaxed);
            if !urgency.class().gives_way() {
                let took_s = asked.elapsed().as_secs_f64();
                cascade.pace().learn(task.seconds(), task.way.floor, took_s);
            }
            let said = Hypothesis { cost_s: spent as f64 / 1e9, ..said };
            guarded(shared, || reply.answer(said.to_answer()));
        }
        Ok(None) => {
            figures.stopped.fetch_add(1, Ordering::Relaxed);
            figures.stopped_ns.fetch_add(spent, Ordering::Relaxed);
            guarded(shared, || reply.give_up(MORE_URGENT));
        }
        Err(fault) => {
            figures.failed.fetch_add(1, Ordering::Relaxed);
            let mut last = shared.failed_last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(fault.to_string());
            drop(last);
            guarded(shared, || reply.fail(fault));
        }
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        // Not while somebody holds it: this is asked again soon.
        self.state.try_lock().is_ok_and(|state| state.ended)
    }
}

#[cfg(test)]
impl Pool {
    /// One whose threads cannot be started.
    pub(super) fn without_threads() -> Self {
        let mut pool = Self::new(1);
        Arc::get_mut(&mut pool.0).expect("the only handle").stack_bytes = Some(1 << 62);
        pool
    }
}

#[cfg(test)]
mod tests;
