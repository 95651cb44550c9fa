//! Files put in their place whole, or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Whether a file can be put there; leaves nothing behind.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let path = resolved(path)?;
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    beside(&path).map(drop)
}

/// Puts a file there. What was there before keeps who may read it, and what a link leads to is replaced, not the
/// link.
pub(crate) fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = resolved(path)?;
    let before = fs::metadata(&path).ok();
    let mut file = match before {
        // For its owner alone until it is in its place.
        Some(_) => NamedTempFile::new_in(folder_of(&path))?,
        None => beside(&path)?,
    };
    file.write_all(content)?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}

/// Where links lead, also one to a file that is not there yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // More of them than any system follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(to) => path = folder_of(&path).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("links lead in a circle"))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// As the system makes files.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_was_there_keeps_its_readers_and_links_stay() {
        let folder = tempfile::tempdir().expect("there is room");
        let at = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).expect("it is there").permissions().mode();
        fs::write(at("secret"), "before").expect("there is room");
        fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o600)).expect("it is ours");
        symlink("secret", at("link")).expect("there is room");
        symlink("new", at("dangling")).expect("there is room");

        check(&at("dangling")).expect("there is room");
        assert!(!at("new").exists(), "looking leaves nothing");
        for name in ["link", "dangling", "plain"] {
            put(&at(name), b"after").expect("there is room");
        }

        for name in ["secret", "new", "plain"] {
            assert_eq!(fs::read(at(name)).expect("it is there"), b"after");
        }
        assert!(at("link").is_symlink() && at("dangling").is_symlink());
        assert_eq!(mode("secret") & 0o777, 0o600);
        fs::write(at("usual"), "").expect("there is room");
        assert_eq!((mode("plain"), mode("new")), (mode("usual"), mode("usual")));
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 6);
    }

    #[test]
    fn a_folder_and_a_circle_are_no_place() {
        let folder = tempfile::tempdir().expect("there is room");
        assert!(check(folder.path()).is_err());
        symlink("a", folder.path().join("b")).expect("there is room");
        symlink("b", folder.path().join("a")).expect("there is room");
        assert!(check(&folder.path().join("a")).is_err());
        assert!(check(&folder.path().join("none/run.svg")).is_err());
    }
}
