//! Real recordings, which stay outside the repository.

use std::path::PathBuf;

/// The folder of test data: `AFFERENT_DATA`, else `../shared/data`. Without it a test says
/// loudly that it skipped.
pub fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");
    let folder = std::env::var_os("AFFERENT_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let there = folder.join("README.md").exists();
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
