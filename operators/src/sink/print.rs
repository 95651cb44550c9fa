//! `print`: lines for people.
//!
//! ```text
//!     12.346 s  beats  rr 812.5 ms  heart_rate 73.85 bpm
//!     12.360 s  clean  ECG 0.021 mV (-0.113 to 0.894)
//! ```
//!
//! Events show their fields, each with the unit its name ends in; signals show the mean of each
//! channel of the frame and what it lies between. Lines go to standard output; see
//! [`crate::lines`]. For programs there is `jsonl`, whose lines this writes, too, where
//! [`lines::want_json`] was said.
//!
//! | port | carries                                            |
//! |------|----------------------------------------------------|
//! | `in` | any number of streams, in the order that `order` says |

use std::{fmt::Write, sync::Arc};

use engine::{
    Body, EventReader, Fault, FieldValue, Format, Frame, Input, Kind, Outline, Placement, Port,
    Sink, Used,
};

use super::{
    jsonl::JsonLines,
    place::{self, ORDER},
};
use crate::lines::{self, Line, Lines};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "print",
    summary: "Write lines for people to standard output.",
    doc: "One line per frame: time, where it comes from, and what it says. Events show their \
          fields with the unit that their name ends in; signals the mean of each channel of the \
          frame, and its least and greatest sample, NaN left out. Lines of several inputs come as \
          `order` says. Numbers are rounded to four digits; for programs there is `jsonl`, whose lines this \
          writes where a program asks for JSON (`afferent run --json`). Runs on \
          the I/O runtime; a closed pipe ends the run cleanly.",
    inputs: &[Port::any("in").variadic()],
    params: &[&ORDER],
    example: "order = \"time\"",
    placement: Placement::Waits,
    plan: |node| Ok(place::ordered(node, Outline::default().using("op", Used::Lines))?),
    build: |node| {
        if lines::are_json() {
            return Ok(Body::sink(JsonLines::to_stdout(node)));
        }
        let inputs = node.inputs().to_vec();
        let width = inputs.iter().map(|input| input.label.chars().count()).max().unwrap_or(0);
        let (session, to) = (node.session(), lines::out());
        Ok(Body::sink(Print { inputs, width, session, to, text: String::new() }))
    },
    ..Kind::BASE
};

struct Print {
    inputs: Vec<Input>,
    /// Of the longest label.
    width: usize,
    session: u32,
    to: Arc<dyn Lines>,
    text: String,
}

impl Sink for Print {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let (input, width) = (&self.inputs[line], self.width);
        self.text.clear();
        let seconds = frame.header.time.secs_f64();
        push(&mut self.text, format_args!("{seconds:>10.3} s  "));
        if lines::tells_session() {
            push(&mut self.text, format_args!("{:>5}  ", self.session));
        }
        push(&mut self.text, format_args!("{:width$}", input.label));
        describe(&mut self.text, &input.format, frame);
        self.text.push('\n');
        let line = Line {
            node: &input.label,
            session: self.session,
            text: &self.text,
            format: &input.format,
            frame,
        };
        self.to.line(&line).map_err(|error| Fault::io("cannot write", error))
    }

    fn idle(&mut self) -> Result<(), Fault> {
        self.to.idle().map_err(|error| Fault::io("cannot write", error))
    }
}

/// Appends a frame of `label` as a line for people, with its break.
pub fn row(text: &mut String, label: &str, format: &Format, frame: &Frame) {
    push(text, format_args!("{:>10.3} s  {label}", frame.header.time.secs_f64()));
    describe(text, format, frame);
    text.push('\n');
}

/// Appends the same of numbers in a shape, for those who can read tensors that are not always of one shape.
pub fn shaped_row(text: &mut String, label: &str, t_s: f64, shape: &[usize], numbers: &[f32]) {
    push(text, format_args!("{t_s:>10.3} s  {label}"));
    shaped(text, shape, numbers);
    text.push('\n');
}

fn shaped(text: &mut String, shape: &[usize], numbers: &[f32]) {
    let lens: Vec<String> = shape.iter().map(usize::to_string).collect();
    push(text, format_args!("  {} ", lens.join(" × ")));
    summary(text, numbers, "");
}

/// What a frame says, for people.
pub(super) fn describe(text: &mut String, format: &Format, frame: &Frame) {
    match format {
        Format::Event(format) => {
            let event = EventReader::new(format, frame);
            for (n, field) in format.fields.iter().enumerate() {
                if let Some(value) = event.field(n) {
                    text.push_str("  ");
                    show(text, field.name, &value);
                }
            }
        }
        Format::Signal(signal) => {
            for (n, channel) in signal.channels.iter().enumerate() {
                push(text, format_args!("  {} ", channel.name));
                summary(text, frame.channel(n), channel.unit.name());
            }
        }
        Format::Tensor(tensor) if let Some(shape) = super::jsonl::whole(tensor) => {
            shaped(text, &shape, frame.samples());
        }
        Format::Image(_) | Format::Tensor(_) => {
            push(text, format_args!("  {} bytes", frame.buffer().bytes_len()));
        }
    }
}

/// Units that a field's name may end in, and how they are shown.
const UNITS: [(&str, &str); 9] = [
    ("_ms", "ms"),
    ("_s", "s"),
    ("_bpm", "bpm"),
    ("_pct", "%"),
    ("_mv", "mV"),
    ("_uv", "µV"),
    ("_hz", "Hz"),
    ("_db", "dB"),
    ("_ns", "ns"),
];

fn show(text: &mut String, name: &str, value: &FieldValue<'_>) {
    let known = UNITS.iter().find_map(|(ending, unit)| Some((name.strip_suffix(ending)?, unit)));
    let (name, unit) = known.map_or((name, ""), |(name, unit)| (name, *unit));
    push(text, format_args!("{name} "));
    match value {
        FieldValue::Bool(yes) => text.push_str(if *yes { "yes" } else { "no" }),
        FieldValue::I64(whole) => push(text, format_args!("{whole}")),
        FieldValue::F64(value) => number(text, *value),
        // Not as it is: letters from outside could steer a terminal.
        FieldValue::Text(words) => push(text, format_args!("{}", words.escape_debug())),
        FieldValue::Bytes(bytes) => push(text, format_args!("{} bytes", bytes.len())),
        FieldValue::Floats(samples) => push(text, format_args!("{} samples", samples.len())),
    }
    if !unit.is_empty() {
        push(text, format_args!(" {unit}"));
    }
}

fn summary(text: &mut String, samples: &[f32], unit: &str) {
    let known = || samples.iter().copied().filter(|sample| !sample.is_nan());
    let count = known().count();
    if count == 0 {
        text.push('-');
        return;
    }
    number(text, known().map(f64::from).sum::<f64>() / count as f64);
    push(text, format_args!(" {unit}"));
    if count > 1 {
        text.push_str(if unit.is_empty() { "(" } else { " (" });
        number(text, f64::from(known().fold(f32::INFINITY, f32::min)));
        text.push_str(" to ");
        number(text, f64::from(known().fold(f32::NEG_INFINITY, f32::max)));
        text.push(')');
    }
}

/// Four digits that count, without zeros behind the point.
fn number(text: &mut String, value: f64) {
    if !value.is_finite() {
        push(text, format_args!("{value}"));
        return;
    }
    let digits = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if !(-4..=9).contains(&digits) {
        push(text, format_args!("{value:.3e}"));
        return;
    }
    let start = text.len();
    push(text, format_args!("{value:.*}", (3 - digits).max(0) as usize));
    if text[start..].contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_shows_its_mean_and_what_it_lies_between() {
        let channel = |name: &str, unit| engine::Channel {
            name: name.to_owned(),
            unit: engine::Unit::named(unit),
        };
        let channels = vec![channel("ECG", "mV"), channel("lost", ""), channel("x", "")];
        let rate = engine::Rate::new(3.0).expect("valid");
        let format = Format::Signal(engine::SignalFormat { channels, rate, frame_len: 3 }.into());
        let samples = [-1.0, 0.25, f32::NAN, f32::NAN, f32::NAN, f32::NAN, 2.0, 2.0, 5.0];
        let mut text = String::new();
        describe(&mut text, &format, &Frame::signal(engine::Timestamp::ZERO, 3, &samples));
        assert_eq!(text, "  ECG -0.375 mV (-1 to 0.25)  lost -  x 3 (2 to 5)");
    }

    #[test]
    fn a_row_says_when_and_where() {
        let format = Format::event(vec![engine::Field::f64("rr_ms")], 1.0);
        let event = engine::EventWriter::new(format.as_event().expect("an event")).f64(0, 812.5);
        let header = engine::Header::at(engine::Timestamp::from_nanos(12_346_000_000));
        let mut text = String::new();
        row(&mut text, "beats", &format, &Frame::new(header, event.finish()));
        shaped_row(&mut text, "net", 0.5, &[2, 3], &[1.0, 2.0, 6.0]);
        assert_eq!(text, "    12.346 s  beats  rr 812.5 ms\n     0.500 s  net  2 × 3 3 (1 to 6)\n");
    }

    #[test]
    fn numbers_have_four_digits_that_count() {
        for (value, shown) in [
            (812.5, "812.5"),
            (73.846_15, "73.85"),
            (0.021_004, "0.021"),
            (-0.000_123_44, "-0.0001234"),
            (120_000.0, "120000"),
            (1e-9, "1.000e-9"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
        ] {
            let mut text = String::new();
            number(&mut text, value);
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn fields_show_the_unit_of_their_name() {
        let mut text = String::new();
        show(&mut text, "rr_ms", &FieldValue::F64(812.5));
        text.push('|');
        show(&mut text, "class", &FieldValue::Text("\u{1b}[2J"));
        assert_eq!(text, "rr 812.5 ms|class \\u{1b}[2J");
    }
}
