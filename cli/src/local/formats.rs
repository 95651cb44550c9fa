//! Formats in words that travel, and back.

#[cfg(unix)]
use std::sync::Arc;

#[cfg(unix)]
use engine::{Channel, EventFormat, Field, ImageFormat, Rate, SignalFormat, TensorFormat, Unit};
use engine::{Dimension, Element, FieldKind, Format, Pixel};

use super::message::TapFormat;

/// What is said of a format.
pub(crate) fn told(format: &Format) -> TapFormat {
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

#[cfg(unix)]
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
#[cfg(unix)]
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
