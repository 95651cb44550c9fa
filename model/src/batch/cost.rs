//! [`Costs`]: what a run with so many questions takes, as learned from the runs so far.

/// Runs of one size that are remembered.
const REMEMBERED: usize = 10;
/// How much of the mean the newest run is.
const SHARE: f64 = 0.1;

/// What runs take, by the number of questions in them.
///
/// For every size that was run: the mean, with forgetting, and the longest of the last ten runs. What lies between
/// two sizes is on the straight line between them; beyond the largest it goes on as from the
/// one before to the largest, and not below proportion from one alone.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// By size, from 1 on.
    sizes: Vec<Option<Size>>,
    /// The curve itself, made anew when a size is learned.
    upper: Vec<i64>,
    /// Every size costs the same.
    is_flat: bool,
}

#[derive(Clone, Copy, Debug)]
struct Size {
    mean: f64,
    last: [i64; REMEMBERED],
    count: usize,
}

impl Costs {
    /// Nothing learned, for runs of up to `most` questions.
    pub fn new(most: usize) -> Self {
        Self { sizes: vec![None; most.max(1)], upper: vec![0; most.max(1)], is_flat: false }
    }

    /// The same, of runs that always have so many rows, whether questions are in them or not: all cost the same.
    pub fn flat(rows: usize) -> Self {
        Self { is_flat: true, ..Self::new(rows) }
    }

    /// Most questions of a run.
    pub fn most(&self) -> usize {
        self.sizes.len()
    }

    /// Whether a run of this size was seen, or one that costs the same.
    pub fn knows(&self, rows: usize) -> bool {
        let rows = if self.is_flat { self.most() } else { rows };
        self.sizes.get(rows - 1).is_some_and(Option::is_some)
    }

    /// The sizes that were run.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        (1..=self.most()).filter(|&rows| self.sizes[rows - 1].is_some())
    }

    /// Learns that a run of so many questions took so long.
    pub fn learn(&mut self, rows: usize, took: i64) {
        let rows = if self.is_flat { self.most() } else { rows };
        let Some(size) = self.sizes.get_mut(rows - 1) else { return };
        let size = size.get_or_insert(Size { mean: took as f64, last: [0; REMEMBERED], count: 0 });
        size.mean += SHARE * (took as f64 - size.mean);
        size.last[size.count % REMEMBERED] = took;
        size.count += 1;
        self.draw();
    }

    /// How long a run of so many questions takes at most, as far as is known; 0 where nothing is.
    pub fn upper(&self, rows: usize) -> i64 {
        self.upper[rows.clamp(1, self.upper.len()) - 1]
    }

    /// How long a run of so many questions takes as a rule: the middle one of the last ten, if runs of
    /// that size were seen; else as [`Costs::upper`].
    pub fn usual(&self, rows: usize) -> i64 {
        let rows = if self.is_flat { self.most() } else { rows };
        let Some(Some(size)) = self.sizes.get(rows - 1) else { return self.upper(rows) };
        let mut last = size.last;
        let last = &mut last[..size.count.min(REMEMBERED)];
        last.sort_unstable();
        last[last.len() / 2]
    }

    /// Draws the curve through the sizes that are known.
    fn draw(&mut self) {
        let known = |(at, size): (usize, &Option<Size>)| {
            let size = size.as_ref()?;
            let longest = size.last.iter().copied().max().unwrap_or(0);
            Some(((at + 1) as i64, longest.max(size.mean as i64)))
        };
        let points: Vec<(i64, i64)> = self.sizes.iter().enumerate().filter_map(known).collect();
        let Some(&(first, first_cost)) = points.first() else { return };
        if self.is_flat {
            self.upper.fill(first_cost);
            return;
        }
        for rows in 1..=self.sizes.len() as i64 {
            let at = points.partition_point(|&(known, _)| known < rows);
            self.upper[rows as usize - 1] =
                match (at.checked_sub(1).map(|n| points[n]), points.get(at)) {
                    (_, Some(&(known, cost))) if known == rows => cost,
                    (Some((a, x)), Some(&(b, y))) => x + (y - x) * (rows - a) / (b - a),
                    // Fewer than ever were run: not less than their share.
                    (None, _) => first_cost * rows / first,
                    (Some((b, y)), None) => match at.checked_sub(2).map(|n| points[n]) {
                        Some((a, x)) => y + ((y - x).max(0) * (rows - b)) / (b - a),
                        None => y * rows / b,
                    },
                };
        }
        // More questions never take less.
        for n in 1..self.upper.len() {
            self.upper[n] = self.upper[n].max(self.upper[n - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_what_is_known() {
        let mut costs = Costs::new(16);
        assert_eq!(costs.upper(4), 0);
        costs.learn(1, 100);
        assert_eq!((costs.upper(1), costs.upper(4)), (100, 400));
        costs.learn(8, 240);
        assert_eq!((costs.upper(1), costs.upper(8)), (100, 240));
        assert_eq!(costs.upper(4), 160);
        assert_eq!(costs.upper(16), 400);
    }

    #[test]
    fn a_run_that_is_always_full_costs_the_same() {
        let mut costs = Costs::flat(8);
        costs.learn(3, 100);
        assert_eq!((costs.upper(1), costs.upper(8)), (100, 100));
        assert!(costs.knows(1) && costs.usual(1) == 100);
        costs.learn(8, 140);
        assert_eq!((costs.upper(1), costs.upper(8)), (140, 140));
    }

    #[test]
    fn one_long_run_is_not_usual() {
        let mut costs = Costs::new(2);
        assert_eq!(costs.usual(1), 0);
        [100, 90, 5_000, 110].into_iter().for_each(|took| costs.learn(1, took));
        assert_eq!((costs.usual(1), costs.upper(1)), (110, 5_000));
        assert_eq!(costs.usual(2), 10_000);
    }

    #[test]
    fn the_longest_of_the_last_runs_counts() {
        let mut costs = Costs::new(1);
        costs.learn(1, 100);
        costs.learn(1, 500);
        assert_eq!(costs.upper(1), 500);
        for _ in 0..10 {
            costs.learn(1, 100);
        }
        assert!(costs.upper(1) < 300);
    }
}
