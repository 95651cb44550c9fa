//! [`Chain`]: what every exit of a chain gave to the samples that calibrate it.

use std::{error::Error, fmt};

use super::signal::top;

/// What every exit gave to every sample, and what its segment costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    classes: usize,
    /// By exit: the scores of the samples, one after the other.
    logits: Vec<Vec<f32>>,
    labels: Option<Vec<usize>>,
    costs: Vec<f64>,
}

/// What is lost when a sample leaves early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is answered wrong and would have been answered right at the end: the loss of the early answer less that of the
    /// last, never below zero. Wants labels.
    Wrong,
    /// It is answered otherwise than at the end.
    Differs,
}

/// Why samples cannot calibrate a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// Fewer than two exits: nothing is early.
    OneExit,
    /// No samples, or no classes.
    Empty,
    /// An exit, or the labels, have not as many samples as the first exit; or costs are not as many as exits.
    Lengths,
    /// Of this exit, the score of this sample that is no number.
    NoNumber(usize, usize),
    /// The label of this sample is none of the classes.
    NoClass(usize),
    /// The cost of this segment is below zero or no number, or all are zero.
    NoCost(usize),
    /// [`Loss::Wrong`] without labels.
    NoLabels,
    /// A promise that is not between 0 and 1.
    NoPromise,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneExit => f.write_str("the chain has one exit, so that nothing can leave early"),
            Self::Empty => f.write_str("there are no samples"),
            Self::Lengths => {
                f.write_str("exits, labels and costs are not of the same samples and segments")
            }
            Self::NoNumber(exit, row) => {
                write!(f, "exit {exit} gives sample {row} a score that is no number")
            }
            Self::NoClass(row) => write!(f, "the label of sample {row} is no class of the chain"),
            Self::NoCost(segment) => write!(f, "the cost of segment {segment} is not above zero"),
            Self::NoLabels => f.write_str("what is wrong cannot be told without labels"),
            Self::NoPromise => f.write_str("a risk or a confidence is not between 0 and 1"),
        }
    }
}

impl Error for Unfit {}

impl Chain {
    /// Samples with `classes` scores per exit (`logits`, by exit, each with one sample after the other), the costs of the
    /// segments before each exit in any unit, and the right classes where they are known.
    ///
    /// # Errors
    /// If they do not fit together.
    pub fn new(
        classes: usize,
        logits: Vec<Vec<f32>>,
        labels: Option<Vec<usize>>,
        costs: Vec<f64>,
    ) -> Result<Self, Unfit> {
        if logits.len() < 2 {
            return Err(Unfit::OneExit);
        }
        if classes == 0 || logits[0].is_empty() {
            return Err(Unfit::Empty);
        }
        let len = logits[0].len();
        let rows = len / classes;
        let labels_fit = labels.as_ref().is_none_or(|labels| labels.len() == rows);
        if !len.is_multiple_of(classes)
            || logits.iter().any(|exit| exit.len() != len)
            || !labels_fit
            || costs.len() != logits.len()
        {
            return Err(Unfit::Lengths);
        }
        for (exit, scores) in logits.iter().enumerate() {
            if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
                return Err(Unfit::NoNumber(exit, at / classes));
            }
        }
        if let Some(row) = labels.iter().flatten().position(|&label| label >= classes) {
            return Err(Unfit::NoClass(row));
        }
        let is_none = |cost: &f64| !cost.is_finite() || *cost < 0.0;
        if let Some(segment) = costs.iter().position(is_none) {
            return Err(Unfit::NoCost(segment));
        }
        if costs.iter().sum::<f64>() <= 0.0 {
            return Err(Unfit::NoCost(0));
        }
        Ok(Self { classes, logits, labels, costs })
    }

    /// Scores of an answer.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Exits, the last one among them.
    pub const fn exits(&self) -> usize {
        self.logits.len()
    }

    /// Samples.
    pub fn rows(&self) -> usize {
        self.logits[0].len() / self.classes
    }

    /// What it costs to leave at each exit: all segments up to it.
    pub(super) fn costs_to(&self) -> Vec<f64> {
        let mut sum = 0.0;
        let mut add = |cost: &f64| {
            sum += cost;
            sum
        };
        self.costs.iter().map(&mut add).collect()
    }

    pub(super) fn scores(&self, exit: usize, row: usize) -> &[f32] {
        &self.logits[exit][row * self.classes..(row + 1) * self.classes]
    }

    /// What is right, if that is known.
    pub(super) fn label(&self, row: usize) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels[row])
    }

    pub(super) const fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// What an exit answers.
    pub(super) fn answer(&self, exit: usize, row: usize) -> usize {
        top(self.scores(exit, row))
    }

    /// Whether leaving at an exit loses something.
    pub(super) fn loses(&self, loss: Loss, exit: usize, row: usize) -> bool {
        let (early, last) = (self.answer(exit, row), self.answer(self.exits() - 1, row));
        match (loss, self.label(row)) {
            (Loss::Wrong, Some(label)) => early != label && last == label,
            _ => early != last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(labels: Option<Vec<usize>>) -> Chain {
        let early = vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let last = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        Chain::new(2, vec![early, last], labels, vec![1.0, 3.0]).expect("fits")
    }

    #[test]
    fn an_early_error_counts_only_if_the_end_were_right() {
        let chain = chain(Some(vec![0, 1, 1]));
        let losses = |loss| [0, 1, 2].map(|row| chain.loses(loss, 0, row));
        assert_eq!(losses(Loss::Wrong), [false, true, false]);
        assert_eq!(losses(Loss::Differs), [false, true, true]);
        assert_eq!(chain.costs_to(), [1.0, 4.0]);
        assert!(!chain.loses(Loss::Differs, 1, 1), "the last exit is never early");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_place() {
        let made = |classes, logits: Vec<Vec<f32>>, labels, costs| {
            Chain::new(classes, logits, labels, costs).expect_err("does not fit")
        };
        let two = || vec![vec![0.0; 4]; 2];
        assert_eq!(made(2, vec![vec![0.0; 4]], None, vec![1.0]), Unfit::OneExit);
        assert_eq!(made(2, vec![vec![]; 2], None, vec![1.0; 2]), Unfit::Empty);
        assert_eq!(made(0, two(), None, vec![1.0; 2]), Unfit::Empty);
        assert_eq!(made(3, two(), None, vec![1.0; 2]), Unfit::Lengths);
        assert_eq!(made(2, two(), Some(vec![0]), vec![1.0; 2]), Unfit::Lengths);
        assert_eq!(made(2, two(), None, vec![1.0; 3]), Unfit::Lengths);
        assert_eq!(made(2, two(), Some(vec![0, 2]), vec![1.0; 2]), Unfit::NoClass(1));
        assert_eq!(made(2, two(), None, vec![1.0, f64::NAN]), Unfit::NoCost(1));
        assert_eq!(made(2, two(), None, vec![0.0; 2]), Unfit::NoCost(0));
        let mut broken = two();
        broken[1][3] = f32::NAN;
        assert_eq!(made(2, broken, None, vec![1.0; 2]), Unfit::NoNumber(1, 1));
    }
}
