//! [`Refused`]: why a bench could not be built, in few words.

use std::fmt;

use crate::{
    fault::Fault,
    graph::{Diagnostic, Diagnostics},
    kind::BuildError,
};

/// Why a kind does not take its parameters, or its body could not be built.
///
/// As text: every message, each with its hint in a line of its own.
#[derive(Debug)]
pub struct Refused(BuildError);

impl Refused {
    /// What is wrong with the parameters; empty where the body failed.
    pub fn problems(&self) -> &[Diagnostic] {
        match &self.0 {
            BuildError::Graph(problems) => &problems.0,
            BuildError::Fault(_) => &[],
        }
    }

    /// What kept the body from being built, if the parameters did not.
    pub const fn fault(&self) -> Option<&Fault> {
        if let BuildError::Fault(fault) = &self.0 { Some(fault) } else { None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fault) = self.fault() {
            return fault.fmt(f);
        }
        for (n, problem) in self.problems().iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { "\n" }, problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl From<BuildError> for Refused {
    fn from(error: BuildError) -> Self {
        Self(error)
    }
}

impl From<Diagnostics> for Refused {
    fn from(problems: Diagnostics) -> Self {
        Self(BuildError::Graph(problems))
    }
}
