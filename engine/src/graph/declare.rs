//! What a graph file declares for those who include it: `[param.NAME]`, `[input.NAME]` and
//! `[output.NAME]`.

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::keys;
use super::place::{Place, Spanned};
use super::read::{Numbers, Reader};
use super::source::SourceRef;
use super::spec::NodeSpec;
use super::value::Value;

/// A `[param.NAME]`: what `"$NAME"` stands for in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// The `NAME`.
    pub name: Spanned<String>,
    /// What its value may be.
    pub takes: Takes,
    /// What holds where nobody gives one.
    pub default: Option<Spanned<Value>>,
    /// Not below; for numbers.
    pub min: Option<f64>,
    /// Not above; for numbers.
    pub max: Option<f64>,
    /// The only values there are; any if empty.
    pub choices: Vec<Value>,
    /// For people, where the name does not end in it.
    pub unit: Option<Spanned<String>>,
    /// A sentence for people.
    pub doc: Option<Spanned<String>>,
}

/// What the value of a parameter of a graph may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A list of anything.
    List,
    /// A number, whole or not.
    Number,
    /// Any text.
    Text,
}

impl Takes {
    /// Every type with the word for it in a graph file.
    pub const WORDS: &[(&'static str, Self)] = &[
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("list", Self::List),
        ("number", Self::Number),
        ("text", Self::Text),
    ];

    /// With its article, for messages.
    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::Boolean => "`true` or `false`",
            Self::Integer => "a whole number",
            Self::List => "a list",
            Self::Number => "a number",
            Self::Text => "text",
        }
    }

    pub(super) const fn fits(self, value: &Value) -> bool {
        match self {
            Self::Boolean => matches!(value, Value::Bool(_)),
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::List => matches!(value, Value::List(_)),
            Self::Number => matches!(value, Value::Integer(_) | Value::Float(_)),
            Self::Text => matches!(value, Value::Text(_)),
        }
    }

    const fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(_) => Some(Self::Boolean),
            Value::Float(_) | Value::Integer(_) => Some(Self::Number),
            Value::List(_) => Some(Self::List),
            Value::Table(_) => None,
            Value::Text(_) => Some(Self::Text),
        }
    }
}

/// An `[input.NAME]`: a name in `from` that whoever includes the file feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct InletSpec {
    /// The `NAME`.
    pub name: Spanned<String>,
    /// Whether it may be left unfed.
    pub optional: bool,
    /// The node that feeds it where the file runs by itself.
    pub stand_in: Option<NodeSpec>,
}

/// An `[output.NAME]`: what whoever includes the file may take.
#[derive(Clone, Debug, PartialEq)]
pub struct OutletSpec {
    /// The `NAME`.
    pub name: Spanned<String>,
    /// Where it comes from; `None` only where that was not written right, which is told.
    pub from: Option<Spanned<SourceRef>>,
    /// A sentence for people.
    pub doc: Option<Spanned<String>>,
}

type Entries = Vec<(Spanned<String>, Spanned<Value>)>;

/// What `[include.NAME]` takes for itself.
const INCLUDE_KEYS: [&str; 6] = ["doc", "enabled", "file", "from", "on", "op"];

impl ParamSpec {
    pub(super) fn read(
        name: Spanned<String>,
        place: &Option<Place>,
        entries: Entries,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let origin = format!("parameter `{}`", name.value);
        let before = problems.len();
        let mut reader = Reader { origin: &origin, problems };
        let (mut takes, mut default, mut bounds) = (None, None, [None, None]);
        let (mut choices, mut unit, mut doc) = (Vec::new(), None, None);
        for (key, value) in entries {
            let word = key.value.as_str();
            match word {
                "type" => takes = reader.word(word, value, Takes::WORDS),
                "default" => default = Some(value),
                "min" => bounds[0] = reader.number(word, value, Numbers::Any),
                "max" => bounds[1] = reader.number(word, value, Numbers::Any),
                "choices" => choices = reader.list(word, value).unwrap_or_default(),
                "unit" => unit = reader.text(word, value),
                "doc" => doc = reader.text(word, value),
                _ => reader.unknown_key(&key, "`[param.NAME]`", &keys::PARAM),
            }
        }
        let takes = takes.map(|takes| takes.value);
        let of = default.as_ref().or(choices.first());
        let takes = takes.or_else(|| of.and_then(|value| Takes::of(&value.value)));
        if INCLUDE_KEYS.contains(&name.value.as_str()) {
            let message = format!("`{}` cannot name a parameter", name.value);
            let problem = Diagnostic::error(Code::BadName, message).at(&name.place);
            let hint = "choose another name: whoever includes the file means something else by it";
            return reader.refuse(problem.hint(hint));
        }
        if reader.problems.len() > before {
            return None;
        }
        let Some(takes) = takes else {
            let what = format!("what `{}` may be is not said", name.value);
            return reader.missing(what, place, "write `type = \"number\"`, or a `default`");
        };
        let [min, max] = bounds.map(|bound| bound.map(|bound| bound.value));
        let choices = choices.into_iter().map(|choice| choice.value).collect();
        let this = Self { name, takes, default, min, max, choices, unit, doc };
        if let Some(problem) = this.default.as_ref().and_then(|default| this.refuses(default)) {
            return reader.refuse(problem);
        }
        Some(this)
    }

    /// What is wrong with a value, if something is.
    pub fn refuses(&self, value: &Spanned<Value>) -> Option<Diagnostic> {
        let (name, shown) = (&self.name.value, &value.value);
        let hint = |choose: String| match &self.doc {
            Some(doc) => format!("{choose} ({})", doc.value.trim_end_matches('.')),
            None => choose,
        };
        if !self.takes.fits(shown) {
            let message =
                format!("`{name}` is {} but takes {}", shown.type_name(), self.takes.phrase());
            let problem = Diagnostic::error(Code::WrongType, message).at(&value.place);
            let problem = problem.hint(hint(format!("write {}", self.takes.phrase())));
            return Some(problem.see("declared here", &self.name.place));
        }
        let outside = shown.as_number().is_some_and(|number| {
            !number.is_finite()
                || self.min.is_some_and(|min| number < min)
                || self.max.is_some_and(|max| number > max)
        });
        let is_choice = |choice: &Value| {
            choice == shown || choice.as_number().is_some_and(|n| Some(n) == shown.as_number())
        };
        let (is, choose) = match (outside, self.min, self.max) {
            (true, Some(min), Some(max)) => ("outside", format!("{min:?} to {max:?}")),
            (true, Some(min), None) => ("outside", format!("{min:?} and above")),
            (true, None, Some(max)) => ("outside", format!("{max:?} and below")),
            (true, None, None) => ("outside", "the finite numbers".to_owned()),
            _ if self.choices.is_empty() || self.choices.iter().any(is_choice) => return None,
            _ => {
                let choices: Vec<_> = self.choices.iter().map(Value::to_string).collect();
                ("none of", choices.join(", "))
            }
        };
        let message = format!("`{name}` = {shown} is {is} {choose}");
        let problem = Diagnostic::error(Code::OutOfRange, message).at(&value.place);
        let problem = problem.hint(hint(format!("choose {choose}")));
        Some(problem.see("declared here", &self.name.place))
    }
}

impl InletSpec {
    pub(super) fn read(
        name: Spanned<String>,
        place: &Option<Place>,
        mut entries: Entries,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let origin = format!("input `{}`", name.value);
        let mut reader = Reader { origin: &origin, problems };
        let at = entries.iter().position(|(key, _)| key.value == "optional");
        let optional = at.map(|at| entries.remove(at).1);
        let optional = optional.and_then(|value| reader.flag("optional", value));
        let stands_in = entries.iter().any(|(key, _)| key.value == "op");
        if !stands_in {
            for (key, value) in &entries {
                match key.value.as_str() {
                    "doc" => drop(reader.text("doc", value.clone())),
                    _ => reader.unknown_key(key, "an input without an `op`", &keys::INLET),
                }
            }
        }
        let stand_in = stands_in.then(|| NodeSpec::read(name.clone(), place, entries));
        Self { name, optional: optional.is_some_and(|optional| optional.value), stand_in }
    }
}

impl OutletSpec {
    pub(super) fn read(
        name: Spanned<String>,
        place: &Option<Place>,
        entries: Entries,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let origin = format!("output `{}`", name.value);
        let mut reader = Reader { origin: &origin, problems };
        let (mut from, mut doc, mut is_written) = (None, None, false);
        for (key, value) in entries {
            match key.value.as_str() {
                "from" => {
                    is_written = true;
                    from = reader.text("from", value).and_then(|text| reader.source(text));
                }
                "doc" => doc = reader.text("doc", value),
                _ => reader.unknown_key(&key, "`[output.NAME]`", &keys::OUTLET),
            }
        }
        if !is_written {
            let what = format!("where `{}` comes from is not said", name.value);
            reader.missing::<()>(what, place, "name a node with `from = \"…\"`");
        }
        Self { name, from, doc }
    }
}
