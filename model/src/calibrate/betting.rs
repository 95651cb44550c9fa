//! What losses from 0 to 1 say about their mean, by a bet against it: as exact as a binomial test, and for losses that vary
//! little sharper than bounds that know nothing of how they vary.
//!
//! Whoever bets the share `λ` of what it has that a loss lies below `mean` has `1 − λ·(loss − mean)` of it afterwards. If the mean
//! is `mean` or more, this gains nothing on the average, so that it becomes twenty times as much with probability one twentieth at
//! most (Ville's inequality), whenever one looks. Source: Waudby-Smith and Ramdas 2024, *Estimating means of bounded random
//! variables by betting*, J. R. Stat. Soc. B 86(1), sections 4 and B.3 (predictable plug-in).

/// At most such a share of what a loss of 1 would take is bet.
const BOLD: f64 = 0.9;
/// Means that are tried for a bound.
const GRID: usize = 1_000;

/// Whether, at level `delta`, the mean of the losses to come is below `mean`, by these in this order, which must not depend on them.
///
/// Takes time in proportion to them.
pub(super) fn wins(losses: &[f64], mean: f64, delta: f64) -> bool {
    let most = BOLD / (1.0 - mean);
    // Before any loss, as if there had been one that varies as the boldest losses of that mean do.
    let (mut sum, mut squares, mut seen) = (mean, mean * (1.0 - mean), 1.0);
    let (mut wealth, bold) = (0.0, 2.0 * (1.0 / delta).ln() / losses.len().max(1) as f64);
    for &loss in losses {
        let bet = (bold * seen / squares).sqrt().min(most);
        wealth += (-bet * (loss - mean)).ln_1p();
        if wealth >= -delta.ln() {
            return true;
        }
        sum += loss;
        seen += 1.0;
        let apart = loss - sum / seen;
        squares += apart * apart;
    }
    false
}

/// So many losses of 0 are needed that the mean of those to come is below `mean`, at level `delta`.
pub(super) fn not_below(mean: f64, delta: f64) -> usize {
    // The bet is as bold as it may be by then, or it would not be needed so long.
    let mut count = (-delta.ln() / (BOLD * mean / (1.0 - mean)).ln_1p()).floor().max(1.0) as usize;
    while !wins(&vec![0.0; count], mean, delta) {
        count += 1;
    }
    count
}

/// Bounds between which the mean of the losses to come lies with probability `1 − delta`.
pub(super) fn least_and_most(losses: &[f64], delta: f64) -> [f64; 2] {
    let gains: Vec<f64> = losses.iter().map(|loss| 1.0 - loss).collect();
    [1.0 - most(&gains, delta / 2.0), most(losses, delta / 2.0)]
}

/// What the mean of the losses to come is below with probability `1 − delta`.
fn most(losses: &[f64], delta: f64) -> f64 {
    let grid = (1..GRID).map(|n| n as f64 / GRID as f64);
    // Above the largest mean that cannot be excluded.
    grid.rev()
        .find(|&mean| !wins(losses, mean, delta))
        .map_or(1.0 / GRID as f64, |mean| (mean + 1.0 / GRID as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::{super::split::Random, *};

    const WORLDS: u64 = 1_000;

    /// Losses of groups that resemble each other within: most lose nothing, some lose much.
    fn drawn(count: usize, mean: f64, seed: u64) -> Vec<f64> {
        let mut random = Random(seed);
        let mut one = || match random.share() < 0.2 {
            // A fifth of the groups loses five times the mean, give or take.
            true => (5.0 * mean * 2.0 * random.share()).min(1.0),
            false => 0.0,
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn a_mean_that_is_not_below_is_said_to_be_as_rarely_as_promised() {
        for (mean, count) in [(0.05, 100), (0.05, 400), (0.09, 60)] {
            let wrong = (0..WORLDS).filter(|&seed| wins(&drawn(count, mean, seed), mean, 0.1));
            let wrong = wrong.count();
            // 10 % of a thousand and two standard deviations of such a count.
            assert!(wrong <= 100 + 19, "{wrong} of {WORLDS} at {mean}");
            // A test that never speaks would pass as well.
            assert!(wrong > 0, "never at {mean}");
        }
    }

    #[test]
    fn samples_of_groups_that_count_one_by_one_are_wrong_too_often() {
        // The same losses, each of ten samples that count for themselves: what this test is there against.
        let (mean, count) = (0.05, 100);
        let wrong = (0..WORLDS).filter(|&seed| {
            let lost: f64 = drawn(count, mean, seed).iter().map(|loss| (10.0 * loss).round()).sum();
            super::super::binomial_tail(lost as usize, 10 * count, mean) <= 0.1
        });
        let wrong = wrong.count();
        assert!(wrong > 150, "{wrong} of {WORLDS}: the law above could not fail");
    }

    #[test]
    fn a_mean_that_is_below_is_found() {
        let found = (0..200).filter(|&seed| wins(&drawn(300, 0.02, seed), 0.05, 0.05)).count();
        assert!(found > 180, "{found} of 200");
        // By a bound that does not know how they vary, from so many groups, hardly ever.
        let known = (0..200).filter(|&seed| {
            let losses = drawn(150, 0.02, seed);
            let mean = losses.iter().sum::<f64>() / 150.0;
            super::super::hoeffding_bentkus(mean, 150, 0.05) <= 0.05
        });
        let ours = (0..200).filter(|&seed| wins(&drawn(150, 0.02, seed), 0.05, 0.05)).count();
        let known = known.count();
        assert!(ours > known, "{ours} and {known} of 200");
    }

    #[test]
    fn hardly_more_is_needed_than_by_the_exact_test() {
        for (mean, delta, exact) in [(0.05, 0.05, 59), (0.2, 0.2, 8), (0.1, 0.1, 22)] {
            let needed = not_below(mean, delta);
            assert!((exact..=exact + exact / 5 + 2).contains(&needed), "{needed} at {mean}");
            assert!(!wins(&vec![0.0; needed - 1], mean, delta));
        }
    }

    #[test]
    fn bounds_hold_the_mean_as_often_as_promised_and_of_one_group_say_nothing() {
        let missed = (0..200).filter(|&seed| {
            let [least, most] = least_and_most(&drawn(80, 0.06, seed), 0.1);
            !(least..=most).contains(&0.06)
        });
        let missed = missed.count();
        assert!(missed <= 20 + 8, "{missed} of 200");
        let [least, most] = least_and_most(&[0.1], 0.05);
        // Almost nothing: that it would be a tenth at most, were the mean larger still, is unlikely (Markov).
        assert!(least < 0.01 && most > 0.97, "{least} {most}");
        let [least, most] = least_and_most(&drawn(2_000, 0.06, 1), 0.05);
        assert!(most - least < 0.03 && least > 0.0, "{least} {most}");
    }
}
