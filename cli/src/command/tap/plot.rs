//! What passes as a drawing that runs along.

mod draw;
mod strips;

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};

use super::{Tally, TapArguments, looks};
use crate::{
    exit::{Exit, Failure},
    local::Frames,
};

pub(super) use draw::{Caption, draw};
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
    let drawn = run(&mut terminal, frames, asked, ended);
    ratatui::restore();
    let (tally, session) = drawn.map_err(|error| failed(&error))?;
    tally.tell(asked, session);
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
) -> io::Result<(Tally, u32)> {
    let (mut tally, began) = (Tally::default(), Instant::now());
    let session = frames.session;
    let mut window_s = asked.window.0.as_secs_f64();
    let mut strips = Strips::new(&frames.format);
    let (mut is_frozen, mut is_over) = (false, false);
    let mut drawn = None::<Instant>;
    while !ended.load(Ordering::Relaxed) {
        let enough = asked.frames == Some(tally.frames)
            || asked.seconds.is_some_and(|span| began.elapsed() >= span.0);
        if enough {
            break;
        }
        // Takes in what is there, and no more than fits between two drawings.
        let until = Instant::now() + DRAW_EVERY;
        while !is_over && Instant::now() < until {
            match frames.next(until.saturating_duration_since(Instant::now())) {
                Ok(Some(came)) => {
                    tally.count(&came);
                    if !is_frozen {
                        strips.add(&came, began.elapsed());
                    }
                }
                Ok(None) => {}
                Err(trouble) => {
                    tally.end(&trouble);
                    is_over = true;
                }
            }
        }
        if drawn.is_none_or(|at| at.elapsed() >= DRAW_EVERY) {
            let caption =
                Caption { label: &frames.label, session, window_s, is_frozen, tally: &tally };
            let now = if is_frozen || is_over { None } else { Some(began.elapsed()) };
            terminal.draw(|frame| draw(frame, &strips, &caption, now, looks()))?;
            drawn = Some(Instant::now());
        }
        let wait = if is_over { DRAW_EVERY } else { Duration::ZERO };
        match key(wait)? {
            Some(Pressed::Leave) => break,
            Some(Pressed::Freeze) => is_frozen = !is_frozen,
            Some(Pressed::Wider) => window_s = (window_s * 2.0).min(600.0),
            Some(Pressed::Closer) => window_s = (window_s / 2.0).max(0.1),
            None => {}
        }
    }
    tally.lasted = began.elapsed();
    Ok((tally, session))
}

enum Pressed {
    Leave,
    Freeze,
    Wider,
    Closer,
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
        _ => None,
    })
}
