//! What is wrong with a recording, in words for the person who gave it.

use std::error::Error;
use std::fmt;
use std::io;

/// Something wrong in or with a file: which, where in it, why, and what to do about it.
///
/// The text reads `100.hea:3: message`, then the hint on a line of its own, then (through
/// [`Error::source`]) the operating system's answer where there is one.
#[derive(Debug)]
pub struct FileError {
    /// The file's name as the user or the header gave it.
    pub file: String,
    /// Line in a text file, counted from one.
    pub line: Option<u64>,
    /// Column in that line, counted from one: of cells in a CSV file, of fields in a header.
    pub column: Option<u64>,
    /// What is wrong, with the value found and the limit.
    pub message: String,
    /// What to do about it; begins with a verb.
    pub hint: String,
    /// The operating system's answer.
    pub io: Option<io::Error>,
}

/// What helps where a file is read more than once from its beginning.
const WRITE_FIRST: &str = "write it to a file first, such as `cat > FILE`, and name that";

impl FileError {
    pub(crate) fn new(file: &str, message: String, hint: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message,
            hint: hint.to_owned(),
            io: None,
        }
    }

    pub(crate) fn unreadable(file: &str, doing: &str, error: io::Error) -> Self {
        let (message, hint) = match error.kind() {
            io::ErrorKind::NotFound if file == "-" => {
                (format!("cannot {doing}: standard input is not read"), WRITE_FIRST)
            }
            io::ErrorKind::NotSeekable => {
                (format!("cannot {doing}: it is a pipe or a device"), WRITE_FIRST)
            }
            io::ErrorKind::NotFound => {
                (format!("cannot {doing}: there is no such file"), "check the name and the folder")
            }
            io::ErrorKind::PermissionDenied => (
                format!("cannot {doing}: permission denied"),
                "make the file readable for this user",
            ),
            io::ErrorKind::IsADirectory => {
                (format!("cannot {doing}: it is a folder"), "name a file in it")
            }
            _ => {
                (format!("cannot {doing}: {error}"), "check the disk and the file, then try again")
            }
        };
        Self { io: Some(error), ..Self::new(file, message, hint) }
    }

    /// Where in which file, and what: the text without the hint.
    pub(crate) fn place_and_message(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let column = self.column.map(|column| format!(":{column}")).unwrap_or_default();
        format!("`{}{line}{column}`: {}", self.file, self.message)
    }

    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn at_column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}\n  hint: {}", self.message, self.hint)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.io.as_ref().map(|error| error as _)
    }
}

/// At most 40 characters of something found in a file, safe to print in a message.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}
