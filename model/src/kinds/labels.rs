//! Names of classes, from a list or a file with one a line.

use std::io::Read;

use engine::{Code, Diagnostic, Node, Param};

pub(super) const LABELS: Param<&[&str]> =
    Param::optional("labels", "Names of the classes, in the order of the model's scores.");
pub(super) const LABELS_FILE: Param<&str> =
    Param::optional("labels_file", "A text file with the name of one class a line.");

/// Most classes of a model.
const CLASSES_MAX: usize = 1 << 16;
/// Longest file of names.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The names of so many classes: as written, else their numbers.
pub(super) fn labels(node: &Node<'_>, classes: usize) -> Result<Vec<String>, Diagnostic> {
    if classes == 0 || classes > CLASSES_MAX {
        let message = format!("the model's output has {classes} classes, not 1 to {CLASSES_MAX}");
        let problem = Diagnostic::error(Code::FormatMismatch, message);
        return Err(problem.hint("name the output with one number a class"));
    }
    let (names, param) = if let Some(written) = node.get_optional(&LABELS)? {
        (written.into_iter().map(str::to_owned).collect::<Vec<_>>(), LABELS.name())
    } else if node.get_optional(&LABELS_FILE)?.is_some() {
        (read(node)?, LABELS_FILE.name())
    } else {
        return Ok((0..classes).map(|class| class.to_string()).collect());
    };
    if names.len() != classes {
        let message = format!("{} names for the {classes} classes of the model", names.len());
        let problem = node.problem(Code::OutOfRange, param, message);
        return Err(problem.hint("name every class once, in the order of the model's scores"));
    }
    Ok(names)
}

fn read(node: &Node<'_>) -> Result<Vec<String>, Diagnostic> {
    let path = node.path(&LABELS_FILE)?;
    let mut text = String::new();
    let file = node.files().open(&path);
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| {
        let message = format!("cannot read `{path}`: {error}");
        let problem = node.problem(Code::of_io(&error), LABELS_FILE.name(), message);
        problem.hint("name a text file with one class a line")
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}
