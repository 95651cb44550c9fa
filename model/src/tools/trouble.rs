//! [`Trouble`]: why a tool could not do what was asked.

use std::{error::Error, fmt};

use engine::Fault;

/// Why a tool could not do what was asked: a fragment in lower case, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Who must act.
    pub blame: Blame,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// Who typed the command: what was asked cannot be.
    Asked,
    /// Whoever wrote the graph.
    Graph,
    /// A file: a model or data that cannot be read, or a place that cannot be written.
    File,
    /// Another program that is needed is missing or failed.
    Program,
    /// Nobody: the tool did its work, and the result is no good.
    Refused,
    /// It was asked to end.
    Interrupted,
}

impl Trouble {
    fn new(blame: Blame, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { blame, message: message.into(), hint: hint.into() }
    }

    pub(super) fn asked(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Asked, message, hint)
    }

    pub(super) fn graph(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Graph, message, hint)
    }

    pub(super) fn file(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::File, message, hint)
    }

    pub(super) fn program(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Program, message, hint)
    }

    pub(super) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Refused, message, hint)
    }

    pub(super) fn interrupted() -> Self {
        Self::new(Blame::Interrupted, "interrupted; nothing was written", "")
    }

    /// A model that cannot be loaded or does not run.
    pub(super) fn model(path: &str, fault: &Fault) -> Self {
        let hint = "check that the file is a whole ONNX model, or ask another `--backend`";
        Self::file(format!("`{path}`: {fault}"), hint)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Trouble {}
