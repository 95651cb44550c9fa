//! Where sinks write: to a file, one per session, or to standard output.

use std::io::{BufWriter, Write};

use engine::{BuildError, Diagnostic, Node, Outline, Param, Used};

/// The parameter all of them have.
pub(super) const FILE: Param<&str> =
    Param::optional("file", "Where to write; standard output if left out.");

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
    Ok(Some(match node.session() {
        0 => path,
        session => format!("{path}.{session}"),
    }))
}
