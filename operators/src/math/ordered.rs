//! The last samples in order of size: the k-th smallest at any time, in O(log n).
//!
//! A search tree over the places of a ring, kept in balance by chance (a treap, Seidel and Aragon
//! 1996), each place with its own lot, so that the same samples always make the same tree. Every
//! node knows how many stand below it.

use super::{
    random::hash,
    state::{State, StateError},
};

/// Median distance from the median, of one normal deviate: Φ⁻¹(3/4).
pub const NORMAL_MAD: f64 = 0.674_489_750_196_081_7;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    value: f32,
    left: u32,
    right: u32,
    /// How many stand in this branch, itself included.
    size: u32,
}

/// The last `capacity` samples, in order of size.
#[derive(Clone, Debug)]
pub struct Ordered {
    nodes: Vec<Node>,
    root: u32,
    /// Where the next sample goes.
    at: usize,
    len: usize,
}

impl Ordered {
    /// Room for `capacity` samples.
    ///
    /// # Panics
    /// If `capacity` is 0 or above 2^31.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0 && capacity <= 1 << 31, "places are numbered in 32 bits");
        let empty = Node { value: f32::NAN, left: NONE, right: NONE, size: 0 };
        Self { nodes: vec![empty; capacity], root: NONE, at: 0, len: 0 }
    }

    /// Takes the next sample, in whose place the oldest one goes when there is no room. One that is
    /// not finite takes its place and is left out of the order.
    pub fn push(&mut self, value: f32) {
        let at = self.at as u32;
        if self.nodes[self.at].size > 0 {
            self.root = self.without(self.root, at);
            self.nodes[self.at].size = 0;
            self.len -= 1;
        }
        self.nodes[self.at].value = value;
        if value.is_finite() {
            self.nodes[self.at] = Node { value, left: NONE, right: NONE, size: 1 };
            self.root = self.with(self.root, at);
            self.len += 1;
        }
        self.at = (self.at + 1) % self.nodes.len();
    }

    /// How many samples are in order.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sample that `smaller` others come before.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn select(&self, smaller: usize) -> f32 {
        let (mut node, mut smaller) = (self.root, smaller as u32);
        loop {
            let here = &self.nodes[node as usize];
            let left = self.size(here.left);
            if smaller == left {
                return here.value;
            }
            if smaller < left {
                node = here.left;
            } else {
                smaller -= left + 1;
                node = here.right;
            }
        }
    }

    /// The quantile at `share` between 0 and 1, straight between neighbours as NumPy's `linear`;
    /// NaN where nothing is in order.
    pub fn quantile(&self, share: f64) -> f64 {
        if self.len == 0 {
            return f64::NAN;
        }
        let place = share.clamp(0.0, 1.0) * (self.len - 1) as f64;
        let below = place.floor();
        let low = f64::from(self.select(below as usize));
        if place == below {
            return low;
        }
        let high = f64::from(self.select(below as usize + 1));
        low + (high - low) * (place - below)
    }

    /// The median; NaN where nothing is in order.
    pub fn median(&self) -> f64 {
        match self.len {
            0 => f64::NAN,
            len if len % 2 == 1 => f64::from(self.select(len / 2)),
            len => 0.5 * (f64::from(self.select(len / 2 - 1)) + f64::from(self.select(len / 2))),
        }
    }

    /// The median of the distances from `median`, which is this one's; in O(log² n).
    pub fn median_deviation(&self, median: f64) -> f64 {
        match self.len {
            0 => f64::NAN,
            len if len % 2 == 1 => self.deviation(median, len / 2),
            len => 0.5 * (self.deviation(median, len / 2 - 1) + self.deviation(median, len / 2)),
        }
    }

    /// The distance from the median that `smaller` others come before. Going outwards from the
    /// middle, distances grow on either side; so many nearest ones are some on one and the rest on
    /// the other.
    fn deviation(&self, median: f64, smaller: usize) -> f64 {
        let (lower, upper) = (self.len / 2, self.len - self.len / 2);
        let below = |n: usize| median - f64::from(self.select(lower - 1 - n));
        let above = |n: usize| f64::from(self.select(lower + n)) - median;
        // How many of the `smaller` nearest lie below: the fewest for which the next one below is
        // not nearer than the last one taken above.
        let (mut least, mut most) = (smaller.saturating_sub(upper), smaller.min(lower));
        while least < most {
            let n = usize::midpoint(least, most);
            if below(n) >= above(smaller - n - 1) {
                most = n;
            } else {
                least = n + 1;
            }
        }
        let next_above = smaller - least;
        let below = if least < lower { below(least) } else { f64::INFINITY };
        let above = if next_above < upper { above(next_above) } else { f64::INFINITY };
        below.min(above)
    }

    /// Appends the state: always as many bytes.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        let (before, after) = self.nodes.split_at(self.at);
        for node in after.iter().chain(before) {
            into.extend_from_slice(&node.value.to_le_bytes());
        }
    }

    /// Goes on from a saved state. Samples may take other places than they had: only their order
    /// in time counts.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.reset();
        for _ in 0..self.nodes.len() {
            let mut value = 0.0;
            from.f32(&mut value)?;
            self.push(value);
        }
        Ok(())
    }

    /// As made.
    pub fn reset(&mut self) {
        self.nodes.fill(Node { value: f32::NAN, left: NONE, right: NONE, size: 0 });
        (self.root, self.at, self.len) = (NONE, 0, 0);
    }

    fn size(&self, node: u32) -> u32 {
        if node == NONE { 0 } else { self.nodes[node as usize].size }
    }

    fn is_before(&self, a: u32, b: u32) -> bool {
        let (x, y) = (self.nodes[a as usize].value, self.nodes[b as usize].value);
        x < y || (x == y && a < b)
    }

    fn count(&mut self, node: u32) {
        let Node { left, right, .. } = self.nodes[node as usize];
        self.nodes[node as usize].size = 1 + self.size(left) + self.size(right);
    }

    /// The branch with one more.
    fn with(&mut self, branch: u32, new: u32) -> u32 {
        if branch == NONE {
            return new;
        }
        if hash(u64::from(new)) > hash(u64::from(branch)) {
            let (left, right) = self.split(branch, new);
            self.nodes[new as usize].left = left;
            self.nodes[new as usize].right = right;
            self.count(new);
            return new;
        }
        if self.is_before(new, branch) {
            self.nodes[branch as usize].left = self.with(self.nodes[branch as usize].left, new);
        } else {
            self.nodes[branch as usize].right = self.with(self.nodes[branch as usize].right, new);
        }
        self.nodes[branch as usize].size += 1;
        branch
    }

    /// The branch with one less, which stands in it.
    fn without(&mut self, branch: u32, old: u32) -> u32 {
        let Node { left, right, .. } = self.nodes[branch as usize];
        if branch == old {
            return self.joined(left, right);
        }
        if self.is_before(old, branch) {
            self.nodes[branch as usize].left = self.without(left, old);
        } else {
            self.nodes[branch as usize].right = self.without(right, old);
        }
        self.nodes[branch as usize].size -= 1;
        branch
    }

    /// What comes before `at` in a branch, and what behind.
    fn split(&mut self, branch: u32, at: u32) -> (u32, u32) {
        if branch == NONE {
            return (NONE, NONE);
        }
        let Node { left, right, .. } = self.nodes[branch as usize];
        let parts = if self.is_before(branch, at) {
            let (before, behind) = self.split(right, at);
            self.nodes[branch as usize].right = before;
            (branch, behind)
        } else {
            let (before, behind) = self.split(left, at);
            self.nodes[branch as usize].left = behind;
            (before, branch)
        };
        self.count(branch);
        parts
    }

    /// Two branches, of which all of one comes before all of the other.
    fn joined(&mut self, before: u32, behind: u32) -> u32 {
        if before == NONE || behind == NONE {
            return if before == NONE { behind } else { before };
        }
        let top = if hash(u64::from(before)) > hash(u64::from(behind)) {
            let inner = self.joined(self.nodes[before as usize].right, behind);
            self.nodes[before as usize].right = inner;
            before
        } else {
            let inner = self.joined(before, self.nodes[behind as usize].left);
            self.nodes[behind as usize].left = inner;
            behind
        };
        self.count(top);
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    fn sorted(window: &[f32]) -> Vec<f64> {
        let finite = window.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x));
        let mut sorted: Vec<f64> = finite.collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn median(sorted: &[f64]) -> f64 {
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            0.5 * (sorted[middle - 1] + sorted[middle])
        }
    }

    #[test]
    fn order_median_and_deviation_are_those_of_a_sorted_copy() {
        let mut random = Random::new(3);
        for capacity in [1, 2, 5, 64] {
            // Many ties, some missing.
            let value = |random: &mut Random| match random.below(20) {
                0 => f32::NAN,
                _ => random.below(30) as f32 - 10.0,
            };
            let signal: Vec<f32> = (0..400).map(|_| value(&mut random)).collect();
            let mut ordered = Ordered::new(capacity);
            for n in 0..signal.len() {
                ordered.push(signal[n]);
                let want = sorted(&signal[(n + 1).saturating_sub(capacity)..=n]);
                let got: Vec<f64> =
                    (0..ordered.len()).map(|k| f64::from(ordered.select(k))).collect();
                assert_eq!(got, want, "capacity {capacity} at {n}");
                if want.is_empty() {
                    assert!(ordered.median().is_nan());
                    continue;
                }
                // Small whole numbers and their halves: nothing rounds.
                let middle = median(&want);
                assert_eq!(ordered.median(), middle);
                let mut off: Vec<f64> = want.iter().map(|x| (x - middle).abs()).collect();
                off.sort_by(f64::total_cmp);
                assert_eq!(ordered.median_deviation(middle), median(&off), "{capacity} at {n}");
            }
        }
    }

    #[test]
    fn quantiles_lie_straight_between_neighbours() {
        let mut ordered = Ordered::new(4);
        [40.0, 10.0, 30.0, 20.0].into_iter().for_each(|x| ordered.push(x));
        for (share, want) in [(0.0, 10.0), (0.5, 25.0), (0.25, 17.5), (1.0, 40.0)] {
            assert_eq!(ordered.quantile(share), want);
        }
    }

    #[test]
    fn a_tree_of_rising_samples_stays_low() {
        let mut ordered = Ordered::new(1 << 12);
        (0..1 << 14).for_each(|n| ordered.push(n as f32));
        fn depth(ordered: &Ordered, node: u32) -> usize {
            if node == NONE {
                return 0;
            }
            let Node { left, right, .. } = ordered.nodes[node as usize];
            1 + depth(ordered, left).max(depth(ordered, right))
        }
        // Expected about 2 ln n, 17; above 4 log2 n with a probability below 1e-9 (Seidel and
        // Aragon, theorem 3.3 gives the tail).
        assert!(depth(&ordered, ordered.root) <= 48, "{}", depth(&ordered, ordered.root));
    }
}
