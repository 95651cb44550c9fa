//! [`Chance`]: random numbers that are the same for the same seed.

/// xorshift64* (Vigna 2016).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Seeds that follow each other begin far apart.
    pub const fn new(seed: u64) -> Self {
        // splitmix64 (Steele, Lea and Flood 2014).
        let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ (state >> 31)) | 1)
    }

    /// From 0 to `end`, which it does not reach.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % end
    }

    /// A number between these, in ten thousand steps.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.below(10_000) as f64 / 1e4
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// True once in so many times.
    pub const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_same_seed_is_the_same_and_every_number_comes_as_often() {
        let drawn = |seed| {
            let mut chance = Chance::new(seed);
            std::array::from_fn::<u64, 4, _>(|_| chance.below(1 << 40))
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let mut counts = [0_u32; 10];
        let mut chance = Chance::new(1);
        (0..10_000).for_each(|_| counts[chance.below(10) as usize] += 1);
        // Thirty is the standard deviation of each.
        assert!(counts.iter().all(|count| count.abs_diff(1_000) < 150), "{counts:?}");
        assert!((0..1_000).all(|_| (2.0..3.0).contains(&chance.between(2.0, 3.0))));
    }
}
