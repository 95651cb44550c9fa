//! [`Fs`]: the little that a spool needs of a file system, so that tests can put a bad one in its place.

use std::{
    fmt, fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// A file system.
pub trait Fs: Send + Sync + fmt::Debug {
    /// Makes a folder that only its owner may look into, and those above it; one that is there is
    /// closed to others.
    ///
    /// # Errors
    /// Those of the system.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// Names of the files in a folder, in no order.
    ///
    /// # Errors
    /// Those of the system.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// Those of the system.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>>;

    /// Deletes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Has the disk keep which files there are.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Holds a file as long as what is given back lives; `None` while another process holds it. The
    /// system lets go of it when the process ends, however it ends.
    ///
    /// # Errors
    /// Those of the system.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>>;
}

/// What a lock is held by.
pub trait Held: Send + fmt::Debug {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read what is there.
    Read,
    /// To read and write; it is made if it is not there, and only its owner may read it.
    Write,
}

/// An open file.
pub trait File: Send + fmt::Debug {
    /// Reads up to as many bytes as there is room for; 0 behind the end.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes bytes, maybe not all of them.
    ///
    /// # Errors
    /// Those of the system.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Length in bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn size(&mut self) -> io::Result<u64>;

    /// Cuts the file.
    ///
    /// # Errors
    /// Those of the system.
    fn cut(&mut self, len: u64) -> io::Result<()>;

    /// Has the disk keep what was written.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()>;
}

/// Whether there is no room, for anybody or for us.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes all bytes.
pub(crate) fn write_all_at(file: &mut dyn File, at: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(at + done as u64, &bytes[done..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until there is no room, or nothing more.
pub(crate) fn read_full_at(file: &mut dyn File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(at + done as u64, &mut into[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The one of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFs;

impl Fs for HostFs {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let mode = fs::metadata(dir)?.permissions().mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        }
        #[cfg(not(unix))]
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        if how == Open::Write {
            options.write(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        Ok(Box::new(HostFile(options.open(path)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Elsewhere a folder is no file that could be opened.
        if !cfg!(unix) {
            return Ok(());
        }
        match fs::File::open(dir)?.sync_all() {
            // Some file systems, of a network mostly, have no such thing.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            synced => synced,
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(HostLock(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct HostFile(fs::File);

impl File for HostFile {
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.seek(SeekFrom::Start(at))?;
        self.0.read(into)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.seek(SeekFrom::Start(at))?;
        self.0.write(bytes)
    }

    fn size(&mut self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Held by the open file.
#[derive(Debug)]
#[expect(dead_code, reason = "what counts is that it is open")]
struct HostLock(fs::File);

impl Held for HostLock {}
