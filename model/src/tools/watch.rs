//! [`Watch`]: who watches a tool at work.

use std::sync::atomic::{AtomicBool, Ordering};

use super::trouble::Trouble;

/// Who watches a tool at work, and may end it.
pub struct Watch<'a> {
    /// Raised when the tool shall end; looked at between runs.
    pub interrupted: &'a AtomicBool,
    /// Is told what is done now, in a few words.
    pub says: &'a (dyn Fn(&str) + Sync),
}

impl Watch<'_> {
    pub(super) fn is_over(&self) -> bool {
        // Nothing but the flag itself is handed over.
        self.interrupted.load(Ordering::Relaxed)
    }

    /// # Errors
    /// If it shall end.
    pub(super) fn goes_on(&self) -> Result<(), Trouble> {
        if self.is_over() { Err(Trouble::interrupted()) } else { Ok(()) }
    }
}
