//! [`Chooser`]: which frames of a source are followed.

use crate::time::Timestamp;

use super::Steps;

/// More frames are not skipped at a time.
const SKIPPED_MAX: u64 = 1 << 32;
/// A source is looked at anew when no frame was chosen for so many times as long as there should be between two:
/// it has become slow.
const OVERDUE: i64 = 4;
/// From one frame to the next there is at most this much more time than there was; else it begins anew, so that
/// all of very many sources do not come at once.
const MUCH_MORE: i64 = 16;

/// Chooses the frames of one source that are followed: at random, so that none of those that come together
/// is preferred, and so many that they come at a certain rate.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    /// Frames up to the next that is followed.
    left: u64,
    /// Frames from the last one that was followed to the next.
    stride: u64,
    last: Timestamp,
    /// What comes from this moment on is looked at, wherever it stands.
    overdue: Timestamp,
    /// Nanoseconds between two frames, as of the last one.
    every_ns: i64,
    random: u64,
}

impl Chooser {
    pub(crate) const fn new(seed: u64) -> Self {
        let (last, overdue) = (Timestamp::MIN, Timestamp::MAX);
        Self { left: 1, stride: 1, last, overdue, every_ns: 0, random: seed | 1 }
    }

    /// The stamp of a frame that comes in at `entered`, marked or not.
    #[inline]
    pub(crate) fn stamp(&mut self, entered: Timestamp, steps: &Steps) -> Timestamp {
        self.left -= 1;
        let is_chosen = (self.left == 0 || entered >= self.overdue) && self.chooses(entered, steps);
        Timestamp::from_nanos(entered.nanos() & !1 | i64::from(is_chosen))
    }

    /// Whether the frame that is looked at now is followed, and which one is looked at next.
    #[cold]
    fn chooses(&mut self, now: Timestamp, steps: &Steps) -> bool {
        let every_ns = steps.every_ns();
        let known_ns = std::mem::replace(&mut self.every_ns, every_ns);
        if every_ns / MUCH_MORE > known_ns.max(steps.asked_ns()) {
            self.waits(now, every_ns);
            return false;
        }
        let since_ns = now.since(std::mem::replace(&mut self.last, now)).max(1);
        let (seen, was_waiting) = (self.stride - self.left, self.stride == u64::MAX);
        // So many would have been one every `every_ns`; changed by no more than a factor of two at a time.
        let due = (seen as f64 * every_ns as f64 / since_ns as f64) as u64;
        let due = match was_waiting {
            true => due,
            false => due.clamp(self.stride.div_ceil(2), self.stride * 2),
        };
        let mean = due.clamp(1, SKIPPED_MAX);
        self.stride = 1 + self.random() % (2 * mean - 1);
        self.left = self.stride;
        self.overdue = now.plus_nanos(every_ns.saturating_mul(OVERDUE));
        true
    }

    /// Counts what comes for some part of the time that there is between two frames.
    fn waits(&mut self, now: Timestamp, every_ns: i64) {
        let wait_ns = 1 + self.random() % every_ns as u64;
        self.last = now;
        self.overdue = now.plus_nanos(wait_ns as i64);
        (self.stride, self.left) = (u64::MAX, u64::MAX);
    }

    /// xorshift64 (Marsaglia 2003).
    const fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::{EVERY_NS, is_followed};

    use super::*;

    fn following(sources: u32) -> Steps {
        let steps = Steps::default();
        steps.follow(Some(EVERY_NS));
        steps.thin_out();
        steps.choosers(sources);
        steps
    }

    /// How many are followed of the frames of each of these sources, which come so often in a second.
    fn counts(steps: &Steps, choosers: &mut [Chooser], rates: &[i64], seconds: i64) -> Vec<usize> {
        let of = |(chooser, &rate): (&mut Chooser, &i64)| {
            let at = |n: i64| Timestamp::from_nanos(n * (1_000_000_000 / rate));
            (0..seconds * rate).filter(|&n| is_followed(chooser.stamp(at(n), steps))).count()
        };
        choosers.iter_mut().zip(rates).map(of).collect()
    }

    fn choosers(count: u64) -> Vec<Chooser> {
        (0..count).map(|n| Chooser::new(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1))).collect()
    }

    #[test]
    fn one_frame_in_a_thousand_is_chosen_at_a_megahertz() {
        let steps = following(1);
        let mut chooser = Chooser::new(7);
        let at = |n: i64| Timestamp::from_nanos(n * 1_000);

        let chosen: Vec<i64> =
            (0..1_000_000).filter(|&n| is_followed(chooser.stamp(at(n), &steps))).collect();
        // Strides are even between 1 and twice the mean; a thousand of them are off by a few per cent.
        assert!((700..1_400).contains(&chosen.len()), "{} in a second", chosen.len());
        let places: std::collections::BTreeSet<i64> = chosen.iter().map(|n| n % 16).collect();
        assert_eq!(places.len(), 16, "none of those that come together is preferred");
    }

    #[test]
    fn all_frames_are_chosen_where_they_are_few_and_fewer_where_sessions_are_many() {
        let steps = following(1);
        let at = |n: i64| Timestamp::from_nanos(n * 20_000_000);
        let count = |chooser: &mut Chooser, steps: &Steps| {
            (0..10_000).filter(|&n| is_followed(chooser.stamp(at(n), steps))).count()
        };

        assert_eq!(count(&mut Chooser::new(3), &steps), 10_000);
        steps.share(1_000);
        let fewer = count(&mut Chooser::new(3), &steps);
        // One a second of the 50 that come in it, for 200 seconds.
        assert!((130..400).contains(&fewer), "{fewer}");
    }

    #[test]
    fn all_sources_together_have_one_frame_in_a_millisecond_and_each_has_its_share() {
        for (sources, rate) in [(64, 250), (1_000, 100), (10_000, 40)] {
            let steps = following(sources as u32);
            let seconds = 20;
            let rates = vec![rate; sources];
            let counts = counts(&steps, &mut choosers(sources as u64), &rates, seconds);
            let all: usize = counts.iter().sum();
            let each = all as f64 / seconds as f64;
            // Means of what is even, of few frames each at the last.
            assert!((600.0..1_500.0).contains(&each), "{sources} sources: {each} a second");
            let none = counts.iter().filter(|&&count| count == 0).count();
            assert_eq!(none, 0, "{sources} sources, {seconds} s");
        }
    }

    #[test]
    fn slow_sources_are_followed_beside_fast_ones() {
        let rates = [1, 10, 100_000, 1_000, 2, 30, 50_000, 1_000];
        let counts = counts(&following(8), &mut choosers(8), &rates, 20);
        // Those that come less often than their share are followed always, but for what rates of frames that come
        // together are taken for.
        for (rate, count) in rates.iter().zip(&counts) {
            let share = 20 * rate.min(&125);
            let range = 0.6 * share as f64..=1.6 * share as f64;
            assert!(range.contains(&(*count as f64)), "{count} of {share} at {rate} Hz");
        }
    }

    #[test]
    fn a_source_that_becomes_slow_is_followed_soon() {
        let steps = following(1_000);
        let mut chooser = Chooser::new(5);
        let second = |n: i64| n * 1_000_000_000;
        for n in 0..1_000_000 {
            chooser.stamp(Timestamp::from_nanos(n * 10_000), &steps);
        }
        // Ten frames a second instead of a hundred thousand; one a second should be followed.
        let at = |n: i64| Timestamp::from_nanos(second(10) + n * 100_000_000);
        let chosen: Vec<i64> =
            (0..6_000).filter(|&n| is_followed(chooser.stamp(at(n), &steps))).collect();
        assert!(chosen.first().is_some_and(|&first| first <= 50), "{chosen:?}");
        let later = chosen.iter().filter(|&&n| n > 1_000).count();
        assert!((300..900).contains(&later), "{later} in 500 s");
    }
}
