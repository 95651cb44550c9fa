//! Parameters of kinds: declared once as a constant, checked by the planner,
//! read typed by the kind.

use std::borrow::Cow;

use crate::graph::{Code, Diagnostic, Spanned, Value};

/// One parameter of a kind: name with its unit, meaning, range, default.
#[derive(Debug)]
pub struct Param<T> {
    name: &'static str,
    doc: &'static str,
    default: Option<T>,
    optional: bool,
    min: f64,
    max: f64,
    choices: &'static [&'static str],
    live: bool,
}

impl<T: Copy> Param<T> {
    const fn new(name: &'static str, doc: &'static str, default: Option<T>) -> Self {
        Self {
            name,
            doc,
            default,
            optional: false,
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
            choices: &[],
            live: false,
        }
    }

    /// A parameter that must be written.
    pub const fn required(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, doc, None)
    }

    /// A parameter with a sane default.
    pub const fn with_default(name: &'static str, default: T, doc: &'static str) -> Self {
        Self::new(name, doc, Some(default))
    }

    /// A parameter that may be left out, for which nothing stands in.
    pub const fn optional(name: &'static str, doc: &'static str) -> Self {
        let mut this = Self::new(name, doc, None);
        this.optional = true;
        this
    }

    /// Restricts a number to `min ..= max`.
    #[must_use]
    pub const fn within(mut self, min: f64, max: f64) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    /// Restricts a text to a few words.
    #[must_use]
    pub const fn one_of(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }

    /// Says that the parameter may change while the graph runs.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// The key in a graph file.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A type a parameter can have.
pub trait ParamType: Copy + 'static {
    /// What it is called in messages, with its article.
    const TYPE: &'static str;
    /// What [`Params`] gives for it.
    type Read<'a>;

    /// The value, if it is of this type.
    fn read(value: &Value) -> Option<Self::Read<'_>>;
    /// A default as it would be read.
    fn default_read<'a>(default: Self) -> Self::Read<'a>;
    /// As it would stand in a graph file.
    fn show(self) -> String;
    /// The numbers in it that the range applies to.
    fn numbers(value: &Value) -> Vec<f64>;
    /// One of its numbers as it would stand in a graph file.
    fn show_number(number: f64) -> String {
        format!("{number:?}")
    }
}

impl ParamType for f64 {
    const TYPE: &'static str = "a number";
    type Read<'a> = f64;

    fn read(value: &Value) -> Option<f64> {
        value.as_number()
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default
    }

    fn show(self) -> String {
        format!("{self:?}")
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_number().into_iter().collect()
    }
}

impl ParamType for i64 {
    const TYPE: &'static str = "a whole number";
    type Read<'a> = i64;

    fn read(value: &Value) -> Option<i64> {
        if let Value::Integer(number) = value { Some(*number) } else { None }
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_number().into_iter().collect()
    }

    fn show_number(number: f64) -> String {
        format!("{number:.0}")
    }
}

impl ParamType for bool {
    const TYPE: &'static str = "`true` or `false`";
    type Read<'a> = bool;

    fn read(value: &Value) -> Option<bool> {
        if let Value::Bool(yes) = value { Some(*yes) } else { None }
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

impl ParamType for &'static str {
    const TYPE: &'static str = "text";
    type Read<'a> = &'a str;

    fn read(value: &Value) -> Option<&str> {
        value.as_text()
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default
    }

    fn show(self) -> String {
        format!("{self:?}")
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

/// The type of a parameter that names something or gives its number: `"ecg"`, or `2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameOrNumber(pub &'static str);

impl ParamType for NameOrNumber {
    const TYPE: &'static str = "a text or a whole number";
    type Read<'a> = Cow<'a, str>;

    fn read(value: &Value) -> Option<Cow<'_, str>> {
        match value {
            Value::Integer(number) => Some(Cow::Owned(number.to_string())),
            value => value.as_text().map(Cow::Borrowed),
        }
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        Cow::Borrowed(default.0)
    }

    fn show(self) -> String {
        format!("{:?}", self.0)
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

impl ParamType for &'static [f64] {
    const TYPE: &'static str = "a list of numbers";
    type Read<'a> = Vec<f64>;

    fn read(value: &Value) -> Option<Vec<f64>> {
        let Value::List(items) = value else { return None };
        items.iter().map(|item| item.value.as_number()).collect()
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default.to_vec()
    }

    fn show(self) -> String {
        format!("{self:?}")
    }

    fn numbers(value: &Value) -> Vec<f64> {
        Self::read(value).unwrap_or_default()
    }
}

impl ParamType for &'static [&'static str] {
    const TYPE: &'static str = "a list of texts";
    type Read<'a> = Vec<&'a str>;

    fn read(value: &Value) -> Option<Vec<&str>> {
        let Value::List(items) = value else { return None };
        items.iter().map(|item| item.value.as_text()).collect()
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default.to_vec()
    }

    fn show(self) -> String {
        format!("{self:?}")
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

/// What the planner, `explain` and the laws need to know of any parameter.
pub trait AnyParam: Sync {
    /// The key in a graph file.
    fn name(&self) -> &'static str;
    /// What it means.
    fn doc(&self) -> &'static str;
    /// Its type in words.
    fn type_name(&self) -> &'static str;
    /// The default as it would stand in a graph file.
    fn default_text(&self) -> Option<String>;
    /// Whether it must be written.
    fn is_required(&self) -> bool;
    /// Whether it may change while the graph runs.
    fn is_live(&self) -> bool;
    /// Smallest and largest number; infinite where there is no limit.
    fn range(&self) -> (f64, f64);
    /// The words it is restricted to; empty where any will do.
    fn choices(&self) -> &'static [&'static str];
    /// What is wrong with `value`, if something is.
    fn check(&self, value: &Spanned<Value>) -> Option<Diagnostic>;
}

impl<T: ParamType + Sync> AnyParam for Param<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn type_name(&self) -> &'static str {
        T::TYPE
    }

    fn default_text(&self) -> Option<String> {
        self.default.map(T::show)
    }

    fn is_required(&self) -> bool {
        self.default.is_none() && !self.optional
    }

    fn is_live(&self) -> bool {
        self.live
    }

    fn range(&self) -> (f64, f64) {
        (self.min, self.max)
    }

    fn choices(&self) -> &'static [&'static str] {
        self.choices
    }

    fn check(&self, value: &Spanned<Value>) -> Option<Diagnostic> {
        let Some(_) = T::read(&value.value) else {
            let message =
                format!("`{}` is {} but takes {}", self.name, value.value.type_name(), T::TYPE);
            let hint = format!("write {}", self.hint());
            return Some(Diagnostic::error(Code::WrongType, message).at(&value.place).hint(hint));
        };
        // NaN is in no range, so an unlimited number refuses it as well.
        let outside =
            |number: &f64| !(self.min..=self.max).contains(number) || number.is_infinite();
        if let Some(number) = T::numbers(&value.value).into_iter().find(outside) {
            let shown = T::show_number(number);
            let message = format!("`{}` = {shown} is outside {}", self.name, self.limits());
            let problem = Diagnostic::error(Code::OutOfRange, message).at(&value.place);
            let what = self.doc.trim_end_matches('.');
            return Some(problem.hint(format!("choose {} ({what})", self.limits())));
        }
        let text = value.value.as_text().filter(|_| !self.choices.is_empty())?;
        if self.choices.contains(&text) {
            return None;
        }
        let message = format!("`{}` = {text:?} is none of its words", self.name);
        let words: Vec<_> = self.choices.iter().map(|word| format!("{word:?}")).collect();
        let hint = format!("choose one of {}", words.join(", "));
        Some(Diagnostic::error(Code::OutOfRange, message).at(&value.place).hint(hint))
    }
}

impl<T: ParamType> Param<T> {
    fn limits(&self) -> String {
        match (self.min.is_finite(), self.max.is_finite()) {
            (true, true) => format!("{} to {}", T::show_number(self.min), T::show_number(self.max)),
            (true, false) => format!("{} and above", T::show_number(self.min)),
            (false, true) => format!("{} and below", T::show_number(self.max)),
            (false, false) => "the finite numbers".to_owned(),
        }
    }

    fn hint(&self) -> String {
        match self.default {
            Some(default) => format!("{}, such as {}", T::TYPE, default.show()),
            None => format!("{}: {}", T::TYPE, self.doc),
        }
    }
}

/// The parameters of one node: what was written, checked against its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    values: Vec<(String, Spanned<Value>)>,
}

impl Params {
    /// The given values; a later one replaces an earlier one of the same name.
    pub fn new(values: impl IntoIterator<Item = (String, Spanned<Value>)>) -> Self {
        let mut this = Self::default();
        for (name, value) in values {
            this.set(&name, value);
        }
        this
    }

    /// Replaces or adds a value.
    pub fn set(&mut self, name: &str, value: Spanned<Value>) {
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    /// What was written for `name`.
    pub fn written(&self, name: &str) -> Option<&Spanned<Value>> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The names of all that is written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// These over `after`, but for what is written there otherwise than `before`.
    #[must_use]
    pub(crate) fn over(&self, before: &Self, after: &Self) -> Self {
        let mut params = after.clone();
        for (name, value) in &self.values {
            if before.written(name) == after.written(name) {
                params.set(name, value.clone());
            }
        }
        params
    }

    /// The value of a required parameter or one with a default.
    ///
    /// # Errors
    /// If it is missing or does not fit; the planner has checked both before a
    /// kind's `plan` or `build` is called.
    pub fn read<T: ParamType>(&self, param: &Param<T>) -> Result<T::Read<'_>, Diagnostic> {
        self.read_optional(param)?.ok_or_else(|| missing(param.name, param.doc))
    }

    /// The value of a parameter that may be left out.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn read_optional<T: ParamType>(
        &self,
        param: &Param<T>,
    ) -> Result<Option<T::Read<'_>>, Diagnostic> {
        let Some(written) = self.written(param.name) else {
            return Ok(param.default.map(T::default_read));
        };
        T::read(&written.value).map(Some).ok_or_else(|| {
            let message = format!("`{}` takes {}", param.name, T::TYPE);
            Diagnostic::error(Code::WrongType, message).at(&written.place)
        })
    }
}

/// The diagnostic for a parameter that must be written and is not.
pub(crate) fn missing(name: &str, doc: &str) -> Diagnostic {
    Diagnostic::error(Code::MissingParameter, format!("`{name}` is missing")).hint(doc)
}
