//! [`Evidence`]: what speaks against a promised risk, question after question, however long it goes on.

/// Risks above the promised one that are held against it.
const RIVALS: usize = 16;
/// A promise is tested from the first question on with this share of the weight; the rest is for changes that come later.
const AT_ONCE: f64 = 0.5;
/// Of the later weight, half is spent within so many questions.
const HORIZON: f64 = 1_000.0;

/// A sequential test of *the risk is at most so much*, for losses of 0 and 1 that may be looked at after each one, without
/// end: while the promise holds, the probability that it is ever said to be broken is at most `1 − confidence`.
///
/// Each rival risk `r` bets on likelihood: a loss multiplies its stake by `r / limit`, none by `(1 − r) / (1 − limit)`,
/// which gains nothing on the average as long as the risk is at most `limit`, also if it changes from question to question. A new
/// stake is laid at every question, as the risk may rise at any (Shiryaev's recursion); all that will ever be laid come to
/// one. So stakes are a non-negative supermartingale that begins at one, and exceed `1 / (1 − confidence)` with probability
/// `1 − confidence` at most (Ville's inequality). Sources: Ramdas, Grünwald, Vovk, Shafer 2023, *Game-theoretic statistics
/// and safe anytime-valid inference*, arXiv 2210.01948; Shin, Ramdas, Rinaldo 2022, *E-detectors*, arXiv 2203.03532.
///
/// 32 multiplications a question, and no allocation.
#[derive(Clone, Debug)]
pub struct Evidence {
    rivals: [Rival; RIVALS],
    level: f64,
    seen: u64,
    is_broken: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rival {
    stake: f64,
    /// What a question without a loss multiplies it by, and one with; and the logarithms.
    factors: [f64; 2],
    logs: [f64; 2],
    /// Logarithm of what it has won since some moment, the most there could be.
    won: f64,
    since: Since,
}

/// Questions since some moment, and losses among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Questions.
    pub seen: u64,
    /// Losses among them.
    pub lost: u64,
}

impl Evidence {
    /// Against a risk of at most `limit`, with so much confidence.
    ///
    /// # Panics
    /// If one of them is not between 0 and 1.
    pub fn new(limit: f64, confidence: f64) -> Self {
        let is_share = |share: f64| share > 0.0 && share < 1.0;
        assert!(is_share(limit) && is_share(confidence), "shares between 0 and 1");
        let logit = |share: f64| (share / (1.0 - share)).ln();
        // From a third above the odds that are promised to twenty to one, evenly by their logarithms.
        let first = logit(limit) + 0.3;
        let last = (first + 1.0).max(3.0);
        let rival = |number: usize| {
            let odds = first + (last - first) * number as f64 / (RIVALS - 1) as f64;
            let risk = 1.0 / (1.0 + (-odds).exp());
            let factors = [(1.0 - risk) / (1.0 - limit), risk / limit];
            Rival { factors, logs: factors.map(f64::ln), ..Rival::default() }
        };
        let rivals = std::array::from_fn(rival);
        Self { rivals, level: 1.0 / (1.0 - confidence), seen: 0, is_broken: false }
    }

    /// Takes note of a question, and of whether something was lost by it.
    pub fn saw(&mut self, lost: bool) {
        let new = self.new_stake() / RIVALS as f64;
        self.seen += 1;
        for rival in &mut self.rivals {
            let at = usize::from(lost);
            // Beyond the largest number it is broken all the more.
            rival.stake = ((rival.stake + new) * rival.factors[at]).min(f64::MAX / RIVALS as f64);
            if rival.won <= 0.0 {
                (rival.won, rival.since) = (0.0, Since::default());
            }
            rival.won += rival.logs[at];
            rival.since.seen += 1;
            rival.since.lost += u64::from(lost);
        }
        self.is_broken |= self.stakes() >= self.level;
    }

    /// What is laid anew at the next question.
    fn new_stake(&self) -> f64 {
        let seen = self.seen as f64;
        // 1 / ((t + h) (t + h + 1)) from t = 0 on comes to 1 / h.
        let later = (1.0 - AT_ONCE) * HORIZON / ((seen + HORIZON) * (seen + HORIZON + 1.0));
        if self.seen == 0 { AT_ONCE + later } else { later }
    }

    /// What the stakes have come to; the promise is broken from `1 / (1 − confidence)` on, and little speaks against it below one.
    pub fn stakes(&self) -> f64 {
        self.rivals.iter().map(|rival| rival.stake).sum()
    }

    /// Whether the promise is broken; once it is it remains so.
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The last questions, as many as speak most against the promise.
    pub fn lately(&self) -> Since {
        let best = self.rivals.iter().max_by(|one, other| one.won.total_cmp(&other.won));
        best.map_or(Since::default(), |rival| rival.since)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::split::Random, *};

    const STREAMS: u64 = 1_000;

    /// After how many questions it is said to be broken, if within so many.
    fn broken(
        limit: f64,
        questions: usize,
        seed: u64,
        risk: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        let mut random = Random(seed);
        let mut evidence = Evidence::new(limit, 0.95);
        (0..questions).find(|&n| {
            evidence.saw(random.share() < risk(n));
            evidence.is_broken()
        })
    }

    #[test]
    fn a_promise_that_is_just_kept_is_rarely_called_broken_however_long_one_looks() {
        for (limit, questions) in [(0.005, 20_000), (0.05, 10_000), (0.5, 5_000)] {
            let false_alarms =
                (0..STREAMS).filter(|&seed| broken(limit, questions, seed, |_| limit).is_some());
            let count = false_alarms.count();
            // 5 % of a thousand, and two standard deviations of such a count.
            assert!(count <= 50 + 14, "{count} of {STREAMS} at {limit}");
            // A test that never speaks would pass as well.
            assert!(count > 0, "never at {limit}");
        }
    }

    #[test]
    fn a_risk_that_wanders_below_the_promise_breaks_nothing() {
        let limit = 0.02;
        let wander = |n: usize| if (n / 700).is_multiple_of(2) { limit } else { limit / 10.0 };
        let count = (0..STREAMS).filter(|&seed| broken(limit, 10_000, seed, wander).is_some());
        assert!(count.count() <= 50);
    }

    #[test]
    fn a_test_of_fixed_size_that_is_looked_at_again_and_again_calls_wolf() {
        // The same streams; a binomial test at 5 % after each question.
        let limit = 0.05;
        let wolf = |seed: u64| {
            let mut random = Random(seed);
            let mut lost = 0;
            (1..=2_000).any(|n| {
                lost += usize::from(random.share() < limit);
                let at_least = 1.0 - super::super::binomial_tail(lost.max(1) - 1, n, limit);
                lost > 0 && n > 10 && at_least <= 0.05
            })
        };
        let count = (0..100).filter(|&seed| wolf(seed)).count();
        assert!(count > 15, "{count} of 100: this law could not fail");
    }

    #[test]
    fn a_shift_is_found_soon_also_after_a_long_time_of_rest() {
        // Promised 1 %, half of that is seen; then more.
        for (risk, before, within) in [
            (0.5, 0, 20),
            (0.5, 10_000, 30),
            (0.1, 0, 200),
            (0.1, 10_000, 300),
            (0.03, 1_000, 2_500),
        ] {
            let found = (0..200).filter(|&seed| {
                let shifts = |n: usize| if n < before { 0.005 } else { risk };
                let at = broken(0.01, before + within, seed, shifts);
                at.is_some_and(|at| at >= before)
            });
            let count = found.count();
            assert!(count >= 180, "{count} of 200 at {risk} after {before}");
        }
    }

    #[test]
    fn what_it_has_seen_lately_is_what_came_with_the_shift() {
        let mut evidence = Evidence::new(0.01, 0.95);
        (0..2_000).for_each(|_| evidence.saw(false));
        (0..10).for_each(|n| evidence.saw(n % 2 == 0));
        assert!(evidence.is_broken());
        assert_eq!(evidence.lately(), Since { seen: 10, lost: 5 });
        // It does not come back, whatever follows, nor overflow.
        (0..10_000).for_each(|_| evidence.saw(true));
        (0..100_000).for_each(|_| evidence.saw(false));
        assert!(evidence.is_broken() && evidence.stakes().is_finite());
    }
}
