//! Where tests find recordings, and what independent tools found in them.

use std::{io::Write, path::PathBuf};

/// A file of the test data: in `AFFERENT_DATA`, else beside the workspace. Without such a folder a
/// test skips, and says so past whatever keeps its output back.
///
/// # Panics
/// If the folder lacks the file, or `AFFERENT_DATA` names none: who has the data wants it used.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let asked = std::env::var_os("AFFERENT_DATA").map(PathBuf::from);
    let is_asked = asked.is_some();
    let folder = asked.unwrap_or_else(beside);
    let is_there = folder.join("README.md").exists();
    assert!(is_there || !is_asked, "AFFERENT_DATA is {}, where no data is", folder.display());
    if !is_there {
        let folder = folder.display();
        // `eprintln` would be kept back with what else a passing test says.
        let said = writeln!(std::io::stderr(), "SKIPPED {path}: no test data at {folder}");
        said.expect("stderr is open");
        return None;
    }
    let path = folder.join(path);
    assert!(path.exists(), "the test data lacks {}", path.display());
    Some(path)
}

/// The number that stands behind the keys of `path`, one inside the other, in a reference file.
///
/// A search for each key in turn: enough for files whose keys are known, and no JSON crate.
pub(crate) fn reference(file: &str, path: &[&str]) -> Option<f64> {
    let text = std::fs::read_to_string(data(&format!("reference/{file}"))?).expect("readable");
    let mut rest = text.as_str();
    for key in path {
        let key = format!("\"{key}\":");
        let at = rest.find(&key).unwrap_or_else(|| panic!("{file} has no {path:?}"));
        rest = &rest[at + key.len()..];
    }
    let end = rest.find([',', '}', '\n']).expect("a value ends");
    Some(rest[..end].trim().parse().expect("a number"))
}
