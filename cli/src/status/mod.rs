//! The status line: what a person at a terminal sees while a graph runs.
//!
//! ```text
//! lines of `jsonl` ──▶ Vitals ─┐
//! Running::report ──▶ Meter ───┴▶ View ──line──▶ Screen (stderr)
//! ```

mod line;
mod meter;
mod screen;
mod units;
mod vitals;

pub(crate) use line::{View, end_of, line};
pub(crate) use meter::{Meter, content_s, links, trouble};
pub(crate) use screen::Screen;
pub(crate) use units::{clock, date_and_time, grouped, per_second, span, times};
pub(crate) use vitals::Vitals;
