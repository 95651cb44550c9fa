//! The file system, for kinds that read and write recordings.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, ErrorKind, Write},
};

use engine::{Files, ReadSeek};

/// The disk. Relative paths start from the current folder.
pub(crate) struct DiskFiles;

impl Files for DiskFiles {
    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek>> {
        let file = File::open(path)?;
        // Linux opens a folder gladly and complains when it is read; say so at once.
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
        }
        Ok(Box::new(BufReader::new(file)))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        Ok(Box::new(BufWriter::new(File::create(path)?)))
    }
}
