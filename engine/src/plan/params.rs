//! Parameters: what is written fits what the kind takes.

use crate::{
    graph::{Code, Diagnostic, NodeSpec, RESERVED_KEYS, Spanned, nearest},
    kind::Kind,
    param::{Params, missing},
};

use super::{draft::Draft, words::listed};

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
            None => Some(unknown(key, kind)),
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

fn unknown(key: &Spanned<String>, kind: &'static Kind) -> Diagnostic {
    let message = format!("`{}` has no parameter `{}`", kind.name, key.value);
    let hint = match kind.params {
        [] => format!("`{}` has no parameters", kind.name),
        params => format!("its parameters are {}", listed(params.iter().map(|param| param.name()))),
    };
    Diagnostic::error(Code::UnknownKey, message)
        .at(&key.place)
        .hint(hint)
        .did_you_mean(meant(&key.value, kind))
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
    nearest(key, names()).or_else(|| names().find(lacks_unit))
}
