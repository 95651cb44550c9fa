//! Where tests find recordings, and what independent tools found in them.

use std::path::PathBuf;

/// The shared test data: `AFFERENT_DATA`, else beside the workspace.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AFFERENT_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no {}; set AFFERENT_DATA to the test data", path.display());
    None
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
