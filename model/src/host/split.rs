//! [`Split`]: which sessions belong to an experiment, by their names.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A share of all sessions, chosen by their names: the same ones on every host and after every restart. With
/// a larger share those who belonged to the smaller one still do.
///
/// A session belongs if `xxh3_64(name, seed) / 2^64 < share`, where name is UTF-8 and the seed is
/// `xxh3_64(salt)`: with another salt others belong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    seed: u64,
    /// Hashes below belong; 2^64 is all.
    below: u128,
}

impl Split {
    /// So large a share, 0 to 1.
    pub fn new(salt: &str, share: f64) -> Self {
        // 2^64 has no place in 64 bits: a share of 1 is all.
        let below = (share.clamp(0.0, 1.0) * 2_f64.powi(64)) as u128;
        Self { seed: xxh3_64(salt.as_bytes()), below }
    }

    /// Whether the session of that name belongs.
    pub fn takes(&self, session: &str) -> bool {
        u128::from(xxh3_64_with_seed(session.as_bytes(), self.seed)) < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> impl Iterator<Item = String> {
        (0..20_000).map(|number| format!("person-{number}"))
    }

    #[test]
    fn a_share_is_a_share() {
        for share in [0.0, 0.1, 0.5, 1.0] {
            let split = Split::new("beats ab", share);
            let got = names().filter(|name| split.takes(name)).count() as f64 / 20_000.0;
            // Five deviations of a coin thrown 20 000 times.
            let far = 5.0 * (share * (1.0 - share) / 20_000.0_f64).sqrt();
            assert!((got - share).abs() <= far, "{got} is not {share}");
        }
    }

    #[test]
    fn who_belonged_still_does_and_another_salt_takes_others() {
        let [small, large] = [0.1, 0.3].map(|share| Split::new("beats ab", share));
        assert!(names().filter(|name| small.takes(name)).all(|name| large.takes(&name)));
        let other = Split::new("beats shadow", 0.1);
        let both = names().filter(|name| small.takes(name) && other.takes(name)).count();
        assert!((120..=280).contains(&both), "a tenth of a tenth, not all: {both}");
    }
}
