//! The questions that wait for one model, and when to run which of them. A state machine: it is told
//! the time.

use std::collections::VecDeque;

use super::model::Asked;

/// Questions that may wait; more are refused at once.
pub(super) const WAITING_MAX: usize = 16 << 10;

/// The questions that wait for one model, oldest first.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Asked>,
}

impl Queue {
    /// Lets a question wait; gives it back if too many do.
    pub(super) fn push(&mut self, asked: Asked) -> Result<(), Asked> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(asked);
        }
        self.waiting.push_back(asked);
        Ok(())
    }

    /// Takes out all.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Asked> + use<> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes out the oldest questions that go together, at most `most`, and drops those nobody waits for
    /// any more.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<Asked>) {
        let mut passed = 0;
        while into.len() < most && passed < self.waiting.len() {
            let next = &self.waiting[passed];
            if !next.reply.is_wanted() {
                drop(self.waiting.remove(passed));
            } else if into.first().is_none_or(|first: &Asked| first.way.goes_with(&next.way)) {
                into.extend(self.waiting.remove(passed));
            } else {
                passed += 1;
            }
        }
    }
}
