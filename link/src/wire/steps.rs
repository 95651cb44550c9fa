//! The step of a converter, found in its samples.

/// Steps per unit: samples are whole numbers divided by this. 200 for a converter that has 200
/// steps per millivolt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Steps(pub(crate) f64);

/// Beyond this, differences of steps could outgrow a block's width.
const NUMBER_MAX: f64 = (1u64 << 31) as f64;
/// Samples that are looked at.
const LOOK_AT_MAX: usize = 64;
/// The smallest distance between samples may be up to so many steps.
const PARTS_MAX: u32 = 12;

impl Steps {
    /// The sample that is so many steps.
    pub(crate) fn sample(self, number: i64) -> f32 {
        (number as f64 / self.0) as f32
    }

    /// Whether all samples are whole numbers of steps, to the bit; `numbers` are these.
    pub(crate) fn count(self, samples: &[f32], numbers: &mut Vec<i64>) -> bool {
        numbers.clear();
        for &sample in samples {
            let number = (f64::from(sample) * self.0).round();
            // NaN fails here too.
            let fits = number.abs() < NUMBER_MAX;
            if !fits || self.sample(number as i64).to_bits() != sample.to_bits() {
                return false;
            }
            numbers.push(number as i64);
        }
        true
    }
}

/// Steps that all samples have, to the bit, if some are found.
///
/// The smallest distance between two samples is a small number of steps: each is tried. From the
/// smallest sample to the largest the step is measured ever more exactly, as the whole number it is
/// taken by grows; then it is fitted to all. Of its neighbours the roundest is taken, since that is
/// what somebody chose.
pub(crate) fn find_steps(samples: &[f32]) -> Option<Steps> {
    let mut sizes = [0.0; LOOK_AT_MAX];
    let samples = &samples[..samples.len().min(LOOK_AT_MAX)];
    let sizes = &mut sizes[..samples.len()];
    for (size, &sample) in sizes.iter_mut().zip(samples) {
        *size = f64::from(sample).abs();
    }
    sizes.sort_by(f64::total_cmp);
    let largest = *sizes.last()?;
    if !(largest.is_finite() && largest > 0.0) {
        return None;
    }
    // Two samples that differ by less than their roundings differ by nothing.
    let rounding = largest * f64::from(f32::EPSILON);
    let gaps = [0.0].iter().chain(&*sizes).zip(&*sizes).map(|(low, high)| high - low);
    let smallest = gaps.filter(|&gap| gap > 4.0 * rounding).fold(f64::INFINITY, f64::min);
    let mut numbers = Vec::with_capacity(samples.len());
    (1..=PARTS_MAX)
        .filter_map(|parts| fitted(sizes, smallest / f64::from(parts)))
        .flat_map(|step| (1..10).map(move |digits| rounded(1.0 / step, digits)).chain([1.0 / step]))
        .map(Steps)
        .find(|steps| steps.0.is_normal() && steps.count(samples, &mut numbers))
}

/// The step near `step` that divides all sizes, which are in order, if there is one.
fn fitted(sizes: &[f64], mut step: f64) -> Option<f64> {
    let (mut products, mut squares) = (0.0, 0.0);
    for &size in sizes {
        let number = (size / step).round();
        if (size - number * step).abs() > 0.1 * step {
            return None;
        }
        if number > 0.0 {
            step = size / number;
        }
        products += size * number;
        squares += number * number;
    }
    Some(products / squares)
}

/// A number with so many digits that count.
fn rounded(number: f64, digits: i32) -> f64 {
    let scale = digits - 1 - number.abs().log10().floor() as i32;
    if !(-300..300).contains(&scale) {
        return number;
    }
    // Powers of ten up to 10^22 are exact, and dividing by one rounds once.
    if scale >= 0 {
        let ten = 10f64.powi(scale);
        (number * ten).round() / ten
    } else {
        let ten = 10f64.powi(-scale);
        (number / ten).round() * ten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_any_converter_are_found() {
        for steps in [1.0, 200.0, 32_768.0, 1e3, 409.6, 12.345, 0.125, 1e6 / 45.0] {
            let samples: Vec<f32> =
                [311, -57, 12, 1_800, 1_799, 4, -902].map(|k| (f64::from(k) / steps) as f32).into();

            let found = find_steps(&samples).expect("they are there");

            let ratio = found.0 / steps;
            assert!((ratio - 1.0).abs() < 1e-7, "{} is not {steps}", found.0);
        }
    }

    #[test]
    fn where_there_are_none_none_are_made_up() {
        let samples: Vec<f32> = (0..50).map(|n| (n as f32 * 0.7).sin()).collect();
        assert_eq!(find_steps(&samples), None);
        assert_eq!(find_steps(&[0.0; 5]), None);
        assert_eq!(find_steps(&[f32::NAN, 1.0]), None);
    }
}
