//! [`Slots`]: questions that are watched, in the order in which they came; what is known of one waits for those before.

use std::collections::VecDeque;

/// What became of a question that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// It went on by itself: nothing can be lost by leaving early.
    Stayed,
    /// It left at the end of this segment, and the last one answered otherwise or not.
    Left { segment: usize, differs: bool },
    /// Nobody knows: it was given up on its way to the end.
    Gone,
}

/// See the module. The test of a promise must hear of questions in their order: those that go on by themselves are known
/// at once, and to hear of them first would be to choose.
#[derive(Default)]
pub(super) struct Slots {
    /// The number of the first that waits.
    first: u64,
    waiting: VecDeque<Option<Watched>>,
}

impl Slots {
    pub(super) fn with_room(room: usize) -> Self {
        Self { first: 0, waiting: VecDeque::with_capacity(room) }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A number for one more.
    pub(super) fn open(&mut self) -> u64 {
        self.waiting.push_back(None);
        self.first + (self.waiting.len() - 1) as u64
    }

    /// Takes note of what became of one; what was said first counts.
    pub(super) fn settle(&mut self, number: u64, what: Watched) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.waiting.get_mut(at)) {
            slot.get_or_insert(what);
        }
    }

    /// The next in the order, if it is known.
    pub(super) fn next(&mut self) -> Option<Watched> {
        let what = (*self.waiting.front()?)?;
        self.waiting.pop_front();
        self.first += 1;
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_waits_for_those_before() {
        let mut slots = Slots::with_room(4);
        let numbers = [0; 3].map(|_| slots.open());
        slots.settle(numbers[1], Watched::Stayed);
        slots.settle(numbers[2], Watched::Gone);
        slots.settle(numbers[2], Watched::Stayed);
        assert_eq!((slots.next(), slots.len()), (None, 3));
        let left = Watched::Left { segment: 0, differs: true };
        slots.settle(numbers[0], left);
        let told: Vec<Watched> = std::iter::from_fn(|| slots.next()).collect();
        assert_eq!(told, [left, Watched::Stayed, Watched::Gone]);
        // Numbers go on, and what is over is over.
        assert_eq!(slots.open(), 3);
        slots.settle(numbers[0], Watched::Gone);
        assert_eq!((slots.next(), slots.len()), (None, 1));
    }
}
