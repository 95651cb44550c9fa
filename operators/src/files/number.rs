//! Numbers as text that people can read and programs read back exactly, and counts in sentences.

use std::fmt::{Display, Formatter, LowerExp, Result};

/// A number in the fewest digits that read back as the same one; with an exponent where it would
/// else be mostly zeros, below 1e-5 and from 1e16 on.
pub(crate) struct Short<T>(pub(crate) T);

impl<T: Copy + Display + LowerExp + Into<f64>> Display for Short<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let size = self.0.into().abs();
        if size == 0.0 || !size.is_finite() || (1e-5..1e16).contains(&size) {
            Display::fmt(&self.0, f)
        } else {
            LowerExp::fmt(&self.0, f)
        }
    }
}

/// So many of something: `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    #[test]
    fn no_number_is_mostly_zeros() {
        for (number, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (1e-5, "0.00001"),
            (-1.5e-7, "-1.5e-7"),
            (4.05e-23, "4.05e-23"),
            (1e16, "1e16"),
            (123_456.0, "123456"),
        ] {
            assert_eq!(Short(number).to_string(), text);
        }
    }

    #[test]
    fn every_number_reads_back() {
        let mut random = Random::new(3);
        for _ in 0..50_000 {
            let (single, double) = (random.next_u64() as u32, random.next_u64());
            let (single, double) = (f32::from_bits(single), f64::from_bits(double));
            assert!(single.is_nan() || Short(single).to_string().parse() == Ok(single));
            assert!(double.is_nan() || Short(double).to_string().parse() == Ok(double));
        }
    }
}
