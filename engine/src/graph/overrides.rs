//! `--set node.param=value`: changes to a spec from outside its file.

use std::ops::Range;
use std::sync::Arc;

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::place::{COMMAND_LINE, Place, SourceText, Spanned};
use super::read::{Reader, bad_name};
use super::source::is_name;
use super::spec::{GraphSpec, NodeSpec, SectionSpec};
use super::suggest::nearest;
use super::toml;
use super::value::Value;

/// One `--set`, or one entry of a test's `set`.
///
/// | written                  | changes                                              |
/// |--------------------------|------------------------------------------------------|
/// | `NODE.KEY=V`             | a parameter or a reserved key, `op` and `from` too   |
/// | `NODE.KEY.SUB=V`         | an entry of a parameter that is a table              |
/// | `graph.KEY=V`            | a key of `[graph]`                                   |
/// | `model.NAME.KEY=V`       | a key of `[model.NAME]`; so for `host` and `include` |
/// | `INCLUDE.KEY=V`          | the same of an include                               |
/// | `INCLUDE/NODE.KEY=V`     | a key of a node of an included graph                 |
/// | `param.NAME=V`           | a parameter of the graph file, while it is read      |
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The words before `=`, two or more: `ecg`, `rate_hz`.
    pub path: Vec<Spanned<String>>,
    /// What it becomes.
    pub value: Spanned<Value>,
}

impl Override {
    /// Reads the text of one `--set`. The value is TOML, or a bare word: `ecg.file=100.hea`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let file = SourceText::new(COMMAND_LINE, text);
        let Some(equals) = text.find('=') else {
            let problem = Diagnostic::error(Code::Syntax, format!("`{text}` sets nothing"));
            let at = Place::new(&file, 0..text.len());
            return Err(problem.at(&Some(at)).hint("write `node.param=value`"));
        };
        let key = text[..equals].trim();
        let start = text.len() - text.trim_start().len();
        let place = Place::new(&file, start.min(equals)..start.min(equals) + key.len());
        let path = Self::split(&Spanned::new(key.to_owned(), Some(place)))?;
        let after = &text[equals + 1..];
        let start = text.len() - after.trim_start().len();
        let value = value(&file, start..start + after.trim().len())?;
        Ok(Self { path, value })
    }

    /// The words of `node.param`, at least two.
    pub(super) fn split(key: &Spanned<String>) -> Result<Vec<Spanned<String>>, Diagnostic> {
        let inner = key.place.as_ref().and_then(|place| place.inside(&key.value));
        let mut at = 0;
        let mut path = Vec::new();
        for word in key.value.split('.') {
            let place = inner.as_ref().map(|place| place.part(at..at + word.len()));
            path.push(Spanned::new(word.to_owned(), place.or_else(|| key.place.clone())));
            at += word.len() + 1;
        }
        let names =
            path[0].value.split('/').chain(path[1..].iter().map(|word| word.value.as_str()));
        if path.len() < 2 || names.into_iter().any(str::is_empty) {
            let problem =
                Diagnostic::error(Code::Syntax, format!("`{}` is not `node.param`", key.value));
            return Err(problem.at(&key.place).hint("write `node.param=value`"));
        }
        Ok(path)
    }

    fn is_op(&self) -> bool {
        self.path.len() == 2 && self.path[1].value == "op"
    }
}

/// A TOML value, or else the text itself.
fn value(file: &Arc<SourceText>, span: Range<usize>) -> Result<Spanned<Value>, Diagnostic> {
    let text = &file.text()[span.clone()];
    let place = Some(Place::new(file, span.clone()));
    if text.is_empty() {
        let problem = Diagnostic::error(Code::Syntax, "the value is missing").at(&place);
        return Err(problem.hint("write `\"\"` for an empty text"));
    }
    match toml::read_value(file, span) {
        Ok(value) => Ok(value),
        Err(problem) if text.starts_with(['"', '\'', '[', '{']) => Err(problem),
        Err(_) if is_whole_number(text) => {
            let message = format!("`{text}` is larger than a whole number can be");
            let problem = Diagnostic::error(Code::OutOfRange, message).at(&place);
            Err(problem
                .hint(format!("write it with a point, `{text}.0`, if its digits may be rounded")))
        }
        Err(_) => Ok(Spanned::new(Value::from(text), place)),
    }
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.starts_with(|letter: char| letter.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// The key of a host's section that says what is different there.
const HOST_SET: &str = "set";

/// The parameters that `--set node.op=K` made a node forget, for the caller to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The node's name.
    pub node: String,
    /// The kind that the file gives it.
    pub old_op: String,
    /// The kind it has now.
    pub new_op: String,
    /// The keys that are gone, in the order of the file.
    pub params: Vec<String>,
}

impl GraphSpec {
    /// Applies overrides. Those of `op` come first, whatever their order: each makes its node
    /// forget the parameters that were written for another kind. Of two for one key the last wins.
    ///
    /// What does not fit waits in the spec with its other problems.
    pub fn apply(&mut self, overrides: &[Override]) -> Vec<Forgotten> {
        let (later, now): (Vec<_>, Vec<_>) =
            overrides.iter().partition(|change| self.waits_for_include(change));
        self.pending.extend(later.into_iter().cloned());
        let (ops, others): (Vec<_>, Vec<_>) = now.into_iter().partition(|change| change.is_op());
        let mut forgotten = Vec::new();
        for change in ops {
            if let Some(node) = self.node_of(change) {
                forgotten.extend(node.change_op(change));
            }
        }
        for change in others {
            self.apply_one(change);
        }
        forgotten
    }

    /// Applies what `[host.NAME]` says is different on that host: its `set`, as a test has one.
    pub fn apply_of_host(&mut self, host: &str) -> Vec<Forgotten> {
        let overrides = self.overrides_of_host(host);
        self.apply(&overrides)
    }

    /// What `[host.NAME]` says is different on that host.
    pub(super) fn overrides_of_host(&mut self, host: &str) -> Vec<Override> {
        let section = self.hosts.iter().find(|section| section.name.value == host);
        let Some(written) = section.and_then(|section| section.param(HOST_SET)).cloned() else {
            return Vec::new();
        };
        let origin = format!("host `{host}`");
        let mut reader = Reader { origin: &origin, problems: &mut self.problems };
        reader.overrides(written)
    }

    /// Whether a change is about an include, or what is in one, that is not in its place yet.
    fn waits_for_include(&self, change: &Override) -> bool {
        let is_include =
            |name: &str| self.includes.iter().any(|section| section.name.value == name);
        let leads = |name: &str| name.split_once('/').is_some_and(|(first, _)| is_include(first));
        let [first, second, ..] = &change.path[..] else { return false };
        let (first, second) = (first.value.as_str(), second.value.as_str());
        let waits = leads(first) || is_include(first) || (first == "include" && leads(second));
        !self.is_expanded && waits && self.find(first).is_none()
    }

    fn apply_one(&mut self, change: &Override) {
        let [first, second, rest @ ..] = change.path.as_slice() else {
            return;
        };
        let value = change.value.clone();
        let is_node = self.find(&first.value).is_some();
        match (first.value.as_str(), rest) {
            ("graph", []) => self.assign(second, value),
            ("include", [_, ..]) if !is_node && self.is_expanded => {
                if self.section_of("include", second).is_some() {
                    let message = "what is included is in its place already";
                    let problem = Diagnostic::error(Code::NoEffect, message).at(&first.place);
                    self.problems.push(problem.hint("change it while the graph is loaded"));
                }
            }
            ("model" | "cache" | "host" | "include", [key, rest @ ..]) if !is_node => {
                if let Some(section) = self.section_of(&first.value, second) {
                    let old = section.param(&key.value).cloned();
                    if let Some(value) = within(old, rest, value, &mut self.problems) {
                        let section = self.section_of(&first.value, second);
                        section.expect("found above").assign(key.clone(), value);
                    }
                }
            }
            _ => {
                if let Some(node) = self.node_of(change) {
                    let old = node.param(&second.value).cloned();
                    if let Some(value) = within(old, rest, value, &mut node.problems) {
                        node.assign(second.clone(), value);
                    }
                }
            }
        }
    }

    /// The node that an override is about, or a problem with what it may have meant.
    fn node_of(&mut self, change: &Override) -> Option<&mut NodeSpec> {
        let name = &change.path[0];
        if let Some(at) = self.nodes.iter().position(|node| node.name.value == name.value) {
            return Some(&mut self.nodes[at]);
        }
        let message = format!("the graph has no node `{}`", name.value);
        let names = self.nodes.iter().map(|node| node.name.value.as_str()).chain(["graph"]);
        let problem = Diagnostic::error(Code::UnknownNode, message).at(&name.place);
        let problem = problem.did_you_mean(nearest(&name.value, names));
        let sections =
            [("model", &self.models), ("cache", &self.caches), ("host", &self.hosts)].into_iter();
        let mut called = sections.filter(|(_, sections)| {
            sections.iter().any(|section| section.name.value == name.value)
        });
        let problem = match called.next() {
            Some((what, _)) => problem.hint(format!(
                "it has `[{what}.{name}]`, of which a key is set as `{what}.{name}.KEY=VALUE`",
                name = name.value
            )),
            None => problem,
        };
        self.problems.push(problem);
        None
    }

    fn section_of(&mut self, what: &str, name: &Spanned<String>) -> Option<&mut SectionSpec> {
        let sections = match what {
            "model" => &mut self.models,
            "cache" => &mut self.caches,
            "host" => &mut self.hosts,
            _ => &mut self.includes,
        };
        if let Some(at) = sections.iter().position(|section| section.name.value == name.value) {
            return Some(&mut sections[at]);
        }
        let names = sections.iter().map(|section| section.name.value.as_str());
        let problem = Diagnostic::error(
            Code::UnknownKey,
            format!("the graph has no `[{what}.{}]`", name.value),
        )
        .at(&name.place)
        .did_you_mean(nearest(&name.value, names));
        self.problems.push(problem);
        None
    }
}

impl NodeSpec {
    fn change_op(&mut self, change: &Override) -> Option<Forgotten> {
        let old_op = self.op.value.clone();
        self.assign(change.path[1].clone(), change.value.clone());
        if old_op == self.op.value {
            return None;
        }
        let params = std::mem::take(&mut self.params).into_iter().map(|(key, _)| key.value);
        let params: Vec<_> = params.collect();
        let (node, new_op) = (self.name.value.clone(), self.op.value.clone());
        (!params.is_empty()).then_some(Forgotten { node, old_op, new_op, params })
    }
}

/// `old` with `value` at `path` inside it; `value` itself where the path ends.
pub(super) fn within(
    old: Option<Spanned<Value>>,
    path: &[Spanned<String>],
    value: Spanned<Value>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Spanned<Value>> {
    let Some((key, rest)) = path.split_first() else {
        return Some(value);
    };
    let (mut entries, place) = match old {
        None => (Vec::new(), key.place.clone()),
        Some(Spanned { value: Value::Table(entries), place }) => (entries, place),
        Some(Spanned { value: other, .. }) => {
            let message = format!(
                "`{}` stands in no table: what holds it is {}",
                key.value,
                other.type_name()
            );
            problems.push(Diagnostic::error(Code::WrongType, message).at(&key.place));
            return None;
        }
    };
    let at = entries.iter().position(|(known, _)| known.value == key.value);
    let inner = at.map(|at| entries.remove(at).1);
    let entry = (key.clone(), within(inner, rest, value, problems)?);
    entries.insert(at.unwrap_or(entries.len()), entry);
    Some(Spanned::new(Value::Table(entries), place))
}

impl Reader<'_> {
    /// A test's `set`: `"ecg.seed" = 3`, or `ecg.seed = 3`, which TOML reads as nested tables.
    pub(super) fn overrides(&mut self, value: Spanned<Value>) -> Vec<Override> {
        let mut overrides = Vec::new();
        for (key, value) in self.table("set", value).unwrap_or_default() {
            self.collect_overrides(key, value, &mut overrides);
        }
        overrides
    }

    fn collect_overrides(
        &mut self,
        key: Spanned<String>,
        value: Spanned<Value>,
        overrides: &mut Vec<Override>,
    ) {
        if key.value.contains('.') {
            match Override::split(&key) {
                Ok(path) => overrides.push(Override { path, value }),
                Err(problem) => self.problems.push(problem),
            }
            return;
        }
        let known = key.value.split('/').all(is_name);
        let Value::Table(entries) = value.value else {
            let message = format!("`{}` is not `node.param`", key.value);
            let problem = Diagnostic::error(Code::Syntax, message).at(&key.place);
            let hint = "write `set = { \"node.param\" = value }`";
            return self.refuse::<()>(problem.hint(hint)).unwrap_or_default();
        };
        if !known {
            self.refuse::<()>(bad_name(&key));
        }
        for (param, value) in entries {
            overrides.push(Override { path: vec![key.clone(), param], value });
        }
    }
}
