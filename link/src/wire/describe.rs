//! Formats in words, so that two hosts can say what differs.

use std::collections::BTreeMap;

use engine::{Dimension, FieldKind, Format};

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

/// What differs between two descriptions: one line for each property, none for equal ones.
pub fn differences(ours: &[(String, String)], theirs: &[(String, String)]) -> Vec<String> {
    let as_map =
        |list: &[(String, String)]| -> BTreeMap<String, String> { list.iter().cloned().collect() };
    let (here, there) = (as_map(ours), as_map(theirs));
    let said = |value: Option<&String>| value.map_or("nothing".to_owned(), |v| format!("`{v}`"));
    let mut properties: Vec<&String> = ours.iter().map(|(property, _)| property).collect();
    properties.extend(theirs.iter().map(|(p, _)| p).filter(|&p| !here.contains_key(p)));
    let differing = properties.into_iter().filter(|&p| here.get(p) != there.get(p));
    differing
        .map(|p| format!("{p} is {} here and {} there", said(here.get(p)), said(there.get(p))))
        .collect()
}
