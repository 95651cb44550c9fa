//! What others may see of a stage while a turn is running.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
};

use crate::time::Timestamp;

/// No node at work.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What others may see of a stage while a turn is running.
#[repr(align(128))]
pub(crate) struct Mark {
    /// The slot at work.
    pub(crate) slot: AtomicU32,
    /// Counts input frames: a turn of many slow ones is slow, not wedged.
    pub(crate) steps: AtomicU32,
    /// The cell was given up: whoever comes back from a body touches nothing any more.
    pub(crate) abandoned: AtomicBool,
    /// Event time up to which each source has been released: its successor goes on there.
    pub(super) released: Box<[AtomicI64]>,
}

/// The panic that takes an abandoned thread out of its turn.
pub(crate) struct Abandoned;

impl Mark {
    pub(super) fn new(sources: usize) -> Arc<Self> {
        Arc::new(Self {
            slot: AtomicU32::new(NOBODY),
            steps: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
            released: (0..sources).map(|_| AtomicI64::new(i64::MIN)).collect(),
        })
    }

    /// Event time up to which each source has been released.
    pub(crate) fn released(&self) -> Vec<Timestamp> {
        let read = |ns: &AtomicI64| Timestamp::from_nanos(ns.load(Ordering::Relaxed));
        self.released.iter().map(read).collect()
    }

    /// One input frame more. The core's thread is the only writer.
    #[inline]
    pub(super) fn step(&self) {
        self.steps.store(self.steps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Called after every body: leaves the turn if the cell was given up meanwhile.
    #[inline]
    pub(super) fn check(&self) {
        if self.abandoned.load(Ordering::Relaxed) {
            // Not `panic!`: this is no defect, and nobody should read a message about it.
            std::panic::resume_unwind(Box::new(Abandoned));
        }
    }
}
