//! What the keeper does for one spool.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    fs::is_full,
    handle::{NOTHING, Shared, State, Status, lock, room_for},
    keeper::Job,
    log::{Kept, Log},
    read::Piece,
    settings::{Settings, Sync, WhenFull},
};

/// Between two attempts while the disk refuses.
const RETRY_NS: i64 = 250_000_000;
/// Records written at once, and bytes read at once.
const BATCH: usize = 256;
/// As many times before something is read.
const BATCHES: u32 = 32;
const PIECE: usize = 256 << 10;
/// How long what is on disk must be unreadable to be given up, and how long what follows on such: disks
/// of a network come back.
const PATIENCE_NS: i64 = 120_000_000_000;
const PATIENCE_MORE_NS: i64 = 2_000_000_000;
/// What the system says of a disk that cannot read what is on it: `EIO`, or a wrong checksum.
const UNREADABLE: i32 = if cfg!(windows) { 23 } else { 5 };

/// A log, and what was asked of it.
#[derive(Debug)]
pub(super) struct Worker {
    log: Log,
    shared: Arc<Shared>,
    when_full: WhenFull,
    sync: Sync,
    /// Since when the disk refuses, and when to try again.
    failing: Option<Failing>,
    /// When the disk is to be told to keep what was written.
    sync_at: Option<i64>,
    acknowledged: u64,
    unread: Option<Unread>,
    /// The place behind what was given up last.
    given_up: u64,
    read_at: i64,
    failures: u64,
}

/// Where reading fails, since when, and why.
#[derive(Debug)]
struct Unread {
    from: u64,
    since: i64,
    cause: String,
}

#[derive(Debug)]
struct Failing {
    cause: String,
    retry_at: i64,
}

impl Worker {
    pub(super) fn new(log: Log, shared: Arc<Shared>, settings: &Settings) -> Self {
        let acknowledged = log.position.next;
        let (when_full, sync) = (settings.when_full, settings.sync);
        let mut worker = Self {
            log,
            shared,
            when_full,
            sync,
            failing: None,
            sync_at: None,
            acknowledged,
            unread: None,
            given_up: NOTHING,
            read_at: 0,
            failures: 0,
        };
        worker.publish();
        worker
    }

    fn change(&mut self) -> io::Result<bool> {
        let mut did = false;
        let recount = self.shared.recount.load(Relaxed);
        if recount != 0 {
            self.log.recount(recount)?;
            let _ = self.shared.recount.compare_exchange(recount, 0, Relaxed, Relaxed);
            did = true;
        }
        self.log.count_lost(self.shared.dropped.swap(0, Relaxed));
        let acknowledged = self.shared.acknowledged.load(Relaxed);
        if acknowledged > self.acknowledged {
            self.log.acknowledge(acknowledged)?;
            self.acknowledged = acknowledged;
            did = true;
        }
        Ok(did)
    }

    /// Writes what waits; whether there was something.
    fn write(&mut self, now: i64) -> io::Result<bool> {
        let batch: Vec<(u64, Kept)> = {
            let mut queue = lock(&self.shared.queue);
            let count = queue.len().min(BATCH);
            queue.drain(..count).collect()
        };
        if batch.is_empty() {
            return Ok(false);
        }
        let mut written = self.log.append(batch.iter().map(|(place, kept)| (*place, kept)));
        if self.sync == Sync::Always
            && written.is_ok()
            && let Err(error) = self.log.sync()
        {
            // What the disk has not kept is not written.
            self.log.take_back();
            written = Err(error);
        }
        let count = *written.as_ref().unwrap_or(&0);
        let room = |batch: &[(u64, Kept)]| batch.iter().map(|(_, kept)| room_for(kept)).sum();
        self.shared.bytes.store(self.log.bytes, Relaxed);
        self.shared.queued.fetch_sub(room(&batch[..count]), Relaxed);
        if count < batch.len() {
            let mut queue = lock(&self.shared.queue);
            for item in batch.into_iter().skip(count).rev() {
                queue.push_front(item);
            }
        }
        written?;
        if let Sync::Every(ns) = self.sync {
            self.sync_at.get_or_insert(now.saturating_add(ns));
        }
        while self.log.is_over() {
            self.evict()?;
        }
        Ok(true)
    }

    fn evict(&mut self) -> io::Result<bool> {
        let evicted = self.log.evict()?;
        if let Some(to) = evicted {
            self.shared.evicted.fetch_max(to, Relaxed);
        }
        Ok(evicted.is_some())
    }

    fn sync(&mut self, now: i64) -> io::Result<bool> {
        let is_due = self.sync_at.is_some_and(|at| now >= at);
        if is_due {
            self.log.sync()?;
            self.sync_at = None;
        }
        Ok(is_due)
    }

    /// Reads what was asked for, if the last piece was taken; whether there was something.
    fn read(&mut self, now: i64) -> bool {
        let from = self.shared.wanted.load(Relaxed);
        if from == NOTHING || now < self.read_at || lock(&self.shared.piece).is_some() {
            return false;
        }
        let since = self.unread.take().filter(|unread| unread.from == from).map(|it| it.since);
        let piece = match self.log.read(from, PIECE, since.is_some()) {
            Ok(piece) => piece,
            Err(error) => {
                self.failures += 1;
                let is_more = from == self.given_up;
                let patience = if is_more { PATIENCE_MORE_NS } else { PATIENCE_NS };
                let since = since.unwrap_or(now);
                let is_lost = error.raw_os_error() == Some(UNREADABLE);
                if !is_lost || now.saturating_sub(since) < patience {
                    self.unread = Some(Unread { from, since, cause: error.to_string() });
                    self.read_at = now.saturating_add(RETRY_NS);
                    return true;
                }
                let piece = self.log.pass_over(from);
                self.given_up = piece.to;
                piece
            }
        };
        if piece.from == piece.to {
            return false;
        }
        self.hand_over(from, piece)
    }

    fn hand_over(&self, from: u64, piece: Piece) -> bool {
        // Another place may have been asked for in the meantime.
        if self.shared.wanted.compare_exchange(from, NOTHING, Relaxed, Relaxed).is_ok() {
            *lock(&self.shared.piece) = Some(piece);
        }
        true
    }

    fn attempt(&mut self, now: i64) -> io::Result<bool> {
        let mut did = self.change()?;
        let mut batches = 0;
        while batches < BATCHES {
            match self.write(now) {
                Ok(true) => (did, batches) = (true, batches + 1),
                Ok(false) => break,
                // The oldest make room for the newest, if room is what is missing.
                Err(error)
                    if is_full(&error)
                        && self.when_full == WhenFull::EvictOldest
                        && self.log.segments.len() > 1 =>
                {
                    self.failures += 1;
                    self.evict()?;
                }
                Err(error) => return Err(error),
            }
        }
        did |= self.sync(now)?;
        self.shared.written.store(self.log.next, Relaxed);
        Ok(did)
    }

    fn publish(&mut self) {
        self.shared.bytes.store(self.log.bytes, Relaxed);
        self.shared.fails.store(self.failing.is_some(), Relaxed);
        let state = match &self.failing {
            None => State::Disk,
            Some(failing) => State::Memory(failing.cause.clone()),
        };
        *lock(&self.shared.status) = Status {
            state,
            bytes: self.log.bytes,
            segments: self.log.segments.len() as u64,
            unread: self.unread.as_ref().map(|unread| unread.cause.clone()),
            queue: 0,
            written: self.log.next,
            synced: self.log.synced(),
            lost: self.log.position.lost,
            failures: self.failures,
        };
    }

    fn close(&mut self) {
        // A disk that refuses now has had its time; what it did not take is told to be missing.
        while let Ok(true) = self.attempt(i64::MAX) {}
        if self.failing.is_none() && lock(&self.shared.queue).is_empty() {
            let _ = self.log.close();
        }
        self.shared.is_gone.store(true, Relaxed);
    }
}

impl Job for Worker {
    fn turn(&mut self, now: i64) -> (bool, Option<i64>) {
        if self.shared.is_closed.load(Relaxed) && !self.shared.is_gone.load(Relaxed) {
            self.close();
            return (false, None);
        }
        let mut did = false;
        if self.failing.as_ref().is_none_or(|failing| now >= failing.retry_at) {
            match self.attempt(now) {
                Ok(some) => {
                    did = some || self.failing.is_some();
                    self.failing = None;
                }
                Err(error) => {
                    self.failures += 1;
                    let retry_at = now.saturating_add(RETRY_NS);
                    self.failing = Some(Failing { cause: error.to_string(), retry_at });
                    did = true;
                }
            }
        }
        did |= self.read(now);
        if did {
            self.publish();
            if let Some(waker) = &*lock(&self.shared.waker) {
                waker.wake_by_ref();
            }
        }
        let wanted = self.shared.wanted.load(Relaxed);
        let is_read_late = self.unread.as_ref().is_some_and(|unread| unread.from == wanted);
        let wakes = [
            self.failing.as_ref().map(|failing| failing.retry_at),
            self.sync_at,
            is_read_late.then_some(self.read_at),
        ];
        (did, wakes.into_iter().flatten().min())
    }

    fn is_gone(&self) -> bool {
        self.shared.is_gone.load(Relaxed)
    }

    fn close(&mut self) {
        self.shared.is_closed.store(true, Relaxed);
        if !self.is_gone() {
            Self::close(self);
        }
    }
}
