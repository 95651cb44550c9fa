//! `afferent spool`: what waits on disk for another host, looked at, put in order, taken out. The work is
//! in `link::spool`.

mod arguments;
mod drain;
mod inspect;
mod repair;

#[cfg(test)]
mod tests;

use link::spool::{Cause, SpoolError};

use crate::exit::{Exit, Failure};

pub(crate) use arguments::SpoolArguments;
use arguments::What;

/// Does what is asked of a spool.
pub(crate) fn spool(asked: &SpoolArguments) -> Result<Exit, Failure> {
    match &asked.what {
        What::Inspect(asked) => inspect::inspect(asked),
        What::Repair(asked) => repair::repair(asked),
        What::Drain(asked) => drain::drain(asked),
    }
}

fn failure(error: &SpoolError) -> Failure {
    // Who reads no more has read what was wanted.
    if let Cause::Io(error) = &error.cause
        && error.kind() == std::io::ErrorKind::BrokenPipe
    {
        return Failure::silent();
    }
    let exit = if matches!(error.cause, Cause::Limit(_)) { Exit::Usage } else { Exit::Io };
    Failure::new(exit, &error.to_string(), &error.hint())
}

/// Bytes as a person reads them.
fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `1 frame`, `2 frames`.
fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}
