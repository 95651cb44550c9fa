//! [`Fresh`]: a file that is written anew, and by one process at a time.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    sync::Arc,
};

use turn::Turn;

/// A file to be written from its beginning. What was in it stays until the first byte is written or the whole is flushed,
/// so that a run which does not come so far empties nothing. Errors say its path.
pub(super) struct Fresh {
    file: Arc<File>,
    path: String,
    /// What was there before still is.
    is_old: bool,
    /// Nobody else's as long as this is here, which goes behind the file; `None` where there are no locks.
    _turn: Option<Turn>,
}

impl Fresh {
    /// # Errors
    /// As the system says; `ResourceBusy` where another process writes it by such a handle.
    pub(super) fn create(path: &str) -> io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let file = Arc::new(file);
        // A pipe or a device is nobody's, and holds nothing.
        let is_old = file.metadata()?.is_file();
        let turn = if is_old { Turn::of(&file)? } else { None };
        Ok(Self { file, path: path.to_owned(), is_old, _turn: turn })
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.is_old {
            self.file.set_len(0)?;
            self.is_old = false;
        }
        Ok(())
    }

    fn named<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", self.path)))
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.begin().and_then(|()| (&*self.file).write(bytes));
        self.named(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.begin().and_then(|()| (&*self.file).flush());
        self.named(flushed)
    }
}

impl Seek for Fresh {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = (&*self.file).seek(to);
        self.named(sought)
    }
}

#[cfg(unix)]
mod turn {
    use std::{
        collections::BTreeMap,
        fs::{File, TryLockError},
        io::{self, ErrorKind},
        os::unix::fs::MetadataExt,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    };

    /// A file by its device and number.
    type Id = (u64, u64);

    /// What this process has locked, and for how many writers: a body that takes another's place opens its file before that
    /// one is gone, and a lock is of a handle, not of a process.
    static HELD: Mutex<BTreeMap<Id, (Arc<File>, usize)>> = Mutex::new(BTreeMap::new());

    fn held() -> MutexGuard<'static, BTreeMap<Id, (Arc<File>, usize)>> {
        HELD.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An advisory lock, kept from other processes that ask for it, and shared within this one.
    pub(super) struct Turn(Id);

    impl Turn {
        pub(super) fn of(file: &Arc<File>) -> io::Result<Option<Self>> {
            let about = file.metadata()?;
            let id = (about.dev(), about.ino());
            let mut held = held();
            if let Some((_, writers)) = held.get_mut(&id) {
                *writers += 1;
                return Ok(Some(Self(id)));
            }
            match file.try_lock() {
                Ok(()) => {
                    held.insert(id, (file.clone(), 1));
                    Ok(Some(Self(id)))
                }
                Err(TryLockError::WouldBlock) => {
                    let why = "another process is writing it";
                    Err(io::Error::new(ErrorKind::ResourceBusy, why))
                }
                // Not every file system has locks, and writing there is as good as it was.
                Err(TryLockError::Error(_)) => Ok(None),
            }
        }
    }

    impl Drop for Turn {
        fn drop(&mut self) {
            let mut held = held();
            if let Some((_, writers)) = held.get_mut(&self.0) {
                *writers -= 1;
                if *writers == 0 {
                    // Closed in here: whoever asks next finds it free.
                    held.remove(&self.0);
                }
            }
        }
    }
}

/// Elsewhere a lock keeps readers out as well, who may look at what is written so far.
#[cfg(not(unix))]
mod turn {
    use std::{fs::File, io, sync::Arc};

    /// There is none.
    pub(super) enum Turn {}

    impl Turn {
        pub(super) fn of(_: &Arc<File>) -> io::Result<Option<Self>> {
            Ok(None)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    /// A file of this test's own with something in it.
    fn old(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("afferent-{}-{name}", std::process::id()));
        fs::write(&path, "what was there before").expect("there is room");
        path
    }

    fn text(path: &PathBuf) -> String {
        fs::read_to_string(path).expect("it is there")
    }

    #[test]
    fn what_was_there_stays_until_something_is_written() {
        let path = old("stays");
        let name = path.to_str().expect("text");
        drop(Fresh::create(name).expect("created"));
        assert_eq!(text(&path), "what was there before");

        let mut file = Fresh::create(name).expect("created");
        file.write_all(b"new").expect("written");
        file.write_all(b"er").expect("written");
        assert_eq!(text(&path), "newer");
        file.rewind().expect("sought");
        file.write_all(b"N").expect("written");
        assert_eq!(text(&path), "Newer");
        drop(file);

        // One that comes to its end with nothing to write has written that.
        Fresh::create(name).expect("created").flush().expect("flushed");
        assert_eq!(text(&path), "");
        fs::remove_file(path).expect("it is ours");
    }

    #[cfg(unix)]
    #[test]
    fn two_processes_do_not_write_one_file_and_two_bodies_of_one_may() {
        let path = old("turns");
        let name = path.to_str().expect("text");
        // A lock is of a handle: one of another process would be held just so.
        let other = File::options().write(true).open(&path).expect("it is there");
        other.try_lock().expect("nobody has it");
        let refused = Fresh::create(name).err().expect("refused");
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        other.unlock().expect("it was ours");

        let (first, second) = (Fresh::create(name), Fresh::create(name));
        drop(first.expect("free"));
        assert!(other.try_lock().is_err(), "the second still has it");
        drop(second.expect("ours already"));
        other.try_lock().expect("both are gone");
        fs::remove_file(path).expect("it is ours");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_with_the_path() {
        let told = Fresh::create("/dev/full").expect("opened").write(b"x").expect_err("full");
        assert_eq!(told.kind(), io::ErrorKind::StorageFull);
        assert!(told.to_string().starts_with("`/dev/full`: "), "{told}");
    }
}
