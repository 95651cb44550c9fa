//! [`PositionFile`]: how far an edge is, in a file that is whole at any time.
//!
//! ```text
//! slot, twice
//! ┌───────────┬──────────┬───────┬──────┬──────────┬──────┬─────┐
//! │ AFPLACE\n │ sequence │ count │ next │ reserved │ lost │ sum │ 8 bytes each
//! └───────────┴──────────┴───────┴──────┴──────────┴──────┴─────┘
//! ```
//!
//! The slot that the disk was told to keep last is not written to, so that one is whole whatever happens;
//! the one with the higher sequence holds. `sum` is XXH3 of the 48 bytes before it.

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
    sequence: u64,
    /// The slot that the disk was told to keep: power loss may take what is written to the other.
    safe: u64,
    /// As last read or written.
    pub(crate) on_disk: Option<Position>,
    pub(crate) is_synced: bool,
}

impl PositionFile {
    /// Reads what is there; a file that is not there is made when something is written.
    pub(crate) fn open(fs: Arc<dyn Fs>, path: PathBuf) -> io::Result<Self> {
        let mut slots = Vec::new();
        match fs.open(&path, Open::Read) {
            Ok(mut file) => {
                for slot in 0..2 {
                    let mut bytes = [0; SLOT];
                    let have = read_full_at(&mut *file, slot * STEP, &mut bytes)?;
                    slots.extend(read(&bytes).filter(|_| have == SLOT).map(|read| (slot, read)));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let newest = slots.into_iter().max_by_key(|(_, (sequence, _))| *sequence);
        let (safe, (sequence, position)) = newest.unwrap_or_default();
        let on_disk = newest.map(|_| position);
        Ok(Self { fs, path, file: None, sequence, safe, on_disk, is_synced: true })
    }

    /// Writes a position if it is another than that on disk.
    pub(crate) fn write(&mut self, position: Position) -> io::Result<()> {
        if self.on_disk == Some(position) {
            return Ok(());
        }
        if self.file.is_none() {
            let mut file = self.fs.open(&self.path, Open::Write)?;
            // What was read may have been written by a process that did not live to say so.
            file.sync()?;
            self.file = Some(file);
        }
        let file = self.file.as_mut().expect("just opened");
        let mut bytes = Vec::with_capacity(SLOT);
        let sequence = self.sequence + 1;
        bytes.extend_from_slice(MAGIC);
        let Position { count, next, reserved, lost } = position;
        for number in [sequence, count, next, reserved, lost] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        if let Err(error) = write_all_at(&mut **file, (1 - self.safe) * STEP, &bytes) {
            self.on_disk = None;
            return Err(error);
        }
        self.sequence = sequence;
        self.on_disk = Some(position);
        self.is_synced = false;
        Ok(())
    }

    /// Has the disk keep it.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_mut().filter(|_| !self.is_synced) {
            file.sync()?;
            (self.is_synced, self.safe) = (true, 1 - self.safe);
        }
        Ok(())
    }
}

fn read(bytes: &[u8; SLOT]) -> Option<(u64, Position)> {
    let number = |n: usize| u64::from_le_bytes(bytes[n * 8..][..8].try_into().expect("eight"));
    if &bytes[..8] != MAGIC || xxh3_64(&bytes[..48]) != number(6) {
        return None;
    }
    let [count, next, reserved, lost] = [2, 3, 4, 5].map(number);
    Some((number(1), Position { count, next, reserved, lost }))
}
