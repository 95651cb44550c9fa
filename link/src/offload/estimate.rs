//! [`Estimate`]: how long a side takes, and how far that is to be trusted.

/// Smoothed mean and mean deviation of spans, as TCP keeps those of its round trips (RFC 6298): an eighth of the mean
/// and a quarter of the deviation are new each time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    mean: f64,
    deviation: f64,
    count: u64,
    /// Nothing but misses so far: the first answer says more than all of them.
    is_guess: bool,
    /// Misses since the last answer.
    misses: u32,
}

/// So many misses in a row mean that nobody answers.
const SILENT: u32 = 3;

impl Estimate {
    /// Takes note of a span in nanoseconds.
    pub fn learn(&mut self, took_ns: i64) {
        self.misses = 0;
        let took = took_ns.max(0) as f64;
        if self.count == 0 || std::mem::take(&mut self.is_guess) {
            (self.mean, self.deviation) = (took, took / 2.0);
        } else {
            self.deviation += ((took - self.mean).abs() - self.deviation) / 4.0;
            self.mean += (took - self.mean) / 8.0;
        }
        self.count += 1;
    }

    /// Takes note that it takes so long at least.
    pub fn learn_at_least(&mut self, waited_ns: i64) {
        let misses = self.misses.saturating_add(1);
        if !self.is_known() || self.is_guess {
            (self.mean, self.deviation) = (waited_ns.max(0) as f64, 0.0);
            (self.count, self.is_guess) = (1, true);
        } else if self.upper() < waited_ns {
            self.learn(waited_ns);
        }
        self.misses = misses;
    }

    /// Whether nothing has come back for a while, or ever.
    pub const fn is_silent(&self) -> bool {
        self.is_guess || self.misses >= SILENT
    }

    /// Whether anything is known.
    pub const fn is_known(&self) -> bool {
        self.count > 0
    }

    /// What it takes as a rule, in nanoseconds; 0 where nothing is known.
    pub const fn mean(&self) -> i64 {
        self.mean as i64
    }

    /// What it seldom exceeds: the mean and four deviations.
    pub const fn upper(&self) -> i64 {
        (self.mean + 4.0 * self.deviation) as i64
    }

    /// Begins anew with the next span.
    pub fn forget(&mut self) {
        (self.count, self.is_guess, self.misses) = (0, false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_it_is_told_as_rfc_6298_has_it() {
        let mut estimate = Estimate::default();
        assert!(!estimate.is_known());
        estimate.learn(100);
        assert_eq!((estimate.mean(), estimate.upper()), (100, 300));
        // 50 + (100 − 50) / 4 = 62.5 beside 100 + 100 / 8 = 112.5.
        estimate.learn(200);
        assert_eq!((estimate.mean(), estimate.upper()), (112, 362));
        (0..200).for_each(|_| estimate.learn(80));
        assert_eq!((estimate.mean(), estimate.upper()), (80, 80));
        estimate.forget();
        estimate.learn(7);
        assert_eq!(estimate.mean(), 7);
    }

    #[test]
    fn one_answer_says_more_than_many_that_were_missed() {
        let mut estimate = Estimate::default();
        (0..5).for_each(|_| estimate.learn_at_least(240));
        assert_eq!((estimate.mean(), estimate.upper()), (240, 240));
        estimate.learn(5);
        assert_eq!(estimate.mean(), 5);
        // From then on a miss counts as what it is.
        estimate.learn_at_least(1);
        assert_eq!(estimate.mean(), 5, "that says nothing");
        estimate.learn_at_least(240);
        assert_eq!((estimate.mean(), estimate.is_silent()), (34, false));
        (0..3).for_each(|_| estimate.learn_at_least(240));
        assert!(estimate.is_silent());
        estimate.learn(5);
        assert!(!estimate.is_silent());
    }
}
