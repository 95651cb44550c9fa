//! [`Inside`]: the graph files that stand in a recording.

use std::{
    io::{self, Cursor, Write},
    path::{Path, PathBuf},
};

use engine::{Disk, Files, ReadSeek};
use operators::files::mcap::{ABOUT, GRAPH, Recording};

/// The graph files that stand in a recording, for whoever asks for them by the paths they had; others are those
/// of the disk.
pub(crate) struct Inside {
    files: Vec<(PathBuf, String)>,
    /// What was `--set`.
    pub(crate) set: Vec<String>,
}

impl Inside {
    pub(crate) fn of(recording: &Recording) -> Self {
        let numbered = (0..).map(|n| match n {
            0 => GRAPH.to_owned(),
            n => format!("{GRAPH} {n}"),
        });
        let files = numbered.map_while(|name| {
            let file = recording.metadata.get(&name)?;
            Some((PathBuf::from(file.get("file")?), file.get("text")?.clone()))
        });
        let set = recording.metadata.get(ABOUT).and_then(|about| about.get("set"));
        let set = set.map_or(Vec::new(), |set| set.lines().map(str::to_owned).collect());
        Self { files: files.collect(), set }
    }

    /// The graph file itself, if it had one.
    pub(crate) fn graph(&self) -> Option<&Path> {
        self.files.first().map(|(path, _)| path.as_path()).filter(|path| path.file_name().is_some())
    }
}

impl Files for Inside {
    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek>> {
        match self.files.iter().find(|(known, _)| known == Path::new(path)) {
            Some((_, text)) => Ok(Box::new(Cursor::new(text.clone().into_bytes()))),
            None => Disk.open(path),
        }
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        Disk.create(path)
    }
}
