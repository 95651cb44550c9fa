//! Graph files as they are best read: what `afferent fmt` writes.
//!
//! Nothing is added, left out or put elsewhere but blanks and blank lines; comments stay with what they
//! are about. Equals signs of a block stand in one column, and so do the comments behind lines.

mod scan;
mod value;

use std::sync::Arc;

use super::diagnostic::Diagnostics;
use super::place::SourceText;
use super::toml;
use super::value::Value;

use self::scan::{Statement, statements};

/// Where a comment behind a line begins, if the line leaves room for it.
const COMMENT_COLUMN: usize = 32;

/// A graph file, or any TOML, laid out as graphs are.
///
/// ```text
/// [node.clean]          # without drift
/// op = "bandpass"                          [node.clean]                    # without drift
/// low_hz=5.0                       ──▶     op      = "bandpass"
/// high_hz  =   15.0                        low_hz  = 5.0
///                                          high_hz = 15.0
/// ```
///
/// The result says the same, and laid out again it stays as it is.
///
/// # Errors
/// If the text is no TOML.
///
/// # Panics
/// If the result did not say the same, which would be a defect of this function.
pub fn tidied(file: &Arc<SourceText>) -> Result<String, Diagnostics> {
    let before = tables(file)?;
    let text = written(&statements(file.text()));
    let after = tables(&SourceText::new(file.name(), text.as_str())).ok();
    let says_the_same = after.is_some_and(|after| is_same(&before, &after));
    assert!(says_the_same, "laying `{}` out anew changed what it says", file.name());
    Ok(text)
}

/// The tables of a TOML text as one, before anybody asks what they mean.
///
/// # Errors
/// If the text is no TOML.
pub fn tables(file: &Arc<SourceText>) -> Result<Value, Diagnostics> {
    let mut problems = Vec::new();
    let read = toml::read(file, &mut problems);
    // A date is TOML, if no value of a graph.
    if read.is_partial { Err(Diagnostics(problems)) } else { Ok(Value::Table(read.entries)) }
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // NaN equals nothing, but is the same.
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(&a.value, &b.value))
        }
        (Value::Table(a), Value::Table(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len()
                && pairs.all(|((key, a), (other, b))| key == other && is_same(&a.value, &b.value))
        }
        (a, b) => a == b,
    }
}

fn written(statements: &[Statement<'_>]) -> String {
    let mut text = String::new();
    let widths = key_widths(statements);
    let (mut was_blank, mut above) = (false, None);
    for (number, statement) in statements.iter().enumerate() {
        if matches!(statement, Statement::Blank) {
            was_blank = true;
            continue;
        }
        if !text.is_empty() && wants_blank(was_blank, above, &statements[number..]) {
            text.push('\n');
        }
        match statement {
            Statement::Blank => {}
            Statement::Comment(comment) => text.push_str(comment),
            Statement::Header { text: header, comment } => {
                push_line(header, *comment, &mut text);
            }
            Statement::Entry { key, value, comment } => {
                let blanks = " ".repeat(widths[number] - key.chars().count());
                let line = format!("{key}{blanks} = {}", value::tidied(value));
                push_line(&line, *comment, &mut text);
            }
        }
        text.push('\n');
        (was_blank, above) = (false, Some(statement));
    }
    text
}

/// Whether a blank line comes before the first of `rest`: where one was written, but not behind a header; and
/// before a header with the comments right above it.
fn wants_blank(was_blank: bool, above: Option<&Statement<'_>>, rest: &[Statement<'_>]) -> bool {
    match rest[0] {
        Statement::Blank => false,
        Statement::Entry { .. } => was_blank && !matches!(above, Some(Statement::Header { .. })),
        Statement::Header { .. } => was_blank || !matches!(above, Some(Statement::Comment(_))),
        Statement::Comment(_) if was_blank => true,
        Statement::Comment(_) if matches!(above, Some(Statement::Comment(_))) => false,
        Statement::Comment(_) => {
            let below = rest.iter().find(|statement| !matches!(statement, Statement::Comment(_)));
            matches!(below, Some(Statement::Header { .. }))
        }
    }
}

/// Columns of the longest key of the block that each entry stands in: up to a blank line or a header.
fn key_widths(statements: &[Statement<'_>]) -> Vec<usize> {
    let mut widths = vec![0; statements.len()];
    let (mut begin, mut widest) = (0, 0);
    for (number, statement) in statements.iter().enumerate() {
        match statement {
            Statement::Entry { key, .. } => widest = widest.max(key.chars().count()),
            Statement::Comment(_) => {}
            Statement::Blank | Statement::Header { .. } => {
                widths[begin..number].fill(widest);
                (begin, widest) = (number, 0);
            }
        }
    }
    widths[begin..].fill(widest);
    widths
}

fn push_line(line: &str, comment: Option<&str>, text: &mut String) {
    text.push_str(line);
    let Some(comment) = comment else { return };
    let columns = line.rsplit('\n').next().unwrap_or_default().chars().count();
    let blanks = if columns < COMMENT_COLUMN { COMMENT_COLUMN - columns } else { 2 };
    text.push_str(&" ".repeat(blanks));
    text.push_str(comment);
}

#[cfg(test)]
mod tests;
