//! Frames on their way to somebody who taps, and what they are once they are there.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, Read, Write as _},
    os::unix::net::UnixStream,
    sync::Arc,
    time::Duration,
};

use data_encoding::BASE64;
use engine::{
    Buffer, Channel, Clock, Dimension, Element, EventFormat, Field, FieldKind, Format, Frame, Gap,
    Header, ImageFormat, Pixel, Rate, Seen, SignalFormat, Tap, TensorFormat, Timestamp, Unit,
};

use super::message::{CONTENT_BYTES_MAX, End, Said, TapFormat, TapFrame};

/// Between two looks at a tap. Nobody wakes who looks on, and a person sees no delay in it.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes that go to the system at once.
const PIECE_BYTES: usize = 64 << 10;

/// Sends what passes until the client hangs up or nothing more will come.
pub(super) fn send(
    mut tap: Tap,
    format: &Format,
    mut to: &UnixStream,
    clock: &Clock,
) -> io::Result<()> {
    // Short frames are copies that nobody else holds, and the thread may come after everybody. Blocks of longer ones
    // go back to where data cores take theirs from, and must not be held up for long on the way.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(if is_short(format) { 19 } else { 5 });
    #[cfg(not(target_os = "linux"))]
    let _ = format;
    to.set_read_timeout(Some(LOOK_EVERY))?;
    let mut lines = String::with_capacity(2 * PIECE_BYTES);
    let (mut told, mut missed) = (0, 0);
    loop {
        let is_last = tap.has_ended();
        while let Some(tapped) = tap.try_next() {
            // What is told with a bound is told with the next frame.
            missed += tapped.missed;
            let Seen::Frame(frame) = tapped.what else { continue };
            line(&mut lines, &frame, missed);
            told += std::mem::take(&mut missed);
            if lines.len() >= PIECE_BYTES {
                to.write_all(lines.as_bytes())?;
                lines.clear();
            }
        }
        to.write_all(lines.as_bytes())?;
        lines.clear();
        if is_last || tap.has_ended() {
            let missed = tap.missed().saturating_sub(told);
            let after_s = clock.now().nanos() as f64 / 1e9;
            let end = End { how: "over".to_owned(), after_s, fault: None, missed };
            let mut line = serde_json::to_vec(&Said::End(end))?;
            line.push(b'\n');
            return to.write_all(&line);
        }
        // Waits as long as it takes to see that it has hung up; what else it says is not to be understood.
        match to.read(&mut [0]) {
            Ok(_) => return Ok(()),
            Err(error) if is_over_time(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether frames of a format are of a few hundred bytes.
#[cfg(target_os = "linux")]
fn is_short(format: &Format) -> bool {
    match format {
        Format::Signal(signal) => 4 * signal.frame_len * signal.channels.len() <= 512,
        Format::Event(_) => true,
        Format::Tensor(_) | Format::Image(_) => false,
    }
}

pub(super) fn is_over_time(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Appends a frame as a line; by hand, as there may be a hundred thousand a second.
fn line(text: &mut String, frame: &Frame, missed: u64) {
    let Header { seq, time, gap, .. } = frame.header;
    let (count, bytes) = (frame.buffer().count(), frame.buffer().bytes());
    let t_ns = time.nanos();
    // Writing into a string cannot fail.
    let _ = write!(text, r#"{{"frame":{{"seq":{seq},"t_ns":{t_ns},"#);
    if let Some(gap) = gap.get() {
        let _ = write!(text, r#""gap":"{}","#, gap.word());
    }
    if missed > 0 {
        let _ = write!(text, r#""missed":{missed},"#);
    }
    let _ = write!(text, r#""count":{count},"bytes":{},"data":""#, bytes.len());
    if bytes.len() <= CONTENT_BYTES_MAX {
        BASE64.encode_append(bytes, text);
    }
    text.push_str("\"}}\n");
}

/// What is said of a format.
pub(super) fn told(format: &Format) -> TapFormat {
    match format {
        Format::Signal(signal) => TapFormat::Signal {
            channels: signal
                .channels
                .iter()
                .map(|channel| (channel.name.clone(), channel.unit.name().to_owned()))
                .collect(),
            rate_hz: signal.rate.hz(),
            frame_len: signal.frame_len,
        },
        Format::Image(image) => TapFormat::Image {
            width: image.width,
            height: image.height,
            pixel_bytes: match image.pixel {
                Pixel::Gray8 => 1,
                Pixel::Rgb8 => 3,
            },
            rate_hz: image.rate.hz(),
        },
        Format::Tensor(tensor) => TapFormat::Tensor {
            element: element_word(tensor.element).to_owned(),
            shape: tensor
                .shape
                .iter()
                .map(|dimension| match *dimension {
                    Dimension::Fixed(len) => (len, true),
                    Dimension::Open { max } => (max, false),
                })
                .collect(),
        },
        Format::Event(event) => TapFormat::Event {
            fields: event
                .fields
                .iter()
                .map(|field| {
                    let (word, max) = field_word(field.kind);
                    (field.name.to_owned(), word.to_owned(), max)
                })
                .collect(),
            rate_max: event.rate_max,
        },
    }
}

const ELEMENTS: [(&str, Element); 3] =
    [("f32", Element::F32), ("i64", Element::I64), ("u8", Element::U8)];

fn element_word(element: Element) -> &'static str {
    ELEMENTS.iter().find(|(_, known)| *known == element).map_or("", |(word, _)| word)
}

const fn field_word(kind: FieldKind) -> (&'static str, usize) {
    match kind {
        FieldKind::Bool => ("bool", 0),
        FieldKind::I64 => ("i64", 0),
        FieldKind::F64 => ("f64", 0),
        FieldKind::Text { max } => ("text", max),
        FieldKind::Bytes { max } => ("bytes", max),
        FieldKind::Floats { max } => ("floats", max),
    }
}

fn field_kind(word: &str, max: usize) -> Option<FieldKind> {
    Some(match word {
        "bool" => FieldKind::Bool,
        "i64" => FieldKind::I64,
        "f64" => FieldKind::F64,
        "text" => FieldKind::Text { max },
        "bytes" => FieldKind::Bytes { max },
        "floats" => FieldKind::Floats { max },
        _ => return None,
    })
}

/// The format that was told of; none if it is of a kind that is not known here.
pub(super) fn understood(told: &TapFormat) -> Option<Format> {
    Some(match told {
        TapFormat::Signal { channels, rate_hz, frame_len } => {
            let channel = |(name, unit): &(String, String)| Channel {
                name: name.clone(),
                unit: Unit::named(unit),
            };
            let channels = channels.iter().map(channel).collect();
            let rate = Rate::new(*rate_hz)?;
            Format::Signal(Arc::new(SignalFormat { channels, rate, frame_len: *frame_len }))
        }
        TapFormat::Image { width, height, pixel_bytes, rate_hz } => {
            let pixel = if *pixel_bytes == 1 { Pixel::Gray8 } else { Pixel::Rgb8 };
            let (width, height, rate) = (*width, *height, Rate::new(*rate_hz)?);
            Format::Image(Arc::new(ImageFormat { width, height, pixel, rate }))
        }
        TapFormat::Tensor { element, shape } => {
            let (_, element) = *ELEMENTS.iter().find(|(word, _)| word == element)?;
            let dimension = |&(len, is_fixed): &(usize, bool)| match is_fixed {
                true => Dimension::Fixed(len),
                false => Dimension::Open { max: len },
            };
            let shape = shape.iter().map(dimension).collect();
            Format::Tensor(Arc::new(TensorFormat { element, shape }))
        }
        TapFormat::Event { fields, rate_max } => {
            let field = |(name, word, max): &(String, String, usize)| {
                // A client taps once, and lives as long as its format.
                let name: &'static str = Box::leak(name.clone().into_boxed_str());
                Some(Field { name, kind: field_kind(word, *max)? })
            };
            let fields = fields.iter().take(64).map(field).collect::<Option<Vec<_>>>()?;
            Format::Event(Arc::new(EventFormat { fields, rate_max: *rate_max }))
        }
    })
}

/// The frame that was told of; none if it was too long to be told, or is not what it says.
pub(super) fn frame(told: &TapFrame, format: &Format) -> Option<Frame> {
    let bytes = BASE64.decode(told.data.as_bytes()).ok()?;
    if bytes.len() != told.bytes {
        return None;
    }
    if let Format::Signal(signal) = format
        && told.count.checked_mul(4 * signal.channels.len()) != Some(bytes.len())
    {
        return None;
    }
    let mut buffer = Buffer::with_bytes(bytes.len(), told.count);
    buffer.bytes_mut()?.copy_from_slice(&bytes);
    let gap =
        told.gap.as_deref().and_then(|word| Gap::ALL.into_iter().find(|gap| gap.word() == word));
    let header =
        Header { seq: told.seq, gap: gap.into(), ..Header::at(Timestamp::from_nanos(told.t_ns)) };
    Some(Frame::new(header, buffer))
}
