//! [`Logistic`]: how likely an answer is good, by a confidence that means something else (Platt 1999).

/// Confidences are kept so far from nothing and from all: their logits are to be numbers.
const EDGE: f64 = 1e-6;
/// Steps of the search; Newton's takes ten at most where it is not at an edge.
const STEPS: usize = 100;
/// What keeps the matrix from having no inverse.
const RIDGE: f64 = 1e-12;

/// `p = σ(slope · logit(confidence) + offset)`: the probability that what was said with this confidence is good.
///
/// A confidence such as the mean probability of a text's parts lies anywhere beside that probability: a temperature, which
/// leaves one half where it is, would not do. Never falls with the confidence: thresholds mean the same before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// 0 or more; 0 where the confidence says nothing.
    pub slope: f64,
    /// The logit of what half a confidence is worth.
    pub offset: f64,
}

impl Logistic {
    /// A confidence that is one already.
    pub const SAME: Self = Self { slope: 1.0, offset: 0.0 };

    /// The probability that what was said with this confidence, 0 to 1, is good. Of what is no number it is 0.
    pub fn of(&self, confidence: f64) -> f64 {
        if confidence.is_nan() {
            return 0.0;
        }
        sigmoid(self.slope * logit(confidence) + self.offset)
    }

    /// The least confidence that is worth such a probability; 1 or more where none is, 0 where all are.
    pub fn confidence_at(&self, probability: f64) -> f64 {
        if self.slope <= 0.0 {
            return if sigmoid(self.offset) >= probability { 0.0 } else { f64::INFINITY };
        }
        match probability {
            p if p <= 0.0 => 0.0,
            p if p >= 1.0 => f64::INFINITY,
            p => sigmoid(((p / (1.0 - p)).ln() - self.offset) / self.slope),
        }
    }

    /// The one under which these verdicts are likeliest, given the confidences before them. The verdicts are held for a
    /// little less certain than they are (Platt's targets), so that few samples, or some without a mistake, promise no
    /// certainty. Newton's method with halved steps, after Lin, Lin and Weng 2007, *A note on Platt's probabilistic outputs
    /// for support vector machines*.
    pub fn fit(judged: &[(f64, bool)]) -> Self {
        let good = judged.iter().filter(|(_, is_good)| *is_good).count() as f64;
        let bad = judged.len() as f64 - good;
        let targets = [1.0 / (bad + 2.0), (good + 1.0) / (good + 2.0)];
        let all: Vec<[f64; 2]> =
            judged.iter().map(|&(sure, is)| [logit(sure), targets[usize::from(is)]]).collect();
        let flat = Self { slope: 0.0, offset: ((good + 1.0) / (bad + 1.0)).ln() };
        let found = newton(&all, flat);
        // Where it falls with the confidence, this says nothing that could be used.
        if found.slope > 0.0 && found.slope.is_finite() && found.offset.is_finite() {
            found
        } else {
            flat
        }
    }
}

fn newton(all: &[[f64; 2]], mut at: Logistic) -> Logistic {
    let mut loss = cross_entropy(all, at);
    for _ in 0..STEPS {
        let (mut slopes, mut curves) = ([0.0; 2], [RIDGE, 0.0, RIDGE]);
        for &[x, target] in all {
            let p = sigmoid(at.slope * x + at.offset);
            let (error, curve) = (p - target, p * (1.0 - p));
            slopes = [slopes[0] + error * x, slopes[1] + error];
            curves = [curves[0] + curve * x * x, curves[1] + curve * x, curves[2] + curve];
        }
        if slopes.iter().all(|slope| slope.abs() < 1e-9 * (1.0 + all.len() as f64)) {
            break;
        }
        let [a, b, c] = curves;
        let determinant = a * c - b * b;
        let step = [c * slopes[0] - b * slopes[1], a * slopes[1] - b * slopes[0]];
        let step = step.map(|part| -part / determinant);
        let mut share = 1.0;
        loop {
            let next =
                Logistic { slope: at.slope + share * step[0], offset: at.offset + share * step[1] };
            let then = cross_entropy(all, next);
            if then < loss {
                (at, loss) = (next, then);
                break;
            }
            share /= 2.0;
            if share < 1e-10 || !then.is_finite() {
                return at;
            }
        }
    }
    at
}

/// Of the targets and what is made of the confidences, summed.
fn cross_entropy(all: &[[f64; 2]], at: Logistic) -> f64 {
    let one = |&[x, target]: &[f64; 2]| {
        let z = at.slope * x + at.offset;
        // ln(1 + exp(z)) − target · z, which does not overflow.
        z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
    };
    all.iter().map(one).sum()
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests {
    use crate::calibrate::{expected_calibration_error, split::Random};

    use super::*;

    /// Confidences that are worth what `truth` makes of them.
    fn drawn(truth: Logistic, rows: usize, seed: u64) -> Vec<(f64, bool)> {
        let mut random = Random(seed);
        let mut one = || {
            let sure = random.share();
            (sure, random.share() < truth.of(sure))
        };
        (0..rows).map(|_| one()).collect()
    }

    #[test]
    fn what_a_confidence_is_worth_is_found() {
        for truth in [Logistic { slope: 0.5, offset: -1.5 }, Logistic { slope: 2.0, offset: 1.0 }] {
            let found = Logistic::fit(&drawn(truth, 40_000, 3));
            // Standard errors of a logistic regression of 40 000 are about 0.02.
            assert!((found.slope - truth.slope).abs() < 0.08, "{found:?} is not {truth:?}");
            assert!((found.offset - truth.offset).abs() < 0.08, "{found:?} is not {truth:?}");
            let others = drawn(truth, 40_000, 4);
            let error = |by: Logistic| {
                expected_calibration_error(others.iter().map(|&(sure, is)| (by.of(sure), is)))
            };
            assert!(error(found) < 0.015 && error(Logistic::SAME) > 0.05, "{}", error(found));
        }
    }

    #[test]
    fn what_says_nothing_or_the_opposite_is_flat() {
        let mut random = Random(7);
        let opposite: Vec<(f64, bool)> =
            (0..400).map(|_| random.share()).map(|sure| (sure, sure < 0.3)).collect();
        let found = Logistic::fit(&opposite);
        assert_eq!(found.slope, 0.0);
        assert!((found.of(0.1) - 0.3).abs() < 0.06 && found.of(0.1) == found.of(0.9), "{found:?}");
        for all in [true, false] {
            let found = Logistic::fit(&[(0.2, all), (0.9, all), (0.5, all)]);
            // Three of three may as well be four of five.
            assert!((found.of(0.5) - if all { 0.8 } else { 0.2 }).abs() < 0.1, "{found:?}");
        }
        assert_eq!(Logistic::fit(&[]), Logistic { slope: 0.0, offset: 0.0 });
    }

    #[test]
    fn certain_confidences_are_numbers_and_those_that_are_none_are_worth_nothing() {
        for sure in [0.0, 1.0, f64::NAN] {
            assert!((0.0..=1.0).contains(&Logistic::SAME.of(sure)), "{sure}");
        }
        assert_eq!(Logistic::SAME.of(f64::NAN), 0.0);
        let found = Logistic::fit(&[(1.0, true), (1.0, true), (0.0, false), (0.0, false)]);
        assert!(found.of(1.0) > 0.7 && found.of(0.0) < 0.3, "{found:?}");
    }

    #[test]
    fn a_probability_has_its_confidence() {
        let by = Logistic { slope: 0.7, offset: -0.4 };
        for p in [0.1, 0.5, 0.93] {
            assert!((by.of(by.confidence_at(p)) - p).abs() < 1e-9, "{p}");
        }
        let flat = Logistic { slope: 0.0, offset: 0.0 };
        assert_eq!([flat.confidence_at(0.5), flat.confidence_at(0.6)], [0.0, f64::INFINITY]);
    }
}
