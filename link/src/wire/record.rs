//! The frame around everything: a preamble, then records one after another.
//!
//! ```text
//! datagram, or start of a stream        record, as often as there is room
//! ┌─────┬─────────┬──────────┐ ┌──────┬───────┬──────┬───────────┬─── … ───┐
//! │ 'A' │ version │ reserved │ │ kind │ flags │ edge │ length    │ body    │
//! │  1  │    1    │    2     │ │  1   │ 1 (0) │  2   │    4      │         │
//! └─────┴─────────┴──────────┘ └──────┴───────┴──────┴───────────┴─── … ───┘
//! ```
//!
//! Several small records share a datagram. What is longer than a datagram goes to a stream: nothing
//! is cut in pieces here, as streams do that already.

use super::{NEWEST, OLDEST, WireError, bytes::Cursor};

/// Bytes of a preamble.
pub const PREAMBLE: usize = 4;
/// Bytes of a record before its body.
pub const RECORD_HEAD: usize = 8;
const MAGIC: u8 = b'A';

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is a variant of `Message`, where it is explained")]
pub enum RecordKind {
    Frame = 1,
    Hello,
    Ready,
    Credit,
    Ack,
    Gap,
    Bound,
    End,
    Probe,
    Answer,
    Ping,
    Bye,
    Flush,
}

impl RecordKind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Frame,
        Self::Hello,
        Self::Ready,
        Self::Credit,
        Self::Ack,
        Self::Gap,
        Self::Bound,
        Self::End,
        Self::Probe,
        Self::Answer,
        Self::Ping,
        Self::Bye,
        Self::Flush,
    ];
}

/// One record, its body not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What its body is.
    pub kind: RecordKind,
    /// Number of the cut edge it is about; 0 where it is about none.
    pub edge: u16,
    /// As many bytes as the head says.
    pub body: &'a [u8],
}

/// Begins a datagram or a stream.
pub fn put_preamble(out: &mut Vec<u8>, version: u8) {
    out.extend_from_slice(&[MAGIC, version, 0, 0]);
}

/// Reads a preamble and gives the version.
///
/// # Errors
/// Bytes of something else, or a version that is not read here.
pub fn read_preamble(bytes: [u8; PREAMBLE]) -> Result<u8, WireError> {
    let [magic, version, ..] = bytes;
    if magic != MAGIC {
        return Err(WireError::Differs {
            what: "the first byte",
            is: magic.into(),
            wanted: MAGIC.into(),
        });
    }
    if !(OLDEST..=NEWEST).contains(&version) {
        return Err(WireError::Version { theirs: version, oldest: OLDEST, newest: NEWEST });
    }
    Ok(version)
}

/// Appends a record whose body `write` appends.
pub fn put_record(
    out: &mut Vec<u8>,
    kind: RecordKind,
    edge: u16,
    write: impl FnOnce(&mut Vec<u8>),
) {
    put_record_before(out, kind, edge, 0, write);
}

/// As [`put_record`], where so many bytes of the body will follow from elsewhere.
pub(super) fn put_record_before(
    out: &mut Vec<u8>,
    kind: RecordKind,
    edge: u16,
    follow: usize,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let at = out.len();
    out.extend_from_slice(&[kind as u8, 0]);
    out.extend_from_slice(&edge.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = u32::try_from(out.len() - at - RECORD_HEAD + follow).expect("frames are below 2 GiB");
    out[at + 4..at + RECORD_HEAD].copy_from_slice(&len.to_le_bytes());
}

/// The records of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The version it is written in.
    pub version: u8,
    rest: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads the preamble.
    ///
    /// # Errors
    /// As [`read_preamble`], and bytes that are none.
    pub fn open(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new("a datagram", bytes);
        let version = read_preamble(cursor.array()?)?;
        Ok(Self { version, rest: cursor.rest() })
    }
}

impl<'a> Iterator for Datagram<'a> {
    type Item = Result<Record<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = split(self.rest, usize::MAX);
        let read = read.and_then(|record| match record {
            Some(record) => Ok(record),
            None => {
                let need = announced(self.rest).unwrap_or(RECORD_HEAD);
                Err(WireError::Short { what: "a record", need, have: self.rest.len() })
            }
        });
        // Behind what cannot be read nothing has a beginning.
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(record, _)| record))
    }
}

/// Bytes of the record at the front, head included, if its head is there.
fn announced(bytes: &[u8]) -> Option<usize> {
    let len = bytes.get(4..RECORD_HEAD)?;
    let len = u32::from_le_bytes(len.try_into().expect("four bytes"));
    RECORD_HEAD.checked_add(len as usize)
}

/// The record at the front and what follows, or none while its bytes are not all there. A head
/// that cannot be right is refused as soon as it is there.
fn split(bytes: &[u8], body_max: usize) -> Result<Option<(Record<'_>, &[u8])>, WireError> {
    let Some(len) = announced(bytes) else { return Ok(None) };
    let number = bytes[0];
    let kind = RecordKind::ALL.get(usize::from(number).wrapping_sub(1)).copied();
    let kind =
        kind.ok_or(WireError::Unknown { what: "the kind of a record", is: number.into() })?;
    if len - RECORD_HEAD > body_max {
        let (is, max) = ((len - RECORD_HEAD) as u64, body_max as u64);
        return Err(WireError::TooLong { what: "the length of a record", is, max });
    }
    let Some((record, rest)) = bytes.split_at_checked(len) else { return Ok(None) };
    let edge = u16::from_le_bytes([record[2], record[3]]);
    Ok(Some((Record { kind, edge, body: &record[RECORD_HEAD..] }, rest)))
}

/// A record that stands alone.
pub(crate) fn one_record(bytes: &[u8]) -> Result<Record<'_>, WireError> {
    let what = "a record";
    let need = announced(bytes).unwrap_or(RECORD_HEAD);
    let have = bytes.len();
    match split(bytes, usize::MAX)? {
        Some((record, [])) => Ok(record),
        Some((_, rest)) => Err(WireError::Differs { what, is: rest.len() as u64, wanted: 0 }),
        None => Err(WireError::Short { what, need, have }),
    }
}

/// Records out of a stream, whose bytes come in pieces of any size.
///
/// Holds at most one record and what came with it; memory grows with the bytes that came, never
/// with a length that was merely announced.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    /// Bytes at the front that were given out.
    read: usize,
    version: Option<u8>,
}

impl Assembler {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes held that belong to no record yet.
    pub fn held(&self) -> usize {
        self.bytes.len() - self.read
    }

    /// The next record with the stream's version, if it is complete.
    ///
    /// # Errors
    /// What no stream begins with, a head without meaning, a body longer than `body_max`. The stream
    /// cannot be read on.
    pub fn next(&mut self, body_max: usize) -> Result<Option<(u8, Record<'_>)>, WireError> {
        let version = match self.version {
            Some(version) => version,
            None => {
                let Some(preamble) = self.bytes[self.read..].first_chunk() else { return Ok(None) };
                let version = read_preamble(*preamble)?;
                self.read += PREAMBLE;
                *self.version.insert(version)
            }
        };
        let Some((record, rest)) = split(&self.bytes[self.read..], body_max)? else {
            return Ok(None);
        };
        self.read = self.bytes.len() - rest.len();
        Ok(Some((version, record)))
    }
}
