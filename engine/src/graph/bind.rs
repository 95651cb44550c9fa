//! Parameters of a graph file: `[param.NAME]` says what `"$NAME"` may be, whoever includes the file
//! or `--set param.NAME=…` says what it is, and it is put in its place before anything else is read.

use super::code::Code;
use super::declare::ParamSpec;
use super::diagnostic::Diagnostic;
use super::place::{Place, Spanned};
use super::read::listed;
use super::source::is_name;
use super::suggest::nearest;
use super::value::Value;

type Entries = Vec<(Spanned<String>, Spanned<Value>)>;

/// Who gives values to parameters, for what is said of those that lack one.
#[derive(Clone, Copy)]
pub(super) enum Giver<'a> {
    /// The command line, or a test's `set`.
    CommandLine,
    /// The `[include.NAME]` of this name, at this place.
    Include(&'a str, &'a Option<Place>),
}

/// The value of each parameter, in their order; `None` if one lacks or does not fit, which is told.
pub(super) fn bind(
    params: &[ParamSpec],
    given: &[(Spanned<String>, Spanned<Value>)],
    file: &str,
    giver: Giver<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Vec<Spanned<Value>>> {
    let before = problems.len();
    let names = || params.iter().map(|param| param.name.value.as_str());
    for (key, _) in given.iter().filter(|(key, _)| !names().any(|name| name == key.value)) {
        let message = format!("`{file}` has no parameter `{}`", key.value);
        let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.place);
        let problem = match params {
            [] => problem.hint(format!("declare it there: `[param.{}]`", key.value)),
            _ => problem.hint(format!("its parameters are {}", listed(names()))),
        };
        problems.push(problem.did_you_mean(nearest(&key.value, names())));
    }
    let mut values = Vec::new();
    for param in params {
        let name = &param.name.value;
        // Of two for one the last wins.
        let given = given.iter().rev().find(|(key, _)| key.value == *name);
        let Some(value) = given.map(|(_, value)| value).or(param.default.as_ref()) else {
            let doc = param.doc.as_ref().map_or(String::new(), |doc| format!(": {}", doc.value));
            let (message, place, hint) = match giver {
                Giver::CommandLine => (
                    format!("the parameter `{name}` is not given"),
                    &param.name.place,
                    format!("write `--set param.{name}=…`, or a `default`{doc}"),
                ),
                Giver::Include(include, place) => (
                    format!("`{include}` does not give the parameter `{name}` of `{file}`"),
                    place,
                    format!("write `{name} = …`{doc}"),
                ),
            };
            let problem = Diagnostic::error(Code::MissingParameter, message).at(place);
            let problem = match giver {
                Giver::CommandLine => problem,
                Giver::Include(..) => problem.see("declared here", &param.name.place),
            };
            problems.push(problem.hint(hint));
            continue;
        };
        problems.extend(param.refuses(value));
        values.push(value.clone());
    }
    (problems.len() == before).then_some(values)
}

/// Puts values in the place of `"$NAME"`, however deep it stands, and `$` in that of `$$` at the
/// beginning of a text. Warns of parameters that stand nowhere.
pub(super) fn substitute(
    entries: &mut Entries,
    params: &[ParamSpec],
    values: &[Spanned<Value>],
    problems: &mut Vec<Diagnostic>,
) {
    let mut this = Substitution { params, values, used: vec![false; params.len()], problems };
    for (_, value) in entries {
        this.value(value);
    }
    let used = std::mem::take(&mut this.used);
    for (param, _) in params.iter().zip(used).filter(|(_, used)| !used) {
        let name = &param.name.value;
        let message =
            format!("the parameter `{name}` changes nothing: `\"${name}\"` stands nowhere");
        let problem = Diagnostic::warning(Code::NoEffect, message).at(&param.name.place);
        let problem = problem.of(format!("parameter `{name}`"));
        problems.push(problem.hint(format!("write `\"${name}\"` where its value belongs")));
    }
}

struct Substitution<'a> {
    params: &'a [ParamSpec],
    values: &'a [Spanned<Value>],
    used: Vec<bool>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Substitution<'_> {
    // Reading TOML bounds the depth of nesting.
    fn value(&mut self, value: &mut Spanned<Value>) {
        let name = match &mut value.value {
            Value::List(items) => return items.iter_mut().for_each(|item| self.value(item)),
            Value::Table(entries) => {
                return entries.iter_mut().for_each(|(_, value)| self.value(value));
            }
            Value::Text(text) => match text.strip_prefix('$') {
                Some(rest) if rest.starts_with('$') => {
                    text.remove(0);
                    return;
                }
                Some(name) if is_name(name) => name.to_owned(),
                _ => return,
            },
            _ => return,
        };
        let known = self.params.iter().position(|param| param.name.value == name);
        if let Some(number) = known {
            self.used[number] = true;
            *value = self.values[number].clone();
            return;
        }
        let names = || self.params.iter().map(|param| param.name.value.as_str());
        let message = format!("`${name}` names no parameter of this file");
        let problem = Diagnostic::error(Code::UnknownKey, message).at(&value.place);
        let problem =
            problem.hint(format!("declare `[param.{name}]`, or write `$${name}` for the text"));
        self.problems.push(problem.did_you_mean(nearest(&name, names())));
    }
}
