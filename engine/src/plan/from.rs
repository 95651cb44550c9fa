//! How a `from` should be written, for hints: what stands there, and what is lacking.

use crate::{
    graph::{InputSpec, NodeSpec, Value},
    kind::{Kind, Port},
};

/// `` from = { in = "rec[EDA]", events = "NODE" } ``: every port that must be fed, with what was
/// written for it. `more` is a port besides, with what was written for it elsewhere.
pub(super) fn whole_from(node: &NodeSpec, kind: &Kind, more: Option<(&str, &Value)>) -> String {
    if let ([_], None) = (kind.inputs, more) {
        return "from = \"NODE\"".to_owned();
    }
    let written = |number: usize| sources_of(node, kind, number);
    let ports = kind.inputs.iter().enumerate().filter_map(|(number, port)| {
        let sources = match more.filter(|(name, _)| *name == port.name) {
            Some((_, value)) => texts(value),
            None => written(number),
        };
        let is_shown = !port.optional || more.is_some_and(|(name, _)| name == port.name);
        let shown = match &sources[..] {
            [] if is_shown => placeholder(port).to_owned(),
            [] => return None,
            [one] if !port.variadic => format!("{one:?}"),
            several => format!("{several:?}"),
        };
        Some(format!("{} = {shown}", port.name))
    });
    format!("from = {{ {} }}", ports.collect::<Vec<_>>().join(", "))
}

const fn placeholder(port: &Port) -> &'static str {
    if port.variadic { "[\"NODE\", …]" } else { "\"NODE\"" }
}

/// What was written for a port. Where a list stands for several ports that take one input each,
/// it was probably meant to feed one after the other.
fn sources_of(node: &NodeSpec, kind: &Kind, number: usize) -> Vec<String> {
    let text = |input: &InputSpec| input.source.value.to_string();
    let is_unnamed = node.from.iter().all(|input| input.port.is_none());
    if is_unnamed && node.from.len() > 1 && !kind.inputs[0].variadic {
        return node.from.get(number).map(text).into_iter().collect();
    }
    let feeds = |input: &&InputSpec| match &input.port {
        Some(port) => port.value == kind.inputs[number].name,
        None => number == 0,
    };
    node.from.iter().filter(feeds).map(text).collect()
}

/// The texts of a text or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().flat_map(|item| texts(&item.value)).collect(),
        value => value.as_text().map(str::to_owned).into_iter().collect(),
    }
}
