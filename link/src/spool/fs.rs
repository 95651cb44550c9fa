//! [`Fs`]: the little that a spool needs of a file system, so that tests can put a bad one in its place.

use std::{
    fmt, fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

/// A file system.
pub trait Fs: Send + Sync + fmt::Debug {
    /// Makes a folder that only its owner may look into, and those above it. One that is there is left
    /// as it is.
    ///
    /// # Errors
    /// Those of the system; a folder that is there and that others own or may write to.
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

/// How long a lock may be in the way of one who only looks, and how often that is looked at.
const GLANCES: u32 = 40;
const GLANCE: Duration = Duration::from_millis(5);

impl HostFs {
    /// Makes a folder and those above it, and has the disk keep their names.
    fn make(&self, dir: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let above = match dir.parent() {
            Some(above) if above.as_os_str().is_empty() => Path::new("."),
            Some(above) => above,
            None => return builder.create(dir),
        };
        match builder.create(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make(above)?;
                builder.create(dir)?;
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return may_be_used(&fs::metadata(dir)?);
            }
            made => made?,
        }
        match self.sync_dir(above) {
            // Names may be made there, and not be read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        }
    }
}

/// Whether what is in a folder is safe from others. What its owner has set is left as it is.
fn may_be_used(found: &fs::Metadata) -> io::Result<()> {
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        if found.uid() != rustix::process::geteuid().as_raw() {
            return refuse("the folder belongs to another user");
        }
        if found.mode() & 0o022 != 0 {
            return refuse("others may write to the folder: take that from them (chmod go-w)");
        }
    }
    Ok(())
}

/// Whether a process holds a file. Those who ask are not in each other's way.
pub(crate) fn is_held(path: &Path) -> bool {
    let held = fs::File::open(path).map(|file| file.try_lock_shared());
    matches!(held, Ok(Err(fs::TryLockError::WouldBlock)))
}

impl Fs for HostFs {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::metadata(dir) {
            Ok(found) => may_be_used(&found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(dir),
            Err(error) => Err(error),
        }
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
        #[expect(
            clippy::disallowed_methods,
            reason = "no actor: who opens a spool waits for disks"
        )]
        for _ in 0..GLANCES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Box::new(HostLock(file)))),
                // Maybe one who only wanted to know whether there is a process.
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(GLANCE),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
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
