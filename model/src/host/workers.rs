//! [`Workers`]: the threads that run models, shared by all models of a host.

use std::{
    collections::{HashMap, hash_map::Entry},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use engine::Fault;

use crate::backend::rten;

use super::{
    batch::Batch,
    model::{Asked, Model},
    queue::Queue,
};

/// A run that takes longer never ends, unless somebody says otherwise.
const STUCK: Duration = Duration::from_secs(10);
/// Failed runs in a row after which a model is left alone for a while.
const FAILURES_MAX: u32 = 8;
/// How long it is left alone.
const REST: Duration = Duration::from_secs(5);

/// Threads that run models: as many as there are processors, or as said. They sleep while nothing
/// waits, and end with the last handle.
#[derive(Clone)]
pub struct Workers(Arc<Handle>);

struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    threads: usize,
    /// A run that takes longer never ends: another thread takes the worker's place, and the model is
    /// not asked any more.
    stuck: Duration,
}

#[derive(Default)]
struct State {
    models: Vec<Seat>,
    /// Where to look first: models take turns.
    next: usize,
    /// Workers that sleep and that nobody has woken.
    idle: usize,
    /// Workers that were woken and have not come yet.
    woken: usize,
    started: usize,
    busy: Vec<Busy>,
    ended: bool,
}

/// A model and its questions.
struct Seat {
    model: Weak<Model>,
    batch_max: usize,
    queue: Queue,
    failures: u32,
    rests_until: Option<Instant>,
    /// A run of it never ended.
    stuck: bool,
}

/// A worker in a run.
struct Busy {
    worker: usize,
    seat: usize,
    since: Instant,
}

impl Workers {
    /// As many threads as the machine has processors.
    pub fn of_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// So many threads, started when the first question comes.
    pub fn new(threads: usize) -> Self {
        Self::with_patience(threads, STUCK)
    }

    /// As [`Workers::new`]; a run that takes longer than `stuck` counts as one that never ends.
    pub fn with_patience(threads: usize, stuck: Duration) -> Self {
        Self(Arc::new(Handle(Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            threads: threads.max(1),
            stuck,
        }))))
    }

    /// Takes up a model, which is made with its number.
    pub(super) fn enrol(&self, make: impl FnOnce(usize) -> Model) -> Arc<Model> {
        let mut state = self.0.0.lock();
        let model = Arc::new(make(state.models.len()));
        state.models.push(Seat {
            model: Arc::downgrade(&model),
            batch_max: model.batch_max(),
            queue: Queue::default(),
            failures: 0,
            rests_until: None,
            stuck: false,
        });
        model
    }

    /// Lets a question wait for its model, or refuses it.
    pub(super) fn ask(&self, seat: usize, asked: Asked) {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let now = Instant::now();
        state.give_up_stuck(now, shared.stuck);
        if let Err((asked, why)) = state.admit(seat, asked, now) {
            if let Some(model) = state.models[seat].model.upgrade() {
                model.counts.refused.fetch_add(1, Ordering::Relaxed);
            }
            drop(state);
            asked.reply.fail(Fault::new(why));
            return;
        }
        if state.idle > 0 {
            state.wake_one();
            drop(state);
            shared.work.notify_one();
            return;
        }
        if state.started < shared.threads {
            state.started += 1;
            drop(state);
            start(shared);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.work.notify_all();
    }
}

impl State {
    /// Lets a question wait, or says why not.
    fn admit(
        &mut self,
        seat: usize,
        asked: Asked,
        now: Instant,
    ) -> Result<(), (Asked, &'static str)> {
        let seat = &mut self.models[seat];
        if seat.stuck {
            return Err((asked, "a run of the model never ended; it is not asked any more"));
        }
        if seat.rests_until.is_some_and(|until| now < until) {
            return Err((asked, "the model failed again and again and is left alone for 5 s"));
        }
        seat.queue.push(asked).map_err(|asked| (asked, "too many questions wait for the model"))
    }

    fn wake_one(&mut self) {
        self.idle -= 1;
        self.woken += 1;
    }

    /// Frees the places of workers whose run does not end; the models they run are not asked again, and
    /// what waits for them has failed.
    fn give_up_stuck(&mut self, now: Instant, limit: Duration) {
        let stuck = |busy: &Busy| now.duration_since(busy.since) > limit;
        for busy in self.busy.extract_if(.., |busy| stuck(busy)) {
            let seat = &mut self.models[busy.seat];
            seat.stuck = true;
            let never = "a run of the model never ended; it is not asked any more";
            seat.queue.clear().for_each(|asked| asked.reply.fail(Fault::new(never)));
            self.started -= 1;
        }
    }

    /// The next questions to run, of one model.
    fn take(&mut self, worker: usize, into: &mut Vec<Asked>) -> Option<(usize, Arc<Model>)> {
        let count = self.models.len();
        for turn in 0..count {
            let seat = (self.next + turn) % count;
            if self.models[seat].stuck || self.models[seat].queue.len() == 0 {
                continue;
            }
            let here = &mut self.models[seat];
            here.queue.take(here.batch_max, into);
            if into.is_empty() {
                continue;
            }
            // Given back, never dropped here: the last handle on a model may end the workers, which takes
            // the lock that is held now.
            let Some(model) = here.model.upgrade() else {
                into.clear();
                continue;
            };
            self.next = seat + 1;
            self.busy.push(Busy { worker, seat, since: Instant::now() });
            return Some((seat, model));
        }
        None
    }

    /// Another run of the same questions begins.
    fn begins_again(&mut self, worker: usize) {
        if let Some(busy) = self.busy.iter_mut().find(|busy| busy.worker == worker) {
            busy.since = Instant::now();
        }
    }

    /// Notes how a run ended. Says no if the worker was given up meanwhile.
    fn ran(&mut self, worker: usize, seat: usize, failed: bool, now: Instant) -> bool {
        let Some(at) = self.busy.iter().position(|busy| busy.worker == worker) else {
            return false;
        };
        self.busy.swap_remove(at);
        let seat = &mut self.models[seat];
        seat.failures = if failed { seat.failures + 1 } else { 0 };
        if seat.failures >= FAILURES_MAX {
            (seat.failures, seat.rests_until) = (0, Some(now + REST));
        }
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(shared: &Arc<Shared>) {
    let (own, worker) = (shared.clone(), fresh_number());
    let thread = Builder::new().name(format!("afferent-model-{worker}"));
    // The loop runs where the pure-Rust backend runs its models, so that it hands them to nobody.
    let spawned = thread.spawn(move || rten::on_own_thread(move || work(&own, worker)));
    if spawned.is_err() {
        shared.lock().started -= 1;
    }
}

/// A number for every worker there ever was.
fn fresh_number() -> usize {
    static NUMBERS: AtomicUsize = AtomicUsize::new(0);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Runs what waits, until the workers end or this one is given up.
fn work(shared: &Arc<Shared>, worker: usize) {
    let mut batches: HashMap<usize, Batch> = HashMap::new();
    let mut asked = Vec::new();
    let mut state = shared.lock();
    loop {
        if state.ended {
            return;
        }
        let Some((seat, model)) = state.take(worker, &mut asked) else {
            state.idle += 1;
            // Somebody must see that a run does not end, though nobody asks.
            let waited = shared.work.wait_timeout(state, shared.stuck);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.give_up_stuck(Instant::now(), shared.stuck);
            // Woken by nobody, it is its own.
            let counted = if state.woken > 0 { &mut state.woken } else { &mut state.idle };
            *counted -= 1;
            continue;
        };
        // What waits beside it is for another worker.
        let waits = state.models.iter().any(|seat| !seat.stuck && seat.queue.len() > 0);
        let (more, fresh) =
            (waits && state.idle > 0, waits && state.idle == 0 && state.started < shared.threads);
        if more {
            state.wake_one();
        }
        if fresh {
            state.started += 1;
        }
        drop(state);
        if more {
            shared.work.notify_one();
        }
        if fresh {
            start(shared);
        }
        let again = || shared.lock().begins_again(worker);
        let failed = run(&model, seat, &mut batches, &mut asked, &again);
        drop(model);
        state = shared.lock();
        if !state.ran(worker, seat, failed, Instant::now()) {
            return;
        }
    }
}

/// Runs questions and answers them. Where a run of several fails, each is run by itself, so that one
/// that cannot be run harms no other. Says whether all failed.
fn run(
    model: &Model,
    seat: usize,
    batches: &mut HashMap<usize, Batch>,
    asked: &mut Vec<Asked>,
    again: &dyn Fn(),
) -> bool {
    let outcome = run_once(model, seat, batches, asked);
    if let Err(fault) = outcome {
        if asked.len() == 1 {
            model.counts.failed.fetch_add(1, Ordering::Relaxed);
            asked.drain(..).for_each(|asked| asked.reply.fail(Fault::new(fault.to_string())));
            return true;
        }
        let mut all_failed = true;
        for one in std::mem::take(asked) {
            again();
            all_failed &= run(model, seat, batches, &mut vec![one], again);
        }
        return all_failed;
    }
    let Some(batch) = batches.get(&seat) else { return true };
    let rows = asked.len();
    for (n, Asked { way, reply, .. }) in asked.drain(..).enumerate() {
        let answer =
            catch_unwind(AssertUnwindSafe(|| way.read(&batch.row(model.signature(), n, rows)?)));
        let answer =
            answer.unwrap_or_else(|_| Err(Fault::new("what the model gave cannot be read")));
        match answer {
            Ok(answer) => {
                model.counts.answered.fetch_add(1, Ordering::Relaxed);
                reply.answer(answer);
            }
            Err(fault) => {
                model.counts.failed.fetch_add(1, Ordering::Relaxed);
                reply.fail(fault);
            }
        }
    }
    false
}

fn run_once(
    model: &Model,
    seat: usize,
    batches: &mut HashMap<usize, Batch>,
    asked: &[Asked],
) -> Result<(), Fault> {
    let made = || model.loaded().runner().map(|runner| Batch::new(runner, model.signature()));
    let batch = match batches.entry(seat) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let made = catch_unwind(AssertUnwindSafe(made));
            new.insert(made.unwrap_or_else(|_| Err(Fault::new("the model panicked")))?)
        }
    };
    model.counts.runs.fetch_add(1, Ordering::Relaxed);
    let ran = catch_unwind(AssertUnwindSafe(|| batch.run(model.signature(), asked)));
    ran.unwrap_or_else(|_| {
        // What a panic has left behind is not run again.
        batches.remove(&seat);
        Err(Fault::new("the model panicked"))
    })
}
