//! [`Asked`]: one of many things that a task waits for, asked only when it has something to say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::driver::Bell;

/// Asked again only after it has rung; then the connection's bell rings too.
pub(super) struct Asked<T> {
    pub(super) inner: T,
    chime: Arc<Chime>,
    waker: Waker,
}

struct Chime {
    rung: AtomicBool,
    connection: Arc<Bell>,
}

impl Wake for Chime {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.connection.ring();
    }
}

impl<T> Asked<T> {
    pub(super) fn new(inner: T, bell: &Arc<Bell>) -> Self {
        let chime = Arc::new(Chime { rung: AtomicBool::new(true), connection: bell.clone() });
        bell.ring();
        let waker = Waker::from(chime.clone());
        Self { inner, chime, waker }
    }

    /// Asks if it has rung, and until it has nothing more to say.
    pub(super) fn poll<R>(
        &mut self,
        ask: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        if !self.chime.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.chime.rung.store(false, Ordering::Relaxed);
        // Before it is asked: what rings from here on is seen the next time.
        fence(Ordering::SeqCst);
        let asked = ask(&mut self.inner, &mut Context::from_waker(&self.waker));
        if asked.is_ready() {
            self.chime.rung.store(true, Ordering::Relaxed);
        }
        asked
    }

    /// Whether it has rung, which is then forgotten: for what only rings.
    pub(super) fn take(&mut self) -> bool {
        self.chime.rung.swap(false, Ordering::AcqRel)
    }

    /// What wakes it.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }
}
