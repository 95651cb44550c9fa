//! TOML text to [`Value`]s with places. The only file that names `toml_edit`.
//!
//! `toml_edit` stops at the first mistake. To show all of them, the line of a mistake is replaced
//! by blanks, which moves no byte, and the rest is read again.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, Item, Table, TomlError};

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::place::{Place, SourceText, Spanned};
use super::value::Value;

/// Entries of a table in the order of the text.
type Entries = Vec<(Spanned<String>, Spanned<Value>)>;

/// What could be read of a text.
pub(super) struct Read {
    pub(super) entries: Entries,
    /// Whether lines had to be left out, so that what is missing proves nothing.
    pub(super) is_partial: bool,
}

pub(super) fn read(file: &Arc<SourceText>, problems: &mut Vec<Diagnostic>) -> Read {
    let mut text = file.text().to_owned();
    let mut is_partial = false;
    let mut furthest = 0;

    let readings = (REREAD_BYTES_MAX / text.len().max(1)).clamp(1, MISTAKES_MAX);
    for _ in 0..readings {
        let error = match Document::parse(text.as_str()) {
            Ok(document) => {
                let entries = Reader { file, problems }.table(document.as_table());
                return Read { entries, is_partial };
            }
            Err(error) => error,
        };
        let span = blamed(file.text(), &error);
        // A mistake before the last one was made by our blanks.
        if is_partial && span.start <= furthest {
            break;
        }
        (is_partial, furthest) = (true, span.start);
        problems.push(explained(file, &error, span.clone()));

        let is_duplicate = error.message().starts_with("duplicate key");
        let Some(lines) = faulty_lines(&text, span.start, is_duplicate) else { break };
        let blanks: String = text[lines.clone()]
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect();
        text.replace_range(lines, &blanks);
    }
    Read { entries: Vec::new(), is_partial: true }
}

/// Who makes more mistakes than this will run the program again anyway.
const MISTAKES_MAX: usize = 12;

/// Each mistake costs a reading, so large files get fewer of them.
const REREAD_BYTES_MAX: usize = 2 << 20;

/// Where the mistake is. An empty span at the beginning of a line is about the end of what stands
/// before it: a comma is missing there, or a quote.
fn blamed(text: &str, error: &TomlError) -> Range<usize> {
    let span = error.span().unwrap_or_default();
    let start = text.floor_char_boundary(span.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    if span.is_empty() && text[line_start..start].trim().is_empty() {
        let end = before.trim_end().len();
        return end..end;
    }
    start..span.end.max(start)
}

/// The lines to leave out: the one of the mistake, and the whole section if that is a header.
/// `None` where the line is sound by itself, because then the mistake was made elsewhere.
fn faulty_lines(text: &str, at: usize, is_duplicate: bool) -> Option<Range<usize>> {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let line = &text[start..end];
    if line.trim().is_empty() || (!is_duplicate && Document::parse(line).is_ok()) {
        return None;
    }
    if line.trim_start().starts_with('[') && !line.contains('=') {
        let next = text[end..].find("\n[").map_or(text.len(), |length| end + length);
        return Some(start..next);
    }
    Some(start..end)
}

/// A mistake in our words where we know better ones than TOML's.
fn explained(file: &Arc<SourceText>, error: &TomlError, span: Range<usize>) -> Diagnostic {
    let at = Some(Place::new(file, span.clone()));
    let written = &file.text()[span.start..file.text().floor_char_boundary(span.end)];
    let (what, expected) = match error.message().split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (error.message(), None),
    };
    let syntax = |message: String| Diagnostic::error(Code::Syntax, message).at(&at);
    match what {
        "duplicate key" => duplicate(file, span),
        "string values must be quoted" if written.is_empty() => {
            syntax("the value is missing".to_owned()).hint("write a value after `=`")
        }
        "string values must be quoted" if written.starts_with(|c: char| c.is_ascii_digit()) => {
            let number = written.trim_end_matches(|c: char| !c.is_ascii_digit());
            syntax(format!("`{written}` is not a value")).hint(format!(
                "write the number alone, `{number}` (the key says its unit), or text in quotes"
            ))
        }
        "string values must be quoted" => {
            let bare = written.trim_matches(['“', '”', '‘', '’', '"', '\'', '`']);
            syntax(format!("`{written}` is not a value"))
                .hint(format!("write text in straight quotes: `\"{bare}\"`"))
        }
        "key with no value" => syntax("a key needs `=` and a value".to_owned())
            .hint("write `key = value`; a key with spaces needs quotes"),
        "missing comma between array elements" => syntax("the list goes on without `,`".to_owned())
            .hint("put `,` between elements, or close the list with `]`"),
        "missing comma between key-value pairs" => {
            syntax("the table goes on without `,`".to_owned())
                .hint("put `,` between entries, or close the table with `}`")
        }
        "integer number overflowed" => syntax(format!("{written} does not fit into 64 bits")),
        _ if what.ends_with("string") && expected.is_some_and(|c| c.contains("visible")) => {
            syntax("the text holds a control character".to_owned())
                .hint("write it as an escape, such as `\\u0007`")
        }
        _ if what.starts_with("unclosed") || what.ends_with("string") => {
            let part = match what {
                "unclosed table" | "unclosed array table" => "header",
                "unclosed array" => "list",
                "unclosed inline table" => "table",
                _ => "text",
            };
            let problem = syntax(format!("the {part} is not closed"));
            match expected {
                Some(close) => problem.hint(format!("close it with {close}")),
                None => problem,
            }
        }
        "cannot recurse further; max recursion depth met" | "recursion limit" => {
            syntax("tables and lists are nested too deeply".to_owned())
                .hint("keep within 80 levels")
        }
        _ => {
            let problem = syntax(what.to_owned());
            match expected {
                Some("nothing") | None => problem,
                Some(expected) => problem.hint(format!("expected {expected}")),
            }
        }
    }
}

/// The second of two equal keys or headers, with the first beside it.
fn duplicate(file: &Arc<SourceText>, span: Range<usize>) -> Diagnostic {
    let text = file.text();
    let name = &text[span.clone()];
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[span.end..].find('\n').map_or(text.len(), |length| span.end + length);
    let line = &text[line_start..line_end];
    let offset = span.start - line_start;

    let is_header = line.trim_start().starts_with('[');
    let what = match line.trim_start().split_inclusive(']').next() {
        Some(header) if is_header => format!("`{header}` is written twice"),
        _ => format!("`{name}` is written twice in one table"),
    };
    let hint = match is_header {
        true => "give one of them another name, or delete it",
        false => "keep one of the two",
    };
    let problem = Diagnostic::error(Code::DuplicateName, what)
        .at(&Some(Place::new(file, span.clone())))
        .hint(hint);

    // The first one stands in an earlier line that begins the same way; for a key, in this table.
    let same = &line[..offset + name.len()];
    let mut start = line_start;
    for earlier in text[..line_start].split_inclusive('\n').rev() {
        start -= earlier.len();
        let follows = earlier.strip_prefix(same).and_then(|rest| rest.chars().next());
        if follows.is_some_and(|c| matches!(c, ' ' | '\t' | '=' | ']')) {
            let first = start + offset..start + offset + name.len();
            return problem.see("first written here", &Some(Place::new(file, first)));
        }
        if !is_header && earlier.trim_start().starts_with('[') {
            break;
        }
    }
    problem
}

struct Reader<'a> {
    file: &'a Arc<SourceText>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Option<Place> {
        span.map(|span| Place::new(self.file, span))
    }

    // `toml_edit` bounds the depth of nesting, so these may call each other.

    fn table(&mut self, table: &Table) -> Entries {
        let entries = table.iter().map(|(name, item)| {
            let span = table.key(name).and_then(|key| key.span());
            (Spanned::new(name.to_owned(), self.place(span)), self.item(item))
        });
        entries.collect()
    }

    fn item(&mut self, item: &Item) -> Spanned<Value> {
        let value = match item {
            Item::Value(value) => return self.value(value),
            Item::Table(table) => Value::Table(self.table(table)),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter().map(|table| {
                    let place = self.place(table.span());
                    Spanned::new(Value::Table(self.table(table)), place)
                });
                Value::List(tables.collect())
            }
            Item::None => Value::Table(Vec::new()),
        };
        Spanned::new(value, self.place(item.span()))
    }

    fn value(&mut self, written: &toml_edit::Value) -> Spanned<Value> {
        let place = self.place(written.span());
        let value = match written {
            toml_edit::Value::String(text) => Value::Text(text.value().clone()),
            toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
            toml_edit::Value::Float(number) => Value::Float(*number.value()),
            toml_edit::Value::Boolean(yes) => Value::Bool(*yes.value()),
            toml_edit::Value::Datetime(_) => self.date(&place),
            toml_edit::Value::Array(items) => {
                Value::List(items.iter().map(|item| self.value(item)).collect())
            }
            toml_edit::Value::InlineTable(table) => {
                let entries = table.iter().map(|(name, value)| {
                    let span = table.key(name).and_then(|key| key.span());
                    (Spanned::new(name.to_owned(), self.place(span)), self.value(value))
                });
                Value::Table(entries.collect())
            }
        };
        Spanned::new(value, place)
    }

    fn date(&mut self, place: &Option<Place>) -> Value {
        let written = place.as_ref().map_or("", |place| &self.file.text()[place.span.clone()]);
        let problem = Diagnostic::error(
            Code::WrongType,
            format!("the date {written} is no value of a graph"),
        );
        self.problems.push(problem.at(place).hint(format!("write it in quotes: `\"{written}\"`")));
        Value::Text(written.to_owned())
    }
}

/// The bytes `span` of a text, read as one value. What is no value is told as a syntax error.
pub(super) fn read_value(
    file: &Arc<SourceText>,
    span: Range<usize>,
) -> Result<Spanned<Value>, Diagnostic> {
    // Blanks and a key before the value keep every place right.
    let mut padded = " ".repeat(span.start.saturating_sub(2)) + "v=";
    padded.push_str(&file.text()[span.clone()]);
    let document = Document::parse(padded.as_str())
        .map_err(|error| explained(file, &error, blamed(file.text(), &error)))?;

    let mut problems = Vec::new();
    let value = Reader { file, problems: &mut problems }.item(&document["v"]);
    if value.place.as_ref().is_none_or(|place| place.span != span) {
        let problem = Diagnostic::error(Code::Syntax, "something follows the value");
        problems.push(problem.at(&Some(Place::new(file, span))));
    }
    problems.pop().map_or(Ok(value), Err)
}
