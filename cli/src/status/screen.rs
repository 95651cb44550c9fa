//! [`Screen`]: a terminal of which the last line is ours.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The status line and what is said above it.
pub(crate) struct Screen {
    lives: bool,
    shown: Mutex<String>,
}

/// Back to the first column and wipe.
const WIPE: &str = "\r\x1b[2K";

impl Screen {
    /// A screen with a status line if it `lives`; else notes only.
    pub(crate) fn new(lives: bool) -> Self {
        Self { lives, shown: Mutex::default() }
    }

    /// Whether there is a status line.
    pub(crate) const fn lives(&self) -> bool {
        self.lives
    }

    /// Puts `line`, which fits the terminal, in the place of the status line.
    pub(crate) fn show(&self, line: &str) {
        if !self.lives {
            return;
        }
        let mut shown = self.shown();
        if *shown != line {
            write(&format!("{WIPE}{line}"));
            line.clone_into(&mut shown);
        }
    }

    /// Removes the status line.
    pub(crate) fn clear(&self) {
        let mut shown = self.shown();
        if !shown.is_empty() {
            write(WIPE);
            shown.clear();
        }
    }

    /// Says something to the person, above the status line.
    pub(crate) fn say(&self, text: &str) {
        let shown = self.shown();
        let wipe = if shown.is_empty() { "" } else { WIPE };
        write(&format!("{wipe}{}\n{shown}", text.trim_end()));
    }

    /// Lets somebody else write a line above the status line.
    pub(crate) fn above<T>(&self, write_line: impl FnOnce() -> T) -> T {
        let shown = self.shown();
        if shown.is_empty() {
            return write_line();
        }
        write(WIPE);
        let written = write_line();
        write(&shown);
        written
    }

    fn shown(&self) -> MutexGuard<'_, String> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In one piece, so that nothing flickers. Where stderr is closed there is nobody to tell.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
