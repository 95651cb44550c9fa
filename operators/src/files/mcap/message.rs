//! [`Codec`]: frames as messages, and back to the bit.

use std::ops::Range;

use engine::{
    Buffer, Dimension, Element, EventFormat, EventReader, EventWriter, FieldKind, FieldValue,
    Format, Frame, Gap, Header, ImageFormat, MaybeGap, Pixel, TensorFormat, Timestamp,
};

use super::{
    schema::{CONTENT, head, head_of, picture},
    wire::{self, Fields, Value},
};

// Samples are written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "a big-endian host would have to turn bytes");

/// Writes and reads the messages of one output.
#[derive(Clone, Debug)]
pub struct Codec {
    format: Format,
    /// Where the header's fields are counted from.
    head: u32,
}

/// A frame with what a recording tells beside it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The frame.
    pub frame: Frame,
    /// Frames before it that the recording has not.
    pub missed: u64,
    /// What was promised before it: nothing older was to come.
    pub reached: Option<Timestamp>,
}

impl Codec {
    /// For frames of a format.
    pub fn new(format: &Format) -> Self {
        Self { format: format.clone(), head: head_of(format) }
    }

    /// Appends the message of a frame whose time is `log_ns` by the clock of the world; says whether the frame is
    /// of the format.
    pub fn put(
        &self,
        out: &mut Vec<u8>,
        frame: &Frame,
        log_ns: u64,
        missed: u64,
        reached: Option<Timestamp>,
    ) -> bool {
        if !self.fits(frame) {
            return false;
        }
        self.put_head(out, &frame.header, frame.len());
        if missed > 0 {
            wire::number(out, self.head + head::MISSED, missed);
        }
        if let Some(reached) = reached {
            wire::eight(out, self.head + head::REACHED, reached.nanos().to_le_bytes());
        }
        match &self.format {
            Format::Signal(signal) => {
                put_planes(out, frame, signal.channels.len(), 0..frame.len());
            }
            Format::Event(event) => self.put_event(out, event, frame),
            Format::Tensor(_) => wire::bytes(out, CONTENT, frame.buffer().bytes()),
            Format::Image(image) => put_picture(out, image, frame, log_ns),
        }
        true
    }

    /// Appends a message of some samples of a signal's frame, the first of which happened at `time`, for whoever
    /// wants shorter ones.
    pub fn put_part(&self, out: &mut Vec<u8>, frame: &Frame, part: Range<usize>, time: Timestamp) {
        let channels = self.format.as_signal().map_or(0, |signal| signal.channels.len());
        let gap = if part.start == 0 { frame.header.gap } else { MaybeGap::NONE };
        self.put_head(out, &Header { time, gap, ..frame.header }, part.len());
        put_planes(out, frame, channels, part);
    }

    fn put_head(&self, out: &mut Vec<u8>, header: &Header, count: usize) {
        let from = self.head;
        wire::eight(out, from + head::TIME, header.time.nanos().to_le_bytes());
        wire::number(out, from + head::SEQ, header.seq);
        wire::eight(out, from + head::ENTERED, header.entered.nanos().to_le_bytes());
        if let Some(gap) = header.gap.get() {
            wire::bytes(out, from + head::GAP, gap.word().as_bytes());
        }
        let mut number = |field, value: u64| {
            if value > 0 {
                wire::number(out, from + field, value);
            }
        };
        number(head::TAG, header.tag);
        number(head::UNCERTAINTY, header.uncertainty_ns.into());
        number(head::EPOCH, header.epoch.into());
        number(head::SOURCE, header.source.into());
        number(head::COUNT, count as u64);
    }

    fn put_event(&self, out: &mut Vec<u8>, format: &EventFormat, frame: &Frame) {
        let event = EventReader::new(format, frame);
        if event.duration_ns() != 0 {
            wire::eight(out, self.head + head::DURATION, event.duration_ns().to_le_bytes());
        }
        for (number, field) in (CONTENT..).zip(0..format.fields.len()) {
            match event.field(field) {
                None => {}
                Some(FieldValue::Bool(value)) => wire::number(out, number, value.into()),
                Some(FieldValue::I64(value)) => wire::eight(out, number, value.to_le_bytes()),
                Some(FieldValue::F64(value)) => wire::eight(out, number, value.to_le_bytes()),
                Some(FieldValue::Text(value)) => wire::bytes(out, number, value.as_bytes()),
                Some(FieldValue::Bytes(value)) => wire::bytes(out, number, value),
                Some(FieldValue::Floats(values)) => {
                    wire::key(out, number, wire::BYTES);
                    wire::varint(out, 4 * values.len() as u64);
                    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
                }
            }
        }
    }

    /// Whether a frame holds as many bytes as one of the format does.
    pub fn fits(&self, frame: &Frame) -> bool {
        let bytes = frame.buffer().bytes_len();
        match &self.format {
            Format::Signal(signal) => bytes == 4 * signal.channels.len() * frame.len(),
            Format::Image(image) => bytes == image.height * step(image),
            Format::Tensor(tensor) => is_whole(tensor, bytes),
            Format::Event(_) => true,
        }
    }

    /// The frame in a message, or `None` if it is none of the format.
    pub fn read(&self, message: &[u8]) -> Option<Told> {
        let mut header = Header::at(Timestamp::ZERO);
        let (mut missed, mut reached, mut count, mut duration_ns) = (0, None, 0, 0);
        let mut content = Vec::new();
        for field in Fields(message) {
            let (number, value) = field?;
            let number = match number.checked_sub(self.head) {
                Some(number) if (1..CONTENT).contains(&number) => number,
                _ => {
                    content.push((number, value));
                    continue;
                }
            };
            match (number, value) {
                (head::TIME, Value::Eight(time)) => header.time = moment(time),
                (head::SEQ, Value::Varint(seq)) => header.seq = seq,
                (head::ENTERED, Value::Eight(time)) => header.entered = moment(time),
                (head::GAP, Value::Bytes(word)) => header.gap = gap(word)?,
                (head::TAG, Value::Varint(tag)) => header.tag = tag,
                (head::UNCERTAINTY, Value::Varint(ns)) => {
                    header.uncertainty_ns = ns.try_into().ok()?;
                }
                (head::EPOCH, Value::Varint(epoch)) => header.epoch = epoch.try_into().ok()?,
                (head::SOURCE, Value::Varint(source)) => header.source = source.try_into().ok()?,
                (head::COUNT, Value::Varint(samples)) => count = usize::try_from(samples).ok()?,
                (head::MISSED, Value::Varint(frames)) => missed = frames,
                (head::DURATION, Value::Eight(ns)) => duration_ns = i64::from_le_bytes(ns),
                (head::REACHED, Value::Eight(time)) => reached = Some(moment(time)),
                // A later version may say more.
                _ => {}
            }
        }
        let buffer = match &self.format {
            Format::Signal(signal) => planes(&content, signal.channels.len(), count)?,
            Format::Event(format) => event(&content, format, duration_ns)?,
            Format::Tensor(tensor) => {
                let numbers = find(&content, CONTENT)?;
                raw(numbers, count).filter(|_| is_whole(tensor, numbers.len()))?
            }
            Format::Image(image) => {
                let pixels = find(&content, picture::DATA)?;
                raw(pixels, count).filter(|_| pixels.len() == image.height * step(image))?
            }
        };
        Some(Told { frame: Frame::new(header, buffer), missed, reached })
    }
}

/// Appends the message of how far an output is. At its end it is at [`Timestamp::MAX`].
pub fn put_reached(out: &mut Vec<u8>, reached: Timestamp, missed: u64) {
    wire::eight(out, head::REACHED, reached.nanos().to_le_bytes());
    if reached == Timestamp::MAX {
        wire::number(out, head::ENDED, 1);
    }
    if missed > 0 {
        wire::number(out, head::MISSED, missed);
    }
}

/// How far an output is, and frames before that which the recording has not.
pub fn read_reached(message: &[u8]) -> Option<(Timestamp, u64)> {
    let (mut reached, mut missed) = (None, 0);
    for field in Fields(message) {
        match field? {
            (head::REACHED, Value::Eight(time)) => reached = Some(moment(time)),
            (head::MISSED, Value::Varint(frames)) => missed = frames,
            _ => {}
        }
    }
    Some((reached?, missed))
}

fn put_planes(out: &mut Vec<u8>, frame: &Frame, channels: usize, part: Range<usize>) {
    let (bytes, len) = (frame.buffer().bytes(), frame.len());
    for (number, channel) in (CONTENT..).zip(0..channels) {
        let first = channel * len;
        wire::bytes(out, number, &bytes[4 * (first + part.start)..4 * (first + part.end)]);
    }
}

fn put_picture(out: &mut Vec<u8>, format: &ImageFormat, frame: &Frame, log_ns: u64) {
    wire::nested(out, picture::TIME, |moment| {
        wire::number(moment, 1, log_ns / 1_000_000_000);
        wire::number(moment, 2, log_ns % 1_000_000_000);
    });
    wire::four(out, picture::WIDTH, format.width as u32);
    wire::four(out, picture::HEIGHT, format.height as u32);
    let encoding = match format.pixel {
        Pixel::Gray8 => "mono8",
        Pixel::Rgb8 => "rgb8",
    };
    wire::bytes(out, picture::ENCODING, encoding.as_bytes());
    wire::four(out, picture::STEP, step(format) as u32);
    wire::bytes(out, picture::DATA, frame.buffer().bytes());
}

/// Whether a tensor can have so many bytes.
fn is_whole(tensor: &TensorFormat, bytes: usize) -> bool {
    let number = match tensor.element {
        Element::F32 => 4,
        Element::I64 => 8,
        Element::U8 => 1,
    };
    let fixed = tensor.shape.iter().map(|dimension| match dimension {
        Dimension::Fixed(len) => *len,
        Dimension::Open { .. } => 1,
    });
    let fixed = fixed.fold(number, usize::saturating_mul);
    let open = tensor.shape.iter().filter_map(|dimension| match dimension {
        Dimension::Open { max } => Some(*max),
        Dimension::Fixed(_) => None,
    });
    let most = open.clone().fold(fixed, usize::saturating_mul);
    if open.count() == 0 {
        return bytes == fixed;
    }
    // Of a length of zero nothing remains.
    bytes <= most && (bytes == 0 || fixed > 0 && bytes.is_multiple_of(fixed))
}

/// Bytes of a row.
const fn step(format: &ImageFormat) -> usize {
    format.width
        * match format.pixel {
            Pixel::Gray8 => 1,
            Pixel::Rgb8 => 3,
        }
}

type Content<'a> = [(u32, Value<'a>)];

fn find<'a>(content: &Content<'a>, number: u32) -> Option<&'a [u8]> {
    content.iter().find_map(|(field, value)| match value {
        Value::Bytes(bytes) if *field == number => Some(*bytes),
        _ => None,
    })
}

fn planes(content: &Content<'_>, channels: usize, count: usize) -> Option<Buffer> {
    let list = |channel: usize| find(content, CONTENT + channel as u32);
    let bytes = count.checked_mul(4)?;
    if !(0..channels).all(|channel| list(channel).is_some_and(|list| list.len() == bytes)) {
        return None;
    }
    let mut buffer = Buffer::signal(channels, count);
    let to = buffer.bytes_mut().expect("a fresh buffer has one holder");
    for channel in 0..channels {
        to[channel * bytes..(channel + 1) * bytes].copy_from_slice(list(channel)?);
    }
    Some(buffer)
}

fn raw(bytes: &[u8], count: usize) -> Option<Buffer> {
    // The count stands in a word of 32 bits.
    u32::try_from(count).ok()?;
    let mut buffer = Buffer::with_bytes(bytes.len(), count);
    buffer.bytes_mut().expect("a fresh buffer has one holder").copy_from_slice(bytes);
    Some(buffer)
}

fn event(content: &Content<'_>, format: &EventFormat, duration_ns: i64) -> Option<Buffer> {
    let mut event = EventWriter::new(format);
    if duration_ns != 0 {
        event = event.duration_ns(duration_ns);
    }
    for (number, (field, known)) in (CONTENT..).zip(format.fields.iter().enumerate()) {
        let value = content.iter().find(|(at, _)| *at == number).map(|(_, value)| *value);
        let Some(value) = value else { continue };
        event = match (known.kind, value) {
            (FieldKind::Bool, Value::Varint(value)) => event.bool(field, value != 0),
            (FieldKind::I64, Value::Eight(value)) => event.i64(field, i64::from_le_bytes(value)),
            (FieldKind::F64, Value::Eight(value)) => event.f64(field, f64::from_le_bytes(value)),
            (FieldKind::Text { max }, Value::Bytes(text)) if text.len() <= max => {
                event.text(field, std::str::from_utf8(text).ok()?)
            }
            (FieldKind::Bytes { max }, Value::Bytes(bytes)) if bytes.len() <= max => {
                event.bytes(field, bytes)
            }
            (FieldKind::Floats { max }, Value::Bytes(bytes))
                if bytes.len() % 4 == 0 && bytes.len() / 4 <= max =>
            {
                let floats = bytes.chunks_exact(4).map(|raw| raw.try_into().expect("four bytes"));
                event.floats(field, &floats.map(f32::from_le_bytes).collect::<Vec<_>>())
            }
            _ => return None,
        };
    }
    Some(event.finish())
}

const fn moment(raw: [u8; 8]) -> Timestamp {
    Timestamp::from_nanos(i64::from_le_bytes(raw))
}

fn gap(word: &[u8]) -> Option<MaybeGap> {
    Gap::ALL.into_iter().find(|gap| gap.word().as_bytes() == word).map(MaybeGap::from)
}

#[cfg(test)]
mod tests;
