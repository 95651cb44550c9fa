//! A table read row by row into planar samples.

mod opening;
mod refusal;

use std::io::Read;

use super::cell::{cells, number};
use super::layout::{self, Column, TimeUnit};
use super::moment::{DAY_NS, nanoseconds};
use crate::files::error::FileError;

/// Bytes held; what is read in advance to learn columns and rate must fit, too.
const BUFFER_BYTES: usize = 128 * 1_024;
const LINE_HINT: &str = "give a text file with one row per line";

/// How to read a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CsvOptions {
    /// Where the times stand.
    pub time_column: TimeColumn,
    /// Unit of the times; by default the column's name says it, else they are seconds.
    pub time_unit: Option<TimeUnit>,
    /// Rows per second. Needed without a time column; with one, checked against it to 1 %, and
    /// not used otherwise.
    pub rate_hz: Option<f64>,
    /// Names of the columns to read, in this order; empty for all but the times.
    pub columns: Vec<String>,
}

/// Where the times of a table stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TimeColumn {
    /// In a column with a name like `t_s`, `time` or `timestamp`, if there is one.
    #[default]
    Auto,
    /// In the column of this name, unit included or not; or of this number, counted from one.
    Named(String),
    /// Nowhere; rows follow each other at `rate_hz`, and every column is a channel.
    Absent,
}

/// A table being read. Memory is constant; reading rows allocates nothing.
///
/// Rows with a time that is not after the row before are skipped and counted, as are rows without
/// any cell; a cell that is no number ends the reading with its line and column, behind the rows
/// before it.
#[derive(Debug)]
pub struct CsvReader<R> {
    reader: R,
    file: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_at_end: bool,
    /// Number of the line that begins at `start`.
    line: u64,
    delimiter: u8,
    decimal: u8,
    columns: Vec<Column>,
    /// Where each column of the table goes.
    places: Vec<Place>,
    time_unit: TimeUnit,
    /// Whether the options or the column's name say the unit.
    is_unit_known: bool,
    has_time: bool,
    /// Whether times say the time of day alone, and how many days have begun since the first.
    is_clock: bool,
    days: i64,
    rate_hz: f64,
    spread_ns: f64,
    /// A longer step of the times is a gap.
    longest_ns: f64,
    remarks: Vec<CsvRemark>,
    /// What a comment in front says about a rate, for whoever has to give one.
    rate_comment: Option<String>,
    last_ns: Option<i64>,
    tally: CsvTally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Time,
    Channel(usize),
    Unused,
}

/// What a call of [`CsvReader::read`] gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsvBlock {
    /// Rows read; 0 only at the end.
    pub rows: usize,
    /// What is missing in front of the first of them. Inside a block nothing is missing.
    pub gap: Option<CsvGap>,
}

/// A step of more than one and a half periods between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvGap {
    /// Time of the last row in front of it.
    pub from_ns: i64,
    /// Time of the first row behind it.
    pub to_ns: i64,
    /// Line of that row.
    pub line: u64,
}

/// What was found on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsvTally {
    /// Rows delivered.
    pub rows: u64,
    /// Lines without any cell, skipped.
    pub empty_rows: u64,
    /// Rows skipped because their time was not after the one before.
    pub rows_out_of_order: u64,
    /// Line of the first of them.
    pub first_out_of_order: Option<u64>,
    /// Steps of more than one and a half periods.
    pub gaps: u64,
    /// Line of a last row that was cut off, and is not delivered.
    pub cut_off: Option<u64>,
}

/// Something that may not be as its author meant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvRemark {
    /// What was found.
    pub message: String,
    /// What to do about it, if it is wrong.
    pub hint: String,
}

/// A line in the buffer, without its end.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    /// Where the next one begins.
    next: usize,
    has_end: bool,
}

enum Row {
    Whole { time_ns: i64 },
    Empty,
    CutOff,
}

impl<R: Read> CsvReader<R> {
    /// Reads as much of `file` as is needed to know its columns and its rate.
    pub fn open(reader: R, file: &str, options: &CsvOptions) -> Result<Self, FileError> {
        let mut csv = Self {
            reader,
            file: file.to_owned(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            is_at_end: false,
            line: 1,
            delimiter: b',',
            decimal: b'.',
            columns: Vec::new(),
            places: Vec::new(),
            time_unit: TimeUnit::Seconds,
            is_unit_known: false,
            has_time: false,
            is_clock: false,
            days: 0,
            rate_hz: 0.0,
            spread_ns: 0.0,
            longest_ns: f64::INFINITY,
            remarks: Vec::new(),
            rate_comment: None,
            last_ns: None,
            tally: CsvTally::default(),
        };
        if let Some(rate_hz) = options.rate_hz
            && !(rate_hz > 0.0 && rate_hz <= 1e9)
        {
            let message = format!("`rate_hz` = {rate_hz} must be above 0 and at most 1e9");
            return Err(csv.malformed(message, "give the rows per second"));
        }
        csv.fill()?;
        if csv.buffer[..csv.end].starts_with(b"\xef\xbb\xbf") {
            csv.start = 3;
        }
        if let Some((message, hint)) = layout::no_table(&csv.buffer[csv.start..csv.end]) {
            return Err(csv.malformed(message.to_owned(), hint));
        }
        let columns = csv.read_layout(options)?;
        let probe = csv.probe(&columns)?;
        csv.find_rate(options.rate_hz, &columns, &probe)?;
        if options.columns.is_empty() {
            csv.check_channels(&columns, &probe, options.time_column == TimeColumn::Auto)?;
        }
        Ok(csv)
    }

    /// The channels, in the order of their samples.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Rows per second: found from the first rows; where there are no times, the one given.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// How far the first rows lie from even times, from the earliest to the latest.
    pub fn spread_ns(&self) -> f64 {
        self.spread_ns
    }

    /// What may not be as its author meant it.
    pub fn remarks(&self) -> &[CsvRemark] {
        &self.remarks
    }

    /// Whether times come from a column.
    pub fn has_time(&self) -> bool {
        self.has_time
    }

    /// What was found so far.
    pub fn tally(&self) -> &CsvTally {
        &self.tally
    }

    /// Reads up to `stride` rows without a gap between them: the `c`th channel to `out[c *
    /// stride..]`, and the time of each to `times`.
    ///
    /// # Panics
    ///
    /// Where `times` is shorter than `stride`, or `out` than `stride` samples of every channel.
    pub fn read(
        &mut self,
        out: &mut [f32],
        stride: usize,
        times: &mut [i64],
    ) -> Result<CsvBlock, FileError> {
        assert!(times.len() >= stride && out.len() >= stride * self.columns.len(), "room for rows");
        let mut block = CsvBlock::default();
        while block.rows < stride {
            let Some(line) = self.next_line()? else { break };
            let row = match self.parse_row(line, out, stride, block.rows) {
                // Rows in front of what is wrong are delivered first; the line is met again.
                Err(_) if block.rows > 0 => break,
                row => row?,
            };
            let time_ns = match row {
                Row::Whole { time_ns } => self.on_its_day(time_ns),
                Row::Empty => {
                    self.tally.empty_rows += u64::from(self.is_table_line(line));
                    self.consume(line);
                    continue;
                }
                Row::CutOff => {
                    self.tally.cut_off = Some(self.line);
                    self.consume(line);
                    break;
                }
            };
            if let Some(from_ns) = self.last_ns.filter(|_| self.has_time) {
                if time_ns <= from_ns {
                    self.tally.rows_out_of_order += 1;
                    self.tally.first_out_of_order.get_or_insert(self.line);
                    self.consume(line);
                    continue;
                }
                if (time_ns.abs_diff(from_ns)) as f64 > self.longest_ns {
                    if block.rows > 0 {
                        // It is read again as the first row of the next block.
                        break;
                    }
                    self.tally.gaps += 1;
                    block.gap = Some(CsvGap { from_ns, to_ns: time_ns, line: self.line });
                }
            }
            times[block.rows] = time_ns;
            self.last_ns = Some(time_ns);
            self.tally.rows += 1;
            block.rows += 1;
            self.consume(line);
        }
        Ok(block)
    }

    /// A time of day as one of the first day: after midnight another begins.
    fn on_its_day(&mut self, time_ns: i64) -> i64 {
        if !self.is_clock {
            return time_ns;
        }
        let time_ns = time_ns + self.days * DAY_NS;
        match self.last_ns {
            Some(last_ns) if last_ns - time_ns > DAY_NS / 2 => {
                self.days += 1;
                time_ns + DAY_NS
            }
            // A row of the evening before that comes after midnight.
            Some(last_ns) if self.days > 0 && time_ns - last_ns > DAY_NS / 2 => time_ns - DAY_NS,
            _ => time_ns,
        }
    }

    /// Parses a row to the `row`th place of every channel.
    fn parse_row(
        &self,
        line: Line,
        out: &mut [f32],
        stride: usize,
        row: usize,
    ) -> Result<Row, FileError> {
        let text = &self.buffer[line.start..line.end];
        if !self.is_table_line(line) {
            return Ok(Row::Empty);
        }
        let mut time_ns = None;
        let mut filled = 0;
        let mut count = 0;
        for cell in cells(text, self.delimiter) {
            let Some(&place) = self.places.get(count) else {
                // Some programs end every row with a delimiter.
                if cell.is_empty() && text.ends_with(&[self.delimiter]) {
                    break;
                }
                count = cells(text, self.delimiter).count();
                break;
            };
            count += 1;
            filled += usize::from(!cell.is_empty());
            // The first byte of a number whose others were cut off, or a value that is missing?
            if cell == b"-" && !line.has_end && count == self.places.len() {
                return Ok(Row::CutOff);
            }
            match place {
                Place::Unused => {}
                Place::Channel(channel) => match number(cell, self.decimal) {
                    Some(sample) => out[channel * stride + row] = sample,
                    None if !line.has_end => return Ok(Row::CutOff),
                    None => return Err(self.no_number(cell, count)),
                },
                Place::Time => {
                    time_ns = nanoseconds(cell, self.time_unit, self.decimal);
                    if time_ns.is_none() && !cell.is_empty() {
                        if !line.has_end {
                            return Ok(Row::CutOff);
                        }
                        return Err(self.no_time_cell(cell, count));
                    }
                }
            }
        }
        if filled == 0 && self.places.len() > 1 {
            return Ok(if line.has_end { Row::Empty } else { Row::CutOff });
        }
        if count != self.places.len() {
            if !line.has_end && count < self.places.len() {
                return Ok(Row::CutOff);
            }
            let needed = self.places.iter().rposition(|place| *place != Place::Unused);
            if count > self.places.len() || needed.is_some_and(|last| last >= count) {
                return Err(self.ragged(count));
            }
        }
        match time_ns {
            Some(time_ns) => Ok(Row::Whole { time_ns }),
            None if self.has_time => {
                let message = "the row has no time".to_owned();
                Err(self.malformed(message, "give every row a time").at_line(self.line))
            }
            None => Ok(Row::Whole { time_ns: self.time_of_row(self.tally.rows) }),
        }
    }

    /// The time of a row by its number, to the nearest nanosecond, without drift.
    fn time_of_row(&self, row: u64) -> i64 {
        let rate_hz = self.rate_hz;
        if rate_hz <= 0.0 {
            return 0;
        }
        // Whole seconds apart, so that the rest keeps its precision after days.
        let seconds = (row as f64 / rate_hz).floor();
        let rest = row as f64 - seconds * rate_hz;
        seconds as i64 * 1_000_000_000 + (rest / rate_hz * 1e9).round() as i64
    }

    /// Whether a line is neither blank nor a comment.
    fn is_table_line(&self, line: Line) -> bool {
        let text = self.buffer[line.start..line.end].trim_ascii_start();
        // Tabs are cells of their own.
        let is_tabs = self.delimiter == b'\t' && line.start < line.end;
        !(text.is_empty() && !is_tabs || text.first() == Some(&b'#'))
    }

    /// The next line; `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<Line>, FileError> {
        let mut searched = self.start;
        loop {
            let found = self.buffer[searched..self.end].iter().position(|&byte| byte == b'\n');
            if let Some(at) = found {
                let next = searched + at + 1;
                return Ok(Some(self.line_to(next - 1, next, true)));
            }
            if self.is_at_end {
                let is_left = self.start < self.end;
                return Ok(is_left.then(|| self.line_to(self.end, self.end, false)));
            }
            if self.end - self.start == self.buffer.len() {
                let message = format!("the line is longer than {BUFFER_BYTES} bytes");
                return Err(self.malformed(message, LINE_HINT).at_line(self.line));
            }
            searched = self.end - self.start;
            self.fill()?;
        }
    }

    fn line_to(&self, end: usize, next: usize, has_end: bool) -> Line {
        let is_crlf = end > self.start && self.buffer[end - 1] == b'\r';
        Line { start: self.start, end: end - usize::from(is_crlf), next, has_end }
    }

    fn consume(&mut self, line: Line) {
        self.start = line.next;
        self.line += 1;
    }

    /// Moves what is left to the front and reads until the buffer is full.
    fn fill(&mut self) -> Result<(), FileError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.buffer.len() && !self.is_at_end {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = FileError::unreadable(&self.file, "read the table", error);
                    return Err(error.at_line(self.line));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod remedies;
#[cfg(test)]
mod tests;
