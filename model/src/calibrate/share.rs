//! [`Share`]: how often something happened, and between which bounds it lies at every moment at once.

/// A share that is counted, with bounds that hold at all times together: the probability that they ever miss it is at
/// most `1 − confidence`, however often one looks, if it does not change.
///
/// The bounds are those of Robbins' mixture (1970, *Statistical Methods Related to the Law of the Iterated
/// Logarithm*): a share is left out where bets on all shares, weighed by Jeffreys' prior (Krichevsky and Trofimov 1981), would
/// have won `1 / (1 − confidence)` against it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    seen: u64,
    met: u64,
    /// Logarithm of the probability that the mixture gave to what came.
    mixture: f64,
}

impl Share {
    /// Takes note of one more.
    pub fn saw(&mut self, is_met: bool) {
        let count = if is_met { self.met } else { self.seen - self.met };
        self.mixture += ((count as f64 + 0.5) / (self.seen as f64 + 1.0)).ln();
        self.seen += 1;
        self.met += u64::from(is_met);
    }

    /// How many were seen.
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// In how many of them it happened.
    pub const fn met(&self) -> u64 {
        self.met
    }

    /// The share that was seen; nothing before anything was.
    pub fn value(&self) -> Option<f64> {
        (self.seen > 0).then(|| self.met as f64 / self.seen as f64)
    }

    /// The least and the largest share that is not excluded. Takes a few microseconds.
    pub fn bounds(&self, confidence: f64) -> [f64; 2] {
        let Some(value) = self.value() else { return [0.0, 1.0] };
        let (met, not) = (self.met as f64, (self.seen - self.met) as f64);
        let part = |count: f64, share: f64| if count == 0.0 { 0.0 } else { count * share.ln() };
        let level = -(1.0 - confidence).ln();
        let is_in = |p: f64| self.mixture - part(met, p) - part(not, 1.0 - p) < level;
        // Between a share that is in and one that is out, sixty halvings: as exact as numbers are.
        let border = |mut inner: f64, mut outer: f64| {
            if is_in(outer) {
                return outer;
            }
            for _ in 0..60 {
                let middle = f64::midpoint(inner, outer);
                *(if is_in(middle) { &mut inner } else { &mut outer }) = middle;
            }
            outer
        };
        [border(value, 0.0), border(value, 1.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::{super::split::Random, *};

    #[test]
    fn bounds_hold_at_all_times_together() {
        for share in [0.01, 0.3, 0.5] {
            let missed = (0..500).filter(|&seed| {
                let (mut random, mut counted) = (Random(seed), Share::default());
                (0..2_000).any(|n| {
                    counted.saw(random.share() < share);
                    // Looked at often early, where it moves, and now and then later.
                    let is_looked_at = n < 100 || n % 50 == 0;
                    let is_in = |[least, most]: [f64; 2]| (least..=most).contains(&share);
                    is_looked_at && !is_in(counted.bounds(0.9))
                })
            });
            let count = missed.count();
            // 10 % of 500, and two standard deviations of such a count.
            assert!(count <= 50 + 13, "{count} of 500 at {share}");
        }
    }

    #[test]
    fn bounds_close_in_on_the_share() {
        let mut counted = Share::default();
        assert_eq!((counted.value(), counted.bounds(0.95)), (None, [0.0, 1.0]));
        (0..10_000).for_each(|n| counted.saw(n % 50 == 0));
        let [least, most] = counted.bounds(0.95);
        assert_eq!(counted.value(), Some(0.02));
        assert!(least > 0.014 && most < 0.027, "{least} {most}");
        let mut never = Share::default();
        (0..1_000).for_each(|_| never.saw(false));
        let [least, most] = never.bounds(0.95);
        assert!(least == 0.0 && most < 0.008, "{least} {most}");
    }
}
