//! Parameters: what is written fits what the kind takes.

use crate::{
    graph::{Code, Diagnostic, NodeSpec, RESERVED_KEYS, Spanned, Value, nearest},
    kind::Kind,
    param::{ParamType, Params, missing},
};

use super::{draft::Draft, from::whole_from, units, words::listed};

impl Draft<'_> {
    /// Checks every parameter of every node; keeps those that fit.
    pub(super) fn check_params(&mut self) {
        for node in &mut self.nodes {
            let Some(kind) = node.kind else { continue };
            let before = self.problems.len();
            check(node.spec, kind, &mut self.problems);
            node.sound &= self.problems.len() == before;
            let written = node.spec.params.iter();
            node.params =
                Params::new(written.map(|(key, value)| (key.value.clone(), value.clone())));
        }
    }
}

fn check(node: &NodeSpec, kind: &'static Kind, problems: &mut Vec<Diagnostic>) {
    let name = &node.name.value;
    for (key, value) in &node.params {
        let problem = match kind.param(&key.value) {
            Some(param) => param.check(value),
            None => Some(unknown(node, key, value, kind)),
        };
        problems.extend(problem.map(|problem| problem.of_node(name)));
    }
    for param in kind.params.iter().filter(|param| param.is_required()) {
        // A key that was meant to be this one is told as such; that it is missing as well
        // would be news to nobody.
        let written = |key: &str| key == param.name() || meant(key, kind) == Some(param.name());
        if !node.params.iter().any(|(key, _)| written(&key.value)) {
            let problem = missing(param.name(), param.doc());
            problems.push(problem.at(&node.op.place).of_node(name));
        }
    }
}

fn unknown(
    node: &NodeSpec,
    key: &Spanned<String>,
    value: &Spanned<Value>,
    kind: &'static Kind,
) -> Diagnostic {
    let message = format!("`{}` has no parameter `{}`", kind.name, key.value);
    let hint = match kind.params {
        [] => format!("`{}` has no parameters", kind.name),
        params => format!("its parameters are {}", listed(params.iter().map(|param| param.name()))),
    };
    let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.place).hint(hint);
    if kind.inputs.iter().any(|port| port.name == key.value) {
        let from = whole_from(node, kind, Some((&key.value, &value.value)));
        return problem.hint(format!("`{}` is an input: write `{from}`", key.value));
    }
    let meant = meant(&key.value, kind);
    match meant.and_then(|meant| converted(&key.value, &value.value, meant, kind)) {
        Some(written) => problem.hint(format!("write `{written}`")),
        None => problem.did_you_mean(meant),
    }
}

/// `window_s = 60.0`, where `window_ms = 60000` was written.
fn converted(key: &str, value: &Value, meant: &str, kind: &Kind) -> Option<String> {
    let number = units::rounded(value.as_number()? * units::factor(key, meant)?);
    let is_whole = kind.param(meant).is_some_and(|param| param.type_name() == i64::TYPE);
    Some(match is_whole {
        true => format!("{meant} = {number:.0}"),
        false => format!("{meant} = {number:?}"),
    })
}

/// The parameter or reserved key that an unknown key was probably meant to be.
fn meant(key: &str, kind: &'static Kind) -> Option<&'static str> {
    if kind.param(key).is_some() {
        return None;
    }
    let names = || {
        let reserved = RESERVED_KEYS.iter().map(|(key, _)| *key);
        kind.params.iter().map(|param| param.name()).chain(reserved)
    };
    let lacks_unit = |name: &&str| name.strip_prefix(key).is_some_and(|unit| unit.starts_with('_'));
    let has_other_unit = |name: &&str| units::factor(key, name).is_some();
    names()
        .find(has_other_unit)
        .or_else(|| nearest(key, names()))
        .or_else(|| names().find(lacks_unit))
}
