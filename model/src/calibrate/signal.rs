//! [`Signal`]: how sure an exit is.

use crate::host;

/// How sure an exit is of its answer, from 0 to 1: what its threshold is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// The largest of the probabilities.
    #[default]
    Top,
    /// The largest less the second largest.
    Margin,
    /// One less the entropy, in parts of the largest there can be.
    Entropy,
}

impl Signal {
    /// The confidence of an answer with these scores, softened by `temperature`: to the last bit what questions are judged
    /// by when they run, as many may lie just at a threshold. Does not allocate.
    pub fn of(self, logits: &[f32], temperature: f64) -> f64 {
        self.at_run_time().of(logits, temperature)
    }

    /// What it is called where questions run.
    pub const fn at_run_time(self) -> host::Signal {
        match self {
            Self::Top => host::Signal::Score,
            Self::Margin => host::Signal::Margin,
            Self::Entropy => host::Signal::Entropy,
        }
    }
}

/// The class with the largest score, the first of several.
pub(crate) fn top(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, n| if logits[n] > logits[best] { n } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_is_one_and_ignorance_is_least() {
        for (signal, least) in [(Signal::Top, 0.25), (Signal::Margin, 0.0), (Signal::Entropy, 0.0)]
        {
            let sure = signal.of(&[500.0, 0.0, 0.0, 0.0], 1.0);
            let ignorant = signal.of(&[3.0; 4], 1.0);
            assert!((sure - 1.0).abs() < 1e-12, "{signal:?}: {sure}");
            assert!((ignorant - least).abs() < 1e-12, "{signal:?}: {ignorant}");
        }
    }

    #[test]
    fn two_classes_follow_the_logistic_function() {
        let p = 1.0 / (1.0 + (-2.0_f64 / 4.0).exp());
        assert!((Signal::Top.of(&[2.0, 0.0], 4.0) - p).abs() < 1e-12);
        assert!((Signal::Margin.of(&[0.0, 2.0], 4.0) - (2.0 * p - 1.0)).abs() < 1e-12);
    }
}
