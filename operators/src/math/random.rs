//! Random numbers that are the same on every machine and in every version.
//!
//! xoshiro256++ (Blackman and Vigna, 2018), seeded through splitmix64 as its authors advise. Not
//! for secrets.

/// A stream of random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream that belongs to a seed; any seed will do.
    pub fn new(seed: u64) -> Self {
        let state = [0, 1, 2, 3].map(|index| hash(seed.wrapping_add(GOLDEN.wrapping_mul(index))));
        Self { state }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let random = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        random
    }

    /// Evenly distributed in 0 ≤ u < 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Evenly distributed in 0 ≤ n < `limit` (0 for a limit of 0).
    pub fn below(&mut self, limit: u64) -> u64 {
        // Lemire's product; its bias of limit / 2^64 is below anything that could be observed.
        ((u128::from(self.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    /// Normally distributed, mean 0, variance 1: two at once, by Box and Muller.
    pub fn normals(&mut self) -> (f64, f64) {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        (radius * cos, radius * sin)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// splitmix64's output for a counter: 64 bits that look independent for neighbouring inputs.
pub fn hash(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_and_xoshiro_give_their_published_values() {
        // splitmix64 from seed 1234567, and xoshiro256++ from state 1, 2, 3, 4: the vectors of
        // Rosetta Code and of the rand_xoshiro crate.
        assert_eq!(hash(1_234_567), 6_457_827_717_110_365_317);
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(random.next_u64(), 41_943_041);
        assert_eq!(random.next_u64(), 58_720_359);
        assert_eq!(random.next_u64(), 3_588_806_011_781_223);
    }

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut random = Random::new(7);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n / 2 {
            let (a, b) = random.normals();
            sum += a + b;
            squares += a * a + b * b;
        }

        // Standard errors are 1/√n = 0.0032 and √(2/n) = 0.0045; four of them.
        assert!((sum / f64::from(n)).abs() < 0.013);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.018);
    }
}
