//! What a frame looks like outside a graph: JSON, or the numbers as they lie in memory.

use engine::{
    Dimension, Element, EventFormat, EventReader, Fault, FieldValue, Format, Frame, SignalFormat,
    TensorFormat,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Number, Value, json};

/// A frame as one object: as `jsonl` writes it, without `node`. None for pictures, whose pixels go raw
/// only.
pub(crate) fn json(format: &Format, frame: &Frame) -> Option<Value> {
    let mut object = Map::new();
    object.insert("t_s".to_owned(), seconds(frame.header.time.nanos()));
    match format {
        Format::Event(format) => event(format, frame, &mut object),
        Format::Signal(format) => signal(format, frame, &mut object),
        Format::Tensor(format) => tensor(format, frame, &mut object)?,
        Format::Image(_) => return None,
    }
    Some(Value::Object(object))
}

/// Body and headers of a message that a frame becomes.
pub(crate) fn written(
    format: &Format,
    frame: &Frame,
    is_json: bool,
) -> Result<(Vec<u8>, HeaderMap), Fault> {
    let mut headers = HeaderMap::new();
    if is_json {
        let value =
            json(format, frame).ok_or(Fault::new("the frame is not of the shape of its format"))?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok((value.to_string().into_bytes(), headers));
    }
    let (element, shape) = match format {
        Format::Signal(signal) => ("f32", vec![signal.channels.len(), frame.len()]),
        Format::Image(image) => {
            let bytes = frame.buffer().bytes_len() / (image.width * image.height).max(1);
            ("u8", vec![image.height, image.width, bytes])
        }
        Format::Tensor(tensor) => {
            let shape = shape(tensor, frame)
                .ok_or(Fault::new("the frame is not of the shape of its format"))?;
            let element = match tensor.element {
                Element::F32 => "f32",
                Element::I64 => "i64",
                Element::U8 => "u8",
            };
            (element, shape)
        }
        Format::Event(_) => return Err(Fault::new("events are sent as JSON only")),
    };
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut say = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("digits and commas");
        headers.insert(HeaderName::from_static(name), value);
    };
    say("afferent-type", element);
    say("afferent-shape", &shape.join(","));
    say("afferent-time-ns", &frame.header.time.nanos().to_string());
    if let Some(rate) = format.rate() {
        say("afferent-rate-hz", &rate.hz().to_string());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok((frame.buffer().bytes().to_vec(), headers))
}

fn event(format: &EventFormat, frame: &Frame, object: &mut Map<String, Value>) {
    let event = EventReader::new(format, frame);
    if event.duration_ns() != 0 {
        object.insert("duration_s".to_owned(), seconds(event.duration_ns()));
    }
    for (n, field) in format.fields.iter().enumerate() {
        let Some(value) = event.field(n) else { continue };
        let value = match value {
            FieldValue::Bool(yes) => Value::Bool(yes),
            FieldValue::I64(number) => number.into(),
            FieldValue::F64(number) => finite(number),
            FieldValue::Text(text) => text.into(),
            FieldValue::Bytes(bytes) => bytes.to_vec().into(),
            FieldValue::Floats(samples) => list(&samples),
        };
        object.insert(field.name.to_owned(), value);
    }
}

fn signal(format: &SignalFormat, frame: &Frame, object: &mut Map<String, Value>) {
    object.insert("rate_hz".to_owned(), format.rate.hz().into());
    let channels = format.channels.iter().enumerate();
    let samples: Map<String, Value> =
        channels.map(|(n, channel)| (channel.name.clone(), list(frame.channel(n)))).collect();
    object.insert("samples".to_owned(), samples.into());
}

fn tensor(format: &TensorFormat, frame: &Frame, object: &mut Map<String, Value>) -> Option<()> {
    let shape = shape(format, frame)?;
    let values: Vec<Value> = match format.element {
        Element::F32 => frame.samples().iter().map(|&sample| single(sample)).collect(),
        Element::U8 => frame.buffer().bytes().iter().map(|&byte| byte.into()).collect(),
        Element::I64 => {
            let whole = frame.buffer().bytes().chunks_exact(8);
            whole
                .map(|raw| i64::from_le_bytes(raw.try_into().expect("eight bytes")).into())
                .collect()
        }
    };
    object.insert("shape".to_owned(), json!(shape));
    object.insert("values".to_owned(), nested(&shape, &values));
    Some(())
}

/// The shape of the tensor in a frame, where one dimension at most is open.
pub(crate) fn shape(format: &TensorFormat, frame: &Frame) -> Option<Vec<usize>> {
    let bytes = match format.element {
        Element::F32 => 4,
        Element::I64 => 8,
        Element::U8 => 1,
    };
    let values = frame.buffer().bytes_len() / bytes;
    let fixed = format.shape.iter().filter_map(|dimension| match dimension {
        Dimension::Fixed(len) => Some(*len),
        Dimension::Open { .. } => None,
    });
    let open = values / fixed.product::<usize>().max(1);
    let lens: Vec<usize> = format
        .shape
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(len) => *len,
            Dimension::Open { .. } => open,
        })
        .collect();
    (lens.iter().product::<usize>() == values).then_some(lens)
}

/// Values as lists of lists, the outermost dimension first.
fn nested(shape: &[usize], values: &[Value]) -> Value {
    match shape {
        [] => values.first().cloned().unwrap_or(Value::Null),
        [_] => values.into(),
        [len, inner @ ..] => {
            let part = values.len() / len.max(&1);
            values
                .chunks(part.max(1))
                .map(|values| nested(inner, values))
                .collect::<Vec<_>>()
                .into()
        }
    }
}

fn list(samples: &[f32]) -> Value {
    samples.iter().map(|&sample| single(sample)).collect::<Vec<_>>().into()
}

/// A sample in its shortest form that reads as the same sample.
fn single(sample: f32) -> Value {
    let shortest = sample.to_string().parse::<f64>();
    finite(shortest.unwrap_or(f64::NAN))
}

/// JSON has no word for NaN and infinity.
fn finite(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn seconds(nanos: i64) -> Value {
    finite(nanos as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use engine::{Buffer, Rate, Timestamp, Unit};

    use super::*;

    #[test]
    fn a_signal_has_its_samples_by_channel() {
        let format = Format::signal(2, Unit::MILLIVOLT, Rate::new(250.0).expect("a rate"), 4);
        let frame =
            Frame::signal(Timestamp::from_nanos(1_500_000_000), 2, &[0.1, 2.0, f32::NAN, 4.0]);

        let want = json!({
            "t_s": 1.5, "rate_hz": 250.0, "samples": { "0": [0.1, 2.0], "1": [null, 4.0] }
        });
        assert_eq!(json(&format, &frame), Some(want));
    }

    #[test]
    fn a_tensor_is_nested_by_its_shape() {
        let shape = vec![Dimension::Fixed(2), Dimension::Open { max: 8 }];
        let tensor = TensorFormat { element: Element::F32, shape };
        let frame = Frame::signal(Timestamp::ZERO, 1, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

        let format = Format::Tensor(tensor.into());
        let got = json(&format, &frame).expect("a tensor");
        assert_eq!(got["shape"], json!([2, 3]));
        assert_eq!(got["values"], json!([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    }

    #[test]
    fn a_tensor_that_does_not_fill_its_shape_has_none() {
        let shape = vec![Dimension::Fixed(4), Dimension::Open { max: 8 }];
        let tensor = TensorFormat { element: Element::F32, shape };
        let frame = Frame::new(engine::Header::at(Timestamp::ZERO), Buffer::signal(1, 6));

        assert_eq!(super::shape(&tensor, &frame), None);
    }
}
