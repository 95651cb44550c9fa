//! Kinds that die beside their frames, hang, dawdle, or send what a test writes.

mod failing;
mod flushing;
mod frail;
mod lagging;
mod sources;
mod telling;
mod timed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use engine::{Field, Format, Gap, Kind, Param, Port, Rate};

use failing::{DAWDLE, DELAYED, DIES, DIES_SUM, STALL, VOID};
use flushing::{GATE, HOLDER, TOTAL};
pub(crate) use flushing::{held, passed};
use frail::{FRAIL, FRAIL_SUM};
use lagging::LAGS;
use sources::{SCRIPT, SHORT, TOIL, TORN};
use telling::{TELLS, TELLS_BLOCK, TELLS_LIVE};
use timed::{PULSES, SPAN};

pub(crate) static KINDS: &[&Kind] = &[
    &SCRIPT,
    &SHORT,
    &TOIL,
    &TORN,
    &SPAN,
    &PULSES,
    &FRAIL,
    &FRAIL_SUM,
    &DIES,
    &DIES_SUM,
    &DELAYED,
    &STALL,
    &DAWDLE,
    &VOID,
    &LAGS,
    &TELLS,
    &TELLS_BLOCK,
    &TELLS_LIVE,
    &GATE,
    &HOLDER,
    &TOTAL,
];

const AT: Param<i64> =
    Param::with_default("at", 500, "The first sample of the frame to fail on.").within(0.0, 1e9);

const IN: &[Port] = &[Port::signal("in")];
const OUT: &[Port] = &[Port::like("out", "in")];
const TWO: &[Port] = &[Port::signal("in"), Port::signal("other")];

const EVENT_RATE_MAX: f64 = 1_000.0;

fn event() -> Format {
    Format::event(vec![Field::i64("what")], EVENT_RATE_MAX)
}

fn rate() -> Rate {
    Rate::new(1_000.0).expect("a rate")
}

/// Gates by name: who has come there, and which are open.
#[derive(Default)]
struct Gates {
    reached: BTreeSet<String>,
    open: BTreeSet<String>,
    told: BTreeMap<String, Vec<Gap>>,
}

static GATES: Mutex<Gates> =
    Mutex::new(Gates { reached: BTreeSet::new(), open: BTreeSet::new(), told: BTreeMap::new() });
static MOVED: Condvar = Condvar::new();

fn gates() -> MutexGuard<'static, Gates> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the first time that somebody comes here.
fn is_first(what: String) -> bool {
    gates().reached.insert(what)
}

/// Waits in a node until a test opens it.
fn hang(node: &str) {
    let is_shut = |gates: &mut Gates| !gates.open.contains(node);
    drop(MOVED.wait_while(gates(), is_shut).unwrap_or_else(PoisonError::into_inner));
}

/// Lets go who hangs in a node.
pub(crate) fn open(node: &str) {
    gates().open.insert(node.to_owned());
    MOVED.notify_all();
}

/// The gaps that the bodies of a node were told of.
pub(crate) fn told(node: &str) -> Vec<Gap> {
    gates().told.remove(node).unwrap_or_default()
}
