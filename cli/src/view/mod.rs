//! `--view`: a whole screen for whoever sits before it. A heart as it beats, how it varies, when to breathe, how good
//! the signal is; of other graphs what comes in and what is said about it.
//!
//! ```text
//! Scope ──Picture──▶ draw ──▶ terminal        pure but for the last arrow
//! ```

mod draw;
mod picture;

use std::{
    io::{IsTerminal, Stdout, stdin, stdout},
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor,
        event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use crate::{
    drawing::Looks,
    exit::{Exit, Failure},
    terminal,
};

pub(crate) use draw::draw;
pub(crate) use picture::Picture;

/// A terminal that is ours until this is dropped.
pub(crate) struct Window(Terminal<CrosstermBackend<Stdout>>);

/// Whether there is a terminal to take: both stdin and stdout must be it.
pub(crate) fn check() -> Result<(), Failure> {
    if stdin().is_terminal() && stdout().is_terminal() && !terminal::is_dumb() {
        return Ok(());
    }
    let message = "`--view` needs a terminal to draw on and keys to listen to";
    let hint = "leave it out: into a pipe go lines, and `--report FILE.svg` draws what there was";
    Err(Failure::new(Exit::Usage, message, hint))
}

impl Window {
    /// Takes the terminal.
    pub(crate) fn open() -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            Failure::new(Exit::Io, &format!("the terminal cannot be drawn on: {error}"), "")
        };
        enable_raw_mode().map_err(refused)?;
        let mut out = stdout();
        let entered = execute!(out, EnterAlternateScreen, cursor::Hide);
        let terminal = entered.and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        let cleared = terminal.and_then(|mut terminal| terminal.clear().map(|()| terminal));
        cleared.map(Self).map_err(|error| {
            leave();
            refused(error)
        })
    }

    /// Puts a picture on it.
    pub(crate) fn show(&mut self, picture: &Picture) {
        let looks = Looks::of_stdout();
        // A terminal that is gone is told by the signal that comes with it.
        let _ = self.0.draw(|frame| draw(frame, picture, looks));
    }

    /// Whether somebody has asked to leave: `q`, Escape or Ctrl-C, which is a key here.
    pub(crate) fn wants_to_leave(&self) -> bool {
        let mut wants = false;
        // Nobody presses keys on a terminal that is gone, and asking for one there does not come back.
        while stdin().is_terminal() && event::poll(Duration::ZERO).unwrap_or(false) {
            let Ok(read) = event::read() else { break };
            let Event::Key(key) = read else { continue };
            let is_interrupt =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let leaves = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) || is_interrupt;
            wants |= leaves && key.kind == KeyEventKind::Press;
        }
        wants
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back as it was.
pub(crate) fn leave() {
    let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
