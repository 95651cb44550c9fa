//! [`path`]: thresholds from *never early* to *always at the first exit*.

/// What every exit did with each sample, as thresholds see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What it costs to leave at each exit.
    costs_to: Vec<f64>,
    /// By sample, then by exit: how sure it is, and what is lost by leaving there, from 0 to 1.
    confidence: Vec<f64>,
    loss: Vec<f64>,
    /// By sample, then by exit: whether it is right.
    right: Option<Vec<bool>>,
}

impl Table {
    /// Samples by `rows`, each with a confidence, a loss from 0 to 1 and, where it is known, whether it is right, for every
    /// exit. `costs_to` is what it costs to leave at each. The loss at the last exit is taken as 0.
    ///
    /// # Panics
    /// If lists are not `rows` times as long as `costs_to`, or a loss is not from 0 to 1.
    pub fn new(
        costs_to: Vec<f64>,
        confidence: Vec<f64>,
        mut loss: Vec<f64>,
        right: Option<Vec<bool>>,
    ) -> Self {
        let exits = costs_to.len();
        assert!(
            exits > 0 && confidence.len().is_multiple_of(exits),
            "a confidence per sample and exit"
        );
        assert_eq!(confidence.len(), loss.len(), "a loss per sample and exit");
        assert!(right.as_ref().is_none_or(|right| right.len() == loss.len()), "a verdict each");
        loss.iter_mut().skip(exits - 1).step_by(exits).for_each(|loss| *loss = 0.0);
        assert!(loss.iter().all(|loss| (0.0..=1.0).contains(loss)), "losses are from 0 to 1");
        Self { costs_to, confidence, loss, right }
    }

    /// Exits, the last one among them.
    pub const fn exits(&self) -> usize {
        self.costs_to.len()
    }

    /// Samples.
    pub const fn rows(&self) -> usize {
        self.loss.len() / self.costs_to.len()
    }

    /// What it costs to go to the end.
    pub(super) fn cost_full(&self) -> f64 {
        self.costs_to[self.exits() - 1]
    }

    /// Where a sample leaves.
    pub(super) fn leaves(&self, row: usize, thresholds: &[f64]) -> usize {
        let sure = &self.confidence[row * self.exits()..];
        let early = thresholds.iter().zip(sure).position(|(threshold, sure)| sure >= threshold);
        early.unwrap_or(self.exits() - 1)
    }

    pub(super) fn cost(&self, exit: usize) -> f64 {
        self.costs_to[exit]
    }

    pub(super) fn loss(&self, row: usize, exit: usize) -> f64 {
        self.loss[row * self.exits() + exit]
    }

    pub(super) fn is_right(&self, row: usize, exit: usize) -> Option<bool> {
        self.right.as_ref().map(|right| right[row * self.exits() + exit])
    }

    /// Whether every loss is 0 or 1: then sums are binomial, and bounds exact.
    pub(super) fn is_binary(&self) -> bool {
        self.loss.iter().all(|&loss| loss == 0.0 || loss == 1.0)
    }
}

/// Thresholds for the exits before the last, step by step: the first step leaves nowhere early (all are infinite), each
/// further one lowers one threshold to the next of `grid` quantiles of the confidences at that exit, namely the one that loses
/// least per cost saved. Every sample leaves no later than at the step before. Takes time in proportion to `grid`, the
/// samples and the square of the exits.
pub fn path(table: &Table, grid: usize) -> Vec<Vec<f64>> {
    let (rows, early) = (table.rows(), table.exits() - 1);
    let levels: Vec<Vec<f64>> = (0..early).map(|exit| levels(table, exit, grid)).collect();
    let mut next = vec![0; early];
    let mut thresholds = vec![f64::INFINITY; early];
    let mut at = vec![early; rows];
    let mut steps = vec![thresholds.clone()];
    loop {
        let mut best: Option<(f64, f64, usize)> = None;
        for exit in 0..early {
            // Levels that move nobody are no steps.
            while let Some(&level) = levels[exit].get(next[exit]) {
                let (lost, saved) = gain(table, &at, exit, level);
                if saved > 0.0 {
                    let rate = lost / saved;
                    let is_best = best.is_none_or(|(known, much, _)| {
                        rate < known || (rate == known && saved > much)
                    });
                    if is_best {
                        best = Some((rate, saved, exit));
                    }
                    break;
                }
                next[exit] += 1;
            }
        }
        let Some((.., exit)) = best else { return steps };
        let level = levels[exit][next[exit]];
        next[exit] += 1;
        thresholds[exit] = level;
        for (row, at) in at.iter_mut().enumerate() {
            if *at > exit && table.confidence[row * table.exits() + exit] >= level {
                *at = exit;
            }
        }
        steps.push(thresholds.clone());
    }
}

/// Quantiles of the confidences at an exit, falling, each once; the last is the least confidence seen.
fn levels(table: &Table, exit: usize, grid: usize) -> Vec<f64> {
    let mut sure: Vec<f64> =
        table.confidence.iter().skip(exit).step_by(table.exits()).copied().collect();
    sure.sort_by(|one, other| other.total_cmp(one));
    let grid = grid.max(1);
    let place = |n: usize| (n * sure.len()).div_ceil(grid).max(1) - 1;
    let mut levels: Vec<f64> =
        if sure.is_empty() { Vec::new() } else { (1..=grid).map(|n| sure[place(n)]).collect() };
    levels.dedup();
    levels
}

/// What is lost and what saved, over all samples, by a threshold of `level` at an exit.
fn gain(table: &Table, at: &[usize], exit: usize, level: f64) -> (f64, f64) {
    let (mut lost, mut saved) = (0.0, 0.0);
    for (row, &at) in at.iter().enumerate() {
        if at > exit && table.confidence[row * table.exits() + exit] >= level {
            lost += table.loss(row, exit) - table.loss(row, at);
            saved += table.cost(at) - table.cost(exit);
        }
    }
    (lost, saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two early exits and the end; the second is always right.
    fn table() -> Table {
        let confidence = vec![
            0.9, 0.8, 0.0, //
            0.7, 0.6, 0.0, //
            0.5, 0.4, 0.0, //
            0.3, 0.2, 0.0,
        ];
        let loss = vec![
            0.0, 0.0, 0.0, //
            0.0, 0.0, 0.0, //
            1.0, 0.0, 0.0, //
            1.0, 0.0, 0.0,
        ];
        Table::new(vec![1.0, 2.0, 10.0], confidence, loss, None)
    }

    #[test]
    fn the_free_steps_come_first_and_the_dear_ones_last() {
        let steps = path(&table(), 4);

        let lost = |thresholds: &Vec<f64>| -> f64 {
            (0..4).map(|row| table().loss(row, table().leaves(row, thresholds))).sum()
        };
        assert_eq!(steps[0], [f64::INFINITY; 2]);
        let free = steps.iter().take_while(|step| lost(step) == 0.0).count();
        assert_eq!(steps[free - 1], [0.7, 0.2], "all that costs nothing is taken: {steps:?}");
        assert_eq!(steps.last(), Some(&vec![0.3, 0.2]));
    }

    #[test]
    fn nobody_leaves_later_than_a_step_before() {
        let table = table();
        for pair in path(&table, 50).windows(2) {
            for row in 0..table.rows() {
                assert!(table.leaves(row, &pair[1]) <= table.leaves(row, &pair[0]));
            }
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn equal_confidences_are_one_step() {
        let table = Table::new(vec![1.0, 2.0], vec![0.5; 20], vec![0.0; 20], None);
        assert_eq!(path(&table, 50), [[f64::INFINITY], [0.5]]);
    }
}
