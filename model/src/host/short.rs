//! Runs that are shorter than the way to a worker and back: they are made where they are asked.
//!
//! Two wake-ups, there and back, take a processor longer than a small model. So where nobody else asks, whoever
//! asks runs the model, with means that a worker has made ready, if
//!
//! - what a run costs is bounded by the graph itself ([`Loaded::is_bounded`](crate::backend::Loaded::is_bounded)): a core of the engine must not be kept by a
//!   run that never ends;
//! - a run of one question takes [`Manner::short`](super::Manner::short) at most, as learned;
//! - questions come seldom: the last one [`CALM`] runs ago or more, each with what it takes to ask. Where they come more often they meet, and
//!   go together in a run on a worker;
//! - nothing waits for the model, and no version of it is on trial;
//! - workers run models before anybody asks ([`Manner::warms_up`](super::Manner::warms_up)), so that its means are ready.

use std::sync::{Arc, MutexGuard};

use super::{
    asked::{Asked, Priority},
    door::Place,
    lane::{Lane, Next},
    run::{Job, Runners},
    state::{Busy, State},
    way::Way,
    workers::{Shared, finish},
};

/// Questions are seldom if they come no more often than once in so many runs.
const CALM: i64 = 4;

/// Means of running one version of a model, for whoever asks.
pub(super) struct Guest {
    version: u32,
    runners: Runners,
    asked: Vec<Asked>,
    late: Vec<Asked>,
}

/// The number by which a guest at a seat is known among the workers.
pub(super) fn number(seat: usize) -> usize {
    usize::MAX - seat
}

/// Whether that is the number of a guest, which has no thread among the workers.
pub(super) fn is_guest(worker: usize) -> bool {
    worker > usize::MAX / 2
}

impl State {
    /// Takes the question that came just now out again, with the means to run it, if it is to be run by
    /// whoever asked.
    fn invite(
        &mut self,
        seat: usize,
        lane: usize,
        now: i64,
        short_ns: i64,
    ) -> Option<(Guest, Job)> {
        let here = &mut self.seats[seat];
        let version = here.guest.as_ref()?.version;
        let is_fit = here.trial.is_none()
            && version == here.serving.number
            && here.lanes.iter().map(Lane::len).sum::<usize>() == 1
            && here.lanes[lane].is_short(short_ns, CALM);
        if !is_fit {
            return None;
        }
        let mut guest = here.guest.take()?;
        let is_own = guest.runners.come_here(seat, version);
        let next = match is_own {
            true => here.next(now, i64::MAX, &mut guest.asked, &mut guest.late).1,
            false => Next::Nothing,
        };
        if next == Next::Batch && guest.late.is_empty() && here.model.strong_count() > 0 {
            let job = self.job(number(seat), seat, lane, now, &guest.asked);
            return Some((guest, job));
        }
        // It is for a worker.
        for asked in guest.asked.drain(..).chain(guest.late.drain(..)) {
            here.put_back(asked);
        }
        here.guest = Some(guest);
        None
    }
}

/// Runs the question that came to a lane just now, if it is to be run by whoever asked. Gives the lock back
/// if not.
pub(super) fn run<'a>(
    shared: &'a Arc<Shared>,
    mut state: MutexGuard<'a, State>,
    Place { seat, lane }: Place,
    (now, priority): (i64, Priority),
) -> Option<MutexGuard<'a, State>> {
    if priority >= Priority::Low || state.seats[seat].guest.is_none() {
        return Some(state);
    }
    let Some((guest, job)) = state.invite(seat, lane, now, shared.short_ns()) else {
        return Some(state);
    };
    drop(state);
    job.counts.short.add(1);
    let Guest { version, mut runners, mut asked, late } = guest;
    let (mut state, is_there) = finish(shared, number(seat), &job, &mut asked, &mut runners);
    let guest = Guest { version, runners, asked, late };
    let here = &mut state.seats[seat];
    let left = match is_there && here.guest.is_none() && here.keeps(version) {
        true => here.guest.replace(guest),
        false => Some(guest),
    };
    // What has its answer and is followed for the sample, too, is for a worker.
    let more = state.has_work() || state.seats[seat].lanes.iter().any(|lane| lane.len() > 0);
    shared.call(state, more.into());
    // The last handle on a version frees its weights.
    drop((left, job));
    None
}

/// What came of making means.
pub(super) enum Made<'a> {
    /// None are wanted: here is the lock again.
    Nothing(MutexGuard<'a, State>),
    /// Some were made, or cannot be.
    Something,
    /// It took so long that the worker was given up.
    Never,
}

/// Makes means for whoever asks, where some are wanted.
pub(super) fn make<'a>(
    shared: &Shared,
    mut state: MutexGuard<'a, State>,
    worker: usize,
) -> Made<'a> {
    if !shared.warms_up() {
        return Made::Nothing(state);
    }
    let short_ns = shared.short_ns();
    let wanted = (0..state.seats.len())
        .find_map(|seat| Some((seat, state.seats[seat].wants_guest(short_ns)?)));
    let Some((seat, version)) = wanted else { return Made::Nothing(state) };
    state.busy.push(Busy::new(worker, seat, version.number, shared.now()));
    let lanes = &state.seats[seat].lanes;
    let ways: Vec<_> = lanes.iter().map(|lane| (lane.segment, lane.way.clone())).collect();
    let counts = state.seats[seat].counts.clone();
    drop(state);
    let mut runners = Runners::default();
    let mut run = |(segment, way): &(usize, Arc<Way>)| {
        let zeros = vec![0.0; way.count()];
        // The first run is for the memory.
        let ran = (0..2).all(|_| runners.run(seat, &version, *segment, way, 1, |_| &zeros).is_ok());
        counts.warm_ups.add(2);
        ran
    };
    let is_made = ways.iter().all(&mut run);
    let guest = Guest { version: version.number, runners, asked: Vec::new(), late: Vec::new() };
    let mut state = shared.lock();
    let is_here = state.done(worker);
    let here = &mut state.seats[seat];
    // It may be gone, or another version may serve.
    let left = match is_made && is_here && here.keeps(guest.version) {
        true => here.guest.replace(guest),
        false => Some(guest),
    };
    drop(state);
    drop((left, version));
    if is_here { Made::Something } else { Made::Never }
}
