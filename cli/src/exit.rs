//! How the program ends: exit codes, and failures told to a person.

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use engine::{BuildError, Code, Diagnostics, FaultClass, Level, OpenError};

use crate::terminal;

/// Exit codes: the first few as everywhere, the others as in BSD's `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done = 0,
    /// Something went wrong while the graph ran, a test or a pairing failed, or a model was refused.
    Fault = 1,
    /// The command line is wrong; clap ends with this code, too.
    Usage = 2,
    /// A defect of ours.
    Internal = 70,
    /// A file, device or pipe is to blame.
    Io = 74,
    /// The graph is wrong.
    Graph = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Who is to blame for a fault that ended a run.
    pub(crate) const fn of_fault(class: FaultClass) -> Self {
        match class {
            FaultClass::Closed => Self::Done,
            FaultClass::Body | FaultClass::Late => Self::Fault,
            FaultClass::Io => Self::Io,
            // Operators are part of this program.
            FaultClass::Panic => Self::Internal,
        }
    }

    /// 74 if files are all that is wrong with a graph, else 78.
    pub(crate) fn of_problems(problems: &Diagnostics) -> Self {
        let mut errors = problems.0.iter().filter(|problem| problem.level == Level::Error);
        if errors.all(|problem| is_about_a_file(problem.code)) { Self::Io } else { Self::Graph }
    }
}

fn is_about_a_file(code: Code) -> bool {
    matches!(code, Code::BadFile | Code::FileAccess | Code::NoSuchFile | Code::NoDevice)
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// What stderr says; empty where there is nobody to tell.
    text: String,
}

impl Failure {
    /// A problem in one line and what to do about it in another.
    pub(crate) fn new(exit: Exit, message: &str, hint: &str) -> Self {
        let ink = terminal::Ink::of_stderr();
        let mut text = format!("{}error{}{}: {message}{}\n", ink.error, ink.off, ink.bold, ink.off);
        if !hint.is_empty() {
            text += &format!("  {}={} {}hint{}: {hint}\n", ink.faint, ink.off, ink.bold, ink.off);
        }
        Self { exit, text }
    }

    /// An end without a word: a reader that has gone away has read what it wanted.
    pub(crate) const fn silent() -> Self {
        Self { exit: Exit::Done, text: String::new() }
    }

    /// Everything that is wrong with a graph.
    pub(crate) fn graph(problems: &Diagnostics) -> Self {
        Self::graph_saying(problems, "nothing was started")
    }

    /// The same; what became of it stands at the end.
    pub(crate) fn graph_saying(problems: &Diagnostics, outcome: &str) -> Self {
        let text = problems.render_saying(terminal::Ink::of_stderr().is_on(), outcome);
        Self { exit: Exit::of_problems(problems), text }
    }

    /// As [`Failure::graph`], for what stands on the command line.
    pub(crate) fn usage(problems: &Diagnostics) -> Self {
        Self { exit: Exit::Usage, ..Self::graph(problems) }
    }

    /// Why a session could not be opened.
    pub(crate) fn open(error: &OpenError) -> Self {
        let OpenError::Build { node, error } = error else {
            let hint = "give it more `--cores`, or open fewer `--sessions`";
            return Self::new(Exit::Fault, &error.to_string(), hint);
        };
        match error {
            BuildError::Graph(problems) => Self::graph(problems),
            BuildError::Fault(fault) => {
                let exit = Exit::of_fault(fault.class());
                Self::new(exit, &format!("node `{node}`: {fault}"), "")
            }
        }
    }

    /// What stderr would say.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Prints the text to stderr and gives the code to end with.
    pub(crate) fn tell(&self) -> Exit {
        // Where stderr is closed, too, the code must do.
        let _ = io::stderr().write_all(self.text.as_bytes());
        self.exit
    }
}

/// Says something to a person, on stderr; where that is closed there is nobody to hear it.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints to stdout. A reader that has gone away ends the program, and well: `| head` has read
/// what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::silent(),
        _ => Failure::new(
            Exit::Io,
            &format!("cannot write to stdout: {error}"),
            "make room, or send it elsewhere",
        ),
    })
}

/// What kept a file from being written, in words.
pub(crate) fn io_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AlreadyExists => "it is there already".to_owned(),
        ErrorKind::NotFound => "there is no such folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "nothing can be written on that disk".to_owned(),
        _ => error.to_string(),
    }
}
