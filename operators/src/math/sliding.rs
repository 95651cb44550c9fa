//! Sliding windows: what can be merged, over the last samples, at two merges a sample.
//!
//! Time is cut into blocks as long as the window. Of the block before, the merge of everything from
//! each place to its end is kept; of the present one, the merge of everything so far:
//!
//! ```text
//! block before      present block
//! ├──────┬─────────┼───────┬ ─ ─ ─ ┤
//!        └ suffix ─┴ newest┘            window = suffix merged with newest
//! ```
//!
//! Nothing is ever subtracted, so nothing drifts and nothing lasts: what has left the window has
//! left it to the last bit, however large it was. At the end of a block its suffixes are made in
//! one pass (van Herk 1992, Gil and Werman 1993).

use super::state::{State, StateError};

/// Something about several samples that can be made from the same about two parts of them.
pub trait Merge: Copy {
    /// About no sample.
    const NOTHING: Self;

    /// About these samples and `later` ones.
    #[must_use]
    fn merge(self, later: Self) -> Self;

    /// Every number in order, to be saved or loaded.
    fn numbers(&mut self) -> impl Iterator<Item = &mut f64>;
}

/// The merge of the last so many items.
#[derive(Clone, Debug)]
pub struct Sliding<A> {
    /// Before `at` the items of the present block, from there the suffixes of the block before.
    items: Vec<A>,
    at: usize,
    newest: A,
}

impl<A: Merge> Sliding<A> {
    /// A window of `len` items, of which none has come.
    ///
    /// # Panics
    /// If `len` is 0.
    pub fn new(len: usize) -> Self {
        assert!(len > 0, "a window has room");
        Self { items: vec![A::NOTHING; len], at: 0, newest: A::NOTHING }
    }

    /// Takes the next item; the merge of the last `len`, the first of which are nothing.
    pub fn push(&mut self, item: A) -> A {
        self.push_aging(item, |item| item)
    }

    /// The same where items say when they were: at the end of a block, `age` makes of an item
    /// what it is to the next block. Items count time from the beginning of the present block.
    pub fn push_aging(&mut self, item: A, age: impl Fn(A) -> A) -> A {
        self.items[self.at] = item;
        self.newest = self.newest.merge(item);
        self.at += 1;
        if let Some(before) = self.items.get(self.at) {
            return before.merge(self.newest);
        }
        let whole = self.newest;
        let mut suffix = A::NOTHING;
        for item in self.items.iter_mut().rev() {
            suffix = age(*item).merge(suffix);
            *item = suffix;
        }
        (self.at, self.newest) = (0, A::NOTHING);
        whole
    }

    /// The place of the next item in its block.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many items the window holds.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Never: a window has room.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// As made.
    pub fn reset(&mut self) {
        self.items.fill(A::NOTHING);
        (self.at, self.newest) = (0, A::NOTHING);
    }

    /// Appends the state: always as many bytes.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&(self.at as u32).to_le_bytes());
        for mut item in self.items.iter().copied().chain([self.newest]) {
            for number in item.numbers() {
                into.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    /// Goes on from a saved state.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        let mut at = 0;
        from.u32(&mut at)?;
        from.demand((at as usize) < self.items.len())?;
        self.at = at as usize;
        for item in self.items.iter_mut().chain([&mut self.newest]) {
            item.numbers().try_for_each(|number| from.f64(number))?;
        }
        Ok(())
    }
}

/// How many, and their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// How many count.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
}

impl Sum {
    /// One.
    pub const fn of(value: f64) -> Self {
        Self { count: 1.0, sum: value }
    }

    /// Their mean; NaN where there are none.
    pub fn mean(self) -> f64 {
        self.sum / self.count
    }
}

impl Merge for Sum {
    const NOTHING: Self = Self { count: 0.0, sum: 0.0 };

    fn merge(self, later: Self) -> Self {
        Self { count: self.count + later.count, sum: self.sum + later.sum }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.count, &mut self.sum].into_iter()
    }
}

/// How many, their mean, and the sum of squares about it: merged without cancellation (Chan,
/// Golub and LeVeque 1983).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many count.
    pub count: f64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// Sum of squares about the mean.
    pub squares: f64,
}

impl Moments {
    /// One.
    pub const fn of(value: f64) -> Self {
        Self { count: 1.0, mean: value, squares: 0.0 }
    }

    /// Variance about the mean, divided by their number; NaN where there are none.
    pub fn variance(self) -> f64 {
        self.squares / self.count
    }
}

impl Merge for Moments {
    const NOTHING: Self = Self { count: 0.0, mean: 0.0, squares: 0.0 };

    fn merge(self, later: Self) -> Self {
        if self.count == 0.0 || later.count == 0.0 {
            return if self.count == 0.0 { later } else { self };
        }
        let count = self.count + later.count;
        let (apart, share) = (later.mean - self.mean, later.count / count);
        Self {
            count,
            mean: self.mean + apart * share,
            squares: self.squares + later.squares + apart * apart * (self.count * share),
        }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.count, &mut self.mean, &mut self.squares].into_iter()
    }
}

/// How samples lie in time: what a straight line through them needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How many, their mean, their spread.
    pub values: Moments,
    /// Mean time in samples.
    pub time: f64,
    /// Sum of squares of time about its mean.
    pub time_squares: f64,
    /// Sum of products of both about their means.
    pub products: f64,
}

impl Trend {
    /// One sample.
    pub const fn of(time: f64, value: f64) -> Self {
        Self { values: Moments::of(value), time, time_squares: 0.0, products: 0.0 }
    }

    /// The same, `samples` longer ago.
    #[must_use]
    pub fn aged(self, samples: f64) -> Self {
        Self { time: self.time - samples, ..self }
    }

    /// Least squares, per sample: 0 through one sample, NaN through none.
    pub fn slope(self) -> f64 {
        if self.values.count == 1.0 { 0.0 } else { self.products / self.time_squares }
    }
}

impl Merge for Trend {
    const NOTHING: Self =
        Self { values: Moments::NOTHING, time: 0.0, time_squares: 0.0, products: 0.0 };

    fn merge(self, later: Self) -> Self {
        let (a, b) = (self.values, later.values);
        if a.count == 0.0 || b.count == 0.0 {
            return if a.count == 0.0 { later } else { self };
        }
        let share = b.count / (a.count + b.count);
        let (apart, weight) = (later.time - self.time, a.count * share);
        Self {
            values: a.merge(b),
            time: self.time + apart * share,
            time_squares: self.time_squares + later.time_squares + apart * apart * weight,
            products: self.products + later.products + apart * (b.mean - a.mean) * weight,
        }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let Self { values, time, time_squares, products } = self;
        values.numbers().chain([time, time_squares, products])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::state::StateReader;

    fn value(n: usize) -> f64 {
        ((n * 7_919 + n * n * 13) % 1_009) as f64
    }

    #[test]
    fn every_window_is_that_of_its_own_samples() {
        for len in [1, 2, 7, 16] {
            let (mut sum, mut moments) = (Sliding::new(len), Sliding::new(len));
            for n in 0..100 {
                let (sum, moments) =
                    (sum.push(Sum::of(value(n))), moments.push(Moments::of(value(n))));
                let window: Vec<f64> = ((n + 1).saturating_sub(len)..=n).map(value).collect();
                let count = window.len() as f64;
                let mean = window.iter().sum::<f64>() / count;
                let squares: f64 = window.iter().map(|x| (x - mean) * (x - mean)).sum();
                // Whole numbers below 2^53 add without rounding.
                assert_eq!(sum, Sum { count, sum: window.iter().sum() });
                assert_eq!(moments.count, count);
                // Each of at most 16 merges rounds a few times relative to 1 000 and its square.
                assert!((moments.mean - mean).abs() < 1e-11, "{len} at {n}");
                assert!((moments.squares - squares).abs() < 1e-7, "{len} at {n}");
            }
        }
    }

    #[test]
    fn what_has_left_is_forgotten_to_the_last_bit() {
        let (mut clean, mut dirty) = (Sliding::new(10), Sliding::new(10));
        for n in 0..60 {
            let item = Moments::of(value(n));
            let (clean, dirty) =
                (clean.push(item), dirty.push(if n == 7 { Moments::of(1e38) } else { item }));
            assert_eq!(clean == dirty, !(7..17).contains(&n), "item {n}");
        }
    }

    #[test]
    fn a_straight_line_has_its_slope_wherever_blocks_end() {
        let mut window = Sliding::new(9);
        for n in 0..50 {
            let item = Trend::of(window.at() as f64, 3.0 * n as f64 - 7.0);
            let slope = window.push_aging(item, |item| item.aged(9.0)).slope();
            // Values up to 150 and times up to 9, rounded a few times each.
            assert!(n == 0 || (slope - 3.0).abs() < 1e-13, "{slope} at {n}");
        }
    }

    #[test]
    fn a_saved_window_goes_on() {
        let mut window = Sliding::new(5);
        (0..12).for_each(|n| _ = window.push(Sum::of(value(n))));
        let mut bytes = vec![1];
        window.save(&mut bytes);

        let mut other = Sliding::new(5);
        let mut state = State::Load(StateReader::new(&bytes, 1).expect("the version fits"));
        other.load(&mut state).expect("its own state");
        state.end().expect("nothing is left");
        (12..30).for_each(|n| {
            assert_eq!(other.push(Sum::of(value(n))), window.push(Sum::of(value(n))))
        });
    }
}
