//! What the first rows tell of a table: delimiter, names, where times stand, and the rate.

use std::io::Read;

use super::{CsvOptions, CsvReader, CsvRemark, LINE_HINT, Place, Row, TimeColumn, refusal::listed};
use crate::files::{
    csv::{
        cell::{cells, number, real_number},
        layout::{Column, delimiter_of, is_header},
        moment::{clock_nanoseconds, date_nanoseconds},
        probe::{self, Pace, Probe, Rise},
    },
    error::{FileError, excerpt},
};

impl<R: Read> CsvReader<R> {
    /// Finds delimiter, header row and the place of every column; gives all columns.
    pub(super) fn read_layout(&mut self, options: &CsvOptions) -> Result<Vec<Column>, FileError> {
        let first = loop {
            let Some(line) = self.next_line()? else {
                return Err(self.malformed("holds no rows".to_owned(), LINE_HINT));
            };
            if self.is_table_line(line) {
                break line;
            }
            let text = String::from_utf8_lossy(&self.buffer[line.start..line.end]);
            let said = text.trim_start_matches('#').trim();
            let mut words = said.split(|letter: char| !letter.is_ascii_alphabetic());
            let says_rate = words.any(|word| {
                ["rate", "hz", "fs"].iter().any(|known| word.eq_ignore_ascii_case(known))
            });
            if says_rate && said.contains(|letter: char| letter.is_ascii_digit()) {
                let said = excerpt(said);
                self.rate_comment.get_or_insert(said);
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
            TimeColumn::Auto => match all.iter().position(Column::is_time) {
                None => self.find_dates()?,
                named => named,
            },
            TimeColumn::Named(name) => Some(self.find_column(name, &names, &all)?),
        };
        self.places = vec![Place::Unused; all.len()];
        if let Some(time) = time {
            self.places[time] = Place::Time;
            let unit = options.time_unit.or(all[time].time_unit());
            (self.time_unit, self.is_unit_known) = (unit.unwrap_or_default(), unit.is_some());
            self.has_time = true;
            if let Some(line) = self.next_line()? {
                let text = &self.buffer[line.start..line.end];
                let cell = cells(text, self.delimiter).nth(time).unwrap_or_default();
                self.is_clock = clock_nanoseconds(cell).is_some();
                self.is_unit_known |= self.is_clock || date_nanoseconds(cell).is_some();
            }
        } else if !has_header {
            self.check_start_and_rate()?;
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
            return Err(self.malformed(message, "add a column, or write `time_column = \"\"`"));
        }
        Ok(all)
    }

    /// Refuses a table whose columns are separated by something else, which looks like one column
    /// of texts.
    pub(super) fn check_delimiter(&mut self, columns: usize) -> Result<(), FileError> {
        let Some(line) = self.next_line()?.filter(|_| columns == 1) else { return Ok(()) };
        let text = &self.buffer[line.start..line.end];
        let is_mark = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'|';
        let parts = || text.split(is_mark).filter(|part| !part.is_empty());
        if parts().count() > 1 && parts().all(|part| real_number(part, b'.').is_some()) {
            let message = "has blanks or `|` between its columns".to_owned();
            return Err(self.malformed(message, "put `,` `;` or tabs between them"));
        }
        Ok(())
    }

    /// A comma as decimal point: where another delimiter leaves it free and the first row has one,
    /// or where all of that row is quoted for it.
    pub(super) fn find_decimal(&mut self) -> Result<u8, FileError> {
        let Some(line) = self.next_line()? else { return Ok(b'.') };
        let text = &self.buffer[line.start..line.end];
        let has_comma = |cell| number(cell, b'.').is_none() && number(cell, b',').is_some();
        let some_have = cells(text, self.delimiter).any(has_comma);
        // Between commas only where every cell is quoted: then one stands in some, and no point.
        let is_comma = match self.delimiter {
            b',' => {
                let mut all = cells(text, self.delimiter);
                text.starts_with(b"\"") && some_have && all.all(|cell| number(cell, b',').is_some())
            }
            _ => some_have,
        };
        Ok(if is_comma { b',' } else { b'.' })
    }

    /// The column in which the first row has a date or a time of day, which is no measurement.
    pub(super) fn find_dates(&mut self) -> Result<Option<usize>, FileError> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        let text = &self.buffer[line.start..line.end];
        let is_date = |cell| date_nanoseconds(cell).or(clock_nanoseconds(cell)).is_some();
        Ok(cells(text, self.delimiter).position(is_date))
    }

    /// Refuses what an Empatica wristband writes: the start, as seconds since 1970, and the rate
    /// stand above the samples of each column, and would be taken for two of them.
    pub(super) fn check_start_and_rate(&mut self) -> Result<(), FileError> {
        let Some(line) = self.next_line()? else { return Ok(()) };
        let second = self.buffer[line.next..self.end].split(|&byte| byte == b'\n').next();
        let numbers = |text| -> Option<Vec<f64>> {
            cells(text, self.delimiter).map(|cell| real_number(cell, self.decimal)).collect()
        };
        let starts = numbers(&self.buffer[line.start..line.end]).unwrap_or_default();
        let rates = second.and_then(numbers).unwrap_or_default();
        let (Some(&start), Some(&rate)) = (starts.first(), rates.first()) else { return Ok(()) };
        let is_same = |values: &[f64], first| values.iter().all(|&value| value == first);
        let are_alike = is_same(&starts, start) && is_same(&rates, rate);
        if !(are_alike && (1e9..4e9).contains(&start) && (1.0..1e4).contains(&rate)) {
            return Ok(());
        }
        let message =
            format!("begins with a start time ({start}) and a rate ({rate}), not samples");
        let hint = format!("take these two lines out, and write `rate_hz = {rate}`");
        Err(self.malformed(message, &hint).at_line(self.line))
    }

    pub(super) fn find_column(
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
    pub(super) fn find_rate(
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
            let hint = "write `time_column = \"\"`, and `rate_hz` with the rows per second";
            self.malformed(message, hint)
        })?;
        let Some(Pace { rate_hz: found_hz, spread_ns, longest_ns }) = pace else {
            let (message, hint) = match probe.times.len() {
                0 => ("has no row of numbers", LINE_HINT),
                _ => ("has fewer than two rows, so its rate cannot be inferred", "give `rate_hz`"),
            };
            let found = asked_hz.ok_or_else(|| self.malformed(message.to_owned(), hint));
            self.rate_hz = found?;
            self.longest_ns = 1.5e9 / self.rate_hz;
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
        (self.rate_hz, self.spread_ns, self.longest_ns) = (found_hz, spread_ns, longest_ns);
        Ok(())
    }

    /// Looks for channels that are none. One without a name that counts rows is left out; one that
    /// rises like times is refused where no times are known, for they would be taken for a signal.
    pub(super) fn check_channels(
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
            if column.is_time() && !self.has_time && !is_auto && self.columns.len() > 1 {
                self.leave_out(index, channel);
                let message = format!("`{name}` tells no times by `time_column`: it is left out");
                let hint = "choose `columns` to read it as a channel".to_owned();
                self.remarks.push(CsvRemark { message, hint });
                continue;
            }
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

    pub(super) fn leave_out(&mut self, index: usize, channel: usize) {
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
    pub(super) fn probe(&mut self, columns: &[Column]) -> Result<Probe, FileError> {
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
}
