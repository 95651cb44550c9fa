//! Chance that is the same in every run.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Random(pub(super) u64);

/// What the generator adds from one number to the next.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the generator makes of a state.
const fn mixed(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A number from −1 to 1 that depends on where it stands alone.
pub(crate) fn noise(place: u64) -> f32 {
    (mixed(place.wrapping_add(1).wrapping_mul(STEP)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// From 0 to below 1.
    #[cfg(test)]
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `count`; the bias of less than `count / 2^64` does not matter here.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

/// The numbers below `rows` in two parts, the first with this share of them, drawn without favour.
pub(super) fn split(rows: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut all = shuffled(rows, seed);
    let rest = all.split_off((share * rows as f64).round() as usize);
    (all, rest)
}

/// The numbers below `rows` in an order without favour (Fisher and Yates).
pub(super) fn shuffled(rows: usize, seed: u64) -> Vec<usize> {
    let mut random = Random(seed);
    let mut all: Vec<usize> = (0..rows).collect();
    for last in (1..rows).rev() {
        all.swap(last, random.below(last + 1));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part() {
        let (first, rest) = split(100, 0.3, 9);
        assert_eq!((first.len(), rest.len()), (30, 70));
        let mut all = [first.clone(), rest].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(split(100, 0.3, 9).0, first, "the same seed, the same parts");
        assert_ne!(split(100, 0.3, 10).0, first);
    }
}
