//! [`Files`]: the file system as planning and building see it.

mod disk;
mod fresh;

use std::{
    io::{Read, Seek, Write},
    path::Path,
};

use crate::graph::{Code, Diagnostic, Place};

pub use disk::Disk;

/// A file, opened by whoever the planner was given.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file being written, whose beginning can be put right at the end.
pub trait WriteSeek: Write + Seek + Send {}

impl<T: Write + Seek + Send> WriteSeek for T {}

/// The file system as planning and building see it.
pub trait Files: Send + Sync {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &str) -> std::io::Result<Box<dyn ReadSeek>>;

    /// Creates a file for writing, or writes it anew: what is in it may stay until the first byte is written.
    ///
    /// # Errors
    /// As the system says; `ResourceBusy` where somebody else writes it.
    fn create(&self, path: &str) -> std::io::Result<Box<dyn std::io::Write + Send>>;

    /// As [`Files::create`], for formats whose headers tell what is known at the end alone.
    ///
    /// # Errors
    /// As the system says; `Unsupported` where files can only be written from front to back.
    fn create_seekable(&self, _path: &str) -> std::io::Result<Box<dyn WriteSeek>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// What [`Files::create`] would say to a path, as far as that is known without doing it.
    ///
    /// # Errors
    /// As the system would say.
    fn check_create(&self, _path: &str) -> std::io::Result<()> {
        Ok(())
    }

    /// A name that all paths to one file share; `None` for what may be written by several, such as
    /// a device. Without knowledge of the system: the path without its detours.
    fn identity(&self, path: &str) -> Option<String> {
        Some(without_detours(path))
    }
}

/// The path that is written at `place`. A relative one starts from the folder of the graph file, or of the
/// included file, that it stands in, or from the current folder when given on the command line.
pub fn path_from(written: &str, place: &Option<Place>, graph_file: Option<&str>) -> String {
    let file = place.as_ref().map(|place| &*place.file).filter(|file| {
        file.included_as().is_some() || graph_file.is_some_and(|graph| graph == file.name())
    });
    let folder = file.and_then(|file| Path::new(file.name()).parent());
    match folder.filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => folder.join(written).to_string_lossy().into_owned(),
        None => written.to_owned(),
    }
}

/// Why a file cannot be written, and what to do about it.
pub(crate) fn unwritable(path: &str, error: &std::io::Error) -> Diagnostic {
    let (why, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => {
            ("there is no such folder".to_owned(), "create the folder, or write to another")
        }
        std::io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "make it writable for this user, or write elsewhere")
        }
        std::io::ErrorKind::IsADirectory => ("it is a folder".to_owned(), "name a file in it"),
        std::io::ErrorKind::ResourceBusy => {
            (error.to_string(), "wait until that is done, or write to another file")
        }
        _ => (error.to_string(), "write elsewhere"),
    };
    let message = format!("`{path}` cannot be written: {why}");
    Diagnostic::error(Code::of_io(error), message).hint(hint)
}

/// A path without `.`, and without `..` where it leaves a folder of the same path.
fn without_detours(path: &str) -> String {
    use std::path::{Component, Path, PathBuf};
    let mut short = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(short.components().next_back(), Some(Component::Normal(_))) =>
            {
                short.pop();
            }
            part => short.push(part),
        }
    }
    short.to_string_lossy().into_owned()
}
