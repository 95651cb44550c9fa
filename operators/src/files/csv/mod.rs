//! Tables of numbers as text.
//!
//! Reading takes what spreadsheets and loggers write: `,` `;` or tab, a header row or none, `#`
//! comments, CRLF, a byte-order mark, a time column or none. Writing gives one header row
//! `t_s,<channels>` and a row per sample, in the shortest digits that read back as the same
//! numbers.

mod cell;
mod layout;
mod moment;
mod probe;
mod reader;
mod writer;

pub use layout::{Column, TimeUnit};
pub use reader::{CsvBlock, CsvGap, CsvOptions, CsvReader, CsvRemark, CsvTally, TimeColumn};
pub use writer::CsvWriter;
