//! [`Screen`]: a terminal of which the last line is ours.

use std::{
    io::{self, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The status line and what is said above it.
pub(crate) struct Screen {
    lives: AtomicBool,
    shown: Mutex<String>,
}

/// Back to the first column and wipe.
const WIPE: &str = "\r\x1b[2K";

impl Screen {
    /// A screen with a status line if it `lives`; else notes only.
    pub(crate) fn new(lives: bool) -> Self {
        Self { lives: AtomicBool::new(lives), shown: Mutex::default() }
    }

    /// Whether there is a status line.
    pub(crate) fn lives(&self) -> bool {
        // Nothing but the flag itself is handed over.
        self.lives.load(Ordering::Relaxed)
    }

    /// Leaves the terminal to whoever writes lines of its own there; notes are still told.
    pub(crate) fn retire(&self) {
        if self.lives.swap(false, Ordering::Relaxed) {
            self.clear();
        }
    }

    /// Puts `line`, which fits the terminal, in the place of the status line.
    pub(crate) fn show(&self, line: &str) {
        let mut shown = self.shown();
        // Asked behind the lock: who retires wipes what is shown, and nothing comes after that.
        if self.lives() && *shown != line {
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

    fn shown(&self) -> MutexGuard<'_, String> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In one piece, so that nothing flickers. Where stderr is closed there is nobody to tell.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
