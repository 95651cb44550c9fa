//! [`Memory`]: how far a received edge has been consumed, on disk before it is acknowledged.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
    task::Waker,
};

use super::{
    error::{Cause, SpoolError},
    fs::{Fs, Held},
    handle::{State, lock},
    keeper::{Bell, Job},
    log::LOCK,
    opening::is_of_disk,
    position::{self, Position, PositionFile},
    settings::Sync,
};

const RETRY_NS: i64 = 250_000_000;

#[derive(Debug, Default)]
struct Between {
    /// Counting and first place that is not consumed.
    wanted: (u64, u64),
    noted: (u64, u64),
    state: State,
    is_closed: bool,
    was_damaged: bool,
    waker: Option<Waker>,
}

/// An edge's end of its memory; made by [`Keeper::remember`](super::Keeper::remember).
#[derive(Debug)]
pub struct Memory {
    between: Arc<Mutex<Between>>,
    bell: Arc<Bell>,
}

impl Memory {
    /// Counting and first place that is not consumed, as far as that is on disk; zeros where nothing was
    /// ever noted.
    pub fn noted(&self) -> (u64, u64) {
        lock(&self.between).noted
    }

    /// Whether there was a note that cannot be read: nothing is known then.
    pub fn was_damaged(&self) -> bool {
        lock(&self.between).was_damaged
    }

    /// Has this woken when something was noted: its session then wants a tick.
    pub fn on_news(&self, waker: &Waker) {
        lock(&self.between).waker = Some(waker.clone());
    }

    /// How it is. While the disk refuses, what is consumed is acknowledged all the same.
    pub fn state(&self) -> State {
        lock(&self.between).state.clone()
    }

    pub(crate) fn note(&self, count: u64, next: u64) {
        let mut between = lock(&self.between);
        if between.wanted != (count, next) {
            between.wanted = (count, next);
            drop(between);
            self.bell.ring();
        }
    }

    /// The first place of this counting that may not be acknowledged.
    pub(crate) fn acknowledgeable(&self, count: u64, consumed: u64) -> u64 {
        let between = lock(&self.between);
        match &between.state {
            State::Disk if between.noted.0 == count => between.noted.1.min(consumed),
            State::Disk => 0,
            State::Memory(_) => consumed,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        lock(&self.between).is_closed = true;
        self.bell.ring();
    }
}

/// What the keeper does for it.
#[derive(Debug)]
pub(super) struct MemoryWorker {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    lock: Option<Box<dyn Held>>,
    file: PositionFile,
    between: Arc<Mutex<Between>>,
    sync: Sync,
    sync_at: Option<i64>,
    retry_at: Option<i64>,
    is_gone: bool,
    is_read: bool,
    /// Power loss does not take the name of the file.
    is_named: bool,
}

impl MemoryWorker {
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        dir: PathBuf,
        sync: Sync,
        bell: Arc<Bell>,
    ) -> Result<(Self, Memory), SpoolError> {
        let io = |error| SpoolError::new(&dir, Cause::Io(error));
        let file = PositionFile::unread(fs.clone(), dir.join(position::NAME));
        let between = Arc::<Mutex<Between>>::default();
        let mut worker = Self {
            fs,
            dir: dir.clone(),
            lock: None,
            file,
            between: between.clone(),
            sync,
            sync_at: None,
            retry_at: None,
            is_gone: false,
            is_read: false,
            is_named: false,
        };
        match worker.prepare() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(SpoolError::new(&dir, Cause::Locked));
            }
            // That is seen when something is to be noted.
            Err(error) if is_of_disk(&error) => {}
            Err(error) => return Err(io(error)),
        }
        // Behind the lock, so that nobody writes to it any more.
        worker.file.read().map_err(io)?;
        worker.is_read = true;
        let Position { count, next, .. } = worker.file.on_disk.unwrap_or_default();
        {
            let mut between = lock(&between);
            (between.wanted, between.noted) = ((count, next), (count, next));
            between.was_damaged = worker.file.was_damaged;
        }
        Ok((worker, Memory { between, bell }))
    }

    fn prepare(&mut self) -> io::Result<()> {
        if self.lock.is_none() {
            self.fs.make_dir(&self.dir)?;
            let lock = self.fs.lock(&self.dir.join(LOCK))?;
            let lock = lock.ok_or(io::ErrorKind::WouldBlock)?;
            if self.is_read {
                self.file.reread()?;
            }
            self.lock = Some(lock);
        }
        Ok(())
    }

    fn write(&mut self, now: i64, wanted: (u64, u64)) -> io::Result<()> {
        self.prepare()?;
        let (count, next) = wanted;
        self.file.write(Position { count, next, ..Position::default() })?;
        if !self.is_named {
            self.fs.sync_dir(&self.dir)?;
            self.is_named = true;
        }
        match self.sync {
            Sync::Always => self.file.sync()?,
            Sync::Every(ns) => {
                self.sync_at.get_or_insert(now.saturating_add(ns));
            }
        }
        if self.sync_at.is_some_and(|at| now >= at) {
            self.file.sync()?;
            self.sync_at = None;
        }
        Ok(())
    }
}

impl Job for MemoryWorker {
    fn turn(&mut self, now: i64) -> (bool, Option<i64>) {
        let (wanted, noted, is_closed) = {
            let between = lock(&self.between);
            (between.wanted, between.noted, between.is_closed)
        };
        let is_due = self.sync_at.is_some_and(|at| now >= at);
        let may = self.retry_at.is_none_or(|at| now >= at);
        let has_work = wanted != noted || self.retry_at.is_some() || is_due;
        let mut did = false;
        if has_work && may {
            did = true;
            let written = self.write(now, wanted);
            let mut between = lock(&self.between);
            match written {
                Ok(()) => {
                    (between.noted, between.state) = (wanted, State::Disk);
                    self.retry_at = None;
                }
                Err(error) => {
                    between.state = State::Memory(error.to_string());
                    self.retry_at = Some(now.saturating_add(RETRY_NS));
                }
            }
            if let Some(waker) = &between.waker {
                waker.wake_by_ref();
            }
        }
        if is_closed {
            let _ = self.file.sync();
            self.is_gone = true;
            return (did, None);
        }
        (did, self.retry_at.into_iter().chain(self.sync_at).min())
    }

    fn is_gone(&self) -> bool {
        self.is_gone
    }

    fn close(&mut self) {
        self.retry_at = None;
        self.turn(i64::MAX);
        let _ = self.file.sync();
    }
}
