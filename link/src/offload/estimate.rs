//! [`Estimate`]: how long a side takes, and how far that is to be trusted.

/// Smoothed mean and mean deviation of spans, as TCP keeps those of its round trips (RFC 6298): an eighth of the mean
/// and a quarter of the deviation are new each time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    mean: f64,
    deviation: f64,
    count: u64,
}

impl Estimate {
    /// Takes note of a span in nanoseconds.
    pub fn learn(&mut self, took_ns: i64) {
        let took = took_ns.max(0) as f64;
        if self.count == 0 {
            (self.mean, self.deviation) = (took, took / 2.0);
        } else {
            self.deviation += ((took - self.mean).abs() - self.deviation) / 4.0;
            self.mean += (took - self.mean) / 8.0;
        }
        self.count += 1;
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
        self.count = 0;
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
}
