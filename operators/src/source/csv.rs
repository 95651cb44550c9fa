//! `csv`: a table of numbers as a signal.
//!
//! Reads what spreadsheets and loggers write: `,` `;` or tab, a header row or none, comments, a
//! column of times or none. See [`crate::files::csv`]. With a `from` the same word writes a table:
//! [`sink::csv`](crate::sink::csv).
//!
//! | port  | carries                                             |
//! |-------|-----------------------------------------------------|
//! | `out` | one channel per column, with the unit its name has  |
//!
//! Times come from the column, where there is one: a step of more than one and a half periods is a
//! gap, where stamps tremble one beyond six standard deviations of the first steps. The rate is found from the first rows. No sample's time is off what the column says by more
//! than the stamps themselves are uneven there, or by a hundredth of a period if they are even; a row
//! that would be begins a frame of its own, at the column's time. That is decided row by row,
//! wherever frames end. An empty cell is NaN. What is skipped is told at the end.

use std::sync::Arc;

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Files, Flow, Format, Frame, Gap, Header, Io, Kind,
    NameOrNumber, Node, Outline, Param, Port, Rate, ReadSeek, SignalFormat, Source, Timestamp,
    Unit, Used,
};

use crate::files::{
    counted,
    csv::{CsvOptions, CsvReader, TimeColumn, TimeUnit},
    error::FileError,
};

type Reader = CsvReader<Box<dyn ReadSeek>>;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "csv",
    summary: "A table of numbers: read without `from`, written with one.",
    doc: "Reads a table with `,` `;` or tab, header row or none, comments, decimal commas. A \
          column called t_s, time or timestamp, or one of dates or times of day, tells when each \
          row happened (numbers, `YYYY-MM-DD HH:MM:SS` with or without a zone, `HH:MM:SS` with \
          midnights in between), and the rate is found from it; `time_column` names another, \
          `time_column = \"\"` says that there is none, and leaves out a \
          column that is called so. Without times `rate_hz` is needed; with \
          both, the column is the truth and rate_hz is only checked against it, to 1 %. No sample \
          is off the column's time by more than the first rows are uneven, or by a hundredth of a \
          period. Zero of the time line is the first row (`zero = \"first_row\"`) or that of the \
          column (\"column\"). A step of more than one and a half periods is a gap (where stamps tremble, one beyond six \
          standard deviations of the first rows' steps, so that jitter is none); a cell that is \
          empty or says -, ?, NA, n/a, null, none or missing is NaN, and a row may lack cells \
          behind those that are read; a channel without a name that counts rows is left out; of \
          columns of one name the second is called NAME_2; rows whose time runs backward are \
          skipped and counted. Cost: about 30 ns a cell. With a `from` the \
          node writes: header row t_s,<channels>, a row per sample, the shortest digits that read \
          back as the same number; to `file`, or standard output; sessions beyond the first to \
          out.session1.csv, out.session2.csv, … where `file` is out.csv.",
    example: "file = \"table.csv\"",
    outputs: &[Port::signal("out")],
    params: &[&FILE, &RATE_HZ, &TIME_COLUMN, &TIME_UNIT, &COLUMNS, &ZERO],
    when_fed: Some(&crate::sink::csv::KIND),
    plan: |node| {
        let reader = open(node)?;
        let rate_hz = reader.rate_hz();
        let rate = Rate::new(rate_hz).ok_or_else(|| {
            let message = format!("the table has a rate of {rate_hz} rows per second");
            node.problem(Code::OutOfRange, FILE.name(), message).hint("give `rate_hz`")
        })?;
        let unit = |unit: &Option<String>| unit.as_deref().map_or(Unit::UNKNOWN, Unit::named);
        let channels = reader
            .columns()
            .iter()
            .map(|column| Channel { name: column.name.clone(), unit: unit(&column.unit) })
            .collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let format = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let path = node.path(&FILE)?;
        let mut outline = Outline::of([format]);
        outline.warnings.extend(reader.remarks().iter().map(|remark| {
            let message = format!("`{path}`: {}", remark.message);
            let warning = Diagnostic::warning(Code::BadFile, message).at(node.place(FILE.name()));
            warning.hint(remark.hint.clone())
        }));
        Ok(outline.using(FILE.name(), Used::Read(path)))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let reader = open(node)?;
        Ok(Body::source(Table {
            reach_ns: reach_ns(&reader),
            reader,
            files: node.files().clone(),
            path: node.path(&FILE)?,
            options: options(node)?,
            rate: signal.rate,
            from_first: node.get(&ZERO)? == "first_row",
            zero: None,
            anchor: Timestamp::MIN,
            since: 0,
            ahead: Ahead::new(signal.channels.len(), signal.frame_len),
        }))
    },
    ..Kind::BASE
};

const FILE: Param<&str> = Param::required("file", "The table, such as \"recording.csv\".");
const RATE_HZ: Param<f64> =
    Param::optional("rate_hz", "Rows per second; found from the times where there are some.")
        .within(1e-3, 1e6);
const TIME_COLUMN: Param<NameOrNumber> =
    Param::optional("time_column", "Name or number of the column of times; \"\" for none.");
const TIME_UNIT: Param<&str> =
    Param::optional("time_unit", "Unit of the times, where the column's name does not say it.")
        .one_of(&["s", "ms", "us", "ns"]);
const COLUMNS: Param<NameOrNumber> =
    Param::optional("columns", "Names or numbers of the columns to read, with commas between.");
const ZERO: Param<&str> =
    Param::with_default("zero", "first_row", "Which row, or time, is zero of the time line.")
        .one_of(&["first_row", "column"]);

fn options(node: &Node<'_>) -> Result<CsvOptions, Diagnostic> {
    let columns = node.get_optional(&COLUMNS)?.unwrap_or_default();
    Ok(CsvOptions {
        time_column: match node.get_optional(&TIME_COLUMN)? {
            None => TimeColumn::Auto,
            Some(name) if name.is_empty() => TimeColumn::Absent,
            Some(name) => TimeColumn::Named(name.into_owned()),
        },
        time_unit: node.get_optional(&TIME_UNIT)?.map(|unit| match unit {
            "ms" => TimeUnit::Milliseconds,
            "us" => TimeUnit::Microseconds,
            "ns" => TimeUnit::Nanoseconds,
            _ => TimeUnit::Seconds,
        }),
        rate_hz: node.get_optional(&RATE_HZ)?,
        columns: columns
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
    })
}

fn open(node: &Node<'_>) -> Result<Reader, Diagnostic> {
    let path = node.path(&FILE)?;
    let file = crate::files::open(node, &path, FILE.name())?;
    CsvReader::open(file, &path, &options(node)?)
        .map_err(|error| crate::files::problem(node, FILE.name(), &error))
}

/// How far a sample's time may be off the column's.
fn reach_ns(reader: &Reader) -> f64 {
    let period_ns = 1e9 / reader.rate_hz();
    reader.spread_ns().max(0.01 * period_ns).min(0.5 * period_ns)
}

struct Table {
    reader: Reader,
    reach_ns: f64,
    files: Arc<dyn Files>,
    path: String,
    options: CsvOptions,
    rate: Rate,
    from_first: bool,
    /// What the column says at zero of the time line, once a row was read.
    zero: Option<i64>,
    /// A row whose time was taken from the column, and rows since then.
    anchor: Timestamp,
    since: i64,
    ahead: Ahead,
}

/// Rows read and not sent yet.
struct Ahead {
    samples: Vec<f32>,
    times: Vec<i64>,
    stride: usize,
    from: usize,
    to: usize,
    gap: bool,
}

impl Ahead {
    fn new(channels: usize, stride: usize) -> Self {
        let (samples, times) = (vec![0.0; channels * stride], vec![0; stride]);
        Self { samples, times, stride, from: 0, to: 0, gap: false }
    }
}

impl Table {
    /// Where the next row belongs by rate alone.
    fn expected(&self) -> Timestamp {
        self.anchor.plus_nanos(self.rate.span_ns(self.since))
    }

    fn time(&self, row: usize) -> Timestamp {
        let zero = self.zero.unwrap_or(0);
        Timestamp::from_nanos(self.ahead.times[row].saturating_sub(zero))
    }

    /// Whether the column has run away from the rate at a row, so that times follow it from there.
    fn has_run_away(&self, row: usize, steps: i64) -> bool {
        let expected = self.anchor.plus_nanos(self.rate.span_ns(self.since + steps));
        // Both were rounded.
        self.time(row).since(expected).unsigned_abs() as f64 > self.reach_ns + 1.0
    }
}

impl Source for Table {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        if self.ahead.from == self.ahead.to {
            let Ahead { samples, times, stride, .. } = &mut self.ahead;
            let block = self.reader.read(samples, *stride, times).map_err(cannot_go_on)?;
            if block.rows == 0 {
                return Ok(Flow::End);
            }
            (self.ahead.from, self.ahead.to) = (0, block.rows);
            self.ahead.gap = block.gap.is_some();
            let first = if self.from_first { self.ahead.times[0] } else { 0 };
            self.zero.get_or_insert(first);
        }
        let first = self.ahead.from;
        let has_times = self.reader.has_time();
        if self.anchor == Timestamp::MIN
            || has_times && (self.ahead.gap || self.has_run_away(first, 0))
        {
            (self.anchor, self.since) = (self.time(first), 0);
        }
        // Rows up to where the column runs away belong to one frame.
        let mut end = first + 1;
        while end < self.ahead.to && !(has_times && self.has_run_away(end, (end - first) as i64)) {
            end += 1;
        }
        let (time, len) = (self.expected(), end - first);
        let mut buffer = io.signal(0, len);
        let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
        let rows = self.ahead.samples.chunks_exact(self.ahead.stride);
        for (plane, rows) in planes.chunks_exact_mut(len).zip(rows) {
            plane.copy_from_slice(&rows[first..end]);
        }
        let gap = std::mem::take(&mut self.ahead.gap).then_some(Gap::Source);
        io.send(0, Frame::new(Header { gap: gap.into(), ..Header::at(time) }, buffer));
        self.since += len as i64;
        self.ahead.from = end;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        let file = self.files.open(&self.path);
        let file =
            file.map_err(|error| Fault::io(format!("cannot read `{}`", self.path), error))?;
        self.reader = CsvReader::open(file, &self.path, &self.options).map_err(cannot_go_on)?;
        (self.zero, self.anchor, self.since) = (None, Timestamp::MIN, 0);
        (self.ahead.from, self.ahead.to, self.ahead.gap) = (0, 0, false);
        Ok(())
    }

    fn may_be_early_ns(&self) -> i64 {
        // A row comes after the one before it, whose own time was off by so much.
        let period_ns = 1e9 / self.reader.rate_hz();
        if self.reader.has_time() { (period_ns + self.reach_ns).ceil() as i64 } else { 0 }
    }

    fn remark(&self) -> Option<String> {
        let tally = self.reader.tally();
        let mut remarks = Vec::new();
        if let Some(line) = tally.cut_off {
            remarks.push(format!("line {line} is cut off and was not delivered"));
        }
        if let Some(line) = tally.first_out_of_order {
            let rows = counted(tally.rows_out_of_order, "row");
            remarks.push(format!("{rows} out of order and skipped, first line {line}"));
        }
        if tally.empty_rows > 0 {
            remarks.push(format!("{} empty and skipped", counted(tally.empty_rows, "row")));
        }
        if tally.gaps > 0 {
            remarks.push(format!("{} in the times", counted(tally.gaps, "gap")));
        }
        (!remarks.is_empty()).then(|| format!("{}: {}", self.path, remarks.join("; ")))
    }
}

fn cannot_go_on(error: FileError) -> Fault {
    Fault::data("cannot be read on").because(error)
}

#[cfg(test)]
mod tests;
