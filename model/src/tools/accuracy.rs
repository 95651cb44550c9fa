//! What models answer, how often they are right, and how far two of them agree.

use crate::{backend::Loaded, signature::Signature};

use super::{
    feed::Feed,
    subject::{Careful, as_served},
    trouble::Trouble,
    watch::Watch,
};

/// Questions asked at once.
const ROWS_AT_ONCE: usize = 32;
/// Most classes that are told apart in a table of confusions.
const CLASSES_MAX: usize = 1 << 12;

/// What a model gave to each question in one of its outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Numbers of one answer.
    pub len: usize,
    /// One answer after the other.
    pub values: Vec<f32>,
}

impl Answers {
    /// Each answer.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.len)
    }

    /// How many classes answers tell apart: a single number tells two.
    pub const fn classes(&self) -> usize {
        if self.len == 1 { 2 } else { self.len }
    }

    /// The class of each answer: the largest number, the first of several; a single number above one
    /// half is class 1.
    pub fn tops(&self) -> Vec<usize> {
        let top = |row: &[f32]| match row {
            [one] => usize::from(*one > 0.5),
            row => {
                let largest = |best: usize, n: usize| if row[n] > row[best] { n } else { best };
                (0..row.len()).fold(0, largest)
            }
        };
        self.rows().map(top).collect()
    }
}

/// The number of the output called `name`, or of the first.
pub(super) fn output(signature: &Signature, name: Option<&str>) -> Result<usize, Trouble> {
    let Some(name) = name else { return Ok(0) };
    signature.outputs.iter().position(|slot| slot.name == name).ok_or_else(|| {
        let message = format!("the model has no output `{name}`");
        Trouble::asked(message, format!("it is {signature}"))
    })
}

/// Asks every question of the feed, or `rows` made up ones.
pub(super) fn answers(
    loaded: &dyn Loaded,
    feed: &Feed<'_>,
    output: usize,
    rows: usize,
    watch: &Watch<'_>,
) -> Result<Answers, Trouble> {
    let slot = &loaded.signature().outputs[output];
    let at_once = if feed.batches() { ROWS_AT_ONCE.min(rows) } else { 1 };
    as_served(|| {
        let failed = |row: usize, fault: &engine::Fault| {
            Trouble::file(
                format!("question {row}: {fault}"),
                "check that the data is what the model was made for",
            )
        };
        let mut careful = Careful::new(loaded).map_err(|fault| failed(0, &fault))?;
        let mut all = Answers { len: 0, values: Vec::new() };
        for first in (0..rows).step_by(at_once) {
            watch.goes_on()?;
            let now = at_once.min(rows - first);
            let inputs = feed.arrays(first, now)?;
            careful.run(&inputs).map_err(|fault| failed(first, &fault))?;
            let given = &careful.outputs[output];
            if given.len() % now != 0 || given.is_empty() {
                let message = format!("`{slot}` has {} numbers for {now} questions", given.len());
                return Err(Trouble::file(message, "name another output: `--output NAME`"));
            }
            let len = given.len() / now;
            if all.len != 0 && all.len != len {
                let message = format!("`{slot}` has {} numbers, then {len}", all.len);
                return Err(Trouble::file(
                    message,
                    "name an output whose length stays: `--output NAME`",
                ));
            }
            if let Some(at) = given.iter().position(|value| !value.is_finite()) {
                let (row, value) = (first + at / len, given[at]);
                let name = &slot.name;
                let message = format!("the model gives {value} in `{name}` to question {row}");
                return Err(Trouble::file(
                    message,
                    "look at that question, or at the model's weights",
                ));
            }
            all.len = len;
            all.values.extend_from_slice(given);
        }
        Ok(all)
    })
}

/// How often a model is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Questions.
    pub rows: usize,
    /// Questions whose largest score is at the right class.
    pub right: usize,
    /// Questions by right class, then by answered class.
    pub confusion: Vec<Vec<usize>>,
}

impl Score {
    pub(super) fn new(answers: &Answers, truth: &[usize]) -> Result<Self, Trouble> {
        let classes = answers.classes();
        if classes > CLASSES_MAX {
            let message = format!("an answer of {classes} numbers is no list of scores of classes");
            return Err(Trouble::asked(
                message,
                "name the output with one number a class: `--output NAME`",
            ));
        }
        let mut score =
            Self { rows: truth.len(), right: 0, confusion: vec![vec![0; classes]; classes] };
        for (&right, answered) in truth.iter().zip(answers.tops()) {
            score.confusion[right][answered] += 1;
            score.right += usize::from(right == answered);
        }
        Ok(score)
    }

    /// The share that is right.
    pub fn top1(&self) -> f64 {
        self.right as f64 / self.rows.max(1) as f64
    }
}

/// How far the answers of two models agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Questions.
    pub rows: usize,
    /// Questions for which both have the same largest score.
    pub same: usize,
    /// Root mean square of the difference of their numbers, in parts of the root mean square of the old
    /// model's.
    pub error: f64,
}

impl Agreement {
    pub(super) fn new(old: &Answers, new: &Answers) -> Result<Self, Trouble> {
        if old.len != new.len || old.values.len() != new.values.len() {
            let message = format!("one model answers {} numbers, the other {}", old.len, new.len);
            return Err(Trouble::asked(
                message,
                "compare models that give the same: `--output NAME`",
            ));
        }
        let square = |sum: f64, x: f64| sum + x * x;
        let pairs =
            || old.values.iter().zip(&new.values).map(|(x, y)| [f64::from(*x), f64::from(*y)]);
        let difference = pairs().map(|[x, y]| y - x).fold(0.0, square);
        let size = pairs().map(|[x, _]| x).fold(0.0, square);
        let same = old.tops().into_iter().zip(new.tops()).filter(|(one, other)| one == other);
        Ok(Self {
            rows: old.rows().count(),
            same: same.count(),
            error: if difference == 0.0 {
                0.0
            } else {
                (difference / size.max(f64::MIN_POSITIVE)).sqrt()
            },
        })
    }

    /// The share of questions answered the same.
    pub fn share(&self) -> f64 {
        self.same as f64 / self.rows.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(len: usize, values: &[f32]) -> Answers {
        Answers { len, values: values.to_vec() }
    }

    #[test]
    fn the_largest_number_is_the_class() {
        assert_eq!(answers(3, &[0.1, 0.9, 0.0, 2.0, 2.0, 1.0]).tops(), [1, 0]);
        assert_eq!(answers(1, &[0.2, 0.7]).tops(), [0, 1]);
        assert_eq!(answers(1, &[0.2]).classes(), 2);
    }

    #[test]
    fn rights_and_wrongs_are_counted_by_class() {
        let answers = answers(2, &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        let score = Score::new(&answers, &[0, 1, 1]).expect("two classes");
        assert_eq!(score.confusion, [[1, 0], [1, 1]]);
        assert!((score.top1() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn agreement_is_of_classes_and_of_numbers() {
        let old = answers(2, &[3.0, 0.0, 0.0, 4.0]);
        let new = answers(2, &[3.0, 0.0, 3.0, 0.0]);
        let agreement = Agreement::new(&old, &new).expect("the same shape");
        assert_eq!((agreement.same, agreement.rows), (1, 2));
        assert!((agreement.error - 1.0).abs() < 1e-12, "√(9 + 16) of √(9 + 16)");
        assert!(Agreement::new(&old, &answers(1, &[0.0])).is_err());
    }
}
