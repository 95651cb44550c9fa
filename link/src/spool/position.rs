//! [`PositionFile`]: how far an edge is, in a file that is whole at any time.
//!
//! ```text
//! slot, twice
//! ┌───────────┬──────────┬───────┬──────┬──────────┬──────┬─────┐
//! │ AFPLACE\n │ sequence │ count │ next │ reserved │ lost │ sum │ 8 bytes each
//! └───────────┴──────────┴───────┴──────┴──────────┴──────┴─────┘
//! ```
//!
//! The slot that the disk has said to keep last is not written to, so that one is whole whatever happens;
//! the one with the higher sequence holds. `sum` is XXH3 of the 48 bytes before it. A slot that was never
//! written is zeros, not a hole: a disk that is full then has room for both.

use std::{io, path::PathBuf, sync::Arc};

use xxhash_rust::xxh3::xxh3_64;

use super::fs::{File, Fs, Open, read_full_at, write_all_at};

/// Name of the file in a spool.
pub(crate) const NAME: &str = "position";
const MAGIC: &[u8; 8] = b"AFPLACE\n";
const SLOT: usize = 56;
/// Slots lie in different blocks of the disk, as these are written whole or torn together.
const STEP: u64 = 4096;

/// How far an edge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Which counting the places belong to.
    pub count: u64,
    /// The first place that is not acknowledged, or not consumed.
    pub next: u64,
    /// Places before this may have been given out.
    pub reserved: u64,
    /// Frames lost here since the counting began.
    pub lost: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct PositionFile {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    file: Option<Box<dyn File>>,
    /// As read, with their sequences.
    slots: [Option<(u64, Position)>; 2],
    sequence: u64,
    /// The slot that the disk has said to keep: power loss may take what is written to the other.
    safe: u64,
    /// As last read or written; `None` where a slot may be anything.
    pub(crate) on_disk: Option<Position>,
    /// What was written last as a whole.
    last: Option<Position>,
    pub(crate) is_synced: bool,
    /// There was something that could not be read.
    pub(crate) was_damaged: bool,
}

impl PositionFile {
    /// Reads what is there; a file that is not there is made when something is written.
    pub(crate) fn open(fs: Arc<dyn Fs>, path: PathBuf) -> io::Result<Self> {
        let mut position = Self::unread(fs, path);
        position.read()?;
        Ok(position)
    }

    /// One that is still to be [read](Self::read).
    pub(crate) fn unread(fs: Arc<dyn Fs>, path: PathBuf) -> Self {
        let (file, slots) = (None, [None; 2]);
        let (on_disk, last) = (None, None);
        Self {
            fs,
            path,
            file,
            slots,
            sequence: 0,
            safe: 0,
            on_disk,
            last,
            is_synced: true,
            was_damaged: false,
        }
    }

    /// What is there as long as the lock was not held may be another's, and be written by it since.
    pub(crate) fn reread(&mut self) -> io::Result<()> {
        let before = self.on_disk;
        let (slots, safe, sequence) = (self.slots, self.safe, self.sequence);
        self.read()?;
        if self.on_disk != before {
            (self.slots, self.safe, self.sequence) = (slots, safe, sequence);
            (self.on_disk, self.last) = (before, before);
            let what = "another process has used this folder since; it is read when this one is \
                        started again";
            return Err(io::Error::other(what));
        }
        Ok(())
    }

    pub(crate) fn read(&mut self) -> io::Result<()> {
        let mut slots = [None; 2];
        let mut is_blank = true;
        match self.fs.open(&self.path, Open::Read) {
            Ok(mut file) => {
                for (slot, at) in slots.iter_mut().zip([0, STEP]) {
                    let mut bytes = [0; SLOT];
                    let have = read_full_at(&mut *file, at, &mut bytes)?;
                    is_blank &= bytes.iter().all(|&byte| byte == 0);
                    *slot = read(&bytes).filter(|_| have == SLOT);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let read = (0..).zip(slots).filter_map(|(n, slot)| Some((n, slot?)));
        let newest = read.max_by_key(|(_, (sequence, _))| *sequence);
        let (safe, (sequence, position)) = newest.unwrap_or_default();
        (self.slots, self.safe, self.sequence) = (slots, safe, sequence);
        self.on_disk = newest.map(|_| position);
        self.was_damaged = newest.is_none() && !is_blank;
        self.last = self.on_disk;
        Ok(())
    }

    /// What was read may have been written by a process that did not live to say so, and a disk that
    /// has once failed to keep something may say the next time that it did: so the same is written
    /// again before the disk is told to keep it.
    fn prepare(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let mut file = self.fs.open(&self.path, Open::Write)?;
        for (slot, at) in self.slots.iter().zip([0, STEP]) {
            let bytes = slot.map_or([0; SLOT], |(sequence, position)| put(sequence, position));
            write_all_at(&mut *file, at, &bytes)?;
        }
        file.sync()?;
        self.file = Some(file);
        Ok(())
    }

    /// Writes a position if it is another than that on disk.
    pub(crate) fn write(&mut self, position: Position) -> io::Result<()> {
        if self.on_disk == Some(position) {
            return Ok(());
        }
        self.prepare()?;
        let file = self.file.as_mut().expect("just opened");
        let sequence = self.sequence + 1;
        if let Err(error) =
            write_all_at(&mut **file, (1 - self.safe) * STEP, &put(sequence, position))
        {
            self.on_disk = None;
            return Err(error);
        }
        self.sequence = sequence;
        (self.on_disk, self.last) = (Some(position), Some(position));
        self.is_synced = false;
        Ok(())
    }

    /// Has the disk keep it. After a failure the system may hold what it was given for kept, whatever
    /// the disk has: then the same slot is written again first, and the other stays the safe one.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.is_synced {
            return Ok(());
        }
        if self.on_disk.is_none()
            && let Some(last) = self.last
        {
            self.write(last)?;
        }
        let file = self.file.as_mut().expect("something was written");
        if let Err(error) = file.sync() {
            self.on_disk = None;
            return Err(error);
        }
        (self.is_synced, self.safe) = (true, 1 - self.safe);
        Ok(())
    }
}

fn put(sequence: u64, position: Position) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    let Position { count, next, reserved, lost } = position;
    bytes[..8].copy_from_slice(MAGIC);
    for (n, number) in [sequence, count, next, reserved, lost].into_iter().enumerate() {
        bytes[8 + n * 8..][..8].copy_from_slice(&number.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[..48]);
    bytes[48..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn read(bytes: &[u8; SLOT]) -> Option<(u64, Position)> {
    let number = |n: usize| u64::from_le_bytes(bytes[n * 8..][..8].try_into().expect("eight"));
    if &bytes[..8] != MAGIC || xxh3_64(&bytes[..48]) != number(6) {
        return None;
    }
    let [count, next, reserved, lost] = [2, 3, 4, 5].map(number);
    Some((number(1), Position { count, next, reserved, lost }))
}
