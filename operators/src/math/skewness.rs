//! How lopsided numbers are, merged from parts: for [`Sliding`](super::sliding::Sliding) windows.

use super::sliding::Merge;

/// How many, their mean, and the sums of squares and cubes about it.
///
/// Central moments of two parts merge without cancellation (Pébay 2008, equations 1.4 and 2.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Skewness {
    count: f64,
    mean: f64,
    squares: f64,
    cubes: f64,
}

impl Skewness {
    /// One number.
    pub(crate) const fn of(number: f64) -> Self {
        Self { count: 1.0, mean: number, squares: 0.0, cubes: 0.0 }
    }

    /// `scipy.stats.skew`, biased: mean cube over deviation cubed; 0 where nothing varies.
    pub(crate) fn skewness(self) -> f64 {
        let skewness = self.count.sqrt() * self.cubes / self.squares.powf(1.5);
        if skewness.is_finite() { skewness } else { 0.0 }
    }
}

impl Merge for Skewness {
    const NOTHING: Self = Self { count: 0.0, mean: 0.0, squares: 0.0, cubes: 0.0 };

    fn merge(self, later: Self) -> Self {
        if self.count == 0.0 || later.count == 0.0 {
            return if self.count == 0.0 { later } else { self };
        }
        let count = self.count + later.count;
        let (first, share) = (self.count / count, later.count / count);
        let apart = later.mean - self.mean;
        let weight = self.count * share;
        Self {
            count,
            mean: self.mean + apart * share,
            squares: self.squares + later.squares + apart * apart * weight,
            cubes: self.cubes
                + later.cubes
                + apart * apart * apart * weight * (first - share)
                + 3.0 * apart * (first * later.squares - share * self.squares),
        }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.count, &mut self.mean, &mut self.squares, &mut self.cubes].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[f64]) -> Skewness {
        numbers.iter().fold(Skewness::NOTHING, |all, number| all.merge(Skewness::of(*number)))
    }

    #[test]
    fn merged_parts_are_the_whole() {
        // By hand: 1, 2, 3, 4, 40 have mean 10, squares 81 + 64 + 49 + 36 + 900 = 1 130 and cubes
        // −729 − 512 − 343 − 216 + 27 000 = 25 200.
        let whole = of(&[1.0, 2.0, 3.0, 4.0, 40.0]);
        let merged = of(&[1.0, 2.0]).merge(of(&[3.0, 4.0, 40.0]));
        // Some ten roundings of numbers up to 27 000.
        for sums in [whole, merged] {
            assert!((sums.mean - 10.0).abs() < 1e-14, "{sums:?}");
            assert!((sums.squares - 1_130.0).abs() < 1e-12, "{sums:?}");
            assert!((sums.cubes - 25_200.0).abs() < 1e-10, "{sums:?}");
            let skewness = 5.0_f64.sqrt() * 25_200.0 / 1_130.0_f64.powf(1.5);
            assert!((sums.skewness() - skewness).abs() < 1e-14, "{sums:?}");
        }
    }

    #[test]
    fn what_does_not_vary_is_not_lopsided() {
        assert_eq!(of(&[3.0; 5]).skewness(), 0.0);
        assert_eq!(of(&[]).skewness(), 0.0);
    }
}
