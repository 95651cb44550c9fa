//! Real recordings, which stay outside the repository.

use std::path::PathBuf;

/// The folder of test data: `AFFERENT_DATA`, else `../shared/data`. Without it a test skips, which
/// the end of `make test` tells; test runners keep to themselves what a passing test says.
///
/// # Panics
/// If `AFFERENT_DATA` is set and no such folder: who asks for the data wants it used.
pub fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");
    let asked = std::env::var_os("AFFERENT_DATA").map(PathBuf::from);
    let is_asked = asked.is_some();
    let folder = asked.unwrap_or_else(|| beside.into());
    let there = folder.join("README.md").exists();
    assert!(there || !is_asked, "AFFERENT_DATA is {}, where no data is", folder.display());
    if !there {
        eprintln!("SKIPPED: no test data at {} (set AFFERENT_DATA)", folder.display());
    }
    there.then_some(folder)
}

/// The five MIT-BIH records whose beats are annotated, all of them.
pub const ANNOTATED: [&str; 5] = [
    "MIT-LCP+wfdb-python/sample-data/100",
    "derived-mitdb-wfdb/104",
    "derived-mitdb-wfdb/106",
    "derived-mitdb-wfdb/114",
    "derived-mitdb-wfdb/123",
];
