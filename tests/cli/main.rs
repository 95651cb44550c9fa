//! The program `afferent` as a person meets it: what it prints, where, and with which code.
//!
//! | module     | what belongs there                                            |
//! |------------|---------------------------------------------------------------|
//! | `bad`      | wrong input: place, cause, remedy, code, and within a second  |
//! | `calibrate` | `afferent calibrate`: promises hold, runs keep to them, reasons why not |
//! | `cascade`  | the same for models of speech |
//! | `callers`  | who is turned away by a host that is called, and what a link counts |
//! | `drift`    | a promise that no more holds is told while a graph runs      |
//! | `durable`  | two hosts that are killed, or cut off for a while, with what they keep on disk |
//! | `fmt`      | `afferent fmt`: what is laid out anew, and what is left            |
//! | `hosts`    | one graph on two hosts: the same lines, outages, differences told  |
//! | `includes` | graphs within graphs                                          |
//! | `lines`    | what stands on stdout while a graph runs, and how a run ends  |
//! | `models`   | `afferent model`: figures, accuracy, variants that are kept and refused |
//! | `mutants`  | graph files damaged at random: no panic, no hang, a place each    |
//! | `namespaces` | two hosts with a network between them that is taken away and changed |
//! | `offload`  | a call that either of two hosts answers                        |
//! | `page`     | `--web`, in a headless Chromium led by `browser`               |
//! | `pairing`  | `afferent pair`, `afferent peers`                             |
//! | `pictures` | `--report`, `--view`                                          |
//! | `record`  | `afferent record` and `replay`: to the bit, what is missing, what is refused |
//! | `recordings` | files that are cut short, damaged, or hold what is no number |
//! | `readme`   | what the documentation tells people to type                   |
//! | `reloads`  | `run --watch`: a graph that follows its file                   |
//! | `schema`   | `afferent schema` and `completions`: what editors and shells get      |
//! | `terminal` | what a terminal gets to see                                |
//! | `screens`  | help, `check`, `draw`, `list`, `explain`, `test`              |
//! | `scrape`   | `--metrics`                                                   |
//! | `serve`    | graphs that answer over HTTP                                  |
//! | `watch`    | `afferent top` and `afferent tap`                             |
//! | `templates` | `afferent new`, and `bench` and `draw` of a graph           |
//! | `tries`    | `afferent try`: graphs in one line                            |
//! | `voice`    | graphs of voice without a model, with a wrong path, with sound of a telephone |
//!
//! The binary lies beside the folder of the test programs: `make test` builds it first, and
//! `cargo build` does for `cargo test`.

mod bad;
mod browser;
mod calibrate;
#[cfg(unix)]
mod callers;
mod cards;
#[cfg(feature = "whisper")]
mod cascade;
mod drift;
#[cfg(unix)]
mod durable;
mod fmt;
#[cfg(unix)]
mod hosts;
mod includes;
mod lines;
mod models;
mod mutants;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(unix)]
mod offload;
mod page;
mod pairing;
mod pictures;
mod program;
mod readme;
mod record;
mod recordings;
mod reloads;
mod schema;
mod scrape;
mod screens;
mod serve;
mod templates;
mod terminal;
mod tries;
mod voice;
#[cfg(unix)]
mod watch;
