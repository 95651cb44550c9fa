//! Formats in words: so that two hosts can say what differs, and a file can say what is in it.

use std::{collections::BTreeMap, sync::Arc};

use crate::time::Rate;

use super::{
    Channel, Dimension, Element, Field, FieldKind, Format, ImageFormat, Pixel, SignalFormat,
    TensorFormat, Unit,
};

/// A format as properties with values, in an order of its own; equal formats have equal ones.
/// Of events, the rate to expect is left out: it sizes rings and is no part of what lies in a frame.
pub fn describe(format: &Format) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let mut say = |property: String, value: String| list.push((property, value));
    match format {
        Format::Signal(signal) => {
            say("kind".into(), "signal".into());
            // As Rust writes it, which reads back to the same bits.
            say("rate_hz".into(), signal.rate.hz().to_string());
            say("frame_len".into(), signal.frame_len.to_string());
            say("channels".into(), signal.channels.len().to_string());
            for (n, channel) in signal.channels.iter().enumerate() {
                say(format!("channel {n}"), channel.name.clone());
                say(format!("unit of channel {n}"), channel.unit.to_string());
            }
        }
        Format::Image(image) => {
            say("kind".into(), "image".into());
            say("rate_hz".into(), image.rate.hz().to_string());
            say("width".into(), image.width.to_string());
            say("height".into(), image.height.to_string());
            say("pixel".into(), format!("{:?}", image.pixel).to_lowercase());
        }
        Format::Tensor(tensor) => {
            say("kind".into(), "tensor".into());
            say("element".into(), format!("{:?}", tensor.element).to_lowercase());
            say("dimensions".into(), tensor.shape.len().to_string());
            for (n, dimension) in tensor.shape.iter().enumerate() {
                let size = match dimension {
                    Dimension::Fixed(len) => len.to_string(),
                    Dimension::Open { max } => format!("at most {max}"),
                };
                say(format!("dimension {n}"), size);
            }
        }
        Format::Event(event) => {
            say("kind".into(), "event".into());
            say("fields".into(), event.fields.len().to_string());
            for (n, field) in event.fields.iter().enumerate() {
                let kind = match field.kind {
                    FieldKind::Bool => "bool".to_owned(),
                    FieldKind::I64 => "i64".to_owned(),
                    FieldKind::F64 => "f64".to_owned(),
                    FieldKind::Text { max } => format!("text of at most {max} bytes"),
                    FieldKind::Bytes { max } => format!("at most {max} bytes"),
                    FieldKind::Floats { max } => format!("at most {max} floats"),
                };
                say(format!("field {n}"), field.name.to_owned());
                say(format!("type of field {n}"), kind);
            }
        }
    }
    list
}

/// What differs between two descriptions: one line for each property, none for equal ones. Where the first and
/// the second are, the two last words say, such as `here` and `there`.
pub fn differences(
    ours: &[(String, String)],
    theirs: &[(String, String)],
    [one, other]: [&str; 2],
) -> Vec<String> {
    let as_map =
        |list: &[(String, String)]| -> BTreeMap<String, String> { list.iter().cloned().collect() };
    let (here, there) = (as_map(ours), as_map(theirs));
    let said = |value: Option<&String>| value.map_or("nothing".to_owned(), |v| format!("`{v}`"));
    let mut properties: Vec<&String> = ours.iter().map(|(property, _)| property).collect();
    properties.extend(theirs.iter().map(|(p, _)| p).filter(|&p| !here.contains_key(p)));
    let differing = properties.into_iter().filter(|&p| here.get(p) != there.get(p));
    differing
        .map(|p| format!("{p} is {} {one} and {} {other}", said(here.get(p)), said(there.get(p))))
        .collect()
}

/// What a frame of a description may have, in bytes or values: numbers that are read are multiplied.
const PARSED_MAX: usize = 1 << 30;

/// The product of numbers that are read, unless nobody has such frames.
fn bounded(numbers: impl IntoIterator<Item = usize>) -> Option<usize> {
    let product = numbers.into_iter().try_fold(1_usize, usize::checked_mul)?;
    (product <= PARSED_MAX).then_some(product)
}

/// The format of a description, for tools that have no graph; `None` where it is of no format that is
/// known here, or of one whose frames nobody could hold. Names of an event's fields live until the process ends, so this is not for what another
/// host sends.
pub fn parse_format(description: &[(String, String)]) -> Option<Format> {
    let all: BTreeMap<&str, &str> =
        description.iter().map(|(property, value)| (&**property, &**value)).collect();
    let number = |property: &str| all.get(property)?.parse::<usize>().ok();
    // A list has a line for each of its members, so a number that was made up ends soon.
    let list = |property: &str| number(property).filter(|&count| count <= description.len());
    let rate = || Rate::new(all.get("rate_hz")?.parse().ok()?);
    match *all.get("kind")? {
        "signal" => {
            let channel = |n: usize| {
                let name = (*all.get(&*format!("channel {n}"))?).to_owned();
                let unit = Unit::named(all.get(&*format!("unit of channel {n}"))?);
                Some(Channel { name, unit })
            };
            let channels = (0..list("channels")?).map(channel).collect::<Option<Vec<_>>>()?;
            let (rate, frame_len) = (rate()?, number("frame_len")?);
            bounded([channels.len().max(1), frame_len, size_of::<f32>()])?;
            Some(Format::Signal(Arc::new(SignalFormat { channels, rate, frame_len })))
        }
        "image" => {
            let pixel = match *all.get("pixel")? {
                "gray8" => Pixel::Gray8,
                "rgb8" => Pixel::Rgb8,
                _ => return None,
            };
            let (width, height, rate) = (number("width")?, number("height")?, rate()?);
            bounded([width, height, 4])?;
            Some(Format::Image(Arc::new(ImageFormat { width, height, pixel, rate })))
        }
        "tensor" => {
            let element = match *all.get("element")? {
                "f32" => Element::F32,
                "i64" => Element::I64,
                "u8" => Element::U8,
                _ => return None,
            };
            let dimension = |n: usize| {
                let size = all.get(&*format!("dimension {n}"))?;
                match size.strip_prefix("at most ") {
                    Some(max) => Some(Dimension::Open { max: max.parse().ok()? }),
                    None => Some(Dimension::Fixed(size.parse().ok()?)),
                }
            };
            let shape = (0..list("dimensions")?).map(dimension).collect::<Option<Vec<_>>>()?;
            let most = |dimension: &Dimension| match *dimension {
                Dimension::Open { max: size } | Dimension::Fixed(size) => size,
            };
            bounded(shape.iter().map(most).chain([size_of::<i64>()]))?;
            Some(Format::Tensor(Arc::new(TensorFormat { element, shape })))
        }
        "event" => {
            let field = |n: usize| {
                let name = (*all.get(&*format!("field {n}"))?).to_owned();
                let kind = parse_kind(all.get(&*format!("type of field {n}"))?)?;
                Some(Field { name: Box::leak(name.into_boxed_str()), kind })
            };
            let fields = (0..list("fields")?).map(field).collect::<Option<Vec<_>>>()?;
            // As many fields of the largest size.
            let largest = fields.iter().map(|field| match field.kind {
                FieldKind::Text { max } | FieldKind::Bytes { max } => max,
                FieldKind::Floats { max } => max.saturating_mul(size_of::<f32>()),
                _ => size_of::<f64>(),
            });
            bounded([largest.max().unwrap_or(0), fields.len()])?;
            Some(Format::event(fields, 1.0))
        }
        _ => None,
    }
}

fn parse_kind(kind: &str) -> Option<FieldKind> {
    let max = |unit: &str| kind.strip_prefix("at most ")?.strip_suffix(unit)?.parse().ok();
    let text = |kind: &str| {
        kind.strip_prefix("text of at most ")?.strip_suffix(" bytes")?.parse::<usize>().ok()
    };
    match kind {
        "bool" => Some(FieldKind::Bool),
        "i64" => Some(FieldKind::I64),
        "f64" => Some(FieldKind::F64),
        _ => (text(kind).map(|max| FieldKind::Text { max }))
            .or_else(|| max(" bytes").map(|max| FieldKind::Bytes { max }))
            .or_else(|| max(" floats").map(|max| FieldKind::Floats { max })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_nobody_could_hold_are_none() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
            parse_format(&pairs.collect::<Vec<_>>())
        };
        let image = |width| {
            let size = [("width", width), ("height", "480"), ("rate_hz", "30")];
            read(&[&[("kind", "image"), ("pixel", "rgb8")], &size[..]].concat())
        };
        assert!(image("640").is_some());
        let event = |kind: String| {
            let field = [("fields", "1"), ("field 0", "a"), ("type of field 0", &*kind)];
            read(&[&[("kind", "event")], &field[..]].concat())
        };
        assert!(event("text of at most 80 bytes".to_owned()).is_some());
        let tensor = |size| {
            read(&[
                ("kind", "tensor"),
                ("element", "u8"),
                ("dimensions", "1"),
                ("dimension 0", size),
            ])
        };
        assert!(tensor("at most 100").is_some());
        for large in ["3000000000", "18446744073709551615"] {
            assert!(image(large).is_none() && tensor(large).is_none(), "{large}");
            for kind in ["text of at most {} bytes", "at most {} floats"] {
                assert!(event(kind.replace("{}", large)).is_none(), "{kind} {large}");
            }
        }
    }
}
