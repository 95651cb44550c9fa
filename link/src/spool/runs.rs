//! [`Runs`]: which places are frames.

use std::collections::VecDeque;

/// Places in ascending order, as runs without holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    runs: VecDeque<(u64, u64)>,
    count: u64,
}

impl Runs {
    /// None.
    pub const fn new() -> Self {
        Self { runs: VecDeque::new(), count: 0 }
    }

    /// Adds the places before `to`, none of which is before those that are there.
    pub fn push(&mut self, from: u64, to: u64) {
        self.count += to - from;
        match self.runs.back_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => self.runs.push_back((from, to)),
        }
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: &Self) {
        for &(from, to) in &other.runs {
            self.push(from, to);
        }
    }

    /// Takes out the places before `to`; how many there were.
    pub fn take_below(&mut self, to: u64) -> u64 {
        let mut taken = 0;
        while let Some(run) = self.runs.front_mut() {
            let end = run.1.min(to);
            taken += end.saturating_sub(run.0);
            if run.1 > to {
                run.0 = run.0.max(to);
                break;
            }
            self.runs.pop_front();
        }
        self.count -= taken;
        taken
    }

    /// Takes out the places from `from` on.
    pub fn take_from(&mut self, from: u64) {
        while let Some(run) = self.runs.back_mut().filter(|run| run.1 > from) {
            self.count -= run.1 - run.0.max(from);
            if run.0 < from {
                run.1 = from;
                break;
            }
            self.runs.pop_back();
        }
    }

    /// Whether a place is among them.
    pub fn contains(&self, place: u64) -> bool {
        let n = self.runs.partition_point(|run| run.1 <= place);
        self.runs.get(n).is_some_and(|run| run.0 <= place)
    }

    /// How many places there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The place behind the first run.
    pub fn first_end(&self) -> Option<u64> {
        self.runs.front().map(|run| run.1)
    }

    /// The first place.
    pub fn first(&self) -> Option<u64> {
        self.runs.front().map(|run| run.0)
    }
}
