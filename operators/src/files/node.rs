//! Files of nodes: opened through the planner's file system, problems told at the parameter.

use engine::{Code, Diagnostic, Node, ReadSeek};

use super::error::FileError;

/// Opens a file; what keeps it closed is a problem of `param`.
pub(crate) fn open(
    node: &Node<'_>,
    path: &str,
    param: &str,
) -> Result<Box<dyn ReadSeek>, Diagnostic> {
    let file = node.files().open(path);
    file.map_err(|error| problem(node, param, &FileError::unreadable(path, "open it", error)))
}

/// Reads a small file whole; what cannot be read is a problem of `param`.
pub(crate) fn read_all(node: &Node<'_>, path: &str, param: &str) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    let read = open(node, path, param)?.read_to_end(&mut bytes);
    read.map_err(|error| problem(node, param, &FileError::unreadable(path, "read it", error)))?;
    Ok(bytes)
}

/// A file's error as a problem of the parameter that names it.
pub(crate) fn problem(node: &Node<'_>, param: &str, error: &FileError) -> Diagnostic {
    let code = error.io.as_ref().map_or(Code::BadFile, Code::of_io);
    node.problem(code, param, error.place_and_message()).hint(error.hint.clone())
}
