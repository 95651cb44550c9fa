//! What is wrong with a table, in words for the person who gave it.

use std::io::Read;

use super::{CsvReader, Line, Place};
use crate::files::{
    counted,
    csv::{
        cell::{MISSING, cells, number, real_number},
        layout::{Column, TimeUnit},
        probe::Probe,
    },
    error::{FileError, excerpt},
};

impl<R: Read> CsvReader<R> {
    /// There is no rate and no column of times, but perhaps one that could be.
    #[cold]
    pub(super) fn no_time(&self, columns: &[Column], probe: &Probe) -> FileError {
        let message =
            format!("has no time column that is known by its name; it has {}", listed(columns));
        let rising = columns.iter().zip(&probe.columns).find(|(_, rise)| rise.is_even());
        let hint = match rising {
            // Times without a name are rarely whole seconds: this is the number of the sample.
            Some((column, rise)) if rise.counts() => format!(
                "give `rate_hz`, the rows per second: {:?} counts rows; or write `time_column = {0:?}` if \
                 these are seconds",
                column.name
            ),
            Some((column, _)) => {
                format!("write `time_column = {:?}` if that holds the times", column.name)
            }
            None => match &self.rate_comment {
                Some(said) => format!("give `rate_hz`; a comment says `{said}`"),
                None => "give `rate_hz`, or name the time column with `time_column`".to_owned(),
            },
        };
        self.malformed(message, &hint)
    }

    /// Names the columns of the first row that could be read where another could not; where there
    /// are none it is no row of numbers.
    #[cold]
    pub(super) fn with_numbers(
        &self,
        error: FileError,
        line: Line,
        columns: &[Column],
    ) -> FileError {
        if error.column.is_none() {
            return error;
        }
        let text = &self.buffer[line.start..line.end];
        let cells = || cells(text, self.delimiter).zip(columns).zip(&self.places);
        let is_good = |cell: &[u8]| number(cell, self.decimal).is_some();
        if !cells().any(|((cell, _), _)| is_good(cell)) {
            let hint = "take out, or begin with `#`, whatever stands above the rows of numbers \
                        except one row of names";
            return FileError { hint: hint.to_owned(), ..error };
        }
        let at = error.column.map(|column| self.places[column as usize - 1]);
        let good = cells().filter(|((cell, _), place)| **place != Place::Time && is_good(cell));
        let good: Vec<&str> = good.map(|((_, column), _)| column.name.as_str()).collect();
        if !matches!(at, Some(Place::Channel(_))) || good.is_empty() {
            return error;
        }
        let hint =
            format!("choose the columns that hold numbers: `columns = {:?}`", good.join(","));
        FileError { hint, ..error }
    }

    #[cold]
    pub(super) fn no_number(&self, cell: &[u8], column: usize) -> FileError {
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
    pub(super) fn no_time_cell(&self, cell: &[u8], column: usize) -> FileError {
        let text = excerpt(&String::from_utf8_lossy(cell));
        let number = real_number(cell, self.decimal).filter(|number| number.is_finite());
        let (message, hint) = match number {
            Some(number) => (
                format!(
                    "`{text}` is a time beyond the year 2262, taken as {}",
                    self.time_unit.word()
                ),
                match TimeUnit::since_1970(number) {
                    Some(unit) => format!("write `time_unit = {:?}`: since 1970", unit.sign()),
                    None => "say the unit of the times, such as `time_unit = \"ms\"`".to_owned(),
                },
            ),
            None => (
                format!("`{text}` is no time"),
                "write times as numbers, as `YYYY-MM-DD HH:MM:SS` or as `HH:MM:SS`; or write \
                 `time_column = \"\"`, and `rate_hz` with the rows per second"
                    .to_owned(),
            ),
        };
        self.malformed(message, &hint).at_line(self.line).at_column(column as u64)
    }

    #[cold]
    pub(super) fn ragged(&self, cells: usize) -> FileError {
        let columns = self.places.len();
        let message =
            format!("the row has {}, the first one {columns}", counted(cells as u64, "cell"));
        let hint = if self.delimiter == b',' && cells == 2 * columns {
            "put `;` between the columns if the commas are decimal points"
        } else if cells < columns {
            "give every row one cell per column, or choose `columns` that all rows have"
        } else {
            "give every row one cell per column"
        };
        self.malformed(message, hint).at_line(self.line)
    }

    #[cold]
    pub(super) fn malformed(&self, message: String, hint: &str) -> FileError {
        FileError::new(&self.file, message, hint)
    }
}

/// The first names of many, for messages.
pub(super) fn listed(columns: &[Column]) -> String {
    let names = columns.iter().take(12).map(|column| format!("`{}`", excerpt(&column.name)));
    names.collect::<Vec<_>>().join(", ")
}
