//! Typed values out of written ones; what does not fit becomes a diagnostic.

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::keys::KeyTable;
use super::place::{Place, Spanned};
use super::source::{NAME_BYTES_MAX, as_name, is_name};
use super::suggest::nearest;
use super::value::Value;

/// Reads the values of one table and collects what is wrong with them.
pub(super) struct Reader<'a> {
    /// What the table belongs to, for values without a place: ``node `ecg` ``.
    pub(super) origin: &'a str,
    pub(super) problems: &'a mut Vec<Diagnostic>,
}

/// Which numbers a key takes.
#[derive(Clone, Copy)]
pub(super) enum Numbers {
    /// Finite.
    Any,
    /// Finite and 0 or above.
    NotNegative,
    /// Finite and above 0.
    Positive,
}

/// What `from` wants.
pub(super) const NODE_NAME: &str = "the name of a node";

impl Reader<'_> {
    /// Notes a problem. Returns `None` for callers that have nothing to return then.
    pub(super) fn refuse<T>(&mut self, problem: Diagnostic) -> Option<T> {
        self.problems.push(problem.of(self.origin));
        None
    }

    pub(super) fn text(&mut self, key: &str, value: Spanned<Value>) -> Option<Spanned<String>> {
        match value.value {
            Value::Text(text) => Some(Spanned::new(text, value.place)),
            other => self.wrong_type(key, Spanned::new(other, value.place), "text"),
        }
    }

    /// Text that can name something.
    pub(super) fn name(&mut self, key: &str, value: Spanned<Value>) -> Option<Spanned<String>> {
        let text = self.text(key, value)?;
        if is_name(&text.value) { Some(text) } else { self.refuse(bad_name(&text)) }
    }

    pub(super) fn flag(&mut self, key: &str, value: Spanned<Value>) -> Option<Spanned<bool>> {
        match value.value {
            Value::Bool(yes) => Some(Spanned::new(yes, value.place)),
            _ => self.wrong_type(key, value, "true or false"),
        }
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        value: Spanned<Value>,
        numbers: Numbers,
    ) -> Option<Spanned<f64>> {
        let Some(number) = value.value.as_number() else {
            return self.wrong_type(key, value, "a number");
        };
        let (fits, wanted, hint) = match numbers {
            Numbers::Any => (true, "a finite number", "write a finite number"),
            Numbers::NotNegative => {
                (number >= 0.0, "0 or a finite number above it", "write 0 or a number above it")
            }
            Numbers::Positive => (
                number > 0.0,
                "a finite number above 0",
                "write a number above 0, or leave the key out",
            ),
        };
        if fits && number.is_finite() {
            return Some(Spanned::new(number, value.place));
        }
        self.out_of_range(key, &value, wanted, hint)
    }

    /// A whole number from 0.
    pub(super) fn count(&mut self, key: &str, value: Spanned<Value>) -> Option<Spanned<u32>> {
        let Value::Integer(number) = value.value else {
            return self.wrong_type(key, value, "a whole number");
        };
        match u32::try_from(number) {
            Ok(count) => Some(Spanned::new(count, value.place)),
            Err(_) => {
                let wanted = "a whole number from 0 to 4294967295";
                self.out_of_range(key, &value, wanted, "write 0, 1, 2 or so on")
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        value: Spanned<Value>,
        words: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.text(key, value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Spanned::new(*meaning, text.place));
        }
        let problem = format!("`{key}` = {} is not a choice", Value::from(text.value.as_str()));
        let all = listed(words.iter().map(|(word, _)| *word));
        let hint = match nearest(&text.value, words.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean `{near}`? The choices are {all}"),
            None => format!("choose one of {all}"),
        };
        self.refuse(Diagnostic::error(Code::OutOfRange, problem).at(&text.place).hint(hint))
    }

    pub(super) fn list(&mut self, key: &str, value: Spanned<Value>) -> Option<Vec<Spanned<Value>>> {
        match value.value {
            Value::List(items) => Some(items),
            _ => self.wrong_type(key, value, "a list"),
        }
    }

    pub(super) fn table(
        &mut self,
        key: &str,
        value: Spanned<Value>,
    ) -> Option<Vec<(Spanned<String>, Spanned<Value>)>> {
        match value.value {
            Value::Table(entries) => Some(entries),
            _ => self.wrong_type(key, value, "a table"),
        }
    }

    pub(super) fn wrong_type<T>(
        &mut self,
        key: &str,
        value: Spanned<Value>,
        wanted: &str,
    ) -> Option<T> {
        let kind = value.value.type_name();
        let written = &value.value;
        let message = match written {
            Value::List(_) | Value::Table(_) => format!("`{key}` is {kind}, not {wanted}"),
            _ => format!("`{key}` = {written} is {kind}, not {wanted}"),
        };
        let mut problem = Diagnostic::error(Code::WrongType, message).at(&value.place);
        let is_single = !matches!(written, Value::List(_) | Value::Table(_) | Value::Text(_));
        if wanted == "text" && is_single {
            problem = problem.hint(format!("write it in quotes: `{key} = \"{written}\"`"));
        }
        if wanted == NODE_NAME {
            problem = problem.hint("write a node's name in quotes, such as `from = \"ecg\"`");
        }
        if let Some(text) = written.as_text()
            && wanted != "text"
            && (text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok())
        {
            problem = problem.hint(format!("write it without quotes: `{key} = {text}`"));
        }
        self.refuse(problem)
    }

    fn out_of_range<T>(
        &mut self,
        key: &str,
        value: &Spanned<Value>,
        wanted: &str,
        hint: &str,
    ) -> Option<T> {
        let message = format!("`{key}` = {} is not {wanted}", value.value);
        self.refuse(Diagnostic::error(Code::OutOfRange, message).at(&value.place).hint(hint))
    }

    /// A key that its table does not know.
    pub(super) fn unknown_key(&mut self, key: &Spanned<String>, what: &str, table: &KeyTable) {
        let message = format!("{what} has no key `{}`", key.value);
        let hint = match nearest(&key.value, table.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let keys = listed(table.names());
                format!("its keys are {keys}; `afferent explain {}` explains them", table.name)
            }
        };
        self.refuse::<()>(Diagnostic::error(Code::UnknownKey, message).at(&key.place).hint(hint));
    }

    /// A key that must be written and is not; `place` is the table's.
    pub(super) fn missing<T>(
        &mut self,
        what: String,
        place: &Option<Place>,
        hint: &str,
    ) -> Option<T> {
        self.refuse(Diagnostic::error(Code::MissingParameter, what).at(place).hint(hint))
    }
}

pub(super) fn bad_name(name: &Spanned<String>) -> Diagnostic {
    let problem = if name.value.len() > NAME_BYTES_MAX {
        let start: String = name.value.chars().take(NAME_BYTES_MAX / 2).collect();
        format!("the name `{start}…` is longer than {NAME_BYTES_MAX} letters")
    } else {
        format!("`{}` is not a name", name.value)
    };
    let mut hint = "use lower-case letters, digits and `_`, beginning with a letter".to_owned();
    if let Some(near) = as_name(&name.value) {
        hint += &format!(": `{near}`");
    }
    Diagnostic::error(Code::BadName, problem).at(&name.place).hint(hint)
}

/// `` `a`, `b` and `c` ``
pub(super) fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match (words.pop(), words.is_empty()) {
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}
