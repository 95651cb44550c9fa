//! [`Screen`]: a terminal of which the last line is ours.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::terminal;

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

    /// Puts `line` in the place of the status line, cut to the terminal.
    pub(crate) fn show(&self, line: &str) {
        if !self.lives {
            return;
        }
        // A line that fills the last column may already have moved the cursor on.
        let line = cut(line, terminal::columns() - 1);
        let mut shown = self.shown();
        if *shown != line {
            write(&format!("{WIPE}{line}"));
            *shown = line;
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

/// The first `columns` columns of a line with colours in it.
fn cut(line: &str, columns: usize) -> String {
    let (mut kept, mut used, mut in_escape) = (String::new(), 0, false);
    for letter in line.chars() {
        if in_escape || letter == '\x1b' {
            // Colours take no columns; those behind the cut include the one that turns them off.
            in_escape = letter != 'm';
            kept.push(letter);
        } else if used < columns {
            used += 1;
            kept.push(letter);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_and_its_colour_still_ends() {
        assert_eq!(cut("\x1b[32mabcdef\x1b[0m", 3), "\x1b[32mabc\x1b[0m");
        assert_eq!(cut("äöü", 5), "äöü");
    }
}
