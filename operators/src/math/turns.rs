//! Where a signal turns: highs and lows, told once it has come back far enough.
//!
//! A high is told when the signal has fallen by more than `reach` below it, a low when it has risen
//! by more than `reach` above it. They alternate, each is the extreme between its neighbours, and
//! smaller turns on the way count for nothing: peaks and troughs of prominence `reach`, causal.

use super::state::{State, StateError};

/// A turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) is_high: bool,
    /// Number of the sample.
    pub(crate) at: u64,
    pub(crate) value: f64,
}

/// Follows a signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    /// +1 on the way up, −1 on the way down, 0 before the first turn.
    direction: i8,
    high: (u64, f64),
    low: (u64, f64),
}

impl Turns {
    /// Takes sample number `at`; the first call begins.
    pub(crate) fn push(&mut self, at: u64, value: f64, reach: f64) -> Option<Turn> {
        if self.is_fresh() {
            (self.high, self.low) = ((at, value), (at, value));
            // The mark that something came; which way is not known.
            self.direction = UNDECIDED;
            return None;
        }
        if value > self.high.1 {
            self.high = (at, value);
        }
        // Of a flat floor the end: that is where the way up begins.
        if value <= self.low.1 {
            self.low = (at, value);
        }
        let falls = self.direction != DOWN && self.high.1 - value > reach;
        let rises = self.direction != UP && value - self.low.1 > reach;
        if falls {
            let turn = Turn { is_high: true, at: self.high.0, value: self.high.1 };
            let known = self.direction == UP;
            (self.direction, self.low) = (DOWN, (at, value));
            return known.then_some(turn);
        }
        if rises {
            let turn = Turn { is_high: false, at: self.low.0, value: self.low.1 };
            (self.direction, self.high) = (UP, (at, value));
            return Some(turn);
        }
        None
    }

    fn is_fresh(&self) -> bool {
        self.direction == 0
    }

    /// Forgets the extreme that is under way if it is older than `oldest`: it is the newest sample.
    pub(crate) fn forget_before(&mut self, oldest: u64, at: u64, value: f64) {
        for extreme in [&mut self.high, &mut self.low] {
            if extreme.0 < oldest {
                *extreme = (at, value);
            }
        }
    }

    /// The extreme that the next turn will be told of, unless a greater one comes.
    pub(crate) fn under_way(&self) -> Option<(u64, f64)> {
        match self.direction {
            UP => Some(self.high),
            DOWN => Some(self.low),
            _ => None,
        }
    }

    pub(crate) fn is_rising(&self) -> bool {
        self.direction == UP
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut direction = self.direction as u8;
        state.u8(&mut direction)?;
        state.demand([0, 1, 2, 255].contains(&direction))?;
        self.direction = direction as i8;
        for (at, value) in [&mut self.high, &mut self.low] {
            state.u64(at)?;
            state.f64(value)?;
            state.demand(*at < 1 << 62)?;
        }
        Ok(())
    }
}

const UP: i8 = 1;
const DOWN: i8 = -1;
const UNDECIDED: i8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(samples: &[f64], reach: f64) -> Vec<(bool, u64)> {
        let mut turns = Turns::default();
        let told = (0..).zip(samples).filter_map(|(at, value)| turns.push(at, *value, reach));
        told.map(|turn| (turn.is_high, turn.at)).collect()
    }

    #[test]
    fn highs_and_lows_alternate_and_small_turns_count_for_nothing() {
        //                 0    1    2    3    4    5    6    7    8    9
        let samples = [0.0, 1.0, 0.8, 3.0, 2.7, 3.1, 1.0, 1.2, 0.5, 4.0];
        assert_eq!(turns(&samples, 0.5), [(false, 0), (true, 5), (false, 8)]);
    }

    #[test]
    fn a_signal_that_begins_by_falling_has_its_first_low_where_it_rises() {
        assert_eq!(turns(&[5.0, 3.0, 1.0, 2.0, 4.0, 1.0], 0.5), [(false, 2), (true, 4)]);
    }

    #[test]
    fn the_way_up_begins_at_the_end_of_a_flat_floor() {
        assert_eq!(turns(&[2.0, 0.0, 0.0, 0.0, 2.0, 0.0], 0.5), [(false, 3), (true, 4)]);
    }
}
