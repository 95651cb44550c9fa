//! What passes as a drawing that runs along.

mod draw;
mod strips;

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};

use super::{Tally, TapArguments, looks};
use crate::{
    drawing::Looks,
    exit::{Exit, Failure},
    local::{Came, Frames, Trouble},
};

use draw::{Caption, draw};
pub(super) use strips::Strips;

/// Between two drawings: what moves is seen to move.
const DRAW_EVERY: Duration = Duration::from_millis(50);

/// Draws until somebody has seen enough, or no more comes and somebody has seen that.
pub(super) fn plot(
    frames: Frames,
    asked: &TapArguments,
    ended: &AtomicBool,
) -> Result<Exit, Failure> {
    let mut terminal = ratatui::try_init().map_err(|error| failed(&error))?;
    crate::terminal::end_without();
    let session = frames.session;
    let drawn = run(&mut terminal, frames, asked, ended);
    ratatui::restore();
    drawn.map_err(|error| failed(&error))?.tell(asked, session);
    Ok(Exit::Done)
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Io, &format!("the terminal cannot be used: {error}"), "`--csv` prints text")
}

fn run(
    terminal: &mut DefaultTerminal,
    mut frames: Frames,
    asked: &TapArguments,
    ended: &AtomicBool,
) -> io::Result<Tally> {
    let began = Instant::now();
    let mut plotted = Plotted::new(Strips::new(&frames.format), asked.window.0.as_secs_f64());
    let mut drawn = None::<Instant>;
    while !ended.load(Ordering::Relaxed) {
        let enough = asked.frames == Some(plotted.tally.frames)
            || asked.seconds.is_some_and(|span| began.elapsed() >= span.0);
        if enough {
            break;
        }
        // Takes in what is there, and no more than fits between two drawings.
        let until = Instant::now() + DRAW_EVERY;
        while !plotted.is_over && Instant::now() < until {
            match frames.next(until.saturating_duration_since(Instant::now())) {
                Ok(Some(came)) => plotted.take(&came, began.elapsed()),
                Ok(None) => {}
                Err(trouble) => plotted.end(&trouble),
            }
        }
        if drawn.is_none_or(|at| at.elapsed() >= DRAW_EVERY) {
            let (label, session, now) = (&frames.label, frames.session, began.elapsed());
            terminal.draw(|frame| plotted.draw(frame, (label, session), now, looks()))?;
            drawn = Some(Instant::now());
        }
        let wait = if plotted.is_over { DRAW_EVERY } else { Duration::ZERO };
        match key(wait)? {
            Some(Pressed::Leave) => break,
            Some(pressed) => plotted.press(pressed, began.elapsed()),
            None => {}
        }
    }
    plotted.tally.lasted = began.elapsed();
    Ok(plotted.tally)
}

/// What came by, and what of it is seen. Knows no terminal.
pub(super) struct Plotted {
    strips: Strips,
    tally: Tally,
    /// How it was when it was frozen; the others go on, so that nothing is missing afterwards.
    held: Option<Box<Held>>,
    is_over: bool,
    window_s: f64,
    /// First strip that is shown.
    first: usize,
}

struct Held {
    strips: Strips,
    tally: Tally,
    at: Duration,
}

impl Plotted {
    pub(super) fn new(strips: Strips, window_s: f64) -> Self {
        let tally = Tally::default();
        Self { strips, tally, held: None, is_over: false, window_s, first: 0 }
    }

    /// Takes in a frame that came `at` so long after the beginning.
    pub(super) fn take(&mut self, came: &Came, at: Duration) {
        self.tally.count(came);
        self.strips.add(came, at);
    }

    fn end(&mut self, trouble: &Trouble) {
        self.tally.end(trouble);
        self.is_over = true;
        // That it is over is worth knowing, whatever is looked at.
        if let Some(held) = &mut self.held {
            held.tally.over.clone_from(&self.tally.over);
        }
    }

    pub(super) fn press(&mut self, pressed: Pressed, now: Duration) {
        match pressed {
            Pressed::Leave => {}
            Pressed::Freeze => {
                self.held = match self.held {
                    Some(_) => None,
                    None => {
                        let (strips, tally) = (self.strips.clone(), self.tally.clone());
                        Some(Box::new(Held { strips, tally, at: now }))
                    }
                }
            }
            Pressed::Wider => self.window_s = (self.window_s * 2.0).min(600.0),
            Pressed::Closer => self.window_s = (self.window_s / 2.0).max(0.1),
            Pressed::Up => self.first = self.first.saturating_sub(1),
            // Ends are held where it is drawn.
            Pressed::Down => self.first += 1,
            Pressed::Home => self.first = 0,
            Pressed::End => self.first = usize::MAX,
        }
    }

    pub(super) fn draw(
        &mut self,
        frame: &mut Frame<'_>,
        (label, session): (&str, u32),
        now: Duration,
        looks: Looks,
    ) {
        let (strips, tally, now) = match &self.held {
            Some(held) => (&held.strips, &held.tally, held.at),
            None => (&self.strips, &self.tally, now),
        };
        let is_frozen = self.held.is_some();
        let now = (is_frozen || !self.is_over).then_some(now);
        let caption = Caption { label, session, window_s: self.window_s, is_frozen, tally };
        self.first = draw(frame, strips, &caption, self.first, now, looks);
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pressed {
    Leave,
    Freeze,
    Wider,
    Closer,
    Up,
    Down,
    Home,
    End,
}

fn key(wait: Duration) -> io::Result<Option<Pressed>> {
    if !event::poll(wait)? {
        return Ok(None);
    }
    let Event::Key(key) = event::read()? else { return Ok(None) };
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Ok(match key.code {
        _ if key.kind == KeyEventKind::Release => None,
        KeyCode::Char('c' | 'd') if with_control => Some(Pressed::Leave),
        KeyCode::Char('q') | KeyCode::Esc => Some(Pressed::Leave),
        KeyCode::Char('p' | ' ') => Some(Pressed::Freeze),
        KeyCode::Char('-') => Some(Pressed::Wider),
        KeyCode::Char('+' | '=') => Some(Pressed::Closer),
        KeyCode::Up | KeyCode::Char('k') => Some(Pressed::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Pressed::Down),
        KeyCode::Home | KeyCode::Char('g') => Some(Pressed::Home),
        KeyCode::End | KeyCode::Char('G') => Some(Pressed::End),
        _ => None,
    })
}
