//! Random numbers that are the same on every machine.

/// xorshift64*, seeded through splitmix64 so that neighbouring seeds differ. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to a seed.
    pub fn new(seed: u64) -> Self {
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Evenly distributed in 0 ≤ u < 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly distributed in 0 ≤ n < `limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    /// Whether something of this probability happens now.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

/// Seeds to try: `AFFERENT_SEEDS` times as many as usual for a longer look.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let times = std::env::var("AFFERENT_SEEDS").ok().and_then(|times| times.parse().ok());
    0..usual * times.unwrap_or(1)
}
