//! The program `afferent`: runs, checks, draws and tests graph files. As a library it is the same
//! program with kinds of one's own, so that they, too, stand in graph files:
//!
//! ```no_run
//! use engine::{Body, Kind, Map, Port};
//!
//! static TWICE: Kind = Kind {
//!     name: "twice",
//!     summary: "A signal, twice as large.",
//!     inputs: &[Port::signal("in")],
//!     outputs: &[Port::like("out", "in")],
//!     build: |_| Ok(Body::map(Twice)),
//!     ..Kind::BASE
//! };
//!
//! #[derive(Clone)]
//! struct Twice;
//!
//! impl Map for Twice {
//!     fn map(&mut self, input: &[f32], output: &mut [f32]) {
//!         for (x, y) in input.iter().zip(output) {
//!             *y = 2.0 * x;
//!         }
//!     }
//!
//!     fn reset(&mut self) {}
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     afferent::main(&[&TWICE]) // run, check, test, draw, list, explain
//! }
//! ```
//!
//! `examples/own_operator.rs` is a whole one, with a parameter and a graph that tests it.
//!
//! ```text
//! arguments ──▶ command/* ──▶ graph (file → spec → plan) ──▶ engine
//!                  │
//!                  ├── status    the line that lives on a terminal
//!                  ├── scope     what a session has shown, for
//!                  ├── view        `--view`, a whole screen, and
//!                  ├── report      `--report`, a picture of a run
//!                  ├── profile   `--profile`, where the time goes
//!                  ├── recording  what `record` does beside a run
//!                  ├── replaying  a recording in the place of sources
//!                  ├── reloads   `--watch`, by which it follows its file
//!                  ├── hosts     links to other hosts
//!                  ├── metrics   what `--metrics` serves
//!                  ├── local     lets `top` and `tap` look in
//!                  ├── web       the page that `--web` serves
//!                  └── graph_test  what `[[test]]` blocks ask for
//! ```
//!
//! On stdout stand lines only; what is said to a person goes to stderr.

mod allocations;
mod arguments;
mod catalog;
mod command;
mod drawing;
mod exit;
mod figures;
mod followers;
mod given;
mod graph;
mod graph_test;
mod hosts;
mod interrupt;
mod lines;
mod local;
mod markup;
mod metrics;
mod narrow;
mod page;
mod panics;
mod profile;
mod recording;
mod reloads;
mod replaying;
mod report;
mod scope;
mod status;
mod summary;
mod tensors;
mod terminal;
mod view;
mod web;
mod whole;
mod wrapping;

use std::{
    io::{Write, stderr},
    panic::catch_unwind,
    process::ExitCode,
};

use clap::FromArgMatches;
use engine::Kind;

pub use crate::allocations::Counting;

use crate::{
    arguments::{Arguments, Mode},
    exit::Exit,
};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Does what the command line asks, with `own` kinds besides those that are built in, and gives
/// the code to end with. To be called once, from `main`.
///
/// # Panics
/// If an own kind is called like another one: a graph file could not tell them apart.
pub fn main(own: &[&'static Kind]) -> ExitCode {
    catalog::add(own);
    let asked = Arguments::from_arg_matches(&arguments::command().get_matches());
    let Arguments { mode } = asked.unwrap_or_else(|error| error.exit());
    let ended = catch_unwind(|| match &mode {
        Mode::Bench(asked) => command::bench(asked),
        Mode::Calibrate(asked) => command::calibrate(asked),
        Mode::Check(asked) => command::check(asked),
        Mode::Completions(asked) => command::completions(asked),
        Mode::Devices(asked) => command::devices(asked),
        Mode::Doctor(asked) => command::doctor(asked),
        Mode::Draw(asked) => command::draw(asked),
        Mode::Explain(asked) => command::explain(asked),
        Mode::Fmt(asked) => command::fmt(asked),
        Mode::List => command::list(),
        Mode::Man(asked) => command::man(asked),
        Mode::Model(asked) => command::model(asked),
        Mode::New(asked) => command::new(asked),
        Mode::Pair(asked) => command::pair(asked),
        Mode::Peers(asked) => command::peers(asked),
        Mode::Record(asked) => command::record(asked),
        Mode::Replay(asked) => command::replay(asked),
        Mode::Run(asked) => command::run(asked),
        Mode::Schema(asked) => command::schema(asked),
        Mode::Serve(asked) => command::serve(asked),
        Mode::Spool(asked) => command::spool(asked),
        Mode::Test(asked) => command::test(asked),
        Mode::Tap(asked) => command::tap(asked),
        Mode::Top(asked) => command::top(asked),
        Mode::Try(asked) => command::try_line(asked),
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
