//! Where sinks write: to a file, one per session, or to standard output.

use std::io::{BufWriter, Write};

use engine::{AsTheyCome, BuildError, Diagnostic, Node, Outline, Param, Policy, Used};

/// The parameter all of them have.
pub(super) const FILE: Param<&str> =
    Param::optional("file", "Where to write; standard output if left out.");

/// In which order the lines of several inputs are written.
pub(super) const ORDER: Param<&str> = Param::with_default(
    "order",
    "auto",
    "Of lines from several inputs: \"time\" merges them by their times, so that a line waits until nothing older can \
     come; \"arrival\" writes each as it comes; \"auto\" is \"arrival\" at the pace of the content and \"time\" \
     at full speed, where the same input gives the same bytes.",
)
.one_of(&["auto", "time", "arrival"]);

/// The same outline, its inputs in the order that the node says.
pub(super) fn ordered(node: &Node<'_>, outline: Outline) -> Result<Outline, Diagnostic> {
    let as_they_come = match node.get(&ORDER)? {
        "time" => AsTheyCome::Never,
        "arrival" => AsTheyCome::Always,
        _ => AsTheyCome::Paced,
    };
    Ok(outline.joining(node.join(Policy::Merge, None).taking(as_they_come)))
}

/// A sink's outline: what it writes, `stdout` where no file is written.
pub(super) fn outline(node: &Node<'_>, stdout: Used) -> Result<Outline, Diagnostic> {
    let what = path(node)?.map_or(stdout, Used::Written);
    Ok(Outline::default().using(FILE.name(), what))
}

/// The session's own file, created; `None` for standard output.
pub(super) fn create(
    node: &Node<'_>,
) -> Result<Option<BufWriter<Box<dyn Write + Send>>>, BuildError> {
    let Some(path) = path(node)? else { return Ok(None) };
    Ok(Some(BufWriter::new(node.create(FILE.name(), &path)?)))
}

/// One file per session: of two writers in one place the second would empty what the first wrote.
fn path(node: &Node<'_>) -> Result<Option<String>, Diagnostic> {
    if node.get_optional(&FILE)?.is_none() {
        return Ok(None);
    }
    let path = node.path(&FILE)?;
    Ok(Some(of_session(node, path)))
}

/// The path of a session's own file.
pub(super) fn of_session(node: &Node<'_>, path: String) -> String {
    match node.session() {
        0 => path,
        session => format!("{path}.{session}"),
    }
}
