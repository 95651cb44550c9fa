//! Flushes: what becomes void when a node takes back what it has passed on, as a speaker's last words
//! when they are cut short.
//!
//! ```text
//!            ┌ raise: number e ─▶ its epoch := e ─▶ latest := e ─▶ wake all behind
//!  ──▶ [ root ] ──e──▶ [ stage ] ──e──▶ [ stage ] ──e──▶ ( sink )
//!           behind it: latest has changed? drop what is older, forget, stamp e from now on
//! ```
//!
//! A *root* is a node that may flush. What it sends, and all that this causes further down, is *subject*
//! to it. A node stamps what it sends with the greatest number it knows of the roots it is subject to;
//! whoever takes a frame in compares that with the number required of the line. So a frame that was sent
//! behind a flush is never void, even if it comes before its consumer was woken, and one from before
//! always is.
//!
//! Numbers are those of the session, given out one at a time. A look at them shows every flush up to
//! some number and none beyond, so one number on a frame says of all roots at once what its sender knew.

#[cfg(all(test, loom))]
mod model;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use crate::{
    plan::Plan,
    ring::Wake,
    sync::{AtomicU32, Mutex, Ordering},
};

/// Most roots of one graph.
pub(crate) const ROOTS_MAX: usize = 64;

/// A set of roots, by their numbers in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roots(u64);

impl Roots {
    pub(crate) const NONE: Self = Self(0);

    /// The root of this number alone.
    pub(crate) const fn one(number: usize) -> Self {
        Self(1 << number)
    }

    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some root is in both.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn numbers(self) -> impl Iterator<Item = usize> {
        (0..ROOTS_MAX).filter(move |number| self.0 >> number & 1 != 0)
    }
}

/// Who has to be woken by flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The stage of this number.
    Stage(usize),
    /// A sink on the I/O runtime, by its node.
    Sink(usize),
}

type Wakes = BTreeMap<Part, (Roots, Arc<dyn Wake>)>;

/// The flushes of one session.
pub(crate) struct Flushes {
    /// The number of the last one.
    latest: AtomicU32,
    /// The number of the last flush of each root.
    epochs: Box<[AtomicU32]>,
    /// Held while a flush is raised, so that numbers are stored in their order.
    wakes: Mutex<Wakes>,
}

impl Flushes {
    pub(crate) fn new(roots: usize) -> Self {
        Self {
            latest: AtomicU32::new(0),
            epochs: (0..roots).map(|_| AtomicU32::new(0)).collect(),
            wakes: Mutex::new(Wakes::new()),
        }
    }

    /// Lets a part be woken by the flushes of `roots`, in place of what stood there before.
    pub(crate) fn wake(&self, part: Part, roots: Roots, wake: Arc<dyn Wake>) {
        if !roots.is_empty() {
            let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
            wakes.insert(part, (roots, wake));
        }
    }

    /// A flush of a root: what is stamped with less is void behind it from here on. Gives its number.
    pub(crate) fn raise(&self, root: usize) -> u32 {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.latest.load(Ordering::Relaxed) + 1;
        // Before `latest`: whoever sees that finds this one. Pairs with the Acquire in `Seen::look`.
        self.epochs[root].store(number, Ordering::Release);
        // Pairs with the Acquire in `Seen::is_old`.
        self.latest.store(number, Ordering::Release);
        for (_, wake) in wakes.values().filter(|(roots, _)| roots.meets(Roots::one(root))) {
            wake.wake();
        }
        number
    }
}

impl std::fmt::Debug for Flushes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flushes").field("latest", &self.latest).finish_non_exhaustive()
    }
}

/// What one stage or sink knows of the flushes of its session.
pub(crate) struct Seen {
    flushes: Arc<Flushes>,
    latest: u32,
    epochs: Box<[u32]>,
}

impl Seen {
    /// As things stand.
    pub(crate) fn new(flushes: &Arc<Flushes>) -> Self {
        let epochs = flushes.epochs.iter().map(|_| 0).collect();
        let mut this = Self { flushes: flushes.clone(), latest: 0, epochs };
        this.look();
        this
    }

    /// Whether there was a flush since it looked.
    #[inline]
    pub(crate) fn is_old(&self) -> bool {
        // Pairs with the Release in `Flushes::raise`. After a frame was taken out of its ring this shows
        // every flush that its sender knew.
        self.flushes.latest.load(Ordering::Acquire) != self.latest
    }

    /// Looks at all roots, and gives those that have flushed since the last time.
    pub(crate) fn look(&mut self) -> Roots {
        let mut risen = Roots::NONE;
        loop {
            let latest = self.flushes.latest.load(Ordering::Acquire);
            for (root, known) in self.epochs.iter_mut().enumerate() {
                let epoch = self.flushes.epochs[root].load(Ordering::Acquire);
                if epoch != *known {
                    *known = epoch;
                    risen = risen.and(Roots::one(root));
                }
            }
            // A flush that came in between may have been missed at one root while a later one was seen at
            // another; seeing that one, this load finds the other's number at least.
            if self.flushes.latest.load(Ordering::Acquire) == latest {
                self.latest = latest;
                return risen;
            }
        }
    }

    /// The number that frames subject to `roots` must have at least, as of the last look.
    pub(crate) fn required(&self, roots: Roots) -> u32 {
        roots.numbers().map(|root| self.epochs[root]).max().unwrap_or(0)
    }

    /// The number of the last flush there was when it looked.
    pub(crate) const fn latest(&self) -> u32 {
        self.latest
    }

    pub(crate) fn flushes(&self) -> &Arc<Flushes> {
        &self.flushes
    }
}

impl Plan {
    /// The roots that what enters a node by its edges is subject to.
    pub(crate) fn roots_above(&self, node: usize) -> Roots {
        let edges = self.nodes[node].in_edges.iter();
        edges.fold(Roots::NONE, |roots, &edge| roots.and(self.nodes[self.edges[edge].from.0].roots))
    }

    /// The roots that the nodes of a stage are behind.
    pub(crate) fn roots_above_stage(&self, stage: usize) -> Roots {
        let nodes = self.stages[stage].nodes.iter();
        nodes.fold(Roots::NONE, |roots, &node| roots.and(self.roots_above(node)))
    }

    /// The number of a node among the roots, if it is one.
    pub(crate) fn root_number(&self, node: usize) -> Option<usize> {
        self.roots.iter().position(|&root| root == node)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_look_shows_the_roots_that_flushed_and_the_greatest_number_counts() {
        let flushes = Arc::new(Flushes::new(3));
        let mut seen = Seen::new(&flushes);
        assert!(!seen.is_old());

        assert_eq!((flushes.raise(2), flushes.raise(0)), (1, 2));
        assert!(seen.is_old());
        assert_eq!(seen.look(), Roots::one(0).and(Roots::one(2)));
        assert_eq!(seen.look(), Roots::NONE);
        assert!(!seen.is_old());
        let required = |roots| seen.required(roots);
        assert_eq!([0, 1, 2].map(|root| required(Roots::one(root))), [2, 0, 1]);
        assert_eq!(required(Roots::one(1).and(Roots::one(2))), 1);
        assert_eq!(required(Roots::NONE), 0);
    }
}
