//! [`Exits`]: which questions leave a model of several segments early.

/// How sure a model is, from the numbers its exit head gives: 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// The likeliest class's score.
    #[default]
    Score,
    /// By how much it is ahead of the second.
    Margin,
    /// One less the entropy of the scores, as a share of the most there can be.
    Entropy,
}

impl Signal {
    /// As written in a graph.
    pub const NAMES: &[&str] = &["score", "margin", "entropy"];

    /// The signal of that name; the score where there is none.
    pub fn named(name: &str) -> Self {
        match name {
            "margin" => Self::Margin,
            "entropy" => Self::Entropy,
            _ => Self::Score,
        }
    }

    /// Its name, as written in a graph.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Margin => "margin",
            Self::Entropy => "entropy",
        }
    }

    /// How sure a head is that gave these numbers (before a softmax), divided by the temperature
    /// ([Guo et al. 2017](https://arxiv.org/abs/1706.04599)). 0 where one is not finite. Linear in their
    /// count, no allocation.
    pub fn of(self, logits: &[f32], temperature: f64) -> f64 {
        let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for &logit in logits {
            let logit = f64::from(logit);
            if !logit.is_finite() {
                return 0.0;
            }
            if logit > first {
                (first, second) = (logit, first);
            } else if logit > second {
                second = logit;
            }
        }
        // exp(x − most) / Σ exp(x − most), which does not overflow.
        let part = |logit: f64| ((logit - first) / temperature).exp();
        let sum: f64 = logits.iter().map(|&logit| part(logit.into())).sum();
        match self {
            _ if logits.is_empty() => 0.0,
            Self::Score => 1.0 / sum,
            Self::Margin => (1.0 - part(second)) / sum,
            Self::Entropy if logits.len() < 2 => 1.0,
            Self::Entropy => {
                // −Σ p ln p = ln Σ − Σ p x.
                let mean: f64 = logits
                    .iter()
                    .map(|&logit| {
                        let part = part(logit.into());
                        // A part of nothing adds nothing, however small its logarithm.
                        if part > 0.0 {
                            part * (f64::from(logit) - first) / temperature
                        } else {
                            0.0
                        }
                    })
                    .sum();
                let entropy = sum.ln() - mean / sum;
                (1.0 - entropy / (logits.len() as f64).ln()).clamp(0.0, 1.0)
            }
        }
    }
}

/// When a question may leave at the end of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// What the head's numbers are divided by.
    pub temperature: f64,
    /// At least so sure; above 1 nothing leaves there.
    pub threshold: f64,
}

impl Head {
    /// Nothing leaves.
    pub const SHUT: Self = Self { temperature: 1.0, threshold: f64::INFINITY };
}

/// When questions leave a model of several segments: by the end of the segment, from the first on; at
/// the last all do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exits {
    /// What is compared.
    pub signal: Signal,
    /// By segment; one that is missing is shut.
    pub heads: Vec<Head>,
}

impl Exits {
    /// Whether a question leaves at the end of this segment, whose head gave these numbers.
    pub fn leaves(&self, segment: usize, logits: &[f32]) -> bool {
        let head = self.heads.get(segment).unwrap_or(&Head::SHUT);
        head.threshold <= 1.0 && self.signal.of(logits, head.temperature) >= head.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_sure_of_what_stands_out() {
        let sure = |signal: Signal, logits: &[f32]| signal.of(logits, 1.0);
        for signal in [Signal::Score, Signal::Margin, Signal::Entropy] {
            assert!(sure(signal, &[20.0, 0.0, 0.0]) > 0.999, "{signal:?}");
            assert!(sure(signal, &[0.1, 0.0, 0.0]) < 0.4, "{signal:?}");
            // Never sure of what is no number.
            assert!(sure(signal, &[f32::NAN, 9.0]).abs() < 1e-12, "{signal:?}");
            assert!(sure(signal, &[f32::INFINITY, 9.0]).abs() < 1e-12, "{signal:?}");
            assert!(sure(signal, &[f32::MAX, f32::MIN]) > 0.999, "{signal:?}");
        }
        let e = std::f64::consts::E;
        assert!((sure(Signal::Score, &[1.0, 0.0]) - e / (e + 1.0)).abs() < 1e-12);
        assert!((sure(Signal::Margin, &[1.0, 0.0]) - (e - 1.0) / (e + 1.0)).abs() < 1e-12);
        assert!(sure(Signal::Entropy, &[0.0; 4]).abs() < 1e-12);
        // Three classes of scores 1/2, 1/4, 1/4: entropy 1.5 ln 2.
        let entropy = sure(Signal::Entropy, &[2.0_f32.ln(), 0.0, 0.0]);
        assert!((entropy - (1.0 - 1.5 * 2.0_f64.ln() / 3.0_f64.ln())).abs() < 1e-6);
    }

    #[test]
    fn a_temperature_makes_it_less_sure() {
        let at = |temperature| Signal::Score.of(&[3.0, 0.0], temperature);
        assert!(at(1.0) > at(2.0) && at(2.0) > at(10.0));
    }

    #[test]
    fn what_is_not_said_is_shut() {
        let exits =
            Exits { signal: Signal::Score, heads: vec![Head { temperature: 1.0, threshold: 0.9 }] };
        assert!(exits.leaves(0, &[9.0, 0.0]));
        assert!(!exits.leaves(0, &[0.5, 0.0]));
        assert!(!exits.leaves(1, &[90.0, 0.0]));
        let shut = Exits { signal: Signal::Score, heads: vec![Head::SHUT] };
        assert!(!shut.leaves(0, &[900.0, 0.0]));
    }
}
