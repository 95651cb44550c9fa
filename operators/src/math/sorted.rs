//! Numbers in order, kept so while some enter and others leave.

/// Numbers in ascending order, equal ones as often as they entered.
///
/// Entering and leaving cost a search, O(log n), and moving what lies behind, which is a copy of
/// some hundred bytes per hundred numbers: faster than a tree up to many thousand of them.
/// Allocates nothing while it holds no more than it was made for.
#[derive(Clone, Debug)]
pub struct Sorted<T> {
    numbers: Vec<T>,
}

impl<T: Ord + Copy> Sorted<T> {
    /// None yet, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { numbers: Vec::with_capacity(capacity) }
    }

    /// Takes one in.
    pub fn insert(&mut self, number: T) {
        let at = self.numbers.partition_point(|other| *other < number);
        self.numbers.insert(at, number);
    }

    /// Lets one go; whether it was there.
    pub fn remove(&mut self, number: T) -> bool {
        let at = self.numbers.partition_point(|other| *other < number);
        let is_there = self.numbers.get(at) == Some(&number);
        if is_there {
            self.numbers.remove(at);
        }
        is_there
    }

    /// All of them, the smallest first.
    pub fn as_slice(&self) -> &[T] {
        &self.numbers
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.numbers.clear();
    }
}

/// The quantile `share` of sorted numbers, between its two neighbours by a straight line (type 7 of
/// Hyndman and Fan, the default of R and NumPy). None of none.
pub fn quantile(sorted: &[i64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = share.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let (low, high) = (sorted[below], sorted[last.min(below + 1)]);
    Some(low as f64 + (rank - below as f64) * (high - low) as f64)
}

/// The median of |x − m| over sorted numbers x, where 2 m is whole: the median's own, or any.
/// Without sorting again: distances fall towards m from the left and rise from it to the right, so
/// the k-th smallest of all is found by halving, O(log n). None of none.
pub fn median_distance(sorted: &[i64], twice_center: i64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let middle = sorted.partition_point(|x| 2 * x < twice_center);
    let (left, right) = sorted.split_at(middle);
    let distance = |k: usize| kth_distance(left, right, twice_center, k);
    let (low, high) = (distance(last / 2), distance(last.div_ceil(2)));
    Some((low + high) as f64 / 4.0)
}

/// Twice the k-th smallest distance (from 0) of two sorted halves from a centre between them.
fn kth_distance(left: &[i64], right: &[i64], twice_center: i64, k: usize) -> i64 {
    let from_left = |n: usize| twice_center - 2 * left[left.len() - 1 - n];
    let from_right = |n: usize| 2 * right[n] - twice_center;
    // `taken` of the k + 1 smallest come from the left: the least number such that the next on the
    // right is not smaller than the last taken would allow.
    let wanted = k + 1;
    let (mut low, mut high) = (wanted.saturating_sub(right.len()), wanted.min(left.len()));
    while low < high {
        let taken = low.midpoint(high);
        // With so few from the left, the last of the right is beaten by the next of the left.
        if from_right(wanted - taken - 1) > from_left(taken) {
            low = taken + 1;
        } else {
            high = taken;
        }
    }
    let from_the_left = low.checked_sub(1).map(from_left);
    let from_the_right = (wanted - low).checked_sub(1).map(from_right);
    from_the_left.max(from_the_right).expect("k + 1 were taken")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    #[test]
    fn they_are_in_order_whatever_enters_and_leaves() {
        let mut random = Random::new(3);
        let (mut sorted, mut plain) = (Sorted::with_capacity(64), Vec::new());
        for _ in 0..2_000 {
            let number = random.below(40) as i64;
            if random.below(2) == 0 && plain.len() < 64 {
                sorted.insert(number);
                plain.push(number);
            } else {
                let at = plain.iter().position(|other| *other == number);
                assert_eq!(sorted.remove(number), at.is_some());
                at.map(|at| plain.remove(at));
            }
            plain.sort_unstable();
            assert_eq!(sorted.as_slice(), plain);
        }
    }

    #[test]
    fn quantiles_lie_on_straight_lines() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.2), Some(7.0));
        assert_eq!(quantile(&[1, 2, 4, 8], 0.5), Some(3.0));
        assert_eq!(quantile(&[1, 2, 4, 8], 1.0), Some(8.0));
        assert_eq!(quantile(&[0, 10, 20], 0.2), Some(4.0));
    }

    #[test]
    fn the_median_distance_is_that_of_sorting_again() {
        let mut random = Random::new(5);
        assert_eq!(median_distance(&[], 0), None);
        for len in 1..40 {
            for _ in 0..50 {
                let mut sorted: Vec<i64> = (0..len).map(|_| random.below(60) as i64).collect();
                sorted.sort_unstable();
                let center = random.below(140) as i64 - 10;
                let mut distances: Vec<i64> =
                    sorted.iter().map(|x| (2 * x - center).abs()).collect();
                distances.sort_unstable();
                let want = quantile(&distances, 0.5).map(|twice| twice / 2.0);
                assert_eq!(median_distance(&sorted, center), want, "{sorted:?} {center}");
            }
        }
    }
}
