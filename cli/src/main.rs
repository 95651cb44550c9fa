//! `afferent`: runs, checks, draws and tests graph files.
//!
//! ```text
//! arguments ──▶ command/* ──▶ graph (file → spec → plan) ──▶ engine
//!                  │
//!                  ├── status    the line that lives on a terminal
//!                  ├── metrics   what `--metrics` serves
//!                  └── graph_test  what `[[test]]` blocks ask for
//! ```
//!
//! On stdout stand lines only; what is said to a person goes to stderr.

mod arguments;
mod catalog;
mod command;
mod exit;
mod files;
mod graph;
mod graph_test;
mod interrupt;
mod lines;
mod metrics;
mod panics;
mod status;
mod summary;
mod terminal;

use std::{
    io::{Write, stderr},
    panic::catch_unwind,
    process::ExitCode,
};

use clap::Parser;

use crate::{
    arguments::{Arguments, Mode},
    exit::Exit,
};

fn main() -> ExitCode {
    let Arguments { mode } = Arguments::parse();
    let ended = catch_unwind(|| match &mode {
        Mode::Check(asked) => command::check(asked),
        Mode::Draw(asked) => command::draw(asked),
        Mode::Explain(asked) => command::explain(asked),
        Mode::List => command::list(),
        Mode::Run(asked) => command::run(asked),
        Mode::Test(asked) => command::test(asked),
    });
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => failure.tell().into(),
        Err(_) => {
            // Where stderr is closed, too, the code must do.
            let _ = writeln!(stderr(), "this is a defect of afferent's own; please report it");
            Exit::Internal.into()
        }
    }
}
