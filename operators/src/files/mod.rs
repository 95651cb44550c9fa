//! File formats, read and written without knowing a graph.

pub mod csv;
pub mod error;
#[cfg(test)]
pub(crate) mod testing;
pub mod wfdb;

use engine::{Code, Diagnostic, Node};

/// Reads a small file whole; what cannot be read is a problem of `param`.
pub(crate) fn read_all(node: &Node<'_>, path: &str, param: &str) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    node.files()
        .open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| {
            node.problem(Code::NoSuchFile, param, format!("cannot read `{path}`: {error}"))
                .hint("check the path; one in a graph file starts from the graph's folder")
        })?;
    Ok(bytes)
}
