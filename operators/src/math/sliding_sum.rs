//! The sum of the last rows of numbers, without subtracting what leaves.
//!
//! What is subtracted from a running sum leaves its rounding behind, and an infinity stays for
//! ever. Here the rows are dealt into blocks as long as the window. A window lies in two blocks:
//! the end of one, whose sums from each row on are made once when it is full, and the beginning of
//! the next, which is summed up as it grows. So a sum costs three additions a number, depends on
//! the rows in the window alone, and forgets exactly.
//!
//! ```text
//! rows     a b c d │ e f g h │          window of 4 after f:  (c + d) + (e + f)
//!              └────sum────┘
//! ```

use super::state::{State, StateError, put_u64};

/// Sums of the last `count` rows.
#[derive(Clone, Debug)]
pub(crate) struct SlidingSum {
    width: usize,
    count: usize,
    /// Up to row `at` those of this block, behind it the sums of the last block from there on.
    rows: Box<[f64]>,
    /// The sum of this block's rows.
    begun: Box<[f64]>,
    at: usize,
}

impl SlidingSum {
    /// Of `count` rows of zeros.
    ///
    /// # Panics
    /// If `count` or `width` is 0.
    pub(crate) fn new(count: usize, width: usize) -> Self {
        assert!(count > 0 && width > 0, "a sum of something");
        let (rows, begun) = (vec![0.0; count * width].into(), vec![0.0; width].into());
        Self { width, count, rows, begun, at: 0 }
    }

    /// Puts the sum of the last `count` rows, of which `row` is the newest, in its place.
    pub(crate) fn push(&mut self, row: &mut [f64]) {
        if self.count == 1 {
            // Its own sum.
            return;
        }
        let (width, at) = (self.width, self.at);
        self.rows[at * width..][..width].copy_from_slice(row);
        let ended = self.rows.get((at + 1) * width..(at + 2) * width);
        for (n, x) in row.iter_mut().enumerate() {
            self.begun[n] += *x;
            *x = self.begun[n] + ended.map_or(0.0, |ended| ended[n]);
        }
        self.at += 1;
        if self.at == self.count {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        for from in (self.width..self.rows.len()).rev() {
            self.rows[from - self.width] += self.rows[from];
        }
        self.begun.fill(0.0);
        self.at = 0;
    }

    /// How many rows are summed up.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Back to rows of zeros.
    pub(crate) fn reset(&mut self) {
        self.rows.fill(0.0);
        self.begun.fill(0.0);
        self.at = 0;
    }

    /// Appends the state.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        put_u64(into, self.at as u64);
        into.extend(self.rows.iter().chain(&self.begun).flat_map(|number| number.to_le_bytes()));
    }

    /// Takes up what `save` wrote.
    pub(crate) fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut at = 0;
        state.u64(&mut at)?;
        state.demand(at < self.count as u64)?;
        self.at = at as usize;
        self.rows.iter_mut().chain(&mut self.begun).try_for_each(|number| state.f64(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_of_the_window_and_of_nothing_else() {
        for count in [1, 2, 3, 7] {
            let mut sums = SlidingSum::new(count, 2);
            let rows: Vec<[f64; 2]> = (0..40)
                .map(|n| if n == 11 { [f64::INFINITY, f64::NAN] } else { [n as f64, 1.0] })
                .collect();
            for n in 0..rows.len() {
                let mut row = rows[n];
                sums.push(&mut row);

                let window = &rows[(n + 1).saturating_sub(count)..=n];
                let want = [0, 1].map(|k| window.iter().map(|row| row[k]).sum::<f64>());
                // Small whole numbers: exact in any order.
                let same = row.iter().zip(want).all(|(a, b)| *a == b || a.is_nan() && b.is_nan());
                assert!(same, "{count} rows to {n}: {row:?} is not {want:?}");
            }
        }
    }
}
