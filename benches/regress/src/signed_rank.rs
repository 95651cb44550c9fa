//! Wilcoxon's signed ranks: where the middle of differences lies, exactly.
//!
//! Of n differences dᵢ the *Walsh averages* are (dᵢ + dⱼ) / 2 for i ≤ j, n (n + 1) / 2 in all. Their median
//! estimates the middle of the differences (Hodges and Lehmann 1963). If the signs of the differences
//! are fair coins, as many averages lie above zero as the ranks of the positive ones add up to, T⁺,
//! and that has the distribution of a sum of 1 … n each taken or not:
//!
//! ```text
//! P(T⁺ = t) = #{ S ⊆ {1 … n} : Σ S = t } / 2ⁿ
//! ```
//!
//! So the c-th smallest and the c-th largest average hold the middle between them, but for a share of
//! 2 P(T⁺ ≤ c − 1) (Hollander and Wolfe, Nonparametric Statistical Methods, section 3.3). Nothing is assumed
//! about the sizes of the differences. Ties and zeros only make the interval hold more often.

/// Where a ratio lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// P(T⁺ = t) for t = 0, 1, …
fn distribution(pairs: usize) -> Vec<f64> {
    let mut shares = vec![0.0; pairs * (pairs + 1) / 2 + 1];
    shares[0] = 1.0;
    let mut most = 0;
    for rank in 1..=pairs {
        most += rank;
        for sum in (0..=most).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = (shares[sum] + with) / 2.0;
        }
    }
    shares
}

/// How far from the ends of the sorted Walsh averages an interval begins, and how often each of its ends
/// is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    /// The how-manieth from either end; with 0 nothing can be said.
    pub(crate) rank: usize,
    /// P(T⁺ ≤ rank − 1).
    pub(crate) wrong: f64,
}

/// The narrowest interval of which each end is wrong in at most this share.
pub(crate) fn cut(pairs: usize, wrong_most: f64) -> Cut {
    let mut cut = Cut { rank: 0, wrong: 0.0 };
    for share in distribution(pairs) {
        if cut.wrong + share > wrong_most {
            break;
        }
        cut = Cut { rank: cut.rank + 1, wrong: cut.wrong + share };
    }
    cut
}

/// The middle of the differences, and what holds it.
pub(crate) fn estimate(differences: &[f64], cut: Cut) -> (f64, Interval) {
    let mut averages = walsh(differences);
    let last = averages.len() - 1;
    let middle = (nth(&mut averages, last / 2) + nth(&mut averages, last.div_ceil(2))) / 2.0;
    let interval = match cut.rank {
        0 => Interval { low: f64::NEG_INFINITY, high: f64::INFINITY },
        rank => Interval {
            low: nth(&mut averages, rank - 1),
            high: nth(&mut averages, last + 1 - rank),
        },
    };
    (middle, interval)
}

fn walsh(differences: &[f64]) -> Vec<f64> {
    let with = |(n, one): (usize, &f64)| {
        let one = *one;
        differences[n..].iter().map(move |other| f64::midpoint(one, *other))
    };
    differences.iter().enumerate().flat_map(with).collect()
}

fn nth(values: &mut [f64], at: usize) -> f64 {
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(T⁺ ≤ t).
    fn below(pairs: usize, t: usize) -> f64 {
        distribution(pairs)[..=t].iter().sum()
    }

    #[test]
    fn sums_of_ranks_are_as_counted_by_hand() {
        // Of {1, 2, 3} the eight sums are 0 1 2 3 3 4 5 6.
        assert_eq!(distribution(3), [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0].map(|n| n / 8.0));
    }

    #[test]
    fn critical_values_are_those_of_printed_tables() {
        // Wilcoxon's table (Hollander and Wolfe, table A.4; R's `qsignrank(p, n) - 1`): the largest t with P(T⁺ ≤ t)
        // at most the level of one side.
        for (pairs, level, critical) in [
            (6, 0.025, Some(0)),
            (8, 0.025, Some(3)),
            (10, 0.025, Some(8)),
            (10, 0.005, Some(3)),
            (15, 0.025, Some(25)),
            (20, 0.025, Some(52)),
            (20, 0.005, Some(37)),
            (30, 0.025, Some(137)),
            (50, 0.025, Some(434)),
            (5, 0.025, None),
        ] {
            let cut = cut(pairs, level);
            assert_eq!(cut.rank.checked_sub(1), critical, "{pairs} pairs at {level}");
        }
    }

    #[test]
    fn exact_shares_are_those_of_printed_tables() {
        // Table A.4, n = 10: P(T⁺ ≥ 47) = P(T⁺ ≤ 8) = 0.024, P(T⁺ ≤ 3) = 0.005: 25 and 5 of 1 024.
        assert_eq!(below(10, 8), 25.0 / 1_024.0);
        assert_eq!(below(10, 3), 5.0 / 1_024.0);
        assert!((below(120, 120 * 121 / 2) - 1.0).abs() < 1e-12, "all of them");
    }

    #[test]
    #[expect(clippy::approx_constant, reason = "a patient's score")]
    fn depression_scores_have_the_interval_of_the_textbook() {
        // Hollander and Wolfe, example 3.1 (nine patients before and after): estimate −0.46, and −0.786 to −0.010
        // with 96.1 %.
        let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences: Vec<f64> = after.iter().zip(before).map(|(y, x)| y - x).collect();

        let cut = cut(9, 0.0196);
        let (middle, interval) = estimate(&differences, cut);

        assert!((middle + 0.46).abs() < 1e-9, "{middle}");
        assert!((interval.low + 0.786).abs() < 1e-9, "{interval:?}");
        assert!((interval.high + 0.010).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn ties_and_zeros_do_not_make_it_wrong_more_often() {
        // All signs of six differences, three of one size and one of none: an interval away from zero on
        // the upper side may come in at most 2 / 64.
        let sizes: [f64; 6] = [0.0, 1.0, 1.0, 1.0, 2.0, 3.0];
        let cut = cut(6, 2.0 / 64.0);
        let wrong = (0..64).filter(|signs| {
            let signed = |(n, size): (usize, f64)| if signs >> n & 1 == 1 { size } else { -size };
            let values: Vec<f64> = sizes.into_iter().enumerate().map(signed).collect();
            estimate(&values, cut).1.low > 0.0
        });

        assert!(wrong.count() <= 2);
    }
}
