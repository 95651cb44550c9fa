//! `top` and `tap` on systems without local sockets that tell who calls.

#[path = "tap/arguments.rs"]
mod tap_arguments;
#[path = "top/arguments.rs"]
mod top_arguments;

use crate::exit::{Exit, Failure};

pub(crate) use tap_arguments::TapArguments;
pub(crate) use top_arguments::TopArguments;

/// Says so.
pub(crate) fn top(_: &TopArguments) -> Result<Exit, Failure> {
    Err(absent("top"))
}

/// Says so.
pub(crate) fn tap(_: &TapArguments) -> Result<Exit, Failure> {
    Err(absent("tap"))
}

fn absent(command: &str) -> Failure {
    let message = format!("`afferent {command}` needs a Unix: it reaches graphs by a local socket");
    Failure::new(
        Exit::Usage,
        &message,
        "`afferent run GRAPH --web 8080` shows it in a browser here, too",
    )
}
