//! How an event lies in a buffer: written by [`EventWriter`], read by [`EventReader`].
//!
//! ```text
//! 0         8             16                16 + 8 n
//! ┌─────────┬─────────────┬─── … ───────────┬─── … ───────────────┐
//! │ present │ duration ns │ a slot per field│ text, bytes, floats │
//! │ 64 bits │ i64         │ value, or       │                     │
//! │         │             │ offset and size │                     │
//! └─────────┴─────────────┴─────────────────┴─────────────────────┘
//! ```

use crate::{
    buffer::Buffer,
    format::{EventFormat, FieldKind},
    frame::Frame,
};

const SLOTS_AT: usize = 16;

/// Fills one event field by field; fields not set are absent.
#[derive(Debug)]
pub struct EventWriter {
    buffer: Buffer,
    used: usize,
    fields: usize,
    /// Where text, bytes and floats end. Behind it stands, until the event is finished, how many
    /// bytes each field may take.
    end: usize,
}

impl EventWriter {
    /// An event of `format` with no field set.
    pub fn new(format: &EventFormat) -> Self {
        let fields = format.fields.len();
        let used = SLOTS_AT + 8 * fields;
        let end =
            used + format.fields.iter().map(|field| padded(room_of(field.kind))).sum::<usize>();
        let mut buffer = Buffer::with_bytes(end + 8 * fields, 1);
        let bytes = buffer.bytes_mut().expect("a fresh buffer has one holder");
        bytes[..used].fill(0);
        for (slot, field) in bytes[end..].chunks_exact_mut(8).zip(&format.fields) {
            slot.copy_from_slice(&(room_of(field.kind) as u64).to_le_bytes());
        }
        Self { buffer, used, fields, end }
    }

    /// Sets a number.
    #[must_use]
    pub fn f64(mut self, field: usize, value: f64) -> Self {
        self.slot(field, value.to_le_bytes());
        self
    }

    /// Sets a number if there is one.
    #[must_use]
    pub fn f64_or_absent(self, field: usize, value: Option<f64>) -> Self {
        match value {
            Some(value) => self.f64(field, value),
            None => self,
        }
    }

    /// Sets a whole number.
    #[must_use]
    pub fn i64(mut self, field: usize, value: i64) -> Self {
        self.slot(field, value.to_le_bytes());
        self
    }

    /// Sets a flag.
    #[must_use]
    pub fn bool(self, field: usize, value: bool) -> Self {
        self.i64(field, i64::from(value))
    }

    /// Sets a text; what is longer than the field's maximum is cut at a character.
    #[must_use]
    pub fn text(self, field: usize, value: &str) -> Self {
        let fits = value.floor_char_boundary(self.room(field));
        self.bytes(field, &value.as_bytes()[..fits])
    }

    /// Sets bytes; what is longer than the field's maximum is cut.
    #[must_use]
    pub fn bytes(mut self, field: usize, value: &[u8]) -> Self {
        let (at, len) = (self.used, value.len().min(self.room(field)));
        let bytes = self.writable();
        bytes[at..at + len].copy_from_slice(&value[..len]);
        self.pad(at + len);
        self.slot(field, (at as u64 | (len as u64) << 32).to_le_bytes());
        self
    }

    /// Sets a list of samples; what is longer than the field's maximum is cut.
    #[must_use]
    pub fn floats(mut self, field: usize, value: &[f32]) -> Self {
        let (at, len) = (self.used, value.len().min(self.room(field) / 4));
        let bytes = self.writable();
        for (to, from) in bytes[at..].chunks_exact_mut(4).zip(&value[..len]) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        self.pad(at + 4 * len);
        self.slot(field, (at as u64 | (4 * len as u64) << 32).to_le_bytes());
        self
    }

    /// Sets how long the event lasts.
    #[must_use]
    pub fn duration_ns(mut self, duration_ns: i64) -> Self {
        self.writable()[8..16].copy_from_slice(&duration_ns.to_le_bytes());
        self
    }

    /// The finished payload.
    pub fn finish(mut self) -> Buffer {
        self.buffer.truncate(self.used, 1);
        self.buffer
    }

    /// Bytes that a field may take. A field that is set once more gets what others that are not
    /// set yet leave.
    fn room(&self, field: usize) -> usize {
        let room = |field: usize| {
            let raw = &self.buffer.bytes()[self.end + 8 * field..][..8];
            u64::from_le_bytes(raw.try_into().expect("eight bytes")) as usize
        };
        if !self.is_set(field) {
            return room(field);
        }
        let unset = (0..self.fields).filter(|&field| !self.is_set(field));
        let wanted: usize = unset.map(|field| padded(room(field))).sum();
        room(field).min(self.end - self.used - wanted)
    }

    fn is_set(&self, field: usize) -> bool {
        self.buffer.bytes()[field / 8] >> (field % 8) & 1 == 1
    }

    /// Fills up to the next eight bytes with zeros: equal events are equal bytes.
    fn pad(&mut self, end: usize) {
        let used = padded(end);
        self.writable()[end..used].fill(0);
        self.used = used;
    }

    fn slot(&mut self, field: usize, value: [u8; 8]) {
        let bytes = self.writable();
        bytes[field / 8] |= 1 << (field % 8);
        bytes[SLOTS_AT + 8 * field..][..8].copy_from_slice(&value);
    }

    fn writable(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut().expect("the writer never shares its buffer")
    }
}

/// The same event with one more field, the last of `format`: a text, absent unless there is one.
pub(crate) fn with_last_text(format: &EventFormat, event: &Buffer, text: Option<&str>) -> Buffer {
    let Some((last, before)) = format.fields.split_last() else { return event.clone() };
    let slots = SLOTS_AT + 8 * before.len();
    let Some(text_at) = event.bytes_len().checked_add(8).filter(|at| *at >= slots + 8) else {
        return event.clone();
    };
    let text = text.map(|text| &text.as_bytes()[..text.floor_char_boundary(room_of(last.kind))]);
    let text_len = text.map_or(0, <[u8]>::len);
    let mut whole = Buffer::with_bytes(text_at + padded(text_len), event.count());
    let (from, to) = (event.bytes(), whole.bytes_mut().expect("fresh"));
    to[..slots].copy_from_slice(&from[..slots]);
    to[slots..slots + 8].fill(0);
    to[slots + 8..text_at].copy_from_slice(&from[slots..]);
    to[text_at..].fill(0);
    for (n, field) in before.iter().enumerate() {
        let is_set = to[n / 8] >> (n % 8) & 1 == 1;
        if is_set && matches!(room_of(field.kind), 1..) {
            // The low half is where it stands.
            let slot = &mut to[SLOTS_AT + 8 * n..][..4];
            let at = u32::from_le_bytes([slot[0], slot[1], slot[2], slot[3]]);
            slot.copy_from_slice(&at.wrapping_add(8).to_le_bytes());
        }
    }
    if let Some(text) = text {
        let n = before.len();
        to[n / 8] |= 1 << (n % 8);
        let slot = (text_at as u64 | (text_len as u64) << 32).to_le_bytes();
        to[slots..slots + 8].copy_from_slice(&slot);
        to[text_at..text_at + text_len].copy_from_slice(text);
    }
    whole
}

/// Most bytes a field takes beside its slot.
const fn room_of(kind: FieldKind) -> usize {
    match kind {
        FieldKind::Bool | FieldKind::I64 | FieldKind::F64 => 0,
        FieldKind::Text { max } | FieldKind::Bytes { max } => max,
        FieldKind::Floats { max } => 4 * max,
    }
}

const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// One value of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// True or false.
    Bool(bool),
    /// Whole number.
    I64(i64),
    /// Number.
    F64(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Samples.
    Floats(Vec<f32>),
}

/// Reads the fields of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventReader<'a> {
    format: &'a EventFormat,
    bytes: &'a [u8],
}

impl<'a> EventReader<'a> {
    /// The event in `frame`.
    pub fn new(format: &'a EventFormat, frame: &'a Frame) -> Self {
        Self { format, bytes: frame.buffer().bytes() }
    }

    /// A field by number; `None` if it is absent.
    pub fn field(&self, field: usize) -> Option<FieldValue<'a>> {
        let kind = self.format.fields.get(field)?.kind;
        let slot = self.slot(field)?;
        Some(match kind {
            FieldKind::Bool => FieldValue::Bool(slot[0] != 0),
            FieldKind::I64 => FieldValue::I64(i64::from_le_bytes(slot)),
            FieldKind::F64 => FieldValue::F64(f64::from_le_bytes(slot)),
            FieldKind::Text { .. } => {
                FieldValue::Text(std::str::from_utf8(self.range(slot)?).ok()?)
            }
            FieldKind::Bytes { .. } => FieldValue::Bytes(self.range(slot)?),
            FieldKind::Floats { .. } => FieldValue::Floats(
                self.range(slot)?
                    .chunks_exact(4)
                    .map(|raw| f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
                    .collect(),
            ),
        })
    }

    /// A number by field number; whole numbers are converted.
    pub fn f64(&self, field: usize) -> Option<f64> {
        let slot = self.slot(field)?;
        match self.format.fields.get(field)?.kind {
            FieldKind::F64 => Some(f64::from_le_bytes(slot)),
            FieldKind::I64 => Some(i64::from_le_bytes(slot) as f64),
            _ => None,
        }
    }

    /// Number and name of the field called `name`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.format.fields.iter().position(|field| field.name == name)
    }

    /// How long the event lasts; 0 for an instant.
    pub fn duration_ns(&self) -> i64 {
        self.bytes
            .get(8..16)
            .map_or(0, |raw| i64::from_le_bytes(raw.try_into().expect("eight bytes")))
    }

    fn slot(&self, field: usize) -> Option<[u8; 8]> {
        let present = self.bytes.get(field / 8)? >> (field % 8) & 1 == 1;
        let raw = self.bytes.get(SLOTS_AT + 8 * field..SLOTS_AT + 8 * field + 8)?;
        present.then(|| raw.try_into().expect("eight bytes"))
    }

    fn range(&self, slot: [u8; 8]) -> Option<&'a [u8]> {
        let packed = u64::from_le_bytes(slot);
        let (at, len) = ((packed & 0xffff_ffff) as usize, (packed >> 32) as usize);
        self.bytes.get(at..at.checked_add(len)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Header, Timestamp};

    #[test]
    fn what_was_written_is_read_and_what_was_not_is_absent() {
        let format = EventFormat {
            fields: vec![
                Field::f64("rr_ms"),
                Field::i64("beat"),
                Field::bool("ectopic"),
                Field::text("label", 4),
                Field { name: "wave", kind: FieldKind::Floats { max: 3 } },
                Field::f64("missing"),
            ],
            rate_max: 5.0,
        };
        let event = EventWriter::new(&format)
            .f64(0, 812.5)
            .i64(1, -7)
            .bool(2, true)
            .text(3, "abcdé")
            .floats(4, &[1.0, 2.5])
            .duration_ns(40);
        let frame = Frame::new(Header::at(Timestamp::ZERO), event.finish());

        let read = EventReader::new(&format, &frame);
        assert_eq!(read.field(0), Some(FieldValue::F64(812.5)));
        assert_eq!(read.field(1), Some(FieldValue::I64(-7)));
        assert_eq!(read.field(2), Some(FieldValue::Bool(true)));
        assert_eq!(read.field(3), Some(FieldValue::Text("abcd")));
        assert_eq!(read.field(4), Some(FieldValue::Floats(vec![1.0, 2.5])));
        assert_eq!(read.field(5), None);
        assert_eq!(read.duration_ns(), 40);
    }

    #[test]
    fn a_text_at_the_end_leaves_all_others_as_they_are() {
        let own = EventFormat {
            fields: vec![
                Field::text("label", 9),
                Field::f64("score"),
                Field { name: "scores", kind: FieldKind::Floats { max: 3 } },
                Field::text("missing", 9),
            ],
            rate_max: 5.0,
        };
        let mut whole = own.clone();
        whole.fields.push(Field::text("host", 5));
        let event = EventWriter::new(&own).text(0, "calm").f64(1, 0.5).floats(2, &[1.0, 2.0]);
        let event = event.duration_ns(7).finish();
        for (told, read_as) in [(Some("cloud"), Some("cloud")), (Some("clouds"), Some("cloud"))]
            .into_iter()
            .chain([(None, None), (Some(""), Some(""))])
        {
            let buffer = with_last_text(&whole, &event, told);
            let frame = Frame::new(Header::at(Timestamp::ZERO), buffer);
            let read = EventReader::new(&whole, &frame);
            assert_eq!(read.field(0), Some(FieldValue::Text("calm")));
            assert_eq!(read.f64(1), Some(0.5));
            assert_eq!(read.field(2), Some(FieldValue::Floats(vec![1.0, 2.0])));
            assert_eq!(read.field(3), None);
            assert_eq!(read.field(4), read_as.map(FieldValue::Text));
            assert_eq!(read.duration_ns(), 7);
        }
        // What is no event of that format stays what it is.
        let short = Buffer::with_bytes(8, 1);
        assert_eq!(with_last_text(&whole, &short, Some("cloud")).bytes_len(), 8);
    }

    #[test]
    fn a_long_value_takes_nothing_from_other_fields() {
        let format = EventFormat {
            fields: vec![
                Field::text("long", 5),
                Field { name: "raw", kind: FieldKind::Bytes { max: 3 } },
                Field { name: "wave", kind: FieldKind::Floats { max: 2 } },
                Field::text("late", 4),
            ],
            rate_max: 1.0,
        };
        let long = "ä".repeat(100);
        // Set once more, a field has what the fields not set yet leave.
        let event = EventWriter::new(&format)
            .text(0, &long)
            .text(0, &long)
            .bytes(1, &[1; 100])
            .floats(2, &[0.5; 100])
            .text(3, "abcdefgh");
        let frame = Frame::new(Header::at(Timestamp::ZERO), event.finish());

        let read = EventReader::new(&format, &frame);
        assert_eq!(read.field(1), Some(FieldValue::Bytes(&[1; 3])));
        assert_eq!(read.field(2), Some(FieldValue::Floats(vec![0.5; 2])));
        assert_eq!(read.field(3), Some(FieldValue::Text("abcd")));

        let event = EventWriter::new(&format).text(0, &long).finish();
        let frame = Frame::new(Header::at(Timestamp::ZERO), event);
        let read = EventReader::new(&format, &frame);
        assert_eq!(read.field(0), Some(FieldValue::Text("ää")), "cut at a character");
    }
}
