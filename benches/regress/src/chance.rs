//! Numbers as if by chance, from a seed.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The same numbers for the same seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A fair coin.
    pub(crate) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// One of 0 … `end` − 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // For a few hundred the bias is below 1e-16.
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Into another order, each as likely.
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

/// A seed that nobody chose.
pub(crate) fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Printed with the report; a short one is easier to write.
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_are_fair_and_orders_equally_likely() {
        let mut chance = Chance::new(1);
        let heads = (0..10_000).filter(|_| chance.coin()).count();
        // Four standard deviations of 50.
        assert!(heads.abs_diff(5_000) < 200, "{heads}");

        let mut first = [0_usize; 4];
        for _ in 0..4_000 {
            let mut order = [0, 1, 2, 3];
            chance.shuffle(&mut order);
            first[order[0]] += 1;
        }
        // Four standard deviations of 27.
        assert!(first.iter().all(|times| times.abs_diff(1_000) < 110), "{first:?}");
    }
}
