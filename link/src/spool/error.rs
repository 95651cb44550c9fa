//! [`SpoolError`]: why a spool cannot be used.

use std::{fmt, io, path::PathBuf};

/// Where, what, and what to do.
#[derive(Debug)]
pub struct SpoolError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a spool.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The system refuses.
    Io(io::Error),
    /// Another process has it open.
    Locked,
    /// It belongs to another edge.
    Edge {
        /// In the file.
        theirs: String,
        /// Of the graph.
        ours: String,
    },
    /// What it holds is of another format: a line for each difference.
    Format(Vec<String>),
    /// Written by a newer version.
    Version {
        /// Of the file.
        theirs: u16,
        /// The newest read here.
        newest: u16,
    },
    /// No spool.
    Foreign(String),
    /// A limit that cannot be.
    Limit(String),
}

impl SpoolError {
    pub(crate) fn new(path: impl Into<PathBuf>, cause: Cause) -> Self {
        Self { path: path.into(), cause }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let dir = self.path.display();
        match &self.cause {
            Cause::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => "give the folder of a spool".to_owned(),
                io::ErrorKind::PermissionDenied => {
                    "run as the user whom it belongs to, or give the edge another folder".to_owned()
                }
                _ => "look at the disk, or give the edge another folder".to_owned(),
            },
            Cause::Locked => {
                "stop the other process, or give each graph a folder of its own".to_owned()
            }
            Cause::Edge { .. } | Cause::Format(_) => format!(
                "take out what is in it (`afferent spool drain {dir}`) and delete it, or give the \
                 edge another folder"
            ),
            Cause::Version { .. } => "use the newer version of afferent".to_owned(),
            Cause::Foreign(_) => "give the folder of a spool".to_owned(),
            Cause::Limit(_) => "change it in the graph".to_owned(),
        }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.cause {
            Cause::Io(error) => write!(f, "{error}"),
            Cause::Locked => f.write_str("another process has this spool open"),
            Cause::Edge { theirs, ours } => {
                write!(f, "this spool is of edge `{theirs}`, not of `{ours}`")
            }
            Cause::Format(differences) => {
                write!(f, "what this spool holds is of another format: {}", differences.join("; "))
            }
            Cause::Version { theirs, newest } => {
                write!(f, "this spool is of version {theirs}; {newest} is the newest read here")
            }
            Cause::Foreign(what) => write!(f, "this is no spool: {what}"),
            Cause::Limit(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for SpoolError {}
