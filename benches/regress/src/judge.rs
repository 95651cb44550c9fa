//! What an interval says about a figure.

use crate::{looks::Look, signed_rank::estimate};

/// What is measured of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Processor time of the program, all threads, in user and system.
    Cpu,
    /// From start to end by the clock.
    Wall,
    /// The most memory that was resident.
    Memory,
}

/// All of them, in the order of their numbers.
pub(crate) const FIGURES: [Figure; 3] = [Figure::Cpu, Figure::Wall, Figure::Memory];

impl Figure {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Memory => "memory",
        }
    }
}

/// Natural logarithms of the new program's figures through the old one's: one number a figure.
pub(crate) type Ratios = [f64; FIGURES.len()];

/// When something is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// What differs by no more is nobody's concern: the place of code in memory alone does as much.
    pub(crate) margin: f64,
    /// What is looked for: an interval that excludes as much in both directions settles a figure.
    pub(crate) sought: f64,
}

impl Limits {
    /// A hundredth does not matter, a twentieth is to be found.
    pub(crate) const USUAL: Self = Self { margin: 0.01, sought: 0.05 };
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// More by more than the margin: slower, or larger.
    More,
    /// Less by more than the margin.
    Less,
    /// A difference as large as what is looked for is excluded.
    Same,
    /// Neither.
    Open,
}

/// A figure as it stands after a look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) pairs: usize,
    /// New through old, the middle.
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// So many pairs would settle it, if they vary as those so far.
    pub(crate) needs: usize,
}

/// Looks at one figure.
pub(crate) fn judge(differences: &[f64], look: &Look, limits: Limits) -> Judged {
    let (middle, interval) = estimate(differences, look.cut);
    let (margin, sought) = (limits.margin.ln_1p(), limits.sought.ln_1p());
    let verdict = if interval.low > margin {
        Verdict::More
    } else if interval.high < -margin {
        Verdict::Less
    } else if interval.low > -sought && interval.high < sought {
        Verdict::Same
    } else {
        Verdict::Open
    };
    let pairs = differences.len();
    let needs = match verdict {
        Verdict::Open => needs(differences, look, sought - margin),
        _ => pairs,
    };
    let (ratio, low, high) = (middle.exp(), interval.low.exp(), interval.high.exp());
    Judged { verdict, pairs, ratio, low, high, needs }
}

/// So many pairs make intervals this wide, which can then not reach from the margin to what is looked
/// for: the width falls with the root of the number.
fn needs(differences: &[f64], look: &Look, width: f64) -> usize {
    let (_, interval) = estimate(differences, look.alone);
    let wider = (interval.high - interval.low) / width;
    (differences.len() as f64 * wider * wider).min(1e9).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::looks;

    fn told(middle: f64, spread: f64) -> Verdict {
        let looks = looks::planned(40, 0.001);
        let differences: Vec<f64> =
            (0..40).map(|n| middle.ln() + spread * (f64::from(n) / 19.5 - 1.0)).collect();
        judge(&differences, looks.last().expect("one"), Limits::USUAL).verdict
    }

    #[test]
    fn a_verdict_is_what_the_interval_excludes() {
        assert_eq!(told(1.05, 0.02), Verdict::More);
        assert_eq!(told(0.95, 0.02), Verdict::Less);
        assert_eq!(told(1.0, 0.02), Verdict::Same);
        assert_eq!(told(1.0, 0.5), Verdict::Open);
    }

    #[test]
    fn what_lies_within_the_margin_is_no_alarm_however_sure() {
        assert_eq!(told(1.005, 0.0001), Verdict::Same);
    }

    #[test]
    fn nothing_is_said_with_too_few_pairs() {
        let looks = looks::planned(5, 0.001);
        let judged = judge(&[0.5; 5], &looks[0], Limits::USUAL);

        assert_eq!(judged.verdict, Verdict::Open);
        assert!(judged.needs > 1_000_000, "{judged:?}");
    }
}
