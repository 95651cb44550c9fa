//! [`Followers`]: who wants to know where the time of frames goes. Frames are followed while anybody does.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use engine::Running;

/// Between two followed frames where somebody only looks: a thousand of the last five seconds, and few enough
/// of 100 000 frames a second that the slowest hundredth is not made of those that are followed.
const EVERY: Duration = Duration::from_millis(5);

/// Everybody who asks of one run, counted in this one place.
pub(crate) struct Followers {
    // The run ends when whoever started it lets it go, whoever looks on.
    running: Weak<Running>,
    askers: Mutex<usize>,
}

/// Somebody who asks, until it is dropped.
pub(crate) struct Follows(Arc<Followers>);

impl Followers {
    /// Of a run that follows frames from its beginning to its end if `is_profiled`, whoever comes and goes.
    pub(crate) fn of(running: &Arc<Running>, is_profiled: bool) -> Arc<Self> {
        let askers = Mutex::new(usize::from(is_profiled));
        Arc::new(Self { running: Arc::downgrade(running), askers })
    }

    /// Somebody asks from now on.
    pub(crate) fn ask(self: &Arc<Self>) -> Follows {
        self.count(|askers| askers + 1);
        Follows(self.clone())
    }

    fn count(&self, change: impl FnOnce(usize) -> usize) {
        // Held until the engine has done what follows from it: who comes waits for who goes.
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        *askers = change(*askers);
        let Some(running) = self.running.upgrade() else { return };
        match (running.is_followed(), *askers) {
            (false, 1..) => running.follow(Some(EVERY)),
            (true, 0) => running.follow(None),
            _ => {}
        }
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        self.0.count(|askers| askers - 1);
    }
}
