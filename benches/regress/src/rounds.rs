//! Pairs in rounds: which runs come when, and which case has had enough of them.
//!
//! In a round every case that is open runs one pair, in an order by chance, and a coin decides which of the two
//! programs runs first. If they are the same, that coin is all that tells them apart: whatever the
//! machine did to either run, the sign of their ratio is as fair as the coin. This, not a
//! model of the machine's noise, is why false alarms are as rare as promised.

use crate::{
    chance::Chance,
    judge::{FIGURES, Figure, Judged, Limits, Ratios, Verdict, judge},
    looks::{self, Look},
};

/// Where pairs come from: two programs, or noise that was recorded.
pub(crate) trait Pairs {
    /// Why there is no pair.
    type Trouble;

    /// Runs both programs on a case: logarithms of what the second run used through the first's.
    fn pair(&mut self, case: usize, round: usize, old_first: bool)
    -> Result<Ratios, Self::Trouble>;
}

/// How long and how carefully.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// No case has more pairs.
    pub(crate) pairs_most: usize,
    /// The share of reports on equal programs that may hold any verdict of `More` or `Less`.
    pub(crate) wrong: f64,
    pub(crate) limits: Limits,
    /// All pairs of all cases are run, to record them.
    pub(crate) all: bool,
}

/// False alarms that are promised.
pub(crate) const WRONG: f64 = 0.01;
/// Pairs that a case may have unless somebody says otherwise.
pub(crate) const PAIRS: usize = 120;

/// What is known of one case.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The logarithms of new through old, for each figure.
    pub(crate) ratios: [Vec<f64>; FIGURES.len()],
    pub(crate) judged: Option<[Judged; FIGURES.len()]>,
    open: bool,
}

/// All cases.
pub(crate) struct Trial {
    rules: Rules,
    looks: Vec<Look>,
    chance: Chance,
    round: usize,
    pub(crate) cases: Vec<Series>,
}

impl Trial {
    /// Of so many cases, in an order that a seed decides.
    pub(crate) fn new(cases: usize, rules: Rules, seed: u64) -> Self {
        let figures = cases * FIGURES.len();
        let series = Series { ratios: Default::default(), judged: None, open: true };
        Self {
            rules,
            looks: looks::planned(rules.pairs_most, rules.wrong / figures.max(1) as f64),
            chance: Chance::new(seed),
            round: 0,
            cases: vec![series; cases],
        }
    }

    /// One pair of every open case; whether there is more to do.
    pub(crate) fn round<P: Pairs>(&mut self, pairs: &mut P) -> Result<bool, P::Trouble> {
        let mut open: Vec<usize> = (0..self.cases.len()).filter(|&n| self.cases[n].open).collect();
        self.chance.shuffle(&mut open);
        for case in open {
            let old_first = self.chance.coin();
            let second_over_first = pairs.pair(case, self.round, old_first)?;
            let series = &mut self.cases[case];
            for (ratios, ratio) in series.ratios.iter_mut().zip(second_over_first) {
                ratios.push(if old_first { ratio } else { -ratio });
            }
            series.look(&self.looks, &self.rules);
        }
        self.round += 1;
        Ok(self.is_open())
    }

    fn is_open(&self) -> bool {
        self.cases.iter().any(|series| series.open)
    }

    /// Pairs that may still come, at most.
    pub(crate) fn pairs_left(&self) -> usize {
        let open = self.cases.iter().filter(|series| series.open);
        open.map(|series| self.rules.pairs_most - series.ratios[0].len()).sum()
    }

    /// Cases that are not settled.
    pub(crate) fn open(&self) -> usize {
        self.cases.iter().filter(|series| series.open).count()
    }
}

impl Series {
    fn look(&mut self, looks: &[Look], rules: &Rules) {
        let had = self.ratios[0].len();
        let Some(look) = looks.iter().find(|look| look.pairs == had) else { return };
        let judged = std::array::from_fn(|figure| judge(&self.ratios[figure], look, rules.limits));
        // Processor time is waited for. What of the rest all pairs there may be would not settle is
        // not: on a busy machine the clock can take thousands.
        let waits = |(figure, judged): (&Figure, &Judged)| {
            let can = *figure == Figure::Cpu || judged.needs <= rules.pairs_most;
            judged.verdict == Verdict::Open && can
        };
        self.judged = Some(judged);
        self.open = had < rules.pairs_most && (rules.all || FIGURES.iter().zip(&judged).any(waits));
    }

    /// One that is through.
    #[cfg(test)]
    pub(crate) const fn judged(
        ratios: [Vec<f64>; FIGURES.len()],
        judged: [Judged; FIGURES.len()],
    ) -> Self {
        Self { ratios, judged: Some(judged), open: false }
    }

    /// Whether a figure was judged to be so.
    pub(crate) fn is(&self, verdict: Verdict) -> bool {
        self.judged.iter().flatten().any(|figure| figure.verdict == verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { pairs_most: 120, wrong: WRONG, limits: Limits::USUAL, all: false };

    /// The old program always takes 1; the new one `new`; the second run `later` times as long.
    struct Steady {
        new: f64,
        later: f64,
    }

    impl Pairs for Steady {
        type Trouble = ();

        fn pair(&mut self, _: usize, _: usize, old_first: bool) -> Result<Ratios, ()> {
            let new_over_old = self.new.ln();
            let change = if old_first { new_over_old } else { -new_over_old };
            Ok([change + self.later.ln(); FIGURES.len()])
        }
    }

    fn run(mut pairs: Steady) -> Trial {
        let mut trial = Trial::new(3, RULES, 1);
        while trial.round(&mut pairs).expect("no trouble") {}
        trial
    }

    #[test]
    fn a_clear_change_is_told_at_the_first_look() {
        let trial = run(Steady { new: 1.2, later: 1.0 });

        for series in &trial.cases {
            assert!(series.is(Verdict::More));
            assert_eq!(series.ratios[0].len(), 16);
        }
        assert_eq!(trial.pairs_left(), 0);
    }

    #[test]
    fn being_second_is_no_change() {
        let trial = run(Steady { new: 1.0, later: 1.03 });

        assert!(trial.cases.iter().all(|series| !series.is(Verdict::More)));
        assert!(trial.cases.iter().all(|series| !series.is(Verdict::Less)));
    }

    #[test]
    fn the_same_seed_runs_the_same_order() {
        struct Order(Vec<(usize, bool)>);
        impl Pairs for Order {
            type Trouble = ();

            fn pair(&mut self, case: usize, _: usize, old_first: bool) -> Result<Ratios, ()> {
                self.0.push((case, old_first));
                Ok([0.0; FIGURES.len()])
            }
        }
        let order = |seed| {
            let mut order = Order(Vec::new());
            Trial::new(3, RULES, seed).round(&mut order).expect("no trouble");
            order.0
        };

        assert_eq!(order(7), order(7));
        assert!((0..20).any(|seed| order(seed) != order(7)));
    }
}
