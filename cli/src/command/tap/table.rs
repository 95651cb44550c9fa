//! Cells of tables.

use std::fmt::Write;

use engine::{FieldValue, SignalFormat};

/// Names of channels, each with its unit.
pub(super) fn heads(signal: &SignalFormat) -> Vec<String> {
    let head = |channel: &engine::Channel| match channel.unit.name() {
        "" => channel.name.clone(),
        unit => format!("{} ({unit})", channel.name),
    };
    signal.channels.iter().map(head).collect()
}

/// Appends a number with the fewest digits that lead back to it, as a sample where it is one; of one that is none, nothing.
pub(super) fn number(text: &mut String, value: f64) {
    if !value.is_finite() {
        return;
    }
    let rounded = value as f32;
    // Writing into a string cannot fail.
    let _ = match f64::from(rounded) == value {
        true => write!(text, "{rounded}"),
        false => write!(text, "{value}"),
    };
}

/// Appends a field of an event as a cell.
pub(super) fn cell(text: &mut String, value: &FieldValue<'_>) {
    match value {
        FieldValue::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
        // Writing into a string cannot fail.
        FieldValue::I64(number) => drop(write!(text, "{number}")),
        FieldValue::F64(value) => number(text, *value),
        FieldValue::Text(words) => quoted(text, words),
        FieldValue::Bytes(bytes) => {
            for byte in *bytes {
                let _ = write!(text, "{byte:02x}");
            }
        }
        FieldValue::Floats(samples) => {
            let mut all = String::new();
            for (n, sample) in samples.iter().enumerate() {
                if n > 0 {
                    all.push(' ');
                }
                number(&mut all, f64::from(*sample));
            }
            text.push_str(&all);
        }
    }
}

fn quoted(text: &mut String, words: &str) {
    if words.contains([',', ';', '\t', '"', '\n', '\r', '#']) {
        text.push('"');
        text.push_str(&words.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(words);
    }
}
