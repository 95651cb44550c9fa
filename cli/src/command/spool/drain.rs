//! `afferent spool drain`.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
};

use engine::{EventReader, FieldValue, Format, Frame};
use link::spool::{Contents, Drained, SpoolError, find};
use operators::sink::jsonl::{AsJson, seconds};

use super::{arguments::DrainArguments, failure, many};
use crate::exit::{Exit, Failure};

pub(super) fn drain(asked: &DrainArguments) -> Result<Exit, Failure> {
    let dirs = find(&asked.dir).map_err(|error| failure(&error))?;
    if let (true, [_, _, ..]) = (asked.csv, &dirs[..]) {
        let list: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let message = "a table is of one spool, and there are several";
        return Err(Failure::new(
            Exit::Usage,
            message,
            &format!("give one of: {}", list.join(", ")),
        ));
    }
    let mut to: Box<dyn Write> = match &asked.out {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => Box::new(BufWriter::new(create(path)?)),
    };
    for dir in &dirs {
        let told = drain_one(dir, asked, &mut to).map_err(|error| failure(&error))?;
        // Where stderr is closed there is nobody to tell.
        let _ = io::stderr().write_all(told.as_bytes());
    }
    let cannot = |error| {
        failure(&SpoolError { path: out_name(asked), cause: link::spool::Cause::Io(error) })
    };
    to.flush().map_err(cannot)?;
    Ok(Exit::Done)
}

fn out_name(asked: &DrainArguments) -> std::path::PathBuf {
    asked.out.clone().unwrap_or_else(|| "stdout".into())
}

/// A new file for its owner alone: what is in it was not for others in the spool either.
fn create(path: &Path) -> Result<std::fs::File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists => "give a file that is not there yet",
            _ => "give a file in a folder that you may write to",
        };
        Failure::new(Exit::Io, &format!("{}: {error}", path.display()), hint)
    })
}

/// Writes one spool; what is told of it.
pub(super) fn drain_one(
    dir: &Path,
    asked: &DrainArguments,
    to: &mut dyn Write,
) -> Result<String, SpoolError> {
    let contents = Contents::read(dir)?;
    let Some(format) = contents.format()? else {
        return Ok(format!("{}: nothing is in it\n", dir.display()));
    };
    let edge = &contents.segments.last().expect("a format is one of a segment's").head.edge;
    let producer = edge.split(" -> ").next().unwrap_or(edge);
    let mut rows = if asked.csv {
        Rows::Csv(Table::new(&format, dir)?)
    } else {
        Rows::Json(AsJson::new(producer, &format))
    };
    let (mut frames, mut gaps, mut text) = (0, String::new(), String::new());
    if let Rows::Csv(table) = &rows {
        let written = to.write_all(table.head().as_bytes());
        written.map_err(|error| SpoolError {
            path: out_name(asked),
            cause: link::spool::Cause::Io(error),
        })?;
    }
    contents.drain(asked.all, |drained| {
        match drained {
            Drained::Frame { frame, .. } => {
                frames += 1;
                text.clear();
                match &mut rows {
                    Rows::Json(json) => json.line(&mut text, None, &frame),
                    Rows::Csv(table) => table.rows(&mut text, &frame),
                }
                return to.write_all(text.as_bytes());
            }
            Drained::Gap { from, to, reason } => {
                let why = match reason {
                    engine::Gap::Full => "the spool was full".to_owned(),
                    engine::Gap::Restart => "the process started anew".to_owned(),
                    engine::Gap::Source => "damaged".to_owned(),
                    other => format!("{other:?}").to_lowercase(),
                };
                gaps += &format!("  nothing from place {from} to {to}: {why}\n");
            }
        }
        Ok(())
    })?;
    Ok(format!("{}: {} of {edge}\n{gaps}", dir.display(), many(frames, "frame")))
}

enum Rows {
    Json(AsJson),
    Csv(Table),
}

/// Signals, a row for each sample, and events.
struct Table {
    format: Format,
}

impl Table {
    fn new(format: &Format, dir: &Path) -> Result<Self, SpoolError> {
        match format {
            Format::Signal(_) | Format::Event(_) => Ok(Self { format: format.clone() }),
            _ => {
                let what = format!("{format} is no table; leave `--csv` out");
                Err(SpoolError { path: dir.to_owned(), cause: link::spool::Cause::Limit(what) })
            }
        }
    }

    fn head(&self) -> String {
        let mut head = "t_s".to_owned();
        match &self.format {
            Format::Signal(signal) => {
                for channel in &signal.channels {
                    cell(&mut head, &channel.name);
                }
            }
            Format::Event(event) => {
                for field in &event.fields {
                    cell(&mut head, field.name);
                }
            }
            _ => {}
        }
        head + "\n"
    }

    fn rows(&self, text: &mut String, frame: &Frame) {
        match &self.format {
            Format::Signal(signal) => {
                for n in 0..frame.len() {
                    let since = (n as f64 * 1e9 / signal.rate.hz()).round() as i64;
                    seconds(text, frame.header.time.plus_nanos(since).nanos());
                    for channel in 0..signal.channels.len() {
                        let sample = frame.channel(channel)[n];
                        let shown =
                            if sample.is_finite() { sample.to_string() } else { String::new() };
                        cell(text, &shown);
                    }
                    text.push('\n');
                }
            }
            Format::Event(format) => {
                seconds(text, frame.header.time.nanos());
                let event = EventReader::new(format, frame);
                for n in 0..format.fields.len() {
                    let shown = event.field(n).map_or(String::new(), |value| show(&value));
                    cell(text, &shown);
                }
                text.push('\n');
            }
            _ => {}
        }
    }
}

fn show(value: &FieldValue<'_>) -> String {
    match value {
        FieldValue::Bool(yes) => yes.to_string(),
        FieldValue::I64(number) => number.to_string(),
        FieldValue::F64(number) if number.is_finite() => number.to_string(),
        FieldValue::F64(_) => String::new(),
        FieldValue::Text(words) => (*words).to_owned(),
        FieldValue::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        FieldValue::Floats(samples) => {
            samples.iter().map(f32::to_string).collect::<Vec<_>>().join(" ")
        }
    }
}

/// One more cell of a row, quoted where it must be.
fn cell(text: &mut String, value: &str) {
    text.push(',');
    if value.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}
