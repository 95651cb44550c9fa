//! Files that exist only in memory.

use std::{
    collections::BTreeMap,
    io::{Cursor, Error, ErrorKind, Result, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::files::{Files, ReadSeek, WriteSeek};

type Content = Arc<Mutex<Vec<u8>>>;

/// A file system in memory. Clones see the same files.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(Arc<Mutex<BTreeMap<String, Content>>>);

impl MemoryFiles {
    /// A file system without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        lock(&self.0).insert(path.to_owned(), Arc::new(Mutex::new(content.into())));
        self
    }

    /// What a file holds now, also while it is written.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.0).get(path).map(|content| lock(content).clone())
    }

    /// As [`MemoryFiles::content`], as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self, path: &str) -> Option<String> {
        self.content(path).map(|content| String::from_utf8(content).expect("the file is text"))
    }
}

impl Files for MemoryFiles {
    fn open(&self, path: &str) -> Result<Box<dyn ReadSeek>> {
        let content = self.content(path);
        let content = content.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such file"))?;
        Ok(Box::new(Cursor::new(content)))
    }

    fn create(&self, path: &str) -> Result<Box<dyn Write + Send>> {
        let content = Content::default();
        lock(&self.0).insert(path.to_owned(), content.clone());
        Ok(Box::new(Open { content, at: 0 }))
    }

    fn create_seekable(&self, path: &str) -> Result<Box<dyn WriteSeek>> {
        let content = Content::default();
        lock(&self.0).insert(path.to_owned(), content.clone());
        Ok(Box::new(Open { content, at: 0 }))
    }
}

/// A file being written.
struct Open {
    content: Content,
    at: usize,
}

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut content = lock(&self.content);
        let behind = self.at + bytes.len();
        if content.len() < behind {
            content.resize(behind, 0);
        }
        content[self.at..behind].copy_from_slice(bytes);
        self.at = behind;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Open {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => i64::try_from(at).ok(),
            SeekFrom::Current(by) => (self.at as i64).checked_add(by),
            SeekFrom::End(by) => (lock(&self.content).len() as i64).checked_add(by),
        };
        let at = at.and_then(|at| usize::try_from(at).ok());
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at as u64)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let files = MemoryFiles::new().with("a", "one");
        files.create("b").expect("created").write_all(b"two").expect("written");
        let mut header = files.create_seekable("d").expect("created");
        header.write_all(b"??, two").expect("written");
        header.rewind().expect("sought");
        header.write_all(b"12").expect("written");
        assert_eq!(files.text("d").as_deref(), Some("12, two"));

        let mut read = String::new();
        files.open("b").expect("there").read_to_string(&mut read).expect("text");
        assert_eq!(read, "two");
        assert_eq!(files.text("a").as_deref(), Some("one"));
        assert_eq!(files.open("c").err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    }
}
