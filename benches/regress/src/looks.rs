//! When to look at what was measured, and how much of the risk to be wrong each look may take.
//!
//! Whoever looks after every pair and stops when it suits them is wrong far more often than they say. So
//! looks are few and fixed beforehand, each half as many pairs again as the one before, and the risk is
//! spent as pairs come in (Lan and DeMets 1983, α(t) = α t): after a share t of the pairs no more than
//! that share of it. What the steps of an exact test leave over, the next look has. All looks together
//! are wrong no more often than their risks add up to, whatever depends on what; so a case may
//! stop after any of them.

use crate::signed_rank::{Cut, cut};

/// Before so many pairs nothing can be told with the risk that is left for it.
const PAIRS_FIRST: usize = 16;

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// After so many pairs.
    pub(crate) pairs: usize,
    /// Where intervals end.
    pub(crate) cut: Cut,
    /// Where they would if this were the only look: how well what there is could tell.
    pub(crate) alone: Cut,
}

/// All looks of one figure, which are together wrong in at most the share `wrong`, on both sides.
pub(crate) fn planned(pairs_most: usize, wrong: f64) -> Vec<Look> {
    let mut spent = 0.0;
    let of = |pairs: usize| {
        let allowed = wrong * pairs as f64 / pairs_most as f64;
        let (own, alone) = (cut(pairs, (allowed - spent) / 2.0), cut(pairs, wrong / 2.0));
        spent += 2.0 * own.wrong;
        Look { pairs, cut: own, alone }
    };
    numbers(pairs_most).into_iter().map(of).collect()
}

fn numbers(pairs_most: usize) -> Vec<usize> {
    let next = |pairs: &usize| Some(pairs + pairs / 2);
    let all = std::iter::successors(Some(PAIRS_FIRST), next);
    // The last look is at all pairs; one shortly before would be for nothing.
    let mut numbers: Vec<usize> = all.take_while(|pairs| pairs * 5 / 4 < pairs_most).collect();
    numbers.push(pairs_most);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_by_half_and_end_with_the_last_pair() {
        assert_eq!(numbers(120), [16, 24, 36, 54, 81, 120]);
        assert_eq!(numbers(90), [16, 24, 36, 54, 90]);
        assert_eq!(numbers(10), [10]);
    }

    #[test]
    fn all_looks_together_spend_no_more_than_they_may() {
        for (pairs, wrong) in [(60, 0.01), (120, 4e-4), (300, 1e-3)] {
            let mut spent = 0.0;
            for look in planned(pairs, wrong) {
                spent += 2.0 * look.cut.wrong;
                assert!(spent <= wrong * look.pairs as f64 / pairs as f64 * (1.0 + 1e-12));
            }
            // The exact steps at the last look are small.
            assert!(spent > 0.9 * wrong, "{spent} of {wrong}");
        }
    }
}
