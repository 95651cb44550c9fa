//! The screen that lives, until somebody leaves.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};

use crate::{
    command::attach,
    drawing::Looks,
    exit::{Exit, Failure},
    interrupt,
    local::{Client, Found},
};

use super::{
    choose::Choice,
    screen,
    state::{Key, State, Wish},
    watcher::{News, Watcher},
};

/// How long a key may wait for news, and news for a key.
const WAIT: Duration = Duration::from_millis(50);

/// Shows one of these processes; whoever looks chooses, if there are several.
pub(super) fn live(found: Vec<Found>, every: Duration) -> Result<Exit, Failure> {
    // In the way of nobody: keys are read as they come, and that includes Ctrl-C.
    let ended = interrupt::flag().map_err(failed)?;
    let mut terminal = ratatui::try_init().map_err(failed)?;
    crate::terminal::end_without();
    let shown = show(&mut terminal, found, every, &ended);
    ratatui::restore();
    shown
}

fn failed(error: io::Error) -> Failure {
    Failure::new(Exit::Io, &format!("the terminal cannot be used: {error}"), "`--once` prints text")
}

fn show(
    terminal: &mut DefaultTerminal,
    mut found: Vec<Found>,
    every: Duration,
    ended: &AtomicBool,
) -> Result<Exit, Failure> {
    let looks = Looks::of_stdout();
    let mut client = match found.pop() {
        Some(only) if found.is_empty() => {
            only.attach().map_err(|trouble| attach::failure(&trouble))?
        }
        Some(last) => {
            found.push(last);
            match choose(terminal, found, ended, looks)? {
                Some(client) => client,
                None => return Ok(Exit::Done),
            }
        }
        None => return Ok(Exit::Done),
    };
    let shape = client.shape().map_err(|trouble| attach::failure(&trouble))?;
    let mut state = State::new(client.hello.clone(), shape);
    let watcher = Watcher::start(client, every)?;
    let mut is_new = true;
    while !ended.load(Ordering::Relaxed) {
        while let Ok(news) = watcher.news.try_recv() {
            is_new = true;
            match news {
                News::Look(look) => {
                    state.is_silent = false;
                    state.see(*look);
                }
                News::Silent => state.is_silent = true,
                News::Over(why) => state.ended = Some(why),
            }
        }
        if std::mem::take(&mut is_new) {
            terminal.draw(|frame| screen::draw(frame, &mut state, looks)).map_err(failed)?;
        }
        let size = terminal.size().map_err(failed)?;
        match next(WAIT).map_err(failed)? {
            None => continue,
            Some(Asked::Nothing) => is_new = true,
            Some(Asked::Leave) => break,
            Some(Asked::Key(key)) => {
                is_new = true;
                let rows = screen::body_rows(size.height, state.troubles().len());
                if state.press(key, usize::from(size.width), rows) == Wish::Quit {
                    break;
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// Lets somebody choose a process; none if nobody wants one.
fn choose(
    terminal: &mut DefaultTerminal,
    found: Vec<Found>,
    ended: &AtomicBool,
    looks: Looks,
) -> Result<Option<Client>, Failure> {
    let mut choice = Choice::new(found);
    while !ended.load(Ordering::Relaxed) {
        terminal.draw(|frame| choice.draw(frame, looks)).map_err(failed)?;
        match next(WAIT).map_err(failed)? {
            Some(Asked::Leave | Asked::Key(Key::Letter('q') | Key::Back)) => break,
            Some(Asked::Key(Key::Enter)) => match choice.attach() {
                Ok(client) => return Ok(Some(client)),
                Err(trouble) if choice.is_empty() => return Err(attach::failure(&trouble)),
                Err(trouble) => choice.note = attach::words(&trouble),
            },
            Some(Asked::Key(key)) => choice.press(key),
            Some(Asked::Nothing) | None => {}
        }
    }
    Ok(None)
}

/// What somebody wants.
enum Asked {
    Key(Key),
    Leave,
    /// Only to see it again: the terminal has another size.
    Nothing,
}

fn next(wait: Duration) -> io::Result<Option<Asked>> {
    if !event::poll(wait)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => meant(key),
        Event::Resize(..) => Some(Asked::Nothing),
        _ => None,
    })
}

fn meant(key: KeyEvent) -> Option<Asked> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Asked::Leave);
    }
    Some(Asked::Key(match key.code {
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left | KeyCode::BackTab => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Back,
        KeyCode::Backspace => Key::Erase,
        KeyCode::Tab => Key::Letter('\t'),
        KeyCode::Char(letter) => Key::Letter(letter),
        _ => return None,
    }))
}
