//! What is in a spool, for a person: without the graph that it belongs to, and beside a process that
//! writes to it.

use std::path::{Path, PathBuf};

use engine::{Format, Frame, Gap, parse_format};

use super::{
    BACKUP, CONSUMED,
    error::{Cause, SpoolError},
    fs::{Fs, HostFs, Open, is_held},
    log::{Kept, LOCK},
    part::Segment,
    position::{self, Position, PositionFile},
    read::decode,
    recover::{self, Damage, Folder},
    segment::{Found, Scan, SegmentHead, place_of},
};
use crate::session::TimeLine;

/// What is in a folder.
#[derive(Debug)]
pub struct Contents {
    /// The folder.
    pub dir: PathBuf,
    /// Oldest first.
    pub segments: Vec<SegmentContents>,
    /// How far the edge is; `None` where that cannot be read.
    pub position: Option<Position>,
    /// Segments that end within a record, and where the last whole one ends.
    pub torn: Vec<(PathBuf, u64)>,
    /// What cannot be read.
    pub damage: Vec<Damage>,
    /// Whether a process has it open.
    pub is_open: bool,
    pub(super) inside: Vec<Segment>,
}

/// One segment.
#[derive(Clone, Debug)]
pub struct SegmentContents {
    /// Its file.
    pub path: PathBuf,
    /// What it says of itself.
    pub head: SegmentHead,
    /// Its head was lost, and is that of another: nobody knows when it was begun.
    pub is_guessed: bool,
    /// The place behind its last record.
    pub next: u64,
    /// Frames in it.
    pub frames: u64,
    /// Of these, frames that the other side has not acknowledged.
    pub waiting: u64,
    /// Bytes up to the end of its last record.
    pub bytes: u64,
}

/// A frame or a gap as it lies in a spool.
#[derive(Debug)]
pub enum Drained {
    /// A frame. Where the edge is on its host's clock, times are those of the wall: nanoseconds since
    /// 1970.
    Frame {
        /// Its place.
        place: u64,
        /// The frame.
        frame: Frame,
    },
    /// Places of which nothing is there.
    Gap {
        /// The first.
        from: u64,
        /// The one behind the last.
        to: u64,
        /// Why.
        reason: Gap,
    },
}

/// The spools in a folder: itself, or those in the folders below it.
///
/// # Errors
/// A folder that cannot be read, or has no spool.
pub fn find(dir: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let mut found = Vec::new();
    search(dir, 4, &mut found)?;
    found.sort();
    if found.is_empty() {
        let what = "there is neither a segment (*.seg) nor a position in it".to_owned();
        return Err(SpoolError::new(dir, Cause::Foreign(what)));
    }
    Ok(found)
}

fn search(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), SpoolError> {
    let io = |error| SpoolError::new(dir, Cause::Io(error));
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        // Links are not followed: they may lead in a circle.
        if entry.file_type().map_err(io)?.is_dir() {
            // Notes of what was received hold no frames, and what `repair` has put aside is not in use.
            let is_aside = name.to_str().is_some_and(|name| name.contains(BACKUP));
            if name != CONSUMED && !is_aside {
                folders.push(entry.path());
            }
        } else if name
            .to_str()
            .is_some_and(|name| name == position::NAME || place_of(name).is_some())
        {
            found.push(dir.to_owned());
            return Ok(());
        }
    }
    if depth > 0 {
        for folder in folders {
            search(&folder, depth - 1, found)?;
        }
    }
    Ok(())
}

impl Contents {
    /// Reads a spool; nothing is changed.
    ///
    /// # Errors
    /// A folder that cannot be read, or that a newer version has written.
    pub fn read(dir: &Path) -> Result<Self, SpoolError> {
        let fs = HostFs;
        let is_open = is_held(&dir.join(LOCK));
        let Folder { segments, torn, damage, .. } = recover::read_dir(&fs, dir, None, false)?;
        let file = PositionFile::open(std::sync::Arc::new(fs), dir.join(position::NAME));
        let position = file.ok().and_then(|file| file.on_disk);
        let next = position.map_or(0, |position| position.next);
        let contents = |segment: &Segment| {
            let mut acknowledged = segment.frames.clone();
            SegmentContents {
                path: segment.path.clone(),
                head: segment.head.clone(),
                is_guessed: segment.is_guessed || segment.head.is_guessed,
                next: segment.next,
                frames: segment.frames.count(),
                waiting: segment.frames.count() - acknowledged.take_below(next),
                bytes: segment.len,
            }
        };
        let dir = dir.to_owned();
        let told = segments.iter().map(contents).collect();
        Ok(Self { dir, segments: told, position, torn, damage, is_open, inside: segments })
    }

    /// What the edge carries; `None` where there is no segment, or none that can be read.
    ///
    /// # Errors
    /// A format that this version does not know.
    pub fn format(&self) -> Result<Option<Format>, SpoolError> {
        let Some(segment) = self.inside.last() else { return Ok(None) };
        let format = parse_format(&segment.head.format);
        let unknown = || "its format is not known here".to_owned();
        let foreign = || SpoolError::new(&segment.path, Cause::Foreign(unknown()));
        format.map(Some).ok_or_else(foreign)
    }

    /// Gives out what the other side has not acknowledged, or all that is there, in the order of places.
    ///
    /// # Errors
    /// What cannot be read by the system; damage is told as gaps. `give` may end it.
    pub fn drain(
        &self,
        all: bool,
        mut give: impl FnMut(Drained) -> std::io::Result<()>,
    ) -> Result<(), SpoolError> {
        let Some(format) = self.format()? else { return Ok(()) };
        let acknowledged = self.position.filter(|_| !all).map_or(0, |position| position.next);
        let mut next = None::<(u64, u64)>;
        for segment in &self.inside {
            let io = |error| SpoolError::new(&segment.path, Cause::Io(error));
            let mut file = match HostFs.open(&segment.path, Open::Read) {
                Ok(file) => file,
                // Acknowledged in the meantime.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io(error)),
            };
            let at = segment.index.first().map_or(segment.len, |&(_, at)| at);
            let mut scan = Scan::new(&mut *file, at, segment.len);
            while let Some(found) = scan.next().map_err(io)? {
                let Found::Record { place, body, .. } = found else { continue };
                let decoded = decode(segment, &format, None, place, body);
                let Some((to, kept)) = decoded.filter(|(to, _)| *to > acknowledged) else {
                    continue;
                };
                if next.is_some_and(|(expected, _)| place < expected) {
                    // Written again, as the disk had failed to keep it.
                    continue;
                }
                if let Some((expected, life)) = next
                    && place > expected
                {
                    let is_same = life == segment.head.life;
                    let reason = if is_same { Gap::Source } else { Gap::Restart };
                    give(Drained::Gap { from: expected, to: place, reason }).map_err(io)?;
                }
                next = Some((to, segment.head.life));
                give(drained(segment, place, kept)).map_err(io)?;
            }
        }
        Ok(())
    }
}

fn drained(segment: &Segment, place: u64, kept: Kept) -> Drained {
    match kept {
        Kept::Frame(mut frame) => {
            if segment.head.line == TimeLine::Clock {
                let ahead = segment.head.begun.ahead_ns();
                frame.header.time = frame.header.time.plus_nanos(ahead);
            }
            Drained::Frame { place, frame }
        }
        Kept::Gap { to, reason } => Drained::Gap { from: place, to, reason },
    }
}
