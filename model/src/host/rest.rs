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

/// How many rest in one way.
#[derive(Default)]
pub(super) struct Resting {
    /// Whom nobody has called.
    here: usize,
    /// Who was called and has not come yet.
    called: usize,
}

impl Resting {
    fn begin(&mut self) {
        self.here += 1;
    }

    /// Calls so many at most, and says how many.
    pub(super) fn call(&mut self, most: usize) -> usize {
        let count = most.min(self.here);
        self.here -= count;
        self.called += count;
        count
    }

    /// One comes back: one of those who were called, or by itself.
    fn end(&mut self) {
        *(if self.called > 0 { &mut self.called } else { &mut self.here }) -= 1;
    }
}

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
        state.asleep.begin();
        let mut state = match until {
            Some(until) => {
                let limit = Duration::from_nanos((until - now).max(0) as u64);
                shared.work.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.asleep.end();
        state
    }
}

/// Looks out until somebody calls, or it is time to sleep.
fn look_out<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    until: i64,
) -> MutexGuard<'a, State> {
    state.looking.begin();
    let calls = shared.calls.load(Ordering::Relaxed);
    drop(state);
    // What is called for is found under the lock.
    while shared.calls.load(Ordering::Relaxed) == calls && shared.now() < until {
        thread::yield_now();
    }
    let mut state = shared.lock();
    state.looking.end();
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_looks_out_where_questions_come_soon_and_sleeps_where_they_do_not() {
        let mut rest = Rest::default();
        let mut come = |after: i64| {
            rest.since = Some(1_000);
            rest.ends(1_000 + after);
            rest.pays >= PAYS
        };
        // A few in a row, and then one late one changes nothing.
        assert_eq!([0, 1_000, LOOK_NS, 5].map(&mut come), [false, false, false, true]);
        assert_eq!([1, 1, 1, 1, 1].map(&mut come), [true; 5]);
        assert_eq!([LOOK_NS + 1; 5].map(&mut come), [true, true, true, true, false]);
        // One that never rested has learned nothing.
        rest.ends(0);
        assert_eq!(rest.pays, PAYS - 1);
    }

    #[test]
    fn of_those_that_rest_only_who_is_there_is_called_and_everybody_gets_up_once() {
        let mut resting = Resting::default();
        (0..3).for_each(|_| resting.begin());
        assert_eq!(resting.call(2), 2);
        assert_eq!(resting.call(2), 1, "two have been called already");
        // Who got up by himself comes as one who was called; that one finds nobody has called him.
        (0..3).for_each(|_| resting.end());
        assert_eq!((resting.here, resting.called, resting.call(1)), (0, 0, 0));
        resting.begin();
        resting.end();
        assert_eq!(resting.call(1), 0, "it has got up by itself");
    }
}
