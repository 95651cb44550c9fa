//! `jsonl`: one line of JSON per frame.
//!
//! ```text
//! {"node":"beats","t_s":12.3456,"rr_ms":812.5,"heart_rate_bpm":73.8}
//! ```
//!
//! `node` is where the frame comes from, `t_s` its time on the session's line,
//! exact to the nanosecond; then the fields of the event that are there, or for
//! signals the `rate_hz` and the `samples` of each channel by name; for tensors of f32 their `shape` and
//! their `values`, list in list. With several
//! sessions a line carries `"session"`. A number that is not finite is `null`.
//!
//! Lines go to `file`, else to standard output; see [`crate::lines`]. Sessions beyond the first
//! write to `out.session1.jsonl`, `out.session2.jsonl`, …, where `file` is `out.jsonl`.

use std::{io::Write, sync::Arc};

use engine::{
    Body, Dimension, Element, EventReader, Fault, FieldValue, Format, Frame, Kind, Node, Placement,
    Port, Sink, TensorFormat, Used,
};

use super::{
    outrun,
    place::{self, FILE, ORDER},
};
use crate::{
    files::Short,
    lines::{self, Line, Lines},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "jsonl",
    summary: "Write one line of JSON per frame, to standard output or a file.",
    doc: "Events become {\"node\":…,\"t_s\":…, fields}, signals {\"node\":…,\"t_s\":…,\"rate_hz\":…, \
          \"samples\":{channel:[…]}}, tensors of f32 {\"node\":…,\"t_s\":…,\"shape\":[rows,columns],\"values\":[[…],…]}. Lines of several inputs come as `order` says. t_s is exact to the \
          nanosecond; NaN and infinities are null; an absent field is left out. With \
          `file`, sessions beyond the first write to out.session1.jsonl, out.session2.jsonl, … where `file` is out.jsonl. Runs on the I/O runtime; a \
          closed pipe ends the run cleanly.",
    example: "file = \"out.jsonl\"",
    inputs: &[Port::any("in").variadic()],
    params: &[&FILE, &ORDER],
    placement: Placement::Waits,
    plan: |node| {
        let outline = place::outline(node, Used::Lines)?.warning(outrun::by_text(node));
        Ok(place::ordered(node, outline)?)
    },
    build: |node| {
        let to = place::create(node)?;
        let to = to.map_or_else(|| Target::Shared(lines::out()), Target::File);
        Ok(Body::sink(JsonLines::new(node, to)))
    },
    ..Kind::BASE
};

enum Target {
    Shared(Arc<dyn Lines>),
    File(std::io::BufWriter<Box<dyn Write + Send>>),
}

/// Frames of one format as lines of JSON, as the sink `jsonl` writes them.
pub struct AsJson {
    label: String,
    format: Format,
    /// Names of channels or fields, quoted once.
    keys: Vec<String>,
}

impl AsJson {
    /// Lines that say `label` where frames come from.
    pub fn new(label: &str, format: &Format) -> Self {
        let names: Vec<&str> = match format {
            Format::Signal(signal) => signal.channels.iter().map(|c| c.name.as_str()).collect(),
            Format::Event(event) => event.fields.iter().map(|field| field.name).collect(),
            _ => Vec::new(),
        };
        let quoted = |name: &&str| {
            let mut text = String::new();
            quote(&mut text, name);
            text
        };
        let keys = names.iter().map(quoted).collect();
        Self { label: label.to_owned(), format: format.clone(), keys }
    }

    /// Appends a frame's line, with its break.
    pub fn line(&self, text: &mut String, session: Option<u32>, frame: &Frame) {
        text.push_str("{\"node\":");
        quote(text, &self.label);
        if let Some(session) = session {
            push(text, format_args!(",\"session\":{session}"));
        }
        text.push_str(",\"t_s\":");
        seconds(text, frame.header.time.nanos());
        match &self.format {
            Format::Event(format) => {
                let event = EventReader::new(format, frame);
                if event.duration_ns() != 0 {
                    text.push_str(",\"duration_s\":");
                    seconds(text, event.duration_ns());
                }
                for (n, key) in self.keys.iter().enumerate() {
                    if let Some(value) = event.field(n) {
                        push(text, format_args!(",{key}:"));
                        field(text, &value);
                    }
                }
            }
            Format::Signal(signal) => {
                push(text, format_args!(",\"rate_hz\":{},\"samples\":{{", signal.rate.hz()));
                for (n, key) in self.keys.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    push(text, format_args!("{comma}{key}:"));
                    list(text, frame.channel(n));
                }
                text.push('}');
            }
            Format::Tensor(tensor) if let Some(shape) = whole(tensor) => {
                let lens: Vec<String> = shape.iter().map(usize::to_string).collect();
                let lens = lens.join(",");
                push(text, format_args!(",\"shape\":[{lens}],\"values\":"));
                nested(text, &shape, frame.samples());
            }
            Format::Image(_) | Format::Tensor(_) => {
                push(text, format_args!(",\"bytes\":{}", frame.buffer().bytes_len()));
            }
        }
        text.push_str("}\n");
    }
}

pub(super) struct JsonLines {
    inputs: Vec<AsJson>,
    session: u32,
    to: Target,
    text: String,
}

impl JsonLines {
    fn new(node: &Node<'_>, to: Target) -> Self {
        let inputs = node.inputs().iter();
        let inputs = inputs.map(|input| AsJson::new(&input.label, &input.format)).collect();
        Self { inputs, session: node.session(), to, text: String::new() }
    }

    /// Lines of JSON to standard output, for whatever sink was asked for them.
    pub(super) fn to_stdout(node: &Node<'_>) -> Self {
        Self::new(node, Target::Shared(lines::out()))
    }
}

impl Sink for JsonLines {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let source = &self.inputs[line];
        self.text.clear();
        source.line(&mut self.text, lines::tells_session().then_some(self.session), frame);
        match &mut self.to {
            Target::Shared(lines) => lines.line(&Line {
                node: &source.label,
                session: self.session,
                text: &self.text,
                format: &source.format,
                frame,
            }),
            Target::File(file) => file.write_all(self.text.as_bytes()),
        }
        .map_err(|error| Fault::io("cannot write", error))
    }

    fn idle(&mut self) -> Result<(), Fault> {
        match &mut self.to {
            Target::Shared(lines) => lines.idle(),
            Target::File(file) => file.flush(),
        }
        .map_err(|error| Fault::io("cannot write", error))
    }
}

/// The shape of a tensor of f32 that is always the same.
pub(super) fn whole(tensor: &TensorFormat) -> Option<Vec<usize>> {
    let fixed = |dimension: &Dimension| match dimension {
        Dimension::Fixed(len) => Some(*len),
        Dimension::Open { .. } => None,
    };
    let shape = tensor.shape.iter().map(fixed).collect::<Option<Vec<_>>>()?;
    (tensor.element == Element::F32 && !shape.is_empty()).then_some(shape)
}

/// Lists of lists, the outermost dimension first.
fn nested(text: &mut String, shape: &[usize], values: &[f32]) {
    let [count, inner @ ..] = shape else { return };
    if inner.is_empty() {
        list(text, values);
        return;
    }
    text.push('[');
    let each = values.len() / (*count).max(1);
    for (n, part) in values.chunks_exact(each.max(1)).enumerate() {
        if n > 0 {
            text.push(',');
        }
        nested(text, inner, part);
    }
    text.push(']');
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = std::fmt::Write::write_fmt(text, arguments);
}

/// Appends nanoseconds as seconds, exact, without trailing zeros.
pub fn seconds(text: &mut String, nanos: i64) {
    if nanos < 0 {
        text.push('-');
    }
    let nanos = nanos.unsigned_abs();
    push(text, format_args!("{}", nanos / 1_000_000_000));
    let rest = nanos % 1_000_000_000;
    if rest > 0 {
        push(text, format_args!(".{rest:09}"));
        text.truncate(text.trim_end_matches('0').len());
    }
}

fn field(text: &mut String, value: &FieldValue<'_>) {
    match value {
        FieldValue::Bool(yes) => push(text, format_args!("{yes}")),
        FieldValue::I64(number) => push(text, format_args!("{number}")),
        FieldValue::F64(number) if number.is_finite() => {
            push(text, format_args!("{}", Short(*number)));
        }
        FieldValue::F64(_) => text.push_str("null"),
        FieldValue::Text(words) => quote(text, words),
        FieldValue::Bytes(bytes) => {
            text.push('"');
            for byte in *bytes {
                push(text, format_args!("{byte:02x}"));
            }
            text.push('"');
        }
        FieldValue::Floats(samples) => list(text, samples),
    }
}

fn list(text: &mut String, samples: &[f32]) {
    text.push('[');
    for (n, sample) in samples.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        if sample.is_finite() {
            push(text, format_args!("{}", Short(*sample)));
        } else {
            text.push_str("null");
        }
    }
    text.push(']');
}

/// Appends a JSON string.
pub fn quote(text: &mut String, words: &str) {
    text.push('"');
    for letter in words.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            letter if letter < ' ' => push(text, format_args!("\\u{:04x}", letter as u32)),
            letter => text.push(letter),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use engine::{
        EventWriter, Field, FieldKind, Header, Services, Timestamp,
        testing::{Bench, MemoryFiles},
    };

    use super::*;

    #[test]
    fn a_tensor_is_list_in_list() {
        let shape = vec![Dimension::Fixed(2), Dimension::Fixed(3)];
        let tensor = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        let files = MemoryFiles::new();
        let (world, params) = (Arc::new(files.clone()), "file = \"out.jsonl\"");
        let mut jsonl =
            Bench::in_world(&KIND, &[("in", tensor)], params, world, Services::default())
                .unwrap_or_else(|problem| panic!("{problem}"));
        jsonl.push(0, Frame::signal(Timestamp::ZERO, 2, &[1.0, 2.0, 3.0, -1.0, f32::NAN, 0.5]));
        jsonl.flush();
        let text = files.text("out.jsonl").expect("written");
        let want = "\"t_s\":0,\"shape\":[2,3],\"values\":[[1,2,3],[-1,null,0.5]]}\n";
        assert!(text.ends_with(want), "{text}");
    }

    #[test]
    fn a_line_says_where_when_and_what() {
        let floats = Field { name: "wave", kind: FieldKind::Floats { max: 2 } };
        let bytes = Field { name: "raw", kind: FieldKind::Bytes { max: 2 } };
        let fields =
            [Field::f64("rr_ms"), Field::i64("n"), Field::bool("ok"), Field::text("class", 4)];
        let fields = fields.into_iter().chain([floats, bytes, Field::f64("absent")]).collect();
        let events = Format::event(fields, 1.0);
        let inputs = [("in", Bench::channels(2, 250.0)), ("in", events.clone())];
        let files = MemoryFiles::new();
        let (world, params) = (Arc::new(files.clone()), "file = \"out.jsonl\"");
        let mut jsonl = Bench::in_world(&KIND, &inputs, params, world, Services::default())
            .unwrap_or_else(|problem| panic!("{problem}"));

        jsonl.push_samples(0, &[0.1, f32::NAN, -2.0, 3.0]);
        let event = EventWriter::new(events.as_event().expect("events"))
            .f64(0, 812.5)
            .i64(1, -1)
            .bool(2, true)
            .text(3, "\"N\"")
            .floats(4, &[0.5, f32::INFINITY])
            .bytes(5, &[0, 255])
            .duration_ns(80_000_000);
        let time = Timestamp::from_nanos(12_345_600_000);
        jsonl.push(1, Frame::new(Header::at(time), event.finish()));
        jsonl.flush();

        let text = files.text("out.jsonl").expect("written");
        let mut lines = text.lines();
        assert_eq!(
            lines.next().expect("the signal"),
            r#"{"node":"in0","t_s":0,"rate_hz":250,"samples":{"0":[0.1,null],"1":[-2,3]}}"#
        );
        assert_eq!(
            lines.next().expect("the event"),
            r#"{"node":"in1","t_s":12.3456,"duration_s":0.08,"rr_ms":812.5,"n":-1,"ok":true,"#
                .to_owned()
                + r#""class":"\"N\"","wave":[0.5,null],"raw":"00ff"}"#
        );
    }

    fn shown(nanos: i64) -> String {
        let mut text = String::new();
        seconds(&mut text, nanos);
        text
    }

    #[test]
    fn seconds_are_exact_and_short() {
        assert_eq!(shown(12_345_600_000), "12.3456");
        assert_eq!(shown(5_000_000_000), "5");
        assert_eq!(shown(-1), "-0.000000001");
        assert_eq!(shown(0), "0");
        assert_eq!(shown(100_000_000_000), "100");
    }

    #[test]
    fn text_is_escaped() {
        let mut text = String::new();
        quote(&mut text, "a\"b\\c\nd\u{1}é");
        assert_eq!(text, r#""a\"b\\c\nd\u0001é""#);
    }
}
