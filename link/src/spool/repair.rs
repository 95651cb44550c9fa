//! Puts a damaged spool in order.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use engine::Gap;

use super::{
    BACKUP,
    error::{Cause, SpoolError},
    fs::{Fs, HostFs, Open},
    inspect::Contents,
    log::LOCK,
    part::Segment,
    recover::{Damage, place_behind},
    segment::{Found, Scan, SegmentHead, name, place_of, put_record},
};
use crate::wire::Message;

/// What was done.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Where the folder is as it was; `None` where nothing was wrong.
    pub backup: Option<PathBuf>,
    /// Torn tails that were cut: the file, and how many bytes.
    pub cut: Vec<(PathBuf, u64)>,
    /// Files that were written anew without their damage.
    pub rewritten: Vec<PathBuf>,
    /// Files of which nothing could be kept.
    pub removed: Vec<PathBuf>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Frames that are there now.
    pub frames: u64,
}

/// Cuts torn tails and leaves out what is damaged, with a gap in its place that the other side will be
/// told. The folder as it was is kept beside it.
///
/// # Errors
/// A spool that a process has open, or a disk that does not take the copy: then nothing was changed.
pub fn repair(dir: &Path) -> Result<Repaired, SpoolError> {
    let io = |error| SpoolError::new(dir, Cause::Io(error));
    let held = HostFs.lock(&dir.join(LOCK)).map_err(io)?;
    let Some(_held) = held else { return Err(SpoolError::new(dir, Cause::Locked)) };
    let contents = Contents::read(dir)?;
    let mut done = Repaired { damage: contents.damage.clone(), ..Repaired::default() };
    done.frames = contents.segments.iter().map(|segment| segment.frames).sum();
    let is_guessed = |segment: &Segment| segment.is_guessed;
    if contents.torn.is_empty()
        && contents.damage.is_empty()
        && !contents.inside.iter().any(is_guessed)
    {
        return Ok(done);
    }
    done.backup = Some(copy(dir).map_err(io)?);
    for (path, len) in &contents.torn {
        let bytes = fs::metadata(path).map_or(0, |file| file.len()).saturating_sub(*len);
        done.cut.push((path.clone(), bytes));
        let mut file = HostFs.open(path, Open::Write).map_err(io)?;
        file.cut(*len).and_then(|()| file.sync()).map_err(io)?;
    }
    for segment in &contents.inside {
        let is_damaged = contents.damage.iter().any(|damage| damage.file == segment.path);
        if is_damaged || segment.is_guessed {
            rewrite(segment).map_err(io)?;
            done.rewritten.push(segment.path.clone());
        }
    }
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_segment = entry.file_name().to_str().is_some_and(|name| place_of(name).is_some());
        let is_known = contents.inside.iter().any(|segment| segment.path == entry.path());
        if is_segment && !is_known {
            fs::remove_file(entry.path()).map_err(io)?;
            done.removed.push(entry.path());
        }
    }
    HostFs.sync_dir(dir).map_err(io)?;
    Ok(done)
}

/// A copy of the files, for their owner alone, in a folder of a name that is free.
fn copy(dir: &Path) -> io::Result<PathBuf> {
    let dir = dir.canonicalize()?;
    let own = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|n| dir.with_file_name(format!("{own}{BACKUP}{n}")));
    let backup = free.into_iter().find(|path| !path.exists()).expect("numbers do not end");
    HostFs.make_dir(&backup)?;
    for entry in fs::read_dir(&dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name() != LOCK {
            // Permissions come along.
            fs::copy(entry.path(), backup.join(entry.file_name()))?;
        }
    }
    HostFs.sync_dir(&backup)?;
    Ok(backup)
}

/// Writes a segment beside it, and puts that in its place.
fn rewrite(segment: &Segment) -> io::Result<()> {
    // What was guessed stays a guess.
    let is_guessed = segment.is_guessed || segment.head.is_guessed;
    let mut bytes = SegmentHead { is_guessed, ..segment.head.clone() }.put();
    let mut file = HostFs.open(&segment.path, Open::Read)?;
    let at = segment.index.first().map_or(segment.len, |&(_, at)| at);
    let mut scan = Scan::new(&mut *file, at, segment.len);
    let mut next = segment.head.first;
    while let Some(found) = scan.next()? {
        let Found::Record { place, body, .. } = found else { continue };
        let Some((to, _)) = place_behind(place, body).filter(|_| place >= next) else { continue };
        put_gap(&mut bytes, next, place);
        put_record(&mut bytes, place, |out| out.extend_from_slice(body));
        next = to;
    }
    let path = segment.path.with_file_name(format!("{}.new", name(segment.head.first)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&path, &segment.path)
}

fn put_gap(bytes: &mut Vec<u8>, from: u64, to: u64) {
    if from < to {
        let gap = Message::Gap { from, to, reason: Gap::Source };
        put_record(bytes, from, |out| gap.put(out, 0));
    }
}
