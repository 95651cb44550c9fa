//! When to run which of the questions that wait: policies as state machines that are told the time.
//!
//! A [`Policy`] sees the [`Queue`] of one model whenever its executor is free, and says to run the most
//! urgent so many, to wait until a moment, or for the next question. It may drop what cannot be answered in time.
//! Moments are nanoseconds on any clock that does not run backward.

mod cost;
mod rules;
mod window;

use std::collections::VecDeque;

pub use cost::Costs;
pub(crate) use rules::with_slack;
pub use window::Window;

/// A question as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number, for whoever put it there.
    pub id: u64,
    /// When it came.
    pub arrived: i64,
    /// When its answer is too late.
    pub deadline: i64,
}

/// The questions that wait for one model, the earliest deadline first; of one deadline the oldest.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    dropped: Vec<Waiting>,
}

impl Queue {
    /// Lets a question wait, and says at which place. Cheap where deadlines come in order.
    pub fn push(&mut self, question: Waiting) -> usize {
        let behind =
            self.waiting.iter().rev().take_while(|w| w.deadline > question.deadline).count();
        let place = self.waiting.len() - behind;
        self.waiting.insert(place, question);
        place
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The question at a place of the row.
    pub fn at(&self, place: usize) -> Option<&Waiting> {
        self.waiting.get(place)
    }

    /// All, the most urgent first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Drops the `count` most urgent.
    pub fn drop_first(&mut self, count: usize) {
        self.dropped.extend(self.waiting.drain(..count.min(self.waiting.len())));
    }

    /// Takes the `count` most urgent out, to be run.
    pub fn take(&mut self, count: usize, into: &mut Vec<Waiting>) {
        into.extend(self.waiting.drain(..count.min(self.waiting.len())));
    }

    /// Takes the `count` most urgent out, as [`Queue::take`].
    pub fn skip(&mut self, count: usize) {
        self.waiting.drain(..count.min(self.waiting.len()));
    }

    /// What was dropped since the last time.
    pub fn take_dropped(&mut self) -> std::vec::Drain<'_, Waiting> {
        self.dropped.drain(..)
    }
}

/// What to do with a free executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run the so many most urgent together; at least one.
    Run(usize),
    /// Look again at this moment, or when a question comes.
    Wait(i64),
    /// Look again when a question comes.
    Idle,
}

/// When to run which questions.
pub trait Policy {
    /// Whether a question that comes now may wait. One that cannot be answered in time is better
    /// refused at once.
    fn admits(&mut self, _now: i64, _question: &Waiting, _queue: &Queue) -> bool {
        true
    }

    /// What to do with a free executor. May drop questions.
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision;

    /// A run of so many questions took so long, and how many of them were too late.
    fn ran(&mut self, _rows: usize, _took: i64, _late: usize) {}
}
