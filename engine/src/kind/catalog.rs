//! [`Catalog`]: the kinds a graph may use.

use std::collections::BTreeMap;

use crate::graph::nearest;

use super::Kind;

/// The kinds a graph may use.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: BTreeMap<&'static str, &'static Kind>,
    order: Vec<&'static Kind>,
}

impl Catalog {
    /// The kinds of one or several lists. A later kind of the same name is not taken.
    pub fn new(lists: &[&[&'static Kind]]) -> Self {
        let mut this = Self::default();
        for kind in lists.iter().copied().flatten() {
            this.add(kind);
        }
        this
    }

    /// Adds a kind; says whether its name was free. Kinds made at run time are leaked on
    /// purpose: they are as few as plugins.
    pub fn add(&mut self, kind: &'static Kind) -> bool {
        let free = !self.kinds.contains_key(kind.name);
        if free {
            self.kinds.insert(kind.name, kind);
            self.order.push(kind);
        }
        free
    }

    /// The kind of this name.
    pub fn find(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.get(name).copied()
    }

    /// The name most like `asked`, if one is like it.
    pub fn nearest(&self, asked: &str) -> Option<&'static str> {
        nearest(asked, self.kinds.keys().copied())
    }

    /// Every kind, in the order of the manual.
    pub fn iter(&self) -> impl Iterator<Item = &'static Kind> + '_ {
        self.order.iter().copied()
    }
}
