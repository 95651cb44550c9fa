//! Why nothing could be measured.

use std::fmt::{Display, Formatter};

/// What went wrong, by who can do something about it.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Ctrl-C.
    Interrupted,
    /// What was asked for does not exist.
    Asked(String),
    /// A program could not be built: which, and what cargo said last.
    Build(&'static str, String),
    /// A case runs with the old program and not with the new one.
    Broken(&'static str, String),
    /// A file, a process, git.
    Machine(String),
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted; nothing is told and nothing runs on"),
            Self::Asked(what) | Self::Machine(what) => f.write_str(what),
            Self::Build(which, said) => write!(f, "the {which} program cannot be built:\n{said}"),
            Self::Broken(case, said) => write!(
                f,
                "the new program cannot run the case `{case}`, which the old one can:\n{said}"
            ),
        }
    }
}
