//! `afferent model`: models measured and made smaller. The work is in the crate `model`.

mod arguments;
mod profile;
mod quantize;
mod table;

use std::{io, sync::Arc};

use model::tools::{Blame, Given, ProfileOptions, Trouble, Watch, weigh};

use crate::{
    exit::{Exit, Failure, print},
    interrupt,
    status::Screen,
    terminal,
};

pub(crate) use arguments::{ModelArguments, percent, seconds, shape};
use arguments::{SubjectArguments, What};

/// Does what is asked of a model.
pub(crate) fn model(asked: &ModelArguments) -> Result<Exit, Failure> {
    match &asked.what {
        What::Profile(asked) => profile::profile(asked),
        What::Quantize(asked) => quantize::quantize(asked),
        What::Weigh(asked) => {
            let backends = vec![asked.backend.clone()];
            let options = ProfileOptions { backends, ..options(&asked.subject) };
            let bytes = weigh(&options).map_err(failure)?;
            print(&bytes.map_or(String::new(), |bytes| format!("{bytes}\n")))?;
            Ok(Exit::Done)
        }
    }
}

/// The model and how it is asked.
fn options(asked: &SubjectArguments) -> ProfileOptions {
    ProfileOptions {
        file: asked.file.clone(),
        given: Given { fixed: asked.fixed.clone(), shapes: asked.shape.clone() },
        data: asked.data.clone(),
        truth: asked.truth.clone(),
        labels: asked.labels.clone(),
        output: asked.output.clone(),
        ..ProfileOptions::default()
    }
}

pub(super) fn failure(trouble: Trouble) -> Failure {
    let Trouble { blame, message, hint } = trouble;
    let exit = match blame {
        Blame::Asked => Exit::Usage,
        Blame::File => Exit::Io,
        Blame::Graph => Exit::Graph,
        _ => Exit::Fault,
    };
    Failure::new(exit, &message, &hint)
}

/// Does the work of a tool: what it says it does stands in one line, if there is a terminal for it, and Ctrl-C ends it.
pub(super) fn watched<T>(
    work: impl FnOnce(&Watch<'_>) -> Result<T, Trouble>,
) -> Result<T, Failure> {
    let interrupted = interrupt::flag().map_err(|error| {
        Failure::new(Exit::Internal, &format!("cannot listen to signals: {error}"), "")
    })?;
    let lives = io::IsTerminal::is_terminal(&io::stderr()) && !terminal::is_dumb();
    let screen = Arc::new(Screen::new(lives));
    let says = |what: &str| {
        let columns = terminal::columns().saturating_sub(1);
        screen.show(&what.chars().take(columns).collect::<String>());
    };
    let done = work(&Watch { interrupted: &interrupted, says: &says });
    screen.clear();
    done.map_err(failure)
}
