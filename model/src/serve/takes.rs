//! What a question is: read from JSON, or from numbers as they lie in memory.

use std::sync::Arc;

use engine::{
    Buffer, Channel, Code, Diagnostic, Dimension, Element, Format, Node, Param, Rate, SignalFormat,
    TensorFormat, Unit,
};
use serde_json::{Value, json};

use crate::{
    names::kept,
    remote::answer::{event, fields, type_of, word},
};

pub(super) const FIELDS: Param<&[&str]> =
    Param::optional("fields", "Fields of a question, as \"name: type\"; it is an event then.");
pub(super) const SHAPE: Param<&[f64]> = Param::optional(
    "shape",
    "Lengths of a question's dimensions, outermost first; it is a tensor of f32 then.",
)
.within(1.0, 1e8);
pub(super) const CHANNELS: Param<&[&str]> =
    Param::optional("channels", "Names of a question's channels; it is a piece of a signal then.");
pub(super) const RATE_HZ: Param<f64> =
    Param::optional("rate_hz", "Samples per second of each of `channels`.").within(1e-6, 1e9);
pub(super) const SAMPLES_MAX: Param<i64> = Param::optional(
    "samples_max",
    "Most samples of each channel in a question; unless said otherwise ten seconds of them.",
)
.within(1.0, 1e8);

/// Most numbers of a question.
const NUMBERS_MAX: usize = 1 << 28;
/// Characters of a number in JSON, its comma and space included, at most where somebody is careful.
const JSON_NUMBER: usize = 32;
/// Room for keys, brackets and whatever else stands around.
const JSON_AROUND: usize = 4 << 10;

/// What a question is.
#[derive(Clone, Debug)]
pub(super) struct Takes {
    pub(super) format: Format,
}

impl Takes {
    /// From `fields`, `shape` or `channels`. Rings are sized for `per_second` events.
    pub(super) fn of(node: &Node<'_>, per_second: f64) -> Result<Self, Diagnostic> {
        let sorts = (
            node.get_optional(&FIELDS)?,
            node.get_optional(&SHAPE)?,
            node.get_optional(&CHANNELS)?,
        );
        let format = match sorts {
            (Some(written), None, None) => {
                let fields = fields(&written).map_err(|why| {
                    let problem = node.problem(Code::OutOfRange, FIELDS.name(), why);
                    problem.hint("write such as [\"text: text\", \"level: number\"]")
                })?;
                Format::event(fields, per_second)
            }
            (None, Some(lens), None) => tensor(node, &lens)?,
            (None, None, Some(names)) => signal(node, &names)?,
            (None, None, None) => {
                let message = "nothing says what a question is";
                let problem = Diagnostic::error(Code::MissingParameter, message);
                let hint = "write `shape = [1, 250]` for a tensor, `fields = [\"text: text\"]` for \
                            an event, or `channels` and `rate_hz` for a signal";
                return Err(problem.hint(hint));
            }
            (fields, shape, _) => {
                let param = match (fields, shape) {
                    (Some(_), Some(_)) | (None, Some(_)) => SHAPE.name(),
                    _ => CHANNELS.name(),
                };
                let message = "`fields`, `shape` and `channels` are different sorts of questions";
                let problem = node.problem(Code::OutOfRange, param, message);
                return Err(problem.hint("keep one of them"));
            }
        };
        if !matches!(format, Format::Signal(_)) {
            for (param, is_written) in [
                (RATE_HZ.name(), node.get_optional(&RATE_HZ)?.is_some()),
                (SAMPLES_MAX.name(), node.get_optional(&SAMPLES_MAX)?.is_some()),
            ] {
                if is_written {
                    let message = format!("`{param}` is said of a question without `channels`");
                    let problem = node.problem(Code::OutOfRange, param, message);
                    return Err(problem.hint("leave it out, or name the `channels` of a signal"));
                }
            }
        }
        Ok(Self { format })
    }

    /// Bytes that no well-meant question exceeds.
    pub(super) fn bytes_max(&self) -> usize {
        match &self.format {
            Format::Event(event) => {
                let most = event.fields.iter().map(|field| match field.kind {
                    // Each character may be escaped: \u1234.
                    engine::FieldKind::Text { max } => 6 * max,
                    engine::FieldKind::Floats { max } => JSON_NUMBER * max,
                    _ => JSON_NUMBER,
                });
                most.sum::<usize>() + JSON_AROUND + 64 * event.fields.len()
            }
            _ => JSON_NUMBER * self.numbers_max() + JSON_AROUND,
        }
    }

    fn numbers_max(&self) -> usize {
        match &self.format {
            Format::Signal(signal) => signal.channels.len() * signal.frame_len,
            Format::Tensor(tensor) => shape_of(tensor).iter().product(),
            Format::Image(_) | Format::Event(_) => 0,
        }
    }

    /// The payload that JSON means, or what is wrong with it.
    pub(super) fn read_json(&self, bytes: &[u8]) -> Result<Buffer, String> {
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("the body is no JSON: {error}"))?;
        match &self.format {
            Format::Event(format) => {
                event(format, &value, "the question").map_err(|fault| fault.to_string())
            }
            Format::Tensor(tensor) => {
                let values = value.get("values").unwrap_or(&value);
                let mut numbers = Vec::with_capacity(self.numbers_max());
                nested(values, &shape_of(tensor), &mut numbers)?;
                Ok(floats(1, numbers.len(), &numbers))
            }
            Format::Signal(signal) => {
                let samples = value.get("samples").unwrap_or(&value);
                let planes = planes(samples, signal)?;
                let len = planes.len() / signal.channels.len();
                Ok(floats(signal.channels.len(), len, &planes))
            }
            Format::Image(_) => Err("pictures are not taken".to_owned()),
        }
    }

    /// The payload that numbers as they lie in memory mean; `shape` is what the caller says of it.
    pub(super) fn read_raw(&self, bytes: &[u8], shape: Option<&str>) -> Result<Buffer, String> {
        let (channels, len) = match &self.format {
            Format::Event(_) => return Err("the body is numbers, not an object".to_owned()),
            Format::Image(_) => return Err("pictures are not taken".to_owned()),
            Format::Tensor(tensor) => {
                let want = shape_of(tensor);
                let count: usize = want.iter().product();
                if bytes.len() != 4 * count {
                    return Err(format!(
                        "the body has {} bytes, but {count} numbers of f32 have {}",
                        bytes.len(),
                        4 * count
                    ));
                }
                self.check_shape(shape, &want)?;
                (1, count)
            }
            Format::Signal(signal) => {
                let channels = signal.channels.len();
                let len = bytes.len() / (4 * channels);
                if len == 0 || len > signal.frame_len || bytes.len() != 4 * channels * len {
                    return Err(format!(
                        "the body has {} bytes, not 1 to {} samples of f32 for each of {channels} \
                         channels",
                        bytes.len(),
                        signal.frame_len
                    ));
                }
                self.check_shape(shape, &[channels, len])?;
                (channels, len)
            }
        };
        let mut buffer = Buffer::signal(channels, len);
        let to = buffer.floats_mut().expect("fresh");
        for (to, from) in to.iter_mut().zip(bytes.chunks_exact(4)) {
            *to = f32::from_le_bytes(from.try_into().expect("four bytes"));
        }
        Ok(buffer)
    }

    fn check_shape(&self, said: Option<&str>, want: &[usize]) -> Result<(), String> {
        let Some(said) = said else { return Ok(()) };
        let lens: Option<Vec<usize>> = said.split(',').map(|len| len.trim().parse().ok()).collect();
        if lens.as_deref() == Some(want) {
            return Ok(());
        }
        let want: Vec<_> = want.iter().map(usize::to_string).collect();
        Err(format!("`afferent-shape` is {said:?}, not {:?}", want.join(",")))
    }

    /// What a question is, for whoever asks what to ask.
    pub(super) fn describe(&self) -> Value {
        describe(&self.format, true)
    }
}

/// A format, for people and programs that talk to a graph.
pub(super) fn describe(format: &Format, is_question: bool) -> Value {
    let raw = "application/octet-stream: f32 little-endian";
    match format {
        Format::Event(event) => {
            let fields = event.fields.iter();
            let fields = fields.map(|field| (field.name.to_owned(), type_of(field.kind).into()));
            json!({ "json": "an object", "fields": serde_json::Map::from_iter(fields) })
        }
        Format::Tensor(tensor) => {
            let shape: Vec<Value> = tensor.shape.iter().map(dimension).collect();
            json!({ "json": "`values`: lists of numbers, nested by `shape`", "raw": raw, "shape": shape })
        }
        Format::Signal(signal) => {
            let names: Vec<_> = signal.channels.iter().map(|channel| &channel.name).collect();
            let samples = if is_question { signal.frame_len.into() } else { Value::Null };
            json!({
                "json": "`samples`: a list of numbers for each channel, by its name",
                "raw": format!("{raw}, channel after channel"),
                "channels": names, "rate_hz": signal.rate.hz(), "samples_max": samples,
            })
        }
        Format::Image(image) => {
            json!({ "raw": "pixels", "width": image.width, "height": image.height })
        }
    }
}

fn dimension(dimension: &Dimension) -> Value {
    match dimension {
        Dimension::Fixed(len) => (*len).into(),
        Dimension::Open { max } => format!("up to {max}").into(),
    }
}

fn tensor(node: &Node<'_>, lens: &[f64]) -> Result<Format, Diagnostic> {
    let count: f64 = lens.iter().product();
    if lens.is_empty() || lens.iter().any(|len| len.fract() != 0.0) || count > NUMBERS_MAX as f64 {
        let message = format!("`shape` = {lens:?} is no shape of 1 to {NUMBERS_MAX} numbers");
        let problem = node.problem(Code::OutOfRange, SHAPE.name(), message);
        return Err(problem.hint("write whole lengths, such as [1, 250]"));
    }
    let shape = lens.iter().map(|&len| Dimension::Fixed(len as usize)).collect();
    Ok(Format::Tensor(Arc::new(TensorFormat { element: Element::F32, shape })))
}

fn signal(node: &Node<'_>, names: &[&str]) -> Result<Format, Diagnostic> {
    let rate = node.get_optional(&RATE_HZ)?.and_then(Rate::new).ok_or_else(|| {
        let message = "`channels` have no `rate_hz`";
        let problem = node.problem(Code::MissingParameter, CHANNELS.name(), message);
        problem.hint("write how many samples per second they have, such as `rate_hz = 250.0`")
    })?;
    if names.is_empty() || names.len() > 1_024 {
        let message = format!("`channels` names {}, not 1 to 1024", names.len());
        return Err(node.problem(Code::OutOfRange, CHANNELS.name(), message));
    }
    for (n, name) in names.iter().enumerate() {
        if name.is_empty() || names[..n].contains(name) {
            let message = format!("`channels` names {name:?} twice, or it is no name");
            let problem = node.problem(Code::OutOfRange, CHANNELS.name(), message);
            return Err(problem.hint("give each channel a name of its own"));
        }
    }
    let ten_seconds = (10.0 * rate.hz()).ceil().max(1.0);
    let most = node.get_optional(&SAMPLES_MAX)?.map_or(ten_seconds, |most| most as f64);
    if most * names.len() as f64 > NUMBERS_MAX as f64 {
        let message = format!("a question of {most} samples of each channel is too long");
        let problem = node.problem(Code::OutOfRange, SAMPLES_MAX.name(), message);
        return Err(problem.hint(format!("choose at most {}", NUMBERS_MAX / names.len())));
    }
    let channel = |name: &&str| Channel { name: kept(name).to_owned(), unit: Unit::UNKNOWN };
    let channels = names.iter().map(channel).collect();
    Ok(Format::Signal(Arc::new(SignalFormat { channels, rate, frame_len: most as usize })))
}

fn shape_of(tensor: &TensorFormat) -> Vec<usize> {
    let len = |dimension: &Dimension| match dimension {
        Dimension::Fixed(len) | Dimension::Open { max: len } => *len,
    };
    tensor.shape.iter().map(len).collect()
}

fn floats(channels: usize, len: usize, numbers: &[f32]) -> Buffer {
    let mut buffer = Buffer::signal(channels, len);
    buffer.floats_mut().expect("fresh").copy_from_slice(numbers);
    buffer
}

/// Numbers nested by a shape, or all in one list.
fn nested(value: &Value, shape: &[usize], into: &mut Vec<f32>) -> Result<(), String> {
    let count: usize = shape.iter().product();
    let list =
        value.as_array().ok_or_else(|| format!("`values` is {}, not a list", word(value)))?;
    let is_flat = list.first().is_none_or(|first| !first.is_array());
    if is_flat && (list.len() == count || shape.len() == 1) {
        if list.len() != count {
            return Err(format!("`values` has {} numbers, not {count}", list.len()));
        }
        return list.iter().try_for_each(|value| number(value).map(|number| into.push(number)));
    }
    let (&len, inner) = shape.split_first().expect("a shape has lengths");
    if is_flat || list.len() != len {
        return Err(format!("`values` has a list of {} where the shape says {len}", list.len()));
    }
    list.iter().try_for_each(|value| nested(value, inner, into))
}

/// The samples of all channels, one channel after the other.
fn planes(value: &Value, signal: &SignalFormat) -> Result<Vec<f32>, String> {
    let lists: Vec<(&str, &Value)> = match value {
        Value::Object(object) => {
            let of = |channel: &Channel| {
                let samples = object.get(&channel.name);
                let missing = || format!("`samples` lacks the channel `{}`", channel.name);
                Ok((
                    object.get_key_value(&channel.name).map_or("", |(key, _)| key),
                    samples.ok_or_else(missing)?,
                ))
            };
            signal.channels.iter().map(of).collect::<Result<_, String>>()?
        }
        Value::Array(list) if list.first().is_some_and(Value::is_array) => {
            if list.len() != signal.channels.len() {
                let want = signal.channels.len();
                return Err(format!("`samples` has {} channels, not {want}", list.len()));
            }
            let names = signal.channels.iter().map(|channel| channel.name.as_str());
            names.zip(list).collect()
        }
        Value::Array(_) if signal.channels.len() == 1 => {
            vec![(signal.channels[0].name.as_str(), value)]
        }
        _ => return Err(format!("`samples` is {}, not a list for each channel", word(value))),
    };
    let mut samples = Vec::new();
    let mut len = None;
    for (name, list) in lists {
        let list =
            list.as_array().ok_or_else(|| format!("`{name}` is {}, not a list", word(list)))?;
        let want = *len.get_or_insert(list.len());
        if list.len() != want || list.is_empty() || list.len() > signal.frame_len {
            let most = signal.frame_len;
            return Err(format!(
                "`{name}` has {} samples; every channel has as many, 1 to {most}",
                list.len()
            ));
        }
        for value in list {
            samples.push(number(value)?);
        }
    }
    Ok(samples)
}

/// JSON has no word for NaN but null.
fn number(value: &Value) -> Result<f32, String> {
    match value {
        Value::Null => Ok(f32::NAN),
        _ => value
            .as_f64()
            .map(|number| number as f32)
            .ok_or_else(|| format!("{} stands where a number should", word(value))),
    }
}
