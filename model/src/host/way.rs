//! [`Way`]: how questions are put to a model, and how its answers are read.

use std::time::Duration;

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
    /// Inputs that the rest of a question feeds, behind the numbers for `input`: their numbers, and where each part
    /// begins.
    pub(super) rest: Vec<(usize, usize)>,
    /// So long questions wait for others, where more are to be expected and a run of several costs less.
    pub(super) gather_ns: i64,
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

    /// The numbers of an output in which what counts the questions is the second dimension, behind one of length
    /// `first`: part by part.
    pub fn parts(&self, number: usize, first: usize) -> impl Iterator<Item = &'a [f32]> {
        let numbers = &self.outputs[number];
        let len = numbers.len() / (first * self.rows).max(1);
        let (row, rows) = (self.row, self.rows);
        (0..first).map(move |part| &numbers[(part * rows + row) * len..][..len])
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
        Ok(Self {
            input,
            shape,
            others,
            fixed: values,
            rest: Vec::new(),
            gather_ns: 0,
            rows: None,
            read,
        })
    }

    /// The same; further numbers of a question feed these inputs, in this order: what goes along with a stream, such
    /// as a state. What is fixed for them counts for nothing.
    #[must_use]
    pub fn feeding(mut self, inputs: &[usize]) -> Self {
        for &input in inputs {
            self.rest.push((input, self.count()));
        }
        self
    }

    /// The same; a question waits so long for others, where more are to be expected by then and a run of several costs
    /// less than several runs.
    #[must_use]
    pub fn gathering(mut self, gather: Duration) -> Self {
        self.gather_ns = i64::try_from(gather.as_nanos()).unwrap_or(i64::MAX);
        self
    }

    /// Where in a question the numbers for an input begin, if it has any.
    pub(super) fn begins(&self, input: usize) -> Option<usize> {
        let found = self.rest.iter().find(|(fed, _)| *fed == input);
        if input == self.input { Some(0) } else { found.map(|(_, begins)| *begins) }
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
                && self.rest == other.rest
                && self.rows == other.rows
                && bits(self) == bits(other))
    }

    /// Lengths of a question.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers in a question.
    pub(super) fn count(&self) -> usize {
        let rest = self.rest.iter().map(|&(input, _)| self.others[input].iter().product::<usize>());
        self.shape.iter().product::<usize>() + rest.sum::<usize>()
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        self.read.read(row)
    }
}
