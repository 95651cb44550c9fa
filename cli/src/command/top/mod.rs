//! `afferent top`: a running graph, looked at from another terminal.
//!
//! ```text
//! Client ── Watcher (a thread that asks) ──▶ State ──▶ screen
//!                                 keys ──────▶
//! ```

mod arguments;
mod choose;
mod detail;
mod help;
mod live;
mod once;
mod pages;
mod screen;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod watcher;

use std::{
    io::{IsTerminal, stdin, stdout},
    time::Duration,
};

use super::attach;
use crate::{
    exit::{Exit, Failure},
    figures, terminal,
};

pub(crate) use arguments::TopArguments;

/// Between two looks, unless somebody says otherwise.
const EVERY: Duration = Duration::from_secs(1);

/// Shows a running graph until somebody has seen enough.
pub(crate) fn top(asked: &TopArguments) -> Result<Exit, Failure> {
    attach::stand_back();
    let every = asked.every.map(|every| every.0);
    let what = asked.what.as_deref();
    if asked.json {
        return once::json(attach::only(what, "afferent top --json")?, every);
    }
    let has_screen = stdout().is_terminal() && stdin().is_terminal() && !terminal::is_dumb();
    if asked.once || !has_screen {
        return once::text(attach::only(what, "afferent top --once")?);
    }
    let found = attach::meant(what);
    if found.is_empty() {
        return Err(attach::none(what));
    }
    live::live(found, every.unwrap_or(EVERY))
}
