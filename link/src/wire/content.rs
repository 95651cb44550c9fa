//! Whether bytes are the content of a frame of a format.

use engine::{Dimension, EventFormat, FieldKind, Format, Pixel, TensorFormat};

use super::{WireError, frame::size_of_element};

/// Most bytes of one frame's content; what is larger is refused unread.
pub const CONTENT_MAX: usize = 256 << 20;
/// Presence and duration of an event.
const EVENT_HEAD: usize = 16;

/// Most bytes of a frame of this format.
pub(crate) fn most(format: &Format) -> Option<usize> {
    let most = match format {
        Format::Signal(signal) => {
            signal.channels.len().checked_mul(signal.frame_len)?.checked_mul(4)?
        }
        Format::Image(image) => {
            image.width.checked_mul(image.height)?.checked_mul(depth(image.pixel))?
        }
        Format::Tensor(tensor) => {
            let sizes = tensor.shape.iter().map(|dimension| match *dimension {
                Dimension::Fixed(len) | Dimension::Open { max: len } => len,
            });
            sizes.into_iter().try_fold(size_of_element(tensor.element), usize::checked_mul)?
        }
        Format::Event(event) => event.fields.iter().try_fold(EVENT_HEAD, |sum, field| {
            sum.checked_add(8)?.checked_add(room(field.kind)?.checked_next_multiple_of(8)?)
        })?,
    };
    (most <= CONTENT_MAX).then_some(most)
}

const fn depth(pixel: Pixel) -> usize {
    match pixel {
        Pixel::Gray8 => 1,
        Pixel::Rgb8 => 3,
    }
}

/// Most bytes of a field beside its slot.
const fn room(kind: FieldKind) -> Option<usize> {
    match kind {
        FieldKind::Bool | FieldKind::I64 | FieldKind::F64 => Some(0),
        FieldKind::Text { max } | FieldKind::Bytes { max } => Some(max),
        FieldKind::Floats { max } => max.checked_mul(4),
    }
}

/// Whether content of `bytes` bytes that counts `count` may be a frame of this format.
pub(crate) fn check_size(format: &Format, count: usize, bytes: usize) -> Result<(), WireError> {
    let max = most(format).unwrap_or(CONTENT_MAX);
    at_most("the content of a frame", bytes, max)?;
    match format {
        Format::Signal(signal) => {
            at_most("the length of a signal's frame", count, signal.frame_len)?;
            equal(
                "the content of a signal",
                bytes,
                signal.channels.len().saturating_mul(count).saturating_mul(4),
            )
        }
        Format::Image(_) => equal("the content of a picture", bytes, max),
        Format::Tensor(tensor) => check_tensor(tensor, bytes, max),
        Format::Event(event) => {
            let least = EVENT_HEAD + 8 * event.fields.len();
            if bytes < least {
                return Err(WireError::Short { what: "an event", need: least, have: bytes });
            }
            Ok(())
        }
    }
}

/// Open dimensions take what the fixed ones leave.
fn check_tensor(tensor: &TensorFormat, bytes: usize, max: usize) -> Result<(), WireError> {
    let fixed = tensor.shape.iter().filter_map(|dimension| match *dimension {
        Dimension::Fixed(len) => Some(len),
        Dimension::Open { .. } => None,
    });
    let is_open = tensor.shape.iter().any(|dimension| matches!(dimension, Dimension::Open { .. }));
    let step = fixed.fold(size_of_element(tensor.element), usize::saturating_mul);
    match (is_open, step) {
        (false, _) | (_, 0) => equal("the content of a tensor", bytes, max),
        _ => equal("what is left over of a tensor", bytes % step, 0),
    }
}

/// Whether these bytes are a frame of this format.
pub(crate) fn check(format: &Format, count: usize, content: &[u8]) -> Result<(), WireError> {
    check_size(format, count, content.len())?;
    if let Format::Event(event) = format { check_event(event, content) } else { Ok(()) }
}

/// Fields that vary in length must lie inside, and be no longer than they may.
fn check_event(event: &EventFormat, content: &[u8]) -> Result<(), WireError> {
    let slots = content[EVENT_HEAD..].chunks_exact(8);
    for (n, (field, slot)) in event.fields.iter().zip(slots).enumerate() {
        let is_there = content[n / 8] >> (n % 8) & 1 == 1;
        let (FieldKind::Text { .. } | FieldKind::Bytes { .. } | FieldKind::Floats { .. }, true) =
            (field.kind, is_there)
        else {
            continue;
        };
        let slot = u64::from_le_bytes(slot.try_into().expect("eight bytes"));
        let (at, len) = ((slot & 0xffff_ffff) as usize, (slot >> 32) as usize);
        at_most("a field of an event", len, room(field.kind).unwrap_or(CONTENT_MAX))?;
        at_most("the end of a field", at.saturating_add(len), content.len())?;
        if at < EVENT_HEAD + 8 * event.fields.len() && len > 0 {
            return Err(WireError::Unknown { what: "the place of a field", is: at as u64 });
        }
    }
    Ok(())
}

fn at_most(what: &'static str, is: usize, max: usize) -> Result<(), WireError> {
    if is <= max {
        Ok(())
    } else {
        Err(WireError::TooLong { what, is: is as u64, max: max as u64 })
    }
}

fn equal(what: &'static str, is: usize, wanted: usize) -> Result<(), WireError> {
    let differs = WireError::Differs { what, is: is as u64, wanted: wanted as u64 };
    if is == wanted { Ok(()) } else { Err(differs) }
}
