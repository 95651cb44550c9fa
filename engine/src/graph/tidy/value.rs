//! Values: lists and tables with one blank where there is any; what goes over several lines keeps them.

use super::scan::{Scan, unblanked};

/// Blanks before what stands in a list of several lines.
const INDENT: usize = 4;

pub(super) fn tidied(value: &str) -> String {
    if !value.contains('\n') {
        return on_one_line(value);
    }
    // A text over several lines is what it is, blanks and all.
    if value.contains("\"\"\"") || value.contains("'''") {
        return value.to_owned();
    }
    let mut lines = Vec::new();
    let mut depth: usize = 0;
    for line in value.split('\n') {
        let line = line.trim();
        let closes = line.chars().take_while(|c| matches!(c, ']' | '}')).count();
        let indent = if line.is_empty() { 0 } else { INDENT * depth.saturating_sub(closes) };
        lines.push(format!("{}{line}", " ".repeat(indent)));
        for (_, c, _) in Scan::new(line) {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    lines.join("\n")
}

fn on_one_line(value: &str) -> String {
    let (open, close) = match value.chars().next() {
        Some('[') => ("[", "]"),
        Some('{') => ("{ ", " }"),
        _ => return value.to_owned(),
    };
    let inner = value[1..value.len() - 1].trim();
    if inner.is_empty() {
        return format!("{}{}", open.trim(), close.trim());
    }
    let parts = parts(inner).into_iter().map(str::trim).filter(|part| !part.is_empty());
    let parts = parts.map(|part| match open {
        "[" => on_one_line(part),
        _ => {
            let equals = Scan::new(part).find(|(_, c, _)| *c == '=');
            let equals = equals.map_or(part.len(), |(at, ..)| at);
            let value = part.get(equals + 1..).unwrap_or_default().trim();
            format!("{} = {}", unblanked(&part[..equals]), on_one_line(value))
        }
    });
    format!("{open}{}{close}", parts.collect::<Vec<_>>().join(", "))
}

/// What stands between the commas of a list or table.
fn parts(inner: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c, depth) in Scan::new(inner) {
        if c == ',' && depth == 0 {
            found.push(&inner[start..at]);
            start = at + 1;
        }
    }
    found.push(&inner[start..]);
    found
}
