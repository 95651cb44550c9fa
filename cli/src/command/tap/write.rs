//! Frames as text: rows for people, JSON and tables for programs.

use std::io::{self, Write};

use engine::{Element, EventReader, FieldValue, Format, Frame, Grid, SignalFormat, TensorFormat};
use operators::{
    files::csv::CsvWriter,
    sink::{
        jsonl::AsJson,
        print::{row, shaped_row},
    },
};
use serde::Serialize;

use crate::{
    local::Came,
    tensors::{About, extent, numbers, shape},
};

use super::table::{cell, heads, number};

/// How frames are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: a row per sample of signals, and others as the sink `print` writes them.
    Rows,
    Json,
    Csv,
}

/// What is said besides frames; keys stand in this order.
#[derive(Serialize)]
struct Said<'a> {
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    t_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

/// Writes frames of one format.
pub(super) struct Writer<W: Write> {
    to: W,
    form: Form,
    format: Format,
    label: String,
    json: AsJson,
    grid: Option<Grid>,
    has_head: bool,
    text: String,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, form: Form, label: &str, format: &Format) -> Self {
        Self {
            to,
            form,
            format: format.clone(),
            label: label.to_owned(),
            json: AsJson::new(label, format),
            grid: format.as_signal().map(|signal| Grid::new(signal.rate)),
            has_head: false,
            text: String::new(),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Marks that frames are missing because nobody could keep up.
    pub(super) fn missed(&mut self, missed: u64) -> io::Result<()> {
        if missed == 0 {
            return Ok(());
        }
        // What comes next does not follow what came before.
        if let (Some(grid), Some(signal)) = (&mut self.grid, self.format.as_signal()) {
            *grid = Grid::new(signal.rate);
        }
        match self.form {
            Form::Json => self.say(None, |said| said.missed = Some(missed)),
            _ => writeln!(self.to, "# {missed} frames missed here: this tap could not keep up"),
        }
    }

    fn say<'a>(&'a mut self, t_s: Option<f64>, what: impl FnOnce(&mut Said<'a>)) -> io::Result<()> {
        let mut said = Said { node: &self.label, t_s, missed: None, gap: None, bytes: None };
        what(&mut said);
        serde_json::to_writer(&mut self.to, &said)?;
        writeln!(self.to)
    }

    fn gap(&mut self, reason: &str, t_ns: i64) -> io::Result<()> {
        let t_s = t_ns as f64 / 1e9;
        match self.form {
            Form::Json => self.say(Some(t_s), |said| said.gap = Some(reason)),
            _ => writeln!(self.to, "# gap before {t_s} s: {reason}"),
        }
    }

    pub(super) fn write(&mut self, came: &Came) -> io::Result<()> {
        self.head()?;
        self.missed(came.told.missed)?;
        if let Some(reason) = &came.told.gap {
            self.gap(reason, came.told.t_ns)?;
        }
        let Some(frame) = &came.frame else {
            let (t_s, bytes) = (came.told.t_ns as f64 / 1e9, came.told.bytes);
            return match self.form {
                Form::Json => self.say(Some(t_s), |said| said.bytes = Some(bytes)),
                _ => {
                    writeln!(self.to, "# a frame at {t_s} s of {bytes} bytes, too long to be shown")
                }
            };
        };
        self.text.clear();
        match (self.form, &self.format) {
            (Form::Json, Format::Signal(_) | Format::Event(_)) => {
                self.json.line(&mut self.text, None, frame);
            }
            (Form::Rows, Format::Event(_)) => {
                row(&mut self.text, &self.label, &self.format, frame);
            }
            (Form::Json, Format::Tensor(tensor)) if is_nested(tensor) => {
                self.json.line(&mut self.text, None, frame);
            }
            (_, Format::Signal(signal)) => return self.rows(&signal.clone(), frame),
            (Form::Csv, Format::Event(event)) => {
                let event = EventReader::new(event, frame);
                number(&mut self.text, frame.header.time.nanos() as f64 / 1e9);
                let format = self.format.as_event().expect("just matched");
                for n in 0..format.fields.len() {
                    self.text.push(',');
                    let value = event.field(n).unwrap_or(FieldValue::Text(""));
                    cell(&mut self.text, &value);
                }
                self.text.push('\n');
            }
            (form, Format::Tensor(_) | Format::Image(_)) => {
                summary(&mut self.text, &self.label, &self.format, frame, form);
            }
        }
        self.to.write_all(self.text.as_bytes())
    }

    /// Names of columns, once.
    fn head(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.has_head, true) {
            return Ok(());
        }
        match (self.form, &self.format) {
            (Form::Json, _) => Ok(()),
            (_, Format::Signal(signal)) => {
                let names = heads(signal);
                match self.form {
                    Form::Csv => {
                        CsvWriter::new(&mut self.to, names.iter().map(String::as_str)).begin()
                    }
                    _ => {
                        let names = names.iter().map(|name| format!("  {name:>12}"));
                        writeln!(self.to, "{:>14}{}", "t_s", names.collect::<String>())
                    }
                }
            }
            (Form::Csv, Format::Event(event)) => {
                let names = event.fields.iter().map(|field| format!(",{}", field.name));
                writeln!(self.to, "t_s{}", names.collect::<String>())
            }
            (Form::Csv, _) => writeln!(self.to, "t_s,numbers,min,mean,max"),
            (Form::Rows, _) => Ok(()),
        }
    }

    /// A row per sample.
    fn rows(&mut self, signal: &SignalFormat, frame: &Frame) -> io::Result<()> {
        let len = frame.len();
        let grid = self.grid.get_or_insert_with(|| Grid::new(signal.rate));
        grid.enter(frame.header.time, len);
        if self.form == Form::Csv {
            // Its head is written already; only rows are taken.
            let mut csv =
                CsvWriter::new(Vec::new(), signal.channels.iter().map(|c| c.name.as_str()));
            csv.begin()?;
            csv.get_mut().clear();
            csv.write(frame.samples(), len, len, |row| grid.time_of(row as i64).nanos())?;
            return self.to.write_all(csv.get_ref());
        }
        for row in 0..len {
            let t_s = grid.time_of(row as i64).nanos() as f64 / 1e9;
            write!(self.to, "{t_s:>14.6}")?;
            for channel in 0..signal.channels.len() {
                self.text.clear();
                number(&mut self.text, f64::from(frame.channel(channel)[row]));
                write!(self.to, "  {:>12}", self.text)?;
            }
            writeln!(self.to)?;
        }
        Ok(())
    }
}

/// Whether a tensor is always of one shape and of `f32`, which JSON has as lists in lists.
fn is_nested(tensor: &TensorFormat) -> bool {
    let is_fixed = |dimension: &engine::Dimension| matches!(dimension, engine::Dimension::Fixed(_));
    tensor.element == Element::F32 && !tensor.shape.is_empty() && tensor.shape.iter().all(is_fixed)
}

/// What a tensor or a picture is about; as JSON all of it.
fn summary(text: &mut String, label: &str, format: &Format, frame: &Frame, form: Form) {
    let numbers = numbers(format, frame);
    let t_s = frame.header.time.nanos() as f64 / 1e9;
    if form == Form::Csv {
        let (min, mean, max) = extent(&numbers);
        number(text, t_s);
        text.push_str(&format!(",{}", numbers.len()));
        for value in [min, mean, max] {
            text.push(',');
            number(text, value.unwrap_or(f64::NAN));
        }
        text.push('\n');
        return;
    }
    if form == Form::Rows {
        let shape = shape(format, numbers.len());
        let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
        return shaped_row(text, label, t_s, &shape, &numbers);
    }
    text.push_str(&About::new(label, format, frame).in_full(&numbers).json());
    text.push('\n');
}
