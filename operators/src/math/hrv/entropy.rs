//! Sample entropy (Richman and Moorman 2000, Am J Physiol 278:H2039) with m = 2, delay 1.
//!
//! ```text
//! B   pairs of places in the window where two intervals in a row are alike, and a third follows
//! A   those of them where the third is alike as well
//! SampEn = −ln(A / B)        alike: no further apart than r = 0.2 · SDNN
//! ```
//!
//! As neurokit2 has it. A place that enters is compared only with those whose first interval is in
//! reach, which stand together in the sorted list of all. That r moves with every beat changes few
//! pairs: those with two intervals between the old r and the new apart, found by walking along the
//! sorted list. So a beat costs O(n), recomputation O(n²); the counts are exact.

use crate::math::sorted::Sorted;

/// Intervals of a template without the one that follows.
const M: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct SampleEntropy {
    /// Intervals in a row; the window's begin at `start`. Twice the room, so that moving them back to
    /// the front is rare.
    values: Vec<i64>,
    start: usize,
    /// The number of `values[0]` among all that ever entered.
    base: u64,
    sorted: Sorted<(i64, u64)>,
    /// Reach for which the counts hold.
    reach_ns: i64,
    pairs: [i64; 2],
}

impl SampleEntropy {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            values: Vec::with_capacity(2 * capacity.max(1)),
            start: 0,
            base: 0,
            sorted: Sorted::with_capacity(capacity),
            reach_ns: 0,
            pairs: [0; 2],
        }
    }

    pub(super) fn add(&mut self, rr_ns: i64) {
        if self.values.len() == self.values.capacity() {
            self.values.drain(..self.start);
            self.base += self.start as u64;
            self.start = 0;
        }
        self.values.push(rr_ns);
        self.sorted.insert((rr_ns, self.base + self.values.len() as u64 - 1));
        if let Some(place) = self.values.len().checked_sub(M + 1)
            && place >= self.start
        {
            self.compare(place, 1);
        }
    }

    pub(super) fn remove(&mut self) {
        if self.values.len() - self.start > M {
            self.compare(self.start, -1);
        }
        self.sorted.remove((self.values[self.start], self.base + self.start as u64));
        self.start += 1;
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.sorted.clear();
        (self.start, self.base, self.reach_ns, self.pairs) = Default::default();
    }

    /// The entropy for a standard deviation; `None` where nothing is alike.
    pub(super) fn value(&mut self, sdnn_ns: f64) -> Option<f64> {
        // Distances are whole: those up to 0.2 · SDNN are those up to its whole part.
        self.move_reach((0.2 * sdnn_ns) as i64);
        let [longer, shorter] = self.pairs;
        (longer > 0).then(|| (shorter as f64 / longer as f64).ln())
    }

    /// Counts the pairs of one place with all others, in or out.
    fn compare(&mut self, place: usize, sign: i64) {
        let [first, second, third] = self.template(place);
        let near = self.near(first - self.reach_ns, first + self.reach_ns);
        let places = self.values.len() - M;
        let (mut longer, mut shorter) = (0, 0);
        for &(_, number) in near {
            let other = (number - self.base) as usize;
            if other < places && other != place {
                let [_, b, c] = self.template(other);
                let is_alike = second.abs_diff(b) <= self.reach_ns as u64;
                shorter += i64::from(is_alike);
                longer += i64::from(is_alike && third.abs_diff(c) <= self.reach_ns as u64);
            }
        }
        self.pairs[0] += sign * longer;
        self.pairs[1] += sign * shorter;
    }

    /// The sorted intervals from one length to another.
    fn near(&self, from_ns: i64, to_ns: i64) -> &[(i64, u64)] {
        let sorted = self.sorted.as_slice();
        let from = sorted.partition_point(|(rr_ns, _)| *rr_ns < from_ns);
        let rest = &sorted[from..];
        &rest[..rest.partition_point(|(rr_ns, _)| *rr_ns <= to_ns)]
    }

    fn template(&self, place: usize) -> [i64; M + 1] {
        [self.values[place], self.values[place + 1], self.values[place + 2]]
    }

    /// Brings the counts to another reach.
    fn move_reach(&mut self, reach_ns: i64) {
        let (low, high) = (self.reach_ns.min(reach_ns), self.reach_ns.max(reach_ns));
        let mut changed = [0, 0];
        let sorted = self.sorted.as_slice();
        // Of each interval, the first that is longer by more than the lower reach: those from there to
        // the higher reach change.
        let mut from = 0;
        for &(rr_ns, number) in sorted {
            while from < sorted.len() && sorted[from].0 - rr_ns <= low {
                from += 1;
            }
            let mut at = from;
            while at < sorted.len() && sorted[at].0 - rr_ns <= high {
                self.count_changed(number, sorted[at].1, low, high, &mut changed);
                at += 1;
            }
        }
        let sign = if reach_ns > self.reach_ns { 1 } else { -1 };
        self.pairs[0] += sign * changed[0];
        self.pairs[1] += sign * changed[1];
        self.reach_ns = reach_ns;
    }

    /// Two intervals are between `low` and `high` apart: the pairs of templates that are alike within
    /// `high` but not within `low` because of them; where several intervals of two templates are,
    /// because of the first of them.
    fn count_changed(&self, a: u64, b: u64, low: i64, high: i64, changed: &mut [i64; 2]) {
        let [a, b] = [a, b].map(|number| (number - self.base) as usize);
        let (first, last) = (a.min(b) - self.start, a.max(b));
        let apart = |a: usize, b: usize| (self.values[a] - self.values[b]).abs();
        let before = |n: usize| apart(a - n, b - n) <= low;
        // Most pairs end with these two: what is beside two intervals that are alike mostly is not.
        let is_next = last + 1 < self.values.len() && apart(a + 1, b + 1) <= high;
        let is_before = first > 0 && before(1);
        if is_next && last + M < self.values.len() {
            changed[1] += 1;
            changed[0] += i64::from(apart(a + 2, b + 2) <= high);
        }
        if is_before {
            changed[1] += i64::from(last + 1 < self.values.len());
            changed[0] += i64::from(is_next) + i64::from(first > 1 && before(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    /// By the definition.
    fn pairs(values: &[i64], reach_ns: i64) -> [i64; 2] {
        let mut pairs = [0, 0];
        for b in 0..values.len().saturating_sub(M) {
            for a in 0..b {
                let alike = |n: usize| (values[a + n] - values[b + n]).abs() <= reach_ns;
                pairs[0] += i64::from(alike(0) && alike(1) && alike(2));
                pairs[1] += i64::from(alike(0) && alike(1));
            }
        }
        pairs
    }

    #[test]
    fn counts_are_those_of_the_definition_however_the_window_and_the_reach_move() {
        let mut random = Random::new(4);
        let mut entropy = SampleEntropy::new(40);
        let mut window = Vec::new();
        for step in 0..3_000 {
            // Few different lengths, so that many are exactly the reach apart.
            let rr_ns = 10 * random.below(12) as i64;
            if window.len() == 40 || (random.below(3) == 0 && !window.is_empty()) {
                entropy.remove();
                window.remove(0);
            } else {
                entropy.add(rr_ns);
                window.push(rr_ns);
            }
            let sdnn_ns = random.below(300) as f64;
            let value = entropy.value(sdnn_ns);
            let want = pairs(&window, (0.2 * sdnn_ns) as i64);
            assert_eq!(entropy.pairs, want, "step {step}: {window:?}");
            assert_eq!(value.is_some(), want[0] > 0);
        }
    }
}
