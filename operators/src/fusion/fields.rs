//! Fields of events by their names.

use engine::{Code, Diagnostic, FieldKind, Input, Node};

/// Where the number called `name` stands in the events of an input.
///
/// # Errors
/// If they have no such field, or it is no number; told at `param`, which names it.
pub(super) fn number_field(
    node: &Node<'_>,
    input: &Input,
    param: &str,
    name: &str,
) -> Result<usize, Diagnostic> {
    let fields = input.format.as_event().map_or(&[][..], |events| &events.fields);
    let is_number = |kind| matches!(kind, FieldKind::F64 | FieldKind::I64);
    let found = fields.iter().position(|field| field.name == name && is_number(field.kind));
    found.ok_or_else(|| {
        let message = format!("`{}` has no number `{name}`", input.label);
        let numbers = fields.iter().filter(|field| is_number(field.kind));
        let numbers: Vec<&str> = numbers.map(|field| field.name).collect();
        let hint = match numbers[..] {
            [] => "its events carry no numbers".to_owned(),
            _ => format!("choose one of {}", numbers.join(", ")),
        };
        node.problem(Code::OutOfRange, param, message).hint(hint)
    })
}
