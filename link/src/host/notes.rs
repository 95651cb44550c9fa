//! [`Notes`]: how far a host that is called has consumed what it was sent, for the process after it.
//!
//! ```text
//! FOLDER/consumed/
//! ├── 3f0c…a1/     a caller's edge: position, lock
//! └── 9b22…07/
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use xxhash_rust::xxh3::Xxh3;

use super::Peer;
use crate::{
    session::Delivery,
    spool::{CONSUMED, Cause, Fs, HostFs, Keeper, Memory, SpoolError, Sync, is_of_disk},
    wire::{Hello, HelloEdge},
};

/// Notes that are kept at most; the oldest of those that nobody uses go first.
const NOTES_MAX: usize = 4096;
/// Notes of callers that have not been here for so long are not kept.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Between two looks which are too many.
const TIDIED_AFTER: usize = 64;
/// How much of it power loss may take: what is noted twice costs more than what comes twice then.
const SYNC: Sync = Sync::Every(1_000_000_000);
/// How long a session before may take to let go of its notes.
const FREED_WITHIN: u32 = 5;

/// Notes of all sessions of a process. Clones are the same.
#[derive(Clone)]
pub(super) struct Notes(Arc<Inside>);

struct Inside {
    folder: PathBuf,
    keeper: Keeper,
    opened: AtomicUsize,
    /// Who opens notes shares it; who removes old ones is alone.
    tidies: RwLock<()>,
}

/// The note of one edge.
pub(super) struct Note {
    /// The number of the edge.
    pub(super) edge: u16,
    pub(super) memory: Memory,
    folder: PathBuf,
}

impl Notes {
    /// Notes below `folder`, which is made. Reads what is there.
    ///
    /// # Errors
    /// A folder that cannot be used. A full or read-only disk is none.
    pub(super) fn start(folder: &Path) -> Result<Self, SpoolError> {
        let folder = folder.join(CONSUMED);
        let io_at = |error| SpoolError::new(&folder, Cause::Io(error));
        match HostFs.make_dir(&folder) {
            Ok(()) => tidy(&folder),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(io_at(error)),
            // It is told when something is to be noted.
            Err(error) if is_of_disk(&error) => {}
            Err(error) => return Err(io_at(error)),
        }
        let keeper = Keeper::start().map_err(io_at)?;
        Ok(Self(Arc::new(Inside {
            folder,
            keeper,
            opened: AtomicUsize::new(0),
            tidies: RwLock::default(),
        })))
    }

    /// Opens the notes of who says hello, and tells of those that cannot be used. Waits for the disk.
    pub(super) fn open(
        &self,
        caller: Option<&[u8]>,
        hello: &Hello,
        peer: &Peer,
    ) -> (Vec<Note>, Vec<SpoolError>) {
        let (mut notes, mut problems) = (Vec::new(), Vec::new());
        let edges = peer.edges.iter().zip(&hello.edges).enumerate();
        let received = edges.filter(|(_, (ours, theirs))| {
            let config = &ours.config;
            let is_same = config.name == theirs.name && theirs.durable && !theirs.receives;
            is_same && config.receives && config.delivery == Delivery::Durable
        });
        for (number, (_, theirs)) in received {
            let folder = self.0.folder.join(name(caller, hello, theirs));
            match self.remember(&folder) {
                Ok(memory) => {
                    if memory.was_damaged() {
                        let what = "what was noted here is damaged; some may come twice".to_owned();
                        problems.push(SpoolError::new(&folder, Cause::Foreign(what)));
                    }
                    notes.push(Note { edge: number as u16, memory, folder });
                }
                Err(error) => problems.push(error),
            }
        }
        if self.0.opened.fetch_add(1, Ordering::Relaxed) % TIDIED_AFTER == TIDIED_AFTER - 1 {
            let _alone = self.0.tidies.write().unwrap_or_else(PoisonError::into_inner);
            tidy(&self.0.folder);
        }
        (notes, problems)
    }

    /// One that a session before this one has just let go of is free in a moment.
    fn remember(&self, folder: &Path) -> Result<Memory, SpoolError> {
        let _shared = self.0.tidies.read().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 1;
        loop {
            match self.0.keeper.remember(folder, SYNC) {
                Err(SpoolError { cause: Cause::Locked, .. }) if tries < FREED_WITHIN => tries += 1,
                done => return done,
            }
        }
    }
}

impl Note {
    /// The place in the file system, to be [forgotten](forget) when all is acknowledged.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }
}

/// Counts of edges whose sender keeps them on disk, by which the process after it is known. Whoever has
/// one is alone in having it.
pub(super) fn kept_counts(hello: &Hello) -> Vec<u64> {
    let sent = hello.edges.iter().filter(|edge| edge.durable && !edge.receives);
    sent.filter_map(|edge| kept_count(hello, edge)).collect()
}

fn kept_count(hello: &Hello, edge: &HelloEdge) -> Option<u64> {
    edge.count.filter(|&count| count != 0 && count != hello.life)
}

/// The name of a note: the same for as long as the caller's places mean the same. Places of an edge with
/// a spool outlive their process, those of others belong to a session of it.
fn name(caller: Option<&[u8]>, hello: &Hello, edge: &HelloEdge) -> String {
    let mut hash = Xxh3::new();
    let caller = caller.unwrap_or_default();
    hash.update(&(caller.len() as u64).to_le_bytes());
    hash.update(caller);
    hash.update(&hello.graph);
    match kept_count(hello, edge) {
        Some(count) => hash.update(&count.to_le_bytes()),
        None => {
            hash.update(&hello.session);
            hash.update(&hello.life.to_le_bytes());
        }
    }
    hash.update(edge.name.as_bytes());
    format!("{:032x}", hash.digest128())
}

/// What all is acknowledged of need not be remembered.
pub(super) fn forget(folders: Vec<PathBuf>) {
    for folder in folders {
        // What is left is found to be old one day.
        let _ = fs::remove_dir_all(folder);
    }
}

/// Removes what is old, or too much.
fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_ours = path.file_name()?.to_str().is_some_and(is_name);
            let noted = fs::metadata(path.join("position")).or_else(|_| fs::metadata(&path));
            is_ours.then_some((noted.ok()?.modified().ok()?, path))
        })
        .collect();
    found.sort();
    let too_many = found.len().saturating_sub(NOTES_MAX);
    for (n, (noted, path)) in found.into_iter().enumerate() {
        let is_old = noted.elapsed().is_ok_and(|age| age > KEPT_FOR);
        if n >= too_many && !is_old {
            continue;
        }
        // Nobody has it, and nobody gets it meanwhile.
        if let Ok(file) = fs::File::open(path.join("lock"))
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
