//! Tells whether a change has made the program `afferent` slower: `make regress BASE=rev`.
//!
//! ```text
//! programs   both states of the sources, built alike          cases    what they run
//! beside     runs them, measure: one run from outside         counts   instructions, by callgrind
//! rounds     which run comes when; who has had enough         looks    when to look, at what risk
//! judge      what an interval says                            signed_rank  where it lies
//! report     a table, or JSON                                 noise    what equal programs do
//! ```
//!
//! What it promises, and how that is tested, stands in `benches/README.md`.

#![cfg(unix)]

mod answer;
mod beside;
mod cases;
mod chance;
mod counts;
mod judge;
mod looks;
mod measure;
mod noise;
#[path = "../../support/process.rs"]
#[allow(dead_code, reason = "the benches use the rest of it")]
mod process;
mod programs;
mod progress;
mod report;
mod rounds;
mod session;
mod signed_rank;
#[cfg(test)]
mod simulated;
mod trouble;

pub use session::main;
