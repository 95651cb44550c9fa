//! Diagnostics as text, in the manner of rustc.
//!
//! ```text
//! error[above-nyquist]: `high_hz` = 80.0 is above half the sample rate of `ecg` (25.0)
//!   --> graphs/pulse.toml:18:11
//!    |
//! 18 | high_hz = 80.0
//!    |           ^^^^
//!    = hint: `ecg` delivers 50 samples per second; choose at most 25.0
//! ```
//!
//! Our own, because annotate-snippets puts another `|` line before the hint and miette draws a
//! different picture. Whatever stands in the file, no control character reaches a terminal.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::words::counted;

use super::diagnostic::{Diagnostic, Level};
use super::place::{COMMAND_LINE, Place, SourceText};

/// Every problem in the order of the text, those without a place last, then a line that counts.
pub(super) fn all(problems: &[Diagnostic], styled: bool, outcome: &str) -> String {
    // Texts come in the order in which problems first name them: each `--set` is one of its own.
    let mut texts: HashMap<*const SourceText, usize> = HashMap::new();
    for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
        let next = texts.len();
        texts.entry(Arc::as_ptr(&place.file)).or_insert(next);
    }
    let mut sorted: Vec<&Diagnostic> = problems.iter().collect();
    sorted.sort_by_key(|problem| match &problem.place {
        Some(place) => (texts[&Arc::as_ptr(&place.file)], place.span.start),
        None => (usize::MAX, 0),
    });

    let mut out = String::new();
    for problem in sorted.iter().take(SHOWN_MAX) {
        diagnostic(problem, styled, &mut out);
        out.push('\n');
    }
    if sorted.len() > SHOWN_MAX {
        line(&mut out, format_args!("… and {} more\n", sorted.len() - SHOWN_MAX));
    }
    out + &verdict(problems, outcome)
}

/// Nobody reads further, and a hostile file could ask for a million.
const SHOWN_MAX: usize = 1_000;

fn verdict(problems: &[Diagnostic], outcome: &str) -> String {
    let warnings = problems.iter().filter(|problem| problem.level == Level::Warning).count();
    match (problems.len() - warnings, warnings) {
        (0, 0) => String::new(),
        (0, _) => counted(warnings, "warning") + "\n",
        (errors, 0) => format!("{}; {outcome}\n", counted(errors, "problem")),
        (errors, _) => format!(
            "{} and {}; {outcome}\n",
            counted(errors, "problem"),
            counted(warnings, "warning")
        ),
    }
}

pub(super) fn diagnostic(problem: &Diagnostic, styled: bool, out: &mut String) {
    let ink = Ink::new(problem.level, styled);
    let Ink { level, bold, gutter, off, .. } = ink;
    let word = match problem.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let message = printable(&problem.message, TEXT_CHARS_MAX);
    line(out, format_args!("{level}{word}[{}]{off}{bold}: {message}{off}", problem.code.name()));

    let related = problem.related.iter().map(|(_, place)| place);
    let includers = includers(problem.place.as_ref());
    let within = includers.iter().map(|(_, place)| *place);
    let numbers =
        problem.place.iter().chain(related).chain(within).map(|place| place.line_and_column().0);
    let width = numbers.max().unwrap_or(1).to_string().len();

    match (&problem.place, &problem.origin) {
        (Some(place), _) => snippet(place, width, ink, out),
        (None, Some(origin)) => {
            let origin = printable(origin, TEXT_CHARS_MAX);
            line(out, format_args!("{:width$}{gutter}-->{off} {origin}", ""));
        }
        (None, None) => {}
    }
    if let Some(hint) = &problem.hint {
        let hint = printable(hint, TEXT_CHARS_MAX);
        line(out, format_args!("{:width$} {gutter}={off} {bold}hint{off}: {hint}", ""));
    }
    for (label, place) in &problem.related {
        line(out, format_args!("{bold}note{off}: {}", printable(label, TEXT_CHARS_MAX)));
        snippet(place, width, ink, out);
    }
    for (include, place) in includers {
        let include = printable(include, TEXT_CHARS_MAX);
        line(out, format_args!("{bold}note{off}: included here as `{include}`"));
        snippet(place, width, ink, out);
    }
}

/// The includes that led to a place, the innermost first, each with where it is written.
fn includers(place: Option<&Place>) -> Vec<(&str, &Place)> {
    let mut found = Vec::new();
    let mut place = place;
    while let Some(at) = place {
        place = at.file.includer();
        found.extend(at.file.included_as().zip(place));
    }
    found
}

/// Messages quote what a person wrote, which may be a megabyte.
const TEXT_CHARS_MAX: usize = 400;

fn snippet(place: &Place, width: usize, ink: Ink, out: &mut String) {
    let Ink { gutter, mark, off, .. } = ink;
    let (number, column) = place.line_and_column();
    let Excerpt { before, marked, after, last_line } = Excerpt::new(place);

    let name = printable(place.file.name(), TEXT_CHARS_MAX);
    let whereabouts = match place.file.text().split_once('=') {
        // The command line has no lines to count, but perhaps several of these.
        Some((key, _)) if name == COMMAND_LINE => format!("in `{name} {}=…`", key.trim()),
        _ if name == COMMAND_LINE => format!("in `{name}`"),
        _ => format!("{name}:{number}:{column}"),
    };
    line(
        out,
        format_args!("{:width$}{gutter}-->{off} {}", "", printable(&whereabouts, TEXT_CHARS_MAX)),
    );
    line(out, format_args!("{:width$} {gutter}|{off}", ""));
    line(out, format_args!("{gutter}{number:>width$} |{off} {before}{marked}{after}"));

    let indent = " ".repeat(columns(&before));
    let carets = "^".repeat(columns(&marked).max(1));
    let rest = last_line.map_or(String::new(), |last| format!("… to line {last}"));
    line(out, format_args!("{:width$} {gutter}|{off} {indent}{mark}{carets}{rest}{off}", ""));
}

/// The line of a place in three parts, cut where it is too long, ready to print.
struct Excerpt {
    before: String,
    marked: String,
    after: String,
    /// Where the place ends, if that is another line.
    last_line: Option<usize>,
}

impl Excerpt {
    fn new(place: &Place) -> Self {
        let text = place.file.text();
        let (number, whole) = place.file.line_at(place.offset());
        let start = place.offset().clamp(whole.start, whole.end);
        let end = text.floor_char_boundary(place.span.end).clamp(start, whole.end);
        let (before, marked, after) =
            (&text[whole.start..start], &text[start..end], &text[end..whole.end]);

        let last_byte = place.span.end.min(text.len()).saturating_sub(1).max(start);
        let last_line = Some(place.file.line_at(last_byte).0).filter(|last| *last > number);

        // In a short line nothing is cut. The first comparison keeps a line of a megabyte from
        // being measured.
        let fits = whole.len() <= 4 * LINE_COLUMNS && columns(&text[whole]) <= LINE_COLUMNS;
        let limit = |columns| if fits { usize::MAX } else { columns };
        Self {
            before: cut_left(before, limit(LINE_COLUMNS * 4 / 10)),
            marked: cut_right(marked, limit(LINE_COLUMNS * 4 / 10)),
            after: cut_right(after, limit(LINE_COLUMNS * 2 / 10)),
            last_line,
        }
    }
}

const LINE_COLUMNS: usize = 100;

fn cut_right(text: &str, limit: usize) -> String {
    let mut room = limit;
    let mut kept = String::new();
    for c in text.chars() {
        match room.checked_sub(column_count(c)) {
            Some(rest) => room = rest,
            None => return kept + "…",
        }
        push_cell(c, &mut kept);
    }
    kept
}

fn cut_left(text: &str, limit: usize) -> String {
    let mut room = limit;
    for (at, c) in text.char_indices().rev() {
        match room.checked_sub(column_count(c)) {
            Some(rest) => room = rest,
            None => return "…".to_owned() + &cut_right(&text[at + c.len_utf8()..], limit),
        }
    }
    cut_right(text, limit)
}

fn push_cell(c: char, out: &mut String) {
    match c {
        '\t' => out.push_str("    "),
        c if is_unprintable(c) => out.push('\u{fffd}'),
        c => out.push(c),
    }
}

/// Text within one line: control characters as escapes, the rest as it is, cut if very long.
fn printable(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        match c {
            _ if n == chars_max => return out + "…",
            c if is_unprintable(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, which steer terminals, and the marks that reorder text, which lie about it.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn columns(text: &str) -> usize {
    text.chars().map(column_count).sum()
}

/// Columns a terminal gives to a character: the ranges of Unicode's East Asian Width and emoji
/// blocks, coarsely. A wrong guess shifts a caret, so a table of our own is enough.
fn column_count(c: char) -> usize {
    match u32::from(c) {
        0x09 => 4,
        0x300..=0x36f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 => 2,
        0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

/// Terminal colours, or nothing.
#[derive(Clone, Copy)]
struct Ink {
    level: &'static str,
    mark: &'static str,
    bold: &'static str,
    gutter: &'static str,
    off: &'static str,
}

impl Ink {
    fn new(level: Level, styled: bool) -> Self {
        if !styled {
            return Self { level: "", mark: "", bold: "", gutter: "", off: "" };
        }
        let level = match level {
            Level::Error => "\x1b[1;31m",
            Level::Warning => "\x1b[1;33m",
        };
        Self { level, mark: level, bold: "\x1b[1m", gutter: "\x1b[1;34m", off: "\x1b[0m" }
    }
}
