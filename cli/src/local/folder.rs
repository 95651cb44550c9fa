//! Where the sockets of running graphs lie, and that nobody else can put one there.

use std::{
    env,
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use rustix::process::{Pid, getuid, test_kill_process};

/// The folders in which a graph may have its socket, the preferred one first: one that was started by the
/// system knows nothing of a person's session. Where somebody names one, there is no other.
pub(super) fn folders() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("AFFERENT_RUNTIME_DIR").filter(|named| !named.is_empty()) {
        return vec![PathBuf::from(named)];
    }
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let session = session.filter(|path| path.is_absolute() && path.is_dir());
    let mut folders: Vec<_> = session.map(|path| path.join("afferent")).into_iter().collect();
    folders.push(PathBuf::from(format!("/tmp/afferent-{}", getuid().as_raw())));
    folders
}

/// Makes the folder for our sockets if there is none. The words say why there can be none.
pub(super) fn made() -> Result<PathBuf, String> {
    let folder = folders().swap_remove(0);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(format!("cannot make `{}`: {error}", folder.display()));
        }
        _ => {}
    }
    checked(&folder)?;
    sweep(&folder);
    Ok(folder)
}

/// Whether a folder is one that we alone can write to; in words why it is not.
pub(super) fn checked(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    // Not followed: a link is somebody's idea of where our sockets should be.
    let known = fs::symlink_metadata(folder).map_err(|error| format!("`{shown}`: {error}"))?;
    if !known.is_dir() {
        return Err(format!("`{shown}` is no folder; remove it"));
    }
    if known.uid() != getuid().as_raw() {
        return Err(format!(
            "`{shown}` belongs to another user; set AFFERENT_RUNTIME_DIR to a folder of yours"
        ));
    }
    if known.mode() & 0o077 != 0 {
        return Err(format!("others may enter `{shown}`; `chmod 700 {shown}`"));
    }
    Ok(())
}

/// The sockets in a folder, by process.
pub(super) fn sockets(folder: &Path) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let path = entry.path();
        let name = path.file_name()?.to_str()?;
        Some((name.strip_suffix(".sock")?.parse().ok()?, path))
    });
    let mut sockets: Vec<_> = named.collect();
    sockets.sort();
    sockets
}

/// Removes what processes left behind that were killed.
fn sweep(folder: &Path) {
    for (pid, path) in sockets(folder) {
        // Asked only where the process is gone: one that is stopped would not answer either.
        if !is_alive(pid) && is_refused(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether there is a process of this number.
pub(super) fn is_alive(pid: u32) -> bool {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw);
    known.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Whether nobody listens there.
pub(super) fn is_refused(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    UnixStream::connect(path).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt, net::UnixListener};

    use super::*;

    #[test]
    fn a_folder_is_ours_alone_or_not_taken() {
        let base = tempfile::tempdir().expect("there is room");
        let folder = base.path().join("afferent");
        assert!(checked(&folder).is_err(), "there is none");
        DirBuilder::new().mode(0o700).create(&folder).expect("there is room");
        assert_eq!(checked(&folder), Ok(()));

        let open = fs::Permissions::from_mode(0o750);
        fs::set_permissions(&folder, open).expect("it is ours");
        assert!(checked(&folder).expect_err("others may enter").contains("chmod 700"));

        let link = base.path().join("link");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("it is ours");
        std::os::unix::fs::symlink(&folder, &link).expect("there is room");
        assert!(checked(&link).expect_err("a link").contains("is no folder"));
    }

    #[test]
    fn what_the_dead_left_behind_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().expect("there is room");
        let at = |name: &str| folder.path().join(name);
        // No process has so large a number; its listener is gone, and what it bound stays.
        drop(UnixListener::bind(at("4194304.sock")).expect("a socket"));
        let own = format!("{}.sock", std::process::id());
        drop(UnixListener::bind(at(&own)).expect("a socket"));
        let _elsewhere = UnixListener::bind(at("4194305.sock")).expect("a socket");
        fs::write(at("notes.txt"), "mine").expect("there is room");

        sweep(folder.path());

        let mut left: Vec<_> = fs::read_dir(folder.path())
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        let mut want = vec!["4194305.sock".to_owned(), own, "notes.txt".to_owned()];
        want.sort();
        assert_eq!(left, want, "a listener, a process that lives, and a file of others stay");
    }
}
