//! [`Disk`]: the file system as it is.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, ErrorKind, Write},
    path::Path,
};

#[cfg(unix)]
use std::os::unix::fs::MetadataExt;

use super::{Files, ReadSeek, WriteSeek};

/// The file system as it is, for [`PlanOptions`](crate::PlanOptions). Relative paths start from
/// the current folder.
///
/// The engine itself asks for no file; a graph that should see none is given
/// [`MemoryFiles`](crate::testing::MemoryFiles).
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
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

    fn create_seekable(&self, path: &str) -> io::Result<Box<dyn WriteSeek>> {
        Ok(Box::new(BufWriter::new(File::create(path)?)))
    }

    fn check_create(&self, path: &str) -> io::Result<()> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"))
            }
            // Opening empties nothing, and no other call knows all of a system's permissions. A
            // pipe would wait here for its reader.
            Ok(found) if found.is_file() => File::options().append(true).open(path).map(|_| ()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::metadata(folder_of(path)).map(|_| ())
            }
            Err(error) => Err(error),
        }
    }

    fn identity(&self, path: &str) -> Option<String> {
        let whole = match std::fs::metadata(path) {
            Ok(found) if !found.is_file() => return None,
            // Of several names of one file none is the file.
            #[cfg(unix)]
            Ok(found) if found.nlink() > 1 => {
                return Some(format!("file {} of device {}", found.ino(), found.dev()));
            }
            Ok(_) => std::fs::canonicalize(path),
            Err(_) => std::fs::canonicalize(folder_of(path))
                .map(|folder| folder.join(Path::new(path).file_name().unwrap_or_default())),
        };
        Some(whole.map_or_else(|_| path.to_owned(), |whole| whole.to_string_lossy().into_owned()))
    }
}

fn folder_of(path: &str) -> &Path {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_file() {
        let error = Disk.open(".").err().expect("a folder cannot be read");

        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn all_paths_to_a_file_are_one() {
        let name = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let detour = concat!(env!("CARGO_MANIFEST_DIR"), "/src/../Cargo.toml");
        let new = |path: &str| path.replace("Cargo.toml", "new.csv");

        assert!(Disk.identity(name).is_some());
        assert_eq!(Disk.identity(name), Disk.identity(detour));
        assert_eq!(Disk.identity(&new(name)), Disk.identity(&new(detour)));
        assert_ne!(Disk.identity(name), Disk.identity(&new(name)));
        assert_eq!(Disk.identity(env!("CARGO_MANIFEST_DIR")), None, "no file");
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let refused = |path| Disk.check_create(path).err().map(|error| error.kind());

        assert_eq!(refused(env!("CARGO_MANIFEST_DIR")), Some(ErrorKind::IsADirectory));
        assert_eq!(refused("nowhere/new.csv"), Some(ErrorKind::NotFound));
        assert_eq!(refused(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), None);
        assert_eq!(refused("new.csv"), None);
        assert!(!Path::new("new.csv").exists(), "looking creates nothing");
    }
}
