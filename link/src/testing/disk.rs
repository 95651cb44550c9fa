//! [`SimDisk`]: a file system in memory that can do all that disks do.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Random;
use crate::spool::{File, Fs, Held, Open};

/// A disk that several processes, one after another, may use. Copies are the same disk.
///
/// What was written and not synced is kept apart, so that power loss can take any part of it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    /// Deleted, but not yet so that power loss would not bring them back.
    ghosts: BTreeMap<PathBuf, Content>,
    locks: BTreeSet<PathBuf>,
    /// Counts processes: what one has open is void in the next.
    life: u64,
    random: Random,
    capacity: usize,
    /// What is said when there is no room.
    full: io::ErrorKind,
    /// What is written over takes room as well.
    copies: bool,
    refuses: Option<io::ErrorKind>,
    refuses_reads: bool,
    refuses_opens: bool,
    spoiled: Option<(PathBuf, Range<usize>)>,
    short: f64,
    forgets: f64,
    operations: u64,
    dies_at: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// Where nothing was written, which takes no room.
    holes: Vec<Range<usize>>,
    /// Whether its name survives power loss.
    is_named: bool,
}

impl Content {
    fn used(&self) -> usize {
        self.bytes.len() - self.holes.iter().map(Range::len).sum::<usize>()
    }

    /// How much more room it takes to write these.
    fn more(&self, write: &Range<usize>) -> usize {
        let behind = write.end.saturating_sub(self.bytes.len().max(write.start));
        let common = |hole: &Range<usize>| {
            hole.end.min(write.end).saturating_sub(hole.start.max(write.start))
        };
        behind + self.holes.iter().map(common).sum::<usize>()
    }

    fn fill(&mut self, write: &Range<usize>) {
        if write.start > self.bytes.len() {
            self.holes.push(self.bytes.len()..write.start);
        }
        let parts = |hole: &Range<usize>| {
            let (before, behind) = (hole.end.min(write.start), hole.start.max(write.end));
            [hole.start..before, behind..hole.end]
        };
        self.holes = self.holes.iter().flat_map(parts).filter(|hole| !hole.is_empty()).collect();
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                bytes.resize(bytes.len().max(at + new.len()), 0);
                bytes[*at..at + new.len()].copy_from_slice(new);
            }
            Self::Cut(len) => bytes.resize(*len, 0),
        }
    }
}

impl SimDisk {
    /// An empty disk without limits; the seed decides what faults do.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            locks: BTreeSet::new(),
            life: 0,
            random: Random::new(seed),
            capacity: usize::MAX,
            full: io::ErrorKind::StorageFull,
            copies: false,
            refuses: None,
            refuses_reads: false,
            refuses_opens: false,
            spoiled: None,
            short: 0.0,
            forgets: 0.0,
            operations: 0,
            dies_at: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most bytes of all files together.
    pub fn set_capacity(&self, bytes: usize) {
        self.state().capacity = bytes;
    }

    /// All room there is now is taken; what is said then; and whether what is written over takes room
    /// too, as on a file system that never writes in place.
    pub fn fill(&self, full: io::ErrorKind, copies: bool) {
        let mut state = self.state();
        state.capacity = state.files.values().map(Content::used).sum();
        (state.full, state.copies) = (full, copies);
    }

    /// Whether all that changes something is refused, and how.
    pub fn refuse(&self, kind: Option<io::ErrorKind>) {
        self.state().refuses = kind;
    }

    /// Whether files cannot be read.
    pub fn refuse_reads(&self, refuses: bool) {
        self.state().refuses_reads = refuses;
    }

    /// Whether files cannot be opened to be read.
    pub fn refuse_opens(&self, refuses: bool) {
        self.state().refuses_opens = refuses;
    }

    /// Bytes of a file cannot be read.
    pub fn spoil(&self, path: &Path, bytes: Range<usize>) {
        self.state().spoiled = Some((path.to_owned(), bytes));
    }

    /// How often less is written or read than was asked.
    pub fn set_short(&self, probability: f64) {
        self.state().short = probability;
    }

    /// How often a file cannot be synced. As systems do, what was to be kept is then held for kept: the
    /// next time succeeds, what was written is still read, and power loss takes it.
    pub fn set_forgets(&self, probability: f64) {
        self.state().forgets = probability;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The process dies in the middle of this operation; what it asks for then is in vain.
    pub fn die_at(&self, operation: u64) {
        self.state().dies_at = Some(operation);
    }

    /// The process is dead: all that was written is there.
    pub fn kill(&self) {
        let mut state = self.state();
        state.life += 1;
        state.dies_at = None;
        state.locks.clear();
    }

    /// The power was gone: of what was not synced, any part is there, and any name.
    pub fn cut_power(&self) {
        self.kill();
        let mut state = self.state();
        let State { files, ghosts, random, .. } = &mut *state;
        for (path, ghost) in std::mem::take(ghosts) {
            if random.happens(0.5) {
                files.entry(path).or_insert(ghost);
            }
        }
        let share = [0.0, 0.5, 0.9, 1.0][random.below(4) as usize];
        for content in files.values_mut() {
            let mut bytes = std::mem::take(&mut content.synced);
            for mut change in std::mem::take(&mut content.pending) {
                if !random.happens(share) {
                    continue;
                }
                if let Change::Write(_, new) = &mut change
                    && random.happens(0.3)
                {
                    new.truncate(random.below(new.len() as u64) as usize);
                }
                change.apply(&mut bytes);
            }
            (content.synced, content.bytes) = (bytes.clone(), bytes);
        }
        files.retain(|_, content| content.is_named || random.happens(0.5));
        files.values_mut().for_each(|content| content.is_named = true);
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.state().files.get(path).map(|content| content.bytes.clone())
    }

    /// Puts bytes in the place of a file, as damage does.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let (pending, holes) = (Vec::new(), Vec::new());
        let content = Content { synced: bytes.clone(), bytes, pending, holes, is_named: true };
        self.state().files.insert(path.to_owned(), content);
    }

    /// All files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().files.keys().cloned().collect()
    }

    /// Whether only this process may go on, and this operation with it.
    fn begin(&self, life: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.operations += 1;
        let is_dead = state.dies_at.is_some_and(|at| state.operations > at);
        if life != state.life || is_dead {
            return Err(io::Error::other("this process is dead"));
        }
        Ok(state)
    }

    fn change(&self, life: u64) -> io::Result<MutexGuard<'_, State>> {
        let state = self.begin(life)?;
        match state.refuses {
            Some(kind) => Err(kind.into()),
            None => Ok(state),
        }
    }

    fn life(&self) -> u64 {
        self.state().life
    }
}

impl Fs for SimDisk {
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        self.change(self.life()).map(drop)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.begin(self.life())?;
        let names = state.files.keys().filter(|path| path.parent() == Some(dir));
        let names = names.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let life = self.life();
        let mut state = self.begin(life)?;
        if how == Open::Read && state.refuses_opens {
            return Err(io::Error::from_raw_os_error(5));
        }
        if !state.files.contains_key(path) {
            if how == Open::Read {
                return Err(io::ErrorKind::NotFound.into());
            }
            if let Some(kind) = state.refuses {
                return Err(kind.into());
            }
            state.files.insert(path.to_owned(), Content::default());
        } else if how == Open::Write && state.refuses == Some(io::ErrorKind::ReadOnlyFilesystem) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), life }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change(self.life())?;
        let content = state.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        if content.is_named {
            state.ghosts.insert(path.to_owned(), content);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change(self.life())?;
        state.ghosts.retain(|path, _| path.parent() != Some(dir));
        let files = state.files.iter_mut().filter(|(path, _)| path.parent() == Some(dir));
        files.for_each(|(_, content)| content.is_named = true);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let life = self.life();
        let mut state = self.change(life)?;
        let is_free = state.locks.insert(path.to_owned());
        drop(state);
        let lock = SimLock { disk: self.clone(), path: path.to_owned(), life };
        Ok(is_free.then(|| Box::new(lock) as Box<dyn Held>))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl Held for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl State {
    fn content(&mut self, path: &Path) -> io::Result<&mut Content> {
        // Who has a deleted file open may go on, but nobody here does.
        self.files.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// As much of an operation as happens.
    fn some(&mut self, len: usize) -> usize {
        if len > 1 && self.random.happens(self.short) {
            1 + self.random.below(len as u64 - 1) as usize
        } else {
            len
        }
    }
}

impl File for SimFile {
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.begin(self.life)?;
        let is_spoiled = state.spoiled.as_ref().is_some_and(|(path, bytes)| {
            *path == self.path && bytes.start < at as usize + into.len() && bytes.end > at as usize
        });
        if state.refuses_reads || is_spoiled {
            return Err(io::Error::from_raw_os_error(5));
        }
        let most = state.some(into.len());
        let bytes = &state.content(&self.path)?.bytes;
        let rest = bytes.get(at as usize..).unwrap_or_default();
        let len = rest.len().min(most);
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.change(self.life)?;
        let is_last = state.dies_at == Some(state.operations);
        let used: usize = state.files.values().map(Content::used).sum();
        let write = at as usize..at as usize + bytes.len();
        let more = state.content(&self.path)?.more(&write);
        let grows = if state.copies { bytes.len() } else { more };
        let room = state.capacity.saturating_sub(used);
        let mut len = bytes.len() - grows.saturating_sub(room).min(bytes.len());
        if len == 0 && !bytes.is_empty() {
            return Err(state.full.into());
        }
        len = if is_last { state.random.below(len as u64 + 1) as usize } else { state.some(len) };
        let content = state.content(&self.path)?;
        let change = Change::Write(at as usize, bytes[..len].to_vec());
        content.fill(&(at as usize..at as usize + len));
        change.apply(&mut content.bytes);
        content.pending.push(change);
        Ok(len)
    }

    fn size(&mut self) -> io::Result<u64> {
        let mut state = self.disk.begin(self.life)?;
        Ok(state.content(&self.path)?.bytes.len() as u64)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.change(self.life)?;
        let content = state.content(&self.path)?;
        let change = Change::Cut(len as usize);
        // What is behind the cut takes no room; what it adds is a hole.
        let (have, len) = (content.bytes.len(), len as usize);
        content.holes.retain_mut(|hole| {
            hole.end = hole.end.min(len);
            hole.start < hole.end
        });
        if len > have {
            content.holes.push(have..len);
        }
        change.apply(&mut content.bytes);
        content.pending.push(change);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.change(self.life)?;
        let probability = state.forgets;
        let forgets = probability > 0.0 && state.random.happens(probability);
        let content = state.content(&self.path)?;
        let pending = std::mem::take(&mut content.pending);
        if forgets {
            return Err(io::Error::from_raw_os_error(5));
        }
        for change in pending {
            change.apply(&mut content.synced);
        }
        Ok(())
    }
}
