//! [`Rest`]: what a worker does while nothing waits. It sleeps; but where questions come again and again before a
//! sleeper would be awake, it looks out for the next one first.
//!
//! To be put to sleep and woken takes two processors several microseconds, and one that has nothing else to do goes to
//! sleep itself, which takes longer still. So looking out for [`LOOK_NS`] costs about as much as what it saves, if the
//! next question comes meanwhile; whether it does, those before tell. While it looks, it lets every other thread go
//! first that wants its processor.

use std::{
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{state::State, workers::Shared};

/// How long a worker looks out.
const LOOK_NS: i64 = 20_000;
/// So many more questions must have come in time than not before a worker looks out, and so many count.
const PAYS: u8 = 4;
const PAYS_MOST: u8 = 8;

/// How a worker rests.
#[derive(Default)]
pub(super) struct Rest {
    /// Since when it has nothing to do.
    since: Option<i64>,
    /// Grows with every question that came while looking out would have found it.
    pays: u8,
}

impl Rest {
    /// It has something to do, for which somebody has waited since `asked`.
    pub(super) fn ends(&mut self, asked: i64) {
        let Some(since) = self.since.take() else { return };
        self.pays = match asked - since <= LOOK_NS {
            true => PAYS_MOST.min(self.pays + 1),
            false => self.pays.saturating_sub(1),
        };
    }

    /// Waits until there may be something to do, until `until` at the latest.
    pub(super) fn rest<'a>(
        &mut self,
        shared: &'a Arc<Shared>,
        mut state: MutexGuard<'a, State>,
        until: Option<i64>,
    ) -> MutexGuard<'a, State> {
        let now = shared.now();
        let since = *self.since.get_or_insert(now);
        if self.pays >= PAYS && until.is_none() && now < since + LOOK_NS {
            return look_out(shared, state, since + LOOK_NS);
        }
        state.idle += 1;
        let mut state = match until {
            Some(until) => {
                let limit = Duration::from_nanos((until - now).max(0) as u64);
                shared.work.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        // Woken by nobody, it is its own.
        let State { idle, woken, .. } = &mut *state;
        *(if *woken > 0 { woken } else { idle }) -= 1;
        state
    }
}

/// Looks out until somebody calls, or it is time to sleep.
fn look_out<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    until: i64,
) -> MutexGuard<'a, State> {
    state.looking += 1;
    let calls = shared.calls.load(Ordering::Relaxed);
    drop(state);
    // What is called for is found under the lock.
    while shared.calls.load(Ordering::Relaxed) == calls && shared.now() < until {
        thread::yield_now();
    }
    let mut state = shared.lock();
    // Called by nobody, it is its own.
    let State { looking, told, .. } = &mut *state;
    *(if *told > 0 { told } else { looking }) -= 1;
    state
}
