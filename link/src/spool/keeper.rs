//! [`Keeper`]: the thread that does all disk work of a process.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::{
    error::{Cause, SpoolError},
    fs::{Fs, HostFs},
    handle::{Shared, Spool, lock},
    log::Log,
    memory::{Memory, MemoryWorker},
    settings::{BYTES_LEAST, Moment, Settings, Subject, Sync},
    worker::Worker,
};

/// How long the thread stays awake for more, so that frames that come often need not wake it.
const LINGER: Duration = Duration::from_millis(2);
/// How long the end of a process waits for its disk.
const FAREWELL: Duration = Duration::from_secs(5);

/// Something that is kept.
pub(super) trait Job: Send + fmt::Debug {
    /// Does what is to be done: whether there was something, and when to come back at the latest.
    fn turn(&mut self, now_ns: i64) -> (bool, Option<i64>);
    /// Whether nothing more will come.
    fn is_gone(&self) -> bool;
    /// Does what is to be done in the end.
    fn close(&mut self);
}

/// Wakes the thread, if it sleeps.
#[derive(Debug, Default)]
pub(super) struct Bell {
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Bell {
    pub(super) fn ring(&self) {
        // Pairs with `Keeper::live`: either it sees what was left for it, or we see that it sleeps.
        if self.sleeps.swap(false, SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

#[derive(Debug, Default)]
struct Inside {
    bell: Arc<Bell>,
    jobs: Mutex<Vec<Box<dyn Job>>>,
    /// Those that have come since: who opens something does not wait for the disk of another.
    fresh: Mutex<Vec<Box<dyn Job>>>,
    stops: AtomicBool,
    /// Where new countings come from.
    seed: AtomicU64,
    ended: (Mutex<bool>, Condvar),
}

impl Inside {
    fn turn(&self, now_ns: i64) -> (bool, Option<i64>) {
        let mut jobs = lock(&self.jobs);
        jobs.append(&mut lock(&self.fresh));
        let (mut did, mut wake) = (false, None::<i64>);
        for job in &mut *jobs {
            let (some, at) = job.turn(now_ns);
            did |= some;
            wake = wake.into_iter().chain(at).min();
        }
        jobs.retain(|job| !job.is_gone());
        (did, wake)
    }
}

/// The thread that does all disk work of a process, for all its edges. Its end waits a few seconds for the disk.
#[derive(Debug)]
pub struct Keeper {
    fs: Arc<dyn Fs>,
    inside: Arc<Inside>,
    has_thread: bool,
}

impl Keeper {
    /// Starts the thread, on this host's file system.
    ///
    /// # Errors
    /// A system that has no thread left.
    pub fn start() -> std::io::Result<Self> {
        let mut keeper = Self::manual(Arc::new(HostFs));
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
        keeper.inside.seed.store(seed, SeqCst);
        let inside = keeper.inside.clone();
        let thread = thread::Builder::new().name("keeper".to_owned());
        let handle = thread.spawn(move || live(&inside))?;
        let _ = keeper.inside.bell.thread.set(handle.thread().clone());
        keeper.has_thread = true;
        Ok(keeper)
    }

    /// One without a thread: whoever has it calls [`turn`](Self::turn).
    pub fn manual(fs: Arc<dyn Fs>) -> Self {
        Self { fs, inside: Arc::default(), has_thread: false }
    }

    /// Counts of new folders come from this number on; tests set it.
    pub fn seed(&self, seed: u64) {
        self.inside.seed.store(seed, SeqCst);
    }

    /// Does all that is to be done now: whether there was something, and when to come back.
    pub fn turn(&self, now_ns: i64) -> (bool, Option<i64>) {
        self.inside.turn(now_ns)
    }

    /// Opens an edge's spool; `now` is this moment. Reads all that is in its folder, about two seconds
    /// for a GiB on a fast disk.
    ///
    /// # Errors
    /// A folder that another process has open, that is of another edge or format, that a newer version
    /// has written, or that may not be read. A full or read-only disk is none.
    pub fn open(
        &self,
        settings: &Settings,
        subject: &Subject,
        now: Moment,
    ) -> Result<Spool, SpoolError> {
        if settings.bytes_max < BYTES_LEAST {
            let (is, least) = (settings.bytes_max, BYTES_LEAST);
            let what = format!("a spool of {is} bytes is too small; {least} are the least");
            return Err(SpoolError::new(&settings.dir, Cause::Limit(what)));
        }
        let fresh = self.fresh();
        let (log, opened) = Log::open(self.fs.clone(), settings, subject, now, fresh)?;
        let shared = Arc::new(Shared::new(&opened, self.inside.bell.clone()));
        let spool = Spool::new(shared.clone(), opened, settings);
        self.add(Box::new(Worker::new(log, shared, settings)));
        Ok(spool)
    }

    /// Opens the memory of an edge that is received, in a folder of its own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn remember(
        &self,
        dir: impl Into<std::path::PathBuf>,
        sync: Sync,
    ) -> Result<Memory, SpoolError> {
        let bell = self.inside.bell.clone();
        let (worker, memory) = MemoryWorker::open(self.fs.clone(), dir.into(), sync, bell)?;
        self.add(Box::new(worker));
        Ok(memory)
    }

    /// A number that no other counting has.
    fn fresh(&self) -> u64 {
        let seed = self.inside.seed.fetch_add(1, SeqCst);
        crate::testing::Random::new(seed).next_u64() | 1
    }

    fn add(&self, job: Box<dyn Job>) {
        lock(&self.inside.fresh).push(job);
        self.inside.bell.ring();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.inside.stops.store(true, SeqCst);
        if !self.has_thread {
            return;
        }
        self.inside.bell.ring();
        if let Some(thread) = self.inside.bell.thread.get() {
            thread.unpark();
        }
        let (ended, bell) = &self.inside.ended;
        // A disk that does not answer does not keep the process from ending.
        drop(bell.wait_timeout_while(lock(ended), FAREWELL, |ended| !*ended));
    }
}

fn live(inside: &Inside) {
    let begun = Instant::now();
    let now = || i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
    while !inside.stops.load(SeqCst) {
        if inside.turn(now()).0 {
            // Nobody needs to wake us while we only doze.
            thread::park_timeout(LINGER);
            continue;
        }
        inside.bell.sleeps.store(true, SeqCst);
        // What was left before we said so.
        let (did, wake) = inside.turn(now());
        if did || inside.stops.load(SeqCst) {
            inside.bell.sleeps.store(false, SeqCst);
            continue;
        }
        match wake {
            Some(at) => {
                let ns = u64::try_from(at.saturating_sub(now())).unwrap_or(0);
                thread::park_timeout(Duration::from_nanos(ns));
            }
            None => thread::park(),
        }
        inside.bell.sleeps.store(false, SeqCst);
    }
    let mut jobs = std::mem::take(&mut *lock(&inside.jobs));
    jobs.append(&mut lock(&inside.fresh));
    for mut job in jobs {
        job.close();
    }
    *lock(&inside.ended.0) = true;
    inside.ended.1.notify_all();
}
