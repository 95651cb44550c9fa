//! Instructions that a run executes, as callgrind counts them.
//!
//! They do not depend on what else the machine does, and hardly on the machine: of cases on one core they vary by
//! 0.03 to 0.7 % from run to run, through timers and who waits for whom. So three runs of each program are
//! enough, by turns, and no statistics: a change is told where the medians differ by more than
//! [`TOLD`]. What instructions cost, they do not say.

use std::{path::Path, process::Command};

use crate::{
    judge::Verdict,
    measure::{Place, RUN_MOST},
    trouble::Trouble,
};

/// Runs of each program.
pub(crate) const RUNS: usize = 3;
/// Of ten recorded counts of a case (`noise/instructions.txt`) no two medians of three are farther apart than
/// 0.34 %; what is to be found is 1 %.
pub(crate) const TOLD: f64 = 0.005;

/// What both programs executed.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) old: Vec<f64>,
    pub(crate) new: Vec<f64>,
}

impl Counted {
    /// Medians, new through old.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.new) / median(&self.old)
    }

    /// Every run of one through every run of the other, the extremes.
    pub(crate) fn range(&self) -> (f64, f64) {
        let least = |runs: &[f64]| runs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = |runs: &[f64]| runs.iter().copied().fold(0.0, f64::max);
        (least(&self.new) / most(&self.old), most(&self.new) / least(&self.old))
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.ratio().ln() {
            change if change > TOLD => Verdict::More,
            change if change < -TOLD => Verdict::Less,
            change if change.is_finite() => Verdict::Same,
            _ => Verdict::Open,
        }
    }
}

fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether callgrind is at hand.
pub(crate) fn can() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|told| told.status.success())
}

/// Instructions of one run; none where the program does not run under callgrind.
pub(crate) fn run(
    place: &Place<'_>,
    program: &Path,
    words: &[String],
) -> Result<Option<f64>, Trouble> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(words);
    let (succeeded, _, said) = place.watch(&mut valgrind, RUN_MOST)?;
    Ok(if succeeded { collected(&said) } else { None })
}

/// `==123== Collected : 42333869`, whatever the program writes besides.
fn collected(said: &str) -> Option<f64> {
    let told = |line: &str| line.split_once("Collected :")?.1.trim().parse().ok();
    said.lines().filter(|line| line.starts_with("==")).find_map(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_among_other_lines() {
        let said = "note: x\n==5== \n==5== Collected : 42333869\n==5== I   refs:      42,333,869\n";

        assert_eq!(collected(said), Some(42_333_869.0));
        assert_eq!(collected("Collected : 5"), None);
    }

    #[test]
    fn a_hundredth_is_told_and_a_thousandth_is_not() {
        let counted = |factor: f64| Counted {
            old: vec![1e8, 1.0002e8, 0.9999e8],
            new: vec![1e8 * factor, 1.0001e8 * factor, 0.9998e8 * factor],
        };

        assert_eq!(counted(1.01).verdict(), Verdict::More);
        assert_eq!(counted(0.99).verdict(), Verdict::Less);
        assert_eq!(counted(1.001).verdict(), Verdict::Same);
    }
}
