//! A table read row by row into planar samples.

use std::io::Read;

use super::cell::{MISSING, cells, number, real_number};
use super::layout::{Column, TimeUnit, delimiter_of, is_header};
use super::moment::nanoseconds;
use super::probe::{self, Pace, Probe, Rise};
use crate::files::error::{FileError, excerpt};

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
    rate_hz: f64,
    spread_ns: f64,
    remarks: Vec<CsvRemark>,
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
            rate_hz: 0.0,
            spread_ns: 0.0,
            remarks: Vec::new(),
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
        let head = &csv.buffer[csv.start..csv.end.min(csv.start + 64)];
        if head.contains(&0) || head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            let message = "is no UTF-8 text: it may be UTF-16, or no table at all".to_owned();
            return Err(csv.malformed(message, "save it as CSV in UTF-8"));
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
        let longest_ns = 1.5e9 / self.rate_hz;
        let mut block = CsvBlock::default();
        while block.rows < stride {
            let Some(line) = self.next_line()? else { break };
            let row = match self.parse_row(line, out, stride, block.rows) {
                // Rows in front of what is wrong are delivered first; the line is met again.
                Err(_) if block.rows > 0 => break,
                row => row?,
            };
            let time_ns = match row {
                Row::Whole { time_ns } => time_ns,
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
                if (time_ns.abs_diff(from_ns)) as f64 > longest_ns {
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

    /// Finds delimiter, header row and the place of every column; gives all columns.
    fn read_layout(&mut self, options: &CsvOptions) -> Result<Vec<Column>, FileError> {
        let first = loop {
            let Some(line) = self.next_line()? else {
                return Err(self.malformed("holds no rows".to_owned(), LINE_HINT));
            };
            if self.is_table_line(line) {
                break line;
            }
            self.consume(line);
        };
        let text = &self.buffer[first.start..first.end];
        self.delimiter = delimiter_of(text);
        let has_header = is_header(text, self.delimiter, b'.');
        let comma_header = is_header(text, self.delimiter, b',');
        let names: Vec<String> = cells(text, self.delimiter)
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect();
        let has_header = has_header && (self.delimiter == b',' || comma_header);
        if has_header {
            self.consume(first);
        }
        self.decimal = self.find_decimal()?;

        self.check_delimiter(names.len())?;
        let all = Column::all(&names, has_header);
        let names = if has_header { names } else { Vec::new() };
        let time = match &options.time_column {
            TimeColumn::Absent => None,
            TimeColumn::Auto => all.iter().position(Column::is_time),
            TimeColumn::Named(name) => Some(self.find_column(name, &names, &all)?),
        };
        self.places = vec![Place::Unused; all.len()];
        if let Some(time) = time {
            self.places[time] = Place::Time;
            let unit = options.time_unit.or(all[time].time_unit());
            (self.time_unit, self.is_unit_known) = (unit.unwrap_or_default(), unit.is_some());
            self.has_time = true;
        }
        if options.columns.is_empty() {
            for (place, column) in self.places.iter_mut().zip(&all) {
                if *place == Place::Unused {
                    *place = Place::Channel(self.columns.len());
                    self.columns.push(column.clone());
                }
            }
        } else {
            for name in &options.columns {
                let index = self.find_column(name, &names, &all)?;
                if self.places[index] != Place::Unused {
                    let message = format!("column `{name}` is asked for twice");
                    return Err(self.malformed(message, "name every column once"));
                }
                self.places[index] = Place::Channel(self.columns.len());
                self.columns.push(all[index].clone());
            }
        }
        if self.columns.is_empty() {
            let message = "has no column beside the times".to_owned();
            return Err(
                self.malformed(message, "add a column, or say that there is no time column")
            );
        }
        Ok(all)
    }

    /// Refuses a table whose columns are separated by blanks, which looks like one column of texts.
    fn check_delimiter(&mut self, columns: usize) -> Result<(), FileError> {
        let Some(line) = self.next_line()?.filter(|_| columns == 1) else { return Ok(()) };
        let text = &self.buffer[line.start..line.end];
        let parts = || text.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
        if parts().count() > 1 && parts().all(|part| real_number(part, b'.').is_some()) {
            let message = "has blanks between its columns".to_owned();
            return Err(self.malformed(message, "put `,` `;` or tabs between them"));
        }
        Ok(())
    }

    /// A comma as decimal point where another delimiter leaves it free and the first row has one.
    fn find_decimal(&mut self) -> Result<u8, FileError> {
        if self.delimiter == b',' {
            return Ok(b'.');
        }
        let Some(line) = self.next_line()? else { return Ok(b'.') };
        let text = &self.buffer[line.start..line.end];
        let has_comma = cells(text, self.delimiter)
            .any(|cell| number(cell, b'.').is_none() && number(cell, b',').is_some());
        Ok(if has_comma { b',' } else { b'.' })
    }

    fn find_column(
        &self,
        name: &str,
        names: &[String],
        columns: &[Column],
    ) -> Result<usize, FileError> {
        let by_text = names.iter().position(|text| text == name);
        let by_name = || columns.iter().position(|column| column.name == name);
        let by_number = || name.parse().ok().filter(|n| (1..=columns.len()).contains(n));
        if let Some(index) = by_text.or_else(by_name).or_else(|| by_number().map(|n: usize| n - 1))
        {
            return Ok(index);
        }
        let message = format!("has no column `{}`; it has {}", excerpt(name), listed(columns));
        Err(self.malformed(message, "name one of its columns, or give its number"))
    }

    /// The rate: by the times of the first rows or, where there are none, as it is asked for.
    fn find_rate(
        &mut self,
        asked_hz: Option<f64>,
        columns: &[Column],
        probe: &Probe,
    ) -> Result<(), FileError> {
        if !self.has_time {
            self.rate_hz = asked_hz.ok_or_else(|| self.no_time(columns, probe))?;
            return Ok(());
        }
        let pace = probe.pace().map_err(|()| {
            let message = "has times that mostly repeat or run backward".to_owned();
            let hint = "say that there is no time column, and give `rate_hz`";
            self.malformed(message, hint)
        })?;
        let Some(Pace { rate_hz: found_hz, spread_ns }) = pace else {
            let message =
                "has fewer than two rows in order, so its rate cannot be inferred".to_owned();
            self.rate_hz = asked_hz.ok_or_else(|| self.malformed(message, "give `rate_hz`"))?;
            return Ok(());
        };
        if let Some(asked_hz) = asked_hz.filter(|asked_hz| (asked_hz / found_hz - 1.0).abs() > 0.01)
        {
            let message =
                format!("`rate_hz` = {asked_hz}, but the times say {found_hz:.6} rows per second");
            let hint = if (asked_hz / found_hz / 1_000.0 - 1.0).abs() < 0.01 {
                "say that the times are in milliseconds, or correct `rate_hz`"
            } else {
                "leave `rate_hz` out: the times are the truth"
            };
            return Err(self.malformed(message, hint));
        }
        if !self.is_unit_known && found_hz < 2.0 {
            let message = format!("its times, taken as seconds, say {found_hz:.6} rows per second");
            let hint = "write `time_unit = \"ms\"` if they are milliseconds".to_owned();
            self.remarks.push(CsvRemark { message, hint });
        }
        (self.rate_hz, self.spread_ns) = (found_hz, spread_ns);
        Ok(())
    }

    /// There is no rate and no column of times, but perhaps one that could be.
    #[cold]
    fn no_time(&self, columns: &[Column], probe: &Probe) -> FileError {
        let message =
            format!("has no time column that is known by its name; it has {}", listed(columns));
        let rising = columns.iter().zip(&probe.columns).find(|(_, rise)| rise.is_even());
        let hint = match rising {
            Some((column, _)) => {
                format!("write `time_column = {:?}` if that holds the times", column.name)
            }
            None => "give `rate_hz`, or name the time column with `time_column`".to_owned(),
        };
        self.malformed(message, &hint)
    }

    /// Looks for channels that are none. One without a name that counts rows is left out; one that
    /// rises like times is refused where no times are known, for they would be taken for a signal.
    fn check_channels(
        &mut self,
        columns: &[Column],
        probe: &Probe,
        is_auto: bool,
    ) -> Result<(), FileError> {
        let mut is_first = true;
        for (index, (column, rise)) in columns.iter().zip(&probe.columns).enumerate() {
            let Place::Channel(channel) = self.places[index] else { continue };
            let is_unnamed = column.name == format!("column_{}", index + 1);
            let name = excerpt(&column.name);
            if is_unnamed && rise.counts() && self.columns.len() > 1 {
                self.leave_out(index, channel);
                let message =
                    format!("column {} has no name and counts rows: it is left out", index + 1);
                let hint = "choose `columns` to read it".to_owned();
                self.remarks.push(CsvRemark { message, hint });
                continue;
            }
            let rises = rise.is_even();
            if rises && !self.has_time && is_auto {
                let message = format!("column `{name}` rises evenly from row to row, as times do");
                let hint = format!(
                    "write `time_column = {name:?}` if it holds them; else `time_column = \"\"`, \
                     and choose `columns` to leave it out"
                );
                return Err(self.malformed(message, &hint));
            }
            if rises && is_first && self.columns.len() > 1 {
                let message = format!(
                    "`{name}`, the first channel, rises evenly from row to row, as times do"
                );
                let hint = "choose `columns` to leave it out".to_owned();
                self.remarks.push(CsvRemark { message, hint });
            }
            is_first = false;
        }
        Ok(())
    }

    fn leave_out(&mut self, index: usize, channel: usize) {
        self.places[index] = Place::Unused;
        self.columns.remove(channel);
        for place in &mut self.places {
            if let Place::Channel(other) = place
                && *other > channel
            {
                *other -= 1;
            }
        }
    }

    /// Looks at the rows that are in the buffer; reads no further and consumes nothing.
    fn probe(&mut self, columns: &[Column]) -> Result<Probe, FileError> {
        let (start, number) = (self.start, self.line);
        let mut out = vec![0.0; self.columns.len()];
        let mut probe = Probe { times: Vec::new(), columns: vec![Rise::NEW; columns.len()] };
        let mut rows = 0;
        while rows < probe::ROWS {
            // A line that is not whole would move the buffer.
            if !self.is_at_end && !self.buffer[self.start..self.end].contains(&b'\n') {
                break;
            }
            let Some(line) = self.next_line()? else { break };
            match self.parse_row(line, &mut out, 1, 0) {
                Ok(Row::Whole { time_ns }) => {
                    let text = &self.buffer[line.start..line.end];
                    for (rise, cell) in probe.columns.iter_mut().zip(cells(text, self.delimiter)) {
                        rise.take(cell, self.decimal);
                    }
                    if self.has_time {
                        probe.times.push(time_ns);
                    }
                    rows += 1;
                }
                // What is wrong in every row is wrong with the table, or with how it is read.
                Err(error) if rows == 0 => return Err(self.with_numbers(error, line, columns)),
                // What is wrong later is told when it is read, behind the rows before it.
                Ok(_) | Err(_) => {}
            }
            self.consume(line);
        }
        (self.start, self.line) = (start, number);
        Ok(probe)
    }

    /// Names the columns of a row that could be read where another could not.
    #[cold]
    fn with_numbers(&self, error: FileError, line: Line, columns: &[Column]) -> FileError {
        let at = error.column.map(|column| self.places[column as usize - 1]);
        if !matches!(at, Some(Place::Channel(_))) {
            return error;
        }
        let text = &self.buffer[line.start..line.end];
        let cells = cells(text, self.delimiter).zip(columns).zip(&self.places);
        let good = cells.filter(|((cell, _), place)| {
            **place != Place::Time && number(cell, self.decimal).is_some()
        });
        let good: Vec<&str> = good.map(|((_, column), _)| column.name.as_str()).collect();
        if good.is_empty() {
            return error;
        }
        let hint =
            format!("choose the columns that hold numbers: `columns = {:?}`", good.join(","));
        FileError { hint, ..error }
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
            let message = format!("the row has {count} cells, the first one {}", self.places.len());
            let error = self.malformed(message, "give every row one cell per column");
            return Err(error.at_line(self.line));
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

    #[cold]
    fn no_number(&self, cell: &[u8], column: usize) -> FileError {
        let text = excerpt(&String::from_utf8_lossy(cell));
        let message = match real_number(cell, self.decimal) {
            Some(_) => format!("`{text}` is beyond what a sample can hold, 3.4e38"),
            None => format!("`{text}` is no number"),
        };
        let hint = format!(
            "correct the cell, or leave it empty if the sample is missing, as {MISSING} say, too"
        );
        self.malformed(message, &hint).at_line(self.line).at_column(column as u64)
    }

    #[cold]
    fn no_time_cell(&self, cell: &[u8], column: usize) -> FileError {
        let text = excerpt(&String::from_utf8_lossy(cell));
        let is_number = real_number(cell, self.decimal).is_some_and(f64::is_finite);
        let (message, hint) = match is_number {
            true => (
                format!(
                    "`{text}` is a time beyond the year 2262, taken as {}",
                    self.time_unit.word()
                ),
                "say the unit of the times, such as `time_unit = \"ms\"`",
            ),
            false => (
                format!("`{text}` is no time"),
                "give every row a time, a number or a date with a time of day, or leave the row out",
            ),
        };
        self.malformed(message, hint).at_line(self.line).at_column(column as u64)
    }

    #[cold]
    fn malformed(&self, message: String, hint: &str) -> FileError {
        FileError::malformed(&self.file, message, hint)
    }
}

/// The first names of many, for messages.
fn listed(columns: &[Column]) -> String {
    let names = columns.iter().take(12).map(|column| format!("`{}`", excerpt(&column.name)));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
