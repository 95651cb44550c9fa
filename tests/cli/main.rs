//! The program `afferent` as a person meets it: what it prints, where, and with which code.
//!
//! | module     | what belongs there                                            |
//! |------------|---------------------------------------------------------------|
//! | `bad`      | wrong input: place, cause, remedy, code, and within a second  |
//! | `calibrate` | `afferent calibrate`: promises hold, runs keep to them, reasons why not |
//! | `callers`  | who is turned away by a host that is called, and what a link counts |
//! | `drift`    | a promise that no more holds is told while a graph runs      |
//! | `durable`  | two hosts that are killed, or cut off for a while, with what they keep on disk |
//! | `hosts`    | one graph on two hosts: the same lines, outages, differences told  |
//! | `lines`    | what stands on stdout while a graph runs, and how a run ends  |
//! | `models`   | `afferent model`: figures, accuracy, variants that are kept and refused |
//! | `mutants`  | graph files damaged at random: no panic, no hang, a place each    |
//! | `namespaces` | two hosts with a network between them that is taken away and changed |
//! | `offload`  | a call that either of two hosts answers                        |
//! | `pairing`  | `afferent pair`, `afferent peers`                             |
//! | `recordings` | files that are cut short, damaged, or hold what is no number |
//! | `readme`   | what the documentation tells people to type                   |
//! | `screens`  | help, `check`, `draw`, `list`, `explain`, `test`              |
//! | `scrape`   | `--metrics`                                                   |
//! | `serve`    | graphs that answer over HTTP                                  |
//!
//! The binary lies beside the folder of the test programs: `make test` builds it first, and
//! `cargo build` does for `cargo test`.

mod bad;
mod calibrate;
#[cfg(unix)]
mod callers;
mod cards;
mod drift;
#[cfg(unix)]
mod durable;
#[cfg(unix)]
mod hosts;
mod lines;
mod models;
mod mutants;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(unix)]
mod offload;
mod pairing;
mod program;
mod readme;
mod recordings;
mod scrape;
mod screens;
mod serve;
