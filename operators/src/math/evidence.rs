//! Belief in something that is so or not, from signs that are more or less likely if it is.
//!
//! ```text
//! L = ln(p / (1 − p))                             log odds, at first those of the prior L₀
//! L ← L + ln(1 + q (Λ − 1))                       a sign of likelihood ratio Λ, believed with
//!                                                 quality q: with 1 − q it says nothing
//! L ← L₀ + (L − L₀) · 2^(−t / half-life)          what was seen grows old
//! ```
//!
//! `Λ = P(sign | it is so) / P(sign | it is not)`. `|L|` is limited, so that whatever was believed
//! can still be changed.

/// Log odds that signs change and time brings back to the prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    prior: f64,
    limit: f64,
    half_life_s: f64,
    log_odds: f64,
}

impl Evidence {
    /// The prior probability, the largest log odds either way, and how fast signs grow old (infinite:
    /// never).
    pub fn new(prior: f64, limit: f64, half_life_s: f64) -> Self {
        let prior = (prior / (1.0 - prior)).ln();
        Self { prior, limit, half_life_s, log_odds: prior }
    }

    /// Forgets all signs.
    pub const fn reset(&mut self) {
        self.log_odds = self.prior;
    }

    /// Lets time pass.
    pub fn age(&mut self, seconds: f64) {
        let left = (-seconds / self.half_life_s).exp2();
        self.log_odds = self.prior + (self.log_odds - self.prior) * left;
    }

    /// A sign of this likelihood ratio, believed with a quality from 0 to 1.
    pub fn see(&mut self, likelihood_ratio: f64, quality: f64) {
        let step = (quality * (likelihood_ratio - 1.0)).ln_1p();
        self.log_odds = (self.log_odds + step).clamp(-self.limit, self.limit);
    }

    /// The log odds.
    pub const fn log_odds(&self) -> f64 {
        self.log_odds
    }

    /// Takes up log odds that were saved.
    pub const fn set_log_odds(&mut self, log_odds: f64) {
        self.log_odds = log_odds;
    }

    /// The probability.
    pub fn probability(&self) -> f64 {
        1.0 / (1.0 + (-self.log_odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_multiply_the_odds_as_bayes_says() {
        let mut evidence = Evidence::new(0.01, 20.0, f64::INFINITY);
        assert!((evidence.probability() - 0.01).abs() < 1e-15);
        // A test that finds 90 % of the ill and 5 % of the healthy, twice positive, once negative.
        let (positive, negative) = (0.9 / 0.05, 0.1 / 0.95);
        for ratio in [positive, positive, negative] {
            evidence.age(1e6);
            evidence.see(ratio, 1.0);
        }
        let (ill, healthy) = (0.01 * 0.9 * 0.9 * 0.1, 0.99 * 0.05 * 0.05 * 0.95);
        assert!((evidence.probability() - ill / (ill + healthy)).abs() < 1e-14);
    }

    #[test]
    fn a_sign_of_no_quality_says_nothing_and_of_half_as_a_mixture() {
        let mut evidence = Evidence::new(0.5, 20.0, 10.0);
        evidence.see(100.0, 0.0);
        assert_eq!(evidence.log_odds(), 0.0);
        evidence.see(3.0, 0.5);
        // P(sign | so) is ½ · 3 c + ½ · c where it means nothing: odds of two.
        assert!((evidence.probability() - 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn what_was_seen_grows_old_and_never_becomes_certain() {
        let mut evidence = Evidence::new(0.5, 5.0, 10.0);
        (0..100).for_each(|_| evidence.see(10.0, 1.0));
        assert_eq!(evidence.log_odds(), 5.0);
        evidence.age(20.0);
        assert!((evidence.log_odds() - 1.25).abs() < 1e-15);
    }
}
