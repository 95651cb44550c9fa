//! [`Temperature`]: one number that makes the confidence of an exit honest (Guo et al. 2017).

use super::signal::{Signal, top};

/// Where the temperature is looked for: hotter or colder no net is.
const RANGE: [f64; 2] = [0.05, 20.0];
/// Steps of the search; each leaves 0.618 of the range of logarithms, so 40 leave 2.6e-8 of it.
const STEPS: usize = 40;
/// Bins of the expected calibration error, as in the paper.
const BINS: usize = 15;

/// What scores are divided by before they become probabilities, and what that does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// Above one where the exit is surer of itself than it is right.
    pub value: f64,
    /// Negative log-likelihood of the right classes, mean per sample, before and after.
    pub loss: [f64; 2],
    /// Expected calibration error before and after.
    pub error: [f64; 2],
}

impl Temperature {
    /// None at all.
    pub const ONE: Self = Self { value: 1.0, loss: [0.0; 2], error: [0.0; 2] };

    /// The one under which the right `labels` of the samples are likeliest: `logits` has `classes` numbers for each.
    /// The likelihood has one maximum; the golden section finds it over the temperature's logarithm.
    ///
    /// # Panics
    /// If there are not `classes` finite numbers per label, or a label is none of the classes.
    pub fn fit(logits: &[f32], classes: usize, labels: &[usize]) -> Self {
        assert_eq!(logits.len(), classes * labels.len(), "a score per class and sample");
        let loss = |log: f64| likelihood(logits, classes, labels, log.exp());
        let shorter = (5.0_f64.sqrt() - 1.0) / 2.0;
        let [mut low, mut high] = RANGE.map(f64::ln);
        let mut at = [high - shorter * (high - low), low + shorter * (high - low)];
        let mut seen = at.map(loss);
        for _ in 0..STEPS {
            if seen[0] <= seen[1] {
                high = at[1];
                at = [high - shorter * (high - low), at[0]];
                seen = [loss(at[0]), seen[0]];
            } else {
                low = at[0];
                at = [at[1], low + shorter * (high - low)];
                seen = [seen[1], loss(at[1])];
            }
        }
        let value = f64::midpoint(low, high).exp();
        let error = |temperature: f64| {
            let rows = logits.chunks_exact(classes).zip(labels);
            let judged =
                rows.map(|(row, &label)| (Signal::Top.of(row, temperature), top(row) == label));
            expected_calibration_error(judged)
        };
        Self { value, loss: [loss(0.0), loss(value.ln())], error: [error(1.0), error(value)] }
    }
}

/// Mean negative log-likelihood.
fn likelihood(logits: &[f32], classes: usize, labels: &[usize], temperature: f64) -> f64 {
    let row = |(row, &label): (&[f32], &usize)| {
        let largest = row.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
        let part = |&x: &f32| f64::from(x - largest) / temperature;
        row.iter().map(|x| part(x).exp()).sum::<f64>().ln() - part(&row[label])
    };
    let rows = logits.chunks_exact(classes).zip(labels);
    rows.map(row).sum::<f64>() / labels.len().max(1) as f64
}

/// How far confidence is from being right, over 15 bins of equal width: the mean of the difference, weighted by the
/// samples in a bin. Takes each sample's confidence, from 0 to 1, and whether it was right.
pub fn expected_calibration_error(judged: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut bins = [(0_usize, 0.0, 0_usize); BINS];
    let mut rows = 0_usize;
    for (confidence, is_right) in judged {
        // A confidence on a border belongs to the bin below, as in the paper.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += 1;
        bins[bin].1 += confidence;
        bins[bin].2 += usize::from(is_right);
        rows += 1;
    }
    let difference = |&(_, sure, right): &(usize, f64, usize)| (sure - right as f64).abs();
    bins.iter().map(difference).sum::<f64>() / rows.max(1) as f64
}

#[cfg(test)]
mod tests {
    use crate::calibrate::split::Random;

    use super::*;

    /// Scores of four classes and labels drawn from what they say, made `hot` times too sure.
    fn drawn(rows: usize, hot: f32) -> (Vec<f32>, Vec<usize>) {
        let mut random = Random(5);
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let row: Vec<f32> = (0..4).map(|_| 4.0 * random.share() as f32).collect();
            let parts: Vec<f64> = row.iter().map(|&x| f64::from(x).exp()).collect();
            let mut at = random.share() * parts.iter().sum::<f64>();
            let label = parts.iter().position(|part| {
                at -= part;
                at <= 0.0
            });
            labels.push(label.unwrap_or(3));
            logits.extend(row.iter().map(|x| hot * x));
        }
        (logits, labels)
    }

    #[test]
    fn a_net_that_is_three_times_too_sure_is_found_to_be() {
        let (logits, labels) = drawn(20_000, 3.0);

        let found = Temperature::fit(&logits, 4, &labels);

        // The estimate's standard error at 20 000 samples is about 0.02 of it (from the curvature).
        assert!((found.value / 3.0 - 1.0).abs() < 0.06, "{found:?}");
        assert!(found.loss[1] < found.loss[0] && found.error[1] < 0.02, "{found:?}");
        assert!(found.error[0] > 0.1, "{found:?}");
    }

    #[test]
    fn no_temperature_beside_the_one_found_is_likelier() {
        let (logits, labels) = drawn(500, 1.0);
        let found = Temperature::fit(&logits, 4, &labels);
        for factor in [0.9, 0.99, 1.01, 1.1] {
            assert!(likelihood(&logits, 4, &labels, factor * found.value) >= found.loss[1]);
        }
    }

    #[test]
    fn honest_confidence_has_no_error_and_boasting_has() {
        let judged = |confidence: f64| (0..100).map(move |n| (confidence, n < 70));
        assert!(expected_calibration_error(judged(0.7)) < 1e-12);
        assert!((expected_calibration_error(judged(0.9)) - 0.2).abs() < 1e-12);
        assert_eq!(expected_calibration_error(std::iter::empty()), 0.0);
    }

    #[test]
    fn all_right_and_all_wrong_stay_within_the_range() {
        for label in [0, 1] {
            let found = Temperature::fit(&[2.0, 0.0, 3.0, 0.0], 2, &[label, label]);
            assert!((RANGE[0]..=RANGE[1]).contains(&found.value), "{found:?}");
        }
    }
}
