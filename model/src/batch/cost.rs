//! [`Costs`]: what a run with so many questions takes, as learned from the runs so far.

/// Runs of one size that are remembered.
const REMEMBERED: usize = 10;
/// How much of the mean the newest run is.
const SHARE: f64 = 0.1;
/// About what a run takes a worker besides.
const AROUND_NS: i64 = 2_000;
/// Runs of a size after which it is known whether its questions cost more.
const SURE: usize = 5;
/// Runs of fewer questions may cost so many times as much each as the cheapest: they are answered sooner.
const DEARER: f64 = 1.03;
/// The same where several take from what waits: who takes all leaves the others nothing to do.
const DEARER_SHARED: f64 = 1.1;

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
    /// Of up to so many questions, from 1 on, the fewest that together cost about as little each: by [`DEARER`], and
    /// by [`DEARER_SHARED`]; made anew with the curve.
    thrifty: [Vec<usize>; 2],
    /// The smallest power of two that was not run often enough to know what it costs.
    unsure: usize,
    /// Every size costs the same.
    is_flat: bool,
    /// So many take from what waits.
    executors: usize,
}

#[derive(Clone, Copy, Debug)]
struct Size {
    mean: f64,
    /// The middle one of the last.
    usual: i64,
    /// The shortest of the last.
    least: i64,
    last: [i64; REMEMBERED],
    count: usize,
}

impl Costs {
    /// Nothing learned, for runs of up to `most` questions.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let whole: Vec<usize> = (1..=most).collect();
        Self {
            sizes: vec![None; most],
            upper: vec![0; most],
            thrifty: [whole.clone(), whole],
            unsure: 1,
            is_flat: false,
            executors: 1,
        }
    }

    /// The same, where so many take from what waits.
    pub fn among(self, executors: usize) -> Self {
        Self { executors, ..self }
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
        let size = size.get_or_insert(Size {
            mean: took as f64,
            usual: took,
            least: took,
            last: [0; REMEMBERED],
            count: 0,
        });
        size.mean += SHARE * (took as f64 - size.mean);
        size.last[size.count % REMEMBERED] = took;
        size.count += 1;
        let mut last = size.last;
        let last = &mut last[..size.count.min(REMEMBERED)];
        last.sort_unstable();
        (size.least, size.usual) = (last[0], last[last.len() / 2]);
        self.draw();
        self.compare();
    }

    /// How long a run of so many questions takes at most, as far as is known; 0 where nothing is.
    pub fn upper(&self, rows: usize) -> i64 {
        self.upper[rows.clamp(1, self.upper.len()) - 1]
    }

    /// How long a run of so many questions takes as a rule: the middle one of the last ten, if runs of
    /// that size were seen; else as [`Costs::upper`].
    pub fn usual(&self, rows: usize) -> i64 {
        let rows = if self.is_flat { self.most() } else { rows };
        let known = self.sizes.get(rows - 1).copied().flatten();
        known.map_or_else(|| self.upper(rows), |size| size.usual)
    }

    /// How many of so many questions are best run together, of all that are `waiting`, where nobody is late either
    /// way: as few as cost about as little each. They are answered sooner, what comes next waits less, and where
    /// several take from what waits and there are not so many for each of them, all have something to do.
    pub fn thrifty(&self, rows: usize, waiting: usize) -> usize {
        let [alone, shared] =
            [0, 1].map(|which| self.thrifty[which][rows.clamp(1, self.most()) - 1]);
        let is_short = self.executors > 1 && waiting < self.executors * alone;
        if is_short { shared } else { alone }
    }

    /// A size of fewer than so many of which too little is known to say whether questions cost as little in it.
    pub fn unsure(&self, rows: usize) -> Option<usize> {
        (self.unsure < rows && !self.is_flat).then_some(self.unsure)
    }

    /// Finds the fewest whose questions cost about as little each.
    fn compare(&mut self) {
        let is_sure = |rows: usize| self.sizes[rows - 1].is_some_and(|size| size.count >= SURE);
        while self.unsure <= self.sizes.len() && is_sure(self.unsure) {
            self.unsure *= 2;
        }
        for (thrifty, dearer) in self.thrifty.iter_mut().zip([DEARER, DEARER_SHARED]) {
            compare(&self.sizes, dearer, thrifty);
        }
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

/// Of up to so many questions, the fewest that cost at most so many times what the cheapest of them does. In time that
/// grows with the sizes.
fn compare(sizes: &[Option<Size>], dearer: f64, thrifty: &mut [usize]) {
    let each = |took: i64, rows: usize| (took + AROUND_NS) as f64 / rows as f64;
    // `fewest`: the sizes before it are too dear, and stay so, as the cheapest only becomes cheaper.
    let (mut least, mut fewest, mut limit, mut known) = (f64::INFINITY, 1, 0.0, 0);
    for rows in 1..=sizes.len() {
        if let Some(size) = &sizes[rows - 1] {
            known = rows;
            // What took long for another reason, as where others had the processor, is not dear for that: the
            // shortest runs count.
            least = each(size.least, rows).min(least);
            limit = if size.count < SURE { 0.0 } else { least * dearer };
        }
        // One that is not known well enough says nothing of those before it.
        if limit > 0.0 {
            let is_cheap = |&fewer: &usize| {
                sizes[fewer - 1].is_some_and(|size| each(size.least, fewer) <= limit)
            };
            fewest = (fewest..known).find(is_cheap).unwrap_or(known);
        }
        // Nothing is known of sizes in between; one that is known and smaller stands for them, but not far beyond.
        let is_near = limit > 0.0 && fewest < known && rows < 2 * known;
        thrifty[rows - 1] = if is_near { fewest } else { rows };
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
    fn questions_that_cost_more_together_are_run_apart() {
        let mut costs = Costs::new(32);
        assert_eq!(costs.thrifty(20, 20), 20);
        costs.learn(1, 100_000);
        costs.learn(32, 9_000_000);
        assert_eq!(costs.thrifty(32, 32), 32, "once is not enough");
        let mut costs = Costs::new(32);
        [(1, 100_000), (4, 320_000), (8, 590_000), (16, 1_300_000), (32, 2_700_000)]
            .into_iter()
            .for_each(|(rows, took)| (0..SURE).for_each(|_| costs.learn(rows, took)));
        let thrifty = |costs: &Costs, rows| costs.thrifty(rows, rows);
        assert_eq!([1, 2, 3, 4, 8].map(|rows| thrifty(&costs, rows)), [1, 2, 3, 4, 8]);
        assert_eq!([15, 16, 20, 32].map(|rows| thrifty(&costs, rows)), [15, 8, 8, 8]);
        // One run that took long for another reason changes nothing, many do.
        (0..10).for_each(|_| costs.learn(8, 590_000));
        costs.learn(8, 9_000_000);
        assert_eq!(thrifty(&costs, 32), 8);
        (0..10).for_each(|_| costs.learn(8, 700_000));
        assert_eq!(thrifty(&costs, 32), 4);
        // As few as cost about as little; fewer where others take from what waits, too.
        let curve = |executors| {
            let mut costs = Costs::new(16).among(executors);
            [(1, 100_000), (2, 150_000), (4, 216_000), (8, 400_000), (16, 790_000)]
                .into_iter()
                .for_each(|(rows, took)| (0..SURE).for_each(|_| costs.learn(rows, took)));
            [(2, 2), (8, 8), (12, 12), (16, 16), (16, 31), (16, 32)]
                .map(|(rows, waiting)| costs.thrifty(rows, waiting))
        };
        assert_eq!(curve(1), [2, 8, 12, 8, 8, 8]);
        assert_eq!(curve(2), [2, 4, 4, 8, 8, 8]);
        // Where there is enough for all of them, nobody has to leave anything to the others.
        let mut costs = Costs::new(16).among(2);
        [(1, 100_000), (8, 430_000), (16, 800_000)]
            .into_iter()
            .for_each(|(rows, took)| (0..SURE).for_each(|_| costs.learn(rows, took)));
        assert_eq!([16, 31, 32].map(|waiting| costs.thrifty(16, waiting)), [8, 8, 16]);
        // Where every run has all rows there is no other size.
        let mut flat = Costs::flat(8);
        flat.learn(3, 100);
        assert_eq!(thrifty(&flat, 5), 5);
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
