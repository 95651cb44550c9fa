//! [`Screen`]: a terminal of which the last line is ours.

use std::{
    io::{self, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{terminal::said_columns, wrapping::wrapped};

/// The status line and what is said above it.
pub(crate) struct Screen {
    lives: AtomicBool,
    shown: Mutex<Shown>,
}

/// What stands in the last line, and the terminal.
struct Shown {
    line: String,
    terminal: Box<dyn Write + Send>,
    /// Its columns, which may change.
    columns: fn() -> usize,
    /// What was said while the terminal was another's.
    held: Option<Vec<String>>,
}

/// Notes that are kept for later; of more the first are.
const HELD_MAX: usize = 200;

/// Back to the first column and wipe.
const WIPE: &str = "\r\x1b[2K";

impl Screen {
    /// A screen with a status line if it `lives`; else notes only.
    pub(crate) fn new(lives: bool) -> Self {
        Self::on(Box::new(io::stderr()), said_columns, lives)
    }

    /// Keeps what is said until it is released.
    pub(crate) fn hold(&self) {
        self.shown().held.get_or_insert_default();
    }

    /// Whether what is said is kept for later.
    pub(crate) fn is_held(&self) -> bool {
        self.shown().held.is_some()
    }

    /// What was said last, if it is kept for later.
    pub(crate) fn newest(&self) -> Option<String> {
        self.shown().held.as_ref().and_then(|held| held.last().cloned())
    }

    /// Says what was kept.
    pub(crate) fn release(&self) {
        let held = self.shown().held.take();
        held.into_iter().flatten().for_each(|text| self.say(&text));
    }

    fn on(terminal: Box<dyn Write + Send>, columns: fn() -> usize, lives: bool) -> Self {
        let shown = Shown { line: String::new(), terminal, columns, held: None };
        Self { lives: AtomicBool::new(lives), shown: Mutex::new(shown) }
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
        if self.lives() && shown.line != line {
            shown.write(&format!("{WIPE}{line}"));
            line.clone_into(&mut shown.line);
        }
    }

    /// Removes the status line.
    pub(crate) fn clear(&self) {
        let mut shown = self.shown();
        if !shown.line.is_empty() {
            shown.write(WIPE);
            shown.line.clear();
        }
    }

    /// Says something to the person, above the status line.
    pub(crate) fn say(&self, text: &str) {
        let mut shown = self.shown();
        if let Some(held) = &mut shown.held {
            if held.len() < HELD_MAX {
                held.push(text.to_owned());
            }
            return;
        }
        let wipe = if shown.line.is_empty() { "" } else { WIPE };
        let text = wrapped(text.trim_end(), (shown.columns)());
        let said = format!("{wipe}{text}\n{}", shown.line);
        shown.write(&said);
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// In one piece, so that nothing flickers. Where stderr is closed there is nobody to tell.
    fn write(&mut self, text: &str) {
        let _ = self.terminal.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Keeps what is written, a piece each.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let piece = String::from_utf8(bytes.to_vec()).expect("text");
            self.0.lock().expect("nobody panicked").push(piece);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(lives: bool) -> (Screen, impl Fn() -> Vec<String>) {
        let kept = Kept::default();
        let screen = Screen::on(Box::new(kept.clone()), || 40, lives);
        (screen, move || std::mem::take(&mut *kept.0.lock().expect("nobody panicked")))
    }

    #[test]
    fn a_note_takes_the_place_of_the_line_which_goes_on_below() {
        let (screen, written) = screen(true);

        screen.say("before");
        screen.show("0:01");
        screen.show("0:01");
        screen.say("a core is slow\n");
        screen.clear();
        screen.say("after");

        assert_eq!(
            written(),
            ["before\n", "\r\x1b[2K0:01", "\r\x1b[2Ka core is slow\n0:01", "\r\x1b[2K", "after\n"]
        );
    }

    #[test]
    fn a_long_note_is_wrapped_at_words() {
        let (screen, written) = screen(false);

        screen.say("  engine   latency `out` p50 1.0 ms, p99 20 ms, max 15 ms");

        let told = "  engine   latency `out` p50 1.0 ms, p99\n           20 ms, max 15 ms\n";
        assert_eq!(written(), [told]);
    }

    #[test]
    fn who_writes_lines_of_his_own_gets_the_terminal_for_good() {
        let (screen, written) = screen(true);
        screen.show("0:01");

        screen.retire();
        screen.retire();
        screen.show("0:02");
        screen.say("draining");

        assert!(!screen.lives());
        assert_eq!(written(), ["\r\x1b[2K0:01", "\r\x1b[2K", "draining\n"]);
    }

    #[test]
    fn without_a_status_line_nothing_is_wiped() {
        let (screen, written) = screen(false);

        screen.show("0:01");
        screen.say("draining");
        screen.clear();

        assert_eq!(written(), ["draining\n"]);
    }
}
