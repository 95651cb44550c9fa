//! Files that belong to one user: where they are, who may read them, and how they are replaced.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, Metadata},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::TrustError;

/// The folder of this user's keys and peers: `AFFERENT_HOME`, else where the system keeps settings
/// (`$XDG_CONFIG_HOME/afferent` or `~/.config/afferent`; `~/Library/Application Support/afferent`
/// on macOS; `%APPDATA%\afferent` on Windows). It need not exist yet.
///
/// # Errors
/// If nothing in the environment says where.
pub fn home() -> Result<PathBuf, TrustError> {
    home_in(|name| env::var_os(name))
}

fn home_in(var: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, TrustError> {
    let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = path("AFFERENT_HOME") {
        return Ok(home);
    }
    let settings = if cfg!(windows) {
        path("APPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library").join("Application Support"))
    } else {
        // The specification has relative paths ignored.
        let config = path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        config.or_else(|| path("HOME").map(|home| home.join(".config")))
    };
    settings.map(|settings| settings.join("afferent")).ok_or(TrustError::NoFolder)
}

/// Makes the folder, for its owner alone, unless it is there.
///
/// # Errors
/// What the system says, and a folder in which others may put their files in the place of ours.
pub(super) fn make_folder(folder: &Path) -> Result<(), TrustError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(TrustError::io("make the folder", folder))?;
    let metadata = fs::metadata(folder).map_err(TrustError::io("look at", folder))?;
    refuse_shared(folder, &metadata, 0o022, 0o700)
}

/// Reads a file of at most `max` bytes; `None` where there is none. Refuses one that belongs to another
/// user, or to which others have the `forbidden` permissions.
pub(super) fn read(path: &Path, max: usize, forbidden: u32) -> Result<Option<Vec<u8>>, TrustError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(TrustError::io("read", path))?,
    };
    // Of the file that is open, whatever stands at its path by now.
    let metadata = file.metadata().map_err(TrustError::io("look at", path))?;
    refuse_strange(path, &metadata)?;
    refuse_shared(path, &metadata, forbidden, 0o600)?;
    let mut bytes = Vec::new();
    let read = file.take(max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(TrustError::io("read", path))?;
    if bytes.len() > max {
        let why = format!("it is longer than {max} bytes");
        return Err(TrustError::Broken { path: path.to_owned(), line: None, why });
    }
    Ok(Some(bytes))
}

/// Puts a file in its place whole, readable to its owner alone, and on the disk before it returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    let file = written(path, bytes)?;
    file.persist(path).map_err(|error| TrustError::io("write", path)(error.error))?;
    settle(path)
}

/// As [`replace`], unless a file is there already, which then stays; says whether it is ours. Of
/// several who try at once, one succeeds.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<bool, TrustError> {
    match written(path, bytes)?.persist_noclobber(path) {
        Ok(_) => settle(path).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(TrustError::io("write", path)(error.error)),
    }
}

/// A file beside `path`, which others cannot read: that is how temporary files are made.
fn written(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, TrustError> {
    let folder = path.parent().expect("the path of a file");
    let failed = || TrustError::io("write", path);
    let mut file = NamedTempFile::new_in(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    Ok(file)
}

/// A new name is on the disk once its folder is. Folders cannot be synced everywhere.
fn settle(path: &Path) -> Result<(), TrustError> {
    if cfg!(unix) {
        let folder = path.parent().expect("the path of a file");
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(TrustError::io("write", folder))?;
    }
    Ok(())
}

/// Holds the only lock on a file beside others until it is dropped.
pub(super) fn lock(path: &Path) -> Result<File, TrustError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(TrustError::io("open", path))?;
    file.lock().map_err(TrustError::io("lock", path))?;
    Ok(file)
}

#[cfg(unix)]
fn refuse_shared(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
    wanted: u32,
) -> Result<(), TrustError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(TrustError::Shared { path: path.to_owned(), mode, wanted })
    }
}

#[cfg(unix)]
fn refuse_strange(path: &Path, metadata: &Metadata) -> Result<(), TrustError> {
    let owner = std::os::unix::fs::MetadataExt::uid(metadata);
    refuse_owner(path, owner, rustix::process::geteuid().as_raw())
}

/// What belongs to another user is that one's word, whatever others may do with it. The system's own
/// user, 0, could change everything anyway.
#[cfg(unix)]
fn refuse_owner(path: &Path, owner: u32, us: u32) -> Result<(), TrustError> {
    if owner == us || owner == 0 {
        Ok(())
    } else {
        Err(TrustError::Strange { path: path.to_owned(), owner, us })
    }
}

#[cfg(not(unix))]
fn refuse_strange(_: &Path, _: &Metadata) -> Result<(), TrustError> {
    Ok(())
}

/// Elsewhere a user's folders are private by where they stand.
#[cfg(not(unix))]
fn refuse_shared(_: &Path, _: &Metadata, _: u32, _: u32) -> Result<(), TrustError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_of(vars: &[(&str, &str)]) -> Option<PathBuf> {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
        home_in(var).ok()
    }

    #[test]
    fn what_is_said_goes_before_what_is_usual() {
        assert_eq!(
            home_of(&[("AFFERENT_HOME", "here"), ("HOME", "/home/a")]),
            Some(PathBuf::from("here"))
        );
        assert_eq!(home_of(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_ours_or_the_systems() {
        let path = Path::new("/h/identity.key");
        refuse_owner(path, 1_000, 1_000).expect("ours");
        refuse_owner(path, 0, 1_000).expect("the system's");
        for us in [0, 1_001] {
            let problem = refuse_owner(path, 1_000, us).expect_err("somebody else's");
            let said = format!("/h/identity.key belongs to user 1000, and this runs as user {us}");
            assert_eq!(problem.to_string(), said);
            assert!(problem.hint().contains(&format!("`chown {us} /h/identity.key`")));
        }
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_desktop_convention_is_kept() {
        let home = |vars: &[_]| home_of(vars).expect("a folder");
        assert_eq!(home(&[("HOME", "/h")]), Path::new("/h/.config/afferent"));
        let both = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")];
        assert_eq!(home(&both), Path::new("/c/afferent"));
        let relative = [("HOME", "/h"), ("XDG_CONFIG_HOME", "c"), ("AFFERENT_HOME", "")];
        assert_eq!(home(&relative), Path::new("/h/.config/afferent"));
    }
}
