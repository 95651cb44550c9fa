//! Values as written in a graph, before any kind has said what it wants.

use std::fmt;

use super::place::Spanned;

/// What a graph file can hold. Dates, which TOML also has, are no values of a graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A number with a point or an exponent; `nan` and `inf` too.
    Float(f64),
    /// A whole number.
    Integer(i64),
    /// `[…]`
    List(Vec<Spanned<Value>>),
    /// `{…}`, in the order of the text.
    Table(Vec<(Spanned<String>, Spanned<Value>)>),
    /// Any text.
    Text(String),
}

impl Value {
    /// What this is, with its article, for messages: `an integer`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Bool(_) => "a truth value",
            Value::Float(_) => "a number",
            Value::Integer(_) => "an integer",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Text(_) => "text",
        }
    }

    /// The number, whole or not: `250` may stand wherever `250.0` may.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// As it would stand in a graph file, shortened where it is long.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(yes) => write!(f, "{yes}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::List(items) if items.is_empty() => f.write_str("[]"),
            Value::List(_) => f.write_str("[…]"),
            Value::Table(entries) if entries.is_empty() => f.write_str("{}"),
            Value::Table(_) => f.write_str("{…}"),
            Value::Text(text) if text.chars().count() > TEXT_SHOWN_CHARS => {
                let start: String = text.chars().take(TEXT_SHOWN_CHARS).collect();
                write!(f, "{:?}", start + "…")
            }
            Value::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Longer texts make a message unreadable; the source line below it shows the rest.
const TEXT_SHOWN_CHARS: usize = 40;

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(|item| item.into().into()).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Value::from(Vec::from(items))
    }
}

/// A table: `Value::from_iter([("sigma_mv", 0.1), ("mean_mv", 0.0)])`.
impl<K: Into<String>, T: Into<Value>> FromIterator<(K, T)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        let entry = |(key, value): (K, T)| (Spanned::from(key.into()), Spanned::from(value.into()));
        Value::Table(entries.into_iter().map(entry).collect())
    }
}
