//! [`Warmth`]: runs before anybody asks, so that the first question finds memory bound and costs known.

use std::{
    collections::HashSet,
    sync::{Arc, MutexGuard},
};

use super::{
    run::{Kept, Runners},
    state::{Busy, State},
    version::Version,
    way::Way,
    workers::Shared,
};

/// No further sizes are tried once the runs took so long.
const BUDGET_NS: i64 = 200_000_000;

/// What a worker has run before.
#[derive(Default)]
pub(super) struct Warmth {
    known: HashSet<Cold>,
    /// What there was when it was looked for last.
    seen: u64,
}

/// Something this worker has not run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cold {
    seat: usize,
    lane: usize,
    version: u32,
}

impl Warmth {
    /// What is kept of versions and models that are gone, to be dropped by whoever holds no lock.
    pub(super) fn stale(&self, state: &State, runners: &mut Runners) -> Vec<Kept> {
        if state.cold == self.seen {
            return Vec::new();
        }
        runners.take_unless(|seat, version| state.seats[seat].keeps(version))
    }

    /// What to run next.
    pub(super) fn next(&mut self, state: &State) -> Option<Cold> {
        if state.cold == self.seen {
            return None;
        }
        let seats = state.seats.iter().enumerate();
        let alive = seats.filter(|(_, seat)| !seat.stuck && seat.model.strong_count() > 0);
        let mut all = alive.flat_map(|(number, seat)| {
            let trial = seat.trial.as_ref().map(|trial| trial.version.number);
            let versions = std::iter::once(seat.serving.number).chain(trial);
            versions.flat_map(move |version| {
                (0..seat.lanes.len()).map(move |lane| Cold { seat: number, lane, version })
            })
        });
        let next = all.find(|cold| !self.known.contains(cold));
        if next.is_none() {
            self.seen = state.cold;
        }
        next
    }

    /// Runs it without a question, as often as it takes to know what each size costs if nobody has
    /// found out yet. Nothing if the worker was given up meanwhile.
    pub(super) fn warm<'a>(
        &mut self,
        shared: &'a Arc<Shared>,
        mut state: MutexGuard<'a, State>,
        worker: usize,
        cold: Cold,
        runners: &mut Runners,
    ) -> Option<MutexGuard<'a, State>> {
        self.known.insert(cold);
        let seat = &mut state.seats[cold.seat];
        let trial = seat.trial.as_ref().map(|trial| &trial.version);
        let Some(version) = [Some(&seat.serving), trial]
            .into_iter()
            .flatten()
            .find(|version| version.number == cold.version)
            .cloned()
        else {
            return Some(state);
        };
        let lane = &mut seat.lanes[cold.lane];
        let (way, segment) = (lane.way.clone(), lane.segment);
        // Where every run has all rows, one size tells what all cost.
        let most = if way.rows.is_some() { 1 } else { lane.most() };
        let explores = !std::mem::replace(&mut lane.is_explored, true);
        state.busy.push(Busy::new(worker, cold.seat, cold.version, shared.now()));
        state.warming += 1;
        drop(state);

        let sizes = sizes(if explores { most } else { 1 });
        let mut spent = 0;
        for rows in sizes {
            let Some(took) = run(runners, cold.seat, &version, segment, &way, rows) else {
                break;
            };
            let mut state = shared.lock();
            let took = match took {
                Cost::Ns(took) => took,
                Cost::Mixes => {
                    if let Some(lane) = state.seats[cold.seat].lanes.get_mut(cold.lane) {
                        lane.one_by_one = true;
                    }
                    break;
                }
            };
            spent += took;
            // The first run of a size is for the memory.
            state.seats[cold.seat].counts.warm_ups.add(2);
            if explores {
                // The model may be gone by now.
                if let Some(lane) = state.seats[cold.seat].lanes.get_mut(cold.lane) {
                    lane.ran(rows, took, 0);
                }
            }
            // Who asks need not wait for this.
            if state.has_work() || spent > BUDGET_NS || state.ended {
                break;
            }
            state.begins_again(worker, shared.now());
        }
        drop(version);
        let mut state = shared.lock();
        state.warming -= 1;
        // Others may have waited for their turn.
        state = shared.wake_all(state);
        state.done(worker).then_some(state)
    }
}

/// The sizes whose cost is found out: the powers of two, and the largest.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    let powers = (0..).map(|power| 1_usize << power).take_while(move |&rows| rows < most);
    powers.chain([most])
}

/// What came of a run without a question.
enum Cost {
    Ns(i64),
    /// The model does not give each question its own answer.
    Mixes,
}

/// Runs zeros twice, the first time for the memory; the nanoseconds the second took, unless it fails.
fn run(
    runners: &mut Runners,
    seat: usize,
    version: &Version,
    segment: usize,
    way: &Way,
    rows: usize,
) -> Option<Cost> {
    let zeros = vec![0.0; way.count()];
    let batch = runners.run(seat, version, segment, way, rows, |_| &zeros).ok()?;
    let signature = version.chain.segments[segment].loaded.signature();
    if batch.mixes(signature) {
        return Some(Cost::Mixes);
    }
    runners.run(seat, version, segment, way, rows, |_| &zeros).ok()?;
    runners.took.map(Cost::Ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_double_up_to_the_largest() {
        assert_eq!(sizes(1).collect::<Vec<_>>(), [1]);
        assert_eq!(sizes(8).collect::<Vec<_>>(), [1, 2, 4, 8]);
        assert_eq!(sizes(12).collect::<Vec<_>>(), [1, 2, 4, 8, 12]);
    }
}
