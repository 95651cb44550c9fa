//! [`Ground`]: what the system tells in files, of this machine or of one that a test makes up.

use std::path::{Path, PathBuf};

/// Files below a root.
pub(super) struct Ground {
    root: PathBuf,
}

impl Ground {
    pub(super) fn of_machine() -> Self {
        Self { root: PathBuf::from("/") }
    }

    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path of the system below the root.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What a file says, without the space around it.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// A number that is all a file says.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// The number behind a word at the beginning of a line.
    pub(super) fn number_after(&self, path: &str, word: &str) -> Option<u64> {
        let text = self.text(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix(word))?;
        line.trim_start_matches([':', ' ', '\t']).split_whitespace().next()?.parse().ok()
    }

    /// Names in a folder, in order.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether there is something.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// Whether we may read and write there.
#[cfg(unix)]
pub(super) fn is_ours(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(path, Access::READ_OK | Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
pub(super) fn is_ours(_: &Path) -> bool {
    true
}
