//! What a service's answer becomes: an event with declared fields, or numbers as they lie in memory.

use engine::{Buffer, EventFormat, EventWriter, Fault, Field, FieldKind, Format};
use serde_json::Value;

use crate::names::kept;

/// Longest text, and most numbers, of a field.
const TEXT_BYTES_MAX: usize = 1 << 10;
const NUMBERS_MAX: usize = 4 << 10;
/// Fields an event can have.
const FIELDS_MAX: usize = 64;

/// The words for types of fields.
pub(crate) const TYPES: &str = "number, integer, text, bool or numbers";

/// The field that `label: text` declares, or what is wrong with it.
fn field(written: &str) -> Result<Field, String> {
    let (name, word) = written.split_once(':').unwrap_or((written, "number"));
    let (name, word) = (name.trim(), word.trim());
    let kind = match word {
        "number" => FieldKind::F64,
        "integer" => FieldKind::I64,
        "bool" => FieldKind::Bool,
        "text" => FieldKind::Text { max: TEXT_BYTES_MAX },
        "numbers" => FieldKind::Floats { max: NUMBERS_MAX },
        _ => return Err(format!("{written:?} has the type `{word}`, which is none of {TYPES}")),
    };
    if name.is_empty() {
        return Err(format!("{written:?} has no name"));
    }
    Ok(Field { name: kept(name), kind })
}

/// The fields that are declared, or what is wrong with them.
pub(crate) fn fields(written: &[&str]) -> Result<Vec<Field>, String> {
    if written.is_empty() || written.len() > FIELDS_MAX {
        return Err(format!("`fields` has {} entries, not 1 to {FIELDS_MAX}", written.len()));
    }
    let mut fields: Vec<Field> = Vec::new();
    for written in written {
        let field = field(written)?;
        if fields.iter().any(|other| other.name == field.name) {
            return Err(format!("`fields` names `{}` twice", field.name));
        }
        fields.push(field);
    }
    Ok(fields)
}

/// How an answer is read.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// An object: the declared fields of it.
    Event(EventFormat),
    /// As many `f32` as the question had samples, or as the shape says.
    Floats {
        /// Numbers; none where the question says how many.
        count: Option<usize>,
    },
}

impl Reading {
    pub(super) fn of(format: &Format, count: Option<usize>) -> Self {
        match format {
            Format::Event(event) => Self::Event((**event).clone()),
            _ => Self::Floats { count },
        }
    }

    /// The payload that the bytes of an answer mean; `asked` as many samples were in each of the channels.
    pub(super) fn read(&self, bytes: &[u8], asked: (usize, usize)) -> Result<Buffer, Fault> {
        match self {
            Self::Event(format) => {
                let value: Value = serde_json::from_slice(bytes)
                    .map_err(|error| Fault::data("the answer is no JSON").because(error))?;
                event(format, &value, "the answer")
            }
            Self::Floats { count } => {
                let (channels, len) = count.map_or(asked, |count| (1, count));
                floats(bytes, channels, len)
            }
        }
    }

    /// The payload that stands in where there is no answer, from what was written for it.
    pub(super) fn stand_in(&self, written: &str) -> Result<StandIn, String> {
        let value: Value = serde_json::from_str(written)
            .map_err(|error| format!("`fallback` is no JSON: {error}"))?;
        match self {
            Self::Event(format) => event(format, &value, "the answer")
                .map(StandIn::Event)
                .map_err(|fault| format!("`fallback` does not fit `fields`: {fault}")),
            Self::Floats { count } => value
                .as_f64()
                .map(|number| StandIn::Floats { number: number as f32, count: *count })
                .ok_or_else(|| format!("`fallback` is {}, not a number", word(&value))),
        }
    }
}

/// What stands in where there is no answer.
#[derive(Clone, Debug)]
pub(super) enum StandIn {
    Event(Buffer),
    Floats { number: f32, count: Option<usize> },
}

impl StandIn {
    pub(super) fn buffer(&self, asked: (usize, usize)) -> Buffer {
        match self {
            Self::Event(buffer) => buffer.clone(),
            Self::Floats { number, count } => {
                let (channels, len) = count.map_or(asked, |count| (1, count));
                let mut buffer = Buffer::signal(channels, len);
                buffer.floats_mut().expect("fresh").fill(*number);
                buffer
            }
        }
    }
}

fn floats(bytes: &[u8], channels: usize, len: usize) -> Result<Buffer, Fault> {
    let count = channels * len;
    if bytes.len() != 4 * count {
        let got = bytes.len();
        return Err(Fault::data(format!(
            "the answer has {got} bytes, but {count} numbers of f32 have {}",
            4 * count
        )));
    }
    let mut buffer = Buffer::with_bytes(bytes.len(), len);
    buffer.bytes_mut().expect("fresh").copy_from_slice(bytes);
    Ok(buffer)
}

/// The event that an object means; `whose` it is stands in what is wrong with it.
pub(crate) fn event(format: &EventFormat, value: &Value, whose: &str) -> Result<Buffer, Fault> {
    let Value::Object(object) = value else {
        return Err(Fault::data(format!("{whose} is {}, not an object", word(value))));
    };
    let mut event = EventWriter::new(format);
    for (n, field) in format.fields.iter().enumerate() {
        let Some(value) = object.get(field.name).filter(|value| !value.is_null()) else { continue };
        let wrong = || {
            let (name, is) = (field.name, word(value));
            Fault::data(format!("field `{name}` of {whose} is {is}, not {}", type_of(field.kind)))
        };
        event = match field.kind {
            FieldKind::F64 => event.f64(n, value.as_f64().ok_or_else(wrong)?),
            FieldKind::I64 => event.i64(n, value.as_i64().ok_or_else(wrong)?),
            FieldKind::Bool => event.bool(n, value.as_bool().ok_or_else(wrong)?),
            FieldKind::Text { .. } => event.text(n, value.as_str().ok_or_else(wrong)?),
            FieldKind::Floats { .. } => {
                let list = value.as_array().ok_or_else(wrong)?;
                let numbers: Option<Vec<f32>> =
                    list.iter().map(|number| number.as_f64().map(|number| number as f32)).collect();
                event.floats(n, &numbers.ok_or_else(wrong)?)
            }
            FieldKind::Bytes { .. } => return Err(wrong()),
        };
    }
    Ok(event.finish())
}

pub(crate) const fn type_of(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "true or false",
        FieldKind::I64 => "a whole number",
        FieldKind::F64 => "a number",
        FieldKind::Text { .. } => "text",
        FieldKind::Bytes { .. } => "bytes",
        FieldKind::Floats { .. } => "a list of numbers",
    }
}

pub(crate) const fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventReader, FieldValue, Frame, Header, Timestamp};

    use super::*;

    fn format(written: &[&str]) -> EventFormat {
        EventFormat { fields: fields(written).expect("fields"), rate_max: 1.0 }
    }

    #[test]
    fn declared_fields_are_read_and_others_left() {
        let format = format(&["label: text", "score", "top: numbers", "sure: bool", "n: integer"]);
        let answer = br#"{"label":"a","score":0.5,"top":[1,2.5],"n":3,"more":{}}"#;

        let buffer = Reading::Event(format.clone()).read(answer, (1, 1)).expect("an answer");
        let frame = Frame::new(Header::at(Timestamp::ZERO), buffer);
        let event = EventReader::new(&format, &frame);
        assert_eq!(event.field(0), Some(FieldValue::Text("a")));
        assert_eq!(event.f64(1), Some(0.5));
        assert_eq!(event.field(2), Some(FieldValue::Floats(vec![1.0, 2.5])));
        assert_eq!(event.field(3), None);
        assert_eq!(event.field(4), Some(FieldValue::I64(3)));
    }

    #[test]
    fn an_answer_that_does_not_fit_says_where() {
        let reading = Reading::Event(format(&["score"]));
        let said = |answer: &[u8]| reading.read(answer, (1, 1)).unwrap_err().to_string();

        assert_eq!(said(b"[1]"), "the answer is a list, not an object");
        assert_eq!(
            said(br#"{"score":"high"}"#),
            "field `score` of the answer is text, not a number"
        );
        assert!(said(b"<html>").starts_with("the answer is no JSON: "));
    }

    #[test]
    fn numbers_must_be_as_many_as_were_asked_for() {
        let reading = Reading::Floats { count: None };
        let two: Vec<u8> = [1.0_f32, -2.0].iter().flat_map(|sample| sample.to_le_bytes()).collect();

        assert_eq!(reading.read(&two, (1, 2)).expect("two").floats(), [1.0, -2.0]);
        let said = reading.read(&two, (1, 3)).unwrap_err().to_string();
        assert_eq!(said, "the answer has 8 bytes, but 3 numbers of f32 have 12");
    }

    #[test]
    fn a_declaration_that_means_nothing_is_refused() {
        assert!(fields(&["score: float"]).unwrap_err().contains("none of number"));
        assert!(fields(&[": text"]).unwrap_err().contains("no name"));
        assert!(fields(&["a", "a: text"]).unwrap_err().contains("twice"));
    }
}
