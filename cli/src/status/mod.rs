//! The status line: what a person at a terminal sees while a graph runs.
//!
//! ```text
//! lines of `jsonl` ─┬─▶ said ───── finals above the line ───────▶ Screen (stderr)
//!                   └─▶ Vitals ─┐
//! Running::report ─────▶ Meter ──┴▶ View ──line─────────────────▶ Screen
//! ```

mod line;
mod meter;
mod said;
mod screen;
mod units;
mod vitals;

pub(crate) use line::{View, end_of, line};
pub(crate) use meter::{Meter, content_s, links, trouble};
pub(crate) use said::said;
pub(crate) use screen::Screen;
pub(crate) use units::{bytes, clock, date_and_time, grouped, per_second, rate, span, times};
pub(crate) use vitals::Vitals;
