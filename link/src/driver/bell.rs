//! [`Bell`]: wakes one who sleeps, once for all that happened meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Many may ring, one listens. Ringing a bell that has rung already costs one atomic exchange.
///
/// The listener calls [`Bell::listen`], then [`Bell::take`], and only then looks at what it waits for:
/// what was done before a ring is seen after the `take` that sees the ring, and a ring after it wakes.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    listener: AtomicWaker,
}

impl Bell {
    /// Tells the listener that there is something.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.listener.wake();
        }
    }

    /// Whether it rang since the last time.
    pub fn take(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether it rang; stays so.
    pub fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Whom the next ring wakes.
    pub fn listen(&self, waker: &Waker) {
        self.listener.register(waker);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
