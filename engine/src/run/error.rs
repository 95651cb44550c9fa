//! Why something asked of a running graph was not done.

use crate::session::OpenError;

/// Why something asked of a running graph was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlError {
    /// No such session is open.
    UnknownSession(u32),
    /// No such node, or it does not run on a data core.
    UnknownNode(String),
    /// The value does not fit, or the parameter cannot change while it runs.
    Refused(String),
    /// The stage does not answer: a body may be wedged.
    NoAnswer,
    /// The run has ended.
    Ended,
    /// A session cannot be opened.
    Open(OpenError),
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownSession(number) => write!(f, "no session {number} is open"),
            Self::UnknownNode(name) => {
                write!(f, "the graph has no node `{name}` that can be asked")
            }
            Self::Refused(why) => f.write_str(why),
            Self::NoAnswer => f.write_str("the stage does not answer; a body of it may be wedged"),
            Self::Ended => f.write_str("the run has ended"),
            Self::Open(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ControlError {}
