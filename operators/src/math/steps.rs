//! Windows that move in steps of some samples: cheap where they are long.

use super::{
    sliding::{Merge, Sliding},
    state::{State, StateError},
};

/// The merge of the last whole steps, and of what has come since.
#[derive(Clone, Debug)]
pub(crate) struct Steps<A> {
    step: u32,
    of_step: u32,
    begun: A,
    steps: Sliding<A>,
    whole: A,
}

impl<A: Merge> Steps<A> {
    /// Of `steps` steps of `step` items.
    pub(crate) fn new(step: usize, steps: usize) -> Self {
        assert!(step > 0, "a step has room");
        let (begun, whole) = (A::NOTHING, A::NOTHING);
        Self { step: step as u32, of_step: 0, begun, steps: Sliding::new(steps), whole }
    }

    /// Takes an item, and says whether a step is full with it.
    pub(crate) fn push(&mut self, item: A) -> bool {
        self.begun = self.begun.merge(item);
        self.of_step += 1;
        let is_full = self.of_step == self.step;
        if is_full {
            self.whole = self.steps.push(self.begun);
            (self.of_step, self.begun) = (0, A::NOTHING);
        }
        is_full
    }

    /// As made, with `left` items to the end of the first step.
    pub(crate) fn begin(&mut self, left: u64) {
        self.reset();
        self.of_step = self.step - (left.clamp(1, u64::from(self.step)) as u32);
    }

    /// As made.
    pub(crate) fn reset(&mut self) {
        self.steps.reset();
        (self.of_step, self.begun, self.whole) = (0, A::NOTHING, A::NOTHING);
    }

    /// Of the last whole steps.
    pub(crate) fn whole(&self) -> A {
        self.whole
    }

    /// Of these and of what has come since.
    pub(crate) fn all(&self) -> A {
        self.whole.merge(self.begun)
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u32(&mut self.of_step)?;
        state.demand(self.of_step < self.step)?;
        for part in [&mut self.begun, &mut self.whole] {
            part.numbers().try_for_each(|number| state.f64(number))?;
        }
        visit(&mut self.steps, state)
    }
}

/// Saves or loads a window.
pub(crate) fn visit<A: Merge>(
    window: &mut Sliding<A>,
    state: &mut State<'_>,
) -> Result<(), StateError> {
    if let State::Save(into) = state {
        window.save(into);
        return Ok(());
    }
    window.load(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::sliding::Sum;

    #[test]
    fn the_last_steps_and_what_has_begun_count() {
        let mut steps = Steps::new(3, 2);
        let seen: Vec<(f64, f64)> = (1..=11)
            .map(|n| {
                steps.push(Sum::of(f64::from(n)));
                (steps.whole().sum, steps.all().sum)
            })
            .collect();
        assert_eq!(seen[1], (0.0, 3.0));
        assert_eq!(seen[2], (6.0, 6.0));
        assert_eq!(seen[8], (39.0, 39.0), "4 to 9");
        assert_eq!(seen[10], (39.0, 60.0), "and 10 and 11");
    }
}
