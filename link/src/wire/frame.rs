//! Frames on the wire: every field of the engine's header, then the content.
//!
//! ```text
//!  0       8       16       24        32     40             44       48
//! ┌───────┬───────┬────────┬─────────┬──────┬──────────────┬────────┬────────┐
//! │ place │ seq   │ time   │ entered │ tag  │ uncertainty  │ epoch  │ source │
//! │ u64   │ u64   │ i64 ns │ i64 ns  │ u64  │ u32 ns       │ u32    │ u32    │
//! ├─────┬─┴──────┬┴────────┴─┬───────┴┬─────┴─┬────────────┴────────┴────────┘
//! │ gap │ coding │ reserved  │ count  │ bytes │ content
//! │ u8  │ u8     │ u16       │ u32    │ u32   │ raw, or packed
//! └─────┴────────┴───────────┴────────┴───────┴─── …
//! 52                         56       60      64
//! ```
//!
//! `place` numbers the frames of an edge on this link from zero, without holes where they were
//! handed in: what the receiver misses shows there. `bytes` is the length of the content unpacked.
//! `epoch` counts the flushes of the edge: what is older than another is void.
//! Version 1 had no `uncertainty`, no packing, and its gap took four bytes (56 in all).

use bytes::Bytes;
use engine::{Buffer, Element, Format, Frame, Gap, Header, MaybeGap, Timestamp};

use super::{
    FLUSHES, FRAMES, WireError,
    bytes::Cursor,
    content,
    message::place,
    pack,
    record::{RecordKind, put_record, put_record_before},
};

// Samples travel as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "a big-endian host would have to turn bytes");

/// Bytes of a frame before its content, in the newest version.
pub const FRAME_HEAD: usize = 64;
const RAW: u8 = 0;
const PACKED: u8 = 1;

/// Content of this many bytes is worth more than it costs to share it.
const APART: usize = 8 << 10;

/// A frame's content that others hold too.
struct Content(Buffer);

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Writes the frames of one edge.
#[derive(Clone, Debug)]
pub struct FrameWriter {
    format: Format,
    version: u8,
    packer: Option<pack::Packer>,
}

impl FrameWriter {
    /// A writer of an edge's frames in a version. With `packed`, signals are packed where that
    /// makes them shorter; that takes some 10 to 15 ns per sample to write and 3 to 5 to read.
    pub fn new(format: &Format, version: u8, packed: bool) -> Self {
        let signal = format.as_signal().filter(|_| packed && version >= FRAMES);
        let packer = signal.map(|signal| pack::Packer::new(signal.channels.len()));
        Self { format: format.clone(), version, packer }
    }

    /// As [`FrameWriter::put`], but long content that is not packed is left out and returned, to be sent
    /// just behind: it need not be copied.
    pub fn put_apart(
        &mut self,
        out: &mut Vec<u8>,
        edge: u16,
        place: u64,
        frame: &Frame,
    ) -> Option<Bytes> {
        let content = frame.buffer().bytes();
        if content.len() < APART || self.packer.is_some() {
            self.put(out, edge, place, frame);
            return None;
        }
        let counted = content::check(&self.format, frame.len(), content);
        assert!(counted.is_ok(), "a frame on edge {edge} is not of its format: {counted:?}");
        put_record_before(out, RecordKind::Frame, edge, content.len(), |out| {
            put_head(out, self.version, place, frame);
        });
        Some(Bytes::from_owner(Content(frame.buffer().clone())))
    }

    /// Bytes that the record of a frame will have, where that is known before it is written.
    pub fn len(&self, frame: &Frame) -> Option<usize> {
        let head = super::RECORD_HEAD + FRAME_HEAD;
        let is_known = self.packer.is_none() && self.version >= FRAMES;
        is_known.then(|| head + frame.buffer().bytes_len())
    }

    /// Appends the record of a frame.
    ///
    /// # Panics
    /// If the frame is not of the edge's format: the engine has agreed on that before the start.
    pub fn put(&mut self, out: &mut Vec<u8>, edge: u16, place: u64, frame: &Frame) {
        let content = frame.buffer().bytes();
        let counted = content::check(&self.format, frame.len(), content);
        assert!(counted.is_ok(), "a frame on edge {edge} is not of its format: {counted:?}");
        put_record(out, RecordKind::Frame, edge, |out| {
            put_head(out, self.version, place, frame);
            let coding_at = out.len() - FRAME_HEAD + 53;
            let packed = self.packer.as_mut().is_some_and(|packer| packer.pack(frame, out));
            if packed {
                out[coding_at] = PACKED;
            } else {
                out.extend_from_slice(content);
            }
        });
    }
}

fn put_head(out: &mut Vec<u8>, version: u8, place: u64, frame: &Frame) {
    let header = &frame.header;
    let gap = header.gap.get().map_or(0, |gap| gap_in(gap, version) as u32);
    // At once, as this is done for every frame.
    let mut head = [0; FRAME_HEAD];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        head[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&place.to_le_bytes());
    put(&header.seq.to_le_bytes());
    put(&header.time.nanos().to_le_bytes());
    put(&header.entered.nanos().to_le_bytes());
    put(&header.tag.to_le_bytes());
    if version > 1 {
        put(&header.uncertainty_ns.to_le_bytes());
    }
    put(&header.epoch.to_le_bytes());
    put(&header.source.to_le_bytes());
    // From version 2 the last three bytes of this are coding and reserve.
    put(&gap.to_le_bytes());
    put(&(frame.len() as u32).to_le_bytes());
    if version > 1 {
        put(&(frame.buffer().bytes_len() as u32).to_le_bytes());
    }
    out.extend_from_slice(&head[..at]);
}

/// Reads a frame's body: its place on the link, and the frame.
///
/// # Errors
/// Whatever does not fit the edge's format, before anything is allocated.
pub fn read_frame(version: u8, body: &[u8], format: &Format) -> Result<(u64, Frame), WireError> {
    let mut cursor = Cursor::new("a frame", body);
    let place = place(&mut cursor)?;
    let seq = cursor.u64()?;
    let time = Timestamp::from_nanos(cursor.i64()?);
    let entered = Timestamp::from_nanos(cursor.i64()?);
    let tag = cursor.u64()?;
    let uncertainty_ns = if version > 1 { cursor.u32()? } else { 0 };
    let epoch = cursor.u32()?;
    let source = cursor.u32()?;
    let [gap, coding, ..] = if version > 1 {
        cursor.array::<4>()?
    } else {
        let gap = cursor.u32()?;
        [u8::try_from(gap).unwrap_or(u8::MAX), RAW, 0, 0]
    };
    let gap = gap_of(gap)?;
    let count = cursor.u32()? as usize;
    let bytes = if version > 1 { cursor.u32()? as usize } else { cursor.rest().len() };
    let content = cursor.rest();
    content::check_size(format, count, bytes)?;
    let header = Header { seq, time, entered, tag, uncertainty_ns, epoch, source, gap };
    let mut buffer;
    match (coding, format) {
        (RAW, _) => {
            if content.len() != bytes {
                let (is, wanted) = (content.len() as u64, bytes as u64);
                return Err(WireError::Differs { what: "the length of a frame", is, wanted });
            }
            content::check(format, count, content)?;
            buffer = Buffer::with_bytes(bytes, count);
            buffer.bytes_mut().expect("fresh").copy_from_slice(content);
        }
        (PACKED, Format::Signal(_)) => {
            pack::check(content, count, bytes)?;
            buffer = Buffer::with_bytes(bytes, count);
            pack::unpack(content, count, buffer.floats_mut().expect("fresh"))?;
        }
        _ => return Err(WireError::Unknown { what: "the coding of a frame", is: coding.into() }),
    }
    Ok((place, Frame::new(header, buffer)))
}

/// A gap as a side of this version knows it: before flushes were known, content that did not come.
pub(crate) const fn gap_in(gap: Gap, version: u8) -> Gap {
    match gap {
        Gap::Flush if version < FLUSHES => Gap::Source,
        known => known,
    }
}

/// The gap with this number; 0 is none.
pub(crate) fn gap_of(number: u8) -> Result<MaybeGap, WireError> {
    if number == 0 {
        return Ok(MaybeGap::NONE);
    }
    let gap = Gap::ALL.get(usize::from(number) - 1).copied();
    let gap = gap.filter(|&gap| gap as u8 == number);
    gap.map(MaybeGap::from)
        .ok_or(WireError::Unknown { what: "the reason of a gap", is: number.into() })
}

/// Most bytes that the record of a frame of this format takes, head included; `None` where the
/// format has no useful limit.
pub fn longest(format: &Format) -> Option<usize> {
    let head = super::RECORD_HEAD + FRAME_HEAD;
    content::most(format).and_then(|bytes| bytes.checked_add(head))
}

/// Bytes of one number of a tensor.
pub(crate) const fn size_of_element(element: Element) -> usize {
    match element {
        Element::F32 => 4,
        Element::I64 => 8,
        Element::U8 => 1,
    }
}
