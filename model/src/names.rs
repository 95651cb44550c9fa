//! Names that a graph file makes up: fields of events, labels.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// The name for as long as the process lives. Kept once, however often a graph is planned.
pub(crate) fn kept(name: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    name
}
