//! [`Schema`]: a format as a protobuf message whose fields are called like its channels or fields.
//!
//! ```text
//! message ecg {                         message beats {
//!   sfixed64 frame_time_ns = 1;           sfixed64 frame_time_ns = 1;
//!   uint64   frame_seq     = 2;           …
//!   …                                     optional double rr_ms  = 16;
//!   repeated float ECG     = 16;          optional string class  = 17;
//! }                                     }
//! ```
//!
//! What every frame has stands in the fields below 16. A picture is a `foxglove.RawImage`, which viewers draw, with
//! the same fields from 101 on.

use engine::{Element, FieldKind, Format};

use super::wire;

/// Fields of the header, counted from [`Schema::head`].
pub(super) mod head {
    pub(crate) const TIME: u32 = 1;
    pub(crate) const SEQ: u32 = 2;
    pub(crate) const GAP: u32 = 3;
    pub(crate) const MISSED: u32 = 4;
    pub(crate) const ENTERED: u32 = 5;
    pub(crate) const TAG: u32 = 6;
    pub(crate) const UNCERTAINTY: u32 = 7;
    pub(crate) const EPOCH: u32 = 8;
    pub(crate) const SOURCE: u32 = 9;
    pub(crate) const COUNT: u32 = 10;
    pub(crate) const DURATION: u32 = 11;
    pub(crate) const REACHED: u32 = 12;
    pub(crate) const ENDED: u32 = 13;
}

/// The first field of the content.
pub(super) const CONTENT: u32 = 16;
/// Fields of a picture, as `foxglove.RawImage` has them.
pub(super) mod picture {
    pub(crate) const TIME: u32 = 1;
    pub(crate) const WIDTH: u32 = 2;
    pub(crate) const HEIGHT: u32 = 3;
    pub(crate) const ENCODING: u32 = 4;
    pub(crate) const STEP: u32 = 5;
    pub(crate) const DATA: u32 = 6;
    /// Where the header's fields begin.
    pub(crate) const HEAD: u32 = 100;
}

/// How the messages of a topic are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The name of the message, with its package.
    pub name: String,
    /// A `google.protobuf.FileDescriptorSet`.
    pub descriptors: Vec<u8>,
}

impl Schema {
    /// The schema of what passes at the output called `label`.
    pub fn of(label: &str, format: &Format) -> Self {
        if let Format::Image(_) = format {
            return Self::picture();
        }
        let name = identifier(label);
        let mut message = Message::new(&name);
        message.head(0);
        for (number, (name, kind)) in (CONTENT..).zip(content(format)) {
            message.field(number, &name, kind);
        }
        Self::made_of("afferent", &name, &[file("afferent", &name, &[], message.finish())])
    }

    /// The schema of how far an output is.
    pub fn of_reached() -> Self {
        let mut message = Message::new("Reached");
        message.field(head::REACHED, "reached_ns", Kind::Int);
        message.field(head::ENDED, "ended", Kind::Bool);
        message.field(head::MISSED, "missed", Kind::Count);
        Self::made_of("afferent", "Reached", &[file("afferent", "Reached", &[], message.finish())])
    }

    fn picture() -> Self {
        const MOMENT: &str = "google/protobuf/timestamp.proto";
        let mut moment = Message::new("Timestamp");
        moment.plain(1, "seconds", Kind::Varint);
        moment.plain(2, "nanos", Kind::Small);
        let moment = described(MOMENT, "google.protobuf", &[], &moment.finish());
        let mut message = Message::new("RawImage");
        message.plain(picture::TIME, "timestamp", Kind::Moment);
        message.plain(picture::WIDTH, "width", Kind::Four);
        message.plain(picture::HEIGHT, "height", Kind::Four);
        message.plain(picture::ENCODING, "encoding", Kind::Text);
        message.plain(picture::STEP, "step", Kind::Four);
        message.plain(picture::DATA, "data", Kind::Bytes);
        message.head(picture::HEAD);
        let image = file("foxglove", "RawImage", &[MOMENT], message.finish());
        Self::made_of("foxglove", "RawImage", &[moment, image])
    }

    fn made_of(package: &str, name: &str, files: &[Vec<u8>]) -> Self {
        let mut descriptors = Vec::new();
        files.iter().for_each(|file| wire::bytes(&mut descriptors, 1, file));
        Self { name: format!("{package}.{name}"), descriptors }
    }
}

/// Where the header's fields of a format are counted from.
pub(super) const fn head_of(format: &Format) -> u32 {
    match format {
        Format::Image(_) => picture::HEAD,
        _ => 0,
    }
}

/// What the content is made of.
fn content(format: &Format) -> Vec<(String, Kind)> {
    match format {
        Format::Signal(signal) => {
            signal.channels.iter().map(|channel| (channel.name.clone(), Kind::Floats)).collect()
        }
        Format::Event(event) => {
            let kind = |kind| match kind {
                FieldKind::Bool => Kind::Bool,
                FieldKind::I64 => Kind::Int,
                FieldKind::F64 => Kind::Double,
                FieldKind::Text { .. } => Kind::Text,
                FieldKind::Bytes { .. } => Kind::Bytes,
                FieldKind::Floats { .. } => Kind::Floats,
            };
            event.fields.iter().map(|field| (field.name.to_owned(), kind(field.kind))).collect()
        }
        Format::Tensor(tensor) => {
            let kind = match tensor.element {
                Element::F32 => Kind::Floats,
                Element::I64 => Kind::Ints,
                Element::U8 => Kind::Bytes,
            };
            vec![("values".to_owned(), kind)]
        }
        Format::Image(_) => Vec::new(),
    }
}

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Bytes,
    Count,
    Double,
    Floats,
    Four,
    Int,
    Ints,
    Moment,
    Small,
    Text,
    Varint,
}

impl Kind {
    /// Its number in descriptors.
    const fn number(self) -> u64 {
        match self {
            Self::Double => 1,
            Self::Floats => 2,
            Self::Varint => 3,
            Self::Count => 4,
            Self::Small => 5,
            Self::Four => 7,
            Self::Bool => 8,
            Self::Text => 9,
            Self::Moment => 11,
            Self::Bytes => 12,
            Self::Int | Self::Ints => 16,
        }
    }

    const fn is_list(self) -> bool {
        matches!(self, Self::Floats | Self::Ints)
    }
}

/// A message type that is being described.
struct Message {
    name: String,
    fields: Vec<u8>,
    /// Of each field that may be absent, as protobuf wants it.
    absences: Vec<String>,
    names: Vec<String>,
}

impl Message {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), fields: Vec::new(), absences: Vec::new(), names: Vec::new() }
    }

    /// What every frame has.
    fn head(&mut self, from: u32) {
        self.plain(from + head::TIME, "frame_time_ns", Kind::Int);
        self.plain(from + head::SEQ, "frame_seq", Kind::Count);
        self.field(from + head::GAP, "frame_gap", Kind::Text);
        self.field(from + head::MISSED, "frame_missed", Kind::Count);
        self.field(from + head::ENTERED, "frame_entered_ns", Kind::Int);
        self.field(from + head::TAG, "frame_tag", Kind::Count);
        self.field(from + head::UNCERTAINTY, "frame_uncertainty_ns", Kind::Count);
        self.field(from + head::EPOCH, "frame_epoch", Kind::Count);
        self.field(from + head::SOURCE, "frame_source", Kind::Count);
        self.field(from + head::COUNT, "frame_count", Kind::Count);
        self.field(from + head::DURATION, "frame_duration_ns", Kind::Int);
        self.field(from + head::REACHED, "frame_reached_ns", Kind::Int);
    }

    /// A field that is always there.
    fn plain(&mut self, number: u32, name: &str, kind: Kind) {
        self.put(number, name, kind, false);
    }

    /// A field that may be absent, or a list.
    fn field(&mut self, number: u32, name: &str, kind: Kind) {
        self.put(number, name, kind, !kind.is_list());
    }

    fn put(&mut self, number: u32, name: &str, kind: Kind, may_be_absent: bool) {
        let mut name = identifier(name);
        while self.names.contains(&name) {
            name.push('_');
        }
        self.names.push(name.clone());
        wire::nested(&mut self.fields, 2, |field| {
            wire::bytes(field, 1, name.as_bytes());
            wire::number(field, 3, number.into());
            wire::number(field, 4, if kind.is_list() { 3 } else { 1 });
            wire::number(field, 5, kind.number());
            if kind == Kind::Moment {
                wire::bytes(field, 6, b".google.protobuf.Timestamp");
            }
            if may_be_absent {
                wire::number(field, 9, self.absences.len() as u64);
                wire::number(field, 17, 1);
            }
        });
        if may_be_absent {
            self.absences.push(format!("_{name}"));
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        wire::bytes(&mut out, 1, self.name.as_bytes());
        out.extend_from_slice(&self.fields);
        for absence in self.absences {
            wire::nested(&mut out, 8, |of| wire::bytes(of, 1, absence.as_bytes()));
        }
        out
    }
}

fn file(package: &str, name: &str, needs: &[&str], message: Vec<u8>) -> Vec<u8> {
    described(&format!("{package}/{name}.proto"), package, needs, &message)
}

/// A `FileDescriptorProto` of one message.
fn described(path: &str, package: &str, needs: &[&str], message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::bytes(&mut out, 1, path.as_bytes());
    wire::bytes(&mut out, 2, package.as_bytes());
    needs.iter().for_each(|path| wire::bytes(&mut out, 3, path.as_bytes()));
    wire::bytes(&mut out, 4, message);
    wire::bytes(&mut out, 12, b"proto3");
    out
}

/// A name of letters, digits and `_` that begins with a letter.
fn identifier(name: &str) -> String {
    let fits = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = name.chars().map(fits).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("ch{name}"),
    }
}

#[cfg(test)]
mod tests {
    use engine::{Field, Rate, Unit};

    use super::*;

    fn says(schema: &Schema, text: &str) -> bool {
        schema.descriptors.windows(text.len()).any(|part| part == text.as_bytes())
    }

    #[test]
    fn fields_are_called_like_channels_and_no_two_alike() {
        let rate = Rate::new(250.0).expect("a rate");
        let signal = Format::signal(2, Unit::MILLIVOLT, rate, 10);
        let schema = Schema::of("eeg/raw.out2", &signal);
        assert_eq!(schema.name, "afferent.eeg_raw_out2");
        assert!(says(&schema, "ch0") && says(&schema, "ch1"));

        let events = Format::event(vec![Field::f64("rr ms"), Field::f64("rr_ms")], 1.0);
        let schema = Schema::of("beats", &events);
        assert!(says(&schema, "_rr_ms") && says(&schema, "rr_ms_"));
    }
}
