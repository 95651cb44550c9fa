//! [`Spool`]: an edge's end of its spool. Nothing here waits for a disk.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use engine::Gap;

use super::{
    keeper::Bell,
    log::Kept,
    opening::Opened,
    read::Piece,
    segment::RECORD_HEAD,
    settings::{Settings, WhenFull},
};
use crate::wire::FRAME_HEAD;

/// How a spool is, for whoever watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Where frames go.
    pub state: State,
    /// Why what is on disk cannot be read just now: it is tried again, and only bytes that an open file
    /// does not give for minutes are given up.
    pub unread: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Segments on disk.
    pub segments: u64,
    /// Frames that are not written yet.
    pub queue: u64,
    /// The place before which all frames are written: they survive the process.
    pub written: u64,
    /// The place before which all frames are on the disk: they survive power loss.
    pub synced: u64,
    /// Frames lost here, in all lives of the folder: evicted, or dropped as it was full.
    pub lost: u64,
    /// How often the disk has refused.
    pub failures: u64,
}

/// Where frames go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// To the disk.
    #[default]
    Disk,
    /// The disk takes nothing, for this cause: to memory alone.
    Memory(String),
}

/// Between an edge and the keeper.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Mutex<VecDeque<(u64, Kept)>>,
    /// Bytes that the queue will take on disk, at most.
    pub(super) queued: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    /// Where to read from, [`NOTHING`] where that is not asked.
    pub(super) wanted: AtomicU64,
    /// Another counting, 0 where it is to stay.
    pub(super) recount: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) is_closed: AtomicBool,
    pub(super) is_gone: AtomicBool,
    // What the keeper says.
    pub(super) bytes: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) evicted: AtomicU64,
    /// The disk refuses.
    pub(super) fails: AtomicBool,
    pub(super) piece: Mutex<Option<Piece>>,
    pub(super) status: Mutex<Status>,
    pub(super) bell: Arc<Bell>,
    /// Whom to tell that something was written or read back.
    pub(super) waker: Mutex<Option<Waker>>,
}

pub(super) const NOTHING: u64 = u64::MAX;

/// A poisoned lock holds what it held: nothing here is left half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(opened: &Opened, bell: Arc<Bell>) -> Self {
        Self {
            queue: Mutex::default(),
            queued: AtomicU64::new(0),
            acknowledged: AtomicU64::new(opened.first),
            wanted: AtomicU64::new(NOTHING),
            recount: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            written: AtomicU64::new(opened.start),
            evicted: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            piece: Mutex::default(),
            status: Mutex::default(),
            waker: Mutex::default(),
            bell,
        }
    }
}

/// An edge's spool; made by [`Keeper::open`](super::Keeper::open). What is dropped is closed.
#[derive(Debug)]
pub struct Spool {
    shared: Arc<Shared>,
    opened: Opened,
    bytes_max: u64,
    when_full: WhenFull,
}

/// Most bytes that something takes on disk.
pub(super) fn room_for(kept: &Kept) -> u64 {
    let content = match kept {
        Kept::Frame(frame) => frame.buffer().bytes_len(),
        Kept::Gap { .. } => 0,
    };
    room_for_bytes(content)
}

const fn room_for_bytes(content: usize) -> u64 {
    (content + RECORD_HEAD + crate::wire::RECORD_HEAD + FRAME_HEAD) as u64
}

impl Spool {
    pub(super) fn new(shared: Arc<Shared>, opened: Opened, settings: &Settings) -> Self {
        let (bytes_max, when_full) = (settings.bytes_max, settings.when_full);
        Self { shared, opened, bytes_max, when_full }
    }

    /// What was found when it was opened.
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let status = lock(&self.shared.status).clone();
        Status { queue: lock(&self.shared.queue).len() as u64, ..status }
    }

    /// Has this woken when something was written or read back: its session then wants a tick.
    pub fn on_news(&self, waker: &Waker) {
        *lock(&self.shared.waker) = Some(waker.clone());
    }

    pub(crate) const fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// Whether a frame of as many bytes would be too much. The oldest make room where they may.
    pub(crate) fn is_full(&self, content: usize) -> bool {
        // While the disk refuses it cannot be emptied either: then memory is all there is.
        if self.when_full == WhenFull::EvictOldest || self.shared.fails.load(Relaxed) {
            return false;
        }
        let is = self.shared.bytes.load(Relaxed) + self.shared.queued.load(Relaxed);
        // One frame may always be there.
        is > 0 && is + room_for_bytes(content) > self.bytes_max
    }

    /// Whether the disk refuses.
    pub(crate) fn fails(&self) -> bool {
        self.shared.fails.load(Relaxed)
    }

    pub(crate) fn append(&self, place: u64, kept: Kept) {
        self.shared.queued.fetch_add(room_for(&kept), Relaxed);
        lock(&self.shared.queue).push_back((place, kept));
        self.shared.bell.ring();
    }

    /// Frames before `to`, so many, are not to be kept any more, if they are not written yet.
    pub(crate) fn abandon(&self, to: u64, frames: u64) {
        let mut queue = lock(&self.shared.queue);
        let mut from = None;
        while let Some((place, kept)) = queue.front().filter(|(place, _)| *place < to) {
            from.get_or_insert(*place);
            self.shared.queued.fetch_sub(room_for(kept), Relaxed);
            queue.pop_front();
        }
        if let Some(from) = from {
            let gap = Kept::Gap { to, reason: Gap::Full };
            self.shared.queued.fetch_add(room_for(&gap), Relaxed);
            queue.push_front((from, gap));
        }
        self.shared.dropped.fetch_add(frames, Relaxed);
    }

    /// Counts a frame that was dropped before it came here.
    pub(crate) fn count_dropped(&self) {
        self.shared.dropped.fetch_add(1, Relaxed);
    }

    /// The other side has all before `next`: what of it is not written needs to be no more.
    pub(crate) fn acknowledge(&self, next: u64) {
        self.shared.acknowledged.fetch_max(next, Relaxed);
        let mut queue = lock(&self.shared.queue);
        while let Some((place, kept)) = queue.front() {
            let to = if let Kept::Gap { to, .. } = kept { *to } else { place + 1 };
            if to > next {
                break;
            }
            self.shared.queued.fetch_sub(room_for(kept), Relaxed);
            queue.pop_front();
        }
        drop(queue);
        self.shared.bell.ring();
    }

    /// Asks for what is kept from `from` on.
    pub(crate) fn want(&self, from: u64) {
        self.shared.wanted.store(from, Relaxed);
        self.shared.bell.ring();
    }

    pub(crate) fn take_piece(&self) -> Option<Piece> {
        lock(&self.shared.piece).take()
    }

    /// The place before which everything is written or need not be.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Relaxed).max(self.shared.acknowledged.load(Relaxed))
    }

    /// The place before which nothing is kept.
    pub(crate) fn evicted(&self) -> u64 {
        self.shared.evicted.load(Relaxed)
    }

    /// From now on places belong to this counting.
    pub(crate) fn recount(&self, count: u64) {
        self.shared.recount.store(count, Relaxed);
        self.shared.bell.ring();
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Relaxed);
        self.shared.bell.ring();
    }
}
