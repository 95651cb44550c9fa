//! What is in a folder: whole records, torn tails, damage.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    error::{Cause, SpoolError},
    fs::{File, Fs, Open},
    part::Segment,
    segment::{Found, Scan, SegmentHead, name, place_of},
};
use crate::wire::{Message, RecordKind, one_record};

/// Bytes of a segment that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// How many places are missing there, if the file goes on behind.
    pub places: Option<u64>,
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) segments: Vec<Segment>,
    pub(crate) torn_bytes: u64,
    pub(crate) torn: Vec<(PathBuf, u64)>,
    pub(crate) damage: Vec<Damage>,
}

impl Folder {
    /// What a disk has once failed to keep was written again, to the next segment. That holds where it
    /// came to an end.
    fn drop_doubles(&mut self) {
        for n in 1..self.segments.len() {
            let (before, next) = self.segments.split_at_mut(n);
            let (one, next) = (before.last_mut().expect("not empty"), &mut next[0]);
            if next.head.first >= one.next {
                continue;
            }
            if next.next >= one.next {
                one.next = next.head.first.max(one.head.first);
                one.frames.take_from(one.next);
            } else {
                next.frames.take_below(one.next);
            }
        }
    }

    /// Segments of one life follow each other without a hole, so one that ends early was cut.
    fn note_missing(&mut self) {
        for pair in self.segments.windows(2) {
            let (one, next) = (&pair[0], &pair[1].head);
            let missing = next.first.saturating_sub(one.next);
            if missing == 0 || (one.head.life != next.life && !one.is_guessed) {
                continue;
            }
            let is_end = |damage: &&mut Damage| damage.file == one.path && damage.places.is_none();
            match self.damage.iter_mut().rfind(is_end) {
                Some(damage) => damage.places = Some(missing),
                None => self.damage.push(Damage {
                    file: one.path.clone(),
                    from: one.len,
                    to: one.len,
                    places: Some(missing),
                }),
            }
        }
    }
}

/// Reads all segments of a folder; one that is not there has none. A torn tail is cut off where it
/// may be. A segment whose head is lost takes that of its neighbour, or `guess`.
pub(crate) fn read_dir(
    fs: &dyn Fs,
    dir: &Path,
    guess: Option<&SegmentHead>,
    may_cut: bool,
) -> Result<Folder, SpoolError> {
    let mut folder = Folder::default();
    let names = match fs.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folder),
        Err(error) => return Err(SpoolError::new(dir, Cause::Io(error))),
    };
    let mut places: Vec<u64> = names.iter().filter_map(|name| place_of(name)).collect();
    places.sort_unstable();
    let mut files = Vec::new();
    for &place in &places {
        let path = dir.join(name(place));
        let io = |error| SpoolError::new(&path, Cause::Io(error));
        let mut file = match fs.open(&path, Open::Read) {
            Ok(file) => file,
            // Who looks on may come too late; who has the lock is alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io(error)),
        };
        let head = SegmentHead::read(&path, &mut *file)?;
        let len = file.size().map_err(io)?;
        files.push((place, path, file, head, len));
    }
    let known = files.iter().find_map(|(.., head, _)| head.as_ref().map(|(head, _)| head));
    let known = known.or(guess).cloned();
    let lives: Vec<_> = files.iter().map(|(.., head, _)| head.as_ref().map(|h| h.0.life)).collect();
    for (n, (place, path, mut file, head, len)) in files.into_iter().enumerate() {
        let is_guessed = head.is_none();
        // A process ends in the last of its segments.
        let is_last = lives.get(n + 1).is_none_or(|next| *next != lives[n]);
        let is_end = n + 1 == lives.len();
        let Some((head, at)) = head.or_else(|| {
            let head = known.clone()?;
            Some((SegmentHead { first: place, life: place, ..head }, 0))
        }) else {
            folder.damage.push(Damage { file: path, from: 0, to: len, places: None });
            continue;
        };
        let mut segment = Segment::new(path, head, at);
        segment.is_guessed = is_guessed;
        let may_be_torn = if is_guessed { is_end } else { is_last };
        read_segment(&mut *file, &mut segment, len, &mut folder, may_be_torn)
            .map_err(|error| SpoolError::new(&segment.path, Cause::Io(error)))?;
        let torn = len - segment.len;
        if is_guessed && is_end && segment.frames.count() == 0 {
            // The process died before its head was written.
            folder.torn_bytes += len;
            folder.torn.push((segment.path.clone(), 0));
            if may_cut {
                let _ = fs.remove(&segment.path);
            }
            continue;
        }
        if torn > 0 && may_be_torn {
            folder.torn_bytes += torn;
            folder.torn.push((segment.path.clone(), segment.len));
            if may_cut && let Ok(mut file) = fs.open(&segment.path, Open::Write) {
                // What cannot be cut is found again.
                let _ = file.cut(segment.len);
            }
        }
        folder.segments.push(segment);
    }
    folder.note_missing();
    folder.drop_doubles();
    Ok(folder)
}

/// Goes through the records of a segment.
fn read_segment(
    file: &mut dyn File,
    segment: &mut Segment,
    len: u64,
    folder: &mut Folder,
    may_be_torn: bool,
) -> io::Result<()> {
    let path = segment.path.clone();
    let mut scan = Scan::new(file, segment.len, len);
    let mut damage: Option<(u64, u64)> = None;
    while let Some(found) = scan.next()? {
        let item = match found {
            Found::Record { at, place, body } => {
                let end = place_behind(place, body).filter(|_| place >= segment.next);
                end.map(|(to, is_frame)| (at, place, to, is_frame)).ok_or(at)
            }
            Found::Damage { from, .. } => Err(from),
        };
        match item {
            Ok((at, place, to, is_frame)) => {
                if let Some((from, end)) = damage.take() {
                    let places = Some(place - segment.next);
                    folder.damage.push(Damage { file: path.clone(), from, to: end, places });
                }
                segment.note(place, at);
                if is_frame {
                    segment.frames.push(place, to);
                }
                (segment.next, segment.len) = (to, scan.at());
            }
            Err(from) => {
                let from = damage.map_or(from, |(from, _)| from);
                damage = Some((from, scan.at()));
            }
        }
    }
    if let Some((from, to)) = damage.filter(|_| !may_be_torn) {
        folder.damage.push(Damage { file: path, from, to, places: None });
    }
    Ok(())
}

/// The place behind a record, and whether it is a frame; `None` where it is neither frame nor gap.
pub(crate) fn place_behind(place: u64, body: &[u8]) -> Option<(u64, bool)> {
    let (kind, body) = open(body)?;
    match kind {
        RecordKind::Frame => Some((place + 1, true)),
        RecordKind::Gap => match Message::read(kind, body) {
            Ok(Some(Message::Gap { from, to, .. })) if from == place => Some((to, false)),
            _ => None,
        },
        _ => None,
    }
}

/// The wire's record in one of a segment.
pub(crate) fn open(body: &[u8]) -> Option<(RecordKind, &[u8])> {
    let record = one_record(body).ok()?;
    Some((record.kind, record.body))
}
