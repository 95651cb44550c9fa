//! [`Way`]: how questions are put to a model, and how its answers are read.

use engine::{Answer, Fault};

use crate::signature::Signature;

use super::asked::Note;

/// How the questions of one node are put to the model and its answers read.
pub struct Way {
    /// The input that questions are put to.
    pub(super) input: usize,
    shape: Vec<usize>,
    /// Shapes of the other inputs of one question, by number; that of `input` is empty.
    pub(super) others: Vec<Vec<usize>>,
    /// What stands in the other inputs.
    pub(super) fixed: Vec<f64>,
    /// Rows of every run, where the model's file fixes them: those without a question are padding.
    pub(super) rows: Option<usize>,
    read: Box<dyn Rowwise>,
}

/// Reads what a model gave to one question.
pub trait Rowwise: Send + Sync {
    /// The answer.
    ///
    /// # Errors
    /// If that is no answer.
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault>;
}

/// What a model gave to one question: numbers per output.
#[derive(Debug)]
pub struct Row<'a> {
    /// Of all questions of the run.
    pub(super) outputs: &'a [Vec<f32>],
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) exit: usize,
    pub(super) question: &'a [f32],
    pub(super) note: Note,
}

impl<'a> Row<'a> {
    /// The numbers of an output.
    pub fn output(&self, number: usize) -> &'a [f32] {
        let numbers = &self.outputs[number];
        let len = numbers.len() / self.rows;
        &numbers[self.row * len..(self.row + 1) * len]
    }

    /// What was asked.
    pub const fn question(&self) -> &'a [f32] {
        self.question
    }

    /// What was noted on the question.
    pub const fn note(&self) -> Note {
        self.note
    }

    /// The segment of the model at whose end the question left, from 0.
    pub const fn exit(&self) -> usize {
        self.exit
    }
}

impl Way {
    /// Questions of `shape` put to input number `input`; what stands in the other inputs is `fixed`,
    /// by name.
    ///
    /// # Errors
    /// If another input has no fixed value, or an open dimension besides that of the batch.
    pub fn new(
        signature: &Signature,
        input: usize,
        shape: Vec<usize>,
        fixed: &[(String, f64)],
        read: Box<dyn Rowwise>,
    ) -> Result<Self, String> {
        let (mut others, mut values) = (Vec::new(), Vec::new());
        for (number, slot) in signature.inputs.iter().enumerate() {
            if number == input {
                others.push(Vec::new());
                values.push(0.0);
                continue;
            }
            let value = fixed.iter().find(|(name, _)| *name == slot.name);
            let Some((_, value)) = value else {
                return Err(format!("nothing is said about its input `{slot}`"));
            };
            let shape: Option<Vec<usize>> = slot.question().into_iter().collect();
            others.push(shape.ok_or_else(|| format!("its input `{slot}` has an open length"))?);
            values.push(*value);
        }
        Ok(Self { input, shape, others, fixed: values, rows: None, read })
    }

    /// The same, to a model that takes so many questions in every run, as [`super::Rows`] found.
    #[must_use]
    pub fn in_rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Rows that a run with so many questions has.
    pub(super) fn rows_of(&self, questions: usize) -> usize {
        self.rows.unwrap_or(questions)
    }

    /// Whether questions of both can be in one run: put to the same input, beside the same numbers.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let bits = |way: &Self| way.fixed.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        std::ptr::eq(self, other)
            || (self.input == other.input
                && self.shape == other.shape
                && self.others == other.others
                && self.rows == other.rows
                && bits(self) == bits(other))
    }

    /// Lengths of a question.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers in a question.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        self.read.read(row)
    }
}
