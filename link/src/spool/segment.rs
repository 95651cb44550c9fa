//! Segments: the files that frames are kept in.
//!
//! ```text
//! head                                                         record, one after another
//! ┌───────────┬─────────┬──────┬──────┬────────┬────────────┐ ┌──────┬────────┬───────┬─────┬──────┬─── … ──┐
//! │ AFSPOOL\n │ version │ wire │ line │ length │ …          │ │ mark │ length │ place │ sum │ sum  │ record │
//! │ 8         │ u16     │ u8   │ u8   │ u32    │            │ │ 4    │ u32    │ u64   │ u64 │ u32  │ of the │
//! └───────────┴─────────┴──────┴──────┴────────┴────────────┘ │      │        │       │ body│ head │ wire   │
//!                                                             └──────┴────────┴───────┴─────┴──────┴─── … ──┘
//! … = count u64 · life u64 · first place u64 · clock i64 ns · wall i64 ns · edge · format · sum u64
//! ```
//!
//! `length` of the head counts all of it; texts have their length in two bytes before them; `format` is a
//! number of properties (u16) and as many names and values, see [`describe`](engine::describe).
//! Sums are XXH3 with 64 bits and no seed: of the head, of a record's body, and of the 24 bytes of its own
//! head (the lower 32 bits). `line` is 1 where times are on the host's clock, and 2 more where the head was
//! lost and is that of a neighbour. `place` is that of the frame, or the first that a gap is about. Two clocks
//! at one moment say when things happened. Little-endian throughout.

use std::{io, path::Path};

use engine::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    error::{Cause, SpoolError},
    fs::{File, read_full_at},
    settings::Moment,
};
use crate::{
    session::TimeLine,
    wire::{
        NEWEST,
        bytes::{Cursor, put_text},
    },
};

/// The version of segments that is written; older ones are read.
pub const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"AFSPOOL\n";
const MARK: [u8; 4] = [0xaf, b'r', b'e', b'c'];
/// Bytes of a record before its body.
pub const RECORD_HEAD: usize = 28;
/// Longest head of a segment: names of many channels.
const HEAD_MAX: usize = 32 << 20;
const FIXED: usize = 56;
/// Longest record: the longest frame, and its heads.
const BODY_MAX: usize = crate::wire::CONTENT_MAX + (1 << 10);
const CHUNK: usize = 256 << 10;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentHead {
    /// The version of the wire's format that its frames are in.
    pub wire: u8,
    /// Which line the times of its frames are on.
    pub line: TimeLine,
    /// The head is that of another segment, as its own was lost: when it was begun is not known.
    pub is_guessed: bool,
    /// Which counting the places belong to.
    pub count: u64,
    /// The first place of the process that wrote it: another process wrote what is before.
    pub life: u64,
    /// No place before this is in it.
    pub first: u64,
    /// When it was begun.
    pub begun: Moment,
    /// The edge.
    pub edge: String,
    /// What it carries, in words.
    pub format: Vec<(String, String)>,
}

impl SegmentHead {
    pub(crate) fn put(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[
            self.wire,
            u8::from(self.line == TimeLine::Clock) | (u8::from(self.is_guessed) << 1),
        ]);
        out.extend_from_slice(&[0; 4]);
        for number in [self.count, self.life, self.first] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.begun.clock.nanos().to_le_bytes());
        out.extend_from_slice(&self.begun.wall_ns.to_le_bytes());
        put_text(&mut out, &self.edge);
        out.extend_from_slice(&(self.format.len() as u16).to_le_bytes());
        for (property, value) in &self.format {
            put_text(&mut out, property);
            put_text(&mut out, value);
        }
        let len = (out.len() + 8) as u32;
        out[12..16].copy_from_slice(&len.to_le_bytes());
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the head of a file, and how long it is; no head where the file is damaged there or was
    /// never finished.
    ///
    /// # Errors
    /// The system's, and a version that is not read here.
    pub(crate) fn read(
        path: &Path,
        file: &mut dyn File,
    ) -> Result<Option<(Self, u64)>, SpoolError> {
        let io = |error| SpoolError::new(path, Cause::Io(error));
        let mut fixed = [0; FIXED];
        let have = read_full_at(file, 0, &mut fixed).map_err(io)?;
        let (magic, rest) = fixed.split_at(8);
        if have < FIXED || magic != MAGIC {
            return Ok(None);
        }
        let len = u32::from_le_bytes(rest[4..8].try_into().expect("four")) as usize;
        if !(FIXED + 12..=HEAD_MAX).contains(&len) || len as u64 > file.size().map_err(io)? {
            return Ok(None);
        }
        let mut bytes = vec![0; len];
        if read_full_at(file, 0, &mut bytes).map_err(io)? < len {
            return Ok(None);
        }
        let (body, sum) = bytes.split_at(len - 8);
        if xxh3_64(body).to_le_bytes() != sum {
            return Ok(None);
        }
        let version = u16::from_le_bytes([fixed[8], fixed[9]]);
        if version == 0 || version > VERSION || fixed[10] > NEWEST {
            let cause = Cause::Version { theirs: version, newest: VERSION };
            return Err(SpoolError::new(path, cause));
        }
        Ok(Self::parse(body).ok().map(|head| (head, len as u64)))
    }

    fn parse(body: &[u8]) -> Result<Self, crate::wire::WireError> {
        let mut cursor = Cursor::new("the head of a segment", body);
        cursor.take(10)?;
        let [wire, line] = cursor.array()?;
        cursor.take(4)?;
        let (count, life, first) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let clock = Timestamp::from_nanos(cursor.i64()?);
        let begun = Moment { clock, wall_ns: cursor.i64()? };
        let edge = cursor.text(usize::from(u16::MAX))?.to_owned();
        let properties = cursor.u16()?;
        let mut format = Vec::new();
        for _ in 0..properties {
            let text = usize::from(u16::MAX);
            format.push((cursor.text(text)?.to_owned(), cursor.text(text)?.to_owned()));
        }
        cursor.end()?;
        let is_guessed = line & 2 != 0;
        let line = if line & 1 == 1 { TimeLine::Clock } else { TimeLine::Shared };
        Ok(Self { wire, line, is_guessed, count, life, first, begun, edge, format })
    }
}

/// Appends a record whose body `write` appends.
pub(crate) fn put_record(out: &mut Vec<u8>, place: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.resize(at + RECORD_HEAD, 0);
    write(out);
    let (head, body) = out[at..].split_at_mut(RECORD_HEAD);
    head[..4].copy_from_slice(&MARK);
    head[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&place.to_le_bytes());
    head[16..24].copy_from_slice(&xxh3_64(body).to_le_bytes());
    let sum = xxh3_64(&head[..24]) as u32;
    head[24..].copy_from_slice(&sum.to_le_bytes());
}

/// The head of a record: length of the body, place, sum of the body.
fn read_head(bytes: &[u8]) -> Option<(usize, u64, u64)> {
    let head: &[u8; RECORD_HEAD] = bytes.first_chunk()?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight"));
    let sum = u32::from_le_bytes(head[24..].try_into().expect("four"));
    if head[..4] != MARK || xxh3_64(&head[..24]) as u32 != sum {
        return None;
    }
    let len = u32::from_le_bytes(head[4..8].try_into().expect("four")) as usize;
    (len <= BODY_MAX).then_some((len, number(8), number(16)))
}

/// What is in a segment behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record whose sums are right.
    Record { at: u64, place: u64, body: &'a [u8] },
    /// Bytes that are no record.
    Damage { from: u64, to: u64 },
}

/// Reads a segment's records, and finds the next one behind damage.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    file: &'a mut dyn File,
    at: u64,
    end: u64,
    /// Bytes of the file from `base` on.
    buffer: Vec<u8>,
    base: u64,
}

impl<'a> Scan<'a> {
    /// Reads from `at`, where a record begins, to `end`.
    pub(crate) fn new(file: &'a mut dyn File, at: u64, end: u64) -> Self {
        Self { file, at, end, buffer: Vec::new(), base: at }
    }

    /// Where what comes next begins.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// The next; `None` behind the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let from = self.at;
        if let Some((len, place)) = self.record(from)? {
            self.at += (RECORD_HEAD + len) as u64;
            let start = (from - self.base) as usize + RECORD_HEAD;
            let body = &self.buffer[start..start + len];
            return Ok(Some(Found::Record { at: from, place, body }));
        }
        // Where the head is whole the next record begins behind the body, else anywhere.
        let mut at = match self.head(from)? {
            Some((len, ..)) if from + (RECORD_HEAD + len) as u64 <= self.end => {
                from + (RECORD_HEAD + len) as u64
            }
            _ => self.mark(from + 1)?,
        };
        while at < self.end && self.record(at)?.is_none() {
            at = self.mark(at + 1)?;
        }
        self.at = at;
        Ok(Some(Found::Damage { from, to: at }))
    }

    fn head(&mut self, at: u64) -> io::Result<Option<(usize, u64, u64)>> {
        if self.end - at < RECORD_HEAD as u64 {
            return Ok(None);
        }
        Ok(read_head(self.bytes(at, RECORD_HEAD)?))
    }

    /// Length of the body and place of a whole record.
    fn record(&mut self, at: u64) -> io::Result<Option<(usize, u64)>> {
        let Some((len, place, sum)) = self.head(at)? else { return Ok(None) };
        if at + (RECORD_HEAD + len) as u64 > self.end {
            return Ok(None);
        }
        let bytes = self.bytes(at, RECORD_HEAD + len)?;
        let is_whole = bytes.len() == RECORD_HEAD + len && xxh3_64(&bytes[RECORD_HEAD..]) == sum;
        Ok(is_whole.then_some((len, place)))
    }

    /// Where the next mark is.
    fn mark(&mut self, mut at: u64) -> io::Result<u64> {
        while at + (RECORD_HEAD as u64) <= self.end {
            let len = CHUNK.min((self.end - at) as usize);
            let bytes = self.bytes(at, len)?;
            if bytes.len() < RECORD_HEAD {
                break;
            }
            match bytes.windows(MARK.len()).position(|window| window == MARK) {
                Some(n) => return Ok(at + n as u64),
                None => at += (bytes.len() - MARK.len() + 1) as u64,
            }
        }
        Ok(self.end)
    }

    /// So many bytes from there, or as many as there are.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let has = self.base..=self.base + self.buffer.len() as u64;
        if !(has.contains(&at) && has.contains(&(at + len as u64))) {
            let want = len.max(CHUNK).min((self.end - at) as usize);
            self.buffer.resize(want, 0);
            self.base = at;
            let have = read_full_at(self.file, at, &mut self.buffer)?;
            self.buffer.truncate(have);
        }
        let from = (at - self.base) as usize;
        Ok(&self.buffer[from..self.buffer.len().min(from + len)])
    }
}

/// Name of the segment that begins at a place.
pub(crate) fn name(first: u64) -> String {
    format!("{first:016x}.seg")
}

/// The place in a segment's name.
pub(crate) fn place_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}
