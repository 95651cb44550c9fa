//! [`Workers`]: the threads that run models, shared by all models of a host.

use std::{
    cell::Cell,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use engine::{Buffer, Fault, Reply};

use crate::backend::{Loaded, rten};

use super::{
    asked::{Asked, Priority, Question},
    chain::Chain,
    door::{Aim, Place},
    drift::Drift,
    family::Family,
    model::Model,
    rest::Rest,
    run::{Job, Runners},
    seat::{Refusal, Seat},
    short::{self, Made},
    state::{Busy, State},
    version::Trial,
    warm::Warmth,
    way::Way,
};

/// How the threads that run models are to be.
#[derive(Clone)]
pub struct Manner {
    /// How many; they start when there is something to do.
    pub threads: usize,
    /// A run that takes longer never ends: another thread takes the worker's place, and the model is
    /// not asked any more.
    pub stuck: Duration,
    /// A run that mostly takes no longer is made by whoever asks, where it is sure to end and questions come
    /// seldom; none are where it is zero.
    pub short: Duration,
    /// Whether models are run before anybody asks them.
    pub warms_up: bool,
    /// Hears what a person should know, in whole sentences.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Manner {
    /// As many threads as the machine has processors, 10 s of patience, runs of up to 50 µs (about what the
    /// way to a worker and back takes) by whoever asks, silent.
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            stuck: Duration::from_secs(10),
            short: Duration::from_micros(50),
            warms_up: true,
            tell: Arc::new(|_| ()),
        }
    }
}

/// Threads that run models. They sleep while nothing waits, and end with the last handle.
#[derive(Clone)]
pub struct Workers(Arc<Handle>);

struct Handle(Arc<Shared>);

pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) work: Condvar,
    /// Grows when workers that look out are called.
    pub(super) calls: AtomicUsize,
    ended: Condvar,
    left: Condvar,
    manner: Manner,
    /// Zero of the workers' clock.
    began: Instant,
}

impl Workers {
    /// So many threads.
    pub fn new(threads: usize) -> Self {
        Self::with(Manner { threads, ..Manner::default() })
    }

    /// Threads of that manner.
    pub fn with(manner: Manner) -> Self {
        let manner = Manner { threads: manner.threads.max(1), ..manner };
        Self(Arc::new(Handle(Arc::new(Shared {
            state: Mutex::new(State::new(manner.threads)),
            work: Condvar::new(),
            calls: AtomicUsize::new(0),
            ended: Condvar::new(),
            left: Condvar::new(),
            manner,
            began: Instant::now(),
        }))))
    }

    /// Takes up a model, which is made with its number.
    pub(super) fn enrol(&self, chain: Chain, make: impl FnOnce(usize) -> Model) -> Arc<Model> {
        let mut state = self.0.0.lock();
        let model = Arc::new(make(state.seats.len()));
        state.seats.push(Seat::new(&model, chain, self.0.0.manner.threads));
        model
    }

    /// Where questions put that way wait.
    pub(super) fn open(
        &self,
        seat: usize,
        way: &Arc<Way>,
        fixed: &[(String, f64)],
    ) -> Result<usize, String> {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let (lane, is_new) = state.seats[seat].open(way, fixed)?;
        if is_new && shared.manner.warms_up {
            shared.warm_up(state);
        }
        Ok(lane)
    }

    /// Notes that somebody wants answers within a time: what is less urgent must leave room for it.
    pub(super) fn promise(&self, priority: Priority, within: Duration) {
        if priority != Priority::Low {
            let mut state = self.0.0.lock();
            state.patience_ns = state.patience_ns.min(nanos(within) / 2);
        }
    }

    /// Takes up models as the variants of one, the cheapest first; gives the number of the family. What
    /// would be too late for one goes to the next cheaper.
    pub(super) fn relate(&self, seats: Vec<usize>, dwell: Duration) -> usize {
        let mut state = self.0.0.lock();
        let family = Family::new(seats, nanos(dwell));
        for (seat, cheaper) in family.steps() {
            state.seats[seat].cheaper = Some(cheaper);
        }
        state.families.push(family);
        state.families.len() - 1
    }

    /// The variant for a question that is asked now.
    pub(super) fn choose(
        &self,
        family: usize,
        places: &[Place],
        priority: Priority,
        left: Option<Duration>,
    ) -> usize {
        let shared = &self.0.0;
        let time = (shared.now(), left.map_or(i64::MAX, nanos));
        shared.lock().choose(family, places, priority as usize, time)
    }

    /// Lets a question wait for the model that `aim` says, or refuses it.
    pub(super) fn ask(&self, places: &[Place], aim: Aim, question: Question<'_>, reply: Reply) {
        let shared = &self.0.0;
        let began = Instant::now();
        let now = nanos(began.saturating_duration_since(shared.began));
        let left = reply.left().map_or(i64::MAX, nanos);
        let Question { way, samples, note, priority, pair } = question;
        let asked = Asked {
            way: way.clone(),
            question: samples,
            samples: None,
            reply,
            note,
            priority,
            pair,
            began,
            arrived: now,
            since: now,
            deadline: now.saturating_add(left),
            watched: None,
        };
        let mut state = shared.lock();
        let (best, cheapest) = match aim {
            Aim::Best(at) => (at, 0),
            Aim::Auto(family) => (state.choose(family, places, priority as usize, (now, left)), 0),
        };
        match state.admit(now, &places[cheapest..=best], asked) {
            Ok(place) if state.gathers(place, now) => {}
            Ok(place) => {
                if let Some(state) = short::run(shared, state, place, (now, priority)) {
                    shared.call(state, 1);
                }
            }
            Err(refused) => {
                drop(state);
                match *refused {
                    (asked, Refusal::Late(why)) => asked.reply.give_up(why),
                    (asked, Refusal::Closed(_, why)) => asked.reply.fail(Fault::new(why)),
                }
            }
        }
    }

    /// See [`Model::offer`].
    pub(super) fn offer(&self, seat: usize, chain: Chain, terms: Trial) -> Result<(), String> {
        let shared = &self.0.0;
        let told = shared.lock().seats[seat].offer(chain, terms)?;
        (shared.manner.tell)(&told);
        if shared.manner.warms_up {
            shared.warm_up(shared.lock());
        }
        Ok(())
    }

    /// The version of a model that serves.
    pub(super) fn version(&self, seat: usize) -> u32 {
        self.0.0.lock().seats[seat].serving.number
    }

    /// How long a run may take until it is held to never end.
    pub(super) fn patience(&self) -> Duration {
        self.0.0.manner.stuck
    }

    /// Tells a person something, in whole sentences.
    pub(super) fn tell(&self, what: &str) {
        (self.0.0.manner.tell)(what);
    }

    /// The first segment of the version that serves.
    pub(super) fn first(&self, seat: usize) -> Option<Arc<dyn Loaded>> {
        let state = self.0.0.lock();
        state.seats[seat].serving.chain.segments.first().map(|segment| segment.loaded.clone())
    }

    /// See [`Model::seen`].
    pub(super) fn drift(&self, seat: usize) -> Option<Arc<Drift>> {
        self.0.0.lock().seats[seat].serving.chain.drift.clone()
    }

    /// See [`Model::costs`].
    pub(super) fn costs(&self, seat: usize, segments: usize) -> Vec<Vec<(usize, i64)>> {
        self.0.0.lock().seats[seat].costs(segments)
    }

    /// A model is gone: its weights are let go of, and workers forget what they keep for it.
    pub(super) fn leave(&self, seat: usize) {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let left = state.seats[seat].leave();
        state.cold += 1;
        drop(shared.wake_all(state));
        drop(left);
    }
}

pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

impl Drop for Handle {
    /// Waits for the workers, so that none is inside a library that the program's end takes apart; but not
    /// for one whose run does not end.
    fn drop(&mut self) {
        let shared = &self.0;
        let mut state = shared.lock();
        state.ended = true;
        shared.work.notify_all();
        shared.ended.notify_all();
        // The last handle may be dropped by a worker.
        let own = usize::from(IS_WORKER.get());
        let busy = |state: &mut State| state.alive > own;
        let waited = shared.left.wait_timeout_while(state, LEAVING, busy);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        drop(state);
    }
}

thread_local! {
    /// This thread runs models.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// How long the end waits for runs that are going on.
const LEAVING: Duration = Duration::from_secs(2);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> i64 {
        nanos(self.began.elapsed())
    }

    /// Wakes or starts so many workers, as far as there are any.
    pub(super) fn call(self: &Arc<Self>, mut state: MutexGuard<'_, State>, count: usize) {
        let told = state.looking.call(count);
        if told > 0 {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        let wakes = state.asleep.call(count - told);
        let left = self.manner.threads.saturating_sub(state.started);
        let starts = (count - told - wakes).min(left);
        state.started += starts;
        let is_first = starts > 0 && !std::mem::replace(&mut state.is_watched, true);
        drop(state);
        if is_first {
            watch(self);
        }
        (0..wakes).for_each(|_| self.work.notify_one());
        (0..starts).for_each(|_| start(self));
    }

    /// Wakes all who rest.
    pub(super) fn wake_all<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.asleep.call(usize::MAX);
        state.looking.call(usize::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.work.notify_all();
        state
    }

    /// Has every worker run what it has not run yet.
    fn warm_up(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.cold += 1;
        self.call(state, self.manner.threads);
    }

    /// Runs that mostly take no longer may be made by whoever asks.
    pub(super) fn short_ns(&self) -> i64 {
        nanos(self.manner.short)
    }

    pub(super) fn warms_up(&self) -> bool {
        self.manner.warms_up
    }

    fn give_up_stuck(&self, state: &mut State, now: i64) {
        for told in state.give_up_stuck(now, nanos(self.manner.stuck)) {
            (self.manner.tell)(&told);
        }
    }
}

/// Looks now and then whether some run does not end: all workers may be in such.
fn watch(shared: &Arc<Shared>) {
    let shared = shared.clone();
    let thread = Builder::new().name("afferent-models".to_owned()).stack_size(128 << 10);
    let spawned = thread.spawn(move || {
        let step = shared.manner.stuck / 4;
        let mut state = shared.lock();
        while !state.ended {
            state =
                shared.ended.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
            shared.give_up_stuck(&mut state, shared.now());
            if state.has_work() {
                shared.call(state, 1);
                state = shared.lock();
            }
        }
    });
    // Without it a run that does not end is only noticed by those who wait.
    drop(spawned);
}

fn start(shared: &Arc<Shared>) {
    let (own, worker) = (shared.clone(), fresh_number());
    let thread = Builder::new().name(format!("afferent-model-{worker}"));
    shared.lock().alive += 1;
    let spawned = thread.spawn(move || {
        // The loop runs where the pure-Rust backend runs its models, so that it hands them to nobody.
        rten::on_own_thread(|| {
            IS_WORKER.set(true);
            let _leaves = Leaves(&own, worker);
            work(&own, worker);
        });
    });
    if spawned.is_err() {
        let mut state = shared.lock();
        state.started -= 1;
        state.alive -= 1;
    }
}

/// Says that a worker is gone, whatever ends it.
struct Leaves<'a>(&'a Shared, usize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.lock().leave(self.1);
        self.0.left.notify_all();
    }
}

/// A number for every worker there ever was.
fn fresh_number() -> usize {
    static NUMBERS: AtomicUsize = AtomicUsize::new(0);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Runs what waits, until the workers end or this one is given up.
fn work(shared: &Arc<Shared>, worker: usize) {
    let mut runners = Runners::default();
    let mut warmth = Warmth::default();
    let mut rest = Rest::default();
    let (mut asked, mut late) = (Vec::new(), Vec::new());
    let mut state = shared.lock();
    loop {
        if state.ended {
            return;
        }
        let (job, until) = state.take(worker, shared.now(), &mut asked, &mut late);
        if job.is_none() && late.is_empty() {
            let stale = warmth.stale(&state, &mut runners);
            if !stale.is_empty() {
                drop(state);
                drop(stale);
                state = shared.lock();
                continue;
            }
            // Some worker is there for those who ask meanwhile.
            let may_warm = state.warming == 0 || state.warming + 1 < shared.manner.threads;
            state = match warmth.next(&state).filter(|_| may_warm) {
                Some(cold) => match warmth.warm(shared, state, worker, cold, &mut runners) {
                    Some(state) => state,
                    None => return,
                },
                None => match short::make(shared, state, worker) {
                    Made::Nothing(state) => rest.rest(shared, state, until),
                    Made::Something => shared.lock(),
                    Made::Never => return,
                },
            };
            continue;
        }
        rest.ends(asked.iter().map(|asked| asked.since).min().unwrap_or(i64::MAX));
        // What waits beside it is for another worker.
        let more = usize::from(state.has_work());
        shared.call(state, more);
        give_up(&mut late);
        if let Some(job) = job {
            let (there, is_here) = finish(shared, worker, &job, &mut asked, &mut runners);
            // The last handle on a version frees its weights: others need not wait for that.
            drop(there);
            drop(job);
            if !is_here {
                return;
            }
        }
        state = shared.lock();
    }
}

/// Runs a batch that was taken out, answers, and notes how it went. Says no if the worker was given up
/// meanwhile.
pub(super) fn finish<'a>(
    shared: &'a Arc<Shared>,
    worker: usize,
    job: &Job,
    asked: &mut Vec<Asked>,
    runners: &mut Runners,
) -> (MutexGuard<'a, State>, bool) {
    let (rows, began) = (asked.len(), shared.now());
    let queue = &job.counts.segments[job.segment].queue;
    let awaited = asked.iter().filter(|asked| !asked.is_followed());
    awaited.for_each(|asked| queue.record(began - asked.since));
    let first = asked.iter().map(|asked| asked.deadline).min().unwrap_or(i64::MAX);
    let kept: Vec<Buffer> = match &job.trial {
        Some(_) => asked.iter().map(|asked| asked.question.clone()).collect(),
        None => Vec::new(),
    };
    let again = || shared.lock().begins_again(worker, shared.now());
    let served = runners.serve(job, asked, &again);
    let ended = shared.now();
    let mut state = shared.lock();
    if let Some(told) = job.version.chain.news(state.seats[job.seat].name()) {
        (shared.manner.tell)(&told);
    }
    let ran = Ran { rows, took_ns: served.took_ns, late: usize::from(first < ended) };
    let is_here = state.ran(worker, job, served, ran, ended, &*shared.manner.tell);
    let Some((trial, ways)) = job.trial.as_ref().filter(|_| is_here) else {
        return (state, is_here);
    };
    state.busy.push(Busy::new(worker, job.seat, trial.number, ended));
    drop(state);
    let compared = runners.compare(job, trial, ways, &kept);
    state = shared.lock();
    if !state.done(worker) {
        return (state, false);
    }
    let ((compared, agreed), fault) = match compared {
        Ok(compared) => (compared, None),
        Err(fault) => ((0, 0), Some(fault.to_string())),
    };
    job.counts.compared.add(compared);
    job.counts.agreed.add(agreed);
    if let Some(told) =
        state.seats[job.seat].tried(trial.number, compared, agreed, fault.as_deref())
    {
        (shared.manner.tell)(&told);
        state.cold += 1;
    }
    (state, true)
}

/// A run as far as costs go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    pub(super) rows: usize,
    /// Nothing if it is no measure for such runs.
    pub(super) took_ns: Option<i64>,
    pub(super) late: usize,
}

/// Says of each that it would be answered too late.
fn give_up(late: &mut Vec<Asked>) {
    for asked in late.drain(..) {
        asked.reply.give_up("too much else waited for the model");
    }
}
