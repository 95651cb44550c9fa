//! What somebody on the page may do to the run, if `--allow-control` says so.

use std::sync::PoisonError;

use axum::http::StatusCode;
use engine::{Override, Running};
use serde::Deserialize;

use crate::interrupt::Wish;

use super::{
    Inside,
    gate::Refusal,
    message::{SetDone, event},
};

/// Settings that are remembered, for those who look later.
const SETS_MAX: usize = 256;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Asked {
    /// Stops the sources, of all sessions where none is named.
    Pause { session: Option<u32> },
    /// Lets them go on.
    Resume { session: Option<u32> },
    /// Sets a live parameter, to what would stand in a graph file.
    Set { session: u32, node: String, param: String, value: String },
    /// Ends the sources and finishes what is inside, as Ctrl-C does.
    Finish {},
    /// Ends now.
    Stop {},
}

/// Does it. May wait for the graph.
pub(super) fn done(inside: &Inside, asked: Asked) -> Result<(), Refusal> {
    let over = || refused("the run has ended".to_owned());
    let running = inside.running.upgrade().ok_or_else(over)?;
    match asked {
        Asked::Pause { session } => in_each(&running, session, |number| running.pause(number)),
        Asked::Resume { session } => in_each(&running, session, |number| running.resume(number)),
        Asked::Set { session, node, param, value } => {
            set(inside, &running, SetDone { session, node, param, value })
        }
        Asked::Finish {} => {
            wish(inside, Wish::Drain);
            Ok(())
        }
        Asked::Stop {} => {
            wish(inside, Wish::Stop);
            Ok(())
        }
    }
}

fn wish(inside: &Inside, wish: Wish) {
    let mut wanted = inside.wish.lock().unwrap_or_else(PoisonError::into_inner);
    // Who stops has said so, whoever asks for less behind that.
    if *wanted != Some(Wish::Stop) {
        *wanted = Some(wish);
    }
}

fn in_each(
    running: &Running,
    session: Option<u32>,
    act: impl Fn(u32) -> Result<(), engine::ControlError>,
) -> Result<(), Refusal> {
    if let Some(session) = session {
        return act(session).map_err(|error| refused(error.to_string()));
    }
    for session in running.sessions() {
        // One may end meanwhile, and needs no telling any more.
        let _ = act(session);
    }
    Ok(())
}

fn set(inside: &Inside, running: &Running, asked: SetDone) -> Result<(), Refusal> {
    let SetDone { session, node, param, value } = &asked;
    // As behind `--set`: a value of TOML, or a bare word.
    let read = Override::parse(&format!("node.param={value}"));
    let read = read.map_err(|problem| refused(problem.message.clone()))?;
    let done = running.set(*session, node, param, read.value.value);
    done.map_err(|error| refused(error.to_string()))?;
    inside.viewers.say(&event("set", &asked));
    let mut sets = inside.sets.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |set: &SetDone| {
        (set.session, &set.node, &set.param) == (asked.session, &asked.node, &asked.param)
    };
    sets.retain(|set| !same(set));
    if sets.len() == SETS_MAX {
        sets.remove(0);
    }
    sets.push(asked);
    Ok(())
}

fn refused(why: String) -> Refusal {
    (StatusCode::CONFLICT, why, "")
}

/// Nobody may, as nobody said so.
pub(super) fn forbidden() -> Refusal {
    let said = "this page only shows: nothing can be changed from it".to_owned();
    (StatusCode::FORBIDDEN, said, "start the run with `--allow-control`")
}
